//! `luigi decide`: JSON lines in, decisions out.

use crate::Found;
use crate::args::Decide;
use crate::failure::Failure;
use crate::load::Deciding;
use crate::question::Question;
use crate::state;
use luigi_core::decide::{Advice, Decision, Scratch};
use luigi_core::policy::model::Policy;
use luigi_core::target::Target;
use luigi_core::time::Timestamp;
use serde::Serialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::{BufRead, Write};

/// The longest line that is read, in bytes.
const MAX_LINE_BYTES: usize = 1024 * 1024;

pub(crate) fn run(arguments: &Decide) -> Result<Found, Failure> {
    let deciding = match (&arguments.policy, &arguments.feed) {
        (Some(policy), _) => Deciding::policy(policy, arguments.environment.as_deref(), &arguments.jwks)?,
        (None, Some(feed)) => Deciding::feed(feed, &state::public_key(arguments.public_key.as_deref()))?,
        // UNSHOWN: the parser of arguments refuses that.
        (None, None) => return Err(Failure::usage("a policy or `--feed` is needed")),
    };
    let mut scratch = Scratch::for_snapshot(deciding.snapshot());
    let mut found = Found::Fine;
    let mut input = std::io::stdin().lock();
    let mut output = std::io::stdout().lock();
    let mut line = Vec::new();
    let mut number = 0_u64;
    loop {
        line.clear();
        number += 1;
        match read_line(&mut input, &mut line) {
            Ok(0) => break,
            Ok(_) => {}
            Err(error) => return Err(Failure::environment(format!("cannot read standard input: {error}"))),
        }
        if line.trim_ascii().is_empty() {
            continue;
        }
        let answer = match std::str::from_utf8(&line) {
            _ if line.len() > MAX_LINE_BYTES => Err((Value::Null, "the line is too long".to_owned())),
            Err(_) => Err((Value::Null, "the line is not UTF-8".to_owned())),
            Ok(text) => decide(text, &deciding, &mut scratch, luigi_runtime::now()),
        };
        let answer = answer.unwrap_or_else(|(id, error)| {
            found = Found::Problems;
            json!({ "id": id, "line": number, "error": error }).to_string()
        });
        output.write_all(answer.as_bytes())?;
        output.write_all(b"\n")?;
        // Whoever asks line by line wants the answer before the next question.
        output.flush()?;
    }
    Ok(found)
}

/// Reads a line, what is too long of it only in part; returns how many bytes were taken from the input.
fn read_line(input: &mut impl BufRead, line: &mut Vec<u8>) -> std::io::Result<usize> {
    let mut taken = 0;
    loop {
        let available = input.fill_buf()?;
        if available.is_empty() {
            return Ok(taken);
        }
        let end = available.iter().position(|byte| *byte == b'\n');
        let part = &available[..end.unwrap_or(available.len())];
        let room = (MAX_LINE_BYTES + 1).saturating_sub(line.len());
        line.extend_from_slice(&part[..part.len().min(room)]);
        let used = part.len() + usize::from(end.is_some());
        input.consume(used);
        taken += used;
        if end.is_some() {
            return Ok(taken);
        }
    }
}

fn decide(text: &str, deciding: &Deciding, scratch: &mut Scratch, now: Timestamp) -> Result<String, (Value, String)> {
    let (id, question) = Question::from_json(text, now)?;
    let snapshot = deciding.snapshot();
    let policy = snapshot.policy();
    let mut prepared = match question.prepare(policy, deciding.trust(), deciding.grants(), deciding.stops()) {
        Ok(prepared) => prepared,
        Err(error) => return Err((id, error)),
    };
    let request = prepared.request();
    let evaluation = snapshot.decide(&request, scratch);
    let answer = Answer {
        id: &id,
        decision: Named::new(&evaluation.decision, policy, &request.target),
        candidate: Named::new(&evaluation.candidate, policy, &request.target),
        privileged: evaluation.privileged,
        tunnel_seconds: evaluation.tunnel_seconds,
        revision: snapshot.revision().to_string(),
    };
    serde_json::to_string(&answer).map_err(|error| (id.clone(), error.to_string()))
}

/// One line of output.
#[derive(Serialize)]
struct Answer<'a> {
    #[serde(skip_serializing_if = "Value::is_null")]
    id: &'a Value,
    #[serde(flatten)]
    decision: Named<'a>,
    candidate: Named<'a>,
    privileged: bool,
    /// For how long the connection that the request upgrades may be idle, if that has a limit.
    #[serde(rename = "tunnel-seconds", skip_serializing_if = "Option::is_none")]
    tunnel_seconds: Option<u32>,
    revision: String,
}

/// A decision in names.
#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Named<'a> {
    decision: &'static str,
    reason: &'static str,
    rule: Option<&'a str>,
    restricted_by: Option<&'a str>,
    scope: Option<&'a str>,
    advice: Option<NamedAdvice<'a>>,
}

/// Advice in names.
#[derive(Serialize)]
#[serde(rename_all = "kebab-case", tag = "kind")]
enum NamedAdvice<'a> {
    Authenticate,
    StepUp { login: Option<&'a str>, rule: Option<&'a str> },
    RequestAccess { approvals: Vec<NamedMissing<'a>>, rule: Option<&'a str> },
}

/// An approval that is missing for a scope.
#[derive(Serialize)]
struct NamedMissing<'a> {
    scope: Option<&'a str>,
    approval: Option<&'a str>,
    /// The values that a grant must be for.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    captures: BTreeMap<String, String>,
}

impl<'a> Named<'a> {
    fn new(decision: &Decision, policy: &'a Policy, target: &Target<'_>) -> Self {
        let rule = |id| policy.rules.row(id).map(|rule| rule.name.as_str());
        let scope = |id| policy.scopes.row(id).map(|scope| scope.name.as_str());
        let approval = |id| policy.approvals.row(id).map(|approval| approval.name.as_str());
        Self {
            decision: if decision.allows() { "allow" } else { "deny" },
            reason: decision.reason.as_str(),
            rule: decision.rule.and_then(rule),
            restricted_by: decision.restricted_by.and_then(rule),
            scope: decision.scope.and_then(scope),
            advice: decision.advice.map(|advice| match advice {
                Advice::Authenticate => NamedAdvice::Authenticate,
                Advice::StepUp { login, rule: by } => NamedAdvice::StepUp {
                    login: policy.logins.row(login).map(|login| login.name.as_str()),
                    rule: rule(by),
                },
                Advice::RequestAccess { approvals, rule: by } => NamedAdvice::RequestAccess {
                    approvals: approvals
                        .iter()
                        .map(|missing| NamedMissing {
                            scope: scope(missing.scope),
                            approval: approval(missing.approval),
                            captures: missing.captures(policy, target),
                        })
                        .collect(),
                    rule: rule(by),
                },
            }),
        }
    }
}

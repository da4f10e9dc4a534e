//! What it means that hosts accept ambiguous targets.

use super::{Linter, Row};
use crate::analysis::patterns::common_host;
use crate::decide::{FactValue, Request, RequestFacts, Source};
use crate::explain;
use crate::grant_set::GrantSet;
use crate::identity::Credential;
use crate::kleene::Kleene;
use crate::policy::diagnostics::{Diagnostic, Lint};
use crate::policy::model::{Fact, HostId, HostPattern, HostProperties, PathTemplate, Policy, Scope, Segment};
use crate::stop_set::StopSet;
use crate::target::{Ambiguity, RawTarget, Target, TargetBuffer, canonicalize};
use crate::time::Timestamp;

/// How many operations one is looked for in that shows the danger well.
const MAX_TRIED: usize = 64;

pub(super) fn look(linter: &mut Linter<'_>) {
    let policy = linter.policy;
    for (id, row) in policy.hosts.iter() {
        for class in &row.accepts {
            two_readings(linter, id, row, *class);
        }
    }
}

fn two_readings(linter: &mut Linter<'_>, id: HostId, row: &HostProperties, class: Ambiguity) {
    let Some((_, spelled)) = SPELLINGS.iter().find(|(known, _)| *known == class) else { return };
    let Some(example) = example(linter.policy, row, class, spelled) else { return };
    linter.find(Lint::TwoReadings, &[Row::Host(id)], |linter| {
        let Example { request, readings } = &example;
        let readings = readings.join(" and as ");
        let message = format!("host `{}` accepts `{class}`: `{request}` is decided as {readings}", row.host);
        let problem = Diagnostic::lint(Lint::TwoReadings, linter.value(Row::Host(id), "accept-ambiguous"), message);
        problem.label("allowed if all of these are").help(
            "a server that reads it in yet another way serves what nobody decided: accept this with how the server reads such paths",
        )
    });
}

/// A request of a class.
struct Example {
    /// As it is sent.
    request: String,
    /// Each reading of its path, and the scopes that hold it.
    readings: Vec<String>,
}

/// A request that the host accepts; one whose readings lie in different scopes if there is one.
fn example(
    policy: &Policy,
    row: &HostProperties,
    class: Ambiguity,
    spelled: impl Fn(&str) -> String,
) -> Option<Example> {
    let scopes = policy.scopes.iter().map(|(_, scope)| scope);
    let mut here: Vec<(&Scope, HostPattern)> = scopes
        .filter_map(|scope| Some((scope, scope.hosts.iter().find_map(|host| common_host(host, &row.host))?)))
        .collect();
    here.sort_by_key(|(scope, _)| !scope.privileged);
    let operations = here.iter().flat_map(|(scope, host)| scope.operations.iter().map(move |it| (*scope, host, it)));
    let of_scopes = operations.take(MAX_TRIED).map(|(scope, host, operation)| {
        let method = policy.methods.example(operation.methods).unwrap_or("GET");
        (method, host, path_of(&operation.path), scope.frontends.first())
    });
    let mut first = None;
    for (method, host, path, frontend) in of_scopes.chain([("GET", &row.host, "/a/b".to_owned(), None)]) {
        let Some((found, differ)) = read(policy, method, host, &spelled(&path), frontend, class) else { continue };
        if differ {
            return Some(found);
        }
        first.get_or_insert(found);
    }
    first
}

/// What the readings of a target are, and whether other scopes hold them; `None` if it is none of the class.
fn read(
    policy: &Policy,
    method: &str,
    host: &HostPattern,
    target: &str,
    frontend: Option<&String>,
    class: Ambiguity,
) -> Option<(Example, bool)> {
    let host = match host {
        HostPattern::Any => return None,
        HostPattern::Exact(name) if name.contains(':') => format!("[{name}]"),
        HostPattern::Exact(name) => name.clone(),
        HostPattern::OneLabel(parent) | HostPattern::Labels(parent) | HostPattern::Capture { parent, .. } => {
            format!("any.{parent}")
        }
    };
    let mut buffer = TargetBuffer::new();
    let raw = RawTarget { method: method.as_bytes(), target: target.as_bytes(), host: Some(host.as_bytes()) };
    let canonical = canonicalize(raw, &mut buffer);
    let Target::Readings(readings) = canonical else { return None };
    let at = frontend.map_or_else(String::new, |name| format!(" at frontend {name}"));
    let frontend = frontend.map_or(FactValue::NotPassed, |name| FactValue::One(name.as_bytes()));
    let value = |fact: &Fact| if *fact == Fact::Frontend { frontend } else { FactValue::NotPassed };
    let values: Vec<FactValue<'_>> = policy.facts.iter().map(|(_, fact)| value(fact)).collect();
    let request = Request {
        method: method.as_bytes(),
        target: canonical,
        upgrade: Kleene::False,
        source: Source::Unknown,
        credential: Credential::Absent,
        time: Timestamp::from_unix_seconds(0),
        grants: &GrantSet::default(),
        stops: StopSet::NONE,
        facts: RequestFacts { values: &values, ..RequestFacts::NONE },
    };
    let held = readings.all().map(|reading| explain::scopes_of(policy, &request, &reading));
    let held: Vec<_> = held.collect();
    let differ = held.windows(2).any(|pair| pair[0] != pair[1]);
    let words = |path: &str, held: &[&str]| match held {
        [] => format!("`{path}` (in no scope)"),
        held => format!("`{path}` (in `{}`)", held.join("`, `")),
    };
    let readings_in_words = readings.all().zip(&held).map(|(reading, held)| words(reading.path, held)).collect();
    let example = Example { request: format!("{method} https://{host}{target}{at}"), readings: readings_in_words };
    (readings.class == class).then_some((example, differ))
}

/// A path that a template holds.
fn path_of(template: &PathTemplate) -> String {
    let mut segments: Vec<&str> = template
        .segments
        .iter()
        .map(|segment| match segment {
            Segment::Literal(text) | Segment::Capture(text) => text.as_str(),
            Segment::Any => "any",
        })
        .collect();
    if template.rest {
        segments.push("rest");
    }
    format!("/{}", segments.join("/"))
}

/// Makes another spelling of a path.
type Spell = fn(&str) -> String;

/// What each class makes of a path, so that one of the readings is the path itself.
const SPELLINGS: [(Ambiguity, Spell); 5] = [
    (Ambiguity::EncodedSlash, |path| joined(path, "%2F")),
    (Ambiguity::EncodedBackslash, |path| joined(path, "%5C")),
    (Ambiguity::Backslash, |path| joined(path, "\\")),
    (Ambiguity::DoubleEncoding, |path| match path.char_indices().next_back() {
        Some((at, last)) if last.is_ascii_alphanumeric() => format!("{}%25{:02X}", &path[..at], u32::from(last)),
        _ => format!("{path}%2561"),
    }),
    (Ambiguity::MatrixParameter, |path| format!("{path};x")),
];

/// The path with something else than a slash before its last segment.
fn joined(path: &str, separator: &str) -> String {
    match path.rsplit_once('/') {
        Some((front, last)) if !front.is_empty() => format!("{front}{separator}{last}"),
        _ => format!("{path}{separator}x"),
    }
}

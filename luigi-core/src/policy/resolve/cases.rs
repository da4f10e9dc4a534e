//! Tests that stand in the policy.

use super::Scene;
use super::captures::Tables;
use super::environments::EnvironmentId;
use crate::policy::diagnostics::{Code, Diagnostic, Diagnostics};
use crate::policy::model::Approval;
use crate::policy::model::{IssuerId, RuleId, TableId};
use crate::policy::source::{SourceSet, Span};
use crate::policy::syntax::{self, Text, listed, quoted};
use crate::policy::test_case::{TestActor, TestCase, TestCredential, TestGrant, TestGroup, TestIdentity};
use std::collections::HashMap;

impl Scene {
    /// The tests, in order of their sources' names and their places.
    pub(super) fn cases(
        &self,
        cases: &[syntax::Case],
        tables: Option<Tables<'_>>,
        sources: &SourceSet,
        out: &mut Diagnostics,
    ) -> Vec<TestCase> {
        let mut first: HashMap<&str, Span> = HashMap::new();
        for name in cases.iter().filter_map(|case| case.name.as_ref()) {
            if let Some(earlier) = first.insert(&name.value, name.span) {
                let message = format!("test {} is defined twice", quoted(&name.value));
                let problem = Diagnostic::error(Code::DuplicateName, name.span, message).label("again");
                out.push(problem.also(earlier, "first here"));
            }
        }
        let mut resolved: Vec<_> = cases.iter().filter_map(|case| self.case(case, tables, out)).collect();
        resolved.sort_by(|a, b| {
            let key = |case: &TestCase| (case.span.source, case.span.start);
            (sources.name(a.span.source), key(a)).cmp(&(sources.name(b.span.source), key(b)))
        });
        resolved
    }

    /// A test of the environment that the policy is compiled for; those of others are checked and left out.
    fn case(&self, case: &syntax::Case, tables: Option<Tables<'_>>, out: &mut Diagnostics) -> Option<TestCase> {
        let environment = self.environments.of_case(case, out);
        let credential = match &case.credential {
            syntax::CaseCredential::Absent => Some(TestCredential::Absent),
            syntax::CaseCredential::Expired => Some(TestCredential::Expired),
            syntax::CaseCredential::Invalid => Some(TestCredential::Invalid),
            syntax::CaseCredential::Identity(identity) => {
                self.identity(identity, tables, out).map(TestCredential::Identity)
            }
        };
        let mut grants = Vec::new();
        for grant in &case.grants {
            let scope = grant.scope.as_ref().and_then(|name| self.scopes.find_text(name, out));
            let approval = grant.approval.as_ref().and_then(|name| self.approvals.find_text(name, out));
            let (Some(scope), Some(approval)) = (scope, approval) else { continue };
            tables.and_then(|tables| tables.approvals.row(approval)).inspect(|row| check_captures(grant, row, out));
            let values = grant.captures.iter().map(|(name, value)| (name.value.clone(), value.value.clone()));
            grants.push(TestGrant { scope, approval, captures: values.collect(), in_person: grant.in_person });
        }
        grants.sort();
        grants.dedup();
        let rule = case.rule.as_ref().and_then(|name| self.expected_rule(name, environment, out));
        let scope = case.scope.as_ref().and_then(|name| Some((self.scopes.find_text(name, out)?, name.span)));
        if !environment.is_none_or(|id| self.environments.selects(&[id])) {
            return None;
        }
        let (name, request, expect) = (case.name.as_ref()?, case.request.as_ref()?, case.expect.as_ref()?);
        Some(TestCase {
            name: name.value.clone(),
            span: name.span,
            environment: environment.and(self.environments.chosen()).map(str::to_owned),
            method: request.value.method.clone(),
            host: request.value.host.clone(),
            target: request.value.target.clone(),
            request_span: request.span,
            credential: credential?,
            from: case.from,
            peer: case.peer,
            at: case.at,
            facts: self.case_facts(case, out),
            grants,
            expect: expect.value,
            expect_span: expect.span,
            expect_candidate: case.expect_candidate.as_ref().map(|expect| (expect.value, expect.span)),
            rule,
            reason: case.reason.as_ref().map(|reason| (reason.value, reason.span)),
            scope,
            privileged: case.privileged.as_ref().map(|privileged| (privileged.value, privileged.span)),
        })
    }

    /// A rule that a test names; it must be in force where the test takes place.
    fn expected_rule(
        &self,
        name: &Text,
        environment: Option<EnvironmentId>,
        out: &mut Diagnostics,
    ) -> Option<(RuleId, Span)> {
        let place = &self.rule_places[self.rules.find_text(name, out)?.index()];
        if let Some(environment) = environment
            && !place.environments.is_empty()
            && !place.environments.contains(&environment)
        {
            let message = format!("rule {} is not in force where the test takes place", quoted(&name.value));
            let problem = Diagnostic::error(Code::InvalidTest, name.span, message);
            out.push(problem.help("it names other `environments`; name a rule that can determine the decision"));
        }
        Some((place.id?, name.span))
    }

    fn identity(
        &self,
        identity: &syntax::CaseIdentity,
        tables: Option<Tables<'_>>,
        out: &mut Diagnostics,
    ) -> Option<TestIdentity> {
        let issuer = match &identity.issuer {
            Some(name) => self.issuers.find_text(name, out),
            None => self.needs_default(identity.span, "`as` without `issuer`", "name the `issuer` here", out),
        };
        let login = identity.login.as_ref().map(|name| self.logins.find_text(name, out));
        let mut groups: Vec<_> = identity.groups.iter().filter_map(|text| self.test_group(text, tables, out)).collect();
        groups.sort();
        groups.dedup();
        if identity.claims.contains_key("act") {
            let problem = Diagnostic::error(Code::InvalidTest, identity.span, "`claims` of a person have no `act`");
            out.push(problem.help("say who acts as `via = { sub = \"agent:assistant\" }`"));
        }
        let via = identity.via.as_ref().map(|actor| self.actor(actor, issuer, out));
        Some(TestIdentity {
            issuer: issuer?,
            subject: identity.subject.clone().unwrap_or_else(|| "test".to_owned()),
            kind: identity.kind.clone(),
            email: identity.email.clone(),
            groups,
            claims: identity.claims.clone(),
            login: login.flatten(),
            via: via.flatten(),
        })
    }

    /// An actor is of the person's issuer unless the test says otherwise, as in tokens.
    fn actor(&self, actor: &syntax::CaseActor, of: Option<IssuerId>, out: &mut Diagnostics) -> Option<TestActor> {
        let issuer = match &actor.issuer {
            Some(name) => self.issuers.find_text(name, out),
            None => of,
        };
        if ["sub", "iss"].iter().any(|name| actor.claims.contains_key(*name)) {
            let problem =
                Diagnostic::error(Code::InvalidTest, actor.span, "`claims` of an actor have no `sub` or `iss`");
            out.push(problem.help("write `sub` and `issuer` beside `claims`"));
        }
        Some(TestActor { issuer: issuer?, subject: actor.subject.clone(), claims: actor.claims.clone() })
    }

    /// `alias`, or `alias:value` for one group of a family.
    fn test_group(&self, text: &Text, tables: Option<Tables<'_>>, out: &mut Diagnostics) -> Option<TestGroup> {
        let (alias, captured) = match text.value.split_once(':') {
            Some((alias, captured)) => (alias, Some(captured)),
            None => (text.value.as_str(), None),
        };
        let span = if captured.is_some() { text.part(0..alias.len()) } else { text.span };
        let group = self.groups.find_text(&Text::new(alias.to_owned(), span), out)?;
        let value = &tables?.groups.row(group)?.value;
        let problem = match (value.family(), captured) {
            (None, Some(_)) => {
                let message = format!("{} is one group, not a family", quoted(alias));
                Diagnostic::error(Code::InvalidTest, text.part(alias.len()..text.value.len()), message)
                    .label("a value of a capture")
                    .help(format!("write {}", quoted(alias)))
            }
            (Some(family), None) => {
                let message = format!("{} is a family of groups", quoted(alias));
                let help = format!("say which of them, like `{alias}:x` for `{}`", family.member("x"));
                Diagnostic::error(Code::InvalidTest, text.span, message).label("which one?").help(help)
            }
            (Some(family), Some(captured)) if family.captured(&family.member(captured)).is_none() => {
                let message = format!("{} is not something that a path segment or label can hold", quoted(captured));
                Diagnostic::error(Code::InvalidTest, text.span, message).help("it is not empty and has no `/`")
            }
            (None, None) | (Some(_), Some(_)) => {
                return Some(TestGroup { group, captured: captured.map(str::to_owned) });
            }
        };
        out.push(problem);
        None
    }
}

/// A grant carries exactly what its approval is per.
fn check_captures(grant: &syntax::CaseGrant, approval: &Approval, out: &mut Diagnostics) {
    for (name, _) in grant.captures.iter().filter(|(name, _)| !approval.per.contains(&name.value)) {
        let message = format!("approval {} is not per {}", quoted(&approval.name), quoted(&name.value));
        let problem = Diagnostic::error(Code::InvalidTest, name.span, message);
        out.push(if approval.per.is_empty() {
            problem.help("leave `captures` out")
        } else {
            problem.help(format!("it is per {}", listed(approval.per.iter().map(String::as_str), "and")))
        });
    }
    let lacking = approval.per.iter().filter(|per| grant.captures.iter().all(|(name, _)| name.value != **per));
    let lacking: Vec<&str> = lacking.map(String::as_str).collect();
    if let Some(first) = lacking.first() {
        let message = format!("approval {} is per {}", quoted(&approval.name), listed(lacking.iter().copied(), "and"));
        let problem = Diagnostic::error(Code::InvalidTest, grant.span, message).label("a grant for which?");
        out.push(problem.help(format!("add `captures = {{ {first} = \"...\" }}` to the grant")));
    }
}

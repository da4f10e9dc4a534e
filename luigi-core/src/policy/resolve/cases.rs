//! Tests that stand in the policy.

use super::Scene;
use super::environments::EnvironmentId;
use crate::policy::diagnostics::{Code, Diagnostic, Diagnostics};
use crate::policy::model::{IssuerId, RuleId, TableId};
use crate::policy::source::{SourceSet, Span};
use crate::policy::syntax::{self, Text, quoted};
use crate::policy::test_case::{TestActor, TestCase, TestCredential, TestGrant, TestIdentity};
use std::collections::HashMap;

impl Scene {
    /// The tests, in order of their sources' names and their places.
    pub(super) fn cases(&self, cases: &[syntax::Case], sources: &SourceSet, out: &mut Diagnostics) -> Vec<TestCase> {
        let mut first: HashMap<&str, Span> = HashMap::new();
        for name in cases.iter().filter_map(|case| case.name.as_ref()) {
            if let Some(earlier) = first.insert(&name.value, name.span) {
                let message = format!("test {} is defined twice", quoted(&name.value));
                let problem = Diagnostic::error(Code::DuplicateName, name.span, message).label("again");
                out.push(problem.also(earlier, "first here"));
            }
        }
        let mut resolved: Vec<_> = cases.iter().filter_map(|case| self.case(case, out)).collect();
        resolved.sort_by(|a, b| {
            let key = |case: &TestCase| (case.span.source, case.span.start);
            (sources.name(a.span.source), key(a)).cmp(&(sources.name(b.span.source), key(b)))
        });
        resolved
    }

    /// A test of the environment that the policy is compiled for; those of others are checked and left out.
    fn case(&self, case: &syntax::Case, out: &mut Diagnostics) -> Option<TestCase> {
        let environment = self.environments.of_case(case, out);
        let credential = match &case.credential {
            syntax::CaseCredential::Absent => Some(TestCredential::Absent),
            syntax::CaseCredential::Expired => Some(TestCredential::Expired),
            syntax::CaseCredential::Invalid => Some(TestCredential::Invalid),
            syntax::CaseCredential::Identity(identity) => self.identity(identity, out).map(TestCredential::Identity),
        };
        let mut grants = Vec::new();
        for grant in &case.grants {
            let scope = grant.scope.as_ref().and_then(|name| self.scopes.find_text(name, out));
            let approval = grant.approval.as_ref().and_then(|name| self.approvals.find_text(name, out));
            let in_person = grant.in_person;
            grants.extend(scope.zip(approval).map(|(scope, approval)| TestGrant { scope, approval, in_person }));
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

    fn identity(&self, identity: &syntax::CaseIdentity, out: &mut Diagnostics) -> Option<TestIdentity> {
        let issuer = match &identity.issuer {
            Some(name) => self.issuers.find_text(name, out),
            None => self.needs_default(identity.span, "`as` without `issuer`", "name the `issuer` here", out),
        };
        let login = identity.login.as_ref().map(|name| self.logins.find_text(name, out));
        let groups = self.groups.find_all(&identity.groups, out);
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
}

//! Subjects, who acts for them, and the matchers of both.

use super::Scene;
use crate::policy::diagnostics::Diagnostics;
use crate::policy::model::{ActorMatcher, ClaimTest, ClaimValues, Subject, SubjectMatcher, Via};
use crate::policy::syntax;

impl Scene {
    /// Who the conditions are about. `claim-after-now` is a test of a claim in each matcher; where no subject is named, of every issuer.
    pub(super) fn subject_of(&self, conditions: &syntax::Conditions, out: &mut Diagnostics) -> Option<Subject> {
        let subject = conditions.subject.as_ref().map(|subject| self.subject(subject, out));
        let Some(path) = &conditions.claim_after_now else { return subject };
        if self.issuers.is_empty() {
            self.needs_default(path.span, "`claim-after-now`", "name the issuer", out);
        }
        let mut matchers = match subject {
            Some(Subject::AnyOf(matchers)) => matchers,
            Some(Subject::Authenticated) => vec![SubjectMatcher::default()],
            // "anyone" has been reported.
            None | Some(Subject::Anyone) => {
                vec![SubjectMatcher { issuers: self.issuers.ids().collect(), ..SubjectMatcher::default() }]
            }
        };
        for matcher in &mut matchers {
            matcher.claims.push(ClaimTest { path: path.value.clone(), accepts: ClaimValues::AfterNow });
            matcher.claims.sort();
            matcher.claims.dedup();
        }
        Some(Subject::AnyOf(matchers))
    }

    pub(super) fn subject(&self, subject: &syntax::Subject, out: &mut Diagnostics) -> Subject {
        match subject {
            syntax::Subject::Anyone => Subject::Anyone,
            syntax::Subject::Authenticated(span) => {
                self.needs_default(*span, "\"authenticated\"", "write `{ issuers = [...] }`", out);
                Subject::Authenticated
            }
            syntax::Subject::AnyOf(matchers) => Subject::AnyOf(self.matchers(matchers, out)),
        }
    }

    /// A subject as a requirement, where "authenticated" is a matcher of nothing but the default issuer.
    pub(super) fn required_subject(&self, subject: &syntax::Subject, out: &mut Diagnostics) -> Vec<SubjectMatcher> {
        match subject {
            syntax::Subject::Anyone => Vec::new(),
            syntax::Subject::Authenticated(span) => {
                let default = self.needs_default(*span, "\"authenticated\"", "write `{ issuers = [...] }`", out);
                vec![SubjectMatcher { issuers: default.into_iter().collect(), ..SubjectMatcher::default() }]
            }
            syntax::Subject::AnyOf(matchers) => self.matchers(matchers, out),
        }
    }

    /// Sorted: any of them will do, so their order means nothing.
    pub(super) fn matchers(&self, matchers: &[syntax::Matcher], out: &mut Diagnostics) -> Vec<SubjectMatcher> {
        let mut matchers: Vec<_> = matchers.iter().map(|matcher| self.matcher(matcher, out)).collect();
        matchers.sort();
        matchers.dedup();
        matchers
    }

    pub(super) fn via(&self, via: &syntax::Via, out: &mut Diagnostics) -> Via {
        match via {
            syntax::Via::Any => Via::Any,
            syntax::Via::AnyOf(matchers) => {
                let mut matchers: Vec<_> = matchers.iter().map(|matcher| self.actor_matcher(matcher, out)).collect();
                matchers.sort();
                matchers.dedup();
                Via::AnyOf(matchers)
            }
        }
    }

    fn actor_matcher(&self, matcher: &syntax::ActorMatcher, out: &mut Diagnostics) -> ActorMatcher {
        if matcher.issuers.is_empty() {
            self.needs_default(matcher.span, "a matcher without `issuers`", "add `issuers` to the matcher", out);
        }
        let mut claims = matcher.claims.clone();
        claims.sort();
        claims.dedup();
        ActorMatcher {
            issuers: self.issuers.find_all(&matcher.issuers, out),
            subjects: matcher.subjects.clone(),
            subject_patterns: matcher.subject_patterns.clone(),
            claims,
        }
    }

    fn matcher(&self, matcher: &syntax::Matcher, out: &mut Diagnostics) -> SubjectMatcher {
        if matcher.issuers.is_empty() {
            self.needs_default(matcher.span, "a matcher without `issuers`", "add `issuers` to the matcher", out);
        }
        let mut claims = matcher.claims.clone();
        claims.sort();
        claims.dedup();
        SubjectMatcher {
            issuers: self.issuers.find_all(&matcher.issuers, out),
            kinds: matcher.kinds.clone(),
            subjects: matcher.subjects.clone(),
            subject_patterns: matcher.subject_patterns.clone(),
            emails: matcher.emails.clone(),
            email_domains: matcher.email_domains.clone(),
            groups: self.groups.find_all(&matcher.groups, out),
            groups_all: self.groups.find_all(&matcher.groups_all, out),
            claims,
        }
    }
}

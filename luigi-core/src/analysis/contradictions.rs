//! Predicates that cannot be true together, whatever the request: of claims, of what requests bring along, of captures.
//!
//! Every answer is certain; that there is none is not. A claim that a token keeps elsewhere, or a header that is sent twice, is unknown and so not
//! true either.

use crate::policy::captures::CaptureValues;
use crate::policy::model::{
    ClaimTest, ClaimValue, ClaimValues, Conditions, FactTest, Policy, Scope, Subject, SubjectMatcher, ValueTest,
};

/// Two tests of claims that nobody meets.
pub(super) fn of_claims<'c>(tests: &[&'c ClaimTest]) -> Option<(&'c ClaimTest, &'c ClaimTest)> {
    tests.iter().enumerate().find_map(|(at, one)| {
        let other = tests[..at].iter().find(|other| exclude(one, other) || exclude(other, one))?;
        Some((*other, *one))
    })
}

fn exclude(a: &ClaimTest, b: &ClaimTest) -> bool {
    match (&a.accepts, &b.accepts) {
        // What lies within a claim is not there without it.
        (ClaimValues::Absent, other) => *other != ClaimValues::Absent && b.path.starts_with(&a.path),
        // Words stand in a string, and then that is what is compared.
        (ClaimValues::In(values), ClaimValues::Words(words)) if a.path == b.path => {
            !values.iter().any(|value| match value {
                ClaimValue::Text(text) => text.split(' ').any(|word| words.iter().any(|one| one == word)),
                ClaimValue::Integer(_) | ClaimValue::Boolean(_) => false,
            })
        }
        _ => false,
    }
}

/// Whether nobody is matched by both.
pub(super) fn of_matchers(a: &SubjectMatcher, b: &SubjectMatcher) -> bool {
    of_claims(&a.claims.iter().chain(&b.claims).collect::<Vec<_>>()).is_some()
}

/// The test that no request meets together with one of the others.
pub(super) fn of_facts<'t>(a: &'t [FactTest], b: &[FactTest]) -> Option<&'t FactTest> {
    a.iter().find(|one| b.iter().any(|other| apart(one, other)))
}

fn apart(a: &FactTest, b: &FactTest) -> bool {
    let disjoint = |a: &[String], b: &[String]| !a.iter().any(|value| b.contains(value));
    let values = |a: &ValueTest, b: &ValueTest| match (a, b) {
        (ValueTest::In(a), ValueTest::In(b)) => disjoint(a, b),
        (ValueTest::Absent, ValueTest::Absent) => false,
        (ValueTest::Absent, _) | (_, ValueTest::Absent) => true,
        (ValueTest::Present, _) | (_, ValueTest::Present) => false,
    };
    match (a, b) {
        (FactTest::Header { header: a, accepts: one }, FactTest::Header { header: b, accepts: other }) => {
            a == b && values(one, other)
        }
        (FactTest::Query { parameter: a, accepts: one }, FactTest::Query { parameter: b, accepts: other }) => {
            a == b && values(one, other)
        }
        (FactTest::Named { fact: a, values: one }, FactTest::Named { fact: b, values: other }) => {
            a == b && disjoint(one, other)
        }
        (FactTest::Certificate(a), FactTest::Certificate(b)) => {
            // All but `verified` hold only for a certificate that is.
            a.verified == Some(false) && b.verified != Some(false)
                || b.verified == Some(false) && a.verified != Some(false)
        }
        _ => false,
    }
}

/// The capture that `where` wants to be what no segment or label of these scopes can be.
pub(super) fn of_captures<'c>(when: &'c Conditions, scopes: &[&Scope], policy: &Policy) -> Option<&'c str> {
    // A host that takes ambiguous targets has segments that no other has.
    let accepts_ambiguous = policy.hosts.iter().any(|(_, row)| !row.accepts.is_empty());
    let test = when.captures.iter().find(|test| {
        let CaptureValues::In(values) = &test.accepts else { return false };
        !scopes.is_empty()
            && scopes.iter().all(|scope| {
                let in_host = scope.hosts.iter().any(|host| host.capture() == Some(&test.capture));
                !values
                    .iter()
                    .any(|value| if in_host { can_be_label(value) } else { accepts_ambiguous || can_be_segment(value) })
            })
    });
    test.map(|test| test.capture.as_str())
}

fn can_be_label(value: &str) -> bool {
    !value.is_empty()
        && !value.contains(['.', '/'])
        && !value.bytes().any(|byte| byte.is_ascii_uppercase() || !byte.is_ascii_graphic())
}

fn can_be_segment(value: &str) -> bool {
    !matches!(value, "" | "." | "..") && !value.contains(['/', '\\']) && !value.contains(char::is_control)
}

/// The capture that `where` wants to be the claim of an issuer whose people the rule is not about.
pub(super) fn of_issuers<'c>(when: &'c Conditions, policy: &Policy) -> Option<&'c str> {
    let default = || policy.default_issuer.into_iter().collect::<Vec<_>>();
    let ours: Vec<_> = match &when.subject {
        None | Some(Subject::Anyone) => return None,
        Some(Subject::Authenticated) => default(),
        Some(Subject::AnyOf(matchers)) => matchers
            .iter()
            .flat_map(|matcher| if matcher.issuers.is_empty() { default() } else { matcher.issuers.clone() })
            .collect(),
    };
    let test = when.captures.iter().find(|test| {
        let CaptureValues::Claim { issuers, .. } = &test.accepts else { return false };
        let theirs = if issuers.is_empty() { default() } else { issuers.clone() };
        !theirs.iter().any(|issuer| ours.contains(issuer))
    });
    test.map(|test| test.capture.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn test(path: &[&str], accepts: ClaimValues) -> ClaimTest {
        ClaimTest { path: path.iter().map(|&name| name.to_owned()).collect(), accepts }
    }

    #[test]
    fn only_claims_that_nobody_has_together_contradict_each_other() {
        let text = |text: &str| ClaimValue::Text(text.to_owned());
        let is = |values: &[ClaimValue]| ClaimValues::In(values.to_vec());
        let words = |word: &str| ClaimValues::Words(vec![word.to_owned()]);
        for (a, b, expected) in [
            // An array may hold both.
            (test(&["a"], is(&[text("x")])), test(&["a"], is(&[text("y")])), false),
            (test(&["a"], ClaimValues::Absent), test(&["a"], is(&[text("y")])), true),
            (test(&["a"], ClaimValues::Absent), test(&["a", "b"], ClaimValues::Present), true),
            (test(&["a", "b"], ClaimValues::Absent), test(&["a"], ClaimValues::Present), false),
            (test(&["a"], ClaimValues::Absent), test(&["a"], ClaimValues::Absent), false),
            (test(&["a"], ClaimValues::Absent), test(&["a", "b"], ClaimValues::Absent), false),
            (test(&["a"], ClaimValues::Absent), test(&["b"], ClaimValues::AfterNow), false),
            (test(&["a"], is(&[text("x y")])), test(&["a"], words("y")), false),
            (test(&["a"], is(&[text("x z"), ClaimValue::Integer(1)])), test(&["a"], words("y")), true),
            (test(&["a"], is(&[text("x")])), test(&["b"], words("y")), false),
        ] {
            assert_eq!(of_claims(&[&a, &b]).is_some(), expected, "{a:?} {b:?}");
            assert_eq!(of_claims(&[&b, &a]).is_some(), expected, "{b:?} {a:?}");
        }
    }
}

//! Facts that a test leaves out and should not: without them what came out would mean nothing.

use super::Fact;
use crate::decide::{Decision, Reason};
use crate::described::DescribedFacts;
use crate::explain::{Explanation, Finding, RuleTrace, Standing};
use crate::kleene::Kleene;
use crate::policy::model::{Effect, Mode};
use crate::policy::test_case::{Expectation, TestCase, TestCredential};

/// The first rule that needs a fact which the test leaves out, though what the test expects depends on it.
///
/// A rule needs what its predicates and, where it may match, its requirements look at, unless something that the test does say makes
/// it false anyway. Rules that are only observed count if the test expects something of the candidate. Where nobody asks and the
/// answer is no, the advice takes subjects as the caller would wish: they settle nothing.
///
/// Nothing is missing where the outcome is certain: a deny rule is true for certain, no allow rule can be true, or one is met for
/// certain and nothing can block it. And a test that expects `deny` may leave out `from` where allow rules ask for it: a source can be unknown,
/// and then they do not allow. Such a test says that what it describes is not enough.
pub(super) fn missing_fact(explanation: &Explanation, test: &TestCase) -> Option<(String, Fact)> {
    let DescribedFacts { headers, facts, certificate, frontend: _ } = &test.facts;
    if test.says_source() && test.at.is_some() && headers.is_some() && facts.is_some() && certificate.is_some() {
        return None;
    }
    let evaluation = &explanation.evaluation;
    let enforced = |rule: &&RuleTrace| rule.mode == Mode::Enforce;
    let decided = View {
        test,
        rules: explanation.rules.iter().filter(enforced).collect(),
        expect: test.expect,
        // Which rule determines a decision may depend on one that does not change it.
        only_outcome: test.rule.is_none() && test.reason.is_none(),
        asks_for_advice: test.credential == TestCredential::Absent && !evaluation.decision.allows(),
        decision: &evaluation.decision,
    };
    decided.missing_fact().or_else(|| {
        let (expect, _) = test.expect_candidate?;
        let candidate = View {
            test,
            rules: explanation.rules.iter().collect(),
            expect,
            only_outcome: true,
            asks_for_advice: test.credential == TestCredential::Absent && !evaluation.candidate.allows(),
            decision: &evaluation.candidate,
        };
        candidate.missing_fact()
    })
}

/// The first scope that names frontends, if the request was refused because the test names none. A test may be about just that.
pub(super) fn missing_frontend(explanation: &Explanation, test: &TestCase) -> Option<String> {
    let unknown = Reason::FrontendUnknown;
    let meant = test.reason.is_some_and(|(reason, _)| reason == unknown);
    if meant || test.facts.frontend.is_some() || explanation.evaluation.decision.reason != unknown {
        return None;
    }
    let scope = explanation.scopes.iter().find(|scope| !scope.only_at.is_empty());
    Some(scope.map_or_else(String::new, |scope| scope.scope.clone()))
}

/// One of the two decisions of a test: the rules that make it, and what is expected of it.
struct View<'t> {
    test: &'t TestCase,
    rules: Vec<&'t RuleTrace>,
    expect: Expectation,
    /// Whether the test asks what comes out and not by which rule.
    only_outcome: bool,
    /// Whether what comes out depends on what somebody else would meet.
    asks_for_advice: bool,
    decision: &'t Decision,
}

/// A rule that may matter, and the first fact that it needs and the test leaves out.
type Open<'t> = (&'t RuleTrace, Option<Fact>);

impl View<'_> {
    fn missing_fact(&self) -> Option<(String, Fact)> {
        let mut open: Vec<Open<'_>> = self.rules.iter().filter_map(|rule| self.open(rule)).collect();
        if self.only_outcome {
            if self.expect == Expectation::Deny {
                open.retain(|(rule, _)| rule.effect != Effect::Allow || !self.waits_for_source(rule));
            }
            if self.is_certain(&open) {
                return None;
            }
        }
        open.into_iter().find_map(|(rule, fact)| Some((rule.rule.clone(), fact?)))
    }

    /// Whether the outcome is the same whatever the facts are that the test leaves out.
    fn is_certain(&self, open: &[Open<'_>]) -> bool {
        let certain =
            |standing: &[Standing]| open.iter().any(|(rule, fact)| fact.is_none() && standing.contains(&rule.standing));
        let may_refuse = |(rule, fact): &Open<'_>| fact.is_some() && rule.effect != Effect::Allow;
        if !open.iter().any(|(rule, _)| rule.effect == Effect::Allow) {
            return true;
        }
        let identified = matches!(self.test.credential, TestCredential::Identity(_));
        if !identified && !self.decision.allows() {
            // What is advised to nobody depends on what would be so for somebody.
            return false;
        }
        certain(&[Standing::Denies, Standing::MayDeny])
            || self.decision.allows() && certain(&[Standing::Allows]) && !open.iter().any(may_refuse)
    }

    /// A rule that is about the request and that nothing which the test says makes false.
    fn open<'r>(&self, rule: &'r RuleTrace) -> Option<Open<'r>> {
        let asker = match (self.asks_for_advice, rule.effect) {
            (false, _) => Asker::AsTheTestSays,
            (true, Effect::Allow) => Asker::MeetsSubjects,
            (true, Effect::Deny | Effect::Restrict) => Asker::MeetsExceptions,
        };
        let settled = |finding: &Finding| {
            let wished = about_the_asker(finding) && asker == Asker::MeetsSubjects;
            finding.value.is_false() && !wished && needs(finding, self.test, asker).is_none()
        };
        if !rule.concerned {
            return None;
        }
        // With the captures of one pattern a rule may be settled, and with those of another it may not.
        let one = [(&rule.predicates, &rule.requirements)];
        let patterns: Vec<_> = rule.patterns.iter().map(|one| (&one.predicates, &one.requirements)).collect();
        let places = if patterns.is_empty() { &one[..] } else { &patterns };
        let mut open = places.iter().filter(|(predicates, _)| !predicates.iter().any(settled)).peekable();
        open.peek()?;
        let mut findings = open.flat_map(|(predicates, requirements)| predicates.iter().chain(*requirements));
        Some((rule, findings.find_map(|finding| needs(finding, self.test, asker))))
    }

    /// Whether a rule cannot be met as long as nobody knows where the request comes from.
    fn waits_for_source(&self, rule: &RuleTrace) -> bool {
        let unknown = |finding: &Finding| finding.key == "from" && finding.value == Kleene::Unknown;
        let waits = |finding: &Finding| {
            unknown(finding)
                || finding.key == "unless" && finding.value == Kleene::Unknown && finding.parts.iter().any(unknown)
        };
        !self.test.says_source() && rule.predicates.iter().chain(&rule.requirements).any(waits)
    }
}

/// Whether a finding may be another for another asker.
fn about_the_asker(finding: &Finding) -> bool {
    matches!(finding.key, "subject" | "via" | "claim")
}

/// Whose predicates on the subject a rule is looked at with.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Asker {
    /// Whoever the test describes.
    AsTheTestSays,
    /// Whoever may come back with an identity: the rule's subject.
    MeetsSubjects,
    /// The same, for a rule that is better not met: the subject of its exceptions.
    MeetsExceptions,
}

/// Which fact that the test leaves out decides a finding.
fn needs(finding: &Finding, test: &TestCase, asker: Asker) -> Option<Fact> {
    match finding.key {
        "from" if !test.says_source() => Some(Fact::From),
        "during" | "starts" | "ends" if test.at.is_none() => Some(Fact::At),
        "headers" if test.facts.headers.is_none() => Some(Fact::Headers),
        "facts" if test.facts.facts.is_none() => Some(Fact::Facts),
        "certificate" if test.facts.certificate.is_none() => Some(Fact::Certificate),
        "unless" => {
            let settled = |part: &Finding| {
                let wished = about_the_asker(part) && asker == Asker::MeetsExceptions;
                part.value.is_false() && !wished && needs(part, test, asker).is_none()
            };
            let parts = &finding.parts;
            if parts.iter().any(settled) { None } else { parts.iter().find_map(|part| needs(part, test, asker)) }
        }
        _ => None,
    }
}

//! Two policies made from random bytes: whatever request they decide otherwise is in what the comparison reports, and whatever it reports is so.

use luigi_core::analysis::{Bounds, Comparison, Difference, TargetWords, compare};
use luigi_core::decide::{Advice, Decision, FactValue, Request, RequestFacts, Scratch};
use luigi_core::generators::{Choices, Scenario, policy};
use luigi_core::identity::{Credential, InvalidCredential};
use luigi_core::policy::model::{Fact, FactId, Policy};
use luigi_core::snapshot::Snapshot;
use luigi_core::stop_set::StopSet;
use luigi_core::target::{Host, Target};
use luigi_core::time::Timestamp;
use proptest::prelude::*;

/// From here on times are followed; most of the moments that are generated lie behind it.
const NOW: Timestamp = Timestamp::from_unix_seconds(1_772_330_400);
const HORIZON_SECONDS: i64 = 399 * 86_400;
const BOUNDS: Bounds = Bounds { requests_per_situation: 1_500, requests: 12_000 };

/// `allow` or `deny`, and what the caller is told, in names.
fn answer(decision: &Decision, policy: &Policy) -> (bool, String) {
    let advice = match decision.advice {
        None => String::new(),
        Some(Advice::Authenticate) => "log in".to_owned(),
        Some(Advice::StepUp { login, .. }) => policy.logins[login].name.clone(),
        Some(Advice::RequestAccess { approvals, .. }) => approvals
            .iter()
            .map(|one| format!("{}:{} ", policy.scopes[one.scope].name, policy.approvals[one.approval].name))
            .collect(),
    };
    (decision.allows(), advice)
}

/// The decision on a request whose token a policy believes only if it knows the issuer, which asks for an upgrade or does not, is not stopped, and
/// whose frontend is known.
fn decide(snapshot: &Snapshot, request: &Request<'_>) -> (bool, String) {
    let policy = snapshot.policy();
    let credential = match request.credential {
        Credential::Verified(identity)
            if !policy.issuers.iter().any(|(_, issuer)| issuer.trust.url == identity.issuer()) =>
        {
            Credential::Invalid(InvalidCredential::UnknownIssuer)
        }
        other => other,
    };
    let frontend = FactValue::One(frontend_of(policy, request));
    let values = |(id, fact): (FactId, &Fact)| if *fact == Fact::Frontend { frontend } else { request.facts.value(id) };
    let values: Vec<FactValue<'_>> = policy.facts.iter().map(values).collect();
    let facts = RequestFacts { values: &values, ..request.facts };
    // The walk knows whether a request asks for an upgrade.
    let upgrade = (!request.upgrade.is_false()).into();
    let request = Request { credential, upgrade, stops: StopSet::NONE, facts, ..*request };
    answer(&snapshot.decide(&request, &mut Scratch::for_snapshot(snapshot)).decision, policy)
}

/// Where the request comes in; at a frontend that nobody names if it does not say.
fn frontend_of<'a>(policy: &Policy, request: &Request<'a>) -> &'a [u8] {
    let (id, _) = policy.facts.iter().find(|(_, fact)| **fact == Fact::Frontend).expect("every table of facts has it");
    match request.facts.value(id) {
        FactValue::One(name) => name,
        FactValue::NotPassed | FactValue::Absent | FactValue::Several => b"x",
    }
}

/// Whether the words of a target hold a request, apart from its method.
fn names(target: &TargetWords, host: Host<'_>, path: &str, frontend: &[u8]) -> bool {
    // Another than those that are named is any other; which those are depends on the host.
    let named = target.frontends.iter().any(|name| name.as_bytes() == frontend || name == "any other");
    if !target.frontends.is_empty() && !named {
        return false;
    }
    let host_fits = match (&target.host, host) {
        (None, _) => true,
        (Some(_), Host::Absent) => false,
        (Some(pattern), Host::Address(text)) => pattern == text,
        (Some(pattern), Host::Name(name)) => match (pattern.strip_prefix("**.*."), pattern.strip_prefix("*.")) {
            (Some(suffix), _) => name.strip_suffix(suffix).is_some_and(|rest| rest.matches('.').count() > 1),
            (None, Some(suffix)) => name.strip_suffix(suffix).is_some_and(|rest| rest.matches('.').count() == 1),
            (None, None) => pattern == name,
        },
    };
    // Some hosts do not mind the case.
    let segments = |path: &str| {
        path.to_lowercase().split('/').filter(|one| !one.is_empty()).map(str::to_owned).collect::<Vec<_>>()
    };
    // Which expressions fit is said behind it.
    let pattern = target.path.split(" that ").next().unwrap_or_default();
    let pattern = pattern.strip_suffix(" in another case").unwrap_or(pattern);
    let (mut wanted, found) = (segments(pattern), segments(path));
    let rest = wanted.last().is_some_and(|last| last == "**");
    if rest {
        wanted.pop();
    }
    let long_enough = if rest { found.len() >= wanted.len() } else { found.len() == wanted.len() };
    let fits = |(wanted, found): (&String, &String)| wanted == "*" || wanted.starts_with('{') || wanted == found;
    host_fits && (pattern == "any other path" || long_enough && wanted.iter().zip(&found).all(fits))
}

fn is_reported(
    comparison: &Comparison,
    sides: [&Snapshot; 2],
    answers: &[(bool, String); 2],
    request: &Request<'_>,
) -> bool {
    let Target::Canonical(target) = request.target else { return false };
    let frontend = frontend_of(sides[0].policy(), request);
    let like_it = |difference: &Difference| {
        let example = sides.map(|side| answer(&difference.example.decide(side).decision, side.policy()));
        // What is in no scope at all is said once, wherever it lies.
        example == *answers
            && (difference
                .targets
                .iter()
                .any(|one| names(one, target.host, target.path, frontend) || !target.path.starts_with('/')))
    };
    comparison.differences.iter().any(like_it)
}

fn short(difference: &Difference) -> String {
    format!(
        "{}, {:?}: {:?} {:?} -> {:?}",
        difference.who,
        difference.circumstances,
        difference.targets.iter().map(ToString::to_string).collect::<Vec<_>>(),
        difference.before,
        difference.after
    )
}

/// A policy, one row a line.
fn listed(policy: &Policy) -> String {
    let mut text = String::new();
    policy.networks.iter().for_each(|(id, row)| text.push_str(&format!("{id:?} {row:?}\n")));
    policy.schedules.iter().for_each(|(id, row)| text.push_str(&format!("{id:?} {row:?}\n")));
    policy.logins.iter().for_each(|(id, row)| text.push_str(&format!("{id:?} {row:?}\n")));
    policy.scopes.iter().for_each(|(id, row)| text.push_str(&format!("{id:?} {row:?}\n")));
    text.push_str(&format!("{:?} {:?} {:?} {:?}\n", policy.methods, policy.hosts, policy.default_issuer, policy.facts));
    policy.issuers.iter().for_each(|(id, row)| text.push_str(&format!("{id:?} {row:?}\n")));
    policy.approvals.iter().for_each(|(id, row)| text.push_str(&format!("{id:?} {row:?}\n")));
    policy.rules.iter().for_each(|(id, row)| text.push_str(&format!("{id:?} {row:?}\n")));
    text
}

/// Compares two policies and asks both about random requests; how many came out otherwise in a complete comparison.
fn check(one: &[u8], other: &[u8], asked: &[u8]) -> usize {
    let (one, other) = (policy(&mut Choices::new(one)), policy(&mut Choices::new(other)));
    // A policy that was written has one if "authenticated" stands in it; these are for evaluators alone.
    if one.default_issuer.is_none() || other.default_issuer.is_none() {
        return 0;
    }
    let sides = [one, other].map(|policy| Snapshot::compile(policy).expect("generated policies keep to the model"));
    let sides = [&sides[0], &sides[1]];
    let comparison = compare(sides[0], sides[1], NOW, BOUNDS);
    for difference in &comparison.differences {
        let found = sides.map(|side| difference.example.decide(side));
        let answers = [0, 1].map(|at| answer(&found[at].decision, sides[at].policy()));
        assert!(
            answers[0] != answers[1] || found[0].privileged != found[1].privileged,
            "reported, but not so: {difference:#?}"
        );
    }
    if !comparison.is_complete() {
        return 0;
    }
    let mut otherwise = 0;
    let mut choices = Choices::new(asked);
    for n in 0..24 {
        let scenario = Scenario::draw(sides[n % 2].policy(), &mut choices);
        let request = scenario.request();
        let since = request.time.unix_seconds().saturating_sub(NOW.unix_seconds());
        if !(0..HORIZON_SECONDS).contains(&since) {
            continue;
        }
        let answers = sides.map(|side| decide(side, &request));
        if answers[0] == answers[1] {
            continue;
        }
        otherwise += 1;
        assert!(
            is_reported(&comparison, sides, &answers, &request),
            "not reported: {answers:?}\n{scenario:?}\n{:#?}\n{}\n{}",
            comparison.differences.iter().map(short).collect::<Vec<_>>(),
            listed(sides[0].policy()),
            listed(sides[1].policy())
        );
    }
    otherwise
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, max_shrink_iters: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_decided_otherwise_is_reported(
        bytes in prop::collection::vec(any::<u8>(), 0..220),
        changed in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        asked in prop::collection::vec(any::<u8>(), 0..1200),
    ) {
        let mut other = bytes.clone();
        for (at, byte) in changed {
            if !other.is_empty() {
                let at = at.index(other.len());
                other[at] = byte;
            }
        }
        check(&bytes, &other, &asked);
    }
}

#[test]
fn enough_of_what_is_generated_can_be_compared_whole() {
    let mut otherwise = 0;
    for seed in 0..800_u64 {
        let bytes = |salt: u64, many: usize| -> Vec<u8> {
            let mut state = (seed * 31 + salt).wrapping_mul(0x9e37_79b9_7f4a_7c15);
            (0..many)
                .map(|_| {
                    state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                    state.to_be_bytes()[0]
                })
                .collect()
        };
        let one = bytes(1, 90);
        let mut other = one.clone();
        let at = usize::from(bytes(2, 1)[0]) % other.len();
        other[at] = bytes(3, 1)[0];
        otherwise += check(&one, &other, &bytes(4, 1200));
    }
    assert!(otherwise > 30, "only {otherwise} requests came out otherwise in complete comparisons");
}

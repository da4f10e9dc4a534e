//! Policies and requests made from random bytes: whoever is let in is found by `who_can`, and what somebody may do by `what_can`.

use luigi_core::analysis::{Asker, Bounds, Known, what_can, who_can};
use luigi_core::decide::{Request, Scratch};
use luigi_core::generators::{Choices, Scenario, policy};
use luigi_core::identity::Credential;
use luigi_core::kleene::Kleene;
use luigi_core::snapshot::Snapshot;
use luigi_core::stop_set::StopSet;
use luigi_core::target::{Host, Target};
use luigi_core::time::Timestamp;

/// From here on times are followed; most of the moments that are generated lie behind it.
const NOW: Timestamp = Timestamp::from_unix_seconds(1_772_330_400);
const HORIZON_SECONDS: i64 = 399 * 86_400;
const BOUNDS: Bounds = Bounds { requests_per_situation: 4_000, requests: 4_000 };

/// What came of some random requests.
#[derive(Default)]
struct Tally {
    /// Requests that are allowed, of which everything was looked at.
    found: usize,
    /// Of these those that somebody made who has a credential.
    found_by_person: usize,
}

fn check(bytes: &[u8], asked: &[u8], tally: &mut Tally) {
    let policy = policy(&mut Choices::new(bytes));
    if policy.default_issuer.is_none() {
        return;
    }
    let snapshot = Snapshot::compile(policy).expect("generated policies keep to the model");
    let mut scratch = Scratch::for_snapshot(&snapshot);
    let mut choices = Choices::new(asked);
    for _ in 0..12 {
        let scenario = Scenario::draw(snapshot.policy(), &mut choices);
        let request = Request { upgrade: Kleene::False, stops: StopSet::NONE, ..scenario.request() };
        let Target::Canonical(target) = request.target else { continue };
        let knows = |url: &str| snapshot.policy().issuers.iter().any(|(_, issuer)| issuer.trust.url == url);
        // Nobody verifies tokens of an issuer that the policy does not know.
        if matches!(request.credential, Credential::Verified(identity) if !knows(identity.issuer())) {
            continue;
        }
        let since = request.time.unix_seconds().saturating_sub(NOW.unix_seconds());
        if !(0..HORIZON_SECONDS).contains(&since) || !snapshot.decide(&request, &mut scratch).decision.allows() {
            continue;
        }
        let host = match target.host {
            Host::Absent => None,
            Host::Name(text) | Host::Address(text) => Some(text),
        };
        let method = std::str::from_utf8(request.method).expect("the alphabet holds text");
        let known = Known { frontend: None, source: None, time: None, now: NOW };
        let who = who_can(&snapshot, method, host, target.path, known, BOUNDS);
        for way in &who.allowed {
            let decision = way.example.decide(&snapshot).decision;
            assert!(decision.allows(), "said to be allowed, but not so: {way:#?}");
        }
        if !who.gaps.is_empty() {
            continue;
        }
        assert!(
            !who.allowed.is_empty(),
            "nobody is found: {scenario:?}\n{:?}\n{:?}\n{:?}",
            snapshot.policy().rules,
            snapshot.policy().scopes,
            snapshot.policy().hosts
        );
        tally.found += 1;
        let Credential::Verified(identity) = request.credential else { continue };
        let known = Known { frontend: None, source: Some(request.source), time: Some(request.time), now: NOW };
        let what = what_can(&snapshot, Asker::LoginAsGiven(identity), known, BOUNDS);
        if what.gaps.is_empty() {
            assert!(
                !what.allowed.is_empty(),
                "nothing is found: {scenario:?}\n{:?}\n{:?}",
                snapshot.policy().rules,
                snapshot.policy().scopes
            );
            tally.found_by_person += 1;
        }
    }
}

#[test]
fn whoever_is_let_in_is_found() {
    let mut tally = Tally::default();
    for seed in 0..900_u64 {
        let bytes = |salt: u64, many: usize| -> Vec<u8> {
            let mut state = (seed * 31 + salt).wrapping_mul(0x9e37_79b9_7f4a_7c15);
            (0..many)
                .map(|_| {
                    state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                    state.to_be_bytes()[0]
                })
                .collect()
        };
        check(&bytes(1, 140), &bytes(4, 900), &mut tally);
    }
    assert!(tally.found > 300, "only {} allowed requests were looked at whole", tally.found);
    assert!(tally.found_by_person > 200, "only {} of people", tally.found_by_person);
}

//! Compiled policies: arbitrary and spoilt ones are refused or loaded, in slices, and what was loaded decides as the slow evaluator does.
//!
//! The first byte of an input chooses: the rest is a compiled policy as it is, or 64 bytes make a policy that the rest spoils. The second
//! byte is the size of a slice.

use super::input::Input;
use luigi_core::decide::{Request, RequestFacts, Scratch, Source};
use luigi_core::explain;
use luigi_core::generators::{Choices, policy};
use luigi_core::grant_set::GrantSet;
use luigi_core::identity::{Completeness, Credential, Email, Groups, Identity, Login};
use luigi_core::policy::model::PathRegex;
use luigi_core::snapshot::{LoadError, Loader, Progress, Snapshot};
use luigi_core::target::{CanonicalTarget, Host, Target};
use luigi_core::time::Timestamp;

/// Loads a compiled policy in slices.
pub(crate) fn load(bytes: Vec<u8>, slice: usize) -> Result<Snapshot, LoadError> {
    let mut loader = Loader::new(bytes);
    loop {
        if let Progress::Done(snapshot) = loader.step(slice)? {
            return Ok(*snapshot);
        }
    }
}

pub(crate) fn run(bytes: &[u8]) {
    let mut input = Input(bytes);
    let (spoilt, slice) = (input.byte() % 4 != 0, usize::from(input.byte() % 16));
    let encoded = if spoilt {
        let (seed, rest) = input.0.split_at(input.0.len().min(64));
        let snapshot =
            Snapshot::compile(policy(&mut Choices::new(seed))).expect("generated policies keep to the model");
        let mut encoded = snapshot.encode();
        Input(rest).spoil(&mut encoded);
        encoded
    } else {
        input.0.to_vec()
    };
    let whole = load(encoded.clone(), usize::MAX);
    let loaded = load(encoded, slice);
    let snapshot = match (loaded, whole) {
        (Ok(loaded), Ok(whole)) => {
            assert_eq!(loaded.revision(), whole.revision());
            loaded
        }
        (Err(error), Err(whole)) => return assert_eq!(error, whole),
        (loaded, whole) => panic!("in slices {loaded:?}, whole {whole:?}"),
    };
    let again = load(snapshot.encode(), 1).expect("what was written can be read");
    assert_eq!(again.policy(), snapshot.policy());
    decide(&snapshot);
    let mut retired = snapshot.retire();
    while !retired.step(slice.max(1)) {}
}

/// Requests that have something in common with the generated policies.
fn decide(snapshot: &Snapshot) {
    let person = identity();
    let grants = GrantSet::new(Vec::new());
    let mut scratch = Scratch::for_snapshot(snapshot);
    let mut expressions = snapshot.policy().scopes.iter().filter_map(|(_, scope)| scope.path_regex.as_ref());
    let genuine = expressions.all(PathRegex::is_genuine);
    for time in [1_772_442_000, 0, i64::MAX, i64::MIN] {
        let time = Timestamp::from_unix_seconds(time);
        for host in [Host::Absent, Host::Name("a.test"), Host::Name("y.x.a.test"), Host::Address("10.0.0.1")] {
            for (method, path) in [("GET", "/"), ("POST", "/a/b"), ("PURGE", "/c/"), ("OPTIONS", "*")] {
                for credential in [Credential::Absent, Credential::Verified(&person), Credential::Expired] {
                    let request = Request {
                        method: method.as_bytes(),
                        target: Target::Canonical(CanonicalTarget { host, path, query: None }),
                        upgrade: luigi_core::kleene::Kleene::False,
                        source: Source::from_address([10, 1, 2, 3].into()),
                        credential,
                        time,
                        grants: &grants,
                        stops: luigi_core::stop_set::StopSet::NONE,
                        facts: RequestFacts::NONE,
                    };
                    // A spoilt automaton that can still be run is the one of other expressions: nothing then says what is right.
                    if !genuine {
                        let _ = snapshot.decide(&request, &mut scratch);
                        continue;
                    }
                    let expected = explain::evaluate(snapshot.policy(), &request).evaluation;
                    assert_eq!(
                        snapshot.decide(&request, &mut scratch),
                        expected,
                        "{request:?} {:#?}",
                        snapshot.policy()
                    );
                }
            }
        }
    }
}

fn identity() -> Identity {
    let end = Timestamp::from_unix_seconds(i64::MAX);
    let login = Login {
        auth_time: Some(Timestamp::from_unix_seconds(1_772_441_990)),
        acr: Some("high".into()),
        amr: Some(vec!["mfa".into()]),
    };
    Identity::assert("fuzzing", "https://one.test", "alice", end)
        .groups(Groups::new(vec!["g-engineering".into(), "g-billing".into()], Completeness::Complete))
        .email(Email { address: "alice@a.test".into(), verified: Some(true) })
        .kind("user")
        .login(login)
        .finish()
}

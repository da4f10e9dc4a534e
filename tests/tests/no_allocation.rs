//! Evaluations allocate nothing: not for any kind of request, once a version has been used and a genuine token has been seen.
//!
//! A token that was never genuine is the exception: it is read anew each time, though its signature is not verified again.

use luigi_core::decide::Scratch;
use luigi_core::generators::{Choices, Scenario, policy};
use luigi_core::identity::Credential;
use luigi_core::snapshot::Snapshot;
use luigi_runtime::{Facts, Timestamp};
use luigi_tests::feed::{Feed, numbered_policy};
use luigi_tests::tokens::Signer;
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

/// The system's allocator, counting what this thread asks for.
struct Counting;

// SAFETY: everything is handed on to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.with(|count| count.set(count.get() + 1));
        // SAFETY: the caller's promises are passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller's promises are passed on.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, bytes: usize) -> *mut u8 {
        ALLOCATIONS.with(|count| count.set(count.get() + 1));
        // SAFETY: the caller's promises are passed on.
        unsafe { System.realloc(pointer, layout, bytes) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

#[test]
fn evaluations_allocate_nothing() {
    let feed = Feed::new();
    let signer = Signer::es256("one");
    feed.apply_with_keys(&numbered_policy(1), &[&signer]).unwrap();
    let engine = feed.engine().unwrap();
    let mut context = engine.context();
    let now = Timestamp::from_unix_seconds(1_772_442_000);
    let token = |groups: &[&str], expires_in: i64| {
        let claims = serde_json::json!({
            "iss": "https://id.example.com", "aud": "app", "sub": "ada", "groups": groups,
            "iat": now.unix_seconds() - 7200, "exp": now.unix_seconds() + expires_in,
        });
        format!("Bearer {}", signer.token(&claims)).into_bytes()
    };
    let (staff, stranger, expired) = (token(&["staff"], 600), token(&["guests"], 600), token(&["staff"], -600));
    let mut forged = staff.clone();
    let last = forged.len() - 10;
    forged[last] = if forged[last] == b'A' { b'B' } else { b'A' };
    let long = [b"/".as_slice(), &[b'x'; 15_000]].concat();
    let hosts: [Option<&[u8]>; 5] =
        [None, Some(b"app.example.com"), Some(b"APP.example.com.:443"), Some(b"[::1]:80"), Some(b"a b")];
    let targets: [&[u8]; 9] =
        [b"/open", b"/staff/a/b", b"//staff/../open", b"/staff/%2e%2E/x", b"/%2fstaff", b"/x;y", b"", b"*", &long];
    let authorizations: [Option<&[u8]>; 7] = [
        None,
        Some(&staff),
        Some(&stranger),
        Some(&expired),
        Some(&forged),
        Some(b"Basic Zm9vOmJhcg=="),
        Some(b"Bearer nonsense"),
    ];
    let mut corpus = Vec::new();
    for host in hosts {
        for target in targets {
            for authorization in authorizations {
                for (host_count, authorization_count) in [(1, 1), (2, 1), (1, 2)] {
                    let (host_count, authorization_count) = (
                        u32::from(host.is_some()) * host_count,
                        u32::from(authorization.is_some()) * authorization_count,
                    );
                    for (method, source) in
                        [(&b"GET"[..], &b"203.0.113.9"[..]), (b"PURGE", b"2001:db8::1"), (b"", b"unix")]
                    {
                        corpus.push(Facts {
                            method,
                            target,
                            host,
                            host_count,
                            source: Some(source),
                            authorization,
                            authorization_count,
                        });
                    }
                }
            }
        }
    }
    // Seen while it was valid; it is remembered for what it was.
    let seen = Facts {
        target: b"/staff",
        host: Some(b"app.example.com"),
        host_count: 1,
        authorization: Some(&expired),
        authorization_count: 1,
        ..Facts::default()
    };
    assert!(context.evaluate(&seen, now.plus_seconds(-1200)).identity().is_some());
    let mut reasons = std::collections::BTreeMap::new();
    for facts in &corpus {
        *reasons.entry(context.evaluate(facts, now).decision().reason.as_str()).or_insert(0) += 1;
    }
    for reason in [
        "allowed-by-rule",
        "allow-rule-unknown",
        "no-rule-allows",
        "malformed-facts",
        "ambiguous-target",
        "ambiguous-credential",
    ] {
        assert!(reasons.contains_key(reason), "the corpus lacks {reason}: {reasons:?}");
    }
    assert!(!reasons.contains_key("internal-error"), "{reasons:?}");

    for facts in &corpus {
        let before = ALLOCATIONS.with(Cell::get);
        let answer = context.evaluate(facts, now);
        let allocated = ALLOCATIONS.with(Cell::get) - before;
        if matches!(answer.credential(), Credential::Invalid(_)) {
            continue;
        }
        assert_eq!(allocated, 0, "{facts:?}: {:?}", answer.evaluation());
    }
    let before = ALLOCATIONS.with(Cell::get);
    context.evaluate_malformed(luigi_runtime::facts::Malformed::CutOff, luigi_runtime::now());
    assert_eq!(ALLOCATIONS.with(Cell::get) - before, 0);
    assert_ne!(before, 0, "the counter counts");
}

/// The core on its own, over policies and requests with everything that the language has.
#[test]
fn decisions_allocate_nothing_whatever_the_policy() {
    let mut decided = 0u32;
    for seed in 0u64..1500 {
        let bytes: Vec<u8> = (0..1200u64)
            .map(|n| {
                (seed.wrapping_mul(0x9e37_79b9).wrapping_add(n).wrapping_mul(0xff51_afd7_ed55_8ccd) >> 33).to_le_bytes()
                    [0]
            })
            .collect();
        let mut choices = Choices::new(&bytes);
        let policy = policy(&mut choices);
        let snapshot = Snapshot::compile(policy.clone()).unwrap();
        let mut scratch = Scratch::for_snapshot(&snapshot);
        for _ in 0..8 {
            let scenario = Scenario::draw(&policy, &mut choices);
            let request = scenario.request();
            let before = ALLOCATIONS.with(Cell::get);
            let evaluation = snapshot.decide(&request, &mut scratch);
            assert_eq!(ALLOCATIONS.with(Cell::get) - before, 0, "{evaluation:?}");
            decided += 1;
        }
    }
    assert_eq!(decided, 12_000);
}

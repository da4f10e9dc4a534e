//! Evaluations allocate nothing: not for any kind of request, once a version has been used and a genuine token has been seen.
//!
//! A token that was never genuine is the exception: it is read anew each time, though its signature is not verified again.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use luigi_core::decide::Scratch;
use luigi_core::generators::{Choices, Scenario, policy};
use luigi_core::identity::Credential;
use luigi_core::snapshot::Snapshot;
use luigi_runtime::facts::FactList;
use luigi_runtime::spool::SpoolConfig;
use luigi_runtime::{Engine, EngineConfig, Facts, Mode, PolicyFileConfig, Timestamp};
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
                            upgrade_count: Some(0),
                            ..Facts::default()
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

/// Recording allocates nothing either: not for the first record of a segment, for one in the middle, or for one that cannot be taken.
#[test]
fn records_allocate_nothing() {
    let folder = tempfile::TempDir::new().unwrap();
    let path = folder.path().join("policy.toml");
    let policy = r#"
schema = 1
[audit]
sample = 2
query-parameters = ["page"]
[scopes.open]
hosts = "any"
paths = ["/open/**"]
methods = "any"
[scopes.console]
hosts = "any"
paths = ["/console/**"]
methods = "any"
privileged = true
[[rules]]
id = "all"
effect = "allow"
scopes = ["open", "console"]
subject = "anyone"
"#;
    std::fs::write(&path, policy).unwrap();
    let EngineConfig::PolicyFile(config) = EngineConfig::policy_file(path) else { panic!("a policy file") };
    let spool = SpoolConfig { limit_bytes: 1 << 20, ..SpoolConfig::new(folder.path()) };
    let config = PolicyFileConfig { mode: Mode::Enforce, spool: Some(spool), ..config };
    let engine = Engine::open(&EngineConfig::PolicyFile(config)).unwrap();
    let mut context = engine.context();
    let long = format!("/console/{}?page=1&token=x", "x".repeat(9000));
    let mut reasons = std::collections::BTreeMap::new();
    for n in 0..600 {
        let target = ["/open/a", "/closed", "/a%2f..", &long, "/console/b?page=%32"][n % 5];
        let facts = Facts {
            method: b"GET",
            target: target.as_bytes(),
            host: Some(b"app.example.com"),
            host_count: 1,
            source: Some(b"203.0.113.9"),
            ..Facts::default()
        };
        let now = luigi_runtime::now();
        let before = ALLOCATIONS.with(Cell::get);
        let reason = {
            let answer = context.evaluate(&facts, now);
            let (id, reason) = (answer.id(), answer.decision().reason);
            context.record_response(id, 200, b"app");
            reason
        };
        assert_eq!(ALLOCATIONS.with(Cell::get), before, "{n}: {target:.40}");
        *reasons.entry(reason.as_str()).or_insert(0) += 1;
    }
    let before = ALLOCATIONS.with(Cell::get);
    context.refresh();
    assert_eq!(ALLOCATIONS.with(Cell::get), before, "losses are told");
    for reason in ["allowed-by-rule", "no-rule-allows", "audit-unavailable"] {
        assert!(reasons.contains_key(reason), "{reasons:?}");
    }
    let audit = engine.status().audit.unwrap();
    assert!(audit.segments > 1 && audit.lost.total() > 100, "{audit:?}");
}

/// A policy that asks for headers, facts and every part of a certificate, and lines that carry them.
#[test]
fn further_facts_allocate_nothing() {
    let folder = tempfile::TempDir::new().unwrap();
    let path = folder.path().join("policy.toml");
    let policy = r#"
schema = 1
[facts.country]
values = ["DE"]
[scopes.all]
hosts = "any"
paths = ["/**"]
methods = "any"
[[rules]]
id = "all"
effect = "allow"
scopes = ["all"]
subject = "anyone"
headers = { x-team = ["blue"] }
query = { v = ["1"] }
facts = { country = ["DE"] }
[[rules]]
id = "certificate"
effect = "restrict"
scopes = ["all"]
require = { certificate = { san-uri = ["a:*"], subject-dn = ["CN=web"], fingerprint-sha256 = ["FINGERPRINT"] } }
"#;
    std::fs::write(&path, policy.replace("FINGERPRINT", &"0a".repeat(32))).unwrap();
    let engine = Engine::open(&EngineConfig::policy_file(path)).unwrap();
    let header = FactList::of_policy(engine.version().policy()).header();
    // A certificate that has nothing but one URI, `a:b-c`.
    let der =
        STANDARD.encode(b"\x30\x18\x30\x16\xa3\x14\x30\x12\x30\x10\x06\x03\x55\x1d\x11\x04\x09\x30\x07\x86\x05a:b-c");
    let fingerprint = "0A".repeat(32);
    let mut context = engine.context();
    let now = Timestamp::from_unix_seconds(1_772_442_000);
    let mut reasons = std::collections::BTreeSet::new();
    for (team, before, country, verify, target) in [
        ("blue", "", "DE", "0", "/?v=1"),
        ("blue", "blue", "DE", "0", "/?v=%31"),
        ("blue", "green", "DE", "0", "/?v=1"),
        ("blue", "", "XX", "0", "/?v=1;v=2"),
        ("blue", "", "DE", "18", "/?v=1"),
    ] {
        let count = if before.is_empty() { 1 } else { 2 };
        let before_length = if before.is_empty() { String::new() } else { before.len().to_string() };
        let line = format!(
            "{header}\nGET\n203.0.113.9\n1 1 0  {} 0\na\n{target}\n\n1 {verify} 64 {} 6 {} {count} {} {before_length}\n{fingerprint}\n{der}\nCN=web\n{country}\n{team}\n{before}\nend",
            target.len(),
            der.len(),
            country.len(),
            team.len(),
        );
        let mut evaluate = || {
            let facts = luigi_runtime::facts::parse(line.as_bytes()).unwrap();
            context.evaluate(&facts, now).decision().reason
        };
        reasons.insert(evaluate().as_str());
        let allocated = ALLOCATIONS.with(Cell::get);
        evaluate();
        assert_eq!(ALLOCATIONS.with(Cell::get), allocated, "{line}");
    }
    let expected = ["allow-rule-unknown", "allowed-by-rule", "fact-required"];
    assert!(reasons.iter().eq(expected.iter()), "{reasons:?}");
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

//! What a record costs the thread that decides, in processor time as the scheduler books it: a privileged request of a known caller, decided with and
//! without a spool; and how fast a spool is read back.
//!
//! The rounds of the setups alternate, so that other load on the machine moves all of them.

use luigi_core::identity::{Completeness, Email, Groups, Identity};
use luigi_core::policy::model::Mode;
use luigi_runtime::spool::{Next, SpoolConfig, SpoolReader};
use luigi_runtime::{Caller, Carried, Context, Engine, Facts, PolicyFileConfig};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::Instant;
use tempfile::TempDir;

const POLICY: &str = r#"
schema = 1
[issuers.corp]
url = "https://login.example.com"
audiences = ["bench"]
[groups]
staff = "staff"
[scopes.console]
hosts = ["admin.example.com"]
paths = ["/billing/**"]
methods = "any"
privileged = true
[[rules]]
id = "staff-use-the-console"
effect = "allow"
scopes = ["console"]
subject = { groups = ["staff"] }
"#;

const ROUNDS: usize = 15;
const REQUESTS: usize = 20_000;

/// Where records go, if anywhere.
struct Setup {
    name: &'static str,
    context: Context,
    spool: Option<TempDir>,
    /// Nanoseconds a request, of each round.
    cost: Vec<f64>,
}

fn setup(name: &'static str, policy: &Path, under: Option<PathBuf>) -> Setup {
    let spool = under.map(|under| TempDir::new_in(under).expect("a temporary folder"));
    let config = PolicyFileConfig {
        path: policy.to_owned(),
        environment: None,
        jwks: Vec::new(),
        mode: Mode::Enforce,
        carried: Carried::Everything,
        spool: spool.as_ref().map(|spool| SpoolConfig { limit_bytes: 4 << 30, ..SpoolConfig::new(spool.path()) }),
    };
    let engine = Engine::open_policy_file(&config).expect("the policy is sound");
    Setup { name, context: engine.context(), spool, cost: Vec::new() }
}

/// Nanoseconds that this thread has been on a processor.
fn on_processor() -> f64 {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").expect("the scheduler's statistics");
    stat.split(' ').next().and_then(|first| first.parse().ok()).expect("a number")
}

fn caller() -> Identity {
    let expires_at = luigi_runtime::now().plus_seconds(3600);
    let groups = (0..40).map(|n| format!("group-{n}").into()).chain(["staff".into()]).collect();
    Identity::assert("bench", "https://login.example.com", "person-7@corp.example.com", expires_at)
        .groups(Groups::new(groups, Completeness::Complete))
        .email(Email { address: "person-7@example.com".into(), verified: Some(true) })
        .finish()
}

fn main() {
    // Cargo passes `--bench`; `--test` asks for a short run.
    let short = std::env::args().any(|argument| argument == "--test");
    let (rounds, requests) = if short { (1, 200) } else { (ROUNDS, REQUESTS) };
    let folder = TempDir::new().expect("a temporary folder");
    let policy = folder.path().join("policy.toml");
    std::fs::write(&policy, POLICY).expect("a file in a temporary folder");
    let mut setups = [
        setup("decided, not recorded", &policy, None),
        setup("recorded on tmpfs", &policy, Some("/dev/shm".into())),
        setup("recorded on a disk's file system", &policy, Some("/var/tmp".into())),
    ];
    let caller = caller();
    let facts = Facts {
        method: b"POST",
        target: b"/billing/accounts/4711/refunds?page=2",
        host: Some(b"admin.example.com"),
        host_count: 1,
        upgrade_count: Some(0),
        source: Some(b"203.0.113.9"),
        ..Facts::default()
    };
    for _ in 0..rounds {
        for setup in &mut setups {
            let before = on_processor();
            for _ in 0..requests {
                let now = luigi_runtime::now();
                let answer = setup.context.evaluate_for(Caller::Asserted(&caller), &facts, now);
                assert!(answer.decision().allows(), "{:?}", answer.decision());
            }
            #[allow(clippy::cast_precision_loss, reason = "a number of requests")]
            setup.cost.push((on_processor() - before) / requests as f64);
        }
    }
    let mut out = String::new();
    let mut floor = None;
    for setup in &mut setups {
        setup.cost.sort_by(f64::total_cmp);
        let (median, least) = (setup.cost[rounds / 2] / 1000.0, setup.cost[0] / 1000.0);
        let added = median - *floor.get_or_insert(median);
        writeln!(out, "{:<36} {median:.2} ({least:.2})   {added:+.2}", setup.name).expect("writing to memory");
    }
    let spool = setups[1].spool.as_ref().expect("it has one");
    let started = Instant::now();
    let reader = SpoolReader::open(spool.path()).expect("the spool can be opened");
    let (mut records, mut bytes) = (0u32, 0);
    for id in reader.list().expect("the spool can be listed").segments {
        let mut segment = reader.segment(id).expect("a segment");
        while let Next::Record { .. } = segment.next().expect("a segment can be read") {
            records += 1;
        }
        bytes += segment.position().offset;
    }
    assert_eq!(records as usize, rounds * requests);
    let seconds = started.elapsed().as_secs_f64();
    println!(
        "CPU of the deciding thread a request, in microseconds; median (minimum) of {rounds} rounds of {requests}"
    );
    print!("{out}");
    println!(
        "{} bytes a record; reading back {:.1} million records a second",
        bytes / u64::from(records),
        f64::from(records) / seconds / 1e6
    );
}

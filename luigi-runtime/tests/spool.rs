//! Recording, from the outside: what the policy says about it, and what becomes of requests without a record.

use luigi_core::decide::{FactValue, HeaderLines};
use luigi_core::identity::ClientCertificate;
use luigi_core::policy::model::FactKey;
use luigi_runtime::spool::{Next, Record, SpoolConfig, SpoolReader};
use luigi_runtime::{
    Carried, Context, Engine, EngineConfig, FactSource, Facts, Mode, Outcome, PolicyFileConfig, Timestamp, answer_line,
    facts, reply,
};
use std::fs;
use std::path::Path;
use tempfile::TempDir;

const POLICY: &str = r#"
schema = 1

[audit]
sample = 3
query-parameters = ["page", "sort by"]

[scopes.open]
hosts = "any"
paths = ["/open/**"]
methods = "read"

[scopes.console]
hosts = "any"
paths = ["/console/**", "/both"]
methods = "read"
privileged = true

[scopes.logs]
hosts = "any"
paths = ["/logs/**", "/both"]
methods = "read"
privileged = true
audit = "best-effort"

[[rules]]
id = "all"
effect = "allow"
scopes = ["open", "console", "logs"]
subject = "anyone"
"#;

const NOW: Timestamp = Timestamp::from_unix_seconds(1_772_442_000);

fn open(folder: &Path, mode: Mode) -> Engine {
    let path = folder.join("policy.toml");
    fs::write(&path, POLICY).unwrap();
    let spool = folder.join("spool");
    fs::create_dir_all(&spool).unwrap();
    Engine::open(&EngineConfig::PolicyFile(PolicyFileConfig {
        path,
        environment: None,
        jwks: Vec::new(),
        mode,
        carried: Carried::Everything,
        spool: Some(SpoolConfig::new(spool)),
    }))
    .unwrap()
}

fn get<'a>(target: &'a str) -> Facts<'a> {
    Facts {
        method: b"GET",
        target: target.as_bytes(),
        host: Some(b"app.example.com"),
        host_count: 1,
        upgrade_count: Some(0),
        source: Some(b"203.0.113.9"),
        ..Facts::default()
    }
}

/// Path, query and user agent of each recorded decision.
fn recorded(folder: &Path) -> Vec<(String, String, String)> {
    let reader = SpoolReader::open(&folder.join("spool")).unwrap();
    let mut records = Vec::new();
    for id in reader.list().unwrap().segments {
        let mut segment = reader.segment(id).unwrap();
        loop {
            match segment.next().unwrap() {
                Next::Record { record: Record::Decision(decision), .. } => {
                    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
                    records.push((decision.path.to_owned(), text(decision.query), text(decision.user_agent)));
                    assert_eq!((decision.decided_at, decision.cut), (NOW.unix_seconds(), false));
                }
                Next::Record { .. } => {}
                Next::Waiting | Next::Drained { .. } => break,
                Next::Damaged { .. } => panic!("a damaged spool"),
            }
        }
    }
    records
}

fn reason(context: &mut Context, target: &str) -> (&'static str, Outcome) {
    let facts = get(target);
    let answer = context.evaluate(&facts, NOW);
    (answer.decision().reason.as_str(), answer.outcome())
}

#[test]
fn allows_are_sampled_and_queries_kept_as_the_policy_says() {
    let folder = TempDir::new().unwrap();
    let engine = open(folder.path(), Mode::Enforce);
    let mut context = engine.context();
    for n in 1..=7 {
        assert_eq!(reason(&mut context, &format!("/open/{n}")).1, Outcome::Pass);
    }
    let query = "/console/a?page=1&token=secret&p%61ge=%32&sort+by=name&page=3;token=secret&sort%20by=&pages=4";
    assert_eq!(reason(&mut context, query).1, Outcome::Pass);
    let record = |path: &str, query: &str| (path.to_owned(), query.to_owned(), String::new());
    let expected = [
        record("/open/3", ""),
        record("/open/6", ""),
        record("/console/a", "page=1&p%61ge=%32&sort+by=name&sort%20by="),
    ];
    assert_eq!(recorded(folder.path()), expected);
    drop(context);
    assert_eq!(engine.status().audit.unwrap().records, 4, "with the count of those that were not sampled");
}

#[test]
fn a_privileged_request_without_a_record_is_denied_unless_every_scope_lets_it_pass() {
    for mode in [Mode::Enforce, Mode::Observe] {
        let folder = TempDir::new().unwrap();
        let engine = open(folder.path(), mode);
        let mut context = engine.context();
        let outcome = |enforced: Outcome| if mode == Mode::Enforce { enforced } else { Outcome::Pass };
        assert_eq!(reason(&mut context, "/both"), ("allowed-by-rule", Outcome::Pass));
        drop(context);
        fs::remove_dir_all(folder.path().join("spool")).unwrap();
        let mut context = engine.context();
        for (target, expected, passes) in [
            ("/console/a", "audit-unavailable", outcome(Outcome::Refuse)),
            ("/console/a", "audit-unavailable", outcome(Outcome::Refuse)),
            ("/both", "audit-unavailable", outcome(Outcome::Refuse)),
            ("/logs/a", "allowed-by-rule", Outcome::Pass),
            ("/open/a", "allowed-by-rule", Outcome::Pass),
            ("/closed", "no-rule-allows", outcome(Outcome::Refuse)),
        ] {
            assert_eq!(reason(&mut context, target), (expected, passes), "{mode:?} {target}");
        }
        let status = engine.status();
        let (audit, counters) = (status.audit.unwrap(), status.counters);
        assert_eq!((audit.records, audit.lost.total(), audit.lost.privileged), (1, 5, 4));
        assert_eq!(audit.problem.as_deref(), Some("No such file or directory (os error 2)"));
        assert_eq!((counters.decisions["audit-unavailable"], counters.candidates["audit-unavailable"]), (3, 3));
        assert_eq!(counters.failures, 0);
        let event = engine.poll_until_idle().expect("losses are told").to_string();
        assert!(event.starts_with("5 records of decisions could not be taken"), "{event}");
        assert_eq!(engine.poll_until_idle(), None, "once");
    }
}

#[test]
fn whoever_is_refused_for_want_of_a_record_is_told_to_try_again() {
    let folder = TempDir::new().unwrap();
    let engine = open(folder.path(), Mode::Enforce);
    fs::remove_dir_all(folder.path().join("spool")).unwrap();
    let mut context = engine.context();
    let facts = get("/console/a");
    let mut line = String::with_capacity(answer_line::MAX_BYTES);
    let answer = context.evaluate(&facts, NOW);
    let id = answer.id();
    answer_line::write_into(&answer, &mut line);
    assert!(
        line.starts_with("luigi1|refuse|absent|enforce|deny|audit-unavailable||deny|audit-unavailable||||yes|503|"),
        "{line}"
    );
    assert!(
        answer_line::is_unrecorded(line.as_bytes())
            && !answer_line::is_unrecorded(b"luigi1|pass|absent|enforce|allow|allowed-by-rule|")
    );
    let answer = context.review_unrecorded(id, Ok(&facts), NOW);
    let reply = reply::render(&answer, Some(&facts), None, NOW);
    assert_eq!(reply.status, 503);
    assert!(
        reply.body.contains("no record can be taken at the moment") && reply.body.contains(&id.to_string()),
        "{}",
        reply.body
    );
    assert_eq!(engine.status().counters.decisions["audit-unavailable"], 1, "looking again counts nothing");
}

/// A service that holds its requests itself.
#[derive(Debug)]
struct Held;

impl FactSource for Held {
    fn value(&self, _: FactKey<'_>) -> FactValue<'_> {
        FactValue::NotPassed
    }

    fn header_lines(&self, name: &str) -> Option<HeaderLines<'_>> {
        (name == "user-agent").then_some(HeaderLines { count: 2, last: b"last/1", before: b"first/1" })
    }

    fn certificate(&self) -> ClientCertificate<'_> {
        ClientCertificate::default()
    }
}

#[test]
fn the_user_agent_comes_from_the_line_or_from_whoever_holds_the_request() {
    let folder = TempDir::new().unwrap();
    let engine = open(folder.path(), Mode::Enforce);
    let mut context = engine.context();
    context.evaluate(&Facts { source_of_more: Some(&Held), ..get("/console/held") }, NOW);
    let list = facts::FactList::default().with_user_agent();
    let line = format!("{}\nGET\n203.0.113.9\n1 1 0  13 0\na\n/console/line\n\n1 6 \ncurl/8\n\nend", list.header());
    context.evaluate(&facts::parse(line.as_bytes()).unwrap(), NOW);
    let agents: Vec<_> = recorded(folder.path()).into_iter().map(|(path, _, agent)| (path, agent)).collect();
    let expected = [("/console/held", "last/1"), ("/console/line", "curl/8")];
    assert_eq!(agents, expected.map(|(path, agent)| (path.to_owned(), agent.to_owned())));
}

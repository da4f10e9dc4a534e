use super::*;
use crate::apply::{ApplyRequest, apply};
use crate::ledger::{DaemonStarted, Filter, Ledger, Reader, Verifier};
use luigi_core::policy::diagnostics::Style;
use luigi_runtime::{Engine, EngineConfig};
use std::path::Path;

const POLICY: &str = r#"schema = 1
[issuers.corp]
url = "https://id.example.com"
audiences = ["app"]
default = true
[issuers.mesh]
type = "spiffe"
trust-domain = "example.org"
audiences = ["app"]
[scopes.orders]
hosts = "any"
operations = ["GET /orders"]
[[rules]]
id = "orders"
effect = "allow"
scopes = ["orders"]
subject = "anyone"
"#;

const NOW: Timestamp = Timestamp::from_unix_seconds(4_000_000_000);

fn at(directory: &Path) -> StopsFeed {
    StopsFeed { feed: directory.join("feed"), key: directory.join("state/key"), ledger: None }
}

fn apply_policy(directory: &Path, policy: &str) -> Vec<String> {
    let path = directory.join("policy.toml");
    std::fs::write(&path, policy).unwrap();
    let StopsFeed { feed, key, ledger: _ } = at(directory);
    let request = ApplyRequest {
        policy: path,
        feed,
        environment: None,
        on_other_environment: crate::apply::OnOtherEnvironment::Refuse,
        jwks: Vec::new(),
        mode: None,
        key,
        style: Style::PLAIN,
    };
    apply(&request).unwrap().warnings
}

fn request(what: StopWhat) -> StopRequest {
    StopRequest { what, until: NOW.plus_seconds(60), reason: "INC-1".to_owned(), by: "ada".to_owned() }
}

fn lift(id: &str) -> UnstopRequest {
    UnstopRequest { id: id.to_owned(), reason: "INC-1 is over".to_owned(), by: "bert".to_owned() }
}

fn scope(name: &str) -> StopRequest {
    request(StopWhat::Scope(name.to_owned()))
}

fn engine(directory: &Path) -> Engine {
    Engine::open(&EngineConfig::feed(directory.join("feed"), directory.join("state/key.pub"))).unwrap()
}

#[test]
fn stops_are_made_kept_by_apply_and_lifted() {
    let directory = tempfile::TempDir::new().unwrap();
    let here = directory.path();
    apply_policy(here, POLICY);
    let engine = engine(here);
    assert!(engine.version().stops().is_empty());

    let made = stop_at(&at(here), None, &scope("orders"), NOW).unwrap();
    assert_eq!((made.generation, made.in_force), (2, 1));
    let subject = StopWhat::Subject { issuer: Some("mesh".to_owned()), subject: "spiffe://example.org/web".to_owned() };
    let second = stop_at(&at(here), None, &request(subject), NOW.plus_seconds(1)).unwrap();
    assert_eq!(
        second.stop.what,
        Stopped::Subject { issuer: "spiffe://example.org".to_owned(), subject: "spiffe://example.org/web".to_owned() }
    );
    let again = stop_at(&at(here), None, &scope("orders"), NOW).unwrap();
    assert_ne!(again.stop.id, made.stop.id);
    engine.poll_until_idle();
    assert_eq!(engine.version().stops().stops().len(), 3);
    assert_eq!(engine.version().stops().in_force(NOW.plus_seconds(1)), 3);
    assert_eq!(engine.version().stops().in_force(NOW.plus_seconds(60)), 0);

    // Another policy leaves them as they are, and says what it cannot do for them.
    let renamed = POLICY.replace("scopes.orders", "scopes.sales").replace("[\"orders\"]", "[\"sales\"]");
    let warnings = apply_policy(here, &renamed);
    // The clock of `apply` is that of the machine, long before these stops end.
    let about =
        |id: &str| warnings.iter().any(|warning| warning.contains(&format!("stop `{id}` is about scope `orders`")));
    assert!(about(&made.stop.id) && about(&again.stop.id), "{warnings:?}");
    engine.poll_until_idle();
    assert_eq!(engine.version().stops().stops().len(), 3);

    // What is over goes with the next change.
    let lifted = unstop_at(&at(here), None, &lift(&second.stop.id), NOW.plus_seconds(2)).unwrap();
    assert_eq!((lifted.stop, lifted.in_force), (second.stop, 2));
    let last = stop_at(
        &at(here),
        None,
        &StopRequest { until: NOW.plus_seconds(200), ..scope("sales") },
        NOW.plus_seconds(100),
    )
    .unwrap();
    assert_eq!(last.in_force, 1);
    unstop_at(&at(here), None, &lift(&last.stop.id), NOW.plus_seconds(101)).unwrap();
    engine.poll_until_idle();
    assert!(engine.version().stops().is_empty());
    let left =
        std::fs::read_dir(here.join("feed")).unwrap().filter_map(|entry| entry.unwrap().file_name().into_string().ok());
    assert_eq!(left.filter(|name| name.ends_with(".stops")).count(), 1, "only that of the generation before is kept");
}

#[test]
fn what_cannot_be_stopped_changes_nothing() {
    let directory = tempfile::TempDir::new().unwrap();
    let here = directory.path();
    let error = stop_at(&at(here), None, &scope("orders"), NOW).unwrap_err();
    assert!(!error.is_usage() && error.to_string().starts_with("there is no feed"), "{error}");
    assert!(!here.join("feed").exists() && !here.join("state").exists());

    apply_policy(here, POLICY);
    let manifest = || std::fs::read(here.join("feed/manifest")).unwrap();
    let before = manifest();
    let until_now = StopRequest { until: NOW, ..scope("orders") };
    let no_reason = StopRequest { reason: " ".to_owned(), ..scope("orders") };
    let odd_name = StopRequest { by: "a\nb".to_owned(), ..scope("orders") };
    let issuer = request(StopWhat::TokenId { issuer: Some("okta".to_owned()), id: "x".to_owned() });
    for (request, says) in [
        (&scope("order"), "no scope `order`"),
        (&issuer, "no issuer `okta`"),
        (&until_now, "which is over"),
        (&no_reason, "the reason must be"),
        (&odd_name, "the name of who makes"),
    ] {
        let error = stop_at(&at(here), None, request, NOW).unwrap_err();
        assert!(error.is_usage() && error.to_string().contains(says), "{error}");
    }
    let error = unstop_at(&at(here), None, &lift("x"), NOW).unwrap_err();
    assert!(error.is_usage() && error.to_string().contains("no stop `x`"), "{error}");
    std::fs::copy(here.join("state/key.pub"), here.join("kept")).unwrap();
    let other = StopsFeed { key: here.join("other"), ..at(here) };
    assert!(stop_at(&other, None, &scope("orders"), NOW).unwrap_err().to_string().contains("there is no signing key"));
    for request in
        [UnstopRequest { reason: String::new(), ..lift("x") }, UnstopRequest { by: "a\u{7}".to_owned(), ..lift("x") }]
    {
        let error = unstop_at(&at(here), None, &request, NOW).unwrap_err();
        assert!(error.is_usage() && error.to_string().contains("must be one line"), "{error}");
    }
    assert_eq!(manifest(), before);
}

#[test]
fn a_damaged_file_of_stops_is_not_signed_again() {
    let directory = tempfile::TempDir::new().unwrap();
    let here = directory.path();
    apply_policy(here, POLICY);
    stop_at(&at(here), None, &scope("orders"), NOW).unwrap();
    let engine = engine(here);
    let file = std::fs::read_dir(here.join("feed")).unwrap().map(|entry| entry.unwrap().path());
    let file = file.into_iter().find(|path| path.extension().is_some_and(|ext| ext == "stops")).unwrap();
    std::fs::write(&file, b"{\"stops\": []}\n").unwrap();
    let error = unstop_at(&at(here), None, &lift("x"), NOW).unwrap_err();
    assert!(error.to_string().contains("is damaged"), "{error}");
    assert_eq!(engine.version().stops().stops().len(), 1);
    assert!(Engine::open(&EngineConfig::feed(here.join("feed"), here.join("state/key.pub"))).is_err());
}

fn entries(ledger: &Path) -> Vec<Event> {
    let reader = Reader::open(ledger).unwrap();
    assert_eq!(Verifier::default().verify(&reader).unwrap().broken, None);
    reader.last(9, &Filter::default()).unwrap().into_iter().map(|entry| entry.event).collect()
}

#[test]
fn making_and_lifting_are_entries_of_the_ledger() {
    let directory = tempfile::TempDir::new().unwrap();
    let here = directory.path();
    apply_policy(here, POLICY);
    let path = here.join("ledger/ledger.db");
    // A daemon owns the ledger, and goes on to.
    let mut owner = Ledger::open(&path).unwrap();
    let at = StopsFeed { ledger: Some(path.clone()), ..at(here) };
    let made = stop_at(&at, None, &scope("orders"), NOW).unwrap();
    assert_eq!(made.on_record, OnRecord::Entry(2));
    let started = DaemonStarted { node: "edge-1".to_owned(), tool: "luigi".to_owned(), process: 17 };
    owner.append(&[NewEntry::now(Event::DaemonStarted(started))]).unwrap();
    let lifted = unstop_at(&at, None, &lift(&made.stop.id), NOW.plus_seconds(1)).unwrap();
    assert_eq!(lifted.on_record, OnRecord::Entry(4));
    let told = entries(&path);
    assert_eq!(
        told[1],
        Event::Stop(StopMade {
            id: made.stop.id.clone(),
            what: Stopped::Scope("orders".to_owned()),
            until: "2096-10-02T07:07:40Z".to_owned(),
            reason: "INC-1".to_owned(),
            by: "ada".to_owned(),
        })
    );
    assert_eq!(
        told[3],
        Event::Unstop(Unstop { id: made.stop.id, by: "bert".to_owned(), reason: "INC-1 is over".to_owned() })
    );
    // What is refused is no entry.
    assert!(stop_at(&at, None, &scope("order"), NOW).is_err() && unstop_at(&at, None, &lift("x"), NOW).is_err());
    assert_eq!(entries(&path).len(), 4);
}

#[test]
fn without_its_ledger_a_stop_is_made_and_none_is_lifted() {
    let directory = tempfile::TempDir::new().unwrap();
    let here = directory.path();
    apply_policy(here, POLICY);
    let engine = engine(here);
    for (name, content) in [("none.db", None), ("no-ledger.db", Some(b"no ledger".as_slice()))] {
        let path = here.join(name);
        if let Some(content) = content {
            std::fs::write(&path, content).unwrap();
        }
        let at = StopsFeed { ledger: Some(path.clone()), ..at(here) };
        let made = stop_at(&at, None, &scope("orders"), NOW).unwrap();
        let OnRecord::Lost(why) = &made.on_record else { panic!("{:?}", made.on_record) };
        assert!(why.contains("no ledger"), "{why}");
        engine.poll_until_idle();
        let held = |id: &str| engine.version().stops().stops().iter().any(|stop| stop.id == id);
        assert!(held(&made.stop.id));
        let error = unstop_at(&at, None, &lift(&made.stop.id), NOW).unwrap_err();
        assert!(error.to_string().starts_with("nothing was changed, since it cannot be put on record"), "{error}");
        engine.poll_until_idle();
        assert!(held(&made.stop.id));
        assert_eq!(path.exists(), content.is_some(), "no ledger is made");
    }
}

#[test]
fn an_entry_of_a_change_that_fails_is_not_there() {
    let directory = tempfile::TempDir::new().unwrap();
    let here = directory.path();
    apply_policy(here, POLICY);
    let path = here.join("ledger.db");
    drop(Ledger::open(&path).unwrap());
    let at = StopsFeed { ledger: Some(path.clone()), ..at(here) };
    let made = stop_at(&at, None, &scope("orders"), NOW).unwrap();
    // The manifest cannot be written where a folder has its temporary name.
    std::fs::create_dir(here.join("feed/.new-manifest")).unwrap();
    let refused = unstop_at(&at, None, &lift(&made.stop.id), NOW).unwrap_err();
    assert!(refused.to_string().contains("cannot write"), "{refused}");
    assert_eq!(entries(&path).len(), 2, "the ledger and the stop were made");
    std::fs::remove_dir(here.join("feed/.new-manifest")).unwrap();
    assert_eq!(unstop_at(&at, None, &lift(&made.stop.id), NOW).unwrap().on_record, OnRecord::Entry(3));
}

#[test]
fn stopping_what_is_not_issued_yet_is_said() {
    let directory = tempfile::TempDir::new().unwrap();
    let here = directory.path();
    apply_policy(here, POLICY);
    let issued_before = |before: Timestamp| {
        let what = StopWhat::IssuedBefore { issuer: None, before };
        stop_at(&at(here), None, &request(what), NOW).unwrap().warnings
    };
    assert_eq!(issued_before(NOW), Vec::<String>::new());
    let warnings = issued_before(NOW.plus_seconds(30));
    assert!(warnings[0].starts_with("warning: 2096-10-02T07:07:10Z is in the future"), "{warnings:?}");
    assert!(warnings[0].contains("again before 2096-10-02T07:07:10Z\n"), "{warnings:?}");
    let beyond = issued_before(NOW.plus_seconds(3600));
    assert!(beyond[0].contains("again before 2096-10-02T07:07:40Z\n"), "no longer than the stop: {beyond:?}");
}

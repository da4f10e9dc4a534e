use super::*;
use crate::apply::{ApplyRequest, apply};
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
    StopsFeed { feed: directory.join("feed"), key: directory.join("state/key") }
}

fn apply_policy(directory: &Path, policy: &str) -> Vec<String> {
    let path = directory.join("policy.toml");
    std::fs::write(&path, policy).unwrap();
    let StopsFeed { feed, key } = at(directory);
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

    let made = stop_at(&at(here), &scope("orders"), NOW).unwrap();
    assert_eq!((made.generation, made.in_force), (2, 1));
    let subject = StopWhat::Subject { issuer: Some("mesh".to_owned()), subject: "spiffe://example.org/web".to_owned() };
    let second = stop_at(&at(here), &request(subject), NOW.plus_seconds(1)).unwrap();
    assert_eq!(
        second.stop.what,
        Stopped::Subject { issuer: "spiffe://example.org".to_owned(), subject: "spiffe://example.org/web".to_owned() }
    );
    let again = stop_at(&at(here), &scope("orders"), NOW).unwrap();
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
    let lifted = unstop_at(&at(here), &second.stop.id, NOW.plus_seconds(2)).unwrap();
    assert_eq!((lifted.stop, lifted.in_force), (second.stop, 2));
    let last =
        stop_at(&at(here), &StopRequest { until: NOW.plus_seconds(200), ..scope("sales") }, NOW.plus_seconds(100))
            .unwrap();
    assert_eq!(last.in_force, 1);
    unstop_at(&at(here), &last.stop.id, NOW.plus_seconds(101)).unwrap();
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
    let error = stop_at(&at(here), &scope("orders"), NOW).unwrap_err();
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
        let error = stop_at(&at(here), request, NOW).unwrap_err();
        assert!(error.is_usage() && error.to_string().contains(says), "{error}");
    }
    let error = unstop_at(&at(here), "x", NOW).unwrap_err();
    assert!(error.is_usage() && error.to_string().contains("no stop `x`"), "{error}");
    std::fs::copy(here.join("state/key.pub"), here.join("kept")).unwrap();
    let other = StopsFeed { key: here.join("other"), ..at(here) };
    assert!(stop_at(&other, &scope("orders"), NOW).unwrap_err().to_string().contains("there is no signing key"));
    assert_eq!(manifest(), before);
}

#[test]
fn a_damaged_file_of_stops_is_not_signed_again() {
    let directory = tempfile::TempDir::new().unwrap();
    let here = directory.path();
    apply_policy(here, POLICY);
    stop_at(&at(here), &scope("orders"), NOW).unwrap();
    let engine = engine(here);
    let file = std::fs::read_dir(here.join("feed")).unwrap().map(|entry| entry.unwrap().path());
    let file = file.into_iter().find(|path| path.extension().is_some_and(|ext| ext == "stops")).unwrap();
    std::fs::write(&file, b"{\"stops\": []}\n").unwrap();
    let error = unstop_at(&at(here), "x", NOW).unwrap_err();
    assert!(error.to_string().contains("is damaged"), "{error}");
    assert_eq!(engine.version().stops().stops().len(), 1);
    assert!(Engine::open(&EngineConfig::feed(here.join("feed"), here.join("state/key.pub"))).is_err());
}

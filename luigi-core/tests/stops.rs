//! Incident stops: denied before any rule, whoever allows it, in both evaluators.

use luigi_core::decide::{FactValue, Reason, Request, RequestFacts, Scratch, Source};
use luigi_core::explain;
use luigi_core::grant_set::GrantSet;
use luigi_core::identity::{Actor, Credential, Identity, InvalidCredential};
use luigi_core::kleene::Kleene;
use luigi_core::policy::{SourceSet, parse};
use luigi_core::snapshot::Snapshot;
use luigi_core::stop_set::{Stop, StopSet, Stopped};
use luigi_core::target::{CanonicalTarget, Host, Target};
use luigi_core::time::Timestamp;
use serde_json::{Value, json};

const POLICY: &str = r#"
schema = 1
[issuers.login]
url = "https://id.example.com"
audiences = ["a"]
[scopes.site]
hosts = "any"
paths = ["/**"]
methods = "any"
except = ["health"]
[scopes.health]
hosts = "any"
operations = ["GET /health"]
[[rules]]
id = "all"
effect = "allow"
scopes = ["site", "health"]
subject = "anyone"
"#;

const ISSUER: &str = "https://id.example.com";
const NOW: Timestamp = Timestamp::from_unix_seconds(1_772_442_000);

fn identity(subject: &str, claims: Value, actor: Option<Actor>) -> Identity {
    let Value::Object(claims) = claims else { panic!("claims are an object") };
    let asserted = Identity::assert("test", ISSUER, subject, NOW.plus_seconds(60)).claims(claims);
    match actor {
        Some(actor) => asserted.actor(actor).finish(),
        None => asserted.finish(),
    }
}

fn stop(what: Stopped) -> Stop {
    let (id, reason, by) = ("s1".to_owned(), "INC-1: leaked".to_owned(), "ada".to_owned());
    Stop { id, what, from: NOW, until: NOW.plus_seconds(60), reason, by }
}

#[test]
fn what_is_stopped_and_what_goes_on() {
    let mut sources = SourceSet::new();
    sources.add("policy.toml", POLICY);
    let snapshot = Snapshot::compile(parse(&sources).policy.unwrap()).unwrap();
    let check = |name: &str, what: &Stopped, path: &str, credential: Credential<'_>, time: Timestamp, stopped: bool| {
        let stops = StopSet::new(vec![stop(what.clone())]);
        let request = Request {
            method: b"GET",
            target: Target::Canonical(CanonicalTarget { host: Host::Name("a.example"), path, query: None }),
            upgrade: Kleene::False,
            source: Source::Unknown,
            credential,
            time,
            grants: &GrantSet::default(),
            stops: &stops,
            facts: RequestFacts::NONE,
        };
        let expected = if stopped { Reason::Stopped } else { Reason::AllowedByRule };
        let found = snapshot.decide(&request, &mut Scratch::for_snapshot(&snapshot));
        assert_eq!((found.decision.reason, found.candidate.reason), (expected, expected), "{name}: {what:?}");
        let explained = explain::evaluate(snapshot.policy(), &request);
        assert_eq!(explained.evaluation, found, "{name}: {what:?}");
        assert_eq!(
            explained.decision.because.contains("`s1`") && explained.decision.because.contains("INC-1"),
            stopped
        );
    };

    let site = Stopped::Scope("site".to_owned());
    check("in the scope", &site, "/orders", Credential::Absent, NOW, true);
    check("left out of the scope", &site, "/health", Credential::Absent, NOW, false);
    check("under an invalid token", &site, "/orders", Credential::Invalid(InvalidCredential::BadSignature), NOW, true);
    check("before", &site, "/orders", Credential::Absent, NOW.plus_seconds(-1), false);
    check("the last second", &site, "/orders", Credential::Absent, NOW.plus_seconds(59), true);
    check("over", &site, "/orders", Credential::Absent, NOW.plus_seconds(60), false);
    check("no such scope", &Stopped::Scope("gone".to_owned()), "/orders", Credential::Absent, NOW, false);

    let person = |subject: &str| Stopped::Subject { issuer: ISSUER.to_owned(), subject: subject.to_owned() };
    let of_another = Stopped::Subject { issuer: "https://x.example.com".to_owned(), subject: "ada".to_owned() };
    let token = |id: &str| Stopped::TokenId { issuer: ISSUER.to_owned(), id: id.to_owned() };
    let before =
        |at: i64| Stopped::IssuedBefore { issuer: ISSUER.to_owned(), before: Timestamp::from_unix_seconds(at) };
    let of_another_before = Stopped::IssuedBefore { issuer: "https://x.example.com".to_owned(), before: NOW };
    let ada = identity("ada", json!({"jti": "t1", "iat": 1000.9}), None);
    let bare = identity("bob", json!({}), None);
    let through_bot = identity("bob", json!({"iat": 1000}), Some(Actor::new(ISSUER, "bot")));
    let through_nobody = identity("bob", json!({"iat": 1000}), Some(Actor::from_claim(ISSUER, &json!("?"))));
    let odd = identity("eve", json!({"jti": 1, "iat": "1000"}), None);
    for (name, who, what, stopped) in [
        ("herself", &ada, &person("ada"), true),
        ("another", &ada, &person("bob"), false),
        ("of another issuer", &ada, &of_another, false),
        ("who acts", &through_bot, &person("bot"), true),
        ("for whom somebody acts", &through_bot, &person("bob"), true),
        ("neither of both", &through_bot, &person("ada"), false),
        ("nobody knows who acts", &through_nobody, &person("ada"), true),
        ("nobody knows who acts, of another issuer", &through_nobody, &of_another, true),
        ("the token", &ada, &token("t1"), true),
        ("another token", &ada, &token("t2"), false),
        ("a token without id", &bare, &token("t1"), false),
        ("a token with a number for an id", &odd, &token("1"), false),
        ("issued before", &ada, &before(1001), true),
        ("issued in that second", &ada, &before(1000), false),
        ("issued nobody knows when", &bare, &before(1), true),
        ("issued at no time", &odd, &before(1), true),
        ("issued by another", &ada, &of_another_before, false),
    ] {
        check(name, what, "/orders", Credential::Verified(who), NOW, stopped);
    }
    // A credential that proves nothing is nobody's: without it the caller gets just as far.
    for credential in [Credential::Absent, Credential::Expired, Credential::Invalid(InvalidCredential::BadSignature)] {
        for what in [person("ada"), token("t1"), before(2_000_000_000)] {
            check("nobody", &what, "/orders", credential, NOW, false);
        }
    }
}

#[test]
fn a_stopped_scope_lets_no_preflight_pass() {
    let policy = "schema = 1\n[issuers.login]\nurl = \"https://id.example.com\"\naudiences = [\"a\"]\n\
         [scopes.orders]\nhosts = \"any\"\noperations = [\"PUT /orders\"]\npreflight = true\n\
         [[rules]]\nid = \"orders\"\neffect = \"allow\"\nscopes = [\"orders\"]\nsubject = \"authenticated\"\n";
    let mut sources = SourceSet::new();
    sources.add("policy.toml", policy);
    let snapshot = Snapshot::compile(parse(&sources).policy.unwrap()).unwrap();
    // In the order of their names: the method asked for, the origin.
    let values = [FactValue::One(b"PUT"), FactValue::One(b"https://app.example")];
    for (scope, expected) in [("orders", Reason::Stopped), ("gone", Reason::Preflight)] {
        let request = Request {
            method: b"OPTIONS",
            target: Target::Canonical(CanonicalTarget { host: Host::Absent, path: "/orders", query: None }),
            upgrade: Kleene::False,
            source: Source::Unknown,
            credential: Credential::Absent,
            time: NOW,
            grants: &GrantSet::default(),
            stops: &StopSet::new(vec![stop(Stopped::Scope(scope.to_owned()))]),
            facts: RequestFacts { values: &values, ..RequestFacts::NONE },
        };
        let found = snapshot.decide(&request, &mut Scratch::for_snapshot(&snapshot));
        assert_eq!((found.decision.reason, found.candidate.reason), (expected, expected), "{scope}");
        assert_eq!(explain::evaluate(snapshot.policy(), &request).evaluation, found, "{scope}");
    }
}

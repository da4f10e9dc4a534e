//! What embedders say themselves: whom they vouch for, and the headers and facts that they hold.

use luigi_core::decide::{FactValue, HeaderLines, Reason};
use luigi_core::identity::{ClientCertificate, Completeness, Groups, Identity, VerifiedCertificate};
use luigi_core::policy::model::FactKey;
use luigi_runtime::facts::Malformed;
use luigi_runtime::{Caller, Engine, EngineConfig, FactSource, Facts, Mode, PolicyFileConfig, Timestamp};

const NOW: Timestamp = Timestamp::from_unix_seconds(1_772_442_000);

fn engine(policy: &str) -> Engine {
    let folder = tempfile::TempDir::new().unwrap();
    let path = folder.path().join("policy.toml");
    std::fs::write(&path, policy).unwrap();
    let EngineConfig::PolicyFile(config) = EngineConfig::policy_file(path) else { unreachable!("it is a file") };
    Engine::open_policy_file(&PolicyFileConfig { mode: Mode::Enforce, ..config }).unwrap()
}

fn get<'a>(target: &'a [u8]) -> Facts<'a> {
    let host = Some(&b"shop.example.com"[..]);
    Facts { method: b"GET", target, host, host_count: 1, upgrade_count: Some(0), ..Facts::default() }
}

#[test]
fn an_asserted_identity_takes_the_place_of_credentials_until_it_expires() {
    let engine = engine(
        r#"
schema = 1
issuers.corp = { url = "https://login.example.com", audiences = ["shop"] }
groups.staff = "staff"
scopes.orders = { hosts = "any", paths = ["/orders"], methods = "read" }
[[rules]]
id = "staff"
effect = "allow"
scopes = ["orders"]
subject = { groups = ["staff"] }
"#,
    );
    let mut context = engine.context();
    let ada = Identity::assert("test", "https://login.example.com", "ada", NOW.plus_seconds(60))
        .groups(Groups::new(vec!["staff".into()], Completeness::Complete))
        .finish();
    let facts = get(b"/orders");
    let two = Facts { authorization: Some(b"Bearer x"), authorization_count: 2, ..facts };
    let late = NOW.plus_seconds(60);
    for (caller, facts, now, reason) in [
        (Caller::InFacts, facts, NOW, Reason::NoRuleAllows),
        (Caller::Asserted(&ada), facts, NOW, Reason::AllowedByRule),
        (Caller::InFacts, two, NOW, Reason::AmbiguousCredential),
        (Caller::Asserted(&ada), two, NOW, Reason::AllowedByRule),
        (Caller::Asserted(&ada), facts, late, Reason::AllowRuleUnknown),
    ] {
        let answer = context.evaluate_for(caller, &facts, now);
        let (id, evaluation) = (answer.id(), *answer.evaluation());
        assert_eq!(evaluation.decision.reason, reason, "{caller:?} {now}");
        assert_eq!(*context.review_for(id, caller, Ok(&facts), now).evaluation(), evaluation);
        let explanation = context.explain(caller, &facts, now).unwrap();
        assert_eq!(explanation.evaluation, evaluation, "{explanation}");
    }
    let two_hosts = Facts { host_count: 2, ..facts };
    assert_eq!(context.explain(Caller::InFacts, &two_hosts, NOW).unwrap_err(), Malformed::RepeatedHost);
    assert_eq!(engine.status().counters.decisions.values().sum::<u64>(), 5, "reviews and explanations are not counted");
}

/// Knows one header, one fact and a certificate.
#[derive(Debug)]
struct Own {
    team: &'static str,
    forwarded: &'static str,
    country: &'static str,
    subject_dn: &'static str,
}

impl FactSource for Own {
    fn value(&self, key: FactKey<'_>) -> FactValue<'_> {
        match key {
            FactKey::Header("x-team") => FactValue::One(self.team.as_bytes()),
            FactKey::Named("country") => FactValue::One(self.country.as_bytes()),
            _ => FactValue::NotPassed,
        }
    }

    fn header_lines(&self, name: &str) -> Option<HeaderLines<'_>> {
        (name == "x-forwarded-for").then_some(HeaderLines { count: 1, last: self.forwarded.as_bytes(), before: b"" })
    }

    fn certificate(&self) -> ClientCertificate<'_> {
        ClientCertificate::Verified(VerifiedCertificate {
            subject_dn: Some(self.subject_dn),
            ..VerifiedCertificate::default()
        })
    }
}

#[test]
fn an_embedder_is_asked_for_what_the_policy_needs() {
    let engine = engine(
        r#"
schema = 1
facts.country = { values = ["DE", "FR"] }
networks.office = ["203.0.113.0/24"]
networks.proxies = ["10.0.0.0/8"]
[proxies.edge]
networks = ["proxies"]
source = "x-forwarded-for"
[scopes.all]
hosts = "any"
paths = ["/**"]
methods = "read"
[[rules]]
id = "all"
effect = "allow"
scopes = ["all"]
subject = "anyone"
headers = { x-team = ["blue"] }
from = ["office"]
require = { facts = { country = ["DE"] }, certificate = { subject-dn = ["CN=web"] } }
"#,
    );
    let mut context = engine.context();
    let own = || Own { team: "blue", forwarded: "203.0.113.7", country: "DE", subject_dn: "CN=web" };
    for (own, reason) in [
        (Some(own()), Reason::AllowedByRule),
        (Some(Own { team: "red", ..own() }), Reason::NoRuleAllows),
        (Some(Own { forwarded: "198.51.100.7", ..own() }), Reason::NoRuleAllows),
        (Some(Own { country: "FR", ..own() }), Reason::FactRequired),
        (Some(Own { subject_dn: "CN=other", ..own() }), Reason::FactRequired),
        (None, Reason::AllowRuleUnknown),
    ] {
        let source_of_more = own.as_ref().map(|own| own as &dyn FactSource);
        let facts = Facts { source: Some(b"10.1.2.3"), source_of_more, ..get(b"/") };
        assert_eq!(context.evaluate(&facts, NOW).decision().reason, reason, "{own:?}");
    }
}

/// Knows what stands for the frontend.
#[derive(Debug)]
struct At(FactValue<'static>);

impl FactSource for At {
    fn value(&self, key: FactKey<'_>) -> FactValue<'_> {
        assert_eq!(key, FactKey::Frontend);
        self.0
    }

    fn header_lines(&self, _: &str) -> Option<HeaderLines<'_>> {
        None
    }

    fn certificate(&self) -> ClientCertificate<'_> {
        ClientCertificate::NotPassed
    }
}

#[test]
fn an_embedder_says_where_requests_come_in_if_a_scope_asks() {
    let engine = engine(
        "schema = 1\nscopes.all = { hosts = \"any\", paths = [\"/**\"], methods = \"read\", frontends = [\"www\"] }\n\
         [[rules]]\nid = \"all\"\neffect = \"allow\"\nscopes = [\"all\"]\nsubject = \"anyone\"\n",
    );
    let mut context = engine.context();
    for (frontend, reason) in [
        (FactValue::One(b"www"), Reason::AllowedByRule),
        (FactValue::One(b"admin"), Reason::NoRuleAllows),
        (FactValue::NotPassed, Reason::FrontendUnknown),
        (FactValue::Absent, Reason::FrontendUnknown),
    ] {
        let at = At(frontend);
        let facts = Facts { source_of_more: Some(&at), ..get(b"/") };
        assert_eq!(context.evaluate(&facts, NOW).decision().reason, reason, "{at:?}");
    }
}

//! From claims to identities: where they are found, and what stays unknown.

use crate::estate::{Estate, ISSUER, NOW, at, claims, claims_with, issuer};
use luigi_core::identity::{
    Actor, Completeness, Credential, Email, Identity, IssuerTrust, ListFormat, Login, Provenance, TokenCache,
    TokenCacheLimits, Trust,
};
use serde_json::{Value, json};

/// The identity of a token with these claims, from an issuer with this trust.
fn identity(changes: Value, adjust: impl Fn(&mut IssuerTrust)) -> Identity {
    let estate = Estate::new();
    let mut main = issuer("main", ISSUER, Some(&[&estate.p256]));
    adjust(&mut main.trust);
    Trust::new(vec![main]).unwrap().verify(estate.p256.token(&claims_with(changes)).as_bytes(), at(NOW)).unwrap()
}

fn as_declared(_: &mut IssuerTrust) {}

fn path(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

#[test]
fn groups() {
    use Completeness::{Complete, CutOff};
    fn check(changes: Value, adjust: impl Fn(&mut IssuerTrust), names: &[&str], completeness: Completeness) {
        let identity = identity(changes.clone(), adjust);
        let found: Vec<&str> = identity.groups().names().iter().map(AsRef::as_ref).collect();
        assert_eq!((found.as_slice(), identity.groups().completeness()), (names, completeness), "{changes}");
    }
    check(json!({}), as_declared, &[], Complete);
    check(json!({"groups": []}), as_declared, &[], Complete);
    check(json!({"groups": ["b", "a", "b"]}), as_declared, &["a", "b"], Complete);
    check(json!({"groups": "a b"}), as_declared, &["a b"], Complete);
    check(json!({"groups": ["a", 1]}), as_declared, &["a"], CutOff);
    check(json!({"groups": [["a"]]}), as_declared, &[], CutOff);
    check(json!({"groups": {"a": true}}), as_declared, &[], CutOff);
    check(json!({"groups": 1}), as_declared, &[], CutOff);
    check(json!({"_claim_names": {"groups": "src1"}}), as_declared, &[], CutOff);
    check(json!({"groups": ["a"], "_claim_names": {"groups": "src1"}}), as_declared, &["a"], CutOff);
    check(json!({"_claim_names": {"photo": "src1"}}), as_declared, &[], Complete);
    check(json!({"_claim_names": "groups"}), as_declared, &[], CutOff);
    check(json!({"hasgroups": true}), as_declared, &[], CutOff);
    check(json!({"hasgroups": "true"}), as_declared, &[], CutOff);
    check(json!({"hasgroups": false}), as_declared, &[], Complete);

    let roles = |trust: &mut IssuerTrust| trust.claims.groups = path(&["realm_access", "roles"]);
    check(json!({"realm_access": {"roles": ["admin"]}, "groups": ["x"]}), roles, &["admin"], Complete);
    check(json!({"realm_access": ["admin"]}), roles, &[], Complete);
    check(json!({"realm_access": {"roles": ["admin"]}, "hasgroups": true}), roles, &["admin"], Complete);
    check(json!({"_claim_names": {"realm_access": "src1"}}), roles, &[], CutOff);
    let dotted = |trust: &mut IssuerTrust| trust.claims.groups = path(&["https://sts.amazonaws.com/", "a.b"]);
    check(json!({"https://sts.amazonaws.com/": {"a.b": ["x"]}}), dotted, &["x"], Complete);
    let words = |trust: &mut IssuerTrust| trust.claims.groups_format = ListFormat::Words;
    check(json!({"groups": "b  a c "}), words, &["a", "b", "c"], Complete);
    check(json!({"groups": "a\tb"}), words, &["a\tb"], Complete);
    check(json!({"groups": ["a", "b c"]}), words, &[], CutOff);

    let numbered = |count: usize| json!({"groups": (0..count).map(|n| n.to_string()).collect::<Vec<_>>()});
    for (count, completeness) in [(99, Complete), (100, CutOff), (101, Complete)] {
        let identity = identity(numbered(count), as_declared);
        assert_eq!((identity.groups().names().len(), identity.groups().completeness()), (count, completeness));
    }
}

#[test]
fn emails() {
    fn check(changes: Value, adjust: impl Fn(&mut IssuerTrust), expected: Option<(&str, Option<bool>)>) {
        let expected = expected.map(|(address, verified)| Email { address: address.into(), verified });
        assert_eq!(identity(changes.clone(), adjust).email(), expected.as_ref(), "{changes}");
    }
    let trusted = |trust: &mut IssuerTrust| trust.trusts_emails = true;
    let with = |said: Value| json!({"email": "a@example.com", "email_verified": said});
    check(json!({}), as_declared, None);
    check(json!({"email": ""}), as_declared, None);
    check(json!({"email": 1}), as_declared, None);
    check(json!({"email": "a@example.com"}), as_declared, Some(("a@example.com", None)));
    check(with(json!(true)), as_declared, Some(("a@example.com", Some(true))));
    check(with(json!(false)), as_declared, Some(("a@example.com", Some(false))));
    check(with(json!("true")), as_declared, Some(("a@example.com", None)));
    check(with(json!("false")), as_declared, Some(("a@example.com", None)));
    check(with(json!(1)), as_declared, Some(("a@example.com", None)));
    check(json!({"email": "a@example.com"}), trusted, Some(("a@example.com", Some(true))));
    check(with(json!("true")), trusted, Some(("a@example.com", Some(true))));
    // Trust fills a gap; it does not overrule what the token says.
    check(with(json!(false)), trusted, Some(("a@example.com", Some(false))));
    // A declaration fills in what the token leaves open; it does not overrule a no, however that is written.
    for no in [json!("false"), json!("no"), json!(0), json!([])] {
        check(with(no), trusted, Some(("a@example.com", None)));
    }
    let nested = |trust: &mut IssuerTrust| trust.claims.email = path(&["profile", "mail"]);
    let beside = json!({"profile": {"mail": "a@example.com", "email_verified": true}, "email_verified": false});
    check(beside, nested, Some(("a@example.com", Some(true))));
    let elsewhere = json!({"profile": {"mail": "a@example.com"}, "email_verified": true});
    check(elsewhere, nested, Some(("a@example.com", None)));
}

#[test]
fn subject_kind_and_provenance() {
    let by_oid = |trust: &mut IssuerTrust| trust.claims.subject = path(&["oid"]);
    let ada = identity(json!({"oid": "1234"}), by_oid);
    assert_eq!((ada.issuer(), ada.subject(), ada.kind()), (ISSUER, "1234", None));
    assert_eq!(*ada.provenance(), Provenance::Verified { key: Some("p256".into()), algorithm: "ES256" });
    assert_eq!(ada.expires_at(), at(NOW + 300));
    assert_eq!(ada.claim(&path(&["sub"])), Some(&json!("ada")));
    assert_eq!(ada.claim(&path(&["sub", "x"])), None);
    assert_eq!(ada.claim(&[]), None);

    let kinds = |trust: &mut IssuerTrust| {
        trust.kind = Some("user".to_owned());
        trust.claims.kind = Some(path(&["idtyp"]));
    };
    assert_eq!(identity(json!({}), kinds).kind(), Some("user"));
    assert_eq!(identity(json!({"idtyp": "app"}), kinds).kind(), Some("app"));
    assert_eq!(identity(json!({"idtyp": 1}), kinds).kind(), None, "it says something, but not what");
}

#[test]
fn logins() {
    fn check(changes: Value, auth_time: Option<i64>, acr: Option<&str>, amr: Option<&[&str]>) {
        let expected = Login {
            auth_time: auth_time.map(at),
            acr: acr.map(Into::into),
            amr: amr.map(|methods| methods.iter().map(|method| (*method).into()).collect()),
        };
        assert_eq!(*identity(changes.clone(), as_declared).login(), expected, "{changes}");
    }
    check(json!({}), None, None, None);
    check(json!({"auth_time": 5, "acr": "2", "amr": ["pwd", "mfa"]}), Some(5), Some("2"), Some(&["pwd", "mfa"]));
    check(json!({"auth_time": 5.9, "acr": "", "amr": []}), Some(5), Some(""), Some(&[]));
    check(json!({"auth_time": "5", "acr": 2, "amr": "mfa"}), None, None, None);
    check(json!({"amr": ["mfa", 1]}), None, None, None);
}

#[test]
fn whoever_acts_is_seen_even_if_unreadable() {
    fn check(act: Value, issuer: &str, subject: Option<&str>, legible: bool) {
        let estate = Estate::new();
        let mut claims = claims();
        claims["act"] = act.clone();
        let found = estate.trust().verify(estate.p256.token(&claims).as_bytes(), at(NOW)).unwrap();
        let actor = found.actor().expect("somebody acts");
        let expected = (issuer, subject, legible);
        assert_eq!((&*actor.issuer, actor.subject.as_deref(), actor.legible), expected, "{act}");
        assert_eq!(Value::Object(actor.claims.clone()), if legible { act } else { json!({}) });
    }
    assert_eq!(identity(json!({}), as_declared).actor(), None);
    assert_eq!(identity(json!({"may_act": {"sub": "bot"}}), as_declared).actor(), None, "nobody acts yet");
    check(json!({"sub": "bot"}), ISSUER, Some("bot"), true);
    check(json!({"sub": "bot", "act": {"sub": "inner"}}), ISSUER, Some("bot"), true);
    check(json!({"sub": "bot", "iss": "https://x.example.com"}), "https://x.example.com", Some("bot"), true);
    check(json!({"client_id": "bot"}), ISSUER, None, true);
    check(json!({}), ISSUER, None, true);
    for unreadable in [
        json!(null),
        json!([]),
        json!("bot"),
        json!(false),
        json!({"sub": 1}),
        json!({"sub": ""}),
        json!({"sub": "bot", "iss": 1}),
        json!({"sub": "bot", "iss": ""}),
    ] {
        check(unreadable, ISSUER, None, false);
    }
}

#[test]
fn whoever_acted_before_is_a_chain_that_ends() {
    let act = json!({"sub": "c", "act": {"sub": "b", "iss": "https://x.example.com", "act": {"sub": "a", "act": 1}}});
    let chain: Vec<_> = Actor::from_claim(ISSUER, &act).before().collect();
    let chain: Vec<_> = chain.iter().map(|one| (&*one.issuer, one.subject.as_deref(), one.legible)).collect();
    let x = "https://x.example.com";
    assert_eq!(chain, [(x, Some("b"), true), (x, Some("a"), true), (x, None, false)]);
}

#[test]
fn an_assertion_says_who_made_it() {
    let actor = Actor::new(ISSUER, "bot");
    let asserted = Identity::assert("policy-test", ISSUER, "ada", at(NOW))
        .email(Email { address: "a@example.com".into(), verified: Some(true) })
        .kind("user")
        .login(Login { acr: Some("2".into()), ..Login::default() })
        .actor(actor.clone())
        .claims(json!({"sub": "eve", "groups": ["admin"]}).as_object().unwrap().clone())
        .finish();
    assert_eq!(*asserted.provenance(), Provenance::Asserted { by: "policy-test".into() });
    assert_eq!((asserted.subject(), asserted.kind(), asserted.actor()), ("ada", Some("user"), Some(&actor)));
    assert!(asserted.groups().names().is_empty(), "claims are for predicates on claims");
    assert_eq!(asserted.groups().completeness(), Completeness::Complete);
    // Not even the text of an assertion's claims makes a credential.
    let mut cache = TokenCache::new(TokenCacheLimits::default());
    let trust = Estate::new().trust();
    let text = serde_json::to_vec(asserted.claims()).unwrap();
    assert!(matches!(cache.verify(&text, &trust, at(NOW)), Credential::Invalid(_)));
}

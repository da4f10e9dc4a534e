//! Who can make a request, and what somebody can do: whatever rules look at is tried, and said in words.

use luigi_core::analysis::{Asker, Bounds, Known, WhatCan, WhoCan, what_can, who_can};
use luigi_core::identity::{Completeness, Groups, Identity};
use luigi_core::policy::{SourceSet, parse};
use luigi_core::snapshot::Snapshot;
use luigi_core::time::Timestamp;

/// A Monday morning.
const NOW: Timestamp = Timestamp::from_unix_seconds(1_772_442_000);
const KNOWN: Known<'_> = Known { frontend: None, source: None, time: Some(NOW), now: NOW };

fn snapshot(rest: &str) -> Snapshot {
    let text = format!(
        r#"
schema = 1
[issuers.login]
url = "https://login.example"
audiences = ["x"]
[groups]
members = "tenant-{{tenant}}"
support = "support"
[scopes.users]
hosts = ["app.example.com"]
paths = ["/users/{{user}}", "/users/{{user}}/orders/{{order}}"]
methods = ["GET", "PUT"]
[scopes.tenants]
hosts = ["{{tenant}}.example.com"]
paths = ["/items"]
methods = ["GET"]
{rest}
"#
    );
    let mut sources = SourceSet::new();
    sources.add("policy.toml", text);
    let parsed = parse(&sources);
    let Some(policy) = parsed.policy else { panic!("{:#?}", parsed.diagnostics) };
    Snapshot::compile(policy).unwrap()
}

fn allow(scope: &str, rest: &str) -> String {
    format!("[[rules]]\nid = \"it\"\neffect = \"allow\"\nscopes = [\"{scope}\"]\n{rest}\n")
}

fn who(snapshot: &Snapshot, host: &str, path: &str) -> WhoCan {
    let found = who_can(snapshot, "GET", Some(host), path, KNOWN, Bounds::default());
    for way in &found.allowed {
        assert!(way.example.decide(snapshot).decision.allows(), "{way:#?}");
    }
    found
}

/// Who is let in to `/users/42` by one rule; everything was looked at.
fn who_by(rule: &str) -> Vec<String> {
    let snapshot = snapshot(&allow("users", rule));
    let found = who(&snapshot, "app.example.com", "/users/42");
    assert_eq!(found.gaps, [""; 0], "{rule}");
    let said = |way: &luigi_core::analysis::Way| {
        std::iter::once(&way.who).chain(&way.circumstances).cloned().collect::<Vec<_>>().join(", ")
    };
    found.allowed.iter().map(said).collect()
}

#[test]
fn whoever_has_a_claim_that_equals_a_capture_is_found() {
    let one = |claim: &str| who_by(&format!("subject = \"authenticated\"\nwhere = {{ user = {{ claim = {claim} }} }}"));
    assert_eq!(one("\"sub\""), ["people with claim `sub` equal to `{user}`"]);
    assert_eq!(one("[\"account\", \"number\"]"), ["people with claim `account.number` equal to `{user}`"]);
    let both = who_by(
        "subject = { claims = [{ path = [\"role\"], in = [\"clerk\"] }] }\nwhere = { user = { claim = \"number\" } }\nunless = { where = { user = { in = [\"0\"] } } }",
    );
    assert_eq!(both, ["people with claim `number` equal to `{user}`, with claim `role` with \"clerk\""]);
    // Anyone who is somebody's subject, and a rule that names one.
    let named = "subject = { subjects = [\"42\", \"43\"] }\nwhere = { user = { claim = \"sub\" } }";
    assert_eq!(who_by(named), ["people known as `42`"]);
}

#[test]
fn what_a_request_brings_along_is_tried() {
    let anyone = |rest: &str| who_by(&format!("subject = \"anyone\"\n{rest}"));
    assert_eq!(anyone("headers = { X-Team = [\"a\", \"b\"] }"), ["anyone, with `a` or `b` in header `x-team`"]);
    assert_eq!(anyone("headers = { X-Team = { present = true } }"), ["anyone, with header `x-team`"]);
    assert_eq!(anyone("headers = { X-Team = { present = false } }"), ["anyone, without header `x-team`"]);
    assert_eq!(
        anyone("query = { v = { in = [\"1\", \"a b&\"] } }"),
        ["anyone, with `1` or `a b&` in query parameter `v`"]
    );
    assert_eq!(anyone("query = { v = { present = true } }"), ["anyone, with query parameter `v`"]);
    assert_eq!(anyone("certificate = { verified = true }"), ["anyone, with a verified client certificate"]);
    assert_eq!(
        anyone("certificate = { san-uri = [\"spiffe://a.example/*\"] }"),
        ["anyone, with a URI like `spiffe://a.example/*` in the client certificate"]
    );
    assert_eq!(
        anyone("certificate = { san-dns = [\"web.a.example\", \"*.b.example\"] }"),
        [
            "anyone, with a DNS name like `*.b.example` in the client certificate, or with the DNS name `web.a.example` in the client certificate"
        ]
    );
    assert_eq!(anyone("certificate = { subject-dn = [\"CN=job\"] }"), ["anyone, with certificate subject `CN=job`"]);
    let fact = "facts = { country = [\"DE\"] }\n[facts.country]\nvalues = [\"AT\", \"DE\", \"FR\"]";
    assert_eq!(anyone(fact), ["anyone, where `country` is `DE`"]);
    let not = "unless = { facts = { country = [\"DE\"] } }\n[facts.country]\nvalues = [\"AT\", \"DE\", \"FR\"]";
    assert_eq!(anyone(not), ["anyone, where `country` is `AT` or `FR`"]);
}

#[test]
fn an_example_can_be_asked_about_again() {
    let rule = allow(
        "users",
        "subject = \"anyone\"\nheaders = { X-Team = [\"a\"] }\nquery = { v = { in = [\"a b\"] } }\nfacts = { country = [\"DE\"] }\n\
         certificate = { san-dns = [\"web.example\"] }\n[facts.country]\nvalues = [\"DE\", \"FR\"]",
    );
    let snapshot = snapshot(&rule);
    let found = who(&snapshot, "app.example.com", "/users/42");
    assert_eq!(
        found.allowed[0].example.options(),
        "-r 'GET https://app.example.com/users/42?v=a%20b' --as '{}' --from 192.0.2.1 --at 2026-03-02T09:00:00Z --header 'x-team: a' --fact 'country=DE' \
         --certificate '{\"fingerprint-sha256\":\"0000000000000000000000000000000000000000000000000000000000000000\",\
         \"san-dns\":[\"web.example\"],\"subject-dn\":\"CN=other\"}'"
    );
}

#[test]
fn members_are_those_of_the_tenant_that_is_asked_for() {
    let snapshot = snapshot(&allow("tenants", "subject = { groups = [\"members\", \"support\"] }"));
    let found = who(&snapshot, "acme.example.com", "/items");
    assert_eq!(found.allowed[0].who, "members of `members:{tenant}` or `support`");
    assert_eq!(found.allowed[0].example.asker()["groups"], serde_json::json!(["members:acme"]));
}

#[test]
fn a_preflight_is_a_way_in_of_its_own() {
    let snapshot = snapshot(
        "[scopes.cart]\nhosts = [\"app.example.com\"]\npaths = [\"/cart\"]\nmethods = [\"GET\", \"PUT\"]\npreflight = true\n",
    );
    let found = who_can(&snapshot, "OPTIONS", Some("app.example.com"), "/cart", KNOWN, Bounds::default());
    let said: Vec<_> = found.allowed.iter().map(|way| (way.who.as_str(), way.circumstances.join(", "))).collect();
    assert_eq!(said, [("anyone", "as a preflight for `GET` or `PUT`".to_owned())]);
    assert!(found.allowed[0].example.decide(&snapshot).decision.allows());
    assert_eq!(found.gaps, [""; 0]);
    let can = what_can(&snapshot, Asker::Nobody, KNOWN, Bounds::default());
    assert_eq!(targets(&can), ["OPTIONS app.example.com/cart"]);
}

/// The hosts and paths of whatever somebody can do; everything was looked at.
fn targets(found: &WhatCan) -> Vec<String> {
    assert_eq!(found.gaps, [""; 0]);
    found.allowed.iter().flat_map(|one| &one.targets).map(ToString::to_string).collect()
}

fn person(subject: &str, group: &str) -> Identity {
    let groups = Groups::new(vec![group.into()], Completeness::Complete);
    Identity::assert("a test", "https://login.example", subject, NOW.plus_seconds(60))
        .groups(groups)
        .claims([("sub".to_owned(), subject.into())].into_iter().collect())
        .finish()
}

#[test]
fn what_is_somebodys_own_is_found_and_nothing_else() {
    let own = snapshot(&allow("users", "subject = \"authenticated\"\nwhere = { user = { claim = \"sub\" } }"));
    let ada = person("ada@a.example", "none");
    let found = what_can(&own, Asker::AnyLogin(&ada), KNOWN, Bounds::default());
    assert_eq!(
        targets(&found),
        [
            "GET, PUT app.example.com/users/ada%40a.example",
            "GET, PUT app.example.com/users/ada%40a.example/orders/{order}"
        ]
    );
    let tenants = snapshot(&allow("tenants", "subject = { groups = [\"members\"] }"));
    let member = person("ada", "tenant-acme");
    let found = what_can(&tenants, Asker::AnyLogin(&member), KNOWN, Bounds::default());
    assert_eq!(targets(&found), ["GET acme.example.com/items"]);
    let nobody = what_can(&tenants, Asker::Nobody, KNOWN, Bounds::default());
    assert_eq!(targets(&nobody), [""; 0]);
}

#[test]
fn values_that_rules_accept_are_operations_of_their_own() {
    let some = snapshot(&allow("users", "subject = \"anyone\"\nwhere = { user = { in = [\"demo\", \"a b\"] } }"));
    let found = what_can(&some, Asker::Nobody, KNOWN, Bounds::default());
    assert_eq!(
        targets(&found),
        [
            "GET, PUT app.example.com/users/a%20b",
            "GET, PUT app.example.com/users/a%20b/orders/{order}",
            "GET, PUT app.example.com/users/demo",
            "GET, PUT app.example.com/users/demo/orders/{order}"
        ]
    );
}

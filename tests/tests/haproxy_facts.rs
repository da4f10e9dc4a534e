//! Headers, query, client certificates and facts through a real HAProxy, and lines that do not carry what a policy asks for.

use luigi_runtime::Mode;
use luigi_runtime::facts::FactList;
use luigi_tests::certificates::Certificates;
use luigi_tests::client::{Client, request};
use luigi_tests::haproxy::{Haproxy, Setup};
use luigi_tests::installation::Release;
use luigi_tests::on_each_haproxy;
use luigi_tests::people::{HOST, reason};
use luigi_tests::site::Site;
use luigi_workflow::apply::ApplyErrorKind;
use luigi_workflow::fact_record;
use std::net::SocketAddr;

on_each_haproxy!(
    rules_see_headers_query_and_facts,
    odd_bytes_in_headers_shift_nothing,
    rules_see_verified_certificates,
    a_policy_waits_until_the_lines_carry_what_it_asks_for,
    a_frontend_with_other_lines_is_noticed,
    a_fresh_configuration_carries_them_too
);

const SCOPES: &str = r#"
schema = 1
[facts.country]
values = ["AT", "DE"]
[scopes.open]
hosts = "any"
paths = ["/open/**"]
methods = "any"
[scopes.api]
hosts = "any"
paths = ["/api/**"]
methods = "any"
[scopes.near]
hosts = "any"
paths = ["/near/**"]
methods = "any"
[scopes.mesh]
hosts = "any"
paths = ["/mesh/**"]
methods = "any"
[[rules]]
id = "open"
effect = "allow"
scopes = ["open"]
subject = "anyone"
"#;

const HEADERS: &str = r#"
[[rules]]
id = "api"
effect = "allow"
scopes = ["api"]
subject = "anyone"
headers = { x-team = ["blue", "green"] }
query = { debug = { present = false } }
unless = { headers = { x-internal = { present = true } } }
[[rules]]
id = "near"
effect = "allow"
scopes = ["near"]
subject = "anyone"
facts = { country = ["DE"] }
"#;

fn policy(rules: &str) -> String {
    format!("{SCOPES}{rules}")
}

/// What a policy asks for, as the lines for it carry it.
fn facts_of(site: &Site, policy: &str) -> FactList {
    let mut sources = luigi_core::policy::SourceSet::new();
    sources.add("policy.toml", policy);
    let facts = FactList::of_policy(&luigi_core::policy::parse(&sources).policy.expect("a policy without errors"));
    fact_record::write(&site.feed(), &facts).expect("a feed that can be written");
    facts
}

/// A site that enforces this policy, with lines that carry what it asks for.
fn site(release: Release, policy: &str) -> (Site, Setup) {
    let site = Site::new();
    let facts = facts_of(&site, policy);
    site.apply(policy, Some(Mode::Enforce));
    let mut setup = site.setup(release);
    setup.options.facts = facts;
    // Where a real configuration has `src,map_ip(...)`.
    setup.frontend =
        "    http-request set-var(txn.luigi_country) req.fhdr(x-country) if { req.fhdr(x-country) -m found }\n"
            .to_owned();
    (site, setup)
}

fn get(haproxy: &Haproxy, path: &str, fields: &[(&str, &str)]) -> (u16, String) {
    let response = Client::connect(haproxy.address()).exchange(&request("GET", path, HOST, fields));
    (response.status, reason(&response))
}

fn rules_see_headers_query_and_facts(release: Release) {
    let (site, setup) = site(release, &policy(HEADERS));
    let Some(haproxy) = site.start(setup) else { return };
    let blue = ("x-team", "blue");
    for (path, fields, expected) in [
        ("/api/x", &[blue][..], "200"),
        ("/api/x", &[("X-TEAM", "  green  ")], "200"),
        ("/api/x", &[blue, blue], "200"),
        ("/api/x", &[blue, ("x-team", "green")], "allow-rule-unknown"),
        ("/api/x", &[blue, blue, blue], "allow-rule-unknown"),
        ("/api/x", &[("x-team", "blue, green")], "no-rule-allows"),
        ("/api/x", &[("x-team", "")], "no-rule-allows"),
        ("/api/x", &[], "no-rule-allows"),
        ("/api/x", &[blue, ("x-internal", "")], "no-rule-allows"),
        ("/api/x?debug", &[blue], "no-rule-allows"),
        ("/api/x?d%65bug=1", &[blue], "no-rule-allows"),
        ("/api/x?a=1;debug", &[blue], "allow-rule-unknown"),
        ("/api/x?Debug", &[blue], "allow-rule-unknown"),
        ("/api/x?bug=debug", &[blue], "200"),
        ("/near/x", &[("x-country", "DE")], "200"),
        ("/near/x", &[("x-country", "AT")], "no-rule-allows"),
        ("/near/x", &[("x-country", "XX")], "allow-rule-unknown"),
        ("/near/x", &[("x-country", "")], "allow-rule-unknown"),
        ("/near/x", &[], "allow-rule-unknown"),
    ] {
        let (status, reason) = get(&haproxy, path, fields);
        let found = if status == 200 { "200".to_owned() } else { reason };
        assert_eq!(found, expected, "{path} {fields:?}");
    }
    haproxy.status_with("further facts          fact:country header:x-internal header:x-team");
    haproxy.status_with("failures               0");
    let explained = haproxy.ask("luigi explain GET https://app.example.com/api/x header:X-Team=blue");
    assert!(explained.contains("allow  allowed-by-rule"), "{explained}");
    let explained = haproxy.ask("luigi explain GET https://app.example.com/near/x fact:country=XX");
    assert!(explained.contains("which is none of its values"), "{explained}");
}

fn odd_bytes_in_headers_shift_nothing(release: Release) {
    let (site, setup) = site(release, &policy(HEADERS));
    let Some(haproxy) = site.start(setup) else { return };
    let raw =
        |team: &[u8]| [b"GET /api/x HTTP/1.1\r\nhost: a\r\nx-team: ", team, b"\r\nx-internal: no\r\n\r\n"].concat();
    let forged = b"x\nblue\n\nend";
    for (team, expected) in [
        (&b"blue"[..], "no-rule-allows"),
        (b"\x01\x1f\x7f\xff", "malformed-facts"),
        (b"\t\xff\x80", "no-rule-allows"),
        (b"blue\0", "malformed-facts"),
        (b"\0blue", "malformed-facts"),
        (&forged[..], ""),
        (b"%[req.hdr(host)]\\nblue", "no-rule-allows"),
        (b"0 0 0", "no-rule-allows"),
    ] {
        let response = Client::connect(haproxy.address()).exchange(&raw(team));
        // HAProxy 3.0 refuses a NUL by itself, and either may refuse a bare line feed.
        let own = matches!(response.status, 0 | 400) && reason(&response).is_empty();
        assert!(
            own || reason(&response) == expected || expected.is_empty(),
            "{}: {}",
            team.escape_ascii(),
            response.text()
        );
        assert_ne!(response.status, 200, "{}", team.escape_ascii());
    }
    // A header that does not fit into the line is a line that was cut.
    let long = "y".repeat(9_000);
    let (status, reason) = get(&haproxy, "/api/x", &[("x-team", &long), ("x-team", &long)]);
    assert!(status == 400 && (reason == "malformed-facts" || reason.is_empty()), "{status} {reason}");
    let (status, _) = get(&haproxy, "/api/x", &[("x-team", "blue")]);
    assert_eq!(status, 200);
    haproxy.status_with("failures               0");
}

fn rules_see_verified_certificates(release: Release) {
    let site = Site::new();
    let certificates = Certificates::new(site.folder());
    certificates.authority("stranger");
    let names = "URI:spiffe://example.org/web,DNS:Web.example.org,email:web@example.org";
    certificates.issue("web", "ca", "/O=Example, Inc./CN=web", names);
    certificates.issue("job", "ca", "/O=Example/CN=job", "URI:spiffe://example.org/ns/job");
    certificates.issue("plain", "ca", "/CN=plain", "");
    certificates.issue("forged", "stranger", "/O=Example, Inc./CN=web", names);
    let rules = r#"
[[rules]]
id = "mesh-uri"
effect = "allow"
scopes = ["mesh"]
subject = "anyone"
query = { by = ["uri"] }
certificate = { san-uri = ["spiffe://example.org/*"] }
[[rules]]
id = "mesh-dns"
effect = "allow"
scopes = ["mesh"]
subject = "anyone"
query = { by = ["dns"] }
certificate = { san-dns = ["*.example.org"] }
[[rules]]
id = "mesh-subject"
effect = "allow"
scopes = ["mesh"]
subject = "anyone"
query = { by = ["subject"] }
certificate = { subject-dn = ['CN=web,O=Example\, Inc.'] }
[[rules]]
id = "mesh-fingerprint"
effect = "allow"
scopes = ["mesh"]
subject = "anyone"
query = { by = ["fingerprint"] }
certificate = { fingerprint-sha256 = ["FINGERPRINT"] }
[[rules]]
id = "mesh-verified"
effect = "allow"
scopes = ["mesh"]
subject = "anyone"
query = { by = ["verified"] }
[[rules]]
id = "mesh-needs-one"
effect = "restrict"
scopes = ["mesh"]
require = { certificate = { verified = true } }
"#;
    let policy = policy(&rules.replace("FINGERPRINT", &certificates.fingerprint("web")));
    let facts = facts_of(&site, &policy);
    site.apply(&policy, Some(Mode::Enforce));
    let mut setup = site.setup(release);
    setup.options.facts = facts;
    let place = site.place(setup.clone());
    let tls = SocketAddr::new(place.address().ip(), place.address().port() + 1000);
    setup.frontend = format!(
        "    bind {tls} ssl crt {} ca-file {} verify optional crt-ignore-err all ca-ignore-err all\n",
        certificates.path("server.crt").display(),
        certificates.path("ca.pem").display(),
    );
    let Some(haproxy) = site.start(setup) else { return };
    let tls = SocketAddr::new(haproxy.address().ip(), tls.port());
    for (client, by, expected) in [
        (Some("web"), "uri", 200),
        (Some("web"), "dns", 200),
        (Some("web"), "subject", 200),
        (Some("web"), "fingerprint", 200),
        (Some("web"), "verified", 200),
        (Some("job"), "uri", 403),
        (Some("job"), "dns", 403),
        (Some("job"), "subject", 403),
        (Some("job"), "fingerprint", 403),
        (Some("job"), "verified", 200),
        (Some("plain"), "uri", 403),
        (Some("plain"), "verified", 200),
        (Some("forged"), "uri", 403),
        (Some("forged"), "subject", 403),
        (Some("forged"), "verified", 403),
        (None, "uri", 403),
        (None, "verified", 403),
    ] {
        let (status, body) = certificates.get(tls, client, &format!("/mesh/x?by={by}"), &[]);
        assert_eq!(status, expected, "{client:?} by {by}: {body}");
    }
    let (status, reason) = get(&haproxy, "/mesh/x?by=verified", &[]);
    assert_eq!((status, reason.as_str()), (403, "fact-required"), "without TLS there is no certificate");
    haproxy.status_with("failures               0");
}

fn a_policy_waits_until_the_lines_carry_what_it_asks_for(release: Release) {
    let site = Site::new();
    site.apply(&policy(""), Some(Mode::Enforce));
    let Some(haproxy) = site.start(site.setup(release)) else { return };
    let refused = site.try_apply(&policy(HEADERS), None).unwrap_err();
    assert_eq!(refused.kind(), ApplyErrorKind::Facts);
    let text = refused.to_string();
    assert!(text.contains("setenv LUIGI_FACTS \"fact:country header:x-internal header:x-team\""), "{text}");
    assert!(text.contains("http-request set-var-fmt(txn.luigi.in) \"luigi-facts/1 "), "{text}");
    assert!(text.contains("%[var(txn.luigi_country)]"), "{text}");

    // Somebody printed the lines, which is recorded, and forgot to put them in: the data plane knows better.
    let facts = facts_of(&site, &policy(HEADERS));
    site.apply(&policy(HEADERS), None);
    haproxy
        .status_with("what the configuration of HAProxy does not pass: fact:country header:x-internal header:x-team");
    let line = haproxy.log_line(&["a new version was refused", "fact:country"]);
    assert!(line.contains("the last good one stays in force"), "{line}");
    assert_eq!(get(&haproxy, "/open/x", &[]).0, 200);
    assert_eq!(get(&haproxy, "/api/x", &[("x-team", "blue")]).1, "no-rule-allows");
    drop(haproxy);

    // Nor does it start with such lines; with the right ones it does.
    let refused = site.place(site.setup(release)).check().expect("there was one before");
    let text = String::from_utf8_lossy(&refused.stderr).into_owned() + &String::from_utf8_lossy(&refused.stdout);
    assert!(!refused.status.success() && text.contains("does not pass: fact:country"), "{text}");
    let mut setup = site.setup(release);
    setup.options.facts = facts;
    let haproxy = site.start(setup).expect("there was one before");
    assert_eq!(get(&haproxy, "/api/x", &[("x-team", "blue")]).0, 200);
}

fn a_frontend_with_other_lines_is_noticed(release: Release) {
    let (site, mut setup) = site(release, &policy(HEADERS));
    // `global` says more than the lines of this frontend carry.
    let facts = std::mem::take(&mut setup.options.facts);
    setup.global = format!("    setenv LUIGI_FACTS \"{facts}\"\n");
    let Some(haproxy) = site.start(setup) else { return };
    assert_eq!(get(&haproxy, "/api/x", &[("x-team", "blue")]).1, "allow-rule-unknown");
    haproxy.status_with("lines lack             fact:country header:x-internal header:x-team");
    let line = haproxy.log_line(&["a line of facts lacks"]);
    assert!(line.contains("header:x-team"), "{line}");
    assert_eq!(get(&haproxy, "/open/x", &[]).0, 200);
}

fn a_fresh_configuration_carries_them_too(release: Release) {
    let (site, mut setup) = site(release, &policy(HEADERS));
    setup.integration = luigi_tests::haproxy::Integration::Defaults;
    setup.frontend = String::new();
    let Some(haproxy) = site.start(setup) else { return };
    assert_eq!(get(&haproxy, "/api/x", &[("x-team", "blue")]).0, 200);
    assert_eq!(get(&haproxy, "/api/x", &[("x-team", "red")]).1, "no-rule-allows");
}

//! `[facts.*]`, and the predicates on headers, query, client certificate and facts.

use super::node::{Fields, Node, Text, listed, quoted};
use super::tables::strings;
use crate::identity::Fingerprint;
use crate::policy::diagnostics::{Code, Diagnostic, Diagnostics};
use crate::policy::model::{CertificateTest, ValueTest, is_fact_name, is_header_name};
use toml::de::DeValue;

/// The keys of predicates that stand here.
pub(super) const KEYS: [&str; 4] = ["headers", "query", "certificate", "facts"];

/// Tests of what a request brings along, joined by AND.
#[derive(Default)]
pub(in crate::policy) struct FactTests {
    /// Names in lower case.
    pub(in crate::policy) headers: Vec<(Text, ValueTest)>,
    pub(in crate::policy) query: Vec<(Text, ValueTest)>,
    pub(in crate::policy) certificate: Option<CertificateTest>,
    pub(in crate::policy) named: Vec<(Text, Vec<Text>)>,
}

/// The predicates of a rule, an exception or a requirement.
pub(super) fn tests(fields: &Fields<'_>, out: &mut Diagnostics) -> FactTests {
    let mut tests = FactTests::default();
    for (name, node) in entries(fields, "headers", out) {
        let name = header_name(&name, out);
        let accepts = value_test(node, "headers", check_header_value, out);
        tests.headers.extend(name.zip(accepts));
    }
    for (name, node) in entries(fields, "query", out) {
        let accepts = value_test(node, "query", |_, _| {}, out);
        if name.value.is_empty() {
            out.push(Diagnostic::error(Code::EmptyValue, name.span, "the name of a parameter is empty"));
            continue;
        }
        tests.query.extend(accepts.map(|accepts| (name, accepts)));
    }
    for (name, node) in entries(fields, "facts", out) {
        let values = node.texts(&name.value, out);
        tests.named.extend(values.map(|values| (name, values)));
    }
    tests.certificate = fields.get("certificate").and_then(|node| certificate(node, out));
    tests
}

/// A table of the user's own names, not empty.
fn entries<'t>(fields: &Fields<'t>, key: &str, out: &mut Diagnostics) -> Vec<(Text, Node<'t>)> {
    let Some(node) = fields.get(key) else { return Vec::new() };
    let entries = Fields::entries(node, &quoted(key), out);
    if entries.is_empty() && matches!(node.value(), DeValue::Table(_)) {
        let problem = Diagnostic::error(Code::EmptyValue, node.span(), format!("{} is an empty table", quoted(key)));
        out.push(problem.help("name what must hold, or leave the key out"));
    }
    entries
}

/// A list of values, `{ in = [...] }`, or `{ present = true }`.
fn value_test(
    node: Node<'_>,
    key: &str,
    check: fn(&Text, &mut Diagnostics),
    out: &mut Diagnostics,
) -> Option<ValueTest> {
    let list = |node: Node<'_>, key: &str, out: &mut Diagnostics| {
        let texts = node.texts(key, out)?;
        texts.iter().for_each(|text| check(text, out));
        Some(ValueTest::In(strings(texts)))
    };
    let DeValue::Table(_) = node.value() else { return list(node, key, out) };
    let fields = Fields::open(node, &format!("a test in {}", quoted(key)), &["in", "present"], out)?;
    match (fields.get("in"), fields.get("present")) {
        (Some(node), None) => list(node, "in", out),
        (None, Some(node)) => {
            let present = node.boolean("present", out)?;
            Some(if present.value { ValueTest::Present } else { ValueTest::Absent })
        }
        (Some(_), Some(node)) => {
            let problem = Diagnostic::error(Code::ConflictingKeys, node.span(), "`in` and `present` stand together");
            out.push(problem.help("`in` asks that it be there: leave `present` out"));
            None
        }
        (None, None) => {
            let problem = Diagnostic::error(Code::EmptyValue, fields.span(), "nothing is tested");
            out.push(
                problem.help("write `[\"a\", \"b\"]` for values, or `{ present = true }` or `{ present = false }`"),
            );
            None
        }
    }
}

fn check_header_value(text: &Text, out: &mut Diagnostics) {
    let odd = |c: char| c.is_control();
    if text.value.contains(odd) || text.value.trim() != text.value {
        let message = format!("{} is not the value of a header", quoted(&text.value));
        let problem = Diagnostic::error(Code::InvalidFact, text.span, message);
        out.push(problem.label("a control character, or a space at the beginning or end"));
    }
}

/// The name of a header in lower case, if rules may ask for it.
pub(super) fn header_name(name: &Text, out: &mut Diagnostics) -> Option<Text> {
    let lower = name.value.to_ascii_lowercase();
    if !is_header_name(&lower) {
        let message = format!("{} is not the name of a header that rules can ask for", quoted(&name.value));
        let help = "such names consist of ASCII letters, digits, `-` and `_`, at most 64 of them";
        out.push(Diagnostic::error(Code::InvalidFact, name.span, message).help(help));
        return None;
    }
    if let Some((label, help)) = refused(&lower) {
        let message = format!("rules cannot ask for the header {}", quoted(&name.value));
        out.push(Diagnostic::error(Code::RefusedHeader, name.span, message).label(label).help(help));
        return None;
    }
    Some(Text::new(lower, name.span))
}

/// The name of a header that a proxy says in where a request comes from, in lower case.
pub(super) fn source_header(name: &Text, out: &mut Diagnostics) -> Option<Text> {
    let lower = name.value.to_ascii_lowercase();
    if lower == "forwarded" {
        let message = "the header `Forwarded` is not understood";
        let help = "its addresses stand among names, quotes and parameters that proxies write differently: have the proxy send \"x-forwarded-for\" \
                    or a header of its own with the address alone";
        out.push(Diagnostic::error(Code::RefusedHeader, name.span, message).help(help));
        return None;
    }
    if tells_sources(&lower) { Some(Text::new(lower, name.span)) } else { header_name(name, out) }
}

/// Headers that proxies say in where a request comes from.
pub(super) fn tells_sources(name: &str) -> bool {
    is_header_name(name)
        && (SOURCES.contains(&name) || ["x-forwarded", "x_forwarded"].iter().any(|prefix| name.starts_with(prefix)))
}

const SOURCES: [&str; 9] = [
    "forwarded",
    "via",
    "x-real-ip",
    "x-client-ip",
    "client-ip",
    "x-cluster-client-ip",
    "true-client-ip",
    "cf-connecting-ip",
    "fastly-client-ip",
];

/// What a header is that rules cannot ask for, and what to do instead.
fn refused(name: &str) -> Option<(&'static str, &'static str)> {
    const CREDENTIALS: [&str; 5] = ["authorization", "proxy-authorization", "cookie", "set-cookie", "www-authenticate"];
    const HOPS: [&str; 10] = [
        "connection",
        "proxy-connection",
        "keep-alive",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "content-length",
        "http2-settings",
        "expect",
    ];
    const PEOPLE: [&str; 6] =
        ["remote-user", "x-remote-user", "x-remote-groups", "x-user", "x-client-cert", "x-ssl-cert"];
    const TARGETS: [&str; 13] = [
        "x-original-url",
        "x-original-uri",
        "x-original-path",
        "x-original-host",
        "x-original-method",
        "x-envoy-original-path",
        "x-rewrite-url",
        "x-override-url",
        "x-host",
        "x-host-override",
        "x-http-host-override",
        "x-script-name",
        "script_name",
    ];
    let begins = |prefixes: &[&str]| prefixes.iter().any(|prefix| name.starts_with(prefix));
    let what = if CREDENTIALS.contains(&name) {
        ("it carries a credential, which is verified and never compared", "ask for the identity: `subject = { ... }`")
    } else if begins(&["x-luigi", "x_luigi"]) {
        ("Luigi removes it from what clients send", "ask for what it would tell: `subject = { ... }`")
    } else if name == "host" {
        ("the host selects the scope", "name the host under `hosts` of a scope")
    } else if HOPS.contains(&name) {
        ("it is about the connection and ends at the next hop", "the backend never sees what this header says here")
    } else if tells_sources(name) {
        ("every client can write what it likes there", "ask for the address of the peer: `from = [...]`")
    } else if PEOPLE.contains(&name) || begins(&["x-auth-request-", "x-amzn-oidc-", "x-ssl-client", "ssl-client"]) {
        (
            "it names somebody, and every client can write it",
            "ask for the identity, `subject = { ... }`, or for the certificate, `certificate = { ... }`",
        )
    } else if TARGETS.contains(&name) {
        (
            "it names another target than the one that is decided",
            "have the proxy remove it; scopes are about the target",
        )
    } else {
        return None;
    };
    Some(what)
}

fn certificate(node: Node<'_>, out: &mut Diagnostics) -> Option<CertificateTest> {
    const NAMES: [&str; 4] = ["subject-dn", "san-uri", "san-dns", "fingerprint-sha256"];
    let known = ["verified", NAMES[0], NAMES[1], NAMES[2], NAMES[3]];
    let fields = Fields::open(node, "`certificate`", &known, out)?;
    if fields.is_empty() {
        let problem = Diagnostic::error(Code::EmptyValue, fields.span(), "`certificate` is an empty table");
        out.push(problem.help("`{ verified = true }` asks for a client certificate that HAProxy verified"));
    }
    let verified = fields.get("verified").and_then(|node| node.boolean("verified", out));
    if let (Some(flag), Some(key)) = (&verified, NAMES.iter().find(|key| fields.get(key).is_some()))
        && !flag.value
    {
        let message = format!("`{key}` asks for what stands in a certificate that is not verified");
        let problem = Diagnostic::error(Code::ConflictingKeys, flag.span, message);
        out.push(problem.label("not verified").help("leave `verified` out: names count only in a certificate that is"));
    }
    let dns = fields.texts("subject-dn", out).unwrap_or_default();
    dns.iter().for_each(|text| check_dn(text, out));
    let uris = fields.texts("san-uri", out).unwrap_or_default();
    uris.iter()
        .for_each(|text| check_name(text, text.value.contains(':'), "a URI, like \"spiffe://example.org/*\"", out));
    let names = fields.texts("san-dns", out).unwrap_or_default();
    for text in &names {
        let more_than_stars = text.value.contains(|c: char| c.is_ascii_alphanumeric());
        let odd = text.value.contains([':', '/', '@']);
        check_name(text, more_than_stars && !odd, "a host name, like \"web.example.org\" or \"*.example.org\"", out);
    }
    let fingerprints = fields.texts("fingerprint-sha256", out).unwrap_or_default();
    let fingerprints = fingerprints.iter().filter_map(|text| fingerprint(text, out));
    let mut names = strings(names);
    names.iter_mut().for_each(|name| name.make_ascii_lowercase());
    let mut test = CertificateTest {
        verified: verified.map(|flag| flag.value),
        subject_dns: strings(dns),
        san_uris: strings(uris),
        san_dns: names,
        fingerprints: fingerprints.collect(),
    };
    test.san_dns.sort();
    test.san_dns.dedup();
    test.fingerprints.sort();
    test.fingerprints.dedup();
    Some(test)
}

fn check_dn(text: &Text, out: &mut Diagnostics) {
    if text.value.starts_with('/') || !text.value.contains('=') || text.value.contains(char::is_control) {
        let message = format!("{} is not a distinguished name", quoted(&text.value));
        let help = "write it as RFC 2253 has it, most specific part first: \"CN=web,O=Example\"; `openssl x509 -noout -subject -nameopt RFC2253` shows it";
        out.push(Diagnostic::error(Code::InvalidFact, text.span, message).help(help));
    }
}

fn check_name(text: &Text, fits: bool, what: &str, out: &mut Diagnostics) {
    if !fits || !text.value.is_ascii() || text.value.contains(|c: char| c.is_whitespace() || c.is_control()) {
        let message = format!("{} is no name that a certificate could have", quoted(&text.value));
        out.push(Diagnostic::error(Code::InvalidFact, text.span, message).help(format!("write {what}")));
    }
}

pub(super) fn fingerprint(text: &Text, out: &mut Diagnostics) -> Option<Fingerprint> {
    let found = Fingerprint::parse(text.value.as_bytes());
    if found.is_none() {
        let message = format!("{} is not a SHA-256 fingerprint", quoted(&text.value));
        let help = "it has 64 hex digits, with or without colons; `openssl x509 -noout -fingerprint -sha256` shows it";
        out.push(Diagnostic::error(Code::InvalidFact, text.span, message).help(help));
    }
    found
}

/// `[facts.NAME]`: the values that a fact can have.
pub(super) fn definition(node: Node<'_>, name: &Text, what: &str, out: &mut Diagnostics) -> Option<Vec<String>> {
    if !is_fact_name(&name.value) {
        let message = format!("{} is not the name of a fact", quoted(&name.value));
        let help = "names of facts consist of the letters a-z, digits and `-` and begin with a letter, since a variable of HAProxy is named after them";
        out.push(Diagnostic::error(Code::InvalidFact, name.span, message).help(help));
    }
    let fields = Fields::open(node, what, &["values", "description"], out)?;
    fields.description(out);
    let values = fields.require("values", "every value that the fact can have; anything else is unknown", out);
    let values = values.and_then(|node| node.texts("values", out))?;
    values.iter().for_each(|text| check_header_value(text, out));
    Some(strings(values))
}

/// What is wrong with a value of a fact, which can only have these.
pub(in crate::policy) fn unknown_value(fact: &str, value: &Text, known: &[String]) -> Diagnostic {
    let message = format!("{} is not a value of fact {}", quoted(&value.value), quoted(fact));
    let problem = Diagnostic::error(Code::InvalidFact, value.span, message);
    let known = || known.iter().map(String::as_str);
    match super::suggestion(&value.value, known()) {
        Some(close) => problem.help(format!("did you mean {}?", quoted(close))),
        None if known().count() <= 8 => problem.help(format!("its values are {}", listed(known(), "and"))),
        None => problem.help(format!("name one of its values, or add it to `[facts.{fact}]`")),
    }
}

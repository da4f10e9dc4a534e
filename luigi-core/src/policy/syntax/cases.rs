//! `[[tests]]`: requests and what must come out.

use super::node::{Fields, Node, Text, quoted};
use super::rules::tables_of;
use super::{
    Case, CaseActor, CaseCredential, CaseGrant, CaseIdentity, CaseRequest, Spanned, Syntax, captures, case_facts,
    values,
};
use crate::decide::Reason;
use crate::policy::diagnostics::{Code, Diagnostic, Diagnostics};
use crate::policy::test_case::Expectation;
use crate::time::Timestamp;
use std::collections::HashSet;
use std::net::IpAddr;
use toml::de::DeValue;

/// The most tests that the tables of a policy may come to: a table has as many as its cases times its requests.
const MAX_TESTS: usize = 100_000;

/// The keys of `[[tests]]`; all but the last one are also those of its cases.
const KEYS: &[&str] = &[
    "name",
    "environment",
    "request",
    "requests",
    "as",
    "from",
    "peer",
    "at",
    "headers",
    "facts",
    "certificate",
    "frontend",
    "grants",
    "expect",
    "expect-candidate",
    "rule",
    "reason",
    "scope",
    "privileged",
    "cases",
];

/// Reads the tests of one document.
pub(super) fn read(top: &Fields<'_>, syntax: &mut Syntax, out: &mut Diagnostics) {
    for node in tables_of(top, "tests", out) {
        table(node, &mut syntax.cases, out);
    }
}

/// A table: one test, or one for each of its cases and requests.
fn table(node: Node<'_>, tests: &mut Vec<Case>, out: &mut Diagnostics) {
    let Some(table) = Fields::open_named(node, "test", "name", KEYS, out) else { return };
    let name = table.require("name", "say in a few words what must hold", out).and_then(|node| name_of(node, out));
    let asked = requests(&table, out);
    let Some(cases) = table.get("cases") else {
        return add(&table, name.as_ref(), None, asked.as_ref(), tests, out);
    };
    for (n, node) in cases.list("cases", "tables", out).unwrap_or_default().into_iter().enumerate() {
        let (_, keys) = KEYS.split_last().unwrap_or((&"", &[]));
        let what = format!("case {} of {}", n + 1, table.what());
        let Some(case) = Fields::open(node, &what, keys, out) else { continue };
        let own = case.get("name").and_then(|node| name_of(node, out));
        let own = own.unwrap_or_else(|| Text::new((n + 1).to_string(), case.span()));
        let own_requests = requests(&case, out);
        let asked = own_requests.as_ref().or(asked.as_ref());
        add(&case.over(&table), name.as_ref(), Some(&own), asked, tests, out);
    }
}

/// The name of a table or a case: any text on one line.
fn name_of(node: Node<'_>, out: &mut Diagnostics) -> Option<Text> {
    let name = node.text("name", out)?;
    if name.value.contains(char::is_control) {
        let message = format!("{} is not the name of a test", quoted(&name.value));
        let problem = Diagnostic::error(Code::InvalidTest, name.span, message).label("a control character");
        out.push(problem.help("write the name in one line, as it is to be printed"));
    }
    Some(name)
}

/// What a table asks for.
enum Requests {
    /// `request`; `None` if it cannot be understood.
    One(Option<Spanned<CaseRequest>>),
    /// `requests`, each with its text; those that cannot be understood are missing.
    Each(Vec<(Text, Spanned<CaseRequest>)>),
}

/// What a table asks for by itself; nothing if it has neither of the keys.
fn requests(table: &Fields<'_>, out: &mut Diagnostics) -> Option<Requests> {
    if let (Some(one), Some(several)) = (table.key_span("request"), table.key_span("requests")) {
        let message = format!("{} has both `request` and `requests`", table.what());
        let problem = Diagnostic::error(Code::ConflictingKeys, several, message);
        out.push(problem.also(one, "one of the two").help("put all of them into `requests`"));
    }
    if let Some(node) = table.get("request") {
        let text = node.text("request", out);
        return Some(Requests::One(text.and_then(|text| request_of(&text, out))));
    }
    let mut texts = table.get("requests")?.texts("requests", out).unwrap_or_default();
    // What stands there twice has been reported, and would only make two tests of one name.
    let mut seen = HashSet::new();
    texts.retain(|text| seen.insert(text.value.clone()));
    let each = texts.into_iter().filter_map(|text| request_of(&text, out).map(|request| (text, request)));
    Some(Requests::Each(each.collect()))
}

/// Adds the tests that a table or one of its cases comes to, one for each request.
fn add(
    fields: &Fields<'_>,
    name: Option<&Text>,
    case: Option<&Text>,
    asked: Option<&Requests>,
    tests: &mut Vec<Case>,
    out: &mut Diagnostics,
) {
    let named = |request: Option<&Text>| {
        let name = name?;
        let parts: Vec<&str> = case.into_iter().chain(request).map(|part| part.value.as_str()).collect();
        let place = case.or(request).unwrap_or(name).span;
        let suffix = if parts.is_empty() { String::new() } else { format!(" [{}]", parts.join(", ")) };
        Some(Text::new(format!("{}{suffix}", name.value), place))
    };
    let mut add = |name: Option<Text>, request: Option<Spanned<CaseRequest>>| {
        if tests.len() == MAX_TESTS {
            let message = format!("the policy has more than {MAX_TESTS} tests");
            out.push(Diagnostic::error(Code::OutOfRange, fields.span(), message).label("from here on"));
            return false;
        }
        tests.extend(test(fields, name, request, out));
        true
    };
    match asked {
        None => {
            add(named(None), None);
            fields.require("request", "a method and a URL, like \"GET https://example.com/orders\"", out);
        }
        Some(Requests::One(request)) => {
            add(named(None), request.clone());
        }
        Some(Requests::Each(each)) => {
            for (text, request) in each {
                if !add(named(Some(text)), Some(request.clone())) {
                    return;
                }
            }
        }
    }
}

/// One test; what its table says and a case leaves out is in `fields`.
fn test(
    fields: &Fields<'_>,
    name: Option<Text>,
    request: Option<Spanned<CaseRequest>>,
    out: &mut Diagnostics,
) -> Option<Case> {
    let credential = fields.get("as").map_or(Some(CaseCredential::Absent), |node| credential(node, out));
    let from = fields.text("from", out).and_then(|text| address(&text, out));
    let peer = fields.text("peer", out).and_then(|text| address(&text, out));
    if let (Some(peer), Some(from)) = (fields.key_span("peer"), fields.key_span("from")) {
        let message = format!("{} has both `from` and `peer`", fields.what());
        let problem =
            Diagnostic::error(Code::ConflictingKeys, peer, message).also(from, "where it comes from as decided");
        out.push(problem.help("with `peer`, the proxies of the policy and `headers` say where the request comes from"));
    }
    if let (Some(span), None) = (fields.key_span("peer"), fields.get("headers")) {
        let message = format!("{} has `peer` and no `headers`", fields.what());
        let help =
            "say which headers the request has, `headers = {}` for none, or where it comes from as decided: `from`";
        out.push(Diagnostic::error(Code::InvalidTest, span, message).help(help));
    }
    let at = fields.get("at").and_then(|node| node.instant("at", out));
    let grants = fields.get("grants").map(|node| grants(node, out)).unwrap_or_default();
    if let (Some(span), Some(CaseCredential::Absent | CaseCredential::Expired | CaseCredential::Invalid)) =
        (fields.key_span("grants"), &credential)
    {
        let message = format!("{} has grants for nobody", fields.what());
        let problem = Diagnostic::error(Code::InvalidTest, span, message).label("grants are to a person");
        out.push(problem.help("say who asks: `as = { groups = [\"billing\"] }`"));
    }
    let outcomes = Expectation::ALL.map(|expectation| (expectation.as_str(), expectation));
    let mut outcome = |key: &str, node: Option<Node<'_>>| {
        let node = node?;
        node.word(key, &outcomes, out).map(|value| Spanned::new(value, node.span()))
    };
    let expect_candidate = outcome("expect-candidate", fields.get("expect-candidate"));
    let expect = outcome("expect", fields.get("expect"));
    fields.require(
        "expect",
        "what must come out: \"allow\", \"deny\", \"authenticate\", \"step-up\" or \"request-access\"",
        out,
    );
    let reasons = Reason::ALL.map(|reason| (reason.as_str(), reason));
    let reason = fields
        .get("reason")
        .and_then(|node| node.word("reason", &reasons, out).map(|value| Spanned::new(value, node.span())));
    Some(Case {
        name,
        environment: fields.text("environment", out),
        place: fields.span(),
        request,
        credential: credential?,
        from,
        peer,
        at: at.map(|at| Timestamp::from(at.value)),
        headers: fields.get("headers").map(|node| case_facts::headers(node, out)),
        facts: fields.get("facts").map(|node| case_facts::facts(node, out)),
        certificate: fields.get("certificate").and_then(|node| case_facts::certificate(node, out)),
        frontend: fields.text("frontend", out).map(|text| {
            values::check_frontend(&text, out);
            text.value
        }),
        grants,
        expect,
        expect_candidate,
        rule: fields.text("rule", out),
        reason,
        scope: fields.text("scope", out),
        privileged: fields.get("privileged").and_then(|node| node.boolean("privileged", out)),
    })
}

fn request_of(text: &Text, out: &mut Diagnostics) -> Option<Spanned<CaseRequest>> {
    let mut problem = |range: std::ops::Range<usize>, label: &str| {
        let message = format!("{} is not a request", quoted(&text.value));
        let help = "write a method, one space, and a URL or a path: \"GET https://example.com/orders\"";
        out.push(Diagnostic::error(Code::InvalidRequest, text.part(range), message).label(label).help(help));
    };
    let Some((method, url)) = text.value.split_once(' ') else {
        problem(0..text.value.len(), "no space between method and URL");
        return None;
    };
    let url_range = method.len() + 1..text.value.len();
    let token = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
    if method.is_empty() || !method.bytes().all(token) {
        problem(0..method.len(), "not a method");
        return None;
    }
    // Anything else may be the point of a test: the canonical form has its own opinion.
    if url.contains(|c: char| c.is_whitespace() || c.is_control()) {
        problem(url_range, "a space or a control character");
        return None;
    }
    let (host, target) = match url.strip_prefix("https://").or(url.strip_prefix("http://")) {
        Some(rest) => {
            let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
            let (authority, target) = rest.split_at(end);
            let (name, port) = values::split_port(authority);
            if name.is_empty() || authority.contains('@') || port.is_some_and(|port| port.parse::<u16>().is_err()) {
                problem(url_range, "no host that a request could name");
                return None;
            }
            let slash = if target.starts_with('/') { "" } else { "/" };
            (Some(authority.to_owned()), format!("{slash}{target}"))
        }
        None if url.starts_with('/') => (None, url.to_owned()),
        None => {
            problem(url_range, "neither an http or https URL nor a path");
            return None;
        }
    };
    Some(Spanned::new(CaseRequest { method: method.to_owned(), host, target }, text.span))
}

/// Who asks without being anybody.
#[derive(Clone, Copy)]
enum Unidentified {
    Nobody,
    Expired,
    Invalid,
}

const WITHOUT_IDENTITY: [(&str, Unidentified); 3] =
    [("nobody", Unidentified::Nobody), ("expired", Unidentified::Expired), ("invalid", Unidentified::Invalid)];

fn credential(node: Node<'_>, out: &mut Diagnostics) -> Option<CaseCredential> {
    if let DeValue::String(_) = node.value() {
        return Some(match node.word("as", &WITHOUT_IDENTITY, out)? {
            Unidentified::Nobody => CaseCredential::Absent,
            Unidentified::Expired => CaseCredential::Expired,
            Unidentified::Invalid => CaseCredential::Invalid,
        });
    }
    const KEYS: [&str; 8] = ["sub", "issuer", "kind", "groups", "email", "claims", "login", "via"];
    let fields = Fields::open(node, "`as`", &KEYS, out)?;
    let email = fields.text("email", out);
    if let Some(text) = &email {
        values::email(text, out);
    }
    let claims = claims(&fields, out);
    Some(CaseCredential::Identity(Box::new(CaseIdentity {
        span: fields.span(),
        issuer: fields.text("issuer", out),
        subject: fields.text("sub", out).map(|text| text.value),
        kind: fields.text("kind", out).map(|text| text.value),
        email: email.map(|text| text.value),
        groups: fields.texts("groups", out).unwrap_or_default(),
        claims,
        login: fields.text("login", out),
        via: fields.get("via").and_then(|node| actor(node, out)),
    })))
}

fn actor(node: Node<'_>, out: &mut Diagnostics) -> Option<CaseActor> {
    let fields = Fields::open(node, "`via`", &["sub", "issuer", "claims"], out)?;
    if fields.is_empty() {
        let problem = Diagnostic::error(Code::EmptyValue, fields.span(), "`via` is an empty table");
        out.push(problem.help("say who acts, like `{ sub = \"agent:assistant\" }`"));
    }
    Some(CaseActor {
        span: fields.span(),
        issuer: fields.text("issuer", out),
        subject: fields.text("sub", out).map(|text| text.value),
        claims: claims(&fields, out),
    })
}

/// The claims of a person or an actor; none if there is no such key.
fn claims(fields: &Fields<'_>, out: &mut Diagnostics) -> serde_json::Map<String, serde_json::Value> {
    let read = fields.get("claims").and_then(|node| match json(node, out)? {
        serde_json::Value::Object(claims) => Some(claims),
        _ => {
            out.push(node.wrong_type("claims", "a table"));
            None
        }
    });
    read.unwrap_or_default()
}

/// A value as it would stand in a token. The TOML parser bounds the depth.
fn json(node: Node<'_>, out: &mut Diagnostics) -> Option<serde_json::Value> {
    match node.value() {
        DeValue::String(text) => Some(text.clone().into_owned().into()),
        DeValue::Boolean(value) => Some((*value).into()),
        DeValue::Integer(_) => node.integer("claims", out).map(|number| number.value.into()),
        DeValue::Float(value) => {
            let number = value.as_str().replace('_', "").parse().ok().and_then(serde_json::Number::from_f64);
            if number.is_none() {
                out.push(Diagnostic::error(Code::InvalidClaim, node.span(), "a claim cannot be infinite or no number"));
            }
            number.map(serde_json::Value::Number)
        }
        DeValue::Datetime(_) => {
            let problem = Diagnostic::error(Code::InvalidClaim, node.span(), "a claim cannot be a date or time");
            out.push(problem.help("tokens have seconds since 1970 as an integer, or a string"));
            None
        }
        DeValue::Array(_) => {
            let items: Vec<_> = node.items().map(|item| json(item, out)).collect();
            items.into_iter().collect::<Option<Vec<_>>>().map(serde_json::Value::Array)
        }
        DeValue::Table(_) => {
            let members = Fields::entries(node, "`claims`", out);
            let members: Vec<_> =
                members.into_iter().map(|(name, node)| json(node, out).map(|value| (name.value, value))).collect();
            members.into_iter().collect::<Option<serde_json::Map<_, _>>>().map(serde_json::Value::Object)
        }
    }
}

fn address(text: &Text, out: &mut Diagnostics) -> Option<IpAddr> {
    let address = text.value.parse::<IpAddr>().ok().map(|address| address.to_canonical());
    if address.is_none() {
        let message = format!("{} is not an address", quoted(&text.value));
        let problem = Diagnostic::error(Code::InvalidTest, text.span, message);
        out.push(problem.help("write the address of the peer, like \"203.0.113.9\""));
    }
    address
}

fn grants(node: Node<'_>, out: &mut Diagnostics) -> Vec<CaseGrant> {
    let nodes = node.list("grants", "tables", out).unwrap_or_default();
    nodes
        .into_iter()
        .filter_map(|node| {
            let fields = Fields::open(node, "a grant", &["scope", "approval", "captures", "in-person"], out)?;
            let mut name = |key: &str, help: &str| fields.require(key, help, out).and_then(|node| node.text(key, out));
            let scope = name("scope", "which scope the grant opens");
            let approval = name("approval", "under which approval it was given");
            let captures = fields.get("captures").map(|node| captures::values(node, out)).unwrap_or_default();
            let in_person = fields.get("in-person").and_then(|node| node.boolean("in-person", out));
            let in_person = in_person.is_some_and(|flag| flag.value);
            Some(CaseGrant { span: fields.span(), scope, approval, captures, in_person })
        })
        .collect()
}

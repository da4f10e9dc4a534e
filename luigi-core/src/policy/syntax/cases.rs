//! `[[tests]]`: requests and what must come out.

use super::node::{Fields, Node, Text, quoted};
use super::rules::tables_of;
use super::{Case, CaseCredential, CaseGrant, CaseIdentity, CaseRequest, Spanned, Syntax, values};
use crate::decide::Reason;
use crate::policy::diagnostics::{Code, Diagnostic, Diagnostics};
use crate::policy::test_case::Expectation;
use crate::time::Timestamp;
use std::net::IpAddr;
use toml::de::DeValue;

/// Reads the tests of one document.
pub(super) fn read(top: &Fields<'_>, syntax: &mut Syntax, out: &mut Diagnostics) {
    for node in tables_of(top, "tests", out) {
        syntax.cases.extend(case(node, out));
    }
}

fn case(node: Node<'_>, out: &mut Diagnostics) -> Option<Case> {
    const KEYS: [&str; 10] =
        ["name", "request", "as", "from", "at", "grants", "expect", "expect-candidate", "rule", "reason"];
    let fields = Fields::open_named(node, "test", "name", &KEYS, out)?;
    let name = fields.require("name", "say in a few words what must hold", out).and_then(|node| node.text("name", out));
    if let Some(name) = name.as_ref().filter(|name| name.value.contains(char::is_control)) {
        let message = format!("{} is not the name of a test", quoted(&name.value));
        let problem = Diagnostic::error(Code::InvalidTest, name.span, message).label("a control character");
        out.push(problem.help("write the name in one line, as it is to be printed"));
    }
    let request = fields.require("request", "a method and a URL, like \"GET https://example.com/orders\"", out);
    let request = request.and_then(|node| node.text("request", out)).and_then(|text| request_of(&text, out));
    let credential = fields.get("as").map_or(Some(CaseCredential::Absent), |node| credential(node, out));
    let from = fields.text("from", out).and_then(|text| address(&text, out));
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
        request,
        credential: credential?,
        from,
        at: at.map(|at| Timestamp::from(at.value)),
        grants,
        expect,
        expect_candidate,
        rule: fields.text("rule", out),
        reason,
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

fn credential(node: Node<'_>, out: &mut Diagnostics) -> Option<CaseCredential> {
    if let DeValue::String(_) = node.value() {
        let expired = node.word("as", &[("expired", true), ("invalid", false)], out)?;
        return Some(if expired { CaseCredential::Expired } else { CaseCredential::Invalid });
    }
    const KEYS: [&str; 7] = ["sub", "issuer", "kind", "groups", "email", "claims", "login"];
    let fields = Fields::open(node, "`as`", &KEYS, out)?;
    let email = fields.text("email", out);
    if let Some(text) = &email {
        values::email(text, out);
    }
    let claims = fields.get("claims").and_then(|node| match json(node, out)? {
        serde_json::Value::Object(claims) => Some(claims),
        _ => {
            out.push(node.wrong_type("claims", "a table"));
            None
        }
    });
    Some(CaseCredential::Identity(Box::new(CaseIdentity {
        span: fields.span(),
        issuer: fields.text("issuer", out),
        subject: fields.text("sub", out).map(|text| text.value),
        kind: fields.text("kind", out).map(|text| text.value),
        email: email.map(|text| text.value),
        groups: fields.texts("groups", out).unwrap_or_default(),
        claims: claims.unwrap_or_default(),
        login: fields.text("login", out),
    })))
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
            let fields = Fields::open(node, "a grant", &["scope", "approval"], out)?;
            let mut name = |key: &str, help: &str| fields.require(key, help, out).and_then(|node| node.text(key, out));
            let scope = name("scope", "which scope the grant opens");
            let approval = name("approval", "under which approval it was given");
            Some(CaseGrant { scope, approval })
        })
        .collect()
}

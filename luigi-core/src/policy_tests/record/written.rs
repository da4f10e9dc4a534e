//! Recorded tests as text.

use super::{Observed, Outcome};
use crate::policy::model::Policy;
use crate::policy::test_case::{TestActor, TestCase, TestCredential, TestIdentity};
use serde_json::{Map, Value};
use std::fmt::Write;

/// A string of TOML, quoted and escaped.
pub(super) fn text(value: &str) -> String {
    toml::Value::from(value).to_string()
}

fn texts<'a>(values: impl IntoIterator<Item = &'a str>) -> String {
    let values: Vec<String> = values.into_iter().map(text).collect();
    format!("[{}]", values.join(", "))
}

/// Whether a test can make this request: a method, and a host and a path without spaces and control characters.
pub(super) fn is_request(observed: &Observed) -> bool {
    let token = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
    let visible = |text: &str| !text.contains(|c: char| c.is_whitespace() || c.is_control());
    let host = observed.host.as_deref().is_none_or(|host| {
        let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
        visible(host) && !name.is_empty() && !host.contains(['/', '?', '#', '@'])
    });
    let method = !observed.method.is_empty() && observed.method.bytes().all(token);
    host && method && observed.target.starts_with('/') && visible(&observed.target)
}

/// Whether everything in the test can be said in TOML, which has no null.
pub(super) fn is_writable(test: &TestCase) -> bool {
    let TestCredential::Identity(person) = &test.credential else { return true };
    let actor = person.via.as_ref().map(|actor| &actor.claims);
    std::iter::once(&person.claims).chain(actor).all(|claims| toml_of(&Value::Object(claims.clone())).is_some())
}

/// The table of a test, as it stands in a policy.
pub(super) fn table(policy: &Policy, test: &TestCase, outcome: &Outcome) -> String {
    let mut out = format!("[[tests]]\nname = {}\n", text(&test.name));
    // Writing to a string cannot fail.
    let mut line = |key: &str, value: String| {
        let _ = writeln!(out, "{key} = {value}");
    };
    if let Some(environment) = &test.environment {
        line("environment", text(environment));
    }
    let url = test.host.as_ref().map_or_else(|| test.target.clone(), |host| format!("https://{host}{}", test.target));
    line("request", text(&format!("{} {url}", test.method)));
    match &test.credential {
        TestCredential::Absent => {}
        TestCredential::Expired => line("as", text("expired")),
        TestCredential::Invalid => line("as", text("invalid")),
        TestCredential::Identity(person) => line("as", person_table(policy, person)),
    }
    if let Some(from) = test.from {
        line("from", text(&from.to_string()));
    }
    if let Some(at) = test.at {
        line("at", at.to_string());
    }
    if let Some(headers) = &test.facts.headers {
        let value = |(name, values): &(String, Vec<String>)| match &values[..] {
            [one] => format!("{} = {}", text(name), text(one)),
            several => format!("{} = {}", text(name), texts(several.iter().map(String::as_str))),
        };
        line("headers", format!("{{ {} }}", headers.iter().map(value).collect::<Vec<_>>().join(", ")));
    }
    if let Some(facts) = &test.facts.facts {
        let value = |(name, value): &(String, String)| format!("{} = {}", text(name), text(value));
        line("facts", format!("{{ {} }}", facts.iter().map(value).collect::<Vec<_>>().join(", ")));
    }
    if let Some(frontend) = &test.facts.frontend {
        line("frontend", text(frontend));
    }
    if !test.grants.is_empty() {
        let grants = test.grants.iter().map(|grant| {
            let (scope, approval) = (&policy.scopes[grant.scope].name, &policy.approvals[grant.approval].name);
            let captures = grant.captures.iter().map(|(name, value)| format!("{} = {}", text(name), text(value)));
            let captures: Vec<_> = captures.collect();
            let captures =
                if captures.is_empty() { String::new() } else { format!(", captures = {{ {} }}", captures.join(", ")) };
            format!("{{ scope = {}, approval = {}{captures} }}", text(scope), text(approval))
        });
        line("grants", format!("[{}]", grants.collect::<Vec<_>>().join(", ")));
    }
    line("expect", text(outcome.expect.as_str()));
    if outcome.candidate != outcome.expect {
        line("expect-candidate", text(outcome.candidate.as_str()));
    }
    match outcome.rule {
        Some(rule) => line("rule", text(&policy.rules[rule].name)),
        None => line("reason", text(outcome.reason.as_str())),
    }
    if let Some(scope) = outcome.scopes.first() {
        line("scope", text(scope));
    }
    out
}

fn person_table(policy: &Policy, person: &TestIdentity) -> String {
    let mut parts = Vec::new();
    if policy.default_issuer != Some(person.issuer) {
        parts.push(format!("issuer = {}", text(&policy.issuers[person.issuer].name)));
    }
    // A table that says nothing is somebody all the same.
    if person.subject != "test" || person.groups.is_empty() {
        parts.push(format!("sub = {}", text(&person.subject)));
    }
    parts.extend(person.kind.as_ref().map(|kind| format!("kind = {}", text(kind))));
    parts.extend(person.email.as_ref().map(|email| format!("email = {}", text(email))));
    if !person.groups.is_empty() {
        let names: Vec<String> = person.groups.iter().map(|held| held.named(policy)).collect();
        parts.push(format!("groups = {}", texts(names.iter().map(String::as_str))));
    }
    parts.extend(person.login.map(|login| format!("login = {}", text(&policy.logins[login].name))));
    parts.extend(claims("claims", &person.claims));
    parts.extend(person.via.as_ref().map(|actor| format!("via = {}", actor_table(policy, person, actor))));
    format!("{{ {} }}", parts.join(", "))
}

fn actor_table(policy: &Policy, person: &TestIdentity, actor: &TestActor) -> String {
    let mut parts = Vec::new();
    if actor.issuer != person.issuer {
        parts.push(format!("issuer = {}", text(&policy.issuers[actor.issuer].name)));
    }
    parts.extend(actor.subject.as_ref().map(|subject| format!("sub = {}", text(subject))));
    parts.extend(claims("claims", &actor.claims));
    format!("{{ {} }}", parts.join(", "))
}

fn claims(key: &str, claims: &Map<String, Value>) -> Option<String> {
    let value = toml_of(&Value::Object(claims.clone())).filter(|_| !claims.is_empty())?;
    Some(format!("{key} = {value}"))
}

/// A value of JSON as TOML; `None` if there is a null in it or a number that TOML does not have.
fn toml_of(value: &Value) -> Option<toml::Value> {
    Some(match value {
        Value::Null => return None,
        Value::Bool(value) => (*value).into(),
        Value::Number(number) => match number.as_i64() {
            Some(integer) => integer.into(),
            None if number.is_f64() => number.as_f64()?.into(),
            None => return None,
        },
        Value::String(text) => text.as_str().into(),
        Value::Array(items) => toml::Value::Array(items.iter().map(toml_of).collect::<Option<_>>()?),
        Value::Object(members) => {
            let member = |(name, value): (&String, &Value)| Some((name.clone(), toml_of(value)?));
            toml::Value::Table(members.iter().map(member).collect::<Option<_>>()?)
        }
    })
}

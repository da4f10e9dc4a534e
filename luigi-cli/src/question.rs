//! A request that somebody describes instead of sending: for `explain` on the command line, for `decide` in a line of JSON.
//!
//! The words are those of `[[tests]]` in a policy. Whoever is described is believed: the identity's provenance says so. A token is not
//! believed but verified. Nothing is normalised here: what a client would send goes to the decision as it stands.

use crate::brought::{Brought, OneOrMore};
use luigi_core::decide::{FactValue, Request, RequestFacts, Source};
use luigi_core::described::DescribedFacts;
use luigi_core::grant_set::{Grant, GrantSet};
use luigi_core::identity::{
    Actor, ClientCertificate, Completeness, Credential, CredentialError, Email, Groups, Identity, InvalidCredential,
    Login, Trust,
};
use luigi_core::policy::captures::group_in_tokens;
use luigi_core::policy::model::{Issuer, Policy};
use luigi_core::stop_set::StopSet;
use luigi_core::target::{RawTarget, TargetBuffer, canonicalize};
use luigi_core::time::Timestamp;
use serde::Deserialize;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::net::IpAddr;

/// How long described identities and grants last, in seconds, on either side of the moment of the request.
const AROUND_SECONDS: i64 = 3600;

/// A request and its circumstances, in names.
#[derive(Clone, Debug)]
pub(crate) struct Question {
    method: String,
    host: Option<String>,
    target: String,
    asker: Asker,
    from: Option<IpAddr>,
    at: Timestamp,
    grants: Vec<NamedGrant>,
    facts: DescribedFacts,
}

/// Who asks.
#[derive(Clone, Debug)]
pub(crate) enum Asker {
    /// No credential at all.
    Nobody,
    /// Somebody with a token that has expired.
    Expired,
    /// Somebody with a token that is not to be believed.
    Invalid,
    /// Whoever this token is for.
    Token(String),
    /// This person.
    Person(Box<Person>),
}

/// A person or program, described.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Person {
    issuer: Option<String>,
    sub: Option<String>,
    kind: Option<String>,
    email: Option<String>,
    #[serde(default)]
    groups: Vec<String>,
    #[serde(default)]
    claims: Map<String, Value>,
    login: Option<String>,
    via: Option<Acts>,
}

/// Who acts for a person, described.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, expecting = "an object with `sub`")]
pub(crate) struct Acts {
    issuer: Option<String>,
    sub: Option<String>,
    #[serde(default)]
    claims: Map<String, Value>,
}

/// A grant in force for whoever asks.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, expecting = "an object with `scope` and `approval`")]
pub(crate) struct NamedGrant {
    pub(crate) scope: String,
    pub(crate) approval: String,
    /// The values of the captures that the approval is per.
    #[serde(default)]
    pub(crate) captures: BTreeMap<String, String>,
    /// Whether it is the person's own even if somebody acts; else it names whoever acts.
    #[serde(rename = "in-person", default)]
    pub(crate) in_person: bool,
}

/// One line of `luigi decide`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, expecting = "an object with `request`")]
struct Line {
    #[serde(default)]
    id: Value,
    request: String,
    #[serde(rename = "as", default)]
    asker: Value,
    token: Option<String>,
    from: Option<IpAddr>,
    at: Option<String>,
    #[serde(default)]
    grants: Vec<NamedGrant>,
    headers: Option<BTreeMap<String, OneOrMore>>,
    facts: Option<BTreeMap<String, String>>,
    #[serde(default)]
    certificate: Value,
    frontend: Option<String>,
}

impl Question {
    /// A question from its parts; `request` is a method, a space, and a URL or a path, or host and port for CONNECT.
    pub(crate) fn new(
        request: &str,
        asker: Asker,
        from: Option<IpAddr>,
        at: Timestamp,
        grants: Vec<NamedGrant>,
    ) -> Result<Self, String> {
        let (method, host, target) = split_request(request)?;
        Ok(Self { method, host, target, asker, from, at, grants, facts: DescribedFacts::default() })
    }

    /// Whether it asks for a tunnel.
    pub(crate) fn is_connect(&self) -> bool {
        self.method == "CONNECT"
    }

    /// The same request with what it brings along.
    pub(crate) fn bringing(self, facts: DescribedFacts) -> Self {
        Self { facts, ..self }
    }

    /// A question from a JSON object, with the value of its `id` (null if it has none). `now` is for those without `at`.
    pub(crate) fn from_json(text: &str, now: Timestamp) -> Result<(Value, Self), (Value, String)> {
        // Serde takes a list for an object whose keys are left out.
        if text.trim_start().starts_with('[') {
            return Err((Value::Null, "expected an object with `request`".to_owned()));
        }
        let line: Line = at_key(text).map_err(|error| {
            let id = serde_json::from_str::<Value>(text).ok().and_then(|value| value.get("id").cloned());
            (id.unwrap_or(Value::Null), error)
        })?;
        let Line { id, request, asker, token, from, at, grants, headers, facts, certificate, frontend } = line;
        let question = || {
            let asker = match (asker, token) {
                (Value::Null, Some(token)) => Asker::Token(token),
                (asker, None) => Asker::from_json(asker)?,
                (_, Some(_)) => return Err("`as` and `token` cannot stand together".to_owned()),
            };
            let at = at.map_or(Ok(now), |at| timestamp(&at).map_err(|why| format!("`at`: {why}")))?;
            let facts = Brought { headers, facts, certificate, frontend }.described()?;
            let question = Self::new(&request, asker, from, at, grants).map_err(|why| format!("`request`: {why}"))?;
            Ok(question.bringing(facts))
        };
        match question() {
            Ok(question) => Ok((id, question)),
            Err(error) => Err((id, error)),
        }
    }

    /// Resolves the names and verifies the token.
    ///
    /// `standing` are the grants that count if the question names none; `stops` count always.
    pub(crate) fn prepare<'a>(
        &'a self,
        policy: &Policy,
        trust: &Trust,
        standing: Option<&'a GrantSet>,
        stops: &'a StopSet,
    ) -> Result<Prepared<'a>, String> {
        let credential = match &self.asker {
            Asker::Nobody => Prepare::Absent,
            Asker::Expired => Prepare::Expired,
            Asker::Invalid => Prepare::Invalid(InvalidCredential::BadSignature),
            Asker::Token(token) => match trust.verify(token.as_bytes(), self.at) {
                Ok(identity) => Prepare::Identity(Box::new(identity)),
                Err(CredentialError::Expired) => Prepare::Expired,
                Err(CredentialError::Invalid(why)) => Prepare::Invalid(why),
            },
            Asker::Person(person) => Prepare::Identity(Box::new(person.identity(policy, self.at)?)),
        };
        let grants = match (&self.grants[..], &credential, standing) {
            ([], _, Some(standing)) => Grants::Standing(standing),
            ([], _, None) => Grants::Own(GrantSet::default()),
            (named, Prepare::Identity(identity), _) => {
                let grants = named.iter().map(|named| named.resolve(policy, identity, self.at));
                Grants::Own(GrantSet::new(grants.collect::<Result<_, _>>()?))
            }
            (_, Prepare::Absent | Prepare::Expired | Prepare::Invalid(_), _) => {
                return Err("`grants`: they need somebody they are for".to_owned());
            }
        };
        let (values, certificate) = (self.facts.values(policy), self.facts.certificate());
        Ok(Prepared { question: self, credential, grants, stops, target: TargetBuffer::new(), values, certificate })
    }
}

/// A question with its names resolved.
#[derive(Debug)]
pub(crate) struct Prepared<'a> {
    question: &'a Question,
    credential: Prepare,
    grants: Grants<'a>,
    stops: &'a StopSet,
    target: TargetBuffer,
    values: Vec<FactValue<'a>>,
    certificate: ClientCertificate<'a>,
}

#[derive(Debug)]
enum Prepare {
    Absent,
    Expired,
    Invalid(InvalidCredential),
    Identity(Box<Identity>),
}

#[derive(Debug)]
enum Grants<'a> {
    Standing(&'a GrantSet),
    Own(GrantSet),
}

impl Prepared<'_> {
    /// The request that a decision is about.
    pub(crate) fn request(&mut self) -> Request<'_> {
        let question = self.question;
        let raw = RawTarget {
            method: question.method.as_bytes(),
            target: question.target.as_bytes(),
            host: question.host.as_deref().map(str::as_bytes),
        };
        Request {
            method: question.method.as_bytes(),
            target: canonicalize(raw, &mut self.target),
            upgrade: question.facts.upgrade(),
            source: question.from.map_or(Source::Unknown, Source::from_address),
            credential: match &self.credential {
                Prepare::Absent => Credential::Absent,
                Prepare::Expired => Credential::Expired,
                Prepare::Invalid(why) => Credential::Invalid(*why),
                Prepare::Identity(identity) => Credential::Verified(identity),
            },
            time: question.at,
            grants: match &self.grants {
                Grants::Standing(grants) => grants,
                Grants::Own(grants) => grants,
            },
            stops: self.stops,
            facts: RequestFacts { values: &self.values, certificate: &self.certificate },
        }
    }
}

impl Asker {
    /// The same, with somebody acting for it.
    pub(crate) fn via(self, acts: Acts) -> Result<Self, String> {
        match self {
            Self::Person(mut person) => {
                if person.via.replace(acts).is_some() {
                    return Err("who acts is said twice, with `--via` and in `--as`".to_owned());
                }
                Ok(Self::Person(person))
            }
            Self::Nobody | Self::Expired | Self::Invalid | Self::Token(_) => {
                Err("`--via` needs a person described by `--as`; a token says itself who acts".to_owned())
            }
        }
    }

    /// `"nobody"`, `"expired"`, `"invalid"` or an object that describes a person; null is nobody.
    pub(crate) fn from_json(value: Value) -> Result<Self, String> {
        match value {
            Value::Null => Ok(Self::Nobody),
            Value::String(word) => match word.as_str() {
                "nobody" => Ok(Self::Nobody),
                "expired" => Ok(Self::Expired),
                "invalid" => Ok(Self::Invalid),
                other => {
                    Err(format!("`as` is an object, `nobody`, `expired` or `invalid`, not `{}`", other.escape_debug()))
                }
            },
            object @ Value::Object(_) => match serde_path_to_error::deserialize(object) {
                Ok(person) => Ok(Self::Person(Box::new(person))),
                Err(error) => Err(format!("`{}`: {}", key_in("as", error.path()), error.inner())),
            },
            Value::Bool(_) | Value::Number(_) | Value::Array(_) => {
                Err("`as` is an object, `nobody`, `expired` or `invalid`".to_owned())
            }
        }
    }

    /// As [`Asker::from_json`], from the text of an argument; a bare word needs no quotes.
    pub(crate) fn from_argument(text: &str) -> Result<Self, String> {
        if text.trim_start().starts_with('{') {
            let value = serde_json::from_str(text).map_err(|error| format!("`as`: {error}"))?;
            Self::from_json(value)
        } else {
            Self::from_json(Value::String(text.to_owned()))
        }
    }
}

impl Person {
    fn identity(&self, policy: &Policy, at: Timestamp) -> Result<Identity, String> {
        let issuer = self.issuer(policy)?;
        let subject = self.sub.as_deref().unwrap_or("test");
        if self.claims.contains_key("act") {
            return Err("`as`: say who acts as `via`, not as a claim `act`".to_owned());
        }
        let in_tokens = |name: &String| {
            group_in_tokens(policy, name).map(Into::into).map_err(|error| format!("`as.groups`: {error}"))
        };
        let groups = self.groups.iter().map(in_tokens);
        let groups = Groups::new(groups.collect::<Result<_, _>>()?, Completeness::Complete);
        let expires_at = at.plus_seconds(AROUND_SECONDS);
        // UNSHOWN: who vouches, in decisions that nobody keeps.
        let mut identity = Identity::assert("the command line", &issuer.trust.url, subject, expires_at)
            .groups(groups)
            .claims(self.claims.clone())
            .login(self.login(policy, at)?);
        if let Some(kind) = self.kind.as_ref().or(issuer.trust.kind.as_ref()) {
            identity = identity.kind(kind);
        }
        if let Some(address) = &self.email {
            identity = identity.email(Email { address: address.as_str().into(), verified: Some(true) });
        }
        if let Some(acts) = &self.via {
            identity = identity.actor(acts.actor(policy, issuer)?);
        }
        Ok(identity.with_token_claims(&issuer.trust).finish())
    }

    fn issuer<'p>(&self, policy: &'p Policy) -> Result<&'p Issuer, String> {
        match (&self.issuer, policy.default_issuer) {
            (Some(name), _) => issuer_named(name, policy),
            // UNSHOWN: a policy has the issuer that it names.
            (None, Some(id)) => policy.issuers.row(id).ok_or_else(|| "the policy has no default issuer".to_owned()),
            (None, None) => {
                Err("the policy has no default issuer: say which `issuer` vouches for whoever asks".to_owned())
            }
        }
    }

    /// A login just made that meets the requirement of this name.
    fn login(&self, policy: &Policy, at: Timestamp) -> Result<Login, String> {
        let Some(name) = &self.login else { return Ok(Login::default()) };
        let found = policy.logins.iter().find(|(_, login)| login.name == *name);
        let (_, login) = found.ok_or_else(|| unknown("login", name))?;
        Ok(Login {
            auth_time: Some(at),
            acr: login.acr_any.first().map(|acr| acr.as_str().into()),
            amr: login.sufficient_amr(),
        })
    }
}

impl Acts {
    /// As an argument: a subject, or an object as in JSON.
    pub(crate) fn from_argument(text: &str) -> Result<Self, String> {
        if text.trim_start().starts_with('{') {
            return serde_json::from_str(text).map_err(|error| format!("`via`: {error}"));
        }
        if text.is_empty() {
            return Err("expected the subject of whoever acts".to_owned());
        }
        Ok(Self { issuer: None, sub: Some(text.to_owned()), claims: Map::new() })
    }

    /// As a token of `of`, the person's issuer, would name it.
    fn actor(&self, policy: &Policy, of: &Issuer) -> Result<Actor, String> {
        let mut act = self.claims.clone();
        if act.contains_key("sub") || act.contains_key("iss") {
            return Err("`via`: `sub` and `issuer` stand beside `claims`, not in them".to_owned());
        }
        if let Some(name) = &self.issuer {
            act.insert("iss".to_owned(), issuer_named(name, policy)?.trust.url.as_str().into());
        }
        if let Some(subject) = &self.sub {
            act.insert("sub".to_owned(), subject.as_str().into());
        }
        Ok(Actor::from_claim(&of.trust.url, &Value::Object(act)))
    }
}

fn issuer_named<'p>(name: &str, policy: &'p Policy) -> Result<&'p Issuer, String> {
    let found = policy.issuers.iter().find(|(_, issuer)| issuer.name == name);
    found.map(|(_, issuer)| issuer).ok_or_else(|| unknown("issuer", name))
}

impl NamedGrant {
    /// `SCOPE:APPROVAL`, with `:NAME=VALUE` for each capture that the approval is per, or an object as in JSON.
    pub(crate) fn from_argument(text: &str) -> Result<Self, String> {
        if text.trim_start().starts_with('{') {
            return serde_json::from_str(text).map_err(|error| format!("grant: {error}"));
        }
        let mut parts = text.split(':');
        let (Some(scope), Some(approval)) = (parts.next(), parts.next().filter(|approval| !approval.is_empty())) else {
            return Err("expected SCOPE:APPROVAL".to_owned());
        };
        if scope.is_empty() {
            return Err("expected SCOPE:APPROVAL".to_owned());
        }
        let capture = |part: &str| part.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned()));
        let captures = parts.map(|part| capture(part).ok_or("expected SCOPE:APPROVAL:NAME=VALUE"));
        let captures = captures.collect::<Result<_, _>>()?;
        Ok(Self { scope: scope.to_owned(), approval: approval.to_owned(), captures, in_person: false })
    }

    fn resolve(&self, policy: &Policy, identity: &Identity, at: Timestamp) -> Result<Grant, String> {
        let scope = policy.scopes.iter().find(|(_, scope)| scope.name == self.scope);
        let (_, scope) = scope.ok_or_else(|| unknown("scope", &self.scope))?;
        let approval = policy.approvals.iter().find(|(_, approval)| approval.name == self.approval);
        let (_, approval) = approval.ok_or_else(|| unknown("approval", &self.approval))?;
        let lacking = approval.per.iter().find(|name| !self.captures.contains_key(*name));
        if let Some(name) = lacking {
            let shape = format!("{}:{}:{name}=VALUE", self.scope, self.approval);
            return Err(format!("the approval `{}` is per `{name}`: write `{shape}`", self.approval));
        }
        if let Some(name) = self.captures.keys().find(|name| !approval.per.contains(name)) {
            return Err(format!("the approval `{}` is not per `{}`", self.approval, name.escape_debug()));
        }
        Ok(Grant {
            id: format!("{}:{}", self.scope, self.approval),
            issuer: identity.issuer().to_owned(),
            subject: identity.subject().to_owned(),
            actor: identity.actor().filter(|_| !self.in_person).and_then(named),
            scope: self.scope.clone(),
            scope_hash: scope.content_hash,
            approval: self.approval.clone(),
            approval_hash: approval.content_hash,
            path: None,
            networks: Vec::new(),
            captures: self.captures.clone(),
            from: at.plus_seconds(-AROUND_SECONDS),
            until: at.plus_seconds(AROUND_SECONDS),
        })
    }
}

/// An actor as grants name it; one without a subject cannot be named.
fn named(actor: &Actor) -> Option<(String, String)> {
    Some((actor.issuer.to_string(), actor.subject.as_deref()?.to_owned()))
}

/// A moment as in RFC 3339.
pub(crate) fn timestamp(text: &str) -> Result<Timestamp, String> {
    let at: jiff::Timestamp =
        text.parse().map_err(|_| format!("`{}` is not a time like 2026-03-02T10:00:00+01:00", text.escape_debug()))?;
    Ok(at.into())
}

fn unknown(what: &str, name: &str) -> String {
    format!("the policy has no {what} `{}`", name.escape_debug())
}

/// Method, Host header and target of `GET https://host/path` or `GET /path`.
/// Reads a line of JSON; what is wrong is said with its key and its place.
fn at_key<'t, T: Deserialize<'t>>(text: &'t str) -> Result<T, String> {
    let mut json = serde_json::Deserializer::from_str(text);
    let read = serde_path_to_error::deserialize(&mut json).map_err(|error| {
        let key = match error.path().to_string().as_str() {
            "." => String::new(),
            path => format!("`{path}`: "),
        };
        (key, error.into_inner())
    });
    // Whatever stands behind the object belongs to no key.
    let read = read.and_then(|value| json.end().map(|()| value).map_err(|error| (String::new(), error)));
    read.map_err(|(key, error)| {
        // The text is one line of many: the line that serde_json counts would mislead.
        let says = error.to_string();
        // UNSHOWN: what serde_json says.
        let says = says.split_once(" at line ").map_or(says.as_str(), |(says, _)| says);
        format!("{key}{says} at column {}", error.column())
    })
}

/// A key within the value of another one.
fn key_in(outer: &str, path: &serde_path_to_error::Path) -> String {
    match path.to_string().as_str() {
        "." => outer.to_owned(),
        inner => format!("{outer}.{inner}"),
    }
}

fn split_request(request: &str) -> Result<(String, Option<String>, String), String> {
    let shape = || {
        let shape = if request.trim_start().starts_with("CONNECT ") {
            "CONNECT host.example:443"
        } else {
            "GET https://host.example/path"
        };
        format!("`{}` is not a request like `{shape}`", request.escape_debug())
    };
    let (method, url) = request.trim().split_once(' ').ok_or_else(shape)?;
    let url = url.trim_start();
    if method.is_empty() || url.is_empty() || url.contains(' ') {
        return Err(shape());
    }
    // The authority is the whole of the target, and HAProxy gives it as the Host, too.
    if method == "CONNECT" && !url.contains(['/', '?', '#', '*']) {
        return Ok((method.to_owned(), Some(url.to_owned()), url.to_owned()));
    }
    let Some(rest) = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://")) else {
        return if url.starts_with('/') || url == "*" {
            Ok((method.to_owned(), None, url.to_owned()))
        } else {
            Err(shape())
        };
    };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (host, target) = rest.split_at(end);
    let target = if target.starts_with('/') { target.to_owned() } else { format!("/{target}") };
    Ok((method.to_owned(), Some(host.to_owned()), target))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_taken_apart_and_nothing_is_changed() {
        let check = |request: &str, expected: Option<(&str, Option<&str>, &str)>| {
            let found = split_request(request).ok();
            let found = found.as_ref().map(|(m, h, t)| (m.as_str(), h.as_deref(), t.as_str()));
            assert_eq!(found, expected, "{request}");
        };
        check("GET https://A.test:8443/%41/../b?c#d", Some(("GET", Some("A.test:8443"), "/%41/../b?c#d")));
        check("get http://a.test", Some(("get", Some("a.test"), "/")));
        check("GET https://a.test?x=1", Some(("GET", Some("a.test"), "/?x=1")));
        check("GET  /a//b", Some(("GET", None, "/a//b")));
        check("OPTIONS *", Some(("OPTIONS", None, "*")));
        check("CONNECT a.test:443", Some(("CONNECT", Some("a.test:443"), "a.test:443")));
        check("CONNECT [::1]:443", Some(("CONNECT", Some("[::1]:443"), "[::1]:443")));
        check("CONNECT /a", Some(("CONNECT", None, "/a")));
        for bad in
            ["", "GET", "/a", "GET a.test/b", "GET /a b", "GET ftp://a/b", "GET a.test:443", "CONNECT a.test:443/b"]
        {
            check(bad, None);
        }
    }

    #[test]
    fn lines_that_are_no_questions_say_why_and_keep_their_id() {
        let now = Timestamp::from_unix_seconds(0);
        let check = |line: &str, id: Value, says: &str| {
            let (found, error) = Question::from_json(line, now).expect_err(line);
            assert!(error.contains(says), "{line}: {error}");
            assert_eq!(found, id, "{line}");
        };
        check("", Value::Null, "EOF");
        check("[]", Value::Null, "expected an object with `request`");
        check(r#"{"id": 7}"#, 7.into(), "missing field `request`");
        check(r#"{"id": "a", "request": "GET"}"#, "a".into(), "not a request");
        check(r#"{"request": "GET /", "user": 1}"#, Value::Null, "unknown field `user`");
        check(r#"{"request": "GET /", "from": "x"}"#, Value::Null, "IP address");
        check(r#"{"request": "GET /", "at": "noon"}"#, Value::Null, "not a time");
        check(r#"{"request": "GET /", "as": "root"}"#, Value::Null, "`root`");
        check(r#"{"request": "GET /", "as": {"group": []}}"#, Value::Null, "unknown field `group`");
        check(r#"{"request": "GET /", "as": {"via": {"groups": []}}}"#, Value::Null, "unknown field `groups`");
        check(r#"{"request": "GET /", "as": {}, "token": "x"}"#, Value::Null, "cannot stand together");
    }
}

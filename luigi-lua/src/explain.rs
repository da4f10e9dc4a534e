//! `luigi explain METHOD URL [NAME=VALUE]...` on HAProxy's stats socket: how the version in force decides a request that nobody sent.
//!
//! The words become a request with an asserted identity; the slow evaluator of luigi-core answers it rule by rule. It only reads: nothing is
//! counted, and no grant is assumed. For a policy that is not in force yet there is `luigi explain` on the command line.

use luigi_core::decide::{Request, RequestFacts, Source};
use luigi_core::described::DescribedFacts;
use luigi_core::explain::evaluate;
use luigi_core::grant_set::GrantSet;
use luigi_core::identity::{Completeness, Credential, Email, Groups, Identity, Login};
use luigi_core::policy::captures::group_in_tokens;
use luigi_core::policy::model::Policy;
use luigi_core::stop_set::StopSet;
use luigi_core::target::{RawTarget, TargetBuffer, canonicalize};
use luigi_runtime::{Timestamp, Version};

/// What every error ends with.
const USAGE: &str = "usage: luigi explain METHOD URL [from=ADDRESS] [sub=SUBJECT] [issuer=NAME] [groups=NAME,NAME] [email=ADDRESS] \
                     [login=NAME] [header:NAME=VALUE] [fact:NAME=VALUE] [certificate=none|unverified|verified] [certificate-subject=DN] \
                     [certificate-fingerprint=SHA256] [san-uri=URI] [san-dns=NAME] [frontend=NAME]; `header:none=` and `fact:none=` say that there are none";

/// How long the identity lasts: longer than the evaluation.
const VALID_SECONDS: i64 = 60;

/// The explanation, or what is wrong with the words.
pub(crate) fn explain(version: &Version, words: &[&str]) -> Result<String, String> {
    explain_at(version.policy(), version.stops(), words, luigi_runtime::now())
        .map_err(|problem| format!("{problem}\n{USAGE}"))
}

fn explain_at(policy: &Policy, stops: &StopSet, words: &[&str], time: Timestamp) -> Result<String, String> {
    let [method, url, settings @ ..] = words else { return Err("a method and a URL are needed".to_owned()) };
    let (host, target) = split(url)?;
    let mut caller = Caller::default();
    for word in settings {
        let (name, value) = word.split_once('=').ok_or_else(|| format!("`{word}` is not NAME=VALUE"))?;
        caller.set(name, value)?;
    }
    let source = match caller.from {
        Some(text) => Source::from_address(text.parse().map_err(|_| format!("`{text}` is not an address"))?),
        None => Source::Unknown,
    };
    let identity = caller.identity(policy, time)?;
    let credential = identity.as_ref().map_or(Credential::Absent, Credential::Verified);
    let mut buffer = TargetBuffer::new();
    let raw = RawTarget { method: method.as_bytes(), target: target.as_bytes(), host: Some(host.as_bytes()) };
    let target = canonicalize(raw, &mut buffer);
    let grants = GrantSet::default();
    let (values, certificate) = (caller.facts.values(policy), caller.facts.certificate());
    let upgrade = caller.facts.upgrade();
    let facts = RequestFacts { values: &values, certificate: &certificate };
    let request =
        Request { method: method.as_bytes(), target, upgrade, source, credential, time, grants: &grants, stops, facts };
    Ok(evaluate(policy, &request).to_string())
}

/// Host and target of an absolute URL.
fn split(url: &str) -> Result<(&str, String), String> {
    let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
    let rest = rest.ok_or_else(|| format!("`{url}` does not begin with https:// or http://"))?;
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    let (host, target) = rest.split_at(end);
    Ok((host, if target.starts_with('/') { target.to_owned() } else { format!("/{target}") }))
}

/// Who asks, as the words say.
#[derive(Default)]
struct Caller<'a> {
    from: Option<&'a str>,
    subject: Option<&'a str>,
    issuer: Option<&'a str>,
    groups: Option<&'a str>,
    email: Option<&'a str>,
    login: Option<&'a str>,
    facts: DescribedFacts,
}

impl<'a> Caller<'a> {
    fn set(&mut self, name: &str, value: &'a str) -> Result<(), String> {
        let place = match name {
            "from" => &mut self.from,
            "sub" => &mut self.subject,
            "issuer" => &mut self.issuer,
            "groups" => &mut self.groups,
            "email" => &mut self.email,
            "login" => &mut self.login,
            other => return self.facts.describe(other, value),
        };
        match place.replace(value) {
            Some(_) => Err(format!("`{name}` is given twice")),
            None => Ok(()),
        }
    }

    /// The identity, if any word is about one.
    fn identity(&self, policy: &Policy, time: Timestamp) -> Result<Option<Identity>, String> {
        if [self.subject, self.issuer, self.groups, self.email, self.login].iter().all(Option::is_none) {
            return Ok(None);
        }
        let issuer = match self.issuer {
            Some(name) => policy.issuers.iter().map(|(_, issuer)| issuer).find(|issuer| issuer.name == name),
            None => policy.default_issuer.and_then(|id| policy.issuers.row(id)),
        };
        let issuer = issuer.ok_or("the policy has no such issuer, or no default one")?;
        let expires_at = time.plus_seconds(VALID_SECONDS);
        let mut identity =
            Identity::assert("haproxy-stats-socket", &issuer.trust.url, self.subject.unwrap_or("test"), expires_at);
        if let Some(names) = self.groups {
            let values = names.split(',').map(|name| group_in_tokens(policy, name).map(Into::into));
            let values = values.map(|value| value.map_err(|error| error.to_string()));
            identity = identity.groups(Groups::new(values.collect::<Result<_, _>>()?, Completeness::Complete));
        }
        if let Some(address) = self.email {
            identity = identity.email(Email { address: address.into(), verified: Some(true) });
        }
        if let Some(name) = self.login {
            let login = policy.logins.iter().map(|(_, login)| login).find(|login| login.name == name);
            let login = login.ok_or_else(|| format!("the policy has no login `{name}`"))?;
            identity = identity.login(Login {
                auth_time: Some(time),
                acr: login.acr_any.first().map(|acr| acr.as_str().into()),
                amr: login.sufficient_amr(),
            });
        }
        Ok(Some(identity.with_token_claims(&issuer.trust).finish()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_that_make_no_request_are_told_so() {
        let policy = Policy::default();
        for (words, expected) in [
            (&["GET"][..], "a method and a URL are needed"),
            (&["GET", "a.example.com/x"], "`a.example.com/x` does not begin with https:// or http://"),
            (&["GET", "https://a/x", "from"], "`from` is not NAME=VALUE"),
            (&["GET", "https://a/x", "from=here"], "`here` is not an address"),
            (&["GET", "https://a/x", "from=::1", "from=::1"], "`from` is given twice"),
            (&["GET", "https://a/x", "group=a"], "`group` is not known"),
            (&["GET", "https://a/x", "sub=ada"], "the policy has no such issuer, or no default one"),
        ] {
            assert_eq!(
                explain_at(&policy, StopSet::NONE, words, Timestamp::from_unix_seconds(0)).unwrap_err(),
                expected,
                "{words:?}"
            );
        }
    }

    #[test]
    fn a_url_is_split_into_host_and_target() {
        for (url, host, target) in [
            ("https://a.example.com/x/y?z=1", "a.example.com", "/x/y?z=1"),
            ("http://a.example.com:8080", "a.example.com:8080", "/"),
            ("https://a.example.com?q", "a.example.com", "/?q"),
            ("https://[::1]/..%2f", "[::1]", "/..%2f"),
        ] {
            assert_eq!(split(url), Ok((host, target.to_owned())), "{url}");
        }
    }
}

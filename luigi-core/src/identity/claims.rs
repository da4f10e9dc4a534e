//! From the claims of a token whose signature is right to an identity.
//!
//! Where a claim stands is the issuer's [`ClaimMap`](super::ClaimMap). What a token leaves open stays open: groups that may have been cut off and
//! facts about the login that are missing or ill-formed become unknown to predicates, never false. Only what no identity can be
//! without (`exp`, the subject) makes a token invalid.

use super::verify::CredentialError;
use super::{
    Actor, Completeness, Email, Groups, Identity, IdentityNumber, InvalidCredential, IssuerTrust, IssuerType,
    ListFormat, Login, Provenance, trust_domain_of,
};
use crate::time::Timestamp;
use serde_json::{Map, Number, Value};

/// How many groups Okta puts into a token before it cuts the list off without a word.
const SILENT_CUT: usize = 100;

/// When a genuine token counts, leeway included: from `from` until just before `until`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Validity {
    pub(super) from: Timestamp,
    pub(super) until: Timestamp,
}

impl Validity {
    pub(super) fn check(self, now: Timestamp) -> Result<(), CredentialError> {
        if now < self.from {
            Err(CredentialError::Invalid(InvalidCredential::NotYetValid))
        } else if now >= self.until {
            Err(CredentialError::Expired)
        } else {
            Ok(())
        }
    }
}

/// Whether a token is for one of the issuer's audiences, where another claim than `aud` says for whom it is.
pub(super) fn check_audience(trust: &IssuerTrust, claims: &Map<String, Value>) -> Result<(), InvalidCredential> {
    let ours = |value: &Value| value.as_str().is_some_and(|name| trust.audiences.iter().any(|one| one == name));
    let fits = trust.has_plain_audience()
        || match find(claims, &trust.claims.audience) {
            Some(Value::Array(names)) => names.iter().any(ours),
            Some(name) => ours(name),
            None => false,
        };
    if fits { Ok(()) } else { Err(InvalidCredential::WrongAudience) }
}

/// The identity that these claims make.
pub(super) fn identity(
    trust: &IssuerTrust,
    claims: Map<String, Value>,
    provenance: Provenance,
) -> Result<(Identity, Validity), InvalidCredential> {
    let map = &trust.claims;
    let subject = match find(&claims, &map.subject) {
        Some(Value::String(subject)) if !subject.is_empty() => subject.as_str(),
        _ => return Err(InvalidCredential::MissingClaim),
    };
    if let IssuerType::Spiffe { trust_domain, .. } = &trust.issuer_type
        && trust_domain_of(subject) != Some(trust_domain)
    {
        return Err(InvalidCredential::MissingClaim);
    }
    let expires_at = date(&claims, "exp")?.ok_or(InvalidCredential::MissingClaim)?;
    let not_before = date(&claims, "nbf")?.max(date(&claims, "iat")?);
    let leeway = i64::from(trust.leeway_seconds);
    let validity = Validity {
        from: not_before.map_or(Timestamp::from_unix_seconds(i64::MIN), |at| at.plus_seconds(-leeway)),
        until: expires_at.plus_seconds(leeway),
    };
    let identity = Identity {
        issuer: trust.url.as_str().into(),
        subject: subject.into(),
        email: email(trust, &claims),
        kind: kind(trust, &claims),
        groups: groups(trust, &claims),
        expires_at,
        login: login(&claims),
        actor: claims.get("act").map(|act| Actor::from_claim(&trust.url, act)),
        claims,
        provenance,
        number: IdentityNumber::next(),
    };
    Ok((identity, validity))
}

/// Follows names from object to object.
pub(super) fn find<'a>(claims: &'a Map<String, Value>, path: &[String]) -> Option<&'a Value> {
    let (first, rest) = path.split_first()?;
    rest.iter().try_fold(claims.get(first)?, |value, name| value.as_object()?.get(name))
}

/// A NumericDate (RFC 7519, section 2): the first whole second that is not before it.
fn date(claims: &Map<String, Value>, name: &str) -> Result<Option<Timestamp>, InvalidCredential> {
    match claims.get(name) {
        None => Ok(None),
        Some(Value::Number(number)) => Ok(Some(seconds(number, f64::ceil))),
        Some(_) => Err(InvalidCredential::MissingClaim),
    }
}

/// Whole seconds; what lies beyond the range of a timestamp is its end.
fn seconds(number: &Number, round: fn(f64) -> f64) -> Timestamp {
    #[allow(clippy::cast_possible_truncation, reason = "the cast saturates, and JSON has no NaN")]
    let whole = match (number.as_i64(), number.as_f64()) {
        (Some(whole), _) => whole,
        (None, Some(number)) => round(number) as i64,
        (None, None) => i64::MIN,
    };
    Timestamp::from_unix_seconds(whole)
}

fn email(trust: &IssuerTrust, claims: &Map<String, Value>) -> Option<Email> {
    let path = &trust.claims.email;
    let address = find(claims, path)?.as_str().filter(|address| !address.is_empty())?;
    let (_, parent) = path.split_last()?;
    // `email_verified` stands beside the address. Only a boolean is an answer. A declaration that the issuer's e-mails can be trusted fills in
    // for no answer and for the string "true", which some issuers write; anything else beside an address may be their way to say no.
    let siblings = if parent.is_empty() { Some(claims) } else { find(claims, parent).and_then(Value::as_object) };
    let verified = match siblings.and_then(|siblings| siblings.get("email_verified")) {
        Some(Value::Bool(said)) => Some(*said),
        None => trust.trusts_emails.then_some(true),
        Some(Value::String(said)) if said == "true" => trust.trusts_emails.then_some(true),
        Some(_) => None,
    };
    Some(Email { address: address.into(), verified })
}

fn kind(trust: &IssuerTrust, claims: &Map<String, Value>) -> Option<Box<str>> {
    match trust.claims.kind.as_ref().and_then(|path| find(claims, path)) {
        None => trust.kind.as_deref().map(Into::into),
        Some(said) => said.as_str().map(Into::into),
    }
}

fn groups(trust: &IssuerTrust, claims: &Map<String, Value>) -> Groups {
    let path = &trust.claims.groups;
    let mut completeness = Completeness::Complete;
    let mut names: Vec<Box<str>> = Vec::new();
    match (find(claims, path), trust.claims.groups_format) {
        (None, _) => {}
        (Some(Value::String(words)), ListFormat::Words) => {
            names.extend(words.split(' ').filter(|word| !word.is_empty()).map(Into::into));
        }
        (Some(Value::String(name)), ListFormat::Array) => names.push(name.as_str().into()),
        (Some(Value::Array(items)), ListFormat::Array) => {
            names.extend(items.iter().filter_map(Value::as_str).map(Into::into));
            if names.len() != items.len() || items.len() == SILENT_CUT {
                completeness = Completeness::CutOff;
            }
        }
        (Some(_), _) => completeness = Completeness::CutOff,
    }
    if path.first().is_some_and(|name| left_out(claims, name)) {
        completeness = Completeness::CutOff;
    }
    Groups::new(names, completeness)
}

/// Whether the token says that the claim `name` is too long to stand in it: a distributed claim (OpenID Connect Core 1.0, section 5.6.2), as Entra
/// writes it, or Entra's `hasgroups`.
fn left_out(claims: &Map<String, Value>, name: &str) -> bool {
    let distributed = match claims.get("_claim_names") {
        None => false,
        Some(Value::Object(names)) => names.contains_key(name),
        Some(_) => true,
    };
    let too_many = name == "groups" && claims.get("hasgroups").is_some_and(|said| *said != Value::Bool(false));
    distributed || too_many
}

fn login(claims: &Map<String, Value>) -> Login {
    let amr = claims.get("amr").and_then(Value::as_array).and_then(|methods| {
        methods.iter().map(|method| method.as_str().map(Into::into)).collect::<Option<Vec<Box<str>>>>()
    });
    Login {
        // Rounded down: a login may look older than it is, never fresher.
        auth_time: claims.get("auth_time").and_then(Value::as_number).map(|number| seconds(number, f64::floor)),
        acr: claims.get("acr").and_then(Value::as_str).map(Into::into),
        amr,
    }
}

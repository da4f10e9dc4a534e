//! What a described request brings along: headers, facts, the client certificate and the frontend.

use luigi_core::described::{DescribedCertificate, DescribedFacts};
use luigi_core::identity::{Fingerprint, SubjectAltNames};
use luigi_core::policy::model::{is_fact_name, is_frontend_name, is_header_name};
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;

/// Headers, facts, certificate and frontend as they stand in a line of JSON.
#[derive(Debug, Default)]
pub(crate) struct Brought {
    pub(crate) headers: Option<BTreeMap<String, OneOrMore>>,
    pub(crate) facts: Option<BTreeMap<String, String>>,
    pub(crate) certificate: Value,
    pub(crate) frontend: Option<String>,
}

/// A header that is sent once, or several times.
#[derive(Debug, Deserialize)]
#[serde(untagged, expecting = "a string or a list of strings")]
pub(crate) enum OneOrMore {
    One(String),
    More(Vec<String>),
}

/// A certificate that the proxy verified.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Verified {
    subject_dn: Option<String>,
    #[serde(default)]
    san_uri: Vec<String>,
    #[serde(default)]
    san_dns: Vec<String>,
    fingerprint_sha256: Option<String>,
}

impl Brought {
    /// The same as decisions take it.
    pub(crate) fn described(self) -> Result<DescribedFacts, String> {
        let mut described = DescribedFacts::default();
        if let Some(headers) = self.headers {
            let all = described.headers.insert(Vec::new());
            for (name, values) in headers {
                let values = match values {
                    OneOrMore::One(value) => vec![value],
                    OneOrMore::More(values) => values,
                };
                all.push((header_name(&name)?, values));
            }
        }
        if let Some(facts) = self.facts {
            described.facts = Some(facts.into_iter().map(known_fact).collect::<Result<_, _>>()?);
        }
        described.certificate = match self.certificate {
            Value::Null => None,
            value => Some(certificate(value)?),
        };
        described.frontend = self.frontend.as_deref().map(frontend).transpose()?;
        Ok(described)
    }
}

/// Headers and facts from arguments; either is all there is of its kind, and `none` says that there is nothing.
pub(crate) fn from_arguments(
    headers: &[String],
    facts: &[String],
    certificate: Option<&DescribedCertificate>,
    frontend: Option<&str>,
) -> Result<DescribedFacts, String> {
    let (certificate, frontend) = (certificate.cloned(), frontend.map(str::to_owned));
    let mut described = DescribedFacts { certificate, frontend, ..DescribedFacts::default() };
    for text in headers {
        let all = described.headers.get_or_insert_default();
        if text == "none" {
            continue;
        }
        let (name, value) =
            text.split_once(':').ok_or_else(|| format!("header `{}` is not NAME: VALUE", text.escape_debug()))?;
        all.push((header_name(name)?, vec![value.trim().to_owned()]));
    }
    for text in facts {
        let all = described.facts.get_or_insert_default();
        if text == "none" {
            continue;
        }
        let (name, value) =
            text.split_once('=').ok_or_else(|| format!("fact `{}` is not NAME=VALUE", text.escape_debug()))?;
        all.push(known_fact((name.to_owned(), value.to_owned()))?);
    }
    Ok(described)
}

/// `none`, `unverified`, or an object that describes a verified one, from the text of an argument.
pub(crate) fn certificate_argument(text: &str) -> Result<DescribedCertificate, String> {
    if text.trim_start().starts_with('{') {
        certificate(serde_json::from_str(text).map_err(|error| format!("certificate: {error}"))?)
    } else {
        certificate(Value::String(text.to_owned()))
    }
}

fn certificate(value: Value) -> Result<DescribedCertificate, String> {
    match value {
        Value::String(word) if word == "none" => Ok(DescribedCertificate::Absent),
        Value::String(word) if word == "unverified" => Ok(DescribedCertificate::Unverified),
        object @ Value::Object(_) => {
            let verified: Verified =
                serde_json::from_value(object).map_err(|error| format!("`certificate`: {error}"))?;
            let texts = |texts: &[String]| texts.iter().all(|text| text.is_ascii());
            if !texts(&verified.san_uri) || !texts(&verified.san_dns) {
                return Err("`certificate`: names in certificates are ASCII".to_owned());
            }
            let fingerprint = verified.fingerprint_sha256.map(|text| {
                Fingerprint::parse(text.as_bytes()).ok_or("`certificate`: a SHA-256 fingerprint has 64 hex digits")
            });
            let (uris, names) = (verified.san_uri.iter(), verified.san_dns.iter());
            Ok(DescribedCertificate::Verified {
                subject_dn: verified.subject_dn,
                fingerprint: fingerprint.transpose()?,
                names: SubjectAltNames::encode(uris.map(String::as_str), names.map(String::as_str)),
            })
        }
        _ => Err("`certificate` is an object, `none` or `unverified`".to_owned()),
    }
}

/// The name of a frontend, as described or as an argument.
pub(crate) fn frontend(name: &str) -> Result<String, String> {
    if is_frontend_name(name) {
        Ok(name.to_owned())
    } else {
        Err(format!("`{}` is no name of a frontend", name.escape_debug()))
    }
}

fn header_name(name: &str) -> Result<String, String> {
    let lower = name.trim().to_ascii_lowercase();
    if is_header_name(&lower) {
        Ok(lower)
    } else {
        Err(format!("`{}` is not the name of a header", name.escape_debug()))
    }
}

fn known_fact((name, value): (String, String)) -> Result<(String, String), String> {
    if is_fact_name(&name) {
        Ok((name, value))
    } else {
        Err(format!("`{}` is not the name of a fact", name.escape_debug()))
    }
}

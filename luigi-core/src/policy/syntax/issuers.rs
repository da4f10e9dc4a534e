//! `[issuers.*]`: whose tokens are believed, and what is found where in them.

use super::node::{Fields, Node, Text, quoted};
use super::tables::{sorted, strings};
use super::{Issuer, values};
use crate::identity::{Algorithm, ClaimMap, IssuerTrust, IssuerType, ListFormat, is_trust_domain};
use crate::policy::diagnostics::{Code, Diagnostic, Diagnostics};
use crate::policy::source::Span;

/// The kinds of issuers, as written.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Type {
    Oidc,
    Spiffe,
}

const TYPES: [(&str, Type); 2] = [("oidc", Type::Oidc), ("spiffe", Type::Spiffe)];

/// What JWT-SVIDs may be signed with (section 2.1), of what Luigi verifies.
const SPIFFE_ALGORITHMS: [Algorithm; 4] = [Algorithm::RS256, Algorithm::PS256, Algorithm::ES256, Algorithm::ES384];

pub(super) fn issuer(node: Node<'_>, _: &Text, what: &str, out: &mut Diagnostics) -> Option<Issuer> {
    const KEYS: [&str; 12] = [
        "type",
        "url",
        "trust-domain",
        "audiences",
        "default",
        "algorithms",
        "token-types",
        "leeway",
        "trust-emails",
        "kind",
        "claims",
        "accept",
    ];
    let fields = Fields::open(node, what, &KEYS, out)?;
    let issuer_type = match fields.get("type") {
        None => Type::Oidc,
        Some(node) => node.word("type", &TYPES, out)?,
    };
    let named = match issuer_type {
        Type::Oidc => oidc(&fields, out),
        Type::Spiffe => spiffe(&fields, out),
    };
    let audiences = fields.require("audiences", "tokens for somebody else must not open anything here", out);
    let audiences = audiences.and_then(|node| node.texts("audiences", out));
    let algorithms = fields.get("algorithms").and_then(|node| algorithms(node, issuer_type, out));
    let token_types = fields.texts("token-types", out).unwrap_or_default();
    let token_types = token_types.into_iter().map(|text| {
        let lower = text.value.to_ascii_lowercase();
        lower.strip_prefix("application/").map_or(lower.clone(), str::to_owned)
    });
    let token_types = sorted(token_types.collect());
    let leeway = fields.text("leeway", out).and_then(|text| values::duration(&text, 0, 300, out));
    let trusts_emails = fields.get("trust-emails").and_then(|node| node.boolean("trust-emails", out));
    let default = fields.get("default").and_then(|node| node.boolean("default", out));
    let kind = fields.text("kind", out).map(|text| text.value);
    let claims = fields.get("claims").and_then(|node| claim_map(node, issuer_type, what, out));
    let named = named?;
    let (default_algorithms, default_kind) = match issuer_type {
        Type::Oidc => (&Algorithm::DEFAULT[..], None),
        Type::Spiffe => (&SPIFFE_ALGORITHMS[..], Some("workload".to_owned())),
    };
    Some(Issuer {
        url_span: named.span,
        default,
        trust: IssuerTrust {
            issuer_type: named.issuer_type,
            url: named.url,
            audiences: strings(audiences?),
            algorithms: algorithms.unwrap_or_else(|| default_algorithms.to_vec()),
            token_types,
            leeway_seconds: leeway.unwrap_or(30),
            trusts_emails: trusts_emails.is_some_and(|flag| flag.value),
            kind: kind.or(default_kind),
            claims: claims.unwrap_or_default(),
        },
    })
}

/// What tells an issuer from others.
struct Named {
    issuer_type: IssuerType,
    url: String,
    span: Span,
}

fn oidc(fields: &Fields<'_>, out: &mut Diagnostics) -> Option<Named> {
    let url = fields.require("url", "the URL that stands in `iss`, like \"https://example.okta.com\"", out);
    let url = url.and_then(|node| node.text("url", out));
    if let Some(span) = fields.key_span("trust-domain") {
        let message = format!("{} has a trust domain and is not of the type \"spiffe\"", fields.what());
        let problem = Diagnostic::error(Code::MisplacedKey, span, message);
        out.push(problem.help("write `type = \"spiffe\"` if its tokens are JWT-SVIDs, or leave `trust-domain` out"));
    }
    let url = url?;
    values::check_issuer_url(&url, out);
    Some(Named { issuer_type: IssuerType::Oidc, url: url.value, span: url.span })
}

fn spiffe(fields: &Fields<'_>, out: &mut Diagnostics) -> Option<Named> {
    let iss = fields.text("url", out);
    if let Some(url) = &iss {
        values::check_issuer_url(url, out);
    }
    let domain = fields.require("trust-domain", "the name behind `spiffe://` in its IDs, like \"example.org\"", out);
    let domain = domain.and_then(|node| node.text("trust-domain", out))?;
    if !is_trust_domain(&domain.value) {
        let message = format!("{} is not the name of a trust domain", quoted(&domain.value));
        let problem = Diagnostic::error(Code::InvalidIssuerUrl, domain.span, message);
        out.push(problem.help("write what stands behind `spiffe://`, in lower case, like \"example.org\""));
    }
    Some(Named {
        url: format!("spiffe://{}", domain.value),
        issuer_type: IssuerType::Spiffe { trust_domain: domain.value, iss: iss.map(|url| url.value) },
        span: domain.span,
    })
}

fn algorithms(node: Node<'_>, issuer_type: Type, out: &mut Diagnostics) -> Option<Vec<Algorithm>> {
    let mut words: Vec<_> = Algorithm::DEFAULT.iter().map(|algorithm| (algorithm.as_str(), *algorithm)).collect();
    words.push((Algorithm::HS256.as_str(), Algorithm::HS256));
    if issuer_type == Type::Spiffe {
        words.retain(|(_, algorithm)| SPIFFE_ALGORITHMS.contains(algorithm));
    }
    let texts = node.texts("algorithms", out)?;
    let named: Vec<_> = texts.iter().filter_map(|text| node.word_of(text, "algorithms", &words, out)).collect();
    // In the order of the language, not of the text: the order of a set means nothing.
    Some(words.iter().map(|(_, algorithm)| *algorithm).filter(|algorithm| named.contains(algorithm)).collect())
}

fn claim_map(node: Node<'_>, issuer_type: Type, what: &str, out: &mut Diagnostics) -> Option<ClaimMap> {
    let what = format!("`claims` of {what}");
    let fields = Fields::open(node, &what, &["subject", "email", "groups", "groups-format", "kind", "audience"], out)?;
    if fields.is_empty() {
        out.push(Diagnostic::error(Code::EmptyValue, fields.span(), "`claims` is an empty table"));
    }
    for key in ["subject", "audience"] {
        if let (Type::Spiffe, Some(span)) = (issuer_type, fields.key_span(key)) {
            let message = format!("JWT-SVIDs have their {key} in one place");
            let problem = Diagnostic::error(Code::MisplacedKey, span, message);
            out.push(problem.label("always `sub` and `aud`").help("leave the key out"));
        }
    }
    let mut path = |key: &str| fields.get(key).and_then(|node| node.claim_path(key, out));
    let default = ClaimMap::default();
    let (subject, email, groups, kind) = (path("subject"), path("email"), path("groups"), path("kind"));
    let audience = path("audience");
    let formats = [("array", ListFormat::Array), ("words", ListFormat::Words)];
    let groups_format = fields.get("groups-format").and_then(|node| node.word("groups-format", &formats, out));
    Some(ClaimMap {
        subject: subject.unwrap_or(default.subject),
        email: email.unwrap_or(default.email),
        groups: groups.unwrap_or(default.groups),
        groups_format: groups_format.unwrap_or(default.groups_format),
        kind,
        audience: audience.unwrap_or(default.audience),
    })
}

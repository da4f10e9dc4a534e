//! What the request of a test brings along: headers, facts and the client certificate.

use super::facts::{fingerprint, header_name, tells_sources};
use super::node::{Fields, Node, Text, quoted};
use crate::described::DescribedCertificate;
use crate::identity::SubjectAltNames;
use crate::policy::diagnostics::{Code, Diagnostic, Diagnostics};
use std::collections::BTreeMap;
use toml::de::DeValue;

/// Headers with one value or, sent several times, a list of them.
pub(super) fn headers(node: Node<'_>, out: &mut Diagnostics) -> Vec<(String, Vec<String>)> {
    let mut headers = BTreeMap::new();
    for (written, node) in Fields::entries(node, "`headers`", out) {
        let values = match node.value() {
            DeValue::Array(_) => {
                let items = node.list(&written.value, "strings", out).unwrap_or_default();
                items.into_iter().filter_map(|item| item.any_text(&written.value, out)).collect()
            }
            _ => Vec::from_iter(node.any_text(&written.value, out)),
        };
        // Rules cannot ask for these, scopes and proxies do.
        let lower = written.value.to_ascii_lowercase();
        let name = if lower == "upgrade" || tells_sources(&lower) {
            Some(Text::new(lower, written.span))
        } else {
            header_name(&written, out)
        };
        let Some(name) = name else { continue };
        let values = values.into_iter().map(|text| text.value).collect();
        if headers.insert(name.value, values).is_some() {
            let message = format!("{} stands twice in `headers`", quoted(&written.value));
            let problem =
                Diagnostic::error(Code::DuplicateItem, written.span, message).label("case makes no difference");
            out.push(problem.help("list the values of a header that is sent several times: `[\"a\", \"b\"]`"));
        }
    }
    headers.into_iter().collect()
}

/// Facts with their values; what is not there is not set.
pub(super) fn facts(node: Node<'_>, out: &mut Diagnostics) -> Vec<(Text, Text)> {
    let entries = Fields::entries(node, "`facts`", out);
    entries.into_iter().filter_map(|(name, node)| node.text(&name.value, out).map(|value| (name, value))).collect()
}

/// `"none"`, `"unverified"`, or what a verified one has.
pub(super) fn certificate(node: Node<'_>, out: &mut Diagnostics) -> Option<DescribedCertificate> {
    if let DeValue::String(_) = node.value() {
        let absent = node.word("certificate", &[("none", true), ("unverified", false)], out)?;
        return Some(if absent { DescribedCertificate::Absent } else { DescribedCertificate::Unverified });
    }
    let keys = ["subject-dn", "san-uri", "san-dns", "fingerprint-sha256"];
    let fields = Fields::open(node, "`certificate`", &keys, out)?;
    let mut names = |key: &str| -> Vec<String> {
        let texts = fields.texts(key, out).unwrap_or_default();
        for text in texts.iter().filter(|text| !text.value.is_ascii()) {
            let message = format!("{} is no name that a certificate could have", quoted(&text.value));
            out.push(Diagnostic::error(Code::InvalidFact, text.span, message).label("not ASCII"));
        }
        texts.into_iter().map(|text| text.value).collect()
    };
    let (uris, dns_names) = (names("san-uri"), names("san-dns"));
    let names = SubjectAltNames::encode(uris.iter().map(String::as_str), dns_names.iter().map(String::as_str));
    let subject_dn = fields.text("subject-dn", out).map(|text| text.value);
    let fingerprint = fields.text("fingerprint-sha256", out).and_then(|text| fingerprint(&text, out));
    Some(DescribedCertificate::Verified { subject_dn, fingerprint, names })
}

//! SPIFFE IDs: who a workload is, as a URI whose host is the trust domain that vouches for it.
//!
//! Follows "The SPIFFE Identity and Verifiable Identity Document", sections 2.1 to 2.4. An ID without a path is that of the trust domain itself and of no
//! workload, so it is none here.

/// The longest SPIFFE ID, in bytes.
const MAX_ID_BYTES: usize = 2048;

/// The longest name of a trust domain, in bytes.
const MAX_TRUST_DOMAIN_BYTES: usize = 255;

/// Whether this can be the name of a trust domain: lower-case letters, digits, `.`, `-` and `_`.
#[must_use]
pub fn is_trust_domain(name: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'.' | b'-' | b'_');
    !name.is_empty() && name.len() <= MAX_TRUST_DOMAIN_BYTES && name.bytes().all(allowed)
}

/// The trust domain of a workload's SPIFFE ID; `None` if the text is anything else.
#[must_use]
pub fn trust_domain_of(id: &str) -> Option<&str> {
    if id.len() > MAX_ID_BYTES {
        return None;
    }
    let (trust_domain, path) = id.strip_prefix("spiffe://")?.split_once('/')?;
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
    let sound = |segment: &str| !matches!(segment, "" | "." | "..") && segment.bytes().all(allowed);
    (is_trust_domain(trust_domain) && path.split('/').all(sound)).then_some(trust_domain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_of_workloads() {
        let long = format!("spiffe://example.org/{}", "x".repeat(2048 - 21));
        let cases = [
            ("spiffe://example.org/web", Some("example.org")),
            ("spiffe://example.org/ns/prod/sa/Web-1_2.3", Some("example.org")),
            ("spiffe://10.0.0.1/x", Some("10.0.0.1")),
            (&long, Some("example.org")),
            (&format!("{long}x"), None),
            ("spiffe://example.org", None),
            ("spiffe://example.org/", None),
            ("spiffe://example.org/web/", None),
            ("spiffe://example.org//web", None),
            ("spiffe://example.org/./web", None),
            ("spiffe://example.org/../web", None),
            ("spiffe://example.org/w%65b", None),
            ("spiffe://example.org/web?x", None),
            ("spiffe://example.org/web#x", None),
            ("spiffe://Example.org/web", None),
            ("spiffe://example.org:8443/web", None),
            ("spiffe://user@example.org/web", None),
            ("SPIFFE://example.org/web", None),
            ("https://example.org/web", None),
            ("spiffe:///web", None),
            ("web", None),
            ("", None),
        ];
        for (id, expected) in cases {
            assert_eq!(trust_domain_of(id), expected, "{id}");
        }
        assert!(is_trust_domain(&"a".repeat(255)) && !is_trust_domain(&"a".repeat(256)));
    }
}

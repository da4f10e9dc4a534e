//! Patterns with `*`, which stands for any run of characters that does not cross a separator.

/// Whether a subject or a URI matches; `*` crosses neither `:` nor `/`.
pub(crate) fn subject(pattern: &str, text: &str) -> bool {
    matches(pattern, text, |byte| matches!(byte, b':' | b'/'), |byte| byte)
}

/// Whether a DNS name matches a pattern in lower case; `*` crosses no `.`.
pub(crate) fn dns_name(pattern: &str, text: &str) -> bool {
    matches(pattern, text, |byte| byte == b'.', |byte| byte.to_ascii_lowercase())
}

/// One pass with one point to fall back to: the last `*`. Since a `*` cannot cross a separator, falling back past a separator
/// is never needed, so the cost is at most the product of a segment's length and the pattern's.
fn matches(pattern: &str, text: &str, separates: impl Fn(u8) -> bool, fold: impl Fn(u8) -> u8) -> bool {
    let (pattern, text) = (pattern.as_bytes(), text.as_bytes());
    let (mut p, mut t) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    loop {
        if p < pattern.len() && pattern[p] == b'*' {
            star = Some((p + 1, t));
            p += 1;
        } else if p < pattern.len() && t < text.len() && pattern[p] == fold(text[t]) {
            p += 1;
            t += 1;
        } else if p == pattern.len() && t == text.len() {
            return true;
        } else {
            match star {
                Some((after, from)) if from < text.len() && !separates(text[from]) => {
                    star = Some((after, from + 1));
                    p = after;
                    t = from + 1;
                }
                _ => return false,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_do_not_cross_separators() {
        let cases = [
            ("system:serviceaccount:*:web", "system:serviceaccount:prod:web", true),
            ("system:serviceaccount:*:web", "system:serviceaccount:a:b:web", false),
            ("spiffe://x/*/y", "spiffe://x/a/y", true),
            ("spiffe://x/*/y", "spiffe://x/a/b/y", false),
            ("*", "", true),
            ("*", "a", true),
            ("*", "a:b", false),
            ("a*b*c", "aXbYbc", true),
            ("a*b*c", "aXbYbd", false),
            ("a*b*c", "a/b*c", false),
            ("*-*:*", "a-b-c:d", true),
            ("ab*", "a", false),
            ("a**b", "ab", true),
            ("x", "xy", false),
            ("", "", true),
            ("", "x", false),
        ];
        for (pattern, text, expected) in cases {
            assert_eq!(subject(pattern, text), expected, "{pattern} on {text}");
        }
    }

    #[test]
    fn names_of_hosts_stop_at_dots_and_have_no_case() {
        for (pattern, text, expected) in [
            ("*.example.org", "web.example.org", true),
            ("*.example.org", "WEB.Example.org", true),
            ("*.example.org", "a.b.example.org", false),
            ("*.example.org", "example.org", false),
            ("web-*.example.org", "web-1.example.org", true),
            ("*.example.org", "a:b.example.org", true),
        ] {
            assert_eq!(dns_name(pattern, text), expected, "{pattern} on {text}");
        }
    }
}

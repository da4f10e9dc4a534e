//! Requests that ask for another method than their own: servers of many frameworks take it from the query.

/// The headers that servers take another method from.
pub(crate) const METHOD_OVERRIDE_HEADERS: [&str; 3] = ["x-http-method", "x-http-method-override", "x-method-override"];

/// Whether the query has a parameter `_method`, in any spelling that some server takes for it.
///
/// Names are percent-decoded and compared without regard to case; `&` and `;` separate parameters. PHP makes an underscore of a dot, a space
/// and an opening bracket at the beginning of a name and drops spaces before it; a `[` behind the name makes an array, of which frameworks
/// may take an item.
pub(crate) fn override_in_query(query: Option<&[u8]>) -> bool {
    let Some(query) = query else { return false };
    query.split(|byte| matches!(byte, b'&' | b';')).any(is_override)
}

fn is_override(parameter: &[u8]) -> bool {
    let mut name = Decoded { rest: parameter }.skip_while(|byte| *byte == b' ');
    matches!(name.next(), Some(b'_' | b'.' | b'[')) && name_is_method(name)
}

/// Whether what is left of a name is `method`.
fn name_is_method(mut name: impl Iterator<Item = u8>) -> bool {
    b"method".iter().all(|wanted| name.next().is_some_and(|byte| byte.eq_ignore_ascii_case(wanted)))
        && matches!(name.next(), None | Some(b'[' | 0))
}

/// The bytes of a parameter's name, decoded as forms are; ends at a raw `=`.
struct Decoded<'q> {
    rest: &'q [u8],
}

impl Iterator for Decoded<'_> {
    type Item = u8;

    fn next(&mut self) -> Option<u8> {
        let (&byte, rest) = self.rest.split_first()?;
        self.rest = rest;
        match byte {
            b'=' => {
                self.rest = &[];
                None
            }
            b'+' => Some(b' '),
            b'%' => match rest {
                [high, low, rest @ ..] => match (hex_value(*high), hex_value(*low)) {
                    (Some(high), Some(low)) => {
                        self.rest = rest;
                        Some(high << 4 | low)
                    }
                    _ => Some(byte),
                },
                _ => Some(byte),
            },
            _ => Some(byte),
        }
    }
}

fn hex_value(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_of_the_parameter_is_found() {
        for query in [
            "_method=DELETE",
            "a=b&_method=PUT",
            "a;_method",
            "_METHOD=put",
            "%5fmethod=put",
            "%5F%6Dethod",
            "_method[]=x",
            "_method%5B0%5D=x",
            ".method=put",
            "%20_method=put",
            "++.method=put",
            "[method=put",
            "_method%00=put",
        ] {
            assert!(override_in_query(Some(query.as_bytes())), "{query}");
        }
        for query in [
            "",
            "method=put",
            "_methods=1",
            "x_method=1",
            "a=_method",
            "_metho",
            "__method=1",
            "_method2=x",
            "%",
            "+method=put",
        ] {
            assert!(!override_in_query(Some(query.as_bytes())), "{query}");
        }
        assert!(!override_in_query(None));
    }
}

//! Parameters of a query, read as forms write them: pairs joined by `&`, names and values escaped with `%`, `+` for a space.
//!
//! Servers do not agree on all of it. What only some of them would take for the parameter makes the test unknown: a name that differs in case
//! alone, that PHP takes for it, or that is not escaped correctly, and pairs that come out otherwise if `;` joins them, too. Nothing is copied.

use crate::kleene::Kleene;
use crate::policy::model::ValueTest;

/// How many pairs are looked at; with more of them nothing is known.
pub(crate) const MAX_PAIRS: usize = 256;

/// Whether a pair of a query is a parameter of one of these names, decoded, whoever reads it: not one that some servers would take for two.
#[must_use]
pub fn is_parameter_of(pair: &[u8], names: &[String]) -> bool {
    let end = pair.iter().position(|byte| *byte == b'=').unwrap_or(pair.len());
    !pair.contains(&b';') && names.iter().any(|name| decoded(&pair[..end]).eq(name.bytes().map(Some)))
}

/// Whether the parameter of this name is what the test accepts.
pub(super) fn parameter_is(query: Option<&[u8]>, name: &str, accepts: &ValueTest) -> Kleene {
    let query = query.unwrap_or_default();
    let value = read(query, name, |byte| byte == b'&').is(accepts);
    if !query.contains(&b';') {
        return value;
    }
    let other = read(query, name, |byte| matches!(byte, b'&' | b';')).is(accepts);
    if value == other { value } else { Kleene::Unknown }
}

/// What was found of one parameter.
struct Found<'a> {
    /// The first value, as received.
    value: Option<&'a [u8]>,
    /// Whether there is another value, or one that is not escaped correctly.
    unclear: bool,
    /// Whether there is something that some servers would take for it.
    doubtful: bool,
}

fn read<'a>(query: &'a [u8], name: &str, joins: impl Fn(u8) -> bool) -> Found<'a> {
    let mut found = Found { value: None, unclear: false, doubtful: false };
    for (count, pair) in query.split(|byte| joins(*byte)).enumerate() {
        if count == MAX_PAIRS {
            found.doubtful = true;
            break;
        }
        let end = pair.iter().position(|byte| *byte == b'=');
        let (key, value) = end.map_or((pair, &b""[..]), |at| (&pair[..at], &pair[at + 1..]));
        if decoded(key).any(|byte| byte.is_none()) {
            found.doubtful = true;
        } else if !pair.is_empty() && decoded(key).eq(name.bytes().map(Some)) {
            found.unclear |= decoded(value).any(|byte| byte.is_none());
            match found.value {
                None => found.value = Some(value),
                Some(first) => found.unclear |= !decoded(first).eq(decoded(value)),
            }
        } else {
            found.doubtful |= may_mean(key, name);
        }
    }
    found
}

/// Whether some servers take a name, which is not the parameter's, for it: without regard to case; or as PHP does, which drops spaces before
/// it, makes an underscore of a space, a dot and an opening bracket, and ends it at a NUL or where an array begins.
fn may_mean(key: &[u8], name: &str) -> bool {
    let is_underscore = |byte: u8| matches!(byte, b'_' | b' ' | b'.' | b'[');
    let alike = |a: u8, b: u8| a.eq_ignore_ascii_case(&b) || is_underscore(a) && is_underscore(b);
    let mut key = decoded(key).flatten().skip_while(|byte| *byte == b' ');
    name.bytes().all(|wanted| key.next().is_some_and(|byte| alike(byte, wanted)))
        && matches!(key.next(), None | Some(b'[' | 0))
}

impl Found<'_> {
    fn is(&self, accepts: &ValueTest) -> Kleene {
        let present = match (self.value, self.doubtful) {
            (Some(_), _) => Kleene::True,
            (None, true) => Kleene::Unknown,
            (None, false) => Kleene::False,
        };
        match (accepts, self.value) {
            (ValueTest::Present, _) => present,
            (ValueTest::Absent, _) => !present,
            (ValueTest::In(_), None) => present,
            (ValueTest::In(_), Some(_)) if self.unclear || self.doubtful => Kleene::Unknown,
            (ValueTest::In(values), Some(value)) => {
                values.iter().any(|one| decoded(value).eq(one.bytes().map(Some))).into()
            }
        }
    }
}

/// The bytes that escaped text stands for; `None` where an escape is not one.
fn decoded(text: &[u8]) -> impl Iterator<Item = Option<u8>> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let (&first, after) = rest.split_first()?;
        rest = after;
        match first {
            b'+' => Some(Some(b' ')),
            b'%' => {
                let Some(([high, low], after)) = rest.split_first_chunk::<2>() else { return Some(None) };
                let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
                rest = after;
                Some(digit(*high).zip(digit(*low)).map(|(high, low)| high << 4 | low))
            }
            other => Some(Some(other)),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use Kleene::{False, True, Unknown};

    #[test]
    fn a_pair_is_a_parameter_by_its_decoded_name() {
        let names = ["page".to_owned(), "a b".to_owned()];
        for (pair, expected) in [
            ("page=1", true),
            ("page", true),
            ("p%61ge=", true),
            ("a+b=1", true),
            ("a%20b=1", true),
            ("Page=1", false),
            ("pages=1", false),
            ("p%6=1", false),
            ("", false),
            ("token=page", false),
            // To some servers these are two parameters, and the second may be a secret.
            ("page=1;token=x", false),
        ] {
            assert_eq!(is_parameter_of(pair.as_bytes(), &names), expected, "{pair}");
        }
    }

    #[test]
    fn a_parameter_is_one_of_its_values_or_it_is_not_known() {
        for (query, value, present) in [
            (None, False, False),
            (Some(""), False, False),
            (Some("version=v1"), True, True),
            (Some("version=v3"), False, True),
            (Some("a=b&version=v1&c"), True, True),
            (Some("version"), False, True),
            (Some("version="), False, True),
            (Some("=v1"), False, False),
            (Some("versions=v1"), False, False),
            (Some("v%65rsion=%761"), True, True),
            (Some("version=v%31"), True, True),
            (Some("version=a+b"), True, True),
            (Some("version=a%2Bb"), False, True),
            (Some("version=v1&version=v1"), True, True),
            (Some("version=v1&version=%76%31"), True, True),
            (Some("version=v1&version=v2"), Unknown, True),
            (Some("version=v3&version=v4"), Unknown, True),
            (Some("version=%"), Unknown, True),
            (Some("version=%zz"), Unknown, True),
            (Some("version=v1&other=%"), True, True),
            (Some("%=x&version=v1"), Unknown, True),
            (Some("%=x"), Unknown, Unknown),
            (Some("Version=v1"), Unknown, Unknown),
            (Some("Version=v1&version=v1"), Unknown, True),
            (Some("a=1;version=v1"), Unknown, Unknown),
            (Some("version=v1;a=1"), Unknown, True),
            (Some("version=v3;a=1"), False, True),
            (Some("a=1;b=2"), False, False),
            (Some("a=1%3Bversion=v1"), False, False),
            (Some("version[]=v1"), Unknown, Unknown),
            (Some("version=v1&version%5B%5D=v2"), Unknown, True),
            (Some("version=v1&+version=v2"), Unknown, True),
            (Some("%20Version=v1"), Unknown, Unknown),
            (Some("version%00=v1"), Unknown, Unknown),
            (Some("version+=v1"), False, False),
            (Some("+=v1&[=v1"), False, False),
        ] {
            let query = query.map(str::as_bytes);
            let values = ValueTest::In(["a b", "v1", "v2"].map(str::to_owned).to_vec());
            let shown = query.map(<[u8]>::escape_ascii).map(|text| text.to_string());
            assert_eq!(parameter_is(query, "version", &values), value, "{shown:?}");
            assert_eq!(parameter_is(query, "version", &ValueTest::Present), present, "{shown:?}");
            assert_eq!(parameter_is(query, "version", &ValueTest::Absent), !present, "{shown:?}");
        }
    }

    #[test]
    fn names_that_php_takes_for_the_parameter_are_doubtful() {
        let value =
            |name: &str, query: &str| parameter_is(Some(query.as_bytes()), name, &ValueTest::In(vec!["1".to_owned()]));
        for query in ["api_key=1&api.key=2", "api_key=1&api+key=2", "api_key=1&api[key=2", "api_key=1&api_key[x]=2"] {
            assert_eq!(value("api_key", query), Unknown, "{query}");
        }
        assert_eq!(value("api_key", "api_key=1&api-key=2&api_keys=2&apikey=2&_api_key=2"), True);
        assert_eq!(value("filter[a]", "filter[a]=1&filter[b]=2"), True);
        assert_eq!(value("filter[a]", "filter[a]=1&filter[a][]=2"), Unknown);
    }

    #[test]
    fn more_pairs_than_are_looked_at_are_not_known() {
        let pairs = |n: usize| vec!["a=1"; n].join("&");
        let absent = |query: &str| parameter_is(Some(query.as_bytes()), "version", &ValueTest::Absent);
        assert_eq!(absent(&pairs(MAX_PAIRS)), True);
        assert_eq!(absent(&pairs(MAX_PAIRS + 1)), Unknown);
    }
}

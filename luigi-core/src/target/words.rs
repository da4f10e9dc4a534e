//! Eight bytes at a time: whether they are what targets nearly always consist of.
//!
//! Everything here may say no where a look at each byte would say yes; whoever asks then looks at each byte. So only a yes must be right.
//! Bytes are in a word in the order of memory, the first one lowest.

/// The highest bit of each byte.
const HIGH: u64 = repeated(0x80);

/// Eight times one byte.
const fn repeated(byte: u8) -> u64 {
    u64::from_ne_bytes([byte; 8])
}

/// Eight bytes from `at` on, if there are as many and all are ASCII.
fn ascii_word(bytes: &[u8], at: usize) -> Option<u64> {
    let eight = bytes.get(at..)?.first_chunk::<8>()?;
    let word = u64::from_le_bytes(*eight);
    (word & HIGH == 0).then_some(word)
}

/// The highest bit of each byte that lies in `low..=high`. All bytes of `word` are ASCII, so no sum reaches into the next byte.
const fn within(word: u64, low: u8, high: u8) -> u64 {
    (word + repeated(0x80 - low)) & !(word + repeated(0x7F - high)) & HIGH
}

/// Letters, digits and what stands between `&` and `:`, a hyphen, a dot and a slash among them; and the underscore.
const fn is_plain(word: u64) -> bool {
    let letters = within(word | repeated(0x20), b'a', b'z');
    letters | within(word, b'&', b':') | within(word, b'_', b'_') == HIGH
}

/// How far a path is canonical for certain: where to go on, and where the segment begins that is open there.
///
/// `at` is where to begin and `segment` where the segment begins that it is in; what stands between the two is neither `.` nor `..`. Stops before
/// an empty segment and before one that begins with a dot.
pub(super) fn skip_plain_path(path: &[u8], mut at: usize, mut segment: usize) -> (usize, usize) {
    let mut behind_slash = if at == segment { 0x80 } else { 0 };
    while let Some(word) = ascii_word(path, at).filter(|word| is_plain(*word)) {
        let slashes = within(word, b'/', b'/');
        if (slashes << 8 | behind_slash) & within(word, b'.', b'/') != 0 {
            break;
        }
        if slashes != 0 {
            segment = at + 8 - slashes.leading_zeros() as usize / 8;
        }
        behind_slash = slashes >> 56;
        at += 8;
    }
    (at, segment)
}

/// How many of the first bytes of a query may stand in one for certain.
pub(super) fn plain_query_length(query: &[u8]) -> usize {
    let mut at = 0;
    while let Some(word) = ascii_word(query, at) {
        if within(word, 0x21, 0x7E) & !within(word, b'#', b'#') != HIGH {
            break;
        }
        at += 8;
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn ranges_are_those_of_single_bytes() {
        for byte in 0..0x80u8 {
            // Its neighbours are as far away as they can be.
            for other in [0, 0x7F] {
                let mut bytes = [other; 8];
                bytes[3] = byte;
                let word = u64::from_le_bytes(bytes);
                for (low, high) in [(b'a', b'z'), (b'&', b':'), (b'_', b'_'), (b'.', b'/'), (0x21, 0x7E), (0, 0x7F)] {
                    let found = within(word, low, high).to_le_bytes();
                    let expected = bytes.map(|byte| if (low..=high).contains(&byte) { 0x80 } else { 0 });
                    assert_eq!(found, expected, "{byte:#x} within {low:#x}..={high:#x}");
                }
            }
        }
    }

    #[test]
    fn plain_paths_are_skipped_to_their_last_whole_word() {
        for (path, expected) in [
            ("/v1/orders/17", (9, 4)),
            ("/abcdefg/hijklmn", (9, 9)),
            ("/abcdefghijklmnopq", (17, 1)),
            ("/abcdef/.well-known", (1, 1)),
            ("/abcdef//ghijklmn", (1, 1)),
            ("/abcdefg/./ijklmno", (9, 9)),
            ("/abcdefgh/ijklmno%", (17, 10)),
            ("/abcdefgh/ijklm%no", (9, 1)),
            ("/abcdefg", (1, 1)),
        ] {
            assert_eq!(skip_plain_path(path.as_bytes(), 1, 1), expected, "{path}");
        }
    }

    proptest! {
        #[test]
        fn what_is_skipped_is_canonical(path in "/[a-c/.=_]{0,40}") {
            let path = path.as_bytes();
            let (at, segment) = skip_plain_path(path, 1, 1);
            let skipped = &path[..at];
            prop_assert_eq!(segment, skipped.iter().rposition(|byte| *byte == b'/').unwrap() + 1);
            let mut segments = skipped[1..].split(|byte| *byte == b'/').peekable();
            while let Some(segment) = segments.next() {
                let is_open = segments.peek().is_none();
                prop_assert!(!segment.starts_with(b".") && (is_open || !segment.is_empty()));
            }
        }

        #[test]
        fn a_plain_query_holds_what_a_query_may(query in proptest::collection::vec(0x1Fu8..=0x81, 0..40)) {
            let length = plain_query_length(&query);
            prop_assert!(query[..length].iter().all(|byte| (0x21..=0x7E).contains(byte) && *byte != b'#'));
        }
    }
}

//! Many bytes at a time: whether they are what targets nearly always consist of.
//!
//! Everything here may say no where a look at each byte would say yes; whoever asks then looks at each byte. So only a yes must be right.
//! Tests of blocks of 16 are written so that the compiler turns
//! them into a few vector instructions, those that every x86-64 has; a word is eight bytes in a `u64`, in
//! the order of memory, the first one lowest.

/// The highest bit of each byte.
const HIGH: u64 = repeated(0x80);

/// How many bytes a block has.
const BLOCK: usize = 16;

/// Eight times one byte.
const fn repeated(byte: u8) -> u64 {
    u64::from_ne_bytes([byte; 8])
}

/// Whether a test holds for each byte of a block. No branches, so that it becomes vector instructions.
#[inline(always)]
fn all(block: &[u8; BLOCK], test: impl Fn(u8) -> bool) -> bool {
    block.iter().fold(0, |failed, byte| failed | u8::from(!test(*byte))) == 0
}

/// Whether a test holds for each byte of a block but the first and the byte before it.
#[inline(always)]
fn all_pairs(block: &[u8; BLOCK + 1], test: impl Fn(u8, u8) -> bool) -> bool {
    let mut failed = 0;
    for at in 0..BLOCK {
        failed |= u8::from(!test(block[at], block[at + 1]));
    }
    failed == 0
}

/// A letter, a digit, one of what stands between `&` and `:`, a hyphen, a dot and a slash among them, or the underscore.
const fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphabetic() | matches!(byte, b'&'..=b':') | (byte == b'_')
}

/// Eight bytes from `at` on; behind the last one of `bytes` there are zeros.
fn word(bytes: &[u8], at: usize) -> u64 {
    let rest = bytes.get(at..).unwrap_or(&[]);
    if let Some(eight) = rest.first_chunk::<8>() {
        return u64::from_le_bytes(*eight);
    }
    match (rest.len(), bytes.last_chunk::<8>()) {
        (0, _) => 0,
        (some, Some(last)) => u64::from_le_bytes(*last) >> (64 - 8 * some),
        (some, None) => {
            let mut eight = [0; 8];
            eight[..some].copy_from_slice(rest);
            u64::from_le_bytes(eight)
        }
    }
}

/// The highest bit of each byte that lies in `low..=high`, which are ASCII.
const fn within(word: u64, low: u8, high: u8) -> u64 {
    // Without its highest bits, so that no sum reaches into the next byte.
    let ascii = word & !HIGH;
    (ascii + repeated(0x80 - low)) & !(ascii + repeated(0x7F - high)) & !word & HIGH
}

/// The highest bit of each byte that [`is_plain`].
const fn plain(word: u64) -> u64 {
    let letters = within(word | repeated(0x20), b'a', b'z');
    letters | within(word, b'&', b':') | within(word, b'_', b'_')
}

/// How far a path is canonical for certain, from `at` on, behind its first byte. The byte there is not plain, or there is none, or a segment begins
/// there that is empty or begins with a dot. The segment that `at` is in is neither `.` nor `..` so far.
pub(super) fn skip_plain_path(path: &[u8], mut at: usize) -> usize {
    let goes_on = |before: u8, byte: u8| is_plain(byte) & !((before == b'/') & matches!(byte, b'.' | b'/'));
    while let Some(block) = path[at - 1..].first_chunk::<{ BLOCK + 1 }>()
        && all_pairs(block, goes_on)
    {
        at += BLOCK;
    }
    loop {
        let word = word(path, at);
        let behind_slash = within(word, b'/', b'/') << 8 | if path[at - 1] == b'/' { 0x80 } else { 0 };
        let stops = !plain(word) & HIGH | behind_slash & within(word, b'.', b'/');
        // Zeros behind the end are not plain.
        at += stops.trailing_zeros() as usize / 8;
        if stops != 0 {
            return at;
        }
    }
}

/// How many bytes stand before the first `/`; all if there is none.
pub(crate) fn segment_length(path: &[u8]) -> usize {
    let mut at = 0;
    while at < path.len() {
        // Where a byte is `/` there is a zero; of those the lowest is found for certain (Warren, Hacker's Delight, section 6-1).
        let others = word(path, at) ^ repeated(b'/');
        let slashes = others.wrapping_sub(repeated(1)) & !others & HIGH;
        if slashes != 0 {
            return at + slashes.trailing_zeros() as usize / 8;
        }
        at += 8;
    }
    path.len()
}

/// Whether what follows the path, which ends at `end`, may stand in a query for certain.
pub(super) fn is_plain_query(target: &[u8], end: usize) -> bool {
    let allowed = |byte: u8| matches!(byte, 0x21..=0x7E) & (byte != b'#');
    let mut rest = &target[end..];
    while let Some((block, behind)) = rest.split_first_chunk::<BLOCK>() {
        if !all(block, allowed) {
            return false;
        }
        rest = behind;
    }
    // The end once more with what stands before it, even if that is of the path.
    rest.is_empty() || target.last_chunk::<BLOCK>().is_some_and(|last| all(last, allowed))
}

/// Whether this is a name in lower case without empty labels, for certain.
pub(super) fn is_plain_name(name: &[u8]) -> bool {
    let allowed = |before: u8, byte: u8| {
        (matches!(byte, b'a'..=b'z' | b'0'..=b'9') | (byte == b'-') | (byte == b'_'))
            | ((byte == b'.') & (before != b'.'))
    };
    let [first, .., last] = name else { return false };
    if *first == b'.' || *last == b'.' || !allowed(b'a', *first) {
        return false;
    }
    let mut at = 1;
    while let Some(block) = name[at - 1..].first_chunk::<{ BLOCK + 1 }>() {
        if !all_pairs(block, allowed) {
            return false;
        }
        at += BLOCK;
    }
    // The end once more with what stands before it.
    match name.last_chunk::<{ BLOCK + 1 }>() {
        _ if at == name.len() => true,
        Some(block) => all_pairs(block, allowed),
        None => name.windows(2).all(|pair| allowed(pair[0], pair[1])),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn ranges_are_those_of_single_bytes() {
        for byte in 0..=0xFFu8 {
            // Its neighbours are as far away as they can be.
            for other in [0, 0x7F, 0xFF] {
                let mut bytes = [other; 8];
                bytes[3] = byte;
                let word = u64::from_le_bytes(bytes);
                for (low, high) in [(b'a', b'z'), (b'&', b':'), (b'_', b'_'), (b'.', b'/'), (0, 0x7F)] {
                    let found = within(word, low, high).to_le_bytes();
                    let expected = bytes.map(|byte| if (low..=high).contains(&byte) { 0x80 } else { 0 });
                    assert_eq!(found, expected, "{byte:#x} within {low:#x}..={high:#x}");
                }
                assert_eq!(plain(word).to_le_bytes()[3] != 0, is_plain(byte), "{byte:#x}");
            }
        }
    }

    #[test]
    fn plain_paths_are_skipped_to_what_is_remarkable() {
        for (path, expected) in [
            ("/", 1),
            ("/a", 2),
            ("/v1/orders/17", 13),
            ("/abcdefg/hijklmn?a/b", 16),
            ("/abcdefghijklmnopq", 18),
            ("/abcdef/.well-known", 8),
            ("/abcdef//ghijklmn", 8),
            ("/abcdefghijklmno//", 17),
            ("/abcdefghijklmno/.", 17),
            ("/abcdefg/./ijklmno", 9),
            ("/abcdefgh/ijklmno%", 17),
            ("/abcdefgh/ijklm%no", 15),
            ("/.", 1),
            ("//", 1),
        ] {
            assert_eq!(skip_plain_path(path.as_bytes(), 1), expected, "{path}");
        }
    }

    proptest! {
        #[test]
        fn what_is_skipped_is_canonical_and_ends_where_something_is_remarkable(path in "/[a-c/.=_]{0,60}") {
            let path = path.as_bytes();
            let at = skip_plain_path(path, 1);
            let mut segments = path[1..at].split(|byte| *byte == b'/').peekable();
            while let Some(segment) = segments.next() {
                let is_open = segments.peek().is_none();
                prop_assert!(!segment.starts_with(b".") && (is_open || !segment.is_empty()));
            }
            let remarkable = path.get(at).is_none_or(|byte| *byte == b'=' || path[at - 1] == b'/');
            prop_assert!(remarkable, "{}", at);
        }

        #[test]
        fn a_segment_ends_at_the_first_slash(path in proptest::collection::vec(proptest::sample::select(b"/.0a\x80\xaf".as_slice()), 0..30)) {
            let expected = path.iter().position(|byte| *byte == b'/').unwrap_or(path.len());
            prop_assert_eq!(segment_length(&path), expected);
        }

        #[test]
        fn a_plain_query_holds_what_a_query_may(bytes in proptest::collection::vec(0x1Fu8..=0x81, 0..40), end in 0usize..40) {
            let end = end.min(bytes.len());
            let may = |byte: &u8| (0x21..=0x7E).contains(byte) && *byte != b'#';
            prop_assert!(!is_plain_query(&bytes, end) || bytes[end..].iter().all(may));
            let clean: Vec<u8> = bytes.iter().map(|byte| if may(byte) { *byte } else { b'x' }).collect();
            prop_assert!(is_plain_query(&clean, end) || clean.len() < BLOCK);
        }

        #[test]
        fn a_plain_name_is_canonical(name in "[a-c.9_-]{0,40}[A/\u{e9}]?") {
            let labels_are_full = name.split('.').all(|label| !label.is_empty());
            let lower = name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-_.".contains(&b));
            prop_assert_eq!(is_plain_name(name.as_bytes()), labels_are_full && lower && name.len() > 1);
        }
    }
}

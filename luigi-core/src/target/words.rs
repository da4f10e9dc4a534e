//! Many bytes at a time: whether they are what targets nearly always consist of.
//!
//! Everything here may say no where a look at each byte would say yes; whoever asks then looks at each byte. So only a yes must be right.

use super::block::{BLOCK, Block};

/// How far a path is canonical for certain, from `at` on, behind its first byte. The byte there is not plain, or there is none, or a segment begins
/// there that is empty or begins with a dot. The segment that `at` is in is neither `.` nor `..` so far.
#[inline]
pub(super) fn skip_plain_path(path: &[u8], at: usize) -> usize {
    let mut behind_slash = u32::from(path[at - 1] == b'/');
    // One bit for each byte where something is remarkable.
    let mut stops = |block: Block, over: usize| {
        let slashes = block.is(b'/');
        let plain = block.letters().or(block.within(b'&', b':')).or(block.is(b'_')).bits() >> over;
        let dots_and_slashes = block.is(b'.').or(slashes).bits() >> over;
        let slashes = slashes.bits() >> over;
        let stops = !plain | (slashes << 1 | behind_slash) & dots_and_slashes;
        behind_slash = slashes >> (BLOCK - 1);
        stops
    };
    let mut rest = &path[at..];
    while let Some((block, behind)) = rest.split_first_chunk::<BLOCK>() {
        // What is above a block is no byte of it.
        let stops = stops(Block::new(block), 0) & 0xFFFF;
        if stops != 0 {
            return path.len() - rest.len() + stops.trailing_zeros() as usize;
        }
        rest = behind;
    }
    // Nothing is plain behind the end.
    let stops = match path.last_chunk::<BLOCK>() {
        Some(block) => stops(Block::new(block), BLOCK - rest.len()),
        None => stops(Block::padded(rest), 0),
    };
    path.len() - rest.len() + stops.trailing_zeros() as usize
}

/// One bit for each `/` among the first 64 bytes.
#[inline]
pub(crate) fn slashes(path: &[u8]) -> u64 {
    let first = &path[..path.len().min(64)];
    let (mut slashes, mut at, mut rest) = (0, 0, first);
    while let Some((block, behind)) = rest.split_first_chunk::<BLOCK>() {
        slashes |= u64::from(Block::new(block).is(b'/').bits()) << at;
        (at, rest) = (at + BLOCK, behind);
    }
    if rest.is_empty() {
        return slashes;
    }
    let last = match first.last_chunk::<BLOCK>() {
        Some(block) => Block::new(block).is(b'/').bits() >> (BLOCK - rest.len()),
        None => Block::padded(rest).is(b'/').bits(),
    };
    slashes | u64::from(last) << at
}

/// How many bytes stand before the first `/`; all if there is none.
pub(crate) fn segment_length(path: &[u8]) -> usize {
    let mut rest = path;
    while let Some((block, behind)) = rest.split_first_chunk::<BLOCK>() {
        let slashes = Block::new(block).is(b'/').bits();
        if slashes != 0 {
            return path.len() - rest.len() + slashes.trailing_zeros() as usize;
        }
        rest = behind;
    }
    let slashes = match path.last_chunk::<BLOCK>() {
        Some(block) => Block::new(block).is(b'/').bits() >> (BLOCK - rest.len()),
        None => Block::padded(rest).is(b'/').bits(),
    };
    path.len() - rest.len() + rest.len().min(slashes.trailing_zeros() as usize)
}

/// Whether what follows the path, which ends at `end`, may stand in a query for certain.
fn is_plain_query(target: &[u8], end: usize) -> bool {
    let allowed = |block: Block| block.within(0x21, 0x7E).bits() & !block.is(b'#').bits() == 0xFFFF;
    let mut rest = &target[end..];
    while let Some((block, behind)) = rest.split_first_chunk::<BLOCK>() {
        if !allowed(Block::new(block)) {
            return false;
        }
        rest = behind;
    }
    // The end once more with what stands before it, even if that is of the path.
    rest.is_empty() || target.last_chunk::<BLOCK>().is_some_and(|last| allowed(Block::new(last)))
}

/// The path of a target in origin-form and what follows its `?`, if both are canonical for certain.
pub(super) fn plain_path_and_query(target: &[u8]) -> Option<(&str, Option<&[u8]>)> {
    let end = skip_plain_path(target, 1);
    let query = match &target[end..] {
        [] => None,
        [b'?', query @ ..] if is_plain_query(target, end) => Some(query),
        _ => return None,
    };
    Some((ascii(&target[..end]), query))
}

/// Bytes each of which was seen to be ASCII.
// PERF: to look at path and host once more takes the target from 1.8 to 3.4 times the floor: `cargo bench -p luigi-bench --bench decide -- 'canonical|floor'`.
#[expect(unsafe_code, reason = "what was looked at a moment ago is not looked at again")]
fn ascii(bytes: &[u8]) -> &str {
    debug_assert!(bytes.is_ascii());
    // SAFETY: both callers hand over bytes that `skip_plain_path` and `plain_name` found within ranges of ASCII; ASCII is UTF-8.
    unsafe { str::from_utf8_unchecked(bytes) }
}

/// A name in lower case without empty labels and without A-labels, for certain, and where its last label begins.
#[inline]
pub(super) fn plain_name(name: &[u8]) -> Option<(&str, usize)> {
    let (mut behind_dot, mut behind_hyphen) = (1, 0);
    // One bit for each byte that cannot stand there, and one for each dot. Of two hyphens, which A-labels have, the second one cannot.
    let mut looked_at = |block: Block, over: usize| {
        let (dots, hyphens) = (block.is(b'.'), block.is(b'-'));
        let plain = block.within(b'a', b'z').or(block.within(b'0', b'9')).or(hyphens).or(dots).or(block.is(b'_'));
        let (plain, dots, hyphens) = (plain.bits() >> over, dots.bits() >> over, hyphens.bits() >> over);
        let stops = !plain | (dots << 1 | behind_dot) & dots | (hyphens << 1 | behind_hyphen) & hyphens;
        behind_dot = dots >> (BLOCK - 1);
        behind_hyphen = hyphens >> (BLOCK - 1);
        (stops, dots)
    };
    let mut last_label = 0;
    let mut rest = name;
    while let Some((block, behind)) = rest.split_first_chunk::<BLOCK>() {
        let (stops, dots) = looked_at(Block::new(block), 0);
        if stops & 0xFFFF != 0 {
            return None;
        }
        if dots != 0 {
            last_label = name.len() - rest.len() + 32 - dots.leading_zeros() as usize;
        }
        rest = behind;
    }
    let (stops, dots) = match name.last_chunk::<BLOCK>() {
        Some(block) => looked_at(Block::new(block), BLOCK - rest.len()),
        None => looked_at(Block::padded(rest), 0),
    };
    if (stops.trailing_zeros() as usize) < rest.len() {
        return None;
    }
    if dots != 0 {
        last_label = name.len() - rest.len() + 32 - dots.leading_zeros() as usize;
    }
    (last_label < name.len()).then(|| (ascii(name), last_label))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

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
        fn each_slash_has_its_bit(path in proptest::collection::vec(proptest::sample::select(b"/.0a\x80\xaf".as_slice()), 0..140)) {
            let expected = path.iter().take(64).enumerate().map(|(at, byte)| u64::from(*byte == b'/') << at).sum::<u64>();
            prop_assert_eq!(slashes(&path), expected);
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
            let last_label = name.rfind('.').map_or(0, |dot| dot + 1);
            let expected = (labels_are_full && lower && !name.contains("--")).then_some((name.as_str(), last_label));
            prop_assert_eq!(plain_name(name.as_bytes()), expected);
        }
    }
}

//! The canonical form of targets: a table of cases, and properties on generated ones.

#[path = "reference/target.rs"]
mod reference;

use luigi_core::target::{
    Ambiguity, CanonicalTarget, Host, MAX_HOST_BYTES, MAX_TARGET_BYTES, RawTarget, Readings, Target, TargetBuffer,
    as_forwarded, canonicalize,
};
use proptest::prelude::*;
use std::collections::BTreeSet;

/// Bytes of a word of the table: `\xNN` is a byte, `\\` a backslash.
fn unescaped(word: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = word;
    while let Some(at) = rest.find('\\') {
        bytes.extend_from_slice(&rest.as_bytes()[..at]);
        rest = &rest[at + 1..];
        if let Some(tail) = rest.strip_prefix('\\') {
            bytes.push(b'\\');
            rest = tail;
        } else {
            let digits = rest.strip_prefix('x').and_then(|tail| tail.get(..2)).expect("`\\\\` or `\\xNN`");
            bytes.push(u8::from_str_radix(digits, 16).expect("two hexadecimal digits"));
            rest = &rest[3..];
        }
    }
    bytes.extend_from_slice(rest.as_bytes());
    bytes
}

/// The right side of the table for a target.
fn shown(target: &Target<'_>) -> String {
    match target {
        Target::Readings(Readings { class, .. }) | Target::Ambiguous(class) => format!("!{class}"),
        Target::Canonical(CanonicalTarget { host, path, query }) => {
            let host = match host {
                Host::Absent => "-",
                Host::Name(name) | Host::Address(name) => name,
            };
            let path = if path.is_empty() { "\"\"" } else { path };
            let query = query.map_or(String::new(), |query| format!("?{}", String::from_utf8_lossy(query)));
            format!("{host} {path}{}", query.replace('\\', "\\\\"))
        }
    }
}

/// Tries every case of a table; how many there are, and the classes in it.
fn check(table: &str) -> (usize, BTreeSet<Ambiguity>) {
    let mut buffer = TargetBuffer::new();
    let mut wrong = Vec::new();
    let mut classes = BTreeSet::new();
    let mut cases = 0;
    for (number, line) in table.lines().enumerate().filter(|(_, line)| !line.is_empty() && !line.starts_with('#')) {
        let (left, expected) = line.split_once(" => ").unwrap_or_else(|| panic!("line {}: no ` => `", number + 1));
        let words: Vec<&str> = left.split(' ').collect();
        let [method, target, host] = words[..] else { panic!("line {}: not three words", number + 1) };
        let (method, target) = (unescaped(method), unescaped(target));
        let host = match host {
            "-" => None,
            "\"\"" => Some(Vec::new()),
            host => Some(unescaped(host)),
        };
        let raw = RawTarget { method: &method, target: &target, host: host.as_deref() };
        let found = canonicalize(raw, &mut buffer);
        if shown(&found) != expected {
            wrong.push(format!("line {}: {line}\n    but found {}", number + 1, shown(&found)));
        }
        agrees_with_reference(raw, &found);
        is_stable(raw.method, &found);
        if let Some(class) = found.ambiguity() {
            classes.insert(class);
        }
        cases += 1;
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    (cases, classes)
}

#[test]
fn the_examples_of_rfc_3986() {
    assert!(check(include_str!("data/rfc3986.txt")).0 >= 60);
}

#[test]
fn the_request_targets_of_rfc_9112() {
    assert!(check(include_str!("data/rfc9112.txt")).0 >= 28);
}

#[test]
fn the_addresses_of_rfc_4291_and_rfc_5952() {
    assert!(check(include_str!("data/rfc5952.txt")).0 >= 45);
}

#[test]
fn the_labels_of_rfc_5891_and_rfc_3492() {
    assert!(check(include_str!("data/rfc5891.txt")).0 >= 40);
}

#[test]
fn the_table_of_targets() {
    let (cases, classes) = check(include_str!("data/targets.txt"));
    assert!(cases >= 270, "only {cases} cases were read");
    // Length is tested below; everything else must stand in the table.
    let missing: Vec<_> = Ambiguity::ALL.iter().filter(|c| **c != Ambiguity::TooLong && !classes.contains(c)).collect();
    assert!(missing.is_empty(), "no case for {missing:?}");
}

/// Paths are looked at eight bytes at a time, and byte by byte where a word has a byte like `=`. Whichever of the two comes upon a segment, and
/// wherever in a word it begins, it must be seen.
#[test]
fn dot_and_empty_segments_are_seen_wherever_words_end() {
    let mut buffer = TargetBuffer::new();
    let mut canonical = 0;
    for lead in (0..40).flat_map(|length| ["a", "=", "a=", "aaaaaaaaaaaaaaaa="].map(|with| (length, with))) {
        let lead: String = lead.1.chars().cycle().take(lead.0).collect();
        for odd in [".", "..", "", "...", ".a", "a.", "..="] {
            for tail in ["", "/", "/b", "/admin/secret/page", "/=dmin/secret/page", "/../admin/secret/page", "?a=/../b"]
            {
                let target = format!("/{lead}/{odd}{tail}");
                let raw = RawTarget { method: b"GET", target: target.as_bytes(), host: None };
                let found = canonicalize(raw, &mut buffer);
                agrees_with_reference(raw, &found);
                if let Target::Canonical(target) = found {
                    let mut segments = target.segments().expect("a path");
                    assert!(segments.all(|segment| !matches!(segment, "" | "." | "..")), "{target:?}");
                    canonical += 1;
                }
            }
        }
    }
    assert!(canonical > 1000, "only {canonical} have a canonical form");
}

#[test]
fn names_and_addresses_are_told_apart() {
    let mut buffer = TargetBuffer::new();
    let cases = [
        (None, Host::Absent),
        (Some("Example.COM"), Host::Name("example.com")),
        (Some("192.0.2.7:80"), Host::Address("192.0.2.7")),
        (Some("[2001:DB8::1]:80"), Host::Address("2001:db8::1")),
    ];
    for (host, expected) in cases {
        let raw = RawTarget { method: b"GET", target: b"/", host: host.map(str::as_bytes) };
        let Target::Canonical(target) = canonicalize(raw, &mut buffer) else { panic!("{host:?} is refused") };
        assert_eq!(target.host, expected);
    }
}

#[test]
fn lengths_have_limits() {
    let mut buffer = TargetBuffer::new();
    let mut check = |target: &[u8], host: Option<&[u8]>, refused: Option<Ambiguity>| {
        let raw = RawTarget { method: b"GET", target, host };
        let found = canonicalize(raw, &mut buffer);
        match (found, refused) {
            (Target::Canonical(_), None) => {}
            (Target::Readings(Readings { class, .. }) | Target::Ambiguous(class), Some(expected)) => {
                assert_eq!(class, expected);
            }
            (found, _) => panic!("{found:?} for {} bytes", target.len()),
        }
        agrees_with_reference(raw, &found);
    };
    let filled = |start: &str, with: &str, length: usize| {
        let mut text = start.to_owned();
        text.extend(with.chars().cycle().take(length - start.len()));
        text.into_bytes()
    };
    let max = MAX_TARGET_BYTES;
    check(&filled("/", "a", max), None, None);
    check(&filled("/", "a", max + 1), None, Some(Ambiguity::TooLong));
    check(&filled("/a?", "a", max), None, None);
    check(&filled("/a?", "a", max + 1), None, Some(Ambiguity::TooLong));
    check(&filled("https://example.com/", "a", max), Some(b"example.com"), None);
    check(&filled("https://example.com/", "a", max + 1), Some(b"example.com"), Some(Ambiguity::TooLong));
    // The canonical form may be longer than what was received.
    check(&filled("/", "|", 1 + (max - 1) / 3), None, None);
    check(&filled("/", "|", 2 + (max - 1) / 3), None, Some(Ambiguity::TooLong));
    // Nothing is left of it, but it is long.
    check(&filled("/a/..", "/", max + 1), None, Some(Ambiguity::TooLong));
    check(&filled("/x", "/./x", max - 2), None, None);
    let label = "a".repeat(63);
    check(b"/", Some(label.as_bytes()), None);
    check(b"/", Some(format!("{label}a").as_bytes()), Some(Ambiguity::BadHost));
    let host = format!("{label}.{label}.{label}.{}", &label[..61]);
    assert_eq!(host.len(), MAX_HOST_BYTES);
    check(b"/", Some(host.to_ascii_uppercase().as_bytes()), None);
    check(b"/", Some(format!("{host}.").as_bytes()), None);
    check(b"/", Some(format!("{host}a").as_bytes()), Some(Ambiguity::BadHost));
}

#[test]
fn what_is_canonical_is_borrowed_and_a_buffer_may_be_used_again() {
    let mut buffer = TargetBuffer::new();
    let longest = format!("/{}", "|".repeat(5000));
    let _ = canonicalize(RawTarget { method: b"GET", target: longest.as_bytes(), host: Some(b"A") }, &mut buffer);
    let (bytes, host) = (b"/v1/orders/17?x=%2f".to_vec(), b"example.com".to_vec());
    let raw = RawTarget { method: b"GET", target: &bytes, host: Some(&host) };
    let Target::Canonical(target) = canonicalize(raw, &mut buffer) else { panic!("refused") };
    assert!(bytes.as_ptr_range().contains(&target.path.as_ptr()));
    assert!(matches!(target.host, Host::Name(name) if host.as_ptr_range().contains(&name.as_ptr())));
    let raw = RawTarget { method: b"GET", target: b"/a/%62", host: Some(b"B.example") };
    assert_eq!(shown(&canonicalize(raw, &mut buffer)), "b.example /a/b");
}

#[test]
fn segments_leave_out_the_final_slash_and_exist_only_for_paths() {
    let segments = |path| {
        let target = CanonicalTarget { host: Host::Absent, path, query: None };
        target.segments().map(|segments| segments.collect::<Vec<_>>())
    };
    assert_eq!(segments("/"), Some(vec![]));
    assert_eq!(segments("/a"), Some(vec!["a"]));
    assert_eq!(segments("/a/"), Some(vec!["a"]));
    assert_eq!(segments("/a/b%20c/d/"), Some(vec!["a", "b%20c", "d"]));
    assert_eq!(segments("*"), None);
    assert_eq!(segments(""), None);
    let target = CanonicalTarget { host: Host::Absent, path: "/a/b/c/", query: None };
    let mut left = target.segments().unwrap();
    assert_eq!((left.next(), left.rest()), (Some("a"), "b/c"));
}

/// The fast and the slow implementation say the same.
fn agrees_with_reference(raw: RawTarget<'_>, found: &Target<'_>) {
    let slow = reference::canonical(raw);
    let fast = match *found {
        Target::Readings(_) | Target::Ambiguous(_) => None,
        Target::Canonical(CanonicalTarget { host, path, query }) => {
            let host = match host {
                Host::Absent => None,
                Host::Name(name) | Host::Address(name) => Some(name.to_owned()),
            };
            Some((host, path.to_owned(), query.map(<[u8]>::to_vec)))
        }
    };
    let shown = |bytes: &[u8]| bytes.escape_ascii().to_string();
    assert_eq!(fast, slow, "{} with host {:?}", shown(raw.target), raw.host.map(shown));
}

/// Canonical once is canonical for ever.
fn is_stable(method: &[u8], found: &Target<'_>) {
    let Target::Canonical(target) = *found else { return };
    if target.path.is_empty() {
        return;
    }
    let mut line = target.path.as_bytes().to_vec();
    if let Some(query) = target.query {
        line.push(b'?');
        line.extend_from_slice(query);
    }
    let host = match target.host {
        Host::Absent => None,
        Host::Address(address) if address.contains(':') => Some(format!("[{address}]")),
        Host::Name(host) | Host::Address(host) => Some(host.to_owned()),
    };
    let raw = RawTarget { method, target: &line, host: host.as_deref().map(str::as_bytes) };
    let mut buffer = TargetBuffer::new();
    assert_eq!(canonicalize(raw, &mut buffer), Target::Canonical(target));
}

/// Pieces that targets are made of, the harmful ones above all.
const PIECES: &[&str] = &[
    "/",
    "/",
    "/",
    ".",
    "..",
    "/../",
    "/./",
    "//",
    "%2e",
    "%2E",
    "%2f",
    "%5c",
    "\\",
    ";",
    "%3b",
    "%25",
    "25",
    "2",
    "e",
    "2e",
    "%",
    "u",
    "u002e",
    "a",
    "b",
    "admin",
    "%61",
    "%C3%A9",
    "%c3",
    "%a9",
    "%c0%af",
    "%e2%82%ac",
    "%00",
    "%0a",
    "%20",
    "%7f",
    "%c2%85",
    " ",
    "\t",
    "#",
    "?",
    "?x=/../",
    "|",
    "[",
    "{",
    "%7b",
    "%7B",
    "!",
    "%21",
    ":",
    "%3a",
    "@",
    "+",
    "%2B",
    "*",
    "é",
    "%3f",
    "%23",
    "https://",
    "http://",
    "h.example",
    "H.Example.",
    ":443",
    ":80",
    "[::1]",
    "127.1",
    "0x7f",
    "u@",
];

const METHODS: &[&[u8]] = &[b"GET", b"OPTIONS", b"CONNECT", b"oPTIONS"];

fn any_target() -> impl Strategy<Value = Vec<u8>> {
    let pieces = |start: &'static str| {
        prop::collection::vec(prop::sample::select(PIECES), 0..14)
            .prop_map(move |pieces| format!("{start}{}", pieces.concat()).into_bytes())
    };
    prop_oneof![
        6 => pieces("/"),
        2 => pieces("https://h.example"),
        1 => pieces(""),
        1 => prop::collection::vec(any::<u8>(), 0..60),
    ]
}

fn any_host() -> impl Strategy<Value = Option<Vec<u8>>> {
    const PARTS: &[&str] = &[
        "h", "H", ".", ".", "example", "1", "127", "0x7f", ":", "80", "443", "[", "]", "::1", "@", "-", "_", "%", "é",
    ];
    prop_oneof![
        1 => Just(None),
        3 => Just(Some(b"h.example".to_vec())),
        1 => Just(Some(b"H.EXAMPLE.:443".to_vec())),
        2 => prop::collection::vec(prop::sample::select(PARTS), 0..8).prop_map(|p| Some(p.concat().into_bytes())),
        1 => prop::collection::vec(any::<u8>(), 0..20).prop_map(Some),
    ]
}

/// A character of a path segment, as a server that decodes once sees it.
fn any_character() -> impl Strategy<Value = char> {
    prop_oneof![
        8 => prop::sample::select("abz019-_~".chars().collect::<Vec<_>>()),
        2 => prop::sample::select("!$&'()*+,=:@.".chars().collect::<Vec<_>>()),
        1 => prop::sample::select(" \"<>[]^`{|}?#%é€🔑".chars().collect::<Vec<_>>()),
    ]
}

/// One way to write a character in a target; `style` picks it.
fn spelt(character: char, style: u8) -> String {
    let escaped = |upper: bool| -> String {
        let mut bytes = [0; 4];
        let bytes = character.encode_utf8(&mut bytes).bytes();
        bytes.map(|b| if upper { format!("%{b:02X}") } else { format!("%{b:02x}") }).collect()
    };
    match style {
        0..=5 if !matches!(character, '%' | '?' | '#' | ' ') && character.is_ascii() => character.to_string(),
        6 => escaped(false).replace('%', "%25"),
        _ => escaped(style.is_multiple_of(2)),
    }
}

/// Something between two segments that a server may or may not take for a single `/`.
fn separator(style: u8) -> &'static str {
    const OTHERS: [&str; 16] = [
        "//",
        "/./",
        "/%2e/",
        "/x/../",
        "/x/%2e%2E/",
        "/x//../",
        "//x/../",
        "/x/y/../../",
        "/x//y/../../",
        "%2f",
        "%2F",
        "\\",
        "%5c",
        "/;/",
        "/x/..;/",
        "/./x/.././",
    ];
    OTHERS.get(usize::from(style)).copied().unwrap_or("/")
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_slow_implementation_agrees_and_twice_is_once(
        method in prop::sample::select(METHODS),
        target in any_target(),
        host in any_host(),
    ) {
        let raw = RawTarget { method, target: &target, host: host.as_deref() };
        let mut buffer = TargetBuffer::new();
        let found = canonicalize(raw, &mut buffer);
        agrees_with_reference(raw, &found);
        is_stable(method, &found);
        if let Target::Canonical(CanonicalTarget { path, .. }) = found
            && !matches!(path, "*" | "")
        {
            prop_assert!(path.starts_with('/') && !path.contains("//") && path.is_ascii());
            prop_assert!(!path.split('/').any(|segment| matches!(segment, "." | "..")));
            prop_assert!(!path.contains([';', '\\', '#', '?', ' ']));
        }
    }

    /// What is forwarded is decided like what was sent, and keeps every escape of a reserved character.
    #[test]
    fn what_is_forwarded_is_what_was_decided(target in any_target()) {
        let host = Some(&b"h.example"[..]);
        let mut buffer = TargetBuffer::new();
        let found = canonicalize(RawTarget { method: b"GET", target: &target, host }, &mut buffer);
        let path = target.split(|byte| *byte == b'?').next().unwrap_or_default();
        if let (Target::Canonical(decided), [b'/', ..]) = (found, path) {
            let mut room = vec![0; MAX_TARGET_BYTES];
            let sent = as_forwarded(path, &found, &mut room).unwrap();
            let mut again = TargetBuffer::new();
            let raw = RawTarget { method: b"GET", target: sent.as_bytes(), host };
            let Target::Canonical(redecided) = canonicalize(raw, &mut again) else { panic!("{sent}") };
            prop_assert_eq!(redecided.path, decided.path);
            prop_assert!(!decided.path.contains("%2B") && sent.matches("%2B").count() <= path.len());
            prop_assert_eq!(as_forwarded(b"/another", &found, &mut room).is_ok(), decided.path == "/another");
        }
    }

    /// Another decoder of Punycode says the same of every label.
    #[test]
    fn labels_encode_a_name_or_are_refused(encoded in "[a-z0-9-]{0,16}|[a-z]{1,6}-[a-z0-9]{3,6}|[a-z0-9]{2,5}") {
        let mut buffer = TargetBuffer::new();
        let host = format!("xn--{encoded}.example");
        let raw = RawTarget { method: b"GET", target: b"/", host: Some(host.as_bytes()) };
        agrees_with_reference(raw, &canonicalize(raw, &mut buffer));
    }

    /// Some servers decode what they get and then leave dot segments where they are: `/admin%2F../public` would be in `/admin` to them.
    #[test]
    fn what_is_forwarded_of_two_readings_has_no_dots_however_it_is_decoded(target in any_target()) {
        let raw = RawTarget { method: b"GET", target: &target, host: Some(b"h.example") };
        let mut buffer = TargetBuffer::new();
        if let Target::Readings(readings) = canonicalize(raw, &mut buffer) {
            let as_it_stands = readings.as_it_stands();
            let mut path = as_it_stands.path.replace("%25", "%");
            for (escape, character) in [("%2F", "/"), ("%2f", "/"), ("%5C", "/"), ("%5c", "/"), ("%2E", "."), ("%2e", ".")] {
                path = path.replace(escape, character);
            }
            let names = path.split('/').map(|segment| segment.split(';').next().unwrap_or_default());
            prop_assert!(!names.into_iter().any(|name| matches!(name, "." | "..")), "{}", as_it_stands.path);
        }
    }

    #[test]
    fn every_spelling_of_a_path_is_that_path_or_refused(
        segments in prop::collection::vec(prop::collection::vec((any_character(), 0..24u8), 1..6), 1..5),
        separators in prop::collection::vec(0..64u8, 5),
        absolute in any::<bool>(),
    ) {
        let decoded: Vec<String> = segments.iter().map(|s| s.iter().map(|(c, _)| c).collect()).collect();
        prop_assume!(!decoded.iter().any(|segment| segment == "." || segment == ".."));
        let mut spelling = String::new();
        let mut plain = String::new();
        for (segment, style) in segments.iter().zip(&separators) {
            spelling.push_str(separator(*style));
            spelling.extend(segment.iter().map(|&(character, style)| spelt(character, style)));
            plain.push('/');
            plain.extend(segment.iter().map(|&(character, _)| spelt(character, 8)));
        }
        if absolute && spelling.starts_with('/') {
            spelling.insert_str(0, "https://h.example");
        }
        let mut buffer = TargetBuffer::new();
        let read = |target: &str, buffer: &mut TargetBuffer| {
            let raw = RawTarget { method: b"GET", target: target.as_bytes(), host: Some(b"h.example") };
            match canonicalize(raw, buffer) {
                Target::Canonical(target) => Some(target.path.to_owned()),
                Target::Readings(_) | Target::Ambiguous(_) => None,
            }
        };
        if let Some(found) = read(&spelling, &mut buffer) {
            prop_assert_eq!(Some(found), read(&plain, &mut buffer), "{} is not {}", spelling, plain);
        }
    }
}

//! Spellings of paths that only staff may have: each trick of the table alone and at every place, and mixed.

use super::{Attack, Class, Numbers, get};
use crate::estate::{HOST, LAX_HOST, LEGACY_HOST};
use luigi_core::generators::spelling::{ENDS, Letter, Paths, SEPARATORS, SUFFIXES};

/// What is written in other ways.
const TARGETS: [&[&str]; 3] = [&["admin", "secret.txt"], &["admin"], &["admin", "users", "export.csv"]];

/// Beginnings that lead back to the root, or do so on some server.
const BEGINNINGS: [&str; 34] = [
    "/public/..",
    "/public/%2e%2e",
    "/public/.%2e",
    "/public/%2E.",
    "/public/../",
    "//",
    "///",
    "/.",
    "/./.",
    "/%2e",
    "/..",
    "/../..",
    "/static/../static/..",
    "/static//..",
    "/static/a/..%2f..",
    "/public%2f..",
    "/public%2F..%2f",
    "/public/..%5c",
    "/public\\..\\",
    "/public/..\\",
    "/public;a/..",
    "/public;/..;",
    "/public/..;",
    "/public/..;x=y",
    "/;a",
    "/public/%252e%252e",
    "/public/..%252f",
    "/public/%c0%ae%c0%ae",
    "/public/%e0%80%ae%e0%80%ae",
    "/public/%u002e%u002e",
    "/public/..%00",
    "/public/..%0d%0a",
    "/public/..\t",
    "/assets..",
];

/// Endings that lead out again, or do so on some server.
const EXITS: [&str; 14] = [
    "/../../public/a.txt",
    "/../../../public/a.txt",
    "/%2e%2e/public/a.txt",
    "/..;/public/a.txt",
    "%2f../public/a.txt",
    "%2f..%2f..%2fpublic/a.txt",
    "/..%2fpublic/a.txt",
    "/%252e%252e/public/a.txt",
    "%252f../public/a.txt",
    "\\..\\public\\a.txt",
    "%5c../public/a.txt",
    ";/../public/a.txt",
    "/;x/../../public/a.txt",
    "/.;/../public%2fa.txt",
];

/// How one spelling is put together.
struct Spelling<'a> {
    beginning: &'a str,
    letter: &'a dyn Fn(usize) -> Letter,
    separator: &'a dyn Fn(usize) -> &'static str,
    suffix: &'a dyn Fn(usize) -> &'static str,
    end: &'a str,
}

impl Spelling<'_> {
    const PLAIN: Self =
        Spelling { beginning: "", letter: &|_| Letter::Plain, separator: &|_| "/", suffix: &|_| "", end: "" };

    fn write(&self, segments: &[&str]) -> String {
        let mut text = self.beginning.to_owned();
        let mut letters = 0;
        for (index, segment) in segments.iter().enumerate() {
            text.push_str((self.separator)(index));
            for character in segment.chars() {
                text.push_str(&(self.letter)(letters).write(character, Paths::AsEverywhere).0);
                letters += 1;
            }
            text.push_str((self.suffix)(index));
        }
        text + self.end
    }
}

/// Ways out of what is denied: to a server that leaves dots where they are, all of these are in it.
fn ways_out() -> Vec<String> {
    let mut texts = Vec::new();
    for inside in [
        "/admin",
        "/admin/.",
        "/admin/x/..",
        "/admin/secret.txt/..",
        "/%61dmin",
        "/admin//",
        "/public/../admin",
        "/admin/./x/..",
    ] {
        for dots in [
            "/..",
            "/%2e%2e",
            "/.%2E",
            "/../.",
            "/x/../..",
            "/..;",
            "%2f..",
            "%5c..",
            "\\..",
            "/%252e%252e",
            "/..\\..",
            "//..",
            "/.%00.",
        ] {
            for outside in ["/public/a.txt", "/public/a.txt?x=/admin", "/"] {
                texts.push(format!("{inside}{dots}{outside}"));
            }
        }
    }
    texts
}

pub(super) fn add(all: &mut Vec<Attack>) {
    for text in ways_out() {
        get(all, Class::WayOut, &text, HOST, "");
        get(all, Class::WayOut, &text, LEGACY_HOST, "");
        get(all, Class::WayOut, &text, LAX_HOST, "");
    }
    for segments in TARGETS {
        for text in letters(segments) {
            get(all, Class::Letters, &text, HOST, "");
        }
        for text in segment_tricks(segments) {
            get(all, Class::Segments, &text, HOST, "");
        }
        for text in endings(segments) {
            get(all, Class::Endings, &text, HOST, "");
        }
    }
    for text in mixed(1_000, 1) {
        get(all, Class::Mixed, &text, HOST, "");
    }
    for (class, host, seed) in [(Class::IgnoreCase, LEGACY_HOST, 2), (Class::Accepted, LAX_HOST, 3)] {
        for segments in &TARGETS[..2] {
            for text in [letters(segments), segment_tricks(segments), endings(segments)].concat() {
                get(all, class, &text, host, "");
            }
        }
        for text in mixed(300, seed) {
            get(all, class, &text, host, "");
        }
    }
}

fn letters(segments: &[&str]) -> Vec<String> {
    let count: usize = segments.iter().map(|segment| segment.len()).sum();
    let mut texts = Vec::new();
    for letter in Letter::ALL {
        for at in 0..count {
            let one = |index| if index == at { letter } else { Letter::Plain };
            texts.push(Spelling { letter: &one, ..Spelling::PLAIN }.write(segments));
        }
        texts.push(Spelling { letter: &|_| letter, ..Spelling::PLAIN }.write(segments));
    }
    texts
}

fn segment_tricks(segments: &[&str]) -> Vec<String> {
    let mut texts = Vec::new();
    for beginning in BEGINNINGS {
        for end in ["", "/", "?x"] {
            texts.push(Spelling { beginning, end, ..Spelling::PLAIN }.write(segments));
        }
    }
    for (separator, _) in SEPARATORS {
        for at in 0..segments.len() {
            let here = |index| if index == at { *separator } else { "/" };
            texts.push(Spelling { separator: &here, ..Spelling::PLAIN }.write(segments));
            let beginning = "/public";
            texts.push(Spelling { beginning, separator: &here, ..Spelling::PLAIN }.write(segments));
        }
    }
    texts
}

fn endings(segments: &[&str]) -> Vec<String> {
    let mut texts = Vec::new();
    for (suffix, _) in SUFFIXES {
        for at in 0..segments.len() {
            let here = |index| if index == at { *suffix } else { "" };
            texts.push(Spelling { suffix: &here, ..Spelling::PLAIN }.write(segments));
        }
    }
    for (end, _) in ENDS {
        texts.push(Spelling { end, ..Spelling::PLAIN }.write(segments));
    }
    texts
}

/// Spellings with a few tricks in each.
fn mixed(count: usize, seed: u64) -> Vec<String> {
    let mut numbers = Numbers(seed);
    let mut texts = Vec::new();
    for _ in 0..count {
        let segments = *numbers.pick(&TARGETS);
        let letters: Vec<Letter> =
            (0..40).map(|_| if numbers.below(5) == 0 { *numbers.pick(&Letter::ALL) } else { Letter::Plain }).collect();
        let mut some = |table: &[(&'static str, _)]| -> Vec<&'static str> {
            (0..3).map(|_| if numbers.below(3) == 0 { numbers.pick(table).0 } else { table[0].0 }).collect()
        };
        let (separators, suffixes) = (some(SEPARATORS), some(SUFFIXES));
        let beginning = if numbers.below(2) == 0 { *numbers.pick(&BEGINNINGS) } else { "" };
        let spelling = Spelling {
            beginning,
            letter: &|index| letters[index],
            separator: &|index| separators[index],
            suffix: &|index| suffixes[index],
            end: if numbers.below(4) == 0 { numbers.pick::<&str>(&EXITS) } else { numbers.pick(ENDS).0 },
        };
        texts.push(spelling.write(segments));
    }
    texts
}

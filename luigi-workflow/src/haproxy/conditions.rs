//! Conditions of rules: what stands behind `if` and `unless`, and `acl` lines.
//!
//! Only taken apart here; what a condition comes to for a request is in [`evaluate`](super::evaluate).

use super::sections::{Line, Section};
use super::words::Word;

/// A condition: any of its alternatives, all terms of one; or, after `unless`, not that.
#[derive(Debug)]
pub(super) struct Condition {
    pub(super) is_unless: bool,
    pub(super) alternatives: Vec<Vec<Term>>,
}

/// A term: any of its tests, or, after `!`, none of them.
#[derive(Debug)]
pub(super) struct Term {
    pub(super) is_negated: bool,
    pub(super) tests: Vec<Test>,
}

/// A test.
#[derive(Debug)]
pub(super) enum Test {
    /// Always the same.
    Constant(bool),
    /// One of HAProxy's own names for a test.
    Predefined(String),
    /// A value of the request or the connection, compared.
    Sample(Comparison),
    /// Nothing that can be taken apart.
    Unreadable(String),
}

/// A fetch with converters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Sample {
    pub(super) fetch: String,
    /// What stands in its parentheses.
    pub(super) argument: String,
    /// Names and arguments.
    pub(super) converters: Vec<(String, String)>,
}

/// A sample and what it is compared with.
#[derive(Debug)]
pub(super) struct Comparison {
    pub(super) sample: Sample,
    /// `-m`, or what the name of the fetch says; empty if neither does.
    pub(super) method: String,
    pub(super) ignores_case: bool,
    /// Whether there are values in files, too.
    pub(super) has_files: bool,
    pub(super) values: Vec<String>,
}

/// Older names of fetches that end with the way in which they compare.
const MATCHING_SUFFIXES: [&str; 8] = ["beg", "dir", "dom", "end", "len", "reg", "sub", "str"];

/// Fetches that such an ending can follow.
const MATCHING_FETCHES: [&str; 13] = [
    "base",
    "capture.req.hdr",
    "cook",
    "hdr",
    "path",
    "pathq",
    "req.cook",
    "req.fhdr",
    "req.hdr",
    "req_ssl_sni",
    "ssl_fc_sni",
    "url",
    "urlp",
];

impl Condition {
    /// The condition of a rule that stands in a section; `None` if it has none.
    pub(super) fn of(line: &Line, section: &Section) -> Option<Self> {
        let (is_unless, words) = line.condition()?;
        Some(Self { is_unless, alternatives: alternatives(words, section) })
    }

    /// Every comparison in it.
    pub(super) fn comparisons(&self) -> impl Iterator<Item = &Comparison> {
        self.alternatives.iter().flatten().flat_map(|term| &term.tests).filter_map(|test| match test {
            Test::Sample(comparison) => Some(comparison),
            Test::Constant(_) | Test::Predefined(_) | Test::Unreadable(_) => None,
        })
    }
}

fn alternatives(words: &[Word], section: &Section) -> Vec<Vec<Term>> {
    let mut all = vec![Vec::new()];
    let mut is_negated = false;
    let mut rest = words;
    while let Some((word, after)) = rest.split_first() {
        rest = after;
        let mut text = word.text.as_str();
        if matches!(text, "or" | "||") {
            all.push(Vec::new());
            continue;
        }
        while let Some(positive) = text.strip_prefix('!') {
            (text, is_negated) = (positive, !is_negated);
        }
        if text.is_empty() {
            continue;
        }
        let tests = if text == "{" {
            let end = rest.iter().position(|word| word.text == "}").unwrap_or(rest.len());
            let inside = &rest[..end];
            rest = rest.get(end + 1..).unwrap_or_default();
            vec![test(inside)]
        } else {
            named(text, section)
        };
        all.last_mut().expect("there is always an alternative").push(Term { is_negated, tests });
        is_negated = false;
    }
    all
}

/// The tests of a name: those of the section's `acl` lines, or what HAProxy means by it.
fn named(name: &str, section: &Section) -> Vec<Test> {
    let lines = section.lines.iter().filter(|line| line.word(0) == "acl" && line.word(1) == name);
    let tests: Vec<Test> = lines.map(|line| test(line.words.get(2..).unwrap_or_default())).collect();
    if !tests.is_empty() {
        return tests;
    }
    vec![match name {
        "TRUE" => Test::Constant(true),
        "FALSE" => Test::Constant(false),
        _ if name.starts_with("METH_") || name.starts_with("HTTP") => Test::Predefined(name.to_owned()),
        "LOCALHOST" => Test::Predefined(name.to_owned()),
        _ => Test::Unreadable(name.to_owned()),
    }]
}

fn test(words: &[Word]) -> Test {
    let Some((first, mut rest)) = words.split_first() else { return Test::Unreadable("{ }".to_owned()) };
    let Some(mut sample) = Sample::parse(&first.text) else { return Test::Unreadable(first.text.clone()) };
    let mut method = String::new();
    if let Some((fetch, suffix)) = sample.fetch.rsplit_once('_')
        && MATCHING_SUFFIXES.contains(&suffix)
        && MATCHING_FETCHES.contains(&fetch)
    {
        method = suffix.to_owned();
        sample.fetch = fetch.to_owned();
    }
    let (mut ignores_case, mut has_files) = (false, false);
    while let Some((flag, after)) = rest.split_first() {
        match flag.text.as_str() {
            "-i" => ignores_case = true,
            "-n" => {}
            "-m" | "-f" | "-u" | "-M" => {
                let Some((value, beyond)) = after.split_first() else { break };
                match flag.text.as_str() {
                    "-m" => method = value.text.clone(),
                    "-f" => has_files = true,
                    _ => {}
                }
                rest = beyond;
                continue;
            }
            "--" => {
                rest = after;
                break;
            }
            _ => break,
        }
        rest = after;
    }
    let values = rest.iter().map(|word| word.text.clone()).collect();
    Test::Sample(Comparison { sample, method, ignores_case, has_files, values })
}

impl Sample {
    /// Takes `fetch(argument),converter(argument)` apart; `None` for what is none.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut parts = split(text).into_iter().map(|part| {
            let (name, argument) = part.split_once('(').unwrap_or((part, ""));
            (name.trim().to_owned(), argument.strip_suffix(')').unwrap_or(argument).to_owned())
        });
        let (fetch, argument) = parts.next()?;
        let is_name =
            |name: &str| !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"_.-".contains(&b));
        let converters: Vec<_> = parts.collect();
        let are_names = is_name(&fetch) && converters.iter().all(|(name, _)| is_name(name));
        are_names.then_some(Self { fetch, argument, converters })
    }

    /// Whether it is a header, and which one, in lower case.
    pub(super) fn header(&self) -> Option<String> {
        let is_header = matches!(self.fetch.as_str(), "hdr" | "req.hdr" | "req.fhdr");
        is_header.then(|| self.first_argument().to_ascii_lowercase())
    }

    /// The first of its arguments; empty if it has none.
    pub(super) fn first_argument(&self) -> &str {
        self.argument.split(',').next().unwrap_or_default().trim()
    }

    /// As it is written.
    pub(super) fn shown(&self) -> String {
        if self.argument.is_empty() { self.fetch.clone() } else { format!("{}({})", self.fetch, self.argument) }
    }
}

/// Splits at the commas that are in no parentheses.
fn split(text: &str) -> Vec<&str> {
    let (mut parts, mut depth, mut start) = (Vec::new(), 0_usize, 0);
    for (at, c) in text.char_indices() {
        match c {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            ',' if depth == 0 => {
                parts.push(&text[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&text[start..]);
    parts
}

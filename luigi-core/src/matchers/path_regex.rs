//! Regular expressions for whole paths, as automata whose size is bounded.
//!
//! They are compiled when a policy is checked ([`compile`]), travel in the snapshot as bytes, and are validated when one is loaded
//! ([`PathDfa::from_bytes`]): nothing compiles a regex in a process that answers requests. One automaton stands for all expressions of a
//! scope. Paths are ASCII, so the expressions know no Unicode.
//!
//! Deliberately absent: captures, and saying which expression fits.

use crate::method::MethodSet;
use crate::policy::model::{self, PathRegex};
use regex_automata::dfa::{Automaton, StartKind, dense};
use regex_automata::nfa::thompson;
use regex_automata::util::{primitives::StateID, start, syntax};
use regex_automata::{Anchored, MatchKind};
use std::collections::HashSet;
use std::sync::LazyLock;

type Dfa = dense::DFA<Vec<u32>>;

/// The most bytes that the automata of one scope may have. Bounds what loading does between two slices: about 2 ms.
pub(crate) const MAX_SCOPE_AUTOMATON_BYTES: usize = 1 << 20;

/// The most bytes that all automata of a policy may have together. Bounds what checking a policy takes: about a second.
pub(crate) const MAX_POLICY_AUTOMATON_BYTES: usize = 16 << 20;

/// Building may take this many times the memory of what is built.
const BUILDING_FACTOR: usize = 4;

/// How the letters of a path count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Case {
    Exact,
    /// ASCII letters without regard to case.
    Ignored,
}

/// Whether the canonical path of a request may end with `/` where it is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FinalSlash {
    Gone,
    Possible,
}

/// The syntax of expressions, for every engine that reads them.
pub(crate) fn syntax_config(case: Case) -> syntax::Config {
    syntax::Config::new().unicode(false).utf8(false).case_insensitive(case == Case::Ignored)
}

/// Why expressions could not be compiled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum CompileError {
    /// The automaton would have more bytes than it may.
    TooLarge,
    /// Something that automata cannot do, in words.
    Unsupported(String),
}

/// The automaton of all these expressions, of which each was parsed before, in serialised form.
///
/// The same bytes on every machine (little-endian).
pub(crate) fn compile(patterns: &[&str], case: Case, max_bytes: usize) -> Result<Vec<u8>, CompileError> {
    let (bytes, padding) = build(patterns, case, max_bytes)?.to_bytes_little_endian();
    let bytes = bytes[padding..].to_vec();
    if bytes.len() > max_bytes { Err(CompileError::TooLarge) } else { Ok(bytes) }
}

fn build(patterns: &[&str], case: Case, max_bytes: usize) -> Result<Dfa, CompileError> {
    let nfa = thompson::Config::new().utf8(false).nfa_size_limit(Some(max_bytes));
    // `All`: the state behind the last byte matches if any way through the expressions ends there, whatever ended before.
    let dfa = dense::Config::new()
        .match_kind(MatchKind::All)
        .start_kind(StartKind::Anchored)
        .accelerate(false)
        .dfa_size_limit(Some(max_bytes))
        .determinize_size_limit(Some(max_bytes.saturating_mul(BUILDING_FACTOR)));
    let built = dense::Builder::new().syntax(syntax_config(case)).thompson(nfa).configure(dfa).build_many(patterns);
    built.map_err(|error| {
        use std::error::Error;
        if error.is_size_limit_exceeded() {
            return CompileError::TooLarge;
        }
        // An NFA that is too large is an error of another type; it says so in words only.
        let source = error.source().map(ToString::to_string).unwrap_or_else(|| error.to_string());
        if source.contains("limit") { CompileError::TooLarge } else { CompileError::Unsupported(source) }
    })
}

/// A character of a canonical path that stands for itself, but for the dot.
const PLAIN: &str = "[A-Za-z0-9_~!$&'()*+,=:@-]";

/// What always stands as an escape: quotes, brackets, space, `#` and `?`; and characters beyond ASCII, but for controls. A `%25` begins
/// what could be decoded twice.
const ESCAPED: &str = "%2[023]|%3[CEF]|%5[BDE]|%60|%7[BCD]|%C2%[AB][0-9A-F]|%(?:C[3-9A-F]|D[0-9A-F])%[89AB][0-9A-F]\
    |%E0%[AB][0-9A-F]%[89AB][0-9A-F]|%E[1-9A-CEF](?:%[89AB][0-9A-F]){2}|%ED%[89][0-9A-F]%[89AB][0-9A-F]\
    |%F0%[9AB][0-9A-F](?:%[89AB][0-9A-F]){2}|%F[1-3](?:%[89AB][0-9A-F]){3}|%F4%8[0-9A-F](?:%[89AB][0-9A-F]){2}";

/// Segments of these characters, dots among them; neither `.` nor `..`.
fn segment_of(character: &str) -> String {
    format!("(?:{character}|\\.{character}|\\.\\.(?:{character}|\\.))(?:{character}|\\.)*")
}

/// The automaton of the paths that requests can have, in this order: those with one reading, and those with targets that are ambiguous but
/// that a host may accept, which hold the first ones, too. None has a final `/`.
pub(crate) fn canonical_paths() -> &'static PathDfa {
    const ACCEPTABLE: &str = "(?:[A-Za-z0-9._~!$&'()*+,;=:@-]|%[0-9A-F]{2})+";
    static PATHS: LazyLock<PathDfa> = LazyLock::new(|| {
        let segment = segment_of(&format!("(?:{PLAIN}|{ESCAPED})"));
        let paths = |segment: &str| format!("/(?:{segment}(?:/{segment})*)?");
        let patterns = [paths(&segment), paths(ACCEPTABLE)];
        let built = build(&[&patterns[0], &patterns[1]], Case::Exact, MAX_SCOPE_AUTOMATON_BYTES);
        PathDfa(built.expect("the expressions are fine"))
    });
    &PATHS
}

/// Which of these expressions, by place, hold no path that a request can have. The automaton is the one of all of them.
pub(crate) fn unreachable_patterns(automaton: &[u8], patterns: usize, slash: FinalSlash) -> Vec<usize> {
    let every = |n: usize| (0..n).collect::<Vec<_>>();
    let Some(wanted) = PathDfa::from_bytes(automaton) else { return every(patterns) };
    // What canonical paths look like, with what a host may accept: `;` and the escapes of percent sign, slash and backslash.
    let segment = segment_of(&format!("(?:{PLAIN}|{ESCAPED}|;|%25|%2F|%5C)"));
    let end = match slash {
        FinalSlash::Gone => "",
        FinalSlash::Possible => "/?",
    };
    let paths = format!("/|(?:/{segment})+{end}");
    let Ok(paths) = build(&[&paths], Case::Exact, MAX_SCOPE_AUTOMATON_BYTES) else { return Vec::new() };
    let (wanted, paths) = (&wanted.0, &paths);
    let mut bytes: Vec<u8> = Vec::new();
    let mut classes = HashSet::new();
    for byte in 0x21..0x7F_u8 {
        if classes.insert((wanted.byte_classes().get(byte), paths.byte_classes().get(byte))) {
            bytes.push(byte);
        }
    }
    let mut reached = vec![false; patterns];
    let (Ok(a), Ok(b)) = (wanted.start_state(&anchored()), paths.start_state(&anchored())) else {
        return every(patterns);
    };
    let mut seen: HashSet<(StateID, StateID)> = HashSet::from([(a, b)]);
    let mut open = vec![(a, b)];
    while let Some((a, b)) = open.pop() {
        let ends = (wanted.next_eoi_state(a), paths.next_eoi_state(b));
        if wanted.is_match_state(ends.0) && paths.is_match_state(ends.1) {
            for at in 0..wanted.match_len(ends.0) {
                reached[wanted.match_pattern(ends.0, at).as_usize()] = true;
            }
        }
        for &byte in &bytes {
            let next = (wanted.next_state(a, byte), paths.next_state(b, byte));
            if !wanted.is_dead_state(next.0) && !paths.is_dead_state(next.1) && seen.insert(next) {
                open.push(next);
            }
        }
    }
    (0..patterns).filter(|at| !reached[*at]).collect()
}

impl PathRegex {
    /// Compiles expressions for a model that no parser made, for either way that hosts may count case; `None` if one is malformed or they
    /// grow beyond bounds. The parser says why.
    #[must_use]
    pub fn compile(methods: MethodSet, patterns: &[&str]) -> Option<Self> {
        let automaton = |case| compile(patterns, case, MAX_SCOPE_AUTOMATON_BYTES).ok().map(model::Automaton);
        let folded = Some(automaton(Case::Ignored)?);
        let texts = patterns.iter().map(|&pattern| pattern.to_owned()).collect();
        Some(Self { methods, patterns: texts, automaton: automaton(Case::Exact)?, folded })
    }

    /// A short canonical path that one of the expressions holds.
    pub(crate) fn example(&self) -> Option<String> {
        /// A path in the making may have so many states behind it.
        const MAX_STATES: usize = 20_000;
        let dfa = PathDfa::from_bytes(&self.automaton.0)?;
        let bytes: Vec<u8> =
            (0x21..0x7F_u8).filter(|byte| byte.is_ascii_alphanumeric() || b"/-._~".contains(byte)).collect();
        let start = dfa.0.start_state(&anchored()).ok()?;
        let mut seen: HashSet<StateID> = HashSet::from([start]);
        let mut open = std::collections::VecDeque::from([(start, String::new())]);
        while let Some((state, path)) = open.pop_front() {
            // Only a path in canonical form is one that a request can have.
            let is_canonical =
                || path.starts_with('/') && !path[1..].split('/').any(|one| matches!(one, "" | "." | ".."));
            if dfa.0.is_match_state(dfa.0.next_eoi_state(state)) && (path == "/" || is_canonical()) {
                return Some(path);
            }
            for byte in &bytes {
                let next = dfa.0.next_state(state, *byte);
                if !dfa.0.is_dead_state(next) && seen.len() < MAX_STATES && seen.insert(next) {
                    open.push_back((next, format!("{path}{}", char::from(*byte))));
                }
            }
        }
        None
    }

    /// Whether the automaton is the one of the expressions: a compiled policy that was read back may hold another, and whoever signed it
    /// would have to be asked why. Compiles, so it is nothing for a process that answers requests.
    #[must_use]
    pub fn is_genuine(&self) -> bool {
        let patterns: Vec<&str> = self.patterns.iter().map(String::as_str).collect();
        Self::compile(self.methods, &patterns).is_some_and(|again| {
            again.automaton == self.automaton && (self.folded.is_none() || again.folded == self.folded)
        })
    }
}

fn anchored() -> start::Config {
    start::Config::new().anchored(Anchored::Yes)
}

/// The automaton of a scope's expressions.
#[derive(Debug)]
pub(crate) struct PathDfa(Dfa);

impl PathDfa {
    /// Reads an automaton back; `None` if the bytes are not one.
    ///
    /// Every state and transition is checked, so whatever was read can be run. Whether it is the one of certain expressions cannot be seen.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        // The library wants its numbers aligned, and a vector of bytes promises nothing.
        let mut room = vec![0; bytes.len() + align_of::<u32>()];
        let start = room.as_ptr().align_offset(align_of::<u32>());
        let aligned = room.get_mut(start..start.checked_add(bytes.len())?)?;
        aligned.copy_from_slice(bytes);
        let (dfa, read) = dense::DFA::from_bytes(aligned).ok()?;
        let whole = read == bytes.len();
        let dfa = dfa.to_owned();
        (whole && dfa.start_state(&anchored()).is_ok()).then_some(Self(dfa))
    }

    /// Where every path begins.
    pub(crate) fn start(&self) -> StateID {
        // INVARIANT (regex-starts): `from_bytes` has seen this succeed; what was built here starts like that.
        self.0.start_state(&anchored()).unwrap_or_default()
    }

    /// Where a path is after one more byte.
    pub(crate) fn next(&self, state: StateID, byte: u8) -> StateID {
        self.0.next_state(state, byte)
    }

    /// Whether no path that goes on from here is held.
    pub(crate) fn is_dead(&self, state: StateID) -> bool {
        self.0.is_dead_state(state)
    }

    /// Whether a path that ends here is held.
    pub(crate) fn is_match(&self, state: StateID) -> bool {
        self.0.is_match_state(self.0.next_eoi_state(state))
    }

    /// Which of the expressions hold a path that ends here, by place.
    pub(crate) fn matches(&self, state: StateID) -> Vec<usize> {
        let end = self.0.next_eoi_state(state);
        let matches = if self.0.is_match_state(end) { self.0.match_len(end) } else { 0 };
        (0..matches).map(|at| self.0.match_pattern(end, at).as_usize()).collect()
    }

    /// Which bytes make no difference: those of one class.
    pub(crate) fn class(&self, byte: u8) -> u8 {
        self.0.byte_classes().get(byte)
    }

    /// The segments with which every path begins that one of the expressions holds; fewer of them where that is not plain. With [`Case::Ignored`]
    /// of paths in lower case but for the digits of escapes.
    pub(crate) fn leading_segments(&self, case: Case) -> Vec<String> {
        /// An automaton can go round in a circle.
        const MAX_BYTES: usize = 1024;
        let dfa = &self.0;
        let (Ok(mut state), mut text) = (dfa.start_state(&anchored()), String::new()) else { return Vec::new() };
        while text.len() < MAX_BYTES && !dfa.is_match_state(dfa.next_eoi_state(state)) {
            let occurs = |byte: &u8| case == Case::Exact || !byte.is_ascii_uppercase();
            let is_alive = |byte: &u8| !dfa.is_dead_state(dfa.next_state(state, *byte));
            let mut alive = (0x21..0x7F_u8).filter(occurs).filter(is_alive);
            let (Some(byte), None) = (alive.next(), alive.next()) else { break };
            // The digits of an escape are in upper case.
            if case == Case::Ignored && byte == b'%' {
                break;
            }
            state = dfa.next_state(state, byte);
            text.push(char::from(byte));
        }
        // What follows the last slash may be the beginning of a longer segment.
        let whole = text.strip_prefix('/').and_then(|text| Some(text.rsplit_once('/')?.0));
        let segments = whole.into_iter().flat_map(|text| text.split('/'));
        segments.take_while(|segment| !segment.is_empty()).map(str::to_owned).collect()
    }

    /// Whether one of the expressions holds all of this path.
    ///
    /// # Allocation
    /// None.
    pub(crate) fn holds(&self, path: &str) -> bool {
        let dfa = &self.0;
        // INVARIANT (regex-starts): `from_bytes` has seen this succeed.
        let Ok(mut state) = dfa.start_state(&anchored()) else { return false };
        for &byte in path.as_bytes() {
            state = dfa.next_state(state, byte);
            if dfa.is_dead_state(state) {
                return false;
            }
        }
        dfa.is_match_state(dfa.next_eoi_state(state))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dfa(patterns: &[&str], case: Case) -> PathDfa {
        PathDfa::from_bytes(&compile(patterns, case, MAX_SCOPE_AUTOMATON_BYTES).unwrap()).unwrap()
    }

    #[test]
    fn an_expression_holds_whole_paths() {
        for (patterns, path, expected) in [
            (&["/v[0-9]+/orders"][..], "/v1/orders", true),
            (&["/v[0-9]+/orders"], "/v1/orders/7", false),
            (&["/v[0-9]+/orders"], "/x/v1/orders", false),
            (&["^/a$"], "/a", true),
            (&["^/a"], "/ab", false),
            (&["/a|/ab"], "/ab", true),
            (&["/ab|/a"], "/a", true),
            (&["/a|/b", "/c"], "/c", true),
            (&["/.*?"], "/abc", true),
            (&["/a(?:/.*)?"], "/a", true),
            (&["/\\w+"], "/caf%C3%A9", false),
            (&["/caf%C3%A9"], "/caf%C3%A9", true),
            (&["/A"], "/a", false),
            (&["(?i)/A"], "/a", true),
            (&["/a\\b.*"], "/a-b", true),
            (&["/a\\b.*"], "/ab", false),
            (&["(?m)^/a$"], "/a", true),
        ] {
            assert_eq!(dfa(patterns, Case::Exact).holds(path), expected, "{patterns:?} {path}");
        }
        assert!(dfa(&["/Admin/[A-C]+"], Case::Ignored).holds("/admin/abc"));
        assert!(!dfa(&["/Admin/[A-C]+"], Case::Exact).holds("/admin/abc"));
    }

    #[test]
    fn leading_segments_are_those_of_every_path() {
        for (patterns, expected) in [
            (&["/v1/orders/[0-9]+"][..], &["v1", "orders"][..]),
            (&["/v1/orders"], &["v1"]),
            (&["/v1/orders(/.*)?"], &["v1"]),
            (&["/v1/a/x", "/v1/b/x"], &["v1"]),
            (&["/v1/a/b/c", "/v1/a"], &["v1"]),
            (&["/v1/(?:aa)+/x"], &["v1"]),
            (&["(?i)/V1/x"], &[]),
            (&["/.*"], &[]),
        ] {
            assert_eq!(dfa(patterns, Case::Exact).leading_segments(Case::Exact), expected, "{patterns:?}");
        }
        for (pattern, expected) in [
            ("/V1/Orders/[0-9]+", &["v1", "orders"][..]),
            ("/V1/caf%C3%A9/x/y", &["v1"]),
            ("/V1/[a-z]+/x", &["v1"]),
            ("/[A-Z]/x", &[]),
        ] {
            assert_eq!(dfa(&[pattern], Case::Ignored).leading_segments(Case::Ignored), expected, "{pattern}");
        }
    }

    #[test]
    fn what_grows_beyond_bounds_is_refused() {
        let compile = |pattern: &str| compile(&[pattern], Case::Exact, MAX_SCOPE_AUTOMATON_BYTES);
        for pattern in [".*a.{20}", "/(((a{1,100}){1,100}){1,100}){1,100}", "/(.{1,100}){1,100}"] {
            assert_eq!(compile(pattern), Err(CompileError::TooLarge), "{pattern}");
        }
        assert!(compile("/a/.{0,64}/b").is_ok());
    }

    #[test]
    fn expressions_that_no_path_fits_are_found() {
        let patterns = [
            "/a",
            "a",
            "/a/",
            "/a b",
            "/%2f",
            "/a?b",
            "/",
            "",
            "//a",
            "/a(/.*)?",
            "/;x",
            "/[^a-z/%]+",
            "/a\\?b",
            "/%41",
            "/v1%3Ax",
            "/x/../y",
            "/a%2Fb",
            "/%20",
            "/\\.\\.x",
        ];
        let bytes = compile(&patterns, Case::Exact, MAX_SCOPE_AUTOMATON_BYTES).unwrap();
        assert_eq!(unreachable_patterns(&bytes, patterns.len(), FinalSlash::Gone), [1, 2, 3, 4, 7, 8, 12, 13, 14]);
        assert_eq!(unreachable_patterns(&bytes, patterns.len(), FinalSlash::Possible), [1, 3, 4, 7, 8, 12, 13, 14]);
    }

    #[test]
    fn spoilt_automata_are_refused_or_can_be_run() {
        let bytes = compile(&["/v[0-9]+/orders(/.*)?", "/x"], Case::Exact, MAX_SCOPE_AUTOMATON_BYTES).unwrap();
        assert!(PathDfa::from_bytes(&bytes).is_some());
        assert!(PathDfa::from_bytes(&bytes[..bytes.len() - 1]).is_none());
        assert!(PathDfa::from_bytes(&[&bytes[..], &[0]].concat()).is_none());
        assert!(PathDfa::from_bytes(&[]).is_none());
        let mut refused = 0;
        for at in 0..bytes.len() {
            for flip in [1, 0x80, 0xFF] {
                let mut spoilt = bytes.clone();
                spoilt[at] ^= flip;
                match PathDfa::from_bytes(&spoilt) {
                    None => refused += 1,
                    Some(dfa) => {
                        let _ = dfa.holds("/v12/orders/x");
                        let _ = dfa.holds("");
                    }
                }
            }
        }
        assert!(refused > bytes.len(), "{refused} of {}", bytes.len() * 3);
    }
}

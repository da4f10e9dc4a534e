//! One path for every way in which some templates and regular expressions can hold paths: what [`super::patterns`] looks at where scopes have
//! `path-regex`.
//!
//! Templates and automata are walked side by side, from the shortest path on, together with the automaton of the paths that requests can have. Two
//! paths after which all of them are in the same states lie in the same patterns, whatever follows, so one of the two is enough; the walk ends
//! when nothing new is reached, so nothing is missed.

use super::patterns::TooHard;
use crate::matchers::path_regex::{PathDfa, canonical_paths};
use crate::policy::model::{PathTemplate, Segment};
use regex_automata::util::primitives::StateID;
use std::collections::{BTreeSet, HashMap, HashSet};

/// A path that stands for all that lie in the same patterns.
pub(super) struct Representative<'p> {
    /// In canonical form.
    pub(super) path: String,
    /// Whether only hosts that accept ambiguous targets have such requests.
    pub(super) is_doubtful: bool,
    /// The templates that hold it, sorted.
    pub(super) templates: Vec<&'p PathTemplate>,
    /// Which expressions hold it, those of the required patterns first.
    pub(super) expressions: Vec<bool>,
}

/// Patterns that count as one: what a scope holds.
#[derive(Default)]
pub(super) struct Patterns<'p> {
    pub(super) templates: Vec<&'p PathTemplate>,
    pub(super) expressions: Vec<&'p PathDfa>,
}

/// The most required patterns of one search.
pub(super) const MAX_REQUIRED: usize = 64;

/// A path for every combination of patterns that a request can lie in, shorter ones first, if it lies in each of the `required` ones, at most
/// [`MAX_REQUIRED`]. Spends comparisons.
pub(super) fn representatives<'p>(
    required: &[Patterns<'p>],
    others: &[Patterns<'p>],
    left: &mut usize,
) -> Result<Vec<Representative<'p>>, TooHard> {
    let all = || required.iter().chain(others);
    let templates: BTreeSet<&PathTemplate> = all().flat_map(|one| one.templates.iter().copied()).collect();
    let templates: Vec<&PathTemplate> = templates.into_iter().collect();
    let segments: usize = templates.iter().map(|template| template.segments.len()).sum();
    *left = left.checked_sub(segments).ok_or(TooHard)?;
    let expressions: Vec<&PathDfa> = all().flat_map(|one| one.expressions.iter().copied()).collect();
    let mut wanted = Wanted { all: 0, templates: vec![0; templates.len()], expressions: vec![0; expressions.len()] };
    let mut expression = 0;
    for (at, one) in required.iter().enumerate() {
        wanted.all |= 1_u64 << at;
        for template in &one.templates {
            if let Ok(place) = templates.binary_search(template) {
                wanted.templates[place] |= 1_u64 << at;
            }
        }
        for _ in &one.expressions {
            wanted.expressions[expression] |= 1_u64 << at;
            expression += 1;
        }
    }
    let walk = Walk { bytes: bytes(&templates, &expressions), templates, expressions, wanted };
    walk.run(left)
}

/// How much expressions hold by themselves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Breadth {
    /// No path with all that is below it.
    Narrow,
    /// Everything below some path.
    Tree,
    /// Everything below `/`.
    Everything,
}

/// How broad expressions are. Spends comparisons.
pub(super) fn breadth(dfa: &PathDfa, left: &mut usize) -> Result<Breadth, TooHard> {
    let canonical = canonical_paths();
    let bytes = bytes(&[], &[dfa]);
    let root = (canonical.next(canonical.start(), b'/'), dfa.next(dfa.start(), b'/'));
    let mut places: HashMap<(StateID, StateID), usize> = HashMap::from([(root, 0)]);
    let mut steps: Vec<Vec<(u8, usize)>> = Vec::new();
    let mut open = vec![root];
    while let Some(&(path, expression)) = open.get(steps.len()) {
        *left = left.checked_sub(2 * bytes.len()).ok_or(TooHard)?;
        let mut next = Vec::new();
        for &byte in &bytes {
            let state = (canonical.next(path, byte), dfa.next(expression, byte));
            // Targets that are ambiguous are no paths for this.
            if canonical.is_dead(state.0) {
                continue;
            }
            let place = *places.entry(state).or_insert_with(|| {
                open.push(state);
                open.len() - 1
            });
            next.push((byte, place));
        }
        steps.push(next);
    }
    let mut before: Vec<Vec<usize>> = vec![Vec::new(); steps.len()];
    for (from, next) in steps.iter().enumerate() {
        next.iter().for_each(|(_, to)| before[*to].push(from));
    }
    // From which states one of these is reached.
    let leading_to = |ends: &dyn Fn(usize) -> bool| {
        let mut leading = vec![false; steps.len()];
        let mut spread: Vec<usize> = (0..steps.len()).filter(|at| ends(*at)).collect();
        while let Some(at) = spread.pop() {
            if !std::mem::replace(&mut leading[at], true) {
                spread.extend(&before[at]);
            }
        }
        leading
    };
    let is_path = |at: usize| canonical.matches(open[at].0).contains(&0);
    let to_paths = leading_to(&is_path);
    // `/` itself is one page; whoever leaves it out has hardly left out anything.
    let outside = leading_to(&|at| at > 0 && is_path(at) && !dfa.is_match(open[at].1));
    let is_tree = |at: usize| to_paths[at] && steps[at].iter().all(|(_, to)| !outside[*to]);
    let mut below = steps.iter().flatten().filter(|(byte, _)| *byte == b'/').map(|(_, to)| *to);
    Ok(match is_tree(0) {
        true => Breadth::Everything,
        false if below.any(is_tree) => Breadth::Tree,
        false => Breadth::Narrow,
    })
}

/// One byte of each kind that no pattern tells apart, in the order in which people would choose them.
fn bytes(templates: &[&PathTemplate], expressions: &[&PathDfa]) -> Vec<u8> {
    let mut named = [false; 256];
    for segment in templates.iter().flat_map(|template| &template.segments) {
        if let Segment::Literal(text) = segment {
            text.bytes().for_each(|byte| named[usize::from(byte)] = true);
        }
    }
    let mut kinds = HashSet::new();
    let all = (b'a'..=b'z').chain(b'0'..=b'9').chain(0x21..0x7F_u8);
    all.filter(|&byte| {
        let kind = |dfa: &PathDfa| dfa.class(byte);
        let patterns: Vec<u8> = expressions.iter().map(|dfa| kind(dfa)).collect();
        kinds.insert((named[usize::from(byte)].then_some(byte), kind(canonical_paths()), patterns))
    })
    .collect()
}

/// Where all patterns are after the beginning of a path.
#[derive(Clone, PartialEq, Eq, Hash)]
struct State {
    canonical: StateID,
    expressions: Vec<StateID>,
    /// The templates that may still hold the path, by place, and how far they are.
    templates: Vec<(usize, Position)>,
}

/// How far a template is: which segment, `segments.len()` and beyond for those that `**` takes, and how many bytes of it; of a segment that
/// is left open, none or some.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Position {
    segment: usize,
    bytes: usize,
}

/// How a state was reached first.
struct Step {
    state: State,
    before: usize,
    byte: u8,
}

/// Which of the required patterns each template and expression belongs to, as bits.
struct Wanted {
    all: u64,
    templates: Vec<u64>,
    expressions: Vec<u64>,
}

struct Walk<'p> {
    templates: Vec<&'p PathTemplate>,
    expressions: Vec<&'p PathDfa>,
    bytes: Vec<u8>,
    wanted: Wanted,
}

impl<'p> Walk<'p> {
    fn run(&self, left: &mut usize) -> Result<Vec<Representative<'p>>, TooHard> {
        let canonical = canonical_paths();
        // The first byte of every path.
        let first = State {
            canonical: canonical.next(canonical.start(), b'/'),
            expressions: self.expressions.iter().map(|dfa| dfa.next(dfa.start(), b'/')).collect(),
            templates: (0..self.templates.len()).map(|at| (at, Position { segment: 0, bytes: 0 })).collect(),
        };
        let mut seen = HashSet::from([first.clone()]);
        let mut steps = vec![Step { state: first, before: 0, byte: b'/' }];
        let (mut found, mut combinations) = (Vec::new(), HashSet::new());
        let mut at = 0;
        while at < steps.len() {
            let state = steps[at].state.clone();
            let held = canonical.matches(state.canonical);
            if let Some(is_doubtful) = (!held.is_empty()).then(|| !held.contains(&0)) {
                let expressions = self.expressions.iter().zip(&state.expressions);
                let expressions: Vec<bool> = expressions.map(|(dfa, state)| dfa.is_match(*state)).collect();
                let templates = state.templates.iter().filter(|(at, position)| self.ends(*at, *position));
                let templates: Vec<usize> = templates.map(|(at, _)| *at).collect();
                if combinations.insert((is_doubtful, expressions.clone(), templates.clone())) {
                    let path = path(&steps, at);
                    let templates = templates.into_iter().map(|at| self.templates[at]).collect();
                    found.push(Representative { path, is_doubtful, templates, expressions });
                }
            }
            let each = 1 + state.expressions.len() + state.templates.len();
            *left = left.checked_sub(self.bytes.len() * each).ok_or(TooHard)?;
            for &byte in &self.bytes {
                let next = self.next(&state, byte);
                if !canonical.is_dead(next.canonical) && self.is_hopeful(&next) && !seen.contains(&next) {
                    seen.insert(next.clone());
                    steps.push(Step { state: next, before: at, byte });
                }
            }
            at += 1;
        }
        Ok(found)
    }

    fn next(&self, state: &State, byte: u8) -> State {
        let expressions = self.expressions.iter().zip(&state.expressions);
        let templates =
            state.templates.iter().filter_map(|(at, position)| Some((*at, self.step(*at, *position, byte)?)));
        State {
            canonical: canonical_paths().next(state.canonical, byte),
            expressions: expressions.map(|(dfa, state)| dfa.next(*state, byte)).collect(),
            templates: templates.collect(),
        }
    }

    /// Whether each of the required patterns may still hold what goes on from here.
    fn is_hopeful(&self, state: &State) -> bool {
        let templates = state.templates.iter().map(|(at, _)| self.wanted.templates[*at]);
        let alive = self.expressions.iter().zip(&state.expressions).map(|(dfa, state)| !dfa.is_dead(*state));
        let expressions = alive.zip(&self.wanted.expressions).filter_map(|(alive, wanted)| alive.then_some(*wanted));
        templates.chain(expressions).fold(0, |held, one| held | one) == self.wanted.all
    }

    /// Where a template is after one more byte; `None` if it holds no path that goes on like this.
    fn step(&self, at: usize, Position { segment, bytes }: Position, byte: u8) -> Option<Position> {
        let PathTemplate { segments, rest, .. } = self.templates[at];
        let wanted = segments.get(segment);
        if byte == b'/' {
            let whole = match wanted {
                Some(Segment::Literal(text)) => bytes == text.len(),
                Some(Segment::Capture(_) | Segment::Any) | None => bytes > 0,
            };
            // All segments that `**` takes are alike.
            let next = (segment + 1).min(segments.len());
            return (whole && (next < segments.len() || *rest)).then_some(Position { segment: next, bytes: 0 });
        }
        match wanted {
            Some(Segment::Literal(text)) => {
                (text.as_bytes().get(bytes) == Some(&byte)).then_some(Position { segment, bytes: bytes + 1 })
            }
            Some(Segment::Capture(_) | Segment::Any) => Some(Position { segment, bytes: 1 }),
            None => rest.then_some(Position { segment, bytes: 1 }),
        }
    }

    /// Whether a template holds the path that ends here.
    fn ends(&self, at: usize, Position { segment, bytes }: Position) -> bool {
        let PathTemplate { segments, .. } = self.templates[at];
        match segments.get(segment) {
            Some(Segment::Literal(text)) => segment + 1 == segments.len() && bytes == text.len(),
            Some(Segment::Capture(_) | Segment::Any) => segment + 1 == segments.len() && bytes > 0,
            // Canonical paths but `/` have no slash at the end.
            None => true,
        }
    }
}

/// The path that leads to a step.
fn path(steps: &[Step], mut at: usize) -> String {
    let mut bytes = vec![steps[at].byte];
    while at > 0 {
        at = steps[at].before;
        bytes.push(steps[at].byte);
    }
    bytes.iter().rev().map(|byte| char::from(*byte)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::matchers::path_regex::{Case, MAX_SCOPE_AUTOMATON_BYTES, compile};

    #[test]
    fn expressions_are_as_broad_as_what_they_hold_below_a_path() {
        for (patterns, expected) in [
            (&[".*"][..], Breadth::Everything),
            (&["/.*"], Breadth::Everything),
            (&["/.+"], Breadth::Everything),
            (&["/[^/]+(/.*)?"], Breadth::Everything),
            (&["/[a-z].*", "/[^a-z].*"], Breadth::Everything),
            (&["/[a-z].*"], Breadth::Tree),
            (&["/admin(/.*)?"], Breadth::Tree),
            (&["/v[0-9]+/.*"], Breadth::Tree),
            (&["/v[0-9]+/[^/]+"], Breadth::Narrow),
            (&["/v[0-9]+/[a-z/]*"], Breadth::Narrow),
            (&["/admin/.*\\.html"], Breadth::Narrow),
            (&["/a;b/.*"], Breadth::Narrow),
        ] {
            let dfa = PathDfa::from_bytes(&compile(patterns, Case::Exact, MAX_SCOPE_AUTOMATON_BYTES).unwrap()).unwrap();
            let mut left = 1_000_000;
            assert_eq!(breadth(&dfa, &mut left).ok(), Some(expected), "{patterns:?}");
            assert!(breadth(&dfa, &mut 10).is_err());
        }
    }
}

//! One text for each way in which some patterns with `*` can hold or not hold a text.
//!
//! The patterns walk together over the bytes that they can tell apart: those that some pattern has, the separators that no `*` crosses,
//! and one that is none of these. Each set of places is visited once, so that what is found is everything there is, and short.

use std::collections::{HashMap, HashSet, VecDeque};

/// The most sets of places that are visited.
const MAX_PLACES: usize = 4_000;

/// Patterns of one kind.
#[derive(Clone, Copy)]
pub(super) struct Kind {
    /// What no `*` crosses.
    pub(super) separators: &'static [u8],
    /// Whether a pattern holds a text.
    pub(super) fits: fn(&str, &str) -> bool,
}

/// Texts that no longer set of patterns tells apart, the shortest of each kind; and whether these are all.
pub(super) fn witnesses(patterns: &[&str], kind: Kind) -> (Vec<String>, bool) {
    let mut alphabet: Vec<u8> = kind.separators.to_vec();
    let literal = patterns.iter().flat_map(|pattern| pattern.bytes()).filter(|byte| *byte != b'*');
    // Beyond ASCII a byte alone is no text: such letters are left to `complete`.
    let (ascii, beyond): (Vec<u8>, Vec<u8>) = literal.partition(u8::is_ascii);
    alphabet.extend(ascii);
    alphabet.extend((b'a'..=b'z').find(|byte| !alphabet.contains(byte)));
    alphabet.sort_unstable();
    alphabet.dedup();

    let mut found: HashMap<Vec<bool>, String> = HashMap::new();
    let mut seen: HashSet<Vec<Vec<bool>>> = HashSet::new();
    let start: Vec<Vec<bool>> = patterns.iter().map(|pattern| closed(pattern.as_bytes(), 0)).collect();
    let mut open = VecDeque::from([(start, String::new())]);
    while let Some((places, text)) = open.pop_front() {
        if !seen.insert(places.clone()) {
            continue;
        }
        if seen.len() > MAX_PLACES {
            break;
        }
        if !text.is_empty() {
            found.entry(patterns.iter().map(|pattern| (kind.fits)(pattern, &text)).collect()).or_insert(text.clone());
        }
        for byte in &alphabet {
            let next = patterns
                .iter()
                .zip(&places)
                .map(|(pattern, places)| step(pattern.as_bytes(), places, *byte, kind.separators));
            open.push_back((next.collect(), format!("{text}{}", char::from(*byte))));
        }
    }
    let complete = open.is_empty() && beyond.is_empty();
    let mut texts: Vec<String> = found.into_values().collect();
    texts.sort_by_key(|text| (text.len(), text.clone()));
    (texts, complete)
}

/// The places before `at` and behind every `*` that follows it.
fn closed(pattern: &[u8], at: usize) -> Vec<bool> {
    let mut places = vec![false; pattern.len() + 1];
    mark(pattern, at, &mut places);
    places
}

fn mark(pattern: &[u8], mut at: usize, places: &mut [bool]) {
    places[at] = true;
    while pattern.get(at) == Some(&b'*') {
        at += 1;
        places[at] = true;
    }
}

fn step(pattern: &[u8], places: &[bool], byte: u8, separators: &[u8]) -> Vec<bool> {
    let mut next = vec![false; pattern.len() + 1];
    for (at, _) in places.iter().enumerate().filter(|(_, here)| **here) {
        match pattern.get(at) {
            Some(b'*') if !separators.contains(&byte) => mark(pattern, at, &mut next),
            Some(literal) if *literal == byte && byte != b'*' => mark(pattern, at + 1, &mut next),
            _ => {}
        }
    }
    next
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::matchers::subject_fits;

    #[test]
    fn every_combination_that_some_text_has_is_found() {
        let patterns = ["agent:*", "*:one", "a*e"];
        let (texts, complete) = witnesses(&patterns, Kind { separators: b":/", fits: subject_fits });
        assert!(complete);
        let has = |wanted: [bool; 3]| {
            texts.iter().any(|text| patterns.iter().zip(wanted).all(|(pattern, is)| subject_fits(pattern, text) == is))
        };
        assert!(has([true, false, false]) && has([true, true, false]) && has([false, true, false]));
        assert!(has([false, false, true]) && has([false, false, false]));
        // No `*` crosses a colon, so whatever begins with `agent:` does not fit `a*e`.
        assert!(!has([true, false, true]));
    }
}

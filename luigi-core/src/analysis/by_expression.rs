//! The paths that regular expressions tell apart, on hosts whose scopes have them: `targets` walks templates alone, this adds what expressions cut.
//!
//! Templates and automata are walked side by side ([`super::expressions`]); each combination of those that hold a path gets one path. Templates with a
//! special value in place of a capture, and those of the samples that are there already, are walked, too, so that nothing that
//! decisions or words depend on is put together.

use super::expressions::{Patterns, Representative, representatives};
use super::patterns::{TooHard, path_holds};
use super::targets::{Held, OTHER_PATHS, PathSample, Touched};
use super::words::listed;
use crate::matchers::path_regex::PathDfa;
use crate::policy::model::{PathRegex, PathTemplate, Policy, Segment};
use std::collections::{BTreeSet, HashMap};

/// With more samples their patterns are no templates of their own: words then say less exactly where an expression holds.
const MAX_SHAPES: usize = 256;

/// Longer expressions are called by their scope.
const MAX_EXPRESSION_BYTES: usize = 80;

/// The automata of some policies' scopes, each once.
#[derive(Default)]
pub(super) struct Expressions<'a> {
    all: Vec<(Option<PathDfa>, &'a PathRegex)>,
    by_scope: HashMap<Held, (usize, &'a str)>,
}

/// An automaton, and the scopes that have it on some hosts.
pub(super) struct Expression<'t> {
    dfa: Option<&'t PathDfa>,
    pub(super) regex: &'t PathRegex,
    pub(super) scopes: BTreeSet<&'t str>,
    /// Whether a touched scope has it.
    wanted: bool,
}

impl<'a> Expressions<'a> {
    pub(super) fn new(policies: &[&'a Policy]) -> Self {
        let mut known: HashMap<&[u8], usize> = HashMap::new();
        let mut expressions = Self::default();
        for (at, policy) in policies.iter().enumerate() {
            for (id, scope) in policy.scopes.iter() {
                let Some(regex) = &scope.path_regex else { continue };
                let place = *known.entry(&regex.automaton.0).or_insert_with(|| {
                    expressions.all.push((PathDfa::from_bytes(&regex.automaton.0), regex));
                    expressions.all.len() - 1
                });
                expressions.by_scope.insert((at, id), (place, &scope.name));
            }
        }
        expressions
    }

    /// Those of some scopes.
    pub(super) fn of(&self, held: &[Held], touched: Touched<'_>) -> Vec<Expression<'_>> {
        let mut found: HashMap<usize, Expression<'_>> = HashMap::new();
        for one in held {
            let Some((place, scope)) = self.by_scope.get(one) else { continue };
            let (dfa, regex) = &self.all[*place];
            let expression = found.entry(*place).or_insert_with(|| Expression {
                dfa: dfa.as_ref(),
                regex,
                scopes: BTreeSet::new(),
                wanted: false,
            });
            expression.scopes.insert(scope);
            expression.wanted |= touched.is_none_or(|touched| touched.contains(one));
        }
        let mut found: Vec<_> = found.into_iter().collect();
        found.sort_by_key(|(place, _)| *place);
        found.into_iter().map(|(_, expression)| expression).collect()
    }
}

impl Expression<'_> {
    /// What a person would call it.
    fn words(&self) -> String {
        let patterns = self.regex.patterns.join(" | ");
        match patterns.len() <= MAX_EXPRESSION_BYTES {
            true => format!("`{patterns}`"),
            false => format!("`path-regex` of {}", listed(self.scopes.iter().copied(), "and")),
        }
    }
}

/// Which templates and expressions hold a path.
type Combination<'p> = (Vec<&'p PathTemplate>, Vec<bool>);

/// Adds a path for each combination of templates and expressions that none of `paths` stands for, and says with each which expressions fit it where
/// that makes a difference. Whether some fit only targets that are ambiguous comes back. Spends comparisons.
///
/// Templates come with whether a touched scope has them; paths that no touched pattern holds may be left out.
pub(super) fn samples(
    templates: &[(&PathTemplate, bool)],
    expressions: &[Expression<'_>],
    special: &dyn Fn(&str) -> Vec<String>,
    paths: &mut Vec<PathSample>,
    left: &mut usize,
) -> Result<bool, TooHard> {
    let shapes: Vec<PathTemplate> = match paths.len() <= MAX_SHAPES {
        true => paths.iter().filter_map(|sample| shape(&sample.pattern)).collect(),
        false => Vec::new(),
    };
    let variants: Vec<(PathTemplate, bool)> =
        templates.iter().flat_map(|(template, wanted)| variants(template, special).map(|one| (one, *wanted))).collect();
    let with_variants =
        || templates.iter().copied().chain(variants.iter().map(|(template, wanted)| (template, *wanted)));
    let all: BTreeSet<&PathTemplate> = with_variants().map(|(template, _)| template).chain(&shapes).collect();
    let all: Vec<&PathTemplate> = all.into_iter().collect();

    let (wanted, rest): (Vec<&Expression<'_>>, Vec<_>) = expressions.iter().partition(|expression| expression.wanted);
    let ordered = [&wanted[..], &rest].concat();
    let dfas: Option<Vec<&PathDfa>> = ordered.iter().map(|expression| expression.dfa).collect();
    let dfas = dfas.ok_or(TooHard)?;
    let (of_wanted, of_rest) = dfas.split_at(wanted.len());
    let is_touched = |(template, wanted): (_, bool)| wanted.then_some(template);
    let touched =
        Patterns { templates: with_variants().filter_map(is_touched).collect(), expressions: of_wanted.to_vec() };
    let everything = rest.is_empty() && templates.iter().all(|(_, wanted)| *wanted);
    let others = Patterns { templates: all.clone(), expressions: of_rest.to_vec() };
    let found = match everything {
        true => representatives(&[], &[touched, others], left)?,
        false => representatives(&[touched], &[others], left)?,
    };

    *left = left.checked_sub(paths.len().saturating_mul(all.len() + dfas.len())).ok_or(TooHard)?;
    let mut held: Vec<Combination<'_>> = paths.iter().map(|sample| combination(&sample.path, &all, &dfas)).collect();
    let mut by_templates: HashMap<Vec<&PathTemplate>, Vec<Vec<bool>>> = HashMap::new();
    for (templates, expressions) in &held {
        by_templates.entry(templates.clone()).or_default().push(expressions.clone());
    }
    let mut only_ambiguous = false;
    let (doubtful, plain): (Vec<_>, Vec<_>) = found.into_iter().partition(|one| one.is_doubtful);
    for Representative { path, is_doubtful, templates, expressions } in plain.into_iter().chain(doubtful) {
        let known = by_templates.entry(templates.clone()).or_default();
        if known.contains(&expressions) {
            continue;
        }
        if is_doubtful {
            only_ambiguous = true;
            continue;
        }
        known.push(expressions.clone());
        let like = held.iter().position(|(known, _)| *known == templates).map(|at| paths[at].pattern.clone());
        let pattern = like.unwrap_or_else(|| narrowest(&templates));
        paths.push(PathSample { path, pattern });
        held.push((templates, expressions));
    }
    for (sample, (templates, fits)) in paths.iter_mut().zip(&held) {
        let known = by_templates.get(templates).map(Vec::as_slice).unwrap_or_default();
        let differs = |at: &usize| known.iter().any(|other| other[*at] != fits[*at]);
        let told: Vec<usize> = (0..ordered.len()).filter(differs).collect();
        let words = |fit: bool| {
            let names: Vec<String> =
                told.iter().filter(|at| fits[**at] == fit).map(|at| ordered[*at].words()).collect();
            names.join(" and ")
        };
        match (words(true), words(false)) {
            (fit, not) if fit.is_empty() && not.is_empty() => {}
            (fit, not) if not.is_empty() => sample.pattern.push_str(&format!(" that {fit} fits")),
            (fit, not) if fit.is_empty() => sample.pattern.push_str(&format!(" that {not} does not fit")),
            (fit, not) => sample.pattern.push_str(&format!(" that {fit} fits and {not} does not")),
        }
    }
    Ok(only_ambiguous)
}

fn combination<'p>(path: &str, templates: &[&'p PathTemplate], dfas: &[&PathDfa]) -> Combination<'p> {
    let segments: Vec<String> = path.split('/').filter(|one| !one.is_empty()).map(str::to_owned).collect();
    let held = templates.iter().copied().filter(|template| path_holds(template, &segments));
    (held.collect(), dfas.iter().map(|dfa| dfa.holds(path)).collect())
}

/// The pattern of a sample as a template; a name in it is one segment.
fn shape(pattern: &str) -> Option<PathTemplate> {
    let inner = pattern.strip_prefix('/')?;
    let (inner, rest) = match inner.strip_suffix("**") {
        Some(before) => (before.strip_suffix('/').unwrap_or(before), true),
        None => (inner, false),
    };
    let segment = |text: &str| match text == "*" || text.starts_with('{') {
        true => Segment::Any,
        false => Segment::Literal(text.to_owned()),
    };
    let segments = inner.split('/').filter(|text| !text.is_empty()).map(segment).collect();
    Some(PathTemplate { segments, rest, slash: false })
}

/// The template with each special value in the place of the capture that may hold it.
fn variants(template: &PathTemplate, special: &dyn Fn(&str) -> Vec<String>) -> impl Iterator<Item = PathTemplate> {
    let mut all = Vec::new();
    for (at, segment) in template.segments.iter().enumerate() {
        let Segment::Capture(name) = segment else { continue };
        all.extend(special(name).into_iter().map(|value| {
            let mut one = template.clone();
            one.segments[at] = Segment::Literal(value);
            one
        }));
    }
    all.into_iter()
}

/// The template that says most about a path.
fn narrowest(templates: &[&PathTemplate]) -> String {
    let literals = |template: &PathTemplate| {
        template.segments.iter().filter(|segment| matches!(segment, Segment::Literal(_))).count()
    };
    let narrowest =
        templates.iter().max_by_key(|template| (literals(template), !template.rest, template.segments.len()));
    narrowest.map_or_else(|| OTHER_PATHS.to_owned(), |template| template.to_string())
}

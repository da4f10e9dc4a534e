//! Sets of requests in words: who, under which circumstances, on what.

use super::cubes::{Cube, Product};
use super::dimension::{Axis, Dimension, Setting};
use crate::policy::model::{ClaimTest, ClaimValue, ClaimValues, GroupId, Policy, SubjectMatcher};

/// Names in backticks, joined by commas, the last two by `word`.
pub(super) fn listed<'a>(names: impl IntoIterator<Item = &'a str>, word: &str) -> String {
    let mut names: Vec<String> = names.into_iter().map(|name| format!("`{name}`")).collect();
    match names.pop() {
        None => String::new(),
        Some(last) if names.is_empty() => last,
        Some(last) => format!("{} {word} {last}", names.join(", ")),
    }
}

/// Whom some matchers mean.
pub(super) fn matchers(some: &[SubjectMatcher], policy: &Policy) -> String {
    some.iter().map(|matcher| self::matcher(matcher, policy)).collect::<Vec<_>>().join(", or ")
}

fn matcher(matcher: &SubjectMatcher, policy: &Policy) -> String {
    let SubjectMatcher {
        issuers,
        kinds,
        subjects,
        subject_patterns,
        emails,
        email_domains,
        groups,
        groups_all,
        claims,
    } = matcher;
    let mut facts: Vec<String> = Vec::new();
    let mut fact = |before: &str, names: String| {
        if !names.is_empty() {
            facts.push(format!("{before} {names}"));
        }
    };
    let texts = |texts: &[String]| listed(texts.iter().map(String::as_str), "or");
    let group = |id: &GroupId| {
        let group = &policy.groups[*id];
        group.value.family().map_or(group.name.clone(), |family| format!("{}:{{{}}}", group.name, family.capture))
    };
    let in_groups = |ids: &[GroupId], word| {
        let names: Vec<String> = ids.iter().map(group).collect();
        listed(names.iter().map(String::as_str), word)
    };
    let either = |some: &[String], like: &[String]| texts(&[some, like].concat());
    fact("of issuer", listed(issuers.iter().map(|id| policy.issuers[*id].name.as_str()), "or"));
    fact("in", in_groups(groups, "or"));
    fact("in", in_groups(groups_all, "and"));
    fact("known as", either(subjects, subject_patterns));
    fact("with e-mail", texts(emails));
    fact(if emails.is_empty() { "with an e-mail at" } else { "or at" }, texts(email_domains));
    fact("of kind", texts(kinds));
    for ClaimTest { path, accepts } in claims {
        let path = path.join(".");
        let value = |value: &ClaimValue| match value {
            ClaimValue::Text(text) => text.clone(),
            ClaimValue::Integer(number) => number.to_string(),
            ClaimValue::Boolean(flag) => flag.to_string(),
        };
        facts.push(match accepts {
            ClaimValues::In(values) => {
                let values: Vec<String> = values.iter().map(value).collect();
                format!("with claim `{path}` {}", texts(&values))
            }
            ClaimValues::Words(words) => format!("with the word {} in claim `{path}`", texts(words)),
            ClaimValues::Present => format!("with a claim `{path}`"),
            ClaimValues::Absent => format!("without a claim `{path}`"),
            ClaimValues::AfterNow => format!("whose `{path}` is later"),
        });
    }
    people(&facts)
}

/// People of whom this is so.
fn people(facts: &[String]) -> String {
    match facts.join(", ") {
        facts if facts.is_empty() => "everybody with a verified identity".to_owned(),
        facts => match facts.strip_prefix("in ") {
            Some(groups) => format!("members of {groups}"),
            None => format!("people {facts}"),
        },
    }
}

/// Names in backticks, with what stands for those that are not shown.
pub(super) fn listed_with_more<'a>(names: impl IntoIterator<Item = &'a str>, more: &str) -> String {
    let names: Vec<String> = names.into_iter().map(|name| format!("`{name}`")).collect();
    format!("{} and {more}", names.join(", "))
}

/// Whose requests a box holds.
pub(super) struct Who {
    pub(super) words: String,
    /// Whether callers without a credential are among them.
    pub(super) anyone: bool,
}

/// Who asks in the requests of a box.
pub(super) fn who(dimensions: &[Dimension], cube: &Cube) -> Who {
    let mut facts: Vec<String> = Vec::new();
    let (mut nobody, mut unverifiable, mut identified, mut all_issuers) = (true, true, true, true);
    for (dimension, chosen) in dimensions.iter().zip(&cube.chosen) {
        match dimension.axis {
            Axis::Credential => {
                let is = |wanted: fn(&Setting) -> bool| {
                    let of = dimension.choices.iter().zip(chosen).filter(|(choice, _)| wanted(&choice.setting));
                    of.map(|(_, chosen)| *chosen).collect::<Vec<_>>()
                };
                nobody = is(|setting| *setting == Setting::Nobody).contains(&true);
                unverifiable = is(|setting| *setting == Setting::Unverifiable).contains(&true);
                let issuers = is(|setting| matches!(setting, Setting::Issuer(_)));
                identified = issuers.contains(&true);
                all_issuers = !issuers.contains(&false);
                if identified && !all_issuers {
                    let chosen: Vec<bool> = dimension
                        .choices
                        .iter()
                        .zip(chosen)
                        .map(|(choice, chosen)| *chosen && matches!(choice.setting, Setting::Issuer(_)))
                        .collect();
                    facts.extend(alternatives(dimension, &chosen));
                }
            }
            // What nobody has said otherwise: nobody acts for anybody.
            Axis::Actor if chosen[0] && chosen[1..].iter().all(|chosen| !chosen) => {}
            axis if axis.of_identity() && !matches!(axis, Axis::Login | Axis::Grants) => {
                facts.extend(alternatives(dimension, chosen));
            }
            _ => {}
        }
    }
    let mut kinds: Vec<String> = Vec::new();
    if identified {
        kinds.push(people(&facts));
    }
    if unverifiable {
        kinds.push("callers whose token is not believed".to_owned());
    }
    if nobody {
        kinds.push("callers without a credential".to_owned());
    }
    let everybody = nobody && unverifiable && identified && all_issuers && facts.is_empty();
    let words = if everybody { "anyone".to_owned() } else { kinds.join(", and ") };
    Who { words, anyone: nobody }
}

/// From where, when and with what the requests of a box are made; nothing where that makes no difference.
pub(super) fn circumstances(dimensions: &[Dimension], cube: &Cube) -> Vec<String> {
    let rank = |axis: Axis| match axis {
        Axis::Preflight | Axis::Upgrade | Axis::Override => 0,
        Axis::Login => 1,
        Axis::Source => 2,
        Axis::Time => 3,
        Axis::Header | Axis::Query => 4,
        Axis::Fact => 5,
        Axis::Certificate => 6,
        Axis::Grants => 7,
        Axis::Credential | Axis::Groups | Axis::Subject | Axis::Email | Axis::Kind | Axis::Claim | Axis::Actor => 8,
    };
    let mut found: Vec<(u8, String)> = Vec::new();
    for (dimension, chosen) in dimensions.iter().zip(&cube.chosen) {
        // What requests do that say nothing of it.
        if matches!(dimension.axis, Axis::Upgrade | Axis::Override) && chosen[0] && chosen[1..].iter().all(|is| !is) {
            continue;
        }
        if rank(dimension.axis) < 8 {
            found.extend(alternatives(dimension, chosen).map(|words| (rank(dimension.axis), words)));
        }
    }
    found.sort();
    found.into_iter().map(|(_, words)| words).collect()
}

/// The box with such further choices as take words away; every point of the result has a value of which `is` holds.
pub(super) fn simplified(dimensions: &[Dimension], product: &Product, cube: &Cube, is: impl Fn(u16) -> bool) -> Cube {
    let mut wide = cube.clone();
    for (at, dimension) in dimensions.iter().enumerate() {
        let mut shortest: usize = length(dimension, &wide.chosen[at]);
        // What a request asks for is no matter of words: without it the difference would be told of requests that nobody means.
        let is_kept = matches!(dimension.axis, Axis::Credential | Axis::Upgrade | Axis::Override);
        if is_kept || dimension.choices.len() > MAX_CHOICES {
            continue;
        }
        for choice in 0..dimension.choices.len() {
            if wide.chosen[at][choice] || shortest == 0 {
                continue;
            }
            let mut slice = wide.chosen.clone();
            slice[at].fill(false);
            slice[at][choice] = true;
            if !product.all(&slice, &is) {
                continue;
            }
            wide.chosen[at][choice] = true;
            let now = length(dimension, &wide.chosen[at]);
            if now < shortest {
                shortest = now;
            } else {
                wide.chosen[at][choice] = false;
            }
        }
    }
    wide
}

/// The boxes without choices that other boxes have already, where that takes words away.
pub(super) fn narrowed(dimensions: &[Dimension], product: &Product, mut cubes: Vec<Cube>) -> Vec<Cube> {
    let mut held = product.counts(&cubes);
    for cube in cubes.iter_mut().rev() {
        for (at, dimension) in dimensions.iter().enumerate() {
            if dimension.axis == Axis::Credential || dimension.choices.len() > MAX_CHOICES {
                continue;
            }
            for choice in (0..dimension.choices.len()).rev() {
                if !cube.chosen[at][choice] || choice == cube.seed[at] {
                    continue;
                }
                let mut slice = cube.chosen.clone();
                slice[at].fill(false);
                slice[at][choice] = true;
                if !product.visit(&slice, |index| held[index] > 1) {
                    continue;
                }
                let before = length(dimension, &cube.chosen[at]);
                cube.chosen[at][choice] = false;
                if length(dimension, &cube.chosen[at]) < before {
                    product.visit(&slice, |index| {
                        held[index] -= 1;
                        true
                    });
                } else {
                    cube.chosen[at][choice] = true;
                }
            }
        }
    }
    cubes
}

/// With more choices words are not counted again and again.
const MAX_CHOICES: usize = 64;

/// How many facts it takes to say what is chosen.
fn length(dimension: &Dimension, chosen: &[bool]) -> usize {
    if chosen.iter().all(|chosen| *chosen) { 0 } else { dimension.describe(chosen).iter().map(Vec::len).sum() }
}

/// The chosen part of a dimension; `None` if all of it is.
fn alternatives(dimension: &Dimension, chosen: &[bool]) -> Option<String> {
    if chosen.iter().all(|chosen| *chosen) {
        return None;
    }
    let terms = dimension.describe(chosen);
    let terms: Vec<String> = terms
        .iter()
        .map(|facts| facts.iter().copied().filter(|fact| !fact.is_empty()).collect::<Vec<_>>().join(" and "))
        .filter(|term| !term.is_empty())
        .collect();
    (!terms.is_empty()).then(|| terms.join(", or "))
}

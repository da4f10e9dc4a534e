//! An estate that is larger than the text of a policy may be: several, whose scopes and rules are put into one table each.

use crate::{Numbers, Ready, SEED, head, parse, person, requests, write_rule};
use luigi_core::policy::model::{Policy, Rule, Scope, ScopeId, ScopeSelector, TableId};
use luigi_core::snapshot::Snapshot;

/// How many rules each text has.
const RULES_OF_A_TEXT: usize = 100_000;

/// The [estate](crate::estate) with this many rules.
///
/// # Panics
/// If there are more than 1,048,576: that many pairs of a host and a path a policy may have.
#[must_use]
pub fn vast(rules: usize) -> Ready {
    of_texts(rules, RULES_OF_A_TEXT)
}

fn of_texts(rules: usize, rules_of_a_text: usize) -> Ready {
    let mut numbers = Numbers::new(SEED);
    let mut whole: Option<Policy> = None;
    for (part, first) in (0..rules).step_by(rules_of_a_text).enumerate() {
        let mut text = head();
        (first..rules.min(first + rules_of_a_text)).for_each(|rule| write_rule(&mut text, rule, &mut numbers));
        let mut policy = parse(&text);
        let scopes = std::mem::take(&mut policy.scopes);
        let its_rules = std::mem::take(&mut policy.rules);
        let whole = whole.get_or_insert(policy);
        let before = whole.scopes.len();
        // Tables are in order of names.
        let named = |name: String| format!("{part:02}-{name}");
        scopes.into_rows().for_each(|row| {
            whole.scopes.push(Scope { name: named(row.name.clone()), ..row });
        });
        let moved = |scope: ScopeId| ScopeId::from_index(before + scope.index());
        its_rules.into_rows().for_each(|row| {
            let scopes = match &row.scopes {
                ScopeSelector::All => ScopeSelector::All,
                ScopeSelector::Named(scopes) => ScopeSelector::Named(scopes.iter().copied().map(moved).collect()),
            };
            whole.rules.push(Rule { name: named(row.name.clone()), scopes, ..row });
        });
    }
    let (people, calls) = requests(rules, &mut numbers);
    let people = people.iter().enumerate().map(|(n, groups)| person(n, groups)).collect();
    let policy = whole.expect("there is a rule");
    Ready { snapshot: Snapshot::compile(policy).expect("few enough scopes"), people, calls }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Hands, estate};

    #[test]
    fn an_estate_of_several_texts_is_that_of_one() {
        let (one, several) = (Ready::new(estate(1_000)), of_texts(1_000, 300));
        let (mut hands, mut others) = (Hands::for_workload(&one), Hands::for_workload(&several));
        for (call, other) in one.calls.iter().zip(&several.calls) {
            assert_eq!((&call.host, &call.target, call.person), (&other.host, &other.target, other.person));
            let (a, b) = (one.decide(call, &mut hands), several.decide(other, &mut others));
            assert_eq!((a.decision.reason, a.candidate.reason), (b.decision.reason, b.candidate.reason));
        }
    }
}

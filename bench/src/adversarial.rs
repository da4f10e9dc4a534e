//! Policies that make a lookup as hard as the language lets them, and requests that go where it is hardest.
//!
//! Each has one allow rule a scope (but for [`one_scope`]), which lets one group in, so that what differs from the [estate](crate::estate) is the shape alone.

use crate::{AUDIENCE, Call, ISSUER, Numbers, PEOPLE, Workload};
use std::fmt::Write as _;

/// A name for the tables, and the workload of this many rules.
pub type Shape = (&'static str, fn(usize) -> Workload);

/// All of them.
pub const SHAPES: [Shape; 9] = [
    ("one path", one_path),
    ("one scope", one_scope),
    ("one host", one_host),
    ("wildcards", wildcards),
    ("branching", branching),
    ("regexes, 20 a host", regexes),
    ("regexes, one host", regexes_on_one_host),
    ("5,000 groups", many_groups),
    ("500 groups each", many_memberships),
];

const GROUPS: usize = 200;

fn head(groups: usize) -> String {
    let mut policy =
        format!("schema = 1\n\n[issuers.login]\nurl = \"{ISSUER}\"\naudiences = [\"{AUDIENCE}\"]\n\n[groups]\n");
    for group in 0..groups {
        let _ = writeln!(policy, "group-{group} = \"group-{group}\"");
    }
    policy
}

/// A scope with a rule that lets a group in. `paths` is the line that says which.
fn scope(policy: &mut String, rule: usize, host: &str, paths: &str, group: usize) {
    let _ = writeln!(
        policy,
        "\n[scopes.scope-{rule}]\nhosts = [\"{host}\"]\n{paths}\nmethods = \"any\"\n\n[[rules]]\nid = \"rule-{rule}\"\nscopes = [\"scope-{rule}\"]\neffect = \"allow\"\nsubject = {{ groups = [\"group-{group}\"] }}"
    );
}

fn workload(
    policy: String,
    groups: usize,
    held: usize,
    mut target: impl FnMut(&mut Numbers) -> (String, String),
) -> Workload {
    let mut numbers = Numbers::new(0x4c75_6967_6922);
    let people = (0..PEOPLE).map(|_| (0..held).map(|_| format!("group-{}", numbers.below(groups))).collect()).collect();
    let calls = (0..1024)
        .map(|_| {
            let (host, target) = target(&mut numbers);
            Call { method: "GET", host, target, source: [10, 8, 3, 9].into(), person: Some(numbers.below(PEOPLE)) }
        })
        .collect();
    Workload { policy, people, calls }
}

/// Every scope is the same path of the same host.
#[must_use]
pub fn one_path(rules: usize) -> Workload {
    let mut policy = head(GROUPS);
    (0..rules).for_each(|rule| scope(&mut policy, rule, "app.example.com", "paths = [\"/v1/orders\"]", rule % GROUPS));
    workload(policy, GROUPS, 8, |_| ("app.example.com".into(), "/v1/orders".into()))
}

/// One scope, and every rule lets another group into it, of half as many groups as there are rules.
#[must_use]
pub fn one_scope(rules: usize) -> Workload {
    let groups = (rules / 2).max(1);
    let mut policy = head(groups);
    let _ = writeln!(
        policy,
        "\n[scopes.orders]\nhosts = [\"app.example.com\"]\npaths = [\"/v1/orders\"]\nmethods = \"any\""
    );
    for rule in 0..rules {
        let _ = writeln!(
            policy,
            "\n[[rules]]\nid = \"rule-{rule}\"\nscopes = [\"orders\"]\neffect = \"allow\"\nsubject = {{ groups = [\"group-{}\"] }}",
            rule % groups
        );
    }
    workload(policy, groups, 8, |_| ("app.example.com".into(), "/v1/orders".into()))
}

/// Every scope is another path of the same host.
#[must_use]
pub fn one_host(rules: usize) -> Workload {
    let mut policy = head(GROUPS);
    for rule in 0..rules {
        scope(&mut policy, rule, "app.example.com", &format!("paths = [\"/v1/things-{rule}/{{id}}\"]"), rule % GROUPS);
    }
    workload(policy, GROUPS, 8, |numbers| ("app.example.com".into(), format!("/v1/things-{}/17", numbers.below(rules))))
}

/// Hosts are wildcards, and paths begin with captures.
#[must_use]
pub fn wildcards(rules: usize) -> Workload {
    let mut policy = head(GROUPS);
    for rule in 0..rules {
        let host = format!("{}zone-{}.example.com", ["*.", "**."][rule % 2], rule / 20);
        scope(&mut policy, rule, &host, &format!("paths = [\"/{{tenant}}/*/things-{rule}/**\"]"), rule % GROUPS);
    }
    workload(policy, GROUPS, 8, |numbers| {
        let rule = numbers.below(rules);
        (format!("svc.zone-{}.example.com", rule / 20), format!("/acme/x/things-{rule}/a/b"))
    })
}

/// Paths of as many segments as it takes, each the literal or a capture: the request fits all of them.
#[must_use]
pub fn branching(rules: usize) -> Workload {
    let mut policy = head(GROUPS);
    let segments = rules.next_power_of_two().ilog2().max(1);
    for rule in 0..rules {
        let path: String =
            (0..segments).map(|at| if rule >> at & 1 == 0 { format!("/s{at}") } else { "/*".to_owned() }).collect();
        scope(&mut policy, rule, "app.example.com", &format!("paths = [\"{path}\"]"), rule % GROUPS);
    }
    let path: String = (0..segments).map(|at| format!("/s{at}")).collect();
    workload(policy, GROUPS, 8, |_| ("app.example.com".into(), path.clone()))
}

/// How many automata of [`regexes`] a policy may have; one with more is refused.
const MOST_REGEXES: usize = 4_000;

/// Paths are regular expressions, twenty of them on a host; at most 4,000 of them.
#[must_use]
pub fn regexes(rules: usize) -> Workload {
    let (mut policy, rules) = (head(GROUPS), rules.min(MOST_REGEXES));
    for rule in 0..rules {
        let host = format!("svc-{}.example.com", rule / 20);
        scope(&mut policy, rule, &host, &format!("path-regex = ['/v1/things-{rule}/[0-9]+']"), rule % GROUPS);
    }
    workload(policy, GROUPS, 8, |numbers| {
        let rule = numbers.below(rules);
        (format!("svc-{}.example.com", rule / 20), format!("/v1/things-{rule}/17"))
    })
}

/// Paths are regular expressions, all on one host; at most 4,000 of them.
#[must_use]
pub fn regexes_on_one_host(rules: usize) -> Workload {
    let (mut policy, rules) = (head(GROUPS), rules.min(MOST_REGEXES));
    for rule in 0..rules {
        scope(
            &mut policy,
            rule,
            "app.example.com",
            &format!("path-regex = ['/v1/things-{rule}/[0-9]+']"),
            rule % GROUPS,
        );
    }
    workload(policy, GROUPS, 8, |numbers| ("app.example.com".into(), format!("/v1/things-{}/17", numbers.below(rules))))
}

/// As many groups as anybody has, and one rule for each.
#[must_use]
pub fn many_groups(rules: usize) -> Workload {
    let mut policy = head(5_000);
    for rule in 0..rules {
        let host = format!("svc-{}.example.com", rule / 20);
        scope(&mut policy, rule, &host, &format!("paths = [\"/v1/things-{rule}/{{id}}\"]"), rule % 5_000);
    }
    workload(policy, 5_000, 8, |numbers| {
        let rule = numbers.below(rules);
        (format!("svc-{}.example.com", rule / 20), format!("/v1/things-{rule}/17"))
    })
}

/// The same, and everybody is in 500 of them.
#[must_use]
pub fn many_memberships(rules: usize) -> Workload {
    let Workload { policy, calls, .. } = many_groups(rules);
    let mut numbers = Numbers::new(0x4c75_6967_6923);
    let people = (0..PEOPLE).map(|_| (0..500).map(|_| format!("group-{}", numbers.below(5_000))).collect()).collect();
    Workload { policy, people, calls }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Hands, Ready};

    #[test]
    fn the_oracle_agrees_in_every_shape() {
        for (shape, workload) in SHAPES {
            let ready = Ready::new(workload(200));
            let mut hands = Hands::for_workload(&ready);
            let (mut allowed, calls) = (0, &ready.calls[..128]);
            for call in calls {
                let explanation = ready.explain(call, &mut hands);
                assert_eq!(*ready.decide(call, &mut hands), explanation.evaluation, "{shape}: {call:?}");
                assert!(explanation.held_scopes().next().is_some(), "{shape}: {call:?}");
                allowed += usize::from(explanation.evaluation.decision.allows());
            }
            let few_are_members = shape == "5,000 groups";
            assert!(allowed > 0 || few_are_members, "{shape}");
        }
    }
}

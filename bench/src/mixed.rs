//! The workload that other engines are given, too: rules as data, and the policy for Luigi that follows from them.
//!
//! It is what one finds in an estate and what engines other than Luigi can say: hosts, exact paths, templates, prefixes and a few regular expressions,
//! methods, networks, groups and a claim; rules that allow and rules that deny. Restrictions, approvals and logins are left out, which no peer has. About
//! 70 % of the requests meet a rule about their path and method. Other workloads are in the crate's root.

use crate::{AUDIENCE, Call, ISSUER, NOW, Numbers, Ready};
use std::fmt::Write as _;

/// How many people a workload has.
pub const PEOPLE: usize = 64;
/// How many requests.
pub const CALLS: usize = 1_024;
/// The networks that rules name, each of one range.
pub const NETWORKS: [(&str, &str); 2] = [("office", "203.0.113.0/24"), ("vpn", "10.8.0.0/16")];
/// What the claim `department` can be.
pub const DEPARTMENTS: [&str; 6] = ["billing", "shop", "search", "platform", "support", "legal"];
const GROUPS: usize = 200;
const RULES_PER_HOST: usize = 20;
const NOUNS: [&str; 8] = ["orders", "invoices", "users", "reports", "carts", "stock", "refunds", "plans"];

/// What a rule does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// It lets in.
    Allow,
    /// It refuses, whatever else lets in.
    Deny,
}

/// Which paths a rule is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Paths {
    /// This one.
    Exact(String),
    /// Those with the same segments; `{id}` is any one segment.
    Template(String),
    /// This one and all below it.
    Below(String),
    /// Those that this expression fits as a whole.
    Regex(String),
}

/// Which methods a rule is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Methods {
    /// All that the requests of the workload have.
    Any,
    /// One of these.
    These(&'static [&'static str]),
}

/// Whom a rule is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Who {
    /// Everybody, also nobody known.
    Anyone,
    /// Who has one of these groups.
    Groups(Vec<String>),
    /// Who has this as the claim `department`.
    Department(&'static str),
}

/// A rule; all that it says must hold.
#[derive(Clone, Debug)]
pub struct Rule {
    /// What it does.
    pub effect: Effect,
    /// The host.
    pub host: String,
    /// The paths.
    pub paths: Paths,
    /// The methods.
    pub methods: Methods,
    /// Who asks.
    pub who: Who,
    /// The network that the request comes from: a name of [`NETWORKS`].
    pub from: Option<&'static str>,
}

/// Somebody who asks.
#[derive(Clone, Debug)]
pub struct Person {
    /// Groups.
    pub groups: Vec<String>,
    /// The claim `department`.
    pub department: &'static str,
}

/// Rules and the requests that go with them.
#[derive(Clone, Debug)]
pub struct Mixed {
    /// The rules; their order means nothing.
    pub rules: Vec<Rule>,
    /// Who asks.
    pub people: Vec<Person>,
    /// What is asked: [`CALLS`] requests, with a query each.
    pub calls: Vec<Call>,
}

/// What rules are made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Make {
    /// Everything that this module knows.
    Everything,
    /// What can be said in HAProxy's maps, nginx's locations and Envoy's lists alike: each path belongs to one rule, which lets one group in.
    GroupsOnly,
}

impl Mixed {
    /// The workload with this many rules. The same arguments give the same workload.
    #[must_use]
    pub fn new(rules: usize, make: Make) -> Self {
        let mut numbers = Numbers::new(0x7065_6572_7321);
        let rules: Vec<Rule> = (0..rules).map(|number| rule(number, make, &mut numbers)).collect();
        let people: Vec<Person> = (0..PEOPLE).map(|_| person(&mut numbers)).collect();
        let calls = (0..CALLS).map(|_| call(&rules, &people, &mut numbers)).collect();
        Self { rules, people, calls }
    }

    /// The policy that says the same in Luigi's language.
    #[must_use]
    pub fn policy(&self) -> String {
        let mut policy =
            format!("schema = 1\n\n[issuers.login]\nurl = \"{ISSUER}\"\naudiences = [\"{AUDIENCE}\"]\n\n[networks]\n");
        for (name, range) in NETWORKS {
            let _ = writeln!(policy, "{name} = [\"{range}\"]");
        }
        policy.push_str("\n[groups]\n");
        for group in 0..GROUPS {
            let _ = writeln!(policy, "group-{group} = \"group-{group}\"");
        }
        for (number, rule) in self.rules.iter().enumerate() {
            rule.write(number, &mut policy);
        }
        policy
    }

    /// The workload made ready for Luigi.
    ///
    /// # Panics
    /// If the policy is not sound: a mistake in this file.
    #[must_use]
    pub fn ready(&self) -> Ready {
        let people = self.people.iter().enumerate().map(|(number, person)| person.identity(number)).collect();
        Ready::of(&self.policy(), people, self.calls.clone())
    }
}

impl Rule {
    fn write(&self, number: usize, policy: &mut String) {
        let paths = match &self.paths {
            Paths::Exact(path) | Paths::Template(path) => format!("paths = [\"{path}\"]"),
            Paths::Below(path) => format!("paths = [\"{path}/**\"]"),
            Paths::Regex(expression) => format!("path-regex = ['{expression}']"),
        };
        let methods = match self.methods {
            Methods::Any => "\"any\"".to_owned(),
            Methods::These(methods) => format!("{methods:?}"),
        };
        let effect = match self.effect {
            Effect::Allow => "allow",
            Effect::Deny => "deny",
        };
        let who = match &self.who {
            Who::Anyone => "\"anyone\"".to_owned(),
            Who::Groups(groups) => format!("{{ groups = {groups:?} }}"),
            Who::Department(name) => format!("{{ claims = [{{ path = [\"department\"], equals = \"{name}\" }}] }}"),
        };
        let from = self.from.map(|network| format!("from = [\"{network}\"]\n")).unwrap_or_default();
        let _ = write!(
            policy,
            "\n[scopes.scope-{number}]\nhosts = [\"{}\"]\n{paths}\nmethods = {methods}\n\n\
             [[rules]]\nid = \"rule-{number}\"\neffect = \"{effect}\"\nscopes = [\"scope-{number}\"]\nsubject = {who}\n{from}",
            self.host
        );
    }

    /// A path that the rule is about.
    fn example(&self) -> String {
        match &self.paths {
            Paths::Exact(path) => path.clone(),
            Paths::Template(path) => path.replace("{id}", "8f7e0c52").replace("{line}", "17"),
            Paths::Below(path) => format!("{path}/2026/summary"),
            Paths::Regex(expression) => expression.replace("[0-9]{4}-[0-9]{2}", "2026-03").replace("(csv|pdf)", "pdf"),
        }
    }
}

impl Person {
    fn identity(&self, number: usize) -> luigi_core::identity::Identity {
        use luigi_core::identity::{Completeness, Groups, Identity};
        let groups = self.groups.iter().map(|group| group.as_str().into()).collect();
        let claims = [("department".to_owned(), self.department.into())].into_iter().collect();
        Identity::assert("benchmark", ISSUER, &format!("person-{number}"), NOW.plus_seconds(3600))
            .groups(Groups::new(groups, Completeness::Complete))
            .claims(claims)
            .finish()
    }

    /// Whether a rule is about this person.
    #[must_use]
    pub fn is_meant_by(&self, who: &Who) -> bool {
        match who {
            Who::Anyone => true,
            Who::Groups(groups) => groups.iter().any(|group| self.groups.contains(group)),
            Who::Department(name) => self.department == *name,
        }
    }
}

fn rule(number: usize, make: Make, numbers: &mut Numbers) -> Rule {
    let host = format!("svc-{}.example.com", number / RULES_PER_HOST);
    let (mut owner, mut effect) = (number, Effect::Allow);
    if make == Make::Everything {
        match number % RULES_PER_HOST {
            // Some have the paths of the rule before them: a second group for them, or a denial.
            5 | 15 => owner = number - 1,
            9 | 17 => (owner, effect) = (number - 1, Effect::Deny),
            _ => {}
        }
    }
    let paths = paths(owner, make);
    let methods = [Methods::These(&["GET", "HEAD"]), Methods::These(&["GET", "POST"]), Methods::Any][numbers.below(3)];
    let mut group = || format!("group-{}", numbers.below(GROUPS));
    let (one, other) = (group(), group());
    let who = match (make, numbers.below(20)) {
        (Make::Everything, 0) if effect == Effect::Allow => Who::Anyone,
        (Make::Everything, 1 | 2) => Who::Department(DEPARTMENTS[numbers.below(DEPARTMENTS.len())]),
        (Make::Everything, 3 | 4) if one != other => Who::Groups(vec![one, other]),
        _ => Who::Groups(vec![one]),
    };
    let from = match (make, numbers.below(20)) {
        (Make::Everything, 0 | 1) => Some(NETWORKS[0].0),
        (Make::Everything, 2) => Some(NETWORKS[1].0),
        _ => None,
    };
    Rule { effect, host, paths, methods, who, from }
}

/// The paths of a rule; the number keeps them apart from those of others.
fn paths(number: usize, make: Make) -> Paths {
    let below = format!("/v1/{}-{number}", NOUNS[number % NOUNS.len()]);
    match number % RULES_PER_HOST {
        0..=7 => Paths::Exact(below),
        8..=12 => Paths::Template(format!("{below}/{{id}}/lines/{{line}}")),
        // A few: on one host of five.
        18 if make == Make::Everything && number % (5 * RULES_PER_HOST) == 18 => {
            Paths::Regex(format!("{below}/[0-9]{{4}}-[0-9]{{2}}/all[.](csv|pdf)"))
        }
        _ => Paths::Below(below),
    }
}

fn person(numbers: &mut Numbers) -> Person {
    let groups = (0..8).map(|_| format!("group-{}", numbers.below(GROUPS))).collect();
    Person { groups, department: DEPARTMENTS[numbers.below(DEPARTMENTS.len())] }
}

fn call(rules: &[Rule], people: &[Person], numbers: &mut Numbers) -> Call {
    let rule = &rules[numbers.below(rules.len())];
    let hit = numbers.below(10) < 7;
    let member = people.iter().position(|person| person.is_meant_by(&rule.who));
    let stranger = numbers.below(PEOPLE);
    let person = match numbers.below(20) {
        0 => None,
        1..=4 => Some(stranger),
        _ => Some(member.unwrap_or(stranger)),
    };
    let method = match rule.methods {
        _ if !hit => ["GET", "POST", "DELETE"][numbers.below(3)],
        Methods::Any => ["GET", "POST", "DELETE"][numbers.below(3)],
        Methods::These(methods) => methods[numbers.below(methods.len())],
    };
    let (mut host, mut path) = (rule.host.clone(), rule.example().replace("[.]", "."));
    if !hit {
        match numbers.below(4) {
            0 => host = format!("unknown-{}.example.com", numbers.below(1_000)),
            _ => path = format!("/v2{path}"),
        }
    }
    let source = match (rule.from, numbers.below(4)) {
        (Some("office"), 1..) => [203, 0, 113, 9],
        (Some(_), 1..) => [10, 8, 3, 9],
        _ => [198, 51, 100, 7],
    };
    Call { method, host, target: format!("{path}?page=2"), source: source.into(), person }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Hands;

    #[test]
    fn about_seven_in_ten_requests_meet_a_rule_and_the_oracle_agrees() {
        for make in [Make::Everything, Make::GroupsOnly] {
            let ready = Mixed::new(100, make).ready();
            let mut hands = Hands::for_workload(&ready);
            let (mut met, mut allowed) = (0, 0);
            for call in &ready.calls {
                let explanation = ready.explain(call, &mut hands);
                assert_eq!(*ready.decide(call, &mut hands), explanation.evaluation, "{call:?}");
                met += usize::from(explanation.held_scopes().next().is_some());
                allowed += usize::from(explanation.evaluation.decision.allows());
            }
            assert!((65..=75).contains(&(met * 100 / CALLS)), "{make:?}: {met} of {CALLS} meet a rule");
            assert!((25..=65).contains(&(allowed * 100 / CALLS)), "{make:?}: {allowed} of {CALLS} pass");
        }
    }

    #[test]
    fn a_workload_has_all_that_it_promises() {
        let rules = Mixed::new(1_000, Make::Everything).rules;
        let count = |what: fn(&Rule) -> bool| rules.iter().filter(|rule| what(rule)).count();
        assert_eq!(count(|rule| matches!(rule.paths, Paths::Regex(_))), 10);
        assert_eq!(count(|rule| rule.effect == Effect::Deny), 100);
        for what in [
            (|rule| matches!(rule.paths, Paths::Exact(_))) as fn(&Rule) -> bool,
            |rule| matches!(rule.paths, Paths::Template(_)),
            |rule| matches!(rule.paths, Paths::Below(_)),
            |rule| rule.methods == Methods::Any,
            |rule| rule.from.is_some(),
            |rule| matches!(rule.who, Who::Department(_)),
            |rule| matches!(&rule.who, Who::Groups(groups) if groups.len() == 2),
        ] {
            assert!(count(what) > 20, "{}", count(what));
        }
    }
}

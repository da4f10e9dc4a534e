//! casbin: role-based access control with hosts as domains and `keyMatch2` for paths, a line for each group of a rule; a denial overrides.
//!
//! The matcher compares what is cheap and tells most lines apart first: `keyMatch2` compiles its pattern anew each time. Prefixes, templates and
//! regular expressions are all patterns of `keyMatch2`. The claim is a role.

use super::{Peer, Prepared, range, segments};
use ::casbin::{CoreApi, DefaultModel, Enforcer, MemoryAdapter, MgmtApi};
use luigi_bench::mixed::{Effect, Methods, Mixed, Paths, Rule, Who};
use std::collections::BTreeSet;

const MODEL: &str = r#"
[request_definition]
r = sub, dom, obj, act, ip

[policy_definition]
p = sub, dom, obj, act, other, ip, eft

[role_definition]
g = _, _

[policy_effect]
e = some(where (p.eft == allow)) && !some(where (p.eft == deny))

[matchers]
m = r.dom == p.dom && (p.act == "*" || r.act == p.act || r.act == p.other) && (p.sub == "*" || g(r.sub, p.sub)) && (p.ip == "*" || ipMatch(r.ip, p.ip)) && (r.obj == p.obj || keyMatch2(r.obj, p.obj))
"#;

pub struct Casbin(Enforcer);

impl Peer for Casbin {
    type Input = [String; 5];

    fn new(workload: &Mixed, rules: &[&Rule]) -> Self {
        let lines: BTreeSet<Vec<String>> = rules.iter().flat_map(|rule| lines(rule)).collect();
        let mut roles = BTreeSet::new();
        for (number, person) in workload.people.iter().enumerate() {
            let has = person.groups.iter().cloned().chain([department(person.department)]);
            // Roles that no line asks for would only cost.
            let asked = has.filter(|role| lines.iter().any(|line| line[0] == *role));
            roles.extend(asked.map(|role| vec![number.to_string(), role]));
        }
        let enforcer = async {
            let model = DefaultModel::from_str(MODEL).await?;
            let mut enforcer = Enforcer::new(model, MemoryAdapter::default()).await?;
            enforcer.add_policies(lines.into_iter().collect()).await?;
            enforcer.add_grouping_policies(roles.into_iter().collect()).await?;
            Ok::<_, ::casbin::Error>(enforcer)
        };
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        Self(runtime.block_on(enforcer).expect("policies that casbin takes"))
    }

    fn inputs(workload: &Mixed) -> Vec<Self::Input> {
        let input = |request: Prepared<'_>| {
            let person = request.person.map_or("nobody".to_owned(), |(number, _)| number.to_string());
            [person, request.host.into(), request.path.into(), request.method.into(), request.source.to_string()]
        };
        Prepared::all(workload).map(input).collect()
    }

    fn allows(&mut self, [sub, dom, obj, act, ip]: &Self::Input) -> bool {
        self.0.enforce((sub, dom, obj, act, ip)).expect("no errors")
    }
}

fn lines(rule: &Rule) -> Vec<Vec<String>> {
    let subjects = match &rule.who {
        Who::Anyone => vec!["*".to_owned()],
        Who::Groups(groups) => groups.clone(),
        Who::Department(name) => vec![department(name)],
    };
    let path = match &rule.paths {
        Paths::Exact(path) | Paths::Regex(path) => path.clone(),
        Paths::Template(template) => segments(template).map(|one| format!("/{}", one.unwrap_or(":any"))).collect(),
        Paths::Below(path) => format!("{path}(/.*)?"),
    };
    let (method, other) = match rule.methods {
        Methods::Any => ("*", "*"),
        Methods::These([one, other]) => (*one, *other),
        Methods::These(methods) => panic!("a line has room for two methods, not for {methods:?}"),
    };
    let effect = match rule.effect {
        Effect::Allow => "allow",
        Effect::Deny => "deny",
    };
    let from = rule.from.map_or("*", range);
    let line = |subject| {
        let host = rule.host.clone();
        vec![subject, host, path.clone(), method.into(), other.into(), from.into(), effect.into()]
    };
    subjects.into_iter().map(line).collect()
}

fn department(name: &str) -> String {
    format!("department:{name}")
}

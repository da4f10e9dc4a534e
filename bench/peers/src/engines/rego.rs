//! Rego, with regorus: a Rego rule for each rule, or the rules as data that is looked up by host and path; interpreted, or compiled for its virtual machine.
//!
//! OPA's page on performance says which rules are evaluated fast: linear ones, without search. OPA finds them through an index, which regorus does not build;
//! so there is the second form, in which data has objects where one would search arrays, also as that page says. The caches of compiled
//! expressions and globs are large enough for all of them.

use super::{Peer, Prepared, range, segments};
use luigi_bench::mixed::{Effect, Methods, Mixed, Paths, Rule, Who};
use regorus::languages::rego::compiler::Compiler;
use regorus::rvm::vm::RegoVM;
use regorus::{Engine, PolicyLengthConfig, Value};
use serde_json::{Value as Json, json};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::num::NonZeroUsize;

const DECISION: &str = "data.estate.decision";

/// A Rego rule for each rule, interpreted.
pub struct Rules(Engine);

/// Rules as data, interpreted.
pub struct Data(Engine);

/// Rules as data, compiled.
pub struct Compiled(RegoVM);

impl Peer for Rules {
    type Input = Value;

    fn new(_: &Mixed, rules: &[&Rule]) -> Self {
        let text = rules.iter().fold(HEAD.to_owned(), |text, rule| text + rego_rule(rule).as_str());
        Self(engine(text))
    }

    fn inputs(workload: &Mixed) -> Vec<Value> {
        inputs(workload)
    }

    fn allows(&mut self, input: &Value) -> bool {
        interpreted(&mut self.0, input)
    }
}

impl Peer for Data {
    type Input = Value;

    fn new(_: &Mixed, rules: &[&Rule]) -> Self {
        let mut engine = engine(OVER_DATA.to_owned());
        engine.add_data(data(rules)).expect("data that is sound");
        Self(engine)
    }

    fn inputs(workload: &Mixed) -> Vec<Value> {
        inputs(workload)
    }

    fn allows(&mut self, input: &Value) -> bool {
        interpreted(&mut self.0, input)
    }
}

impl Peer for Compiled {
    type Input = Value;

    fn new(_: &Mixed, rules: &[&Rule]) -> Self {
        let mut engine = engine(OVER_DATA.to_owned());
        let policy = engine.compile_with_entrypoint(&DECISION.into()).expect("a policy that compiles");
        let program = Compiler::compile_from_policy(&policy, &[DECISION]).expect("a program");
        let mut machine = RegoVM::new();
        machine.load_program(program);
        machine.set_max_instructions(usize::MAX);
        machine.set_data(data(rules)).expect("data that is sound");
        Self(machine)
    }

    fn inputs(workload: &Mixed) -> Vec<Value> {
        inputs(workload)
    }

    fn allows(&mut self, input: &Value) -> bool {
        self.0.set_input(input.clone());
        self.0.execute().expect("no errors") == Value::Bool(true)
    }
}

fn interpreted(engine: &mut Engine, input: &Value) -> bool {
    engine.set_input(input.clone());
    engine.eval_rule(DECISION.to_owned()).expect("no errors") == Value::Bool(true)
}

fn engine(text: String) -> Engine {
    regorus::cache::configure(regorus::cache::Config { regex: 1 << 16, glob: 1 << 16 });
    let mut engine = Engine::new();
    // Without this a policy ends at 1 MiB and 20,000 lines, which are fewer than 10,000 rules.
    let (max_file_bytes, max_lines) = (NonZeroUsize::MAX, NonZeroUsize::MAX);
    engine.set_policy_length_config(PolicyLengthConfig { max_file_bytes, max_lines, ..PolicyLengthConfig::default() });
    engine.add_policy("estate.rego".to_owned(), text).expect("a policy that parses");
    engine
}

/// `path_and_slash` makes one test of a path and all below it.
fn inputs(workload: &Mixed) -> Vec<Value> {
    let input = |request: Prepared<'_>| {
        let groups: BTreeMap<_, _> = request.groups().iter().map(|group| (group.as_str(), true)).collect();
        let department = request.person.map_or("", |(_, person)| person.department);
        Value::from(json!({
            "host": request.host, "path": request.path, "path_and_slash": format!("{}/", request.path),
            "segments": request.segments, "depth": request.segments.len().to_string(), "method": request.method, "groups": groups, "department": department,
            "source": request.source,
        }))
    };
    Prepared::all(workload).map(input).collect()
}

const HEAD: &str = "package estate

default decision := false

decision if {
    permitted
    not refused
}
";

fn rego_rule(rule: &Rule) -> String {
    let name = match rule.effect {
        Effect::Allow => "permitted",
        Effect::Deny => "refused",
    };
    let mut text = format!("\n{name} if {{\n    input.host == \"{}\"\n", rule.host);
    let _ = match &rule.paths {
        Paths::Exact(path) => writeln!(text, "    input.path == \"{path}\""),
        Paths::Template(template) => {
            let pattern: Vec<_> = segments(template)
                .map(|segment| segment.map_or("_".to_owned(), |literal| format!("\"{literal}\"")))
                .collect();
            writeln!(text, "    input.segments = [{}]", pattern.join(", "))
        }
        Paths::Below(path) => writeln!(text, "    startswith(input.path_and_slash, \"{path}/\")"),
        Paths::Regex(expression) => writeln!(text, "    regex.match(`^(?:{expression})$`, input.path)"),
    };
    if let Methods::These(methods) = rule.methods {
        let methods: Vec<_> = methods.iter().map(|method| format!("\"{method}\"")).collect();
        let _ = writeln!(text, "    input.method in {{{}}}", methods.join(", "));
    }
    let _ = match &rule.who {
        Who::Anyone => Ok(()),
        Who::Groups(groups) if groups.len() == 1 => writeln!(text, "    input.groups[\"{}\"]", groups[0]),
        Who::Groups(groups) => writeln!(text, "    some group in {groups:?}\n    input.groups[group]"),
        Who::Department(name) => writeln!(text, "    input.department == \"{name}\""),
    };
    if let Some(network) = rule.from {
        let _ = writeln!(text, "    net.cidr_contains(\"{}\", input.source)", range(network));
    }
    text + "}\n"
}

const OVER_DATA: &str = r#"package estate

default decision := false

decision if {
    "allow" in effects
    not "deny" in effects
}

here := data.hosts[input.host]

effects contains rule.effect if {
    some rule in here.exact[input.path]
    holds(rule)
}

effects contains rule.effect if {
    some rule in here.template[input.depth]
    fits(rule.path)
    holds(rule)
}

effects contains rule.effect if {
    some rule in here.below
    startswith(input.path_and_slash, rule.path)
    holds(rule)
}

effects contains rule.effect if {
    some rule in here.regex
    regex.match(rule.path, input.path)
    holds(rule)
}

# What stands where; other places may hold anything.
fits(literals) if {
    every literal in literals {
        input.segments[literal[0]] == literal[1]
    }
}

holds(rule) if {
    method(rule)
    who(rule)
    from(rule)
}

method(rule) if rule.methods == "any"

method(rule) if rule.methods[input.method]

who(rule) if rule.who == "anyone"

who(rule) if {
    some group in rule.groups
    input.groups[group]
}

who(rule) if rule.department == input.department

from(rule) if rule.from == "anywhere"

from(rule) if {
    rule.from != "anywhere"
    net.cidr_contains(rule.from, input.source)
}
"#;

fn data(rules: &[&Rule]) -> Value {
    let mut hosts: BTreeMap<&str, [Vec<(String, Json)>; 4]> = BTreeMap::new();
    for rule in rules {
        let host = hosts.entry(&rule.host).or_default();
        let (kind, key, path) = match &rule.paths {
            Paths::Exact(path) => (0, path.clone(), json!(path)),
            Paths::Template(template) => {
                let literals = segments(template).enumerate().filter_map(|(at, segment)| Some((at, segment?)));
                let literals: Vec<Json> = literals.map(|(at, segment)| json!([at, segment])).collect();
                (1, segments(template).count().to_string(), json!(literals))
            }
            Paths::Below(path) => (2, String::new(), json!(format!("{path}/"))),
            Paths::Regex(expression) => (3, String::new(), json!(format!("^(?:{expression})$"))),
        };
        host[kind].push((key, rule_as_data(rule, path)));
    }
    let grouped = |rules: Vec<(String, Json)>| {
        let mut by_key: BTreeMap<String, Vec<Json>> = BTreeMap::new();
        rules.into_iter().for_each(|(key, rule)| by_key.entry(key).or_default().push(rule));
        by_key
    };
    let all = |rules: Vec<(String, Json)>| rules.into_iter().map(|(_, rule)| rule).collect::<Vec<_>>();
    let hosts: BTreeMap<_, _> = hosts
        .into_iter()
        .map(|(host, [exact, template, below, regex])| {
            (host, json!({ "exact": grouped(exact), "template": grouped(template), "below": all(below), "regex": all(regex) }))
        })
        .collect();
    Value::from(json!({ "hosts": hosts }))
}

fn rule_as_data(rule: &Rule, path: Json) -> Json {
    let methods = match rule.methods {
        Methods::Any => json!("any"),
        Methods::These(methods) => {
            methods.iter().map(|method| ((*method).to_owned(), json!(true))).collect::<serde_json::Map<_, _>>().into()
        }
    };
    let effect = match rule.effect {
        Effect::Allow => "allow",
        Effect::Deny => "deny",
    };
    let mut data =
        json!({ "effect": effect, "path": path, "methods": methods, "from": rule.from.map_or("anywhere", range) });
    match &rule.who {
        Who::Anyone => data["who"] = json!("anyone"),
        Who::Groups(groups) => data["groups"] = json!(groups),
        Who::Department(name) => data["department"] = json!(name),
    }
    data
}

//! CEL: a program for each rule, compiled once; what refuses is asked after something has let in.
//!
//! `&&` stops at the first part that is false, so what tells most rules apart stands first. Templates are compared segment by segment, since this
//! implementation compiles an expression of `matches` each time. It cannot look at addresses: the names of the networks are prepared, in a list.

use super::{Peer, Prepared, segments};
use cel::{Context, Program, Value};
use luigi_bench::mixed::{Effect, Methods, Mixed, Paths, Rule, Who};
use std::fmt::Write as _;

pub struct Cel {
    allow: Vec<Program>,
    deny: Vec<Program>,
}

impl Peer for Cel {
    type Input = Context<'static, 'static>;

    fn new(_: &Mixed, rules: &[&Rule]) -> Self {
        let with = |effect: Effect| {
            let rules = rules.iter().filter(|rule| rule.effect == effect);
            rules.map(|rule| Program::compile(&expression(rule)).expect("an expression")).collect()
        };
        Self { allow: with(Effect::Allow), deny: with(Effect::Deny) }
    }

    fn inputs(workload: &Mixed) -> Vec<Self::Input> {
        Prepared::all(workload)
            .map(|request| {
                let mut context = Context::default();
                let department = request.person.map_or("", |(_, person)| person.department);
                let list =
                    |texts: &[&str]| Value::from(texts.iter().map(|text| Value::from(*text)).collect::<Vec<_>>());
                let groups: Vec<_> = request.groups().iter().map(String::as_str).collect();
                context.add_variable_from_value("host", request.host);
                context.add_variable_from_value("path", request.path);
                context.add_variable_from_value("method", request.method);
                context.add_variable_from_value("department", department);
                context.add_variable_from_value("segments", list(&request.segments));
                context.add_variable_from_value("groups", list(&groups));
                context.add_variable_from_value("networks", list(&request.networks()));
                context
            })
            .collect()
    }

    fn allows(&mut self, input: &Self::Input) -> bool {
        let any = |programs: &[Program]| {
            programs.iter().any(|program| program.execute(input).expect("no errors") == Value::Bool(true))
        };
        any(&self.allow) && !any(&self.deny)
    }
}

fn expression(rule: &Rule) -> String {
    let mut text = format!("host == \"{}\"", rule.host);
    let _ = match &rule.paths {
        Paths::Exact(path) => write!(text, " && path == \"{path}\""),
        Paths::Template(template) => {
            let mut written = write!(text, " && segments.size() == {}", segments(template).count());
            // The last literal ones differ most.
            for (at, segment) in segments(template).enumerate().collect::<Vec<_>>().into_iter().rev() {
                if let Some(segment) = segment {
                    written = written.and(write!(text, " && segments[{at}] == \"{segment}\""));
                }
            }
            written
        }
        Paths::Below(path) => write!(text, " && (path.startsWith(\"{path}/\") || path == \"{path}\")"),
        Paths::Regex(expression) => {
            let literal = expression.split('[').next().expect("the first part is always there");
            write!(text, " && path.startsWith(\"{literal}\") && path.matches(\"^(?:{expression})$\")")
        }
    };
    if let Methods::These(methods) = rule.methods {
        let _ = write!(text, " && method in {methods:?}");
    }
    let _ = match &rule.who {
        Who::Anyone => Ok(()),
        Who::Groups(groups) => {
            let tests: Vec<_> = groups.iter().map(|group| format!("\"{group}\" in groups")).collect();
            write!(text, " && ({})", tests.join(" || "))
        }
        Who::Department(name) => write!(text, " && department == \"{name}\""),
    };
    if let Some(network) = rule.from {
        let _ = write!(text, " && \"{network}\" in networks");
    }
    text
}

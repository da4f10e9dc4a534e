//! Cedar: a policy for each rule, principal, action and resource in its scope as the best practices say, the rest as conditions.
//!
//! The resource is the host, groups are parents of whoever asks, the claim is an attribute. A segment of a template is `*` of `like`, which would also match several
//! segments: the number of segments is compared too, and then the two mean the same. Cedar has no regular expressions: which of the workload's fit
//! the path is prepared, as a set in the context.

use super::{Peer, Prepared, expressions, range, segments};
use cedar_policy::{Authorizer, Context, Decision, Entities, EntityUid, PolicySet, Request, RestrictedExpression};
use luigi_bench::mixed::{Effect, Methods, Mixed, Paths, Rule, Who};
use serde_json::json;
use std::fmt::Write as _;
use std::sync::Arc;

pub struct Cedar {
    authorizer: Authorizer,
    policies: PolicySet,
}

/// A request, and whom and what it speaks of.
pub struct Input {
    request: Request,
    entities: Arc<Entities>,
}

impl Peer for Cedar {
    type Input = Input;

    fn new(_: &Mixed, rules: &[&Rule]) -> Self {
        let text = rules.iter().fold(String::new(), |text, rule| text + policy(rule).as_str());
        let policies = text.parse().expect("policies that parse");
        Self { authorizer: Authorizer::new(), policies }
    }

    fn inputs(workload: &Mixed) -> Vec<Input> {
        let entities = Arc::new(entities(workload));
        let expressions = expressions(workload);
        Prepared::all(workload)
            .map(|request| {
                let person = request.person.map_or("nobody".to_owned(), |(number, _)| number.to_string());
                let text = |text: &str| RestrictedExpression::new_string(text.to_owned());
                let fits = expressions.iter().filter(|(_, regex)| regex.is_match(request.path));
                let depth = i64::try_from(request.segments.len()).expect("a short path");
                let context = Context::from_pairs([
                    ("path".to_owned(), text(request.path)),
                    ("depth".to_owned(), RestrictedExpression::new_long(depth)),
                    ("source".to_owned(), RestrictedExpression::new_ip(request.source.to_string())),
                    ("fits".to_owned(), RestrictedExpression::new_set(fits.map(|(expression, _)| text(expression)))),
                ]);
                let request = Request::new(
                    uid("Person", &person),
                    uid("Action", request.method),
                    uid("Host", request.host),
                    context.expect("a context"),
                    None,
                );
                Input { request: request.expect("a request"), entities: entities.clone() }
            })
            .collect()
    }

    fn allows(&mut self, input: &Input) -> bool {
        self.authorizer.is_authorized(&input.request, &self.policies, &input.entities).decision() == Decision::Allow
    }
}

fn policy(rule: &Rule) -> String {
    let effect = match rule.effect {
        Effect::Allow => "permit",
        Effect::Deny => "forbid",
    };
    let mut conditions = String::new();
    let principal = match &rule.who {
        Who::Anyone => "principal".to_owned(),
        Who::Groups(groups) if groups.len() == 1 => format!("principal in {}", entity("Group", &groups[0])),
        Who::Groups(groups) => {
            let groups: Vec<_> = groups.iter().map(|group| entity("Group", group)).collect();
            let _ = write!(conditions, " && principal in [{}]", groups.join(", "));
            "principal".to_owned()
        }
        Who::Department(name) => {
            let _ = write!(conditions, " && principal has department && principal.department == \"{name}\"");
            "principal".to_owned()
        }
    };
    let action = match rule.methods {
        Methods::Any => "action".to_owned(),
        Methods::These(methods) => {
            let methods: Vec<_> = methods.iter().map(|method| entity("Action", method)).collect();
            format!("action in [{}]", methods.join(", "))
        }
    };
    let path = match &rule.paths {
        Paths::Exact(path) => format!("context.path == \"{path}\""),
        Paths::Template(template) => {
            let pattern: String = segments(template).map(|segment| format!("/{}", segment.unwrap_or("*"))).collect();
            format!("context.depth == {} && context.path like \"{pattern}\"", segments(template).count())
        }
        Paths::Below(path) => format!("(context.path == \"{path}\" || context.path like \"{path}/*\")"),
        Paths::Regex(expression) => format!("context.fits.contains(\"{expression}\")"),
    };
    if let Some(network) = rule.from {
        let _ = write!(conditions, " && context.source.isInRange(ip(\"{}\"))", range(network));
    }
    let host = entity("Host", &rule.host);
    format!("{effect}({principal}, {action}, resource == {host}) when {{ {path}{conditions} }};\n")
}

fn entities(workload: &Mixed) -> Entities {
    let entity = |kind: &str, id: &str| json!({ "type": kind, "id": id });
    let mut all = Vec::new();
    let mut groups: Vec<&String> = workload.people.iter().flat_map(|person| &person.groups).collect();
    groups.sort();
    groups.dedup();
    all.extend(groups.into_iter().map(|group| json!({ "uid": entity("Group", group), "attrs": {}, "parents": [] })));
    for (number, person) in workload.people.iter().enumerate() {
        let parents: Vec<_> = person.groups.iter().map(|group| entity("Group", group)).collect();
        let attributes = json!({ "department": person.department });
        all.push(json!({ "uid": entity("Person", &number.to_string()), "attrs": attributes, "parents": parents }));
    }
    all.push(json!({ "uid": entity("Person", "nobody"), "attrs": {}, "parents": [] }));
    Entities::from_json_value(all.into(), None).expect("sound entities")
}

fn entity(kind: &str, id: &str) -> String {
    format!("{kind}::\"{id}\"")
}

fn uid(kind: &str, id: &str) -> EntityUid {
    entity(kind, id).parse().expect("a name")
}

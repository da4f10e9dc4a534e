//! `via`: who acts on the subject's behalf.

use super::node::{Fields, Node, quoted};
use super::rules::{check_subjects, claims, one_or_more};
use super::tables::strings;
use super::{ActorMatcher, Via};
use crate::policy::diagnostics::{Code, Diagnostic, Diagnostics};
use toml::de::DeValue;

/// What a token says of its subject and never of an actor.
const OF_SUBJECTS: [&str; 5] = ["kinds", "emails", "email-domains", "groups", "groups-all"];

/// `"any"`, a matcher of actors, or a list of them.
pub(super) fn read(node: Node<'_>, out: &mut Diagnostics) -> Option<Via> {
    if let DeValue::String(_) = node.value() {
        return node.word("via", &[("any", ())], out).map(|()| Via::Any);
    }
    let nodes = one_or_more(node, "via", out);
    let read: Vec<_> = nodes.into_iter().filter_map(|node| matcher(node, out)).collect();
    (!read.is_empty()).then_some(Via::AnyOf(read))
}

fn matcher(node: Node<'_>, out: &mut Diagnostics) -> Option<ActorMatcher> {
    const KEYS: [&str; 9] = [
        "issuers",
        "subjects",
        "subject-patterns",
        "claims",
        // Known, so that the complaint is about what they ask for.
        OF_SUBJECTS[0],
        OF_SUBJECTS[1],
        OF_SUBJECTS[2],
        OF_SUBJECTS[3],
        OF_SUBJECTS[4],
    ];
    let fields = Fields::open(node, "`via`", &KEYS, out)?;
    if fields.is_empty() {
        let problem = Diagnostic::error(Code::EmptyValue, fields.span(), "`via` is an empty table");
        out.push(
            problem.help("say who may act, like `{ subjects = [\"agent:assistant\"] }`, or write `via = \"any\"`"),
        );
        return None;
    }
    for key in OF_SUBJECTS {
        if let Some(span) = fields.key_span(key) {
            let message = format!("`via` asks for {} of whoever acts, which no token says", quoted(key));
            let problem = Diagnostic::error(Code::UnknowableOfActor, span, message).label("known of subjects alone");
            out.push(problem.help(
                "an actor is known by `issuers`, `subjects`, `subject-patterns` and the `claims` of its own `act`",
            ));
        }
    }
    let mut texts = |key: &str| fields.texts(key, out).unwrap_or_default();
    let (issuers, subjects, patterns) = (texts("issuers"), texts("subjects"), texts("subject-patterns"));
    check_subjects(&subjects, &patterns, out);
    Some(ActorMatcher {
        span: fields.span(),
        issuers,
        subjects: strings(subjects),
        subject_patterns: strings(patterns),
        claims: fields.get("claims").map(|node| claims(node, out)).unwrap_or_default(),
    })
}

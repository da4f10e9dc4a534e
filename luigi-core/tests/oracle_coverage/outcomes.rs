//! What comes of requests.

use super::Seen;
use luigi_core::decide::{Advice, Decision, Reason};
use luigi_core::explain::{Explanation, Finding, PatternTrace, RuleTrace};
use luigi_core::kleene::Kleene;
use luigi_core::policy::model::Policy;

const TRUE_FALSE_UNKNOWN: &str = "predicates, each true, false and unknown";
const TRUE_FALSE: &str = "predicates, each true and false; never unknown";
const REQUIRED: &str = "requirements, each true, false and unknown";
const REQUIRED_SURELY: &str = "requirements, each true and false; never unknown";
const REQUIRED_FALSE: &str = "parts of requirements that are told only where they are false";
const REASONS: &str = "reasons, of the decision and of the candidate";
const ADVICE: &str = "advice";
const RESTRICTED: &str = "requirements of a restrict rule that are not met";
const OTHERS: &str = "what comes of several things together";

/// What must occur, by part.
pub(super) const TABLE: &[(&str, &[&str])] = &[
    (
        TRUE_FALSE_UNKNOWN,
        &[
            "subject",
            "via",
            "actor",
            "from",
            "during",
            "unless",
            "claim",
            "emails",
            "groups",
            "groups-all",
            "claims",
            "headers",
            "query",
            "facts",
            "certificate",
            "verified",
            "subject-dn",
            "san-uri",
            "san-dns",
            "fingerprint-sha256",
        ],
    ),
    (TRUE_FALSE, &["scopes", "methods", "starts", "ends", "where", "issuers", "kinds", "subjects"]),
    (
        REQUIRED,
        &[
            "login",
            "acr-any",
            "amr-any",
            "amr-all",
            "max-age",
            "subject",
            "from",
            "during",
            "headers",
            "query",
            "facts",
            "certificate",
        ],
    ),
    (REQUIRED_SURELY, &["approval", "scope"]),
    (REQUIRED_FALSE, &["grant"]),
    (
        REASONS,
        &[
            "allowed-by-rule",
            "preflight",
            "denied-by-rule",
            "deny-rule-unknown",
            "login-required",
            "subject-required",
            "source-required",
            "schedule-required",
            "fact-required",
            "approval-required",
            "allow-rule-unknown",
            "no-rule-allows",
            "ambiguous-target",
            "frontend-unknown",
            "ambiguous-credential",
            "deferred",
            "stopped",
            "upgrade-refused",
            "method-override",
        ],
    ),
    (
        ADVICE,
        &[
            "authenticate where no-rule-allows",
            "authenticate where denied-by-rule",
            "authenticate where deny-rule-unknown",
            "authenticate where allow-rule-unknown",
            "authenticate where approval-required",
            "step-up where login-required",
            "request-access where approval-required",
            "several approvals",
            "approvals for captures",
        ],
    ),
    (RESTRICTED, &["login", "subject", "source", "schedule", "fact", "approval"]),
    (
        OTHERS,
        &[
            "an observed rule makes a difference",
            "a scope leaves a request out",
            "a request is not at the frontends of a scope",
            "a regular expression holds a request",
            "an allow with captures is true",
            "an allow with captures is unknown",
            "an allow comes out differently in two patterns",
            "a restrict with captures is true",
            "a restrict with captures is unknown",
            "a restrict comes out differently in two patterns",
            "a deny with captures is true",
            "a deny with captures is unknown",
            "a deny comes out differently in two patterns",
            "requirements are met in one of two patterns",
            "a grant for captures opens a scope",
            "a connection may be upgraded for a bounded time",
        ],
    ),
];

/// Whether a row of the table is one of predicates, with the values that each must have.
fn values(part: &str) -> Option<&'static [Kleene]> {
    match part {
        TRUE_FALSE_UNKNOWN | REQUIRED => Some(&[Kleene::False, Kleene::Unknown, Kleene::True]),
        TRUE_FALSE | REQUIRED_SURELY => Some(&[Kleene::False, Kleene::True]),
        REQUIRED_FALSE => Some(&[Kleene::False]),
        _ => None,
    }
}

/// The same, each thing by itself as it is noted.
pub(super) fn wanted() -> Vec<(String, String)> {
    let mut wanted = Vec::new();
    for (part, all) in TABLE {
        for what in *all {
            match values(part) {
                Some(values) => {
                    let requires = matches!(*part, REQUIRED | REQUIRED_SURELY | REQUIRED_FALSE);
                    let part = if requires { "requirement" } else { "predicate" };
                    wanted.extend(values.iter().map(|value| (part.to_owned(), format!("{what} {}", value.as_str()))));
                }
                None if *part == REASONS => {
                    wanted.extend(["decision", "candidate"].map(|which| (which.to_owned(), (*what).to_owned())));
                }
                None => wanted.push(((*part).to_owned(), (*what).to_owned())),
            }
        }
    }
    wanted
}

/// The reasons that decisions have; what the reading of facts and the engine around decisions answer is left out.
pub(super) fn reasons() -> impl Iterator<Item = &'static str> {
    let outside = [Reason::MalformedFacts, Reason::InternalError, Reason::AuditUnavailable];
    Reason::ALL.iter().filter(move |reason| !outside.contains(reason)).map(|reason| reason.as_str())
}

/// The reasons in the table.
pub(super) fn reasons_in_table() -> &'static [&'static str] {
    TABLE.iter().find(|(part, _)| *part == REASONS).map_or(&[], |(_, all)| all)
}

pub(super) fn note(policy: &Policy, explanation: &Explanation, seen: &mut Seen) {
    let evaluation = &explanation.evaluation;
    note_decision("decision", &evaluation.decision, seen);
    note_decision("candidate", &evaluation.candidate, seen);
    if evaluation.decision != evaluation.candidate {
        seen.note(OTHERS, "an observed rule makes a difference");
    }
    if evaluation.tunnel_seconds.is_some() {
        seen.note(OTHERS, "a connection may be upgraded for a bounded time");
    }
    for rule in &explanation.rules {
        note_patterns(rule, seen);
        rule.predicates.iter().for_each(|finding| note_finding("predicate", finding, seen));
        rule.requirements.iter().for_each(|finding| note_finding("requirement", finding, seen));
    }
    for scope in &explanation.scopes {
        if scope.left_out_by.is_some() {
            seen.note(OTHERS, "a scope leaves a request out");
        }
        if !scope.only_at.is_empty() {
            seen.note(OTHERS, "a request is not at the frontends of a scope");
        }
        let row = policy.scopes.iter().find(|(_, row)| row.name == scope.scope);
        if row.is_some_and(|(_, row)| row.path_regex.is_some() && row.operations.is_empty()) {
            seen.note(OTHERS, "a regular expression holds a request");
        }
    }
}

fn note_decision(which: &str, decision: &Decision, seen: &mut Seen) {
    let reason = decision.reason.as_str();
    seen.note(which, reason);
    if let Some(advice) = decision.advice {
        seen.note(ADVICE, format!("{} where {reason}", advice.as_str()));
        if let Advice::RequestAccess { approvals, rule: _ } = advice {
            if approvals.iter().count() > 1 {
                seen.note(ADVICE, "several approvals");
            }
            if approvals.iter().any(|missing| missing.pattern.is_some()) {
                seen.note(ADVICE, "approvals for captures");
            }
        }
    }
    if let (Some(_), Some(kind)) = (decision.restricted_by, reason.strip_suffix("-required")) {
        seen.note(RESTRICTED, kind);
    }
}

fn note_patterns(rule: &RuleTrace, seen: &mut Seen) {
    let effect = format!("{:?}", rule.effect).to_lowercase();
    let article = if effect == "allow" { "an" } else { "a" };
    let all_met = |one: &PatternTrace| one.requirements.iter().all(|finding| finding.value.is_true());
    if !rule.patterns.is_empty() {
        seen.note(OTHERS, format!("{article} {effect} with captures is {}", rule.value.as_str()));
    }
    for (one, other) in rule.patterns.iter().zip(rule.patterns.iter().skip(1)) {
        if one.value != other.value {
            seen.note(OTHERS, format!("{article} {effect} comes out differently in two patterns"));
        }
        if all_met(one) != all_met(other) {
            seen.note(OTHERS, "requirements are met in one of two patterns");
        }
    }
    for finding in rule.patterns.iter().flat_map(|one| &one.requirements) {
        if finding.key == "approval" && finding.value.is_true() {
            seen.note(OTHERS, "a grant for captures opens a scope");
        }
    }
}

fn note_finding(part: &str, finding: &Finding, seen: &mut Seen) {
    seen.note(part, format!("{} {}", finding.key, finding.value.as_str()));
    finding.parts.iter().for_each(|inner| note_finding(part, inner, seen));
}

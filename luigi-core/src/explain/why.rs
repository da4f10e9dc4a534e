//! The shortest why: the few findings that made an answer, without the rest of the trace.

use super::render::{Line, Tone, decision_lines, finding_lines};
use super::{DecisionTrace, Explanation, Finding, RuleTrace, Standing, count, listed};
use crate::decide::Reason;
use crate::kleene::Kleene;
use crate::policy::model::{Effect, Mode};

/// How many allow rules are named where none of them allows.
const MOST_RULES: usize = 5;

impl Explanation {
    /// Why the decision came out: its reason, and the findings of the determining rule that made it; where no rule allows, what keeps each
    /// allow rule that is about the request.
    #[must_use]
    pub fn why(&self) -> Vec<Line> {
        self.why_of(&self.decision, "", |rule| rule.mode == Mode::Enforce)
    }

    /// The same for the candidate decision.
    #[must_use]
    pub fn why_candidate(&self) -> Vec<Line> {
        self.why_of(&self.candidate, "with observed rules: ", |_| true)
    }

    /// What a rule came to and the findings that made it so; nothing if there is no such rule or the request was refused before all rules.
    #[must_use]
    pub fn why_rule(&self, rule: &str) -> Vec<Line> {
        self.rules.iter().find(|one| one.rule == rule).map(rule_lines).unwrap_or_default()
    }

    fn why_of(&self, decision: &DecisionTrace, prefix: &str, counts: impl Fn(&RuleTrace) -> bool) -> Vec<Line> {
        let mut lines = decision_lines(decision, prefix);
        let named = |name: &Option<String>| {
            let name = name.as_deref()?;
            self.rules.iter().find(|one| one.rule == name)
        };
        let determining = named(&decision.rule);
        let restricting = named(&decision.restricted_by);
        for rule in determining.into_iter().chain(restricting) {
            // An allow rule that a restrict rule keeps from allowing has nothing to answer for.
            if restricting.is_none() || rule.standing != Standing::Allows {
                lines.extend(rule_lines(rule));
            }
        }
        if decision.reason == Reason::NoRuleAllows {
            let about = |rule: &&RuleTrace| rule.effect == Effect::Allow && rule.concerned && counts(rule);
            let allows: Vec<&RuleTrace> = self.rules.iter().filter(about).collect();
            for rule in allows.iter().take(MOST_RULES) {
                lines.extend(rule_lines(rule));
            }
            let text = if allows.is_empty() {
                let held: Vec<&str> = self.held_scopes().collect();
                let scopes = if held.is_empty() { "no scope".to_owned() } else { listed(held, "and") };
                format!("no allow rule is about it: the request is in {scopes}")
            } else if allows.len() > MOST_RULES {
                format!("and {} do not match", count(allows.len() - MOST_RULES, "other allow rule"))
            } else {
                return lines;
            };
            lines.push(Line::indented(2).with(Tone::Plain, text));
        }
        lines
    }
}

/// A rule, and what made it come out as it did.
fn rule_lines(rule: &RuleTrace) -> Vec<Line> {
    let findings = telling(rule);
    let width = findings.iter().map(|one| one.key.len()).max().unwrap_or(0);
    let mut lines = vec![rule.headline(2)];
    for finding in findings {
        finding_lines(finding, width, 4, super::Detail::Concerned, &mut lines);
    }
    lines
}

/// The findings that decide what a rule comes to.
fn telling(rule: &RuleTrace) -> Vec<&Finding> {
    let about = |finding: &&Finding| finding.key != "scopes";
    let of = |value: Kleene| rule.predicates.iter().filter(about).filter(move |one| one.value == value);
    match rule.standing {
        Standing::Denies | Standing::Allows => of(Kleene::True).collect(),
        Standing::MayDeny | Standing::MayAllow => of(Kleene::Unknown).collect(),
        Standing::Unmet | Standing::Blocks => rule.requirements.iter().filter(|one| !one.value.is_true()).collect(),
        Standing::Satisfied => rule.requirements.iter().collect(),
        // One false predicate is enough; that of the scopes tells least, unless there is no other.
        Standing::Silent => {
            let any = rule.predicates.iter().find(|one| one.value.is_false());
            of(Kleene::False).next().or(any).into_iter().collect()
        }
    }
}

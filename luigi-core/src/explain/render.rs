//! Explanations for people: lines of text whose parts have a tone, which a terminal may colour and a pipe does not.

use super::{
    AdviceTrace, DecisionTrace, Explanation, Finding, MissingTrace, RuleTrace, Standing, captures, count, listed,
    quoted,
};
use crate::kleene::Kleene;
use crate::policy::model::{Effect, Mode};
use std::fmt;

/// How much of an explanation to show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Detail {
    /// The rules whose scopes hold the request.
    Concerned,
    /// Every rule, and what each predicate is made of.
    Full,
}

/// What a piece of text is, for those who colour it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    /// Nothing special.
    Plain,
    /// A name or headline worth finding.
    Strong,
    /// Of less interest.
    Faint,
    /// True, met, allowed.
    Good,
    /// Unknown.
    Doubtful,
    /// False, unmet, denied.
    Bad,
}

/// A piece of a line in one tone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Span {
    /// What it is.
    pub tone: Tone,
    /// The text; no line breaks and no control characters.
    pub text: String,
}

/// A line of an explanation. [`Display`](fmt::Display) gives it without colours.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Line {
    /// Its pieces in order, indentation included.
    pub spans: Vec<Span>,
}

impl Line {
    pub(super) fn with(mut self, tone: Tone, text: impl Into<String>) -> Self {
        self.spans.push(Span { tone, text: text.into() });
        self
    }

    pub(super) fn indented(by: usize) -> Self {
        Self::default().with(Tone::Plain, " ".repeat(by))
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.spans.iter().try_for_each(|span| f.write_str(&span.text))
    }
}

/// The plain text with the rules concerned, each line ended.
impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.lines(Detail::Concerned).iter().try_for_each(|line| writeln!(f, "{line}"))
    }
}

/// How wide the column of values is: `unknown` and two spaces.
const VALUE_COLUMN: usize = 9;

impl Explanation {
    /// The explanation as lines: the answer, the request, the rules.
    #[must_use]
    pub fn lines(&self, detail: Detail) -> Vec<Line> {
        let mut lines = decision_lines(&self.decision, "");
        if self.candidate != self.decision {
            lines.extend(decision_lines(&self.candidate, "with observed rules: "));
        }
        lines.push(Line::default());
        lines.extend(self.request_lines());

        let shown: Vec<&RuleTrace> =
            self.rules.iter().filter(|rule| rule.concerned || detail == Detail::Full).collect();
        for rule in &shown {
            lines.push(Line::default());
            lines.extend(self.rule_lines(rule, detail));
        }
        let others = self.rules.len() - shown.len();
        if others > 0 {
            lines.push(Line::default());
            let are = if others == 1 { "is" } else { "are" };
            let text = format!("{} {are} about other scopes", count(others, "other rule"));
            lines.push(Line::default().with(Tone::Faint, text));
        }
        lines
    }

    fn request_lines(&self) -> Vec<Line> {
        let line = |label: &str| Line::default().with(Tone::Faint, format!("{label:<6}"));
        let mut what = line("what").with(Tone::Strong, format!("{} {}", self.request.method, self.request.target));
        if self.privileged {
            what = what.with(Tone::Plain, "  (privileged)");
        }
        if let Some(seconds) = self.tunnel_seconds {
            what = what.with(Tone::Plain, format!("  (upgraded, and closed when idle for {seconds} s)"));
        }
        let mut lines = vec![what];
        lines.extend(self.request.help.as_deref().map(|help| line("help").with(Tone::Plain, help)));
        for (reading, how) in
            self.readings.iter().zip(["as it stands", "decoded once more", "cut off at the first `;`"])
        {
            let text = format!("{} {how}: {} ({})", quoted(&reading.path), reading.decision, reading.reason.as_str());
            lines.push(line("read").with(Tone::Plain, text));
        }
        lines.extend(self.request.frontend.as_deref().map(|frontend| line("at").with(Tone::Plain, frontend)));
        lines.extend([
            line("who").with(Tone::Plain, self.request.identity.as_str()),
            line("from").with(Tone::Plain, self.request.source.as_str()),
            line("when").with(Tone::Plain, self.request.time.as_str()),
        ]);
        let held: Vec<&str> = self.held_scopes().collect();
        let mut scopes = if held.is_empty() { "none".to_owned() } else { listed(held, "and") };
        for left_out in &self.scopes {
            if let Some(by) = &left_out.left_out_by {
                scopes.push_str(&format!("; not `{}`, which leaves out `{by}`", left_out.scope));
            } else if !left_out.only_at.is_empty() {
                let frontends = listed(left_out.only_at.iter().map(String::as_str), "and");
                scopes.push_str(&format!("; not `{}`, which is at {frontends} only", left_out.scope));
            }
        }
        lines.push(line("scope").with(Tone::Plain, scopes));
        lines
    }

    fn rule_lines(&self, rule: &RuleTrace, detail: Detail) -> Vec<Line> {
        let mut head = rule.headline(0);
        let determines = |one: &DecisionTrace| one.rule.as_deref() == Some(rule.rule.as_str());
        if determines(&self.decision) {
            head = head.with(Tone::Strong, "  <- determines the decision");
        } else if determines(&self.candidate) {
            head = head.with(Tone::Faint, "  <- determines the candidate");
        }

        let mut lines = vec![head];
        let width = rule.predicates.iter().chain(&rule.requirements).map(|one| one.key.len()).max().unwrap_or(0);
        if rule.patterns.is_empty() {
            unit_lines(rule.value, &rule.predicates, &rule.requirements, width, detail, &mut lines);
        }
        for one in &rule.patterns {
            let text = format!("with {}, as in {}", captures::shown(&one.captures), quoted(&one.pattern));
            lines.push(Line::indented(2).with(Tone::Faint, text));
            unit_lines(one.value, &one.predicates, &one.requirements, width, detail, &mut lines);
        }
        lines
    }
}

impl RuleTrace {
    /// What the rule is and what it comes to, so many columns to the right.
    pub(super) fn headline(&self, indent: usize) -> Line {
        let effect = match self.effect {
            Effect::Allow => "allow",
            Effect::Restrict => "restrict",
            Effect::Deny => "deny",
        };
        let (standing, tone) = match self.standing {
            Standing::Silent => ("does not match", Tone::Faint),
            Standing::Denies => ("denies", Tone::Bad),
            Standing::MayDeny => ("may deny, so it does", Tone::Bad),
            Standing::Satisfied => ("is satisfied", Tone::Good),
            Standing::Blocks => ("blocks", Tone::Bad),
            Standing::Allows => ("allows", Tone::Good),
            Standing::Unmet => ("matches, but requires more", Tone::Bad),
            Standing::MayAllow => ("may match, which is not enough", Tone::Doubtful),
        };
        let line = Line::indented(indent)
            .with(Tone::Plain, format!("{effect} "))
            .with(Tone::Strong, self.rule.as_str())
            .with(tone, format!("  {standing}"));
        let line = if self.mode == Mode::Observe { line.with(Tone::Faint, "  (observed)") } else { line };
        match &self.owner {
            Some(owner) => line.with(Tone::Faint, format!("  of {owner}")),
            None => line,
        }
    }
}

/// What a rule comes to in one place.
fn unit_lines(
    value: Kleene,
    predicates: &[Finding],
    requirements: &[Finding],
    width: usize,
    detail: Detail,
    lines: &mut Vec<Line>,
) {
    for finding in predicates {
        // That the scopes hold the request is why the rule is shown.
        if finding.key != "scopes" || detail == Detail::Full {
            finding_lines(finding, width, 2, detail, lines);
        }
    }
    if !requirements.is_empty() && (!value.is_false() || detail == Detail::Full) {
        lines.push(Line::indented(2).with(Tone::Faint, "requires"));
        for finding in requirements {
            finding_lines(finding, width, 2, detail, lines);
        }
    }
}

pub(super) fn decision_lines(decision: &DecisionTrace, prefix: &str) -> Vec<Line> {
    let tone = if decision.decision == "allow" { Tone::Good } else { Tone::Bad };
    let mut lines = vec![
        Line::default()
            .with(Tone::Faint, prefix)
            .with(tone, decision.decision)
            .with(Tone::Plain, format!("  {}: {}", decision.reason.as_str(), decision.because)),
    ];
    let advice = match &decision.advice {
        None => return lines,
        Some(AdviceTrace::Authenticate) => "authenticate: some identity would be let in or could ask".to_owned(),
        Some(AdviceTrace::StepUp { login, rule }) => format!("step-up: log in as `{login}` wants it, for `{rule}`"),
        Some(AdviceTrace::RequestAccess { approvals, rule }) => {
            let ask = |one: &MissingTrace| {
                let captures = captures::shown(&one.captures);
                let of = if captures.is_empty() { captures } else { format!(" where {captures}") };
                format!("`{}` for scope `{}`{of}", one.approval, one.scope)
            };
            let each: Vec<String> = approvals.iter().map(ask).collect();
            format!("request-access: {}, for `{rule}`", each.join(", "))
        }
    };
    lines.push(Line::indented(prefix.len() + 6).with(Tone::Plain, advice));
    lines
}

pub(super) fn finding_lines(finding: &Finding, width: usize, indent: usize, detail: Detail, lines: &mut Vec<Line>) {
    let tone = match finding.value {
        Kleene::True => Tone::Good,
        Kleene::Unknown => Tone::Doubtful,
        Kleene::False => Tone::Bad,
    };
    lines.push(
        Line::indented(indent)
            .with(tone, format!("{:<VALUE_COLUMN$}", finding.value.as_str()))
            .with(Tone::Faint, format!("{:<width$}  ", finding.key))
            .with(Tone::Plain, finding.because.as_str()),
    );
    for part in &finding.parts {
        // Grants that did not fit are what one looks for when a grant does not open.
        let telling = finding.key == "approval" && part.parts.iter().any(|grant| grant.key == "grant");
        if detail == Detail::Full {
            finding_lines(part, width, indent + 2, detail, lines);
        } else if telling {
            for grant in &part.parts {
                let text = format!("grant {}", grant.because);
                lines.push(Line::indented(indent + VALUE_COLUMN + width + 2).with(Tone::Faint, text));
            }
        }
    }
}

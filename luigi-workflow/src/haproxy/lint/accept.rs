//! Findings that are accepted where they stand: `# luigi: accept CODE: reason`, on the line above or at the end of the line.

use crate::haproxy::sections::{Comment, Config};
use luigi_core::policy::SourceSet;
use luigi_core::policy::diagnostics::{Code, Diagnostic, HaproxyLint, Lint, Severity, is_reason, quoted};
use luigi_core::policy::source::Span;

/// A finding that is accepted, with the reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Accepted {
    /// What was found.
    pub code: Code,
    /// The message of the finding, of the first one if there are several.
    pub message: String,
    /// How many findings the reason stands for.
    pub findings: usize,
    /// Why it is all right.
    pub reason: String,
    /// Where that is said.
    pub span: Span,
}

/// A comment that accepts something.
struct Acceptance<'c> {
    comment: &'c Comment,
    code: Code,
    reason: &'c str,
}

/// Takes what is accepted out of what was found, and adds what is wrong with the comments.
pub(in crate::haproxy) fn accepted(
    config: &Config,
    sources: &SourceSet,
    found: Vec<Diagnostic>,
) -> (Vec<Diagnostic>, Vec<Accepted>) {
    let mut left = Vec::new();
    let acceptances: Vec<_> = config.comments.iter().filter_map(|comment| read(comment, sources, &mut left)).collect();
    let mut accepted: Vec<Option<Accepted>> = acceptances.iter().map(|_| None).collect();
    for problem in found {
        let place = problem.primary.as_ref().map(|label| (label.span.source, sources.position(label.span).line - 1));
        let known = acceptances.iter().position(|acceptance| {
            acceptance.code == problem.code && place == Some((acceptance.comment.span.source, acceptance.comment.about))
        });
        let Some(at) = known else {
            left.push(problem);
            continue;
        };
        match &mut accepted[at] {
            Some(known) => known.findings += 1,
            none => {
                let Acceptance { comment, code, reason } = &acceptances[at];
                let (message, reason) = (problem.message, (*reason).to_owned());
                *none = Some(Accepted { code: *code, message, findings: 1, reason, span: comment.span });
            }
        }
    }
    for (acceptance, _) in acceptances.iter().zip(&accepted).filter(|(_, accepted)| accepted.is_none()) {
        let message = format!("`{}` finds nothing in the line that this comment is about", acceptance.code.as_str());
        let lint = Lint::NeedlessAccept;
        left.push(
            Diagnostic::new(Code::Lint(lint), lint.severity(), acceptance.comment.span, message).help("remove it"),
        );
    }
    (left, accepted.into_iter().flatten().collect())
}

/// What a comment accepts, if it is one that does.
fn read<'c>(comment: &'c Comment, sources: &'c SourceSet, out: &mut Vec<Diagnostic>) -> Option<Acceptance<'c>> {
    let said = sources.slice(comment.span).trim_start_matches('#').trim().strip_prefix("luigi:")?.trim();
    let error = |code, message: String| Diagnostic::new(code, Severity::Error, comment.span, message);
    let Some(rest) = said.strip_prefix("accept ") else {
        let message = "this comment begins like one for Luigi and accepts nothing".to_owned();
        out.push(error(Code::UnknownLint, message).help("write `# luigi: accept CODE: reason`"));
        return None;
    };
    let (code, reason) = rest.split_once(':').unwrap_or((rest, ""));
    let (code, reason) = (code.trim(), reason.trim());
    let acceptable = match Code::find(code) {
        Some(Code::Haproxy(lint)) if lint.can_be_accepted() => Some(Code::Haproxy(lint)),
        Some(Code::Lint(Lint::StatsUri)) => Some(Code::Lint(Lint::StatsUri)),
        _ => None,
    };
    let Some(found) = acceptable else {
        let message = match HaproxyLint::find(code) {
            Some(_) => format!("{} cannot be accepted", quoted(code)),
            None => format!("{} is nothing that is found in HAProxy's configuration", quoted(code)),
        };
        let help = match Code::suggestion(code) {
            Some(close @ Code::Haproxy(_)) if close.as_str() != code => format!("did you mean `{}`?", close.as_str()),
            _ => "`luigi check --explain` lists all codes".to_owned(),
        };
        out.push(error(Code::UnknownLint, message).help(help));
        return None;
    };
    if !is_reason(reason) {
        let message = if reason.is_empty() {
            "there is no reason".to_owned()
        } else {
            format!("{} is no reason", quoted(reason))
        };
        let help = format!("say in a few words why what `{}` finds is all right here", found.as_str());
        out.push(error(Code::EmptyReason, message).help(help));
    }
    Some(Acceptance { comment, code: found, reason })
}

//! What changes for whom between two policies, in sentences: what the ledger keeps of an apply, and the parts of which the command makes its text.

use luigi_core::analysis::{Answer, Cause, Comparison, Difference, Kind, TargetWords};

/// The most sentences that are kept of one comparison.
const MOST: usize = 200;

/// Targets that one sentence names.
const MOST_TARGETS: usize = 6;

/// The word for a kind of difference.
#[must_use]
pub fn kind_word(kind: Kind) -> &'static str {
    match kind {
        Kind::Opens => "opens",
        Kind::Unprivileged => "no longer privileged",
        Kind::Closes => "closes",
        Kind::Privileged => "now privileged",
        Kind::Advice => "advice",
    }
}

/// Who, and what must hold.
#[must_use]
pub fn conditions(who: &str, circumstances: &[String]) -> String {
    std::iter::once(who).chain(circumstances.iter().map(String::as_str)).collect::<Vec<_>>().join(", ")
}

/// `deny (no-rule-allows): log in`.
#[must_use]
pub fn answer(answer: &Answer, because: &[Cause]) -> String {
    let causes: Vec<String> = because.iter().map(ToString::to_string).collect();
    let causes = if causes.is_empty() { String::new() } else { format!(" ({})", causes.join("; ")) };
    let advice = answer.advice.as_ref().map_or_else(String::new, |advice| format!(": {advice}"));
    format!("{}{causes}{advice}", answer.decision)
}

/// A comparison in sentences: what is decided otherwise first, then what else was said otherwise, last what was not looked at.
#[must_use]
pub fn sentences(comparison: &Comparison) -> Vec<String> {
    let mut all: Vec<String> = comparison.differences.iter().map(|one| sentence("", one)).collect();
    let observed = "if observed rules were enforced: ";
    all.extend(comparison.candidate_differences.iter().map(|one| sentence(observed, one)));
    let structure = &comparison.structure;
    let names = |names: &[String]| names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    if !structure.grants_end_for_scopes.is_empty() {
        let scopes = names(&structure.grants_end_for_scopes);
        all.push(format!("grants for {scopes} end: the scopes mean something else"));
    }
    if !structure.grants_end_under_approvals.is_empty() {
        let approvals = names(&structure.grants_end_under_approvals);
        all.push(format!("grants under {approvals} end: the approvals mean something else, or are gone"));
    }
    all.extend(comparison.terms.iter().map(ToString::to_string));
    for table in &structure.tables {
        let said = [("added", &table.added), ("removed", &table.removed), ("changed", &table.changed)];
        let said = said.iter().filter(|(_, list)| !list.is_empty());
        let said: Vec<String> = said.map(|(word, list)| format!("{word} {}", names(list))).collect();
        all.push(format!("{}: {}", table.table, said.join("; ")));
    }
    all.extend(comparison.gaps.iter().map(|gap| format!("not everything was looked at: {gap}")));
    if all.len() > MOST {
        let more = all.len() - MOST;
        all.truncate(MOST);
        all.push(format!("and {more} more"));
    }
    all
}

fn sentence(before: &str, difference: &Difference) -> String {
    let mut targets: Vec<String> = difference.targets.iter().take(MOST_TARGETS).map(TargetWords::to_string).collect();
    if difference.targets.len() > MOST_TARGETS {
        targets.push(format!("and {} other places", difference.targets.len() - MOST_TARGETS));
    }
    format!(
        "{before}{} for {}: {}: {} -> {}{}",
        kind_word(difference.kind),
        conditions(&difference.who, &difference.circumstances),
        targets.join(", "),
        answer(&difference.before, &difference.before_because),
        answer(&difference.after, &difference.after_because),
        if difference.privileged { " (privileged)" } else { "" },
    )
}

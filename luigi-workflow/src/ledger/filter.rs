//! Which entries somebody wants to see.

use super::entry::Entry;
use super::event::{DecisionWord, Event, Kind};
use super::fields::Fields;
use super::masking::mask;
use jiff::Timestamp;
use std::collections::BTreeSet;

/// Which entries somebody wants to see: those that meet all of what is given.
///
/// Names, hosts and paths may hold `*`, which stands for any characters, none included. Hosts are compared whatever their case.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Subjects, actors, approvers and whoever did something.
    pub who: Option<String>,
    /// The scope.
    pub scope: Option<String>,
    /// The determining rule.
    pub rule: Option<String>,
    /// The decision.
    pub decision: Option<DecisionWord>,
    /// Why.
    pub reason: Option<String>,
    /// The host.
    pub host: Option<String>,
    /// The path.
    pub path: Option<String>,
    /// The grant's id.
    pub grant: Option<String>,
    /// The approver: their answers, the access requests and grants that they are about, and each use of those.
    pub approver: Option<String>,
    /// The evaluation id.
    pub evaluation: Option<String>,
    /// Any of these kinds; all if empty.
    pub kinds: Vec<Kind>,
    /// Only decisions on targets in privileged scopes.
    pub privileged: bool,
    /// From this moment on.
    pub since: Option<Timestamp>,
    /// Before this moment.
    pub until: Option<Timestamp>,
    /// Whether what has a `*` in it is compared with what is shown under [masking](mask()), so that nobody finds out letter by letter what is hidden. Whoever asks for a whole
    /// name knows it already.
    pub masked: bool,
}

impl Filter {
    /// Whether an entry is one of those. `answered` are the ids of access requests that the approver answered, and of the grants that came of them.
    pub(crate) fn passes(&self, entry: &Entry, answered: &BTreeSet<String>) -> bool {
        let Self {
            who,
            scope,
            rule,
            decision,
            reason,
            host,
            path,
            grant,
            approver,
            evaluation,
            kinds,
            privileged,
            since,
            until,
            masked,
        } = self;
        let fields = Fields::of(&entry.event);
        let shown = masked.then(|| mask(entry.clone()));
        let shown = shown.as_ref().map_or_else(|| fields.clone(), |shown| Fields::of(&shown.event));
        let like = |pattern: &Option<String>, text: Option<&str>, shown: Option<&str>| {
            let seen = |pattern: &&str| if pattern.contains('*') { shown } else { text };
            pattern.as_deref().is_none_or(|pattern| seen(&pattern).is_some_and(|text| matches(pattern, text)))
        };
        let host = host.as_ref().map(|host| host.to_ascii_lowercase());
        let equal = |wanted: &Option<String>, text: Option<&str>| wanted.is_none() || wanted.as_deref() == text;
        (kinds.is_empty() || kinds.contains(&entry.kind()))
            && (who.is_none() || fields.who.into_iter().zip(shown.who).any(|(name, shown)| like(who, name, shown)))
            && like(scope, fields.scope, shown.scope)
            && like(rule, fields.rule, shown.rule)
            && (decision.is_none() || *decision == fields.decision)
            && equal(reason, fields.reason)
            && like(&host, fields.host, shown.host)
            && like(path, fields.path, shown.path)
            && equal(grant, fields.grant)
            && (like(approver, fields.approver, shown.approver)
                || [fields.request, fields.grant].into_iter().flatten().any(|id| answered.contains(id)))
            && equal(evaluation, fields.evaluation)
            && (!privileged || matches!(&entry.event, Event::Decision(decision) if decision.privileged))
            && since.is_none_or(|since| entry.time >= since)
            && until.is_none_or(|until| entry.time < until)
    }
}

/// Whether a text is what a pattern with `*` says.
pub(crate) fn matches(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(mut rest) = parts.next().and_then(|first| text.strip_prefix(first)) else { return false };
    let mut parts = parts.peekable();
    if parts.peek().is_none() {
        return rest.is_empty();
    }
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            return rest.ends_with(part);
        }
        match rest.split_once(part) {
            Some((_, after)) => rest = after,
            None => return false,
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn a_star_stands_for_anything() {
        for (pattern, text, expected) in [
            ("anna", "anna", true),
            ("anna", "annabel", false),
            ("ann*", "anna", true),
            ("*a", "anna", true),
            ("*", "", true),
            ("", "", true),
            ("", "a", false),
            ("/orders/*/refund", "/orders/7/refund", true),
            ("/orders/*/refund", "/orders/refund", false),
            ("a*b*c", "a-b-b-c", true),
            ("a*b*c", "a-c-b", false),
            ("ab*ba", "aba", false),
            ("**", "x", true),
        ] {
            assert_eq!(matches(pattern, text), expected, "{pattern} {text}");
        }
    }
}

//! "Did you mean": the name closest to one that is not there.

/// More candidates than this are not looked at: a suggestion is a courtesy and must not cost more than the check itself.
const MAX_CANDIDATES: usize = 2_000;

/// The candidate that `wrong` was probably meant to be.
pub(in crate::policy) fn suggestion<'c>(wrong: &str, candidates: impl IntoIterator<Item = &'c str>) -> Option<&'c str> {
    if wrong.len() > 64 {
        return None;
    }
    let folded = |text: &str| text.to_ascii_lowercase().replace('_', "-");
    let wrong = folded(wrong);
    // A third of the letters may be wrong, at least one.
    let tolerated = (wrong.len() / 3).max(1);
    let near = candidates.into_iter().filter(|name| name.len().abs_diff(wrong.len()) <= tolerated).take(MAX_CANDIDATES);
    let scored = near.map(|name| (strsim::osa_distance(&wrong, &folded(name)), name));
    scored.filter(|(distance, _)| *distance <= tolerated).min().map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn close_names_are_suggested_and_far_ones_are_not() {
        let names = ["billing", "billing-leads", "engineering", "on-call", "time-zone"];
        for (wrong, expected) in [
            ("biling", Some("billing")),
            ("Billing", Some("billing")),
            ("time_zone", Some("time-zone")),
            ("enginering", Some("engineering")),
            ("oncall", Some("on-call")),
            ("sales", None),
            ("", None),
        ] {
            assert_eq!(suggestion(wrong, names), expected, "{wrong}");
        }
        assert_eq!(suggestion(&"x".repeat(65), [&*"x".repeat(65)]), None);
    }
}

//! What two policies decide otherwise, and who may do what.

use luigi_core::analysis::{Bounds, Comparison, Difference, compare};
use luigi_core::policy::{SourceSet, parse};
use luigi_core::snapshot::Snapshot;
use luigi_core::time::Timestamp;

/// A Monday morning.
const NOW: Timestamp = Timestamp::from_unix_seconds(1_772_442_000);

fn snapshot(text: &str) -> Snapshot {
    let mut sources = SourceSet::new();
    sources.add("policy.toml", text);
    let parsed = parse(&sources);
    let Some(policy) = parsed.policy else { panic!("{:#?}", parsed.diagnostics) };
    Snapshot::compile(policy).unwrap()
}

fn differences(old: &str, new: &str) -> Comparison {
    let (old, new) = (snapshot(old), snapshot(new));
    let comparison = compare(&old, &new, NOW, Bounds::default());
    for difference in comparison
        .differences
        .iter()
        .filter(|one| one.before.decision != "privileged" && one.after.decision != "privileged")
    {
        let (before, after) = (difference.example.decide(&old), difference.example.decide(&new));
        let name = |allows: bool| if allows { "allow" } else { "deny" };
        assert_eq!(name(before.decision.allows()), difference.before.decision, "{difference:#?}");
        assert_eq!(name(after.decision.allows()), difference.after.decision, "{difference:#?}");
    }
    comparison
}

fn said(difference: &Difference) -> String {
    let targets: Vec<String> = difference.targets.iter().map(ToString::to_string).collect();
    let because =
        |causes: &[luigi_core::analysis::Cause]| causes.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
    let advice = |answer: &luigi_core::analysis::Answer| {
        answer.advice.as_ref().map_or(String::new(), |advice| format!(" -> {advice}"))
    };
    format!(
        "{}{}; {}: {} ({}){} => {} ({}){}",
        difference.who,
        difference.circumstances.iter().map(|one| format!(", {one}")).collect::<String>(),
        targets.join(" | "),
        difference.before.decision,
        because(&difference.before_because),
        advice(&difference.before),
        difference.after.decision,
        because(&difference.after_because),
        advice(&difference.after),
    )
}

const ORDERS: &str = r#"
schema = 1
[issuers.okta]
url = "https://okta.example"
audiences = ["x"]
[groups]
engineering = "eng"
support = "sup"
[networks]
office = ["203.0.113.0/24"]
[scopes.orders]
hosts = ["orders.example.com"]
paths = ["/v1/orders/{id}", "/v1/orders"]
methods = "read"
[[rules]]
id = "support-reads-orders"
effect = "allow"
scopes = ["orders"]
subject = { groups = ["support"] }
"#;

#[test]
fn a_new_allow_rule_opens_for_its_groups() {
    let new = format!(
        "{ORDERS}[[rules]]\nid = \"engineers\"\neffect = \"allow\"\nscopes = [\"orders\"]\nsubject = {{ groups = [\"engineering\"] }}\nfrom = [\"office\"]\n"
    );
    let comparison = differences(ORDERS, &new);
    let all: Vec<String> = comparison.differences.iter().map(said).collect();
    assert_eq!(
        all,
        ["members of `engineering`, from `office`; GET, HEAD orders.example.com/v1/orders | GET, HEAD \
          orders.example.com/v1/orders/{id}: deny (allow-rule-unknown, rule `support-reads-orders`; no-rule-allows) => allow \
          (rule `engineers`)"]
    );
    assert!(comparison.is_complete(), "{:#?}", comparison.gaps);
    let request = &comparison.differences[0].example;
    assert_eq!(
        request.options(),
        "-r 'GET https://orders.example.com/v1/orders' --as '{\"groups\":[\"engineering\"]}' --from 203.0.113.1 --at 2026-03-02T09:00:00Z"
    );
}

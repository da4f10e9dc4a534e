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

/// The policy with one piece of text in the place of another.
fn with(old: &str, piece: &str, other: &str) -> String {
    assert!(old.contains(piece), "{piece}");
    old.replace(piece, other)
}

#[test]
fn policies_that_mean_the_same_differ_in_nothing() {
    // One rule for two groups, and a rule for each.
    let one = with(ORDERS, "groups = [\"support\"]", "groups = [\"support\", \"engineering\"]");
    let two = format!(
        "{ORDERS}[[rules]]\nid = \"engineers\"\neffect = \"allow\"\nscopes = [\"orders\"]\nsubject = {{ groups = [\"engineering\"] }}\n"
    );
    for (old, new) in [(&one, &two), (&two, &one)] {
        let comparison = differences(old, new);
        assert!(!comparison.differs() && comparison.is_complete(), "{comparison:#?}");
        assert!(comparison.effort.requests > 0, "they are not the same text");
    }
    // Another name for a group; another name and another order of paths for a scope.
    let renamed =
        ORDERS.replace("support = ", "helpers = ").replace("groups = [\"support\"]", "groups = [\"helpers\"]");
    let moved = with(ORDERS, "[\"/v1/orders/{id}\", \"/v1/orders\"]", "[\"/v1/orders\", \"/v1/orders/{number}\"]");
    for new in [&renamed, &moved] {
        let comparison = differences(ORDERS, new);
        assert!(!comparison.differs() && comparison.is_complete(), "{comparison:#?}");
        assert!(!comparison.structure.is_empty());
    }
}

#[test]
fn what_observed_rules_would_change_stands_apart() {
    let deny = "[[rules]]\nid = \"shut\"\neffect = \"deny\"\nscopes = [\"orders\"]\n";
    let watched = format!("{ORDERS}{deny}mode = \"observe\"\n");
    let comparison = differences(ORDERS, &watched);
    assert!(comparison.differences.is_empty());
    let said: Vec<String> = comparison.candidate_differences.iter().map(said).collect();
    assert_eq!(said.len(), 2, "{said:#?}");
    assert!(said[0].starts_with("members of `support`; GET, HEAD"), "{said:#?}");
    // Enforced it does the same to decisions, and the candidate is no news.
    let comparison = differences(ORDERS, &format!("{ORDERS}{deny}"));
    assert_eq!(comparison.differences.len(), 2);
    assert!(comparison.candidate_differences.is_empty());
}

#[test]
fn what_opens_comes_first_and_privilege_is_a_difference() {
    let opened = with(ORDERS, "methods = \"read\"", "methods = [\"GET\", \"DELETE\"]\nprivileged = true");
    let comparison = differences(ORDERS, &opened);
    let kinds: Vec<String> = comparison
        .differences
        .iter()
        .map(|one| format!("{:?} {}", one.kind, one.targets[0].methods.join(" ")))
        .collect();
    let expected = [
        "Opens DELETE",
        "Closes GET",
        "Closes HEAD",
        "Privileged GET DELETE",
        "Advice DELETE",
        "Advice GET",
        "Advice HEAD",
    ];
    assert_eq!(kinds, expected);
    // Privileged scopes refuse upgrades.
    assert_eq!(comparison.differences[1].circumstances, ["asking for an upgrade of the connection"]);
}

#[test]
fn preflights_are_compared() {
    let lets_pass = with(ORDERS, "methods = \"read\"", "methods = \"read\"\npreflight = true");
    let comparison = differences(ORDERS, &lets_pass);
    let all: Vec<String> = comparison.differences.iter().map(said).collect();
    assert_eq!(
        all,
        ["anyone, as a preflight for `GET` or `HEAD`; OPTIONS orders.example.com/v1/orders | OPTIONS \
          orders.example.com/v1/orders/{id}: deny (no-rule-allows) => allow (preflight)"]
    );
    assert!(comparison.is_complete(), "{:#?}", comparison.gaps);
    // What is asked for, not OPTIONS, decides: a deny rule about OPTIONS keeps preflights out, one about GET does not.
    let wider = with(&lets_pass, "methods = \"read\"", "methods = [\"GET\", \"HEAD\", \"OPTIONS\"]");
    let deny = |method: &str| {
        format!("{wider}[[rules]]\nid = \"shut\"\neffect = \"deny\"\nscopes = [\"orders\"]\nmethods = [\"{method}\"]\n")
    };
    let closes = |new: &str| {
        let comparison = differences(&wider, new);
        assert!(comparison.is_complete(), "{:#?}", comparison.gaps);
        comparison.differences.iter().map(said).any(|said| said.contains("allow (preflight) => deny"))
    };
    assert!(closes(&deny("OPTIONS")) && !closes(&deny("GET")));
    // Rules may look at the headers that make a preflight.
    let from_there = "[[rules]]\nid = \"strangers\"\neffect = \"deny\"\nscopes = [\"orders\"]\nunless = { headers = { Origin = [\"https://a.example\"] } }\n\
                      accept = { spoofable = \"browsers do not lie about it\" }\n";
    let comparison = differences(&wider, &format!("{wider}{from_there}"));
    assert!(comparison.is_complete(), "{:#?}", comparison.gaps);
    let closed: Vec<String> =
        comparison.differences.iter().map(said).filter(|said| said.contains("(preflight)")).collect();
    assert_eq!(
        closed,
        [
            "anyone, as a preflight for `GET`, `HEAD` or `OPTIONS` and without `https://a.example` in header `origin`; OPTIONS \
          orders.example.com/v1/orders | OPTIONS orders.example.com/v1/orders/{id}: allow (preflight) => deny (denied-by-rule, rule `strangers`)"
        ]
    );
}

#[test]
fn a_period_and_a_schedule_are_told_by_their_times() {
    let new = with(
        ORDERS,
        "subject = { groups = [\"support\"] }",
        "subject = { groups = [\"support\"] }\nends = 2026-06-01T00:00:00Z",
    );
    let comparison = differences(ORDERS, &new);
    let first = said(&comparison.differences[0]);
    assert!(first.starts_with("members of `support`, from 2026-06-01T00:00:00Z on; GET, HEAD"), "{first}");
    assert!(comparison.is_complete(), "{:#?}", comparison.gaps);
}

#[test]
fn bounds_that_are_hit_are_told() {
    let new = with(ORDERS, "groups = [\"support\"]", "groups = [\"engineering\"]");
    let (old, new) = (snapshot(ORDERS), snapshot(&new));
    for bounds in
        [Bounds { requests: 3, ..Bounds::default() }, Bounds { requests_per_situation: 3, ..Bounds::default() }]
    {
        let comparison = compare(&old, &new, NOW, bounds);
        assert!(!comparison.is_complete(), "{bounds:?}");
        assert!(comparison.effort.requests <= 3);
    }
}

#[test]
fn grants_that_end_are_told() {
    let approved = format!(
        "{}[approvals.lead]\napprovers = {{ groups = [\"engineering\"] }}\nduration = \"30m\"\njustification = \"required\"\n",
        with(
            ORDERS,
            "subject = { groups = [\"support\"] }",
            "subject = { groups = [\"support\"] }\nrequire = { approval = [\"lead\"] }"
        )
    );
    let narrower = with(&approved, ", \"/v1/orders\"]", "]");
    let comparison = differences(&approved, &narrower);
    assert_eq!(comparison.structure.grants_end_for_scopes, ["orders"]);
    let longer = with(&approved, "30m", "31m");
    let comparison = differences(&approved, &longer);
    assert_eq!(comparison.structure.grants_end_under_approvals, ["lead"]);
    assert!(!comparison.differs(), "with a grant for what each policy means nothing is decided otherwise");
    assert!(comparison.is_complete() && !comparison.leaves_all_as_it_is(), "but who had one has it no more");
}

const TERMS: &str = r#"
schema = 1
[issuers.okta]
url = "https://okta.example"
audiences = ["x"]
[groups]
leads = "l"
support = "sup"
[networks]
edge = ["10.0.0.0/8"]
[proxies.front]
networks = ["edge"]
source = "X-Real-IP"
[hosts."orders.example.com"]
paths = "ignore-case"
[scopes.orders]
hosts = ["orders.example.com"]
paths = ["/v1/orders/{id}"]
methods = "read"
upgrade = "1h"
[approvals.lead]
requesters = { groups = ["support"] }
approvers = { groups = ["leads"] }
quorum = 2
duration = "30m"
max-duration = "1h"
justification = "required"
notify = ["slack:#a"]
[[rules]]
id = "support-reads-orders"
effect = "allow"
scopes = ["orders"]
subject = { groups = ["support"] }
require = { approval = ["lead"] }
"#;

/// What is said otherwise where decisions do not show it: everything that a policy has and the walk cannot see.
#[test]
fn terms_on_which_access_is_obtained_are_told() {
    let terms = |piece: &str, other: &str| {
        let comparison = differences(TERMS, &with(TERMS, piece, other));
        assert!(!comparison.leaves_all_as_it_is(), "{other}");
        comparison.terms.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    let issuer = |line: &str| format!("audiences = [\"x\"]\n{line}");
    for (piece, other, said) in [
        (
            "requesters = { groups = [\"support\"] }",
            "requesters = \"authenticated\"",
            "approval `lead`, who may ask: members of `support` -> everybody with a verified identity",
        ),
        (
            "approvers = { groups = [\"leads\"] }",
            "approvers = { groups = [\"leads\"], emails = [\"a@b.example\"] }",
            "approval `lead`, who may approve: members of `leads` -> members of `leads`, with e-mail `a@b.example`",
        ),
        (
            "leads = \"l\"",
            "leads = \"everybody\"",
            "approval `lead`, who may approve: members of `leads` -> members of `leads`, which means others now",
        ),
        ("quorum = 2", "quorum = 1", "approval `lead`, how many must approve: 2 -> 1"),
        ("duration = \"30m\"", "duration = \"45m\"", "approval `lead`, how long a grant lasts: 30m -> 45m"),
        ("max-duration = \"1h\"", "max-duration = \"2h\"", "approval `lead`, how long a grant may last: 1h -> 2h"),
        (
            "justification = \"required\"",
            "justification = \"optional\"",
            "approval `lead`, justification: required -> optional",
        ),
        (
            "quorum = 2",
            "quorum = 2\nper = [\"id\"]",
            "approval `lead`, one grant for each: request of the scope -> `id`",
        ),
        (
            "notify = [\"slack:#a\"]",
            "notify = [\"slack:#b\"]",
            "approval `lead`, who is told: `slack:#a` -> `slack:#b`",
        ),
        (
            "url = \"https://okta.example\"",
            "url = \"https://other.example\"",
            "issuer `okta`, URL: `https://okta.example` -> `https://other.example`",
        ),
        ("audiences = [\"x\"]", "audiences = [\"x\", \"y\"]", "issuer `okta`, audiences: `x` -> `x` and `y`"),
        (
            "audiences = [\"x\"]",
            &issuer("algorithms = [\"ES256\"]"),
            "issuer `okta`, algorithms: `RS256`, `PS256`, `ES256`, `ES384` and `EdDSA` -> `ES256`",
        ),
        (
            "audiences = [\"x\"]",
            &issuer("claims = { groups = [\"roles\"] }"),
            "issuer `okta`, claim of the groups: `groups` -> `roles`",
        ),
        (
            "audiences = [\"x\"]",
            &issuer("claims = { subject = [\"oid\"] }"),
            "issuer `okta`, claim of the subject: `sub` -> `oid`",
        ),
        (
            "upgrade = \"1h\"",
            "upgrade = \"refuse\"",
            "scope `orders`, upgrades of connections: closed when silent for 1h -> refused",
        ),
        (
            "source = \"X-Real-IP\"",
            "source = \"X-Client\"",
            "proxy `front`, header with the source: `x-real-ip` -> `x-client`",
        ),
        (
            "edge = [\"10.0.0.0/8\"]",
            "edge = [\"0.0.0.0/0\"]",
            "proxy `front`, where it is: `edge` -> `edge`, which means others now",
        ),
        (
            "paths = \"ignore-case\"",
            "trailing-slash = \"distinct\"",
            "host `orders.example.com`, case of paths: ignored -> matters",
        ),
    ] {
        let found = terms(piece, other);
        assert!(found.iter().any(|one| one == said), "{other}: {found:#?}");
    }
    assert_eq!(differences(TERMS, TERMS).terms, []);
    let unused = with(ORDERS, "[groups]", "[groups]\nunused = \"u\"");
    assert!(differences(ORDERS, &unused).leaves_all_as_it_is());
}

/// The policy with regular expressions in the place of paths.
fn by_expression(expressions: &str) -> String {
    with(ORDERS, "paths = [\"/v1/orders/{id}\", \"/v1/orders\"]", &format!("path-regex = [{expressions}]"))
}

#[test]
fn what_regular_expressions_tell_apart_is_walked() {
    let old = by_expression("'/v[0-9]+/orders'");
    for (new, expected) in [
        ("'/v[0-9]+/orders', '/v[0-9]{2}/carts'", &["GET, HEAD orders.example.com/v00/carts"][..]),
        ("'/v[0-9]/orders'", &["GET, HEAD orders.example.com/v00/orders"]),
        ("'/V[0-9]+/orders'", &["GET, HEAD orders.example.com/V0/orders", "GET, HEAD orders.example.com/v0/orders"]),
        ("'/v[0-9]+/order(?:s)'", &[]),
        ("'/v[0-9][0-9]*/orders'", &[]),
        ("'/v[1-9][0-9]*/orders', '/v0[0-9]*/orders'", &[]),
        // What no canonical path can be makes no difference.
        ("'/v[0-9]+/?/orders'", &[]),
    ] {
        let comparison = differences(&old, &by_expression(new));
        assert!(comparison.is_complete(), "{new}: {:#?}", comparison.gaps);
        let found: std::collections::BTreeSet<String> =
            comparison.differences.iter().map(|one| one.example.request()).collect();
        let expected = expected.iter().map(|one| one.replace("GET, HEAD ", "GET https://")).collect();
        assert_eq!(found, expected, "{new}: {:#?}", comparison.differences);
    }
}

#[test]
fn words_say_which_expressions_fit() {
    let rule = "[[rules]]\nid = \"engineers\"\neffect = \"allow\"\nscopes = [\"carts\"]\nsubject = { groups = [\"engineering\"] }\n";
    let scope = |paths: &str| {
        format!("{ORDERS}[scopes.carts]\nhosts = [\"orders.example.com\"]\n{paths}\nmethods = \"read\"\n{rule}")
    };
    // A template and an expression that cuts it.
    let (old, new) = (scope("paths = [\"/carts/{id}\"]"), scope("path-regex = ['/carts/[0-9]+']"));
    let first = |old: &str, new: &str| {
        let comparison = differences(old, new);
        assert!(comparison.is_complete(), "{:#?}", comparison.gaps);
        let targets: Vec<_> = comparison.differences.iter().map(|one| one.targets.clone()).collect();
        assert!(targets.windows(2).all(|two| two[0] == two[1]), "{targets:#?}");
        said(&comparison.differences[0])
    };
    assert_eq!(
        first(&old, &new),
        "members of `engineering`; GET, HEAD orders.example.com/carts/{id} that `/carts/[0-9]+` does not fit: \
         allow (rule `engineers`) => deny (no-rule-allows)"
    );
    // No template holds it.
    assert_eq!(
        first(&with(&new, "['/carts/[0-9]+']", "['/carts/[0-9]']"), &new),
        "members of `engineering`; GET, HEAD any other path on orders.example.com that `/carts/[0-9]+` fits and `/carts/[0-9]` \
         does not: deny (no-rule-allows) => allow (rule `engineers`)"
    );
}

#[test]
fn expressions_that_are_too_many_to_walk_are_a_gap() {
    // Each is somewhere else after each byte: together they have more states than anybody can look at.
    let many: Vec<String> = (3..40).map(|n| format!("'/.*a.{{{n}}}'")).collect();
    let scopes = |many: &[String]| {
        let scope = |(n, expression): (usize, &String)| {
            format!(
                "[scopes.s{n}]\nhosts = [\"orders.example.com\"]\npath-regex = [{expression}]\nmethods = \"read\"\n\
                 [[rules]]\nid = \"r{n}\"\neffect = \"allow\"\nscopes = [\"s{n}\"]\nsubject = {{ groups = [\"support\"] }}\n"
            )
        };
        format!("{ORDERS}{}", many.iter().enumerate().map(scope).collect::<String>())
    };
    let few = &many[..8];
    let comparison = differences(&scopes(few), &scopes(&few[1..]).replace("'/.*a.{4}'", "'/.*b.{4}'"));
    assert!(!comparison.is_complete() && comparison.gaps.iter().any(|gap| gap.contains("one path each")));
}

#[test]
fn values_that_rules_name_are_told_apart_beside_expressions() {
    let policy = |expression: &str, value: &str| {
        format!(
            "{ORDERS}[scopes.tenants]\nhosts = [\"orders.example.com\"]\npaths = [\"/t/{{tenant}}\"]\nmethods = \"read\"\n\
             [scopes.numbers]\nhosts = [\"orders.example.com\"]\npath-regex = ['{expression}']\nmethods = \"read\"\n\
             [[rules]]\nid = \"acme\"\neffect = \"allow\"\nscopes = [\"tenants\"]\nsubject = {{ groups = [\"engineering\"] }}\n\
             where = {{ tenant = {{ in = [\"{value}\"] }} }}\n\
             [[rules]]\nid = \"numbers\"\neffect = \"deny\"\nscopes = [\"numbers\"]\nsubject = {{ groups = [\"engineering\"] }}\n"
        )
    };
    // The expression holds none of the values, and now one of them.
    let comparison = differences(&policy("/t/[a-z]+", "7"), &policy("/t/[a-z0-9]+", "7"));
    assert!(comparison.is_complete(), "{:#?}", comparison.gaps);
    let all: Vec<_> = comparison.differences.iter().map(|one| one.example.request()).collect();
    assert_eq!(all, ["GET https://orders.example.com/t/7"]);
}

#[test]
fn words_of_a_claim_and_accepted_values_overlap() {
    let policy = |accepts: &str| {
        with(ORDERS, "subject = { groups = [\"support\"] }", &format!("subject = {{ claims = [{accepts}] }}"))
    };
    let word = policy("{ path = [\"scope\"], words = [\"orders\"] }");
    let whole = policy("{ path = [\"scope\"], in = [\"orders\"] }");
    let comparison = differences(&word, &whole);
    assert!(comparison.is_complete(), "{:#?}", comparison.gaps);
    let said = |one: &Difference| {
        format!("{:?} {} {}", one.kind, one.who, if one.some_already { "(some already)" } else { "" })
    };
    let all: Vec<String> = comparison.differences.iter().map(said).collect();
    assert_eq!(
        all,
        [
            "Opens people with claim `scope` with \"orders\" (some already)",
            "Closes people with word `orders` in claim `scope` and without claim `scope` with \"orders\" (some already)",
        ]
    );
}

/// Differences as kind, who and on what, all of a complete comparison.
fn short(old: &str, new: &str) -> Vec<String> {
    let comparison = differences(old, new);
    assert!(comparison.is_complete(), "{:#?}", comparison.gaps);
    let said = |one: &Difference| {
        let targets: Vec<String> = one.targets.iter().map(ToString::to_string).collect();
        let circumstances: String = one.circumstances.iter().map(|one| format!(", {one}")).collect();
        format!("{:?} {}{circumstances}: {}", one.kind, one.who, targets.join(" | "))
    };
    comparison.differences.iter().map(said).collect()
}

#[test]
fn upgrades_that_only_one_policy_refuses_are_walked() {
    let new = with(ORDERS, "methods = \"read\"\n", "methods = \"read\"\nupgrade = \"refuse\"\n");
    let both = "GET, HEAD orders.example.com/v1/orders | GET, HEAD orders.example.com/v1/orders/{id}";
    let closes = |who: &str| format!("{who}, asking for an upgrade of the connection: {both}");
    assert_eq!(short(ORDERS, &new)[0], closes("Closes members of `support`"));
    assert_eq!(short(&new, ORDERS)[0], closes("Opens members of `support`"));
    let example = differences(ORDERS, &new).differences[0].example.options();
    assert!(example.contains("--header 'upgrade: websocket'"), "{example}");
    // For how long one lasts is no decision.
    let hours = |text: &str| with(&new, "\"refuse\"", text);
    assert_eq!(short(&hours("\"8h\""), &hours("\"4h\"")), [""; 0]);
}

#[test]
fn hosts_that_read_paths_otherwise_are_walked() {
    let with_host = |said: &str| format!("{ORDERS}[hosts.\"orders.example.com\"]\n{said}\n");
    let ignores_case = with_host("paths = \"ignore-case\"");
    let found = short(ORDERS, &ignores_case);
    let said = "GET, HEAD orders.example.com/v1/orders in another case | GET, HEAD orders.example.com/v1/orders/{id} in another case";
    assert_eq!(found[0], format!("Opens members of `support`: {said}"));
    let slash = with_host("trailing-slash = \"distinct\"");
    let found = short(ORDERS, &slash);
    let said = "Closes members of `support`: GET, HEAD orders.example.com/v1/orders/ | GET, HEAD orders.example.com/v1/orders/{id}/";
    assert_eq!(found[0], said);
    let found = short(ORDERS, &with_host("method-override = \"refuse\""));
    assert!(found[0].starts_with("Closes members of `support`, asking for another method: "), "{found:#?}");
    // One host of those that a pattern holds.
    let wide = with(ORDERS, "[\"orders.example.com\"]", "[\"**.example.com\"]");
    let found = short(&wide, &with(&ignores_case, "[\"orders.example.com\"]", "[\"**.example.com\"]"));
    assert!(found[0].contains(" orders.example.com/v1/") && !found[0].contains("*.example.com"), "{found:#?}");
    // What one decides in two readings the other refuses: said, and not walked.
    let comparison = differences(ORDERS, &with_host("accept-ambiguous = [\"encoded-slash\"]"));
    assert_eq!(
        comparison.gaps,
        ["ambiguous targets on orders.example.com, of which the policies do not decide the same"]
    );
}

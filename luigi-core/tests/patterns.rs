//! Where scopes meet: what is found lies there, and what is said to be empty is, as random requests show.

use luigi_core::analysis::patterns::{Search, Space, Witness};
use luigi_core::decide::{FactValue, Reason, Request, RequestFacts, Source};
use luigi_core::explain;
use luigi_core::generators::{Choices, Scenario, policy};
use luigi_core::grant_set::GrantSet;
use luigi_core::identity::Credential;
use luigi_core::kleene::Kleene;
use luigi_core::method::MethodSet;
use luigi_core::policy::model::{Fact, Policy, Scope, Table, TableId};
use luigi_core::policy::{SourceSet, parse};
use luigi_core::target::{CanonicalTarget, Host, RawTarget, Target, TargetBuffer, canonicalize};
use luigi_core::time::Timestamp;
use proptest::prelude::*;

/// The places of the scopes that hold the request, as decisions see it.
fn holding(policy: &Policy, request: &Request<'_>) -> Vec<usize> {
    let explanation = explain::evaluate(policy, request);
    let place = |name: &str| policy.scopes.iter().find(|(_, scope)| scope.name == *name).unwrap().0.index();
    explanation.held_scopes().map(place).collect()
}

fn holding_witness(policy: &Policy, witness: &Witness) -> Vec<usize> {
    let host = match witness.host.as_deref() {
        None => Host::Absent,
        Some(host) if host.parse::<std::net::IpAddr>().is_ok() => Host::Address(host),
        Some(host) => Host::Name(host),
    };
    // One that does not say lies there whatever the frontend is.
    let frontend = FactValue::One(witness.frontend.as_deref().unwrap_or("anywhere").as_bytes());
    let values: Vec<FactValue<'_>> = policy
        .facts
        .iter()
        .map(|(_, fact)| match fact {
            Fact::Frontend => frontend,
            _ => FactValue::NotPassed,
        })
        .collect();
    let request = Request {
        method: witness.method.as_bytes(),
        target: Target::Canonical(CanonicalTarget { host, path: &witness.path, query: None }),
        upgrade: Kleene::False,
        source: Source::Unknown,
        credential: Credential::Absent,
        time: Timestamp::from_unix_seconds(0),
        grants: &GrantSet::default(),
        stops: luigi_core::stop_set::StopSet::NONE,
        facts: RequestFacts { values: &values, ..RequestFacts::NONE },
    };
    holding(policy, &request)
}

/// Whether the witness is what a request would have to be.
fn is_canonical(witness: &Witness) -> bool {
    let host = witness.host.as_ref().map(|host| if host.contains(':') { format!("[{host}]") } else { host.clone() });
    let host = host.as_ref().map(String::as_bytes);
    let mut buffer = TargetBuffer::new();
    let raw = RawTarget { method: b"GET", target: witness.path.as_bytes(), host };
    matches!(canonicalize(raw, &mut buffer), Target::Canonical(canonical) if canonical.path == witness.path)
}

#[derive(Debug, Default)]
struct Seen {
    found: usize,
    empty: usize,
    nested: usize,
    at_a_frontend: usize,
    unknown: usize,
    found_by_expression: usize,
    empty_by_expression: usize,
    unknown_by_expression: usize,
}

fn compare(bytes: &[u8], seen: &mut Seen) {
    let mut choices = Choices::new(bytes);
    let mut policy = policy(&mut choices);
    // Mostly without what is not looked into, and half of them without expressions, which take longer.
    if !bytes[0].is_multiple_of(4) {
        policy.hosts = Table::default();
    }
    if bytes[0] % 4 > 1 {
        let scopes = policy.scopes.iter().map(|(_, scope)| Scope { path_regex: None, ..scope.clone() });
        policy.scopes = scopes.collect();
    }
    let space = Space::new(&[&policy]);
    let regions = space.regions(&policy);
    let all: Vec<usize> = (0..regions.len()).collect();
    let odd_hosts = policy.hosts.iter().any(|(_, row)| row.ignores_case || row.slash_matters);
    let expressions: Vec<bool> = policy.scopes.iter().map(|(_, scope)| scope.path_regex.is_some()).collect();
    let nested = |scope: usize| {
        let except = &policy.scopes.iter().nth(scope).unwrap().1.except;
        except.iter().any(|id| !policy.scopes[*id].except.is_empty())
    };
    let find = |within: &[usize], outside: &[usize]| {
        let regions = |ids: &[usize]| ids.iter().map(|id| &regions[*id]).collect::<Vec<_>>();
        space.find(&regions(within), &regions(outside), MethodSet::ALL)
    };
    for a in &all {
        for b in &all {
            for (within, outside) in [(vec![*a, *b], vec![]), (vec![*a], vec![*b]), (vec![], vec![*a, *b])] {
                match find(&within, &outside) {
                    Search::Found(witness) => {
                        let held = holding_witness(&policy, &witness);
                        let fits =
                            within.iter().all(|id| held.contains(id)) && !outside.iter().any(|id| held.contains(id));
                        assert!(
                            fits,
                            "{witness} lies in {held:?}, not within {within:?} outside {outside:?}\n{policy:#?}"
                        );
                        seen.found += 1;
                        seen.nested += usize::from(nested(*a));
                        seen.found_by_expression += usize::from(within.iter().any(|id| expressions[*id]));
                        seen.at_a_frontend += usize::from(witness.frontend.is_some());
                    }
                    Search::Empty => {
                        seen.empty += 1;
                        seen.empty_by_expression += usize::from(within.iter().any(|id| expressions[*id]));
                    }
                    Search::TooHard => {
                        // The generator has a literal that only ambiguous targets have.
                        assert!(odd_hosts || expressions.contains(&true), "small policies are not hard\n{policy:#?}");
                        seen.unknown += 1;
                        seen.unknown_by_expression += usize::from(!odd_hosts);
                    }
                }
            }
        }
    }
    for _ in 0..24 {
        let scenario = Scenario::draw(&policy, &mut choices);
        let request = scenario.request();
        let Target::Canonical(target) = request.target else { continue };
        if !target.path.starts_with('/') || request.method == b"CONNECT" {
            continue;
        }
        if explain::evaluate(&policy, &request).evaluation.decision.reason == Reason::FrontendUnknown {
            continue;
        }
        let held = holding(&policy, &request);
        let others: Vec<usize> = all.iter().copied().filter(|id| !held.contains(id)).collect();
        // The whole signature at once, and each part of it.
        assert!(find(&held, &others).is_possible(), "{target:?} lies in {held:?} alone\n{policy:#?}");
        for a in &held {
            for b in &all {
                let search = if held.contains(b) { find(&[*a, *b], &[]) } else { find(&[*a], &[*b]) };
                assert!(search.is_possible(), "{target:?} lies in {held:?}; {a} and {b}\n{policy:#?}");
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, max_shrink_iters: 5_000, ..ProptestConfig::default() })]

    #[test]
    fn witnesses_lie_where_they_were_looked_for_and_nothing_lies_where_there_is_none(
        bytes in prop::collection::vec(any::<u8>(), 200..900),
    ) {
        compare(&bytes, &mut Seen::default());
    }
}

#[test]
fn what_is_compared_is_not_trivial() {
    let mut seen = Seen::default();
    for seed in 0_u64..300 {
        let mut state = seed;
        let bytes: Vec<u8> = (0..900)
            .map(|_| {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                state.to_be_bytes()[2]
            })
            .collect();
        compare(&bytes, &mut seen);
    }
    assert!(seen.found > 1_000 && seen.empty > 500 && seen.nested > 20 && seen.unknown > 20, "{seen:?}");
    assert!(seen.found_by_expression > 100 && seen.empty_by_expression > 20, "{seen:?}");
    assert!(seen.at_a_frontend > 200, "{seen:?}");
    assert!(seen.unknown_by_expression * 20 < seen.found_by_expression, "{seen:?}");
}

fn policy_of(scopes: &str) -> Policy {
    let mut sources = SourceSet::new();
    sources.add("policy.toml", format!("schema = 1\n{scopes}"));
    parse(&sources).policy.unwrap()
}

#[test]
fn witnesses_are_requests_that_people_understand() {
    let policy = policy_of(
        "[scopes.a]\nhosts = [\"*.example.com\"]\npaths = [\"/t/{tenant}/**\"]\nmethods = \"any\"\nexcept = [\"c\"]\n\
         [scopes.b]\nhosts = [\"app.example.com\"]\npaths = [\"/t/{tenant}/settings\", \"/t/tenant-1\"]\nmethods = \"write\"\n\
         [scopes.c]\nhosts = [\"**.example.com\"]\npaths = [\"/**\"]\nmethods = \"any\"\nexcept = [\"d\"]\n\
         [scopes.d]\nhosts = [\"app.example.com\"]\npaths = [\"/t/{x}/{y}\"]\nmethods = [\"PATCH\"]\n\
         [scopes.e]\nhosts = \"any\"\npaths = [\"/\"]\nmethods = \"read\"\n\
         [scopes.f]\nhosts = [\"**.example\"]\npaths = [\"/**\"]\nmethods = \"any\"\n\
         [scopes.g]\nhosts = [\"2001:db8::1\"]\npaths = [\"/\"]\nmethods = [\"DELETE\"]\n",
    );
    let space = Space::new(&[&policy]);
    let regions = space.regions(&policy);
    let region = |name: &str| &regions[policy.scopes.iter().find(|(_, scope)| scope.name == name).unwrap().0.index()];
    let show = |within: &[&str], outside: &[&str]| {
        let regions = |names: &[&str]| names.iter().map(|name| region(name)).collect::<Vec<_>>();
        let found = space.find(&regions(within), &regions(outside), MethodSet::ANY).witness();
        assert!(found.as_ref().is_none_or(is_canonical), "{found:?}");
        found.map_or("none".to_owned(), |witness| witness.to_string())
    };
    // `a` leaves out `c`, but for what `c` leaves out.
    assert_eq!(show(&["a"], &[]), "PATCH https://app.example.com/t/x-1/y-1");
    assert_eq!(show(&["a", "b"], &[]), "PATCH https://app.example.com/t/tenant-2/settings");
    assert_eq!(show(&["a"], &["b"]), "PATCH https://app.example.com/t/x-1/y-1");
    assert_eq!(show(&["a"], &["d"]), "none");
    assert_eq!(show(&["b"], &["d"]), "POST https://app.example.com/t/tenant-1");
    assert_eq!(show(&["e"], &[]), "GET https://any-1.example/");
    assert_eq!(show(&["e"], &["f"]), "GET /");
    assert_eq!(show(&["g"], &[]), "DELETE https://[2001:db8::1]/");
    assert_eq!(show(&["g", "f"], &[]), "none");
    assert_eq!(show(&[], &["f", "e"]), "POST /");
}

#[test]
fn scopes_at_different_frontends_do_not_meet() {
    let policy = policy_of(
        "[scopes.a]\nhosts = [\"a.example\"]\npaths = [\"/**\"]\nmethods = [\"GET\"]\nfrontends = [\"www\", \"both\"]\n\
         [scopes.b]\nhosts = [\"a.example\"]\npaths = [\"/b\"]\nmethods = [\"GET\"]\nfrontends = [\"admin\", \"both\"]\n\
         [scopes.c]\nhosts = [\"a.example\"]\npaths = [\"/**\"]\nmethods = [\"GET\"]\nexcept = [\"a\"]\n\
         [scopes.d]\nhosts = [\"a.example\"]\npaths = [\"/**\"]\nmethods = [\"GET\"]\nfrontends = [\"www\"]\n\
         [scopes.e]\nhosts = [\"a.example\"]\npaths = [\"/**\"]\nmethods = [\"GET\"]\n",
    );
    let space = Space::new(&[&policy]);
    let regions = space.regions(&policy);
    let region = |name: &str| &regions[policy.scopes.iter().find(|(_, scope)| scope.name == name).unwrap().0.index()];
    let show = |within: &[&str], outside: &[&str]| {
        let regions = |names: &[&str]| names.iter().map(|name| region(name)).collect::<Vec<_>>();
        match space.find(&regions(within), &regions(outside), MethodSet::ANY) {
            Search::Found(witness) => witness.to_string(),
            other => format!("{other:?}"),
        }
    };
    assert_eq!(show(&["a", "b"], &[]), "GET https://a.example/b at frontend both");
    assert_eq!(show(&["b", "d"], &[]), "Empty");
    assert_eq!(show(&["a"], &["d"]), "GET https://a.example/ at frontend both");
    assert_eq!(show(&["d"], &["a"]), "Empty");
    // What is left out at some frontends is left at the others.
    assert_eq!(show(&["c", "b"], &[]), "GET https://a.example/b at frontend admin");
    assert_eq!(show(&["c"], &["b"]), "GET https://a.example/ at frontend other-1");
    assert_eq!(show(&["c", "d"], &[]), "Empty");
    assert_eq!(show(&["e"], &[]), "GET https://a.example/");
    assert_eq!(show(&["e"], &["a", "c"]), "Empty");
}

#[test]
fn expressions_are_looked_into() {
    let scope =
        |name: &str, paths: &str| format!("[scopes.{name}]\nhosts = [\"a.test\"]\n{paths}\nmethods = \"any\"\n");
    let policy = policy_of(
        &[
            scope("numbers", "path-regex = ['/v[0-9]+/orders/[0-9]{3}']"),
            scope("even", "path-regex = ['/v[0-9]+/orders/[0-9]*[02468]', '/other']"),
            scope("second", "paths = [\"/v2/**\"]"),
            scope("one", "paths = [\"/v1/orders/{id}\"]"),
            scope("all", "path-regex = ['.*']"),
            scope("spaced", "path-regex = ['/a%20[b-z]+', '/caf%C3%A9']"),
            scope("matrix", "path-regex = ['/a;[a-z]+']"),
            scope("dots", "path-regex = ['/\\.\\.?\\.?']"),
            scope("rest", "path-regex = ['.*']\nexcept = [\"tree\"]"),
            scope("tree", "paths = [\"/**\"]"),
        ]
        .concat(),
    );
    let space = Space::new(&[&policy]);
    let regions = space.regions(&policy);
    let region = |name: &str| &regions[policy.scopes.iter().find(|(_, scope)| scope.name == name).unwrap().0.index()];
    let show = |within: &[&str], outside: &[&str]| {
        let regions = |names: &[&str]| names.iter().map(|name| region(name)).collect::<Vec<_>>();
        match space.find(&regions(within), &regions(outside), MethodSet::READ) {
            Search::Found(witness) => {
                assert!(is_canonical(&witness), "{witness}");
                witness.path
            }
            Search::Empty => "none".to_owned(),
            Search::TooHard => "unknown".to_owned(),
        }
    };
    assert_eq!(show(&["numbers"], &[]), "/v0/orders/000");
    assert_eq!(show(&["numbers"], &["even"]), "/v0/orders/001");
    assert_eq!(show(&["even"], &["numbers"]), "/other");
    assert_eq!(show(&["numbers", "second"], &[]), "/v2/orders/000");
    assert_eq!(show(&["numbers", "second"], &["even"]), "/v2/orders/001");
    assert_eq!(show(&["second", "one", "numbers"], &[]), "none");
    assert_eq!(show(&["one", "even"], &["numbers"]), "/v1/orders/0");
    assert_eq!(show(&["even", "one"], &["all"]), "none");
    assert_eq!(show(&["tree"], &["all"]), "none");
    assert_eq!(show(&["rest"], &[]), "none");
    assert_eq!(show(&["spaced"], &[]), "/a%20b");
    assert_eq!(show(&["dots"], &[]), "/...");
    // Only a host that accepts matrix parameters has such requests.
    assert_eq!(show(&["matrix"], &[]), "unknown");
    assert_eq!(show(&["matrix", "second"], &[]), "none");
}

#[test]
fn policies_with_methods_of_their_own_can_be_compared() {
    let scope =
        |methods: &str| policy_of(&format!("[scopes.s]\nhosts = \"any\"\npaths = [\"/\"]\nmethods = {methods}\n"));
    let (old, new) = (scope("[\"PURGE\", \"GET\"]"), scope("[\"BAN\", \"PURGE\"]"));
    let any = scope("\"any\"");
    let space = Space::new(&[&old, &new, &any]);
    let of = |policy: &Policy| space.regions(policy).remove(0);
    let show = |within: &[&Policy], outside: &[&Policy]| {
        let regions = |policies: &[&Policy]| policies.iter().map(|policy| of(policy)).collect::<Vec<_>>();
        let (within, outside) = (regions(within), regions(outside));
        let found = space.find(&within.iter().collect::<Vec<_>>(), &outside.iter().collect::<Vec<_>>(), MethodSet::ALL);
        found.witness().map(|witness| witness.method)
    };
    assert_eq!(show(&[&old, &new], &[]).as_deref(), Some("PURGE"));
    assert_eq!(show(&[&new], &[&old]).as_deref(), Some("BAN"));
    assert_eq!(show(&[&new], &[&any]), None);
    assert_eq!(show(&[&any], &[&new, &old]).as_deref(), Some("POST"));
}

#[test]
fn a_search_that_would_take_too_long_gives_up_and_says_so() {
    let mut scopes = String::new();
    for n in 0..12 {
        // Each scope gives back, in twenty places, what the one before leaves out.
        let paths: Vec<String> = (0..20).map(|m| format!("\"/{{a}}/{n}-{m}/{{b}}\"")).collect();
        scopes += &format!(
            "[scopes.out-{n}]\nhosts = \"any\"\npaths = [\"/**\"]\nmethods = \"any\"\nexcept = [\"back-{n}\"]\n\
             [scopes.back-{n}]\nhosts = \"any\"\npaths = [{}]\nmethods = \"any\"\n",
            paths.join(", ")
        );
    }
    let policy = policy_of(&scopes);
    let space = Space::new(&[&policy]);
    let regions = space.regions(&policy);
    let out: Vec<_> = policy.scopes.iter().filter(|(_, scope)| scope.name.starts_with("out")).collect();
    let outside: Vec<_> = out.iter().map(|(id, _)| &regions[id.index()]).collect();
    assert_eq!(space.find_within(&[], &outside, MethodSet::ANY, 1_000), Search::TooHard);
    assert!(space.find(&[], &outside[..1], MethodSet::ALL).witness().is_some());
}

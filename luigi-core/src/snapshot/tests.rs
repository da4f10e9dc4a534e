//! Compiling, writing, reading in slices, damage, and freeing in slices.

use super::*;
use crate::method::{MAX_EXTENSION_METHODS, MethodSet};
use crate::policy::model::{
    Conditions, ContentHash, Effect, Fact, HostPattern, Mode, Network, Operation, PathTemplate, Requirements, Rule,
    Scope, ScopeSelector, Segment, Subject, TableId,
};
use crate::target::{CanonicalTarget, Host};
use proptest::prelude::*;

fn template(text: &str) -> PathTemplate {
    let mut segments: Vec<Segment> = Vec::new();
    let mut rest = false;
    for part in text.split('/').filter(|part| !part.is_empty()) {
        match part {
            "**" => rest = true,
            "*" => segments.push(Segment::Any),
            name if name.starts_with('{') => segments.push(Segment::Capture(name.into())),
            literal => segments.push(Segment::Literal(literal.into())),
        }
    }
    PathTemplate { segments, rest, slash: false }
}

fn scope(name: &str, hosts: Vec<HostPattern>, paths: &[&str], except: &[usize]) -> Scope {
    Scope {
        name: name.into(),
        hosts,
        operations: paths.iter().map(|p| Operation { methods: MethodSet::ANY, path: template(p) }).collect(),
        path_regex: None,
        except: except.iter().map(|at| ScopeId::from_index(*at)).collect(),
        privileged: false,
        preflight: false,
        audit: crate::policy::model::Audit::Required,
        frontends: Vec::new(),
        upgrade: crate::policy::model::Upgrade::Allow,
        content_hash: ContentHash([0; 32]),
    }
}

fn rule(name: &str, effect: Effect, scopes: ScopeSelector) -> Rule {
    Rule {
        name: name.into(),
        owner: None,
        effect,
        mode: Mode::Enforce,
        scopes,
        methods: None,
        when: Conditions { subject: Some(Subject::Anyone), ..Conditions::default() },
        unless: vec![],
        starts: None,
        ends: None,
        require: Requirements::default(),
    }
}

fn hosts() -> Vec<HostPattern> {
    vec![
        HostPattern::Any,
        HostPattern::Exact("a.example.com".into()),
        HostPattern::Exact("192.0.2.1".into()),
        HostPattern::OneLabel("example.com".into()),
        HostPattern::Labels("example.com".into()),
        HostPattern::Capture { name: "tenant".into(), parent: "example.com".into() },
    ]
}

fn policy() -> Policy {
    let paths = ["/", "/a", "/a/{id}", "/a/*/c", "/a/b/c", "/a/**", "/**", "/a/b/**"];
    let mut policy = Policy::default();
    for (h, host) in hosts().into_iter().enumerate() {
        for (p, path) in paths.iter().enumerate() {
            let id = policy.scopes.push(scope(&format!("scope-{h}-{p}"), vec![host.clone()], &[path], &[]));
            policy.rules.push(rule(&format!("rule-{h}-{p}"), Effect::Allow, ScopeSelector::Named(vec![id])));
        }
    }
    policy.rules.push(rule("z-all", Effect::Deny, ScopeSelector::All));
    policy
}

fn load(bytes: Vec<u8>, slice: usize) -> Result<(Snapshot, usize), LoadError> {
    let mut loader = Loader::new(bytes);
    let mut steps = 1;
    loop {
        match loader.step(slice)? {
            Progress::More => steps += 1,
            Progress::Done(snapshot) => return Ok((*snapshot, steps)),
        }
    }
}

#[test]
fn what_is_written_is_read_in_slices_of_any_size() {
    let snapshot = Snapshot::compile(policy()).unwrap();
    let bytes = snapshot.encode();
    assert_eq!(Revision::of(&bytes), snapshot.revision());
    let mut fewest = usize::MAX;
    for slice in [0, 1, 2, 7, 64, 100_000] {
        let (read, steps) = load(bytes.clone(), slice).unwrap();
        assert_eq!(read.policy(), snapshot.policy());
        assert_eq!(read.revision(), snapshot.revision());
        assert!(steps <= fewest, "{steps} steps of {slice}");
        fewest = steps;
    }
    assert_eq!(fewest, 1);
}

#[test]
fn long_rows_are_not_read_all_in_one_slice() {
    let mut policy = Policy::default();
    for name in 0..100 {
        let members = (0..1_000u32).map(|at| ipnet::IpNet::from(std::net::IpAddr::from((at << 8).to_be_bytes())));
        policy.networks.push(Network { name: format!("network-{name:02}"), members: members.collect() });
    }
    let snapshot = Snapshot::compile(policy).unwrap();
    let bytes = snapshot.encode();
    let expected = bytes.len() / (format::ROW_BYTES_PER_RECORD * 500);
    assert!(expected > 5, "{expected}");
    let (read, steps) = load(bytes, 500).unwrap();
    assert_eq!(read.policy(), snapshot.policy());
    assert!(steps > expected, "{steps} steps, not more than {expected}");
}

#[test]
fn every_cut_is_refused() {
    let bytes = Snapshot::compile(policy()).unwrap().encode();
    for length in 0..bytes.len() {
        assert!(load(bytes[..length].to_vec(), 16).is_err(), "cut to {length} of {}", bytes.len());
    }
    let mut longer = bytes;
    longer.push(0);
    assert_eq!(load(longer, 16).unwrap_err(), LoadError::Damaged);
}

#[test]
fn another_version_and_other_files_are_told_apart() {
    let mut bytes = Snapshot::compile(policy()).unwrap().encode();
    bytes[8] = 9;
    assert_eq!(load(bytes, 16).unwrap_err(), LoadError::OtherVersion(9));
    assert_eq!(load(b"schema = 1 # and so on".to_vec(), 16).unwrap_err(), LoadError::NotASnapshot);
}

#[test]
fn what_decisions_rely_on_is_checked() {
    let with_scopes = |scopes: Vec<Scope>| Policy { scopes: scopes.into_iter().collect(), ..Policy::default() };
    let with_rule = |rule: Rule| Policy {
        scopes: [scope("s", hosts(), &["/"], &[])].into_iter().collect(),
        rules: [rule].into_iter().collect(),
        ..Policy::default()
    };
    let named = |at: &[usize]| ScopeSelector::Named(at.iter().map(|at| ScopeId::from_index(*at)).collect());
    let chain = |length: usize| {
        with_scopes(
            (0..length)
                .map(|n| {
                    let except: &[usize] = if n + 1 < length { &[n + 1] } else { &[] };
                    scope(&format!("s{n:03}"), vec![HostPattern::Any], &["/**"], except)
                })
                .collect(),
        )
    };
    let circle = with_scopes(vec![scope("a", hosts(), &["/"], &[1]), scope("b", hosts(), &["/"], &[0])]);
    let mut no_subject = rule("r", Effect::Allow, named(&[0]));
    no_subject.when.subject = None;
    let at = |frontends: &[&str], facts: &[Fact]| Policy {
        scopes: [Scope {
            frontends: frontends.iter().map(|name| (*name).into()).collect(),
            ..scope("s", hosts(), &["/"], &[])
        }]
        .into_iter()
        .collect(),
        facts: facts.iter().cloned().collect(),
        ..Policy::default()
    };
    let cases: [(&str, Policy, bool); 14] = [
        ("a chain as deep as may be", chain(MAX_EXCEPT_DEPTH + 1), true),
        ("a chain too deep", chain(MAX_EXCEPT_DEPTH + 2), false),
        ("a circle", circle, false),
        ("an exception that is not there", with_scopes(vec![scope("a", hosts(), &["/"], &[1])]), false),
        ("a sound rule", with_rule(rule("r", Effect::Allow, named(&[0]))), true),
        ("a scope that is not there", with_rule(rule("r", Effect::Allow, named(&[1]))), false),
        ("scopes out of order", with_rule(rule("r", Effect::Allow, named(&[0, 0]))), false),
        ("an allow rule about everything", with_rule(rule("r", Effect::Allow, ScopeSelector::All)), false),
        ("an allow rule without a subject", with_rule(no_subject), false),
        ("a scope at frontends", at(&["admin", "www"], &[Fact::Frontend]), true),
        ("frontends that nobody passes", at(&["www"], &[Fact::Certificate]), false),
        ("frontends out of order", at(&["www", "admin"], &[Fact::Frontend]), false),
        ("a frontend twice", at(&["www", "www"], &[Fact::Frontend]), false),
        ("a frontend that is none", at(&["w w"], &[Fact::Frontend]), false),
    ];
    // No parser makes these: the bits of a method beyond the last one are those of others.
    let with_methods = |names: Vec<String>| {
        let methods = postcard::from_bytes(&postcard::to_stdvec(&names).unwrap()).unwrap();
        Policy { methods, ..Policy::default() }
    };
    let methods = |count: usize| with_methods((0..count).map(|n| format!("M{n:02}")).collect());
    let tables: [(&str, Policy, bool); 5] = [
        ("as many methods as may be", methods(MAX_EXTENSION_METHODS), true),
        ("a method too many", methods(MAX_EXTENSION_METHODS + 1), false),
        ("a method twice", with_methods(vec!["M".into(), "M".into()]), false),
        ("a usual method", with_methods(vec!["GET".into()]), false),
        ("no method at all", with_methods(vec![String::new()]), false),
    ];
    for (what, policy, sound) in cases.into_iter().chain(tables) {
        let bytes = format::encode(&policy);
        assert_eq!(Snapshot::compile(policy).is_ok(), sound, "{what}");
        // The way through a file has the same guards.
        assert_eq!(load(bytes, 4).is_ok(), sound, "{what}, loaded");
    }
}

#[test]
fn expressions_are_loaded_as_they_were_compiled_or_refused() {
    use crate::matchers::path_regex::{MAX_POLICY_AUTOMATON_BYTES, MAX_SCOPE_AUTOMATON_BYTES};
    use crate::policy::model::PathRegex;
    let with = |regexes: Vec<PathRegex>| {
        let scopes = regexes
            .into_iter()
            .enumerate()
            .map(|(n, regex)| Scope { path_regex: Some(regex), ..scope(&format!("s{n:03}"), hosts(), &[], &[]) });
        Policy { scopes: scopes.collect(), ..Policy::default() }
    };
    let regex = |pattern: &str| PathRegex::compile(MethodSet::READ, &[pattern]).unwrap();
    let held = |snapshot: &Snapshot, path| {
        let mut found = 0;
        let target = CanonicalTarget { host: Host::Name("x.example.com"), path, query: None };
        snapshot.index.visit(&target, HostTraits::default(), MethodSet::READ, &mut |_, _| found += 1);
        found
    };
    let snapshot = Snapshot::compile(with(vec![regex("/v[0-9]+/orders"), regex("/v2/.*")])).unwrap();
    // The scopes come once for each of the hosts that holds the request.
    for slice in [1, 100_000] {
        let (read, _) = load(snapshot.encode(), slice).unwrap();
        for (path, times) in [("/v1/orders", 4), ("/v1/orders/", 4), ("/v2/orders", 8), ("/v1", 0), ("*", 0), ("", 0)] {
            assert_eq!((held(&snapshot, path), held(&read, path)), (times, times), "{path}");
        }
    }
    let mut retired = snapshot.retire();
    while !retired.step(1) {}

    let spoilt = |change: fn(&mut Vec<u8>)| {
        let mut regex = regex("/v[0-9]+/orders");
        change(&mut regex.automaton.0);
        with(vec![regex])
    };
    let large = regex("/.*a.{11}");
    let bytes = large.automaton.0.len() + large.folded.as_ref().unwrap().0.len();
    assert!(bytes > MAX_SCOPE_AUTOMATON_BYTES / 2);
    let many = with(vec![large.clone(); MAX_POLICY_AUTOMATON_BYTES / bytes + 1]);
    let cases = [
        ("cut off", spoilt(|bytes| bytes.truncate(100)), false),
        ("empty", spoilt(Vec::clear), false),
        ("longer than it says", spoilt(|bytes| bytes.push(0)), false),
        ("of another byte order", spoilt(|bytes| bytes[32..36].reverse()), false),
        ("too large", spoilt(|bytes| bytes.resize(2 * MAX_SCOPE_AUTOMATON_BYTES + 1, 0)), false),
        ("too large together", many, false),
        ("large", with(vec![large]), true),
    ];
    for (what, policy, sound) in cases {
        let bytes = format::encode(&policy);
        assert_eq!(Snapshot::compile(policy).is_ok(), sound, "{what}");
        assert_eq!(load(bytes, 4).is_ok(), sound, "{what}, loaded");
    }
}

#[test]
fn the_index_finds_what_asking_each_pattern_finds() {
    let snapshot = Snapshot::compile(policy()).unwrap();
    let hosts = [
        Host::Absent,
        Host::Address("192.0.2.1"),
        Host::Address("192.0.2.2"),
        Host::Name("a.example.com"),
        Host::Name("b.a.example.com"),
        Host::Name("example.com"),
        Host::Name("example.org"),
        Host::Name("com"),
    ];
    let paths = ["/", "/a", "/a/", "/a/b", "/a/b/", "/a/b/c", "/a/x/c", "/a/b/c/d", "/x", "/A", "*", ""];
    for host in hosts {
        for path in paths {
            let target = CanonicalTarget { host, path, query: None };
            let mut found = Vec::new();
            snapshot.index.visit(&target, HostTraits::default(), MethodSet::READ, &mut |scope, _| found.push(scope));
            found.sort();
            found.dedup();
            let expected: Vec<ScopeId> = snapshot
                .policy
                .scopes
                .iter()
                .filter(|(_, scope)| host_holds(&scope.hosts[0], host) && path_holds(&scope.operations[0].path, path))
                .map(|(id, _)| id)
                .collect();
            assert_eq!(found, expected, "{host:?} {path}");
        }
    }
}

fn host_holds(pattern: &HostPattern, host: Host<'_>) -> bool {
    match (pattern, host) {
        (HostPattern::Any, _) => true,
        (HostPattern::Exact(name), Host::Name(text) | Host::Address(text)) => name == text,
        (HostPattern::OneLabel(suffix) | HostPattern::Capture { parent: suffix, .. }, Host::Name(text)) => {
            text.strip_suffix(suffix).and_then(|t| t.strip_suffix('.')).is_some_and(|label| !label.contains('.'))
        }
        (HostPattern::Labels(suffix), Host::Name(text)) => {
            text.strip_suffix(suffix).and_then(|t| t.strip_suffix('.')).is_some_and(|labels| !labels.is_empty())
        }
        (_, Host::Absent | Host::Address(_)) => false,
    }
}

fn path_holds(template: &PathTemplate, path: &str) -> bool {
    if !path.starts_with('/') {
        return false;
    }
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    let enough =
        if template.rest { parts.len() >= template.segments.len() } else { parts.len() == template.segments.len() };
    enough
        && template.segments.iter().zip(&parts).all(|(segment, part)| match segment {
            Segment::Literal(text) => text == part,
            Segment::Capture(_) | Segment::Any => true,
        })
}

#[test]
fn a_snapshot_is_freed_in_slices() {
    let mut retired = Snapshot::compile(policy()).unwrap().retire();
    let mut steps = 1;
    while !retired.step(3) {
        steps += 1;
        assert!(steps < 1000, "it ends");
    }
    assert!(steps > 20, "{steps} steps");
}

/// Templates and paths of a few segments, so that they begin alike, part and meet again.
fn segments(words: &'static [&'static str]) -> impl Strategy<Value = String> {
    prop::collection::vec(prop::sample::select(words), 0..6)
        .prop_map(|segments| segments.iter().flat_map(|segment| ["/", segment]).collect())
}

/// Longer than what a node has room for, and than where a second segment in a chain may be anything.
const LONG_SEGMENT: &str = "a-segment-that-is-longer-than-what-any-node-has-room-for";

proptest! {
    /// Whatever the order in which chains of literal segments are begun, split and branched off.
    #[test]
    fn templates_are_found_in_any_order(
        templates in prop::collection::vec((segments(&["a", "a", "bb", LONG_SEGMENT, "*"]), any::<bool>()), 1..12),
        paths in prop::collection::vec(segments(&["a", "a", "bb", "b", LONG_SEGMENT]), 1..40),
        expressions_at in prop::option::of(0usize..12),
    ) {
        use crate::policy::model::PathRegex;
        let mut policy = Policy::default();
        for (n, (path, rest)) in templates.iter().enumerate() {
            // Asked at the root, whatever chains begin there before and after.
            if expressions_at.is_some_and(|at| at.min(templates.len() - 1) == n) {
                let path_regex = Some(PathRegex::compile(MethodSet::READ, &["/a(/bb)?"]).unwrap());
                policy.scopes.push(Scope { path_regex, ..scope(&format!("s{n:02}"), vec![HostPattern::Any], &[], &[]) });
            }
            let path = if *rest { format!("{path}/**") } else { path.clone() };
            policy.scopes.push(scope(&format!("s{n:02}t"), vec![HostPattern::Any], &[&path], &[]));
        }
        let snapshot = Snapshot::compile(policy).unwrap();
        for path in paths.iter().map(|path| if path.is_empty() { "/" } else { path }) {
            let target = CanonicalTarget { host: Host::Absent, path, query: None };
            let mut found = Vec::new();
            snapshot.index.visit(&target, HostTraits::default(), MethodSet::READ, &mut |scope, _| found.push(scope));
            found.sort();
            let holds = |scope: &Scope| match &scope.path_regex {
                Some(_) => ["/a", "/a/bb"].contains(&path),
                None => path_holds(&scope.operations[0].path, path),
            };
            let expected: Vec<ScopeId> =
                snapshot.policy.scopes.iter().filter(|(_, scope)| holds(scope)).map(|(id, _)| id).collect();
            prop_assert_eq!(found, expected, "{}", path);
        }
    }

    #[test]
    fn damage_never_panics(at in 0usize..1000, with in any::<u8>(), more in prop::collection::vec(any::<u8>(), 0..40)) {
        let mut bytes = Snapshot::compile(policy()).unwrap().encode();
        let at = at % bytes.len();
        bytes[at] ^= with;
        let _ = load(bytes.clone(), 8);
        bytes.splice(at..at, more);
        let _ = load(bytes, 8);
    }
}

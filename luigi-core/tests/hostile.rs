//! Policies that nobody means well: refused, or handled with a clear message, in bounded effort.

use luigi_core::analysis::lint;
use luigi_core::policy::diagnostics::{Code, Lint, MAX_DIAGNOSTICS, Style};
use luigi_core::policy::{Parsed, SourceSet, parse};
use luigi_core::snapshot::Snapshot;
use luigi_core::time::Timestamp;
use std::fmt::Write as _;

fn check(files: &[String]) -> (SourceSet, Parsed, lint::Findings) {
    let mut sources = SourceSet::new();
    for (number, text) in files.iter().enumerate() {
        sources.add(format!("{number}.toml"), text.as_str());
    }
    let parsed = parse(&sources);
    let findings = lint::run(&parsed, &sources, Some(Timestamp::from_unix_seconds(0)));
    for problems in [&parsed.diagnostics, &findings.diagnostics] {
        assert!(problems.len() <= MAX_DIAGNOSTICS + 1);
        assert_eq!(problems.render(&sources, Style::PLAIN).is_empty(), problems.is_empty());
    }
    if let Some(policy) = parsed.policy.clone() {
        Snapshot::compile(policy).expect("whatever the parser lets pass can be compiled");
    }
    (sources, parsed, findings)
}

fn codes(parsed: &Parsed) -> Vec<&'static str> {
    let mut codes: Vec<_> = parsed.diagnostics.iter().map(|item| item.code.as_str()).collect();
    codes.sort_unstable();
    codes.dedup();
    codes
}

const ISSUER: &str = "schema = 1\n[issuers.i]\nurl = \"https://i.example\"\naudiences = [\"a\"]\n";

/// So many scopes on as many hosts, each with a rule.
fn estate(rules: usize) -> String {
    let mut text = format!("{ISSUER}[groups]\n");
    for n in 0..rules.min(50) {
        let _ = writeln!(text, "g{n} = \"group-{n}\"");
    }
    for n in 0..rules {
        let _ = write!(
            text,
            "[scopes.s{n}]\nhosts = [\"h{}.example.com\"]\npaths = [\"/v1/service-{n}/items/{{id}}\"]\nmethods = \"read\"\n\
             [[rules]]\nid = \"r{n}\"\neffect = \"allow\"\nscopes = [\"s{n}\"]\nsubject = {{ groups = [\"g{}\"] }}\n",
            n % 100,
            n % 50
        );
    }
    text
}

#[test]
fn large_estates_are_checked_without_comparing_everything_with_everything() {
    let (_, parsed, findings) = check(&[estate(3_000)]);
    assert_eq!(parsed.policy.map(|policy| policy.rules.len()), Some(3_000));
    assert!(findings.diagnostics.is_empty());
}

/// Files that are each within the limit of one, with 100,000 rules together.
#[test]
fn a_hundred_thousand_rules_over_five_thousand_groups_are_a_policy() {
    const FILES: usize = 10;
    const RULES: usize = 10_000;
    const GROUPS: usize = 5_000;
    let groups: String = (0..GROUPS).map(|n| format!("g{n} = \"group-{n}\"\n")).collect();
    let mut files = vec![format!("{ISSUER}[groups]\n{groups}")];
    for file in 0..FILES {
        let mut text = "schema = 1\n".to_owned();
        for n in file * RULES..(file + 1) * RULES {
            let _ = write!(
                text,
                "[scopes.s{n}]\nhosts = [\"h{}.example.com\"]\npaths = [\"/service-{n}/{{id}}\"]\nmethods = \"read\"\n\
                 [[rules]]\nid = \"r{n}\"\neffect = \"allow\"\nscopes = [\"s{n}\"]\nsubject = {{ groups = [\"g{}\"] }}\n",
                n % 1_000,
                n % GROUPS
            );
        }
        files.push(text);
    }
    let (_, parsed, findings) = check(&files);
    let policy = parsed.policy.unwrap();
    assert_eq!((policy.rules.len(), policy.groups.len()), (FILES * RULES, GROUPS));
    assert!(findings.diagnostics.is_empty());
}

#[test]
fn expressions_that_explode_are_given_up_after_a_bounded_effort() {
    let mut text = "schema = 1\n".to_owned();
    for n in 0..2_000 {
        let _ = write!(text, "[scopes.s{n}]\nhosts = \"any\"\npath-regex = [\".*a{n}.{{20}}\"]\nmethods = \"read\"\n");
    }
    let (_, parsed, _) = check(&[text]);
    assert_eq!(codes(&parsed), ["path-regex-too-large", "too-many-problems"]);
}

#[test]
fn scopes_on_any_host_with_any_path_are_cut_short_and_said_to_be() {
    let mut text = ISSUER.to_owned();
    for n in 0..330 {
        let _ = write!(
            text,
            "[scopes.s{n}]\nhosts = \"any\"\npaths = [\"/{{a}}/**\", \"/x{n}\"]\nmethods = \"any\"\n\
             [[rules]]\nid = \"r{n}\"\neffect = \"allow\"\nscopes = [\"s{n}\"]\nsubject = {{ subjects = [\"p{n}\"] }}\n"
        );
    }
    let (_, _, findings) = check(&[text]);
    assert!(findings.diagnostics.iter().any(|item| item.code == Code::Lint(Lint::CutShort)));
    assert!(!findings.diagnostics.has_errors());
}

#[test]
fn many_expressions_that_part_soon_are_compared_whole() {
    let mut text = ISSUER.to_owned();
    for n in 0..600 {
        let host = n % 120;
        let _ = write!(
            text,
            "[scopes.s{n}]\nhosts = [\"h{host}.example.com\"]\npath-regex = ['/v[0-9]/s{n}/[a-z]+/[0-9]{{1,8}}']\nmethods = \"read\"\n\
             [[rules]]\nid = \"r{n}\"\neffect = \"allow\"\nscopes = [\"s{n}\"]\nsubject = {{ subjects = [\"p{n}\"] }}\n"
        );
    }
    let (sources, _, findings) = check(&[text]);
    assert_eq!(findings.diagnostics.render(&sources, Style::PLAIN), "");
}

#[test]
fn expressions_that_meet_everywhere_are_cut_short_and_said_to_be() {
    let mut text = ISSUER.to_owned();
    for n in 0..150 {
        let _ = write!(
            text,
            "[scopes.s{n}]\nhosts = \"any\"\npath-regex = ['/[a-z]*{n}[a-f]{{1,40}}.*']\nmethods = \"any\"\n\
             [[rules]]\nid = \"r{n}\"\neffect = \"allow\"\nscopes = [\"s{n}\"]\nsubject = {{ subjects = [\"p{n}\"] }}\n"
        );
    }
    let (_, _, findings) = check(&[text]);
    assert!(findings.diagnostics.iter().any(|item| item.code == Code::Lint(Lint::CutShort)));
}

#[test]
fn thousands_of_findings_are_counted_and_errors_come_first() {
    let mut text = format!("{ISSUER}[scopes.s]\nhosts = \"any\"\noperations = [\"GET /a\"]\n[groups]\n");
    for n in 0..3_000 {
        let _ = writeln!(text, "g{n} = \"group-{n}\"");
    }
    text += "[[rules]]\nid = \"dead\"\neffect = \"deny\"\nscopes = [\"s\"]\nmethods = [\"POST\"]\n";
    let (_, _, findings) = check(&[text]);
    assert!(findings.diagnostics.has_errors());
    assert!(findings.diagnostics.iter().any(|item| item.code == Code::Lint(Lint::DeadRule)));
    assert!(findings.diagnostics.iter().any(|item| item.code == Code::TooManyProblems));
    // Warnings alone, however many, are no error.
    let warnings: String =
        (0..3_000).fold(format!("{ISSUER}[groups]\n"), |text, n| text + &format!("g{n} = \"x{n}\"\n"));
    let (_, _, findings) = check(&[warnings]);
    assert_eq!(findings.diagnostics.len(), MAX_DIAGNOSTICS + 1);
    assert!(!findings.diagnostics.has_errors());
}

#[test]
fn what_is_too_large_is_refused_with_its_place() {
    // 300 hosts x 300 paths in few kilobytes of text.
    let list = |from: &str| {
        (0..300).map(|n| format!("\"{}\"", from.replace('#', &n.to_string()))).collect::<Vec<_>>().join(",")
    };
    let scope = |name: usize, hosts: &str, paths: &str| {
        format!("[scopes.s{name}]\nhosts = [{hosts}]\npaths = [{paths}]\nmethods = \"read\"\n")
    };
    let (_, parsed, _) = check(&[format!("schema = 1\n{}", scope(0, &list("h#.example.com"), &list("/p#")))]);
    assert_eq!(codes(&parsed), ["scope-too-large"]);
    // Each scope is within bounds, all of them are not.
    let hosts: Vec<String> = (0..200).map(|n| format!("\"h{n}.example.com\"")).collect();
    let many: String = (0..18).map(|n| scope(n, &hosts.join(","), &list("/p#"))).collect();
    let (_, parsed, _) = check(&[format!("schema = 1\n{many}")]);
    assert_eq!(codes(&parsed), ["scope-too-large"]);
    assert_eq!(parsed.diagnostics.len(), 1);

    let (_, parsed, _) = check(&[format!("schema = 1\n# {}\n", "x".repeat(8 * 1024 * 1024))]);
    assert_eq!(codes(&parsed), ["source-too-large"]);
}

/// So many scopes with one tag, and so many rules that name the tag.
fn tagged(scopes: usize, rules: usize) -> String {
    let mut text = ISSUER.to_owned();
    for n in 0..scopes {
        let _ = write!(
            text,
            "[scopes.s{n}]\nhosts = [\"h{n}.example.com\"]\npaths = [\"/a/{{id}}\"]\nmethods = \"read\"\ntags = [\"t\"]\n"
        );
    }
    for n in 0..rules {
        let _ = write!(
            text,
            "[[rules]]\nid = \"r{n:05}\"\neffect = \"allow\"\nscopes = [\"tag:t\"]\nsubject = {{ subjects = [\"p{n}\"] }}\n"
        );
    }
    text
}

#[test]
fn rules_that_name_large_tags_are_counted_before_they_are_made() {
    // 400 million pairs of a rule and a scope, in a few megabytes of text.
    let (sources, parsed, _) = check(&[tagged(20_000, 20_000)]);
    assert_eq!(codes(&parsed), ["scope-too-large"]);
    let shown = parsed.diagnostics.render(&sources, Style::PLAIN);
    let says = "the rules up to here name 4200000 scopes, more than 4194304";
    assert!(shown.contains(says) && shown.contains("20000 of them") && shown.contains("list of matchers"), "{shown}");
    let (_, parsed, _) = check(&[tagged(2_000, 209)]);
    assert_eq!(parsed.policy.map(|policy| policy.rules.len()), Some(209));
    // A file of a team, too, whose rules are held against its hosts.
    let team =
        format!("[file]\nowner = \"team\"\nhosts = [\"*.example.com\"]\n{}", tagged(0, 20_000).replace(ISSUER, ""));
    let (_, parsed, _) = check(&[tagged(20_000, 0), format!("schema = 1\n{team}")]);
    assert_eq!(codes(&parsed), ["scope-too-large"]);
}

#[test]
fn compiled_policies_are_bounded_like_texts() {
    let (_, parsed, _) = check(&[tagged(2_000, 1)]);
    let mut policy = parsed.policy.unwrap();
    let one = policy.rules.iter().next_back().unwrap().1.clone();
    policy.rules =
        (0..2_098).map(|n| luigi_core::policy::model::Rule { name: format!("r{n:05}"), ..one.clone() }).collect();
    let refused = Snapshot::compile(policy).unwrap_err().to_string();
    assert_eq!(refused, "the rules up to `r02097` name more than 4194304 scopes together");
}

#[test]
fn long_chains_and_circles_of_exceptions_are_refused() {
    let chain = |circle: bool| {
        let mut text = "schema = 1\n".to_owned();
        for n in 0..5_000 {
            let next = if n + 1 < 5_000 { n + 1 } else { 0 };
            let except = if n + 1 < 5_000 || circle { format!("except = [\"s{next}\"]\n") } else { String::new() };
            let _ = write!(text, "[scopes.s{n}]\nhosts = \"any\"\noperations = [\"GET /{n}\"]\n{except}");
        }
        check(&[text]).1
    };
    assert_eq!(codes(&chain(true)), ["except-cycle"]);
    assert_eq!(codes(&chain(false)), ["scope-too-large"]);
}

#[test]
fn exceptions_that_fan_out_at_each_level_are_looked_at_once() {
    // Sixteen levels of six scopes, each leaving out all of the next: 6^16 ways down.
    let mut text = "schema = 1\n".to_owned();
    for level in 0..16 {
        for n in 0..6 {
            let below: Vec<String> = (0..6).map(|m| format!("\"l{}-{m}\"", level + 1)).collect();
            let except = if level < 15 { format!("except = [{}]\n", below.join(",")) } else { String::new() };
            let _ =
                write!(text, "[scopes.l{level}-{n}]\nhosts = \"any\"\npaths = [\"/**\"]\nmethods = \"any\"\n{except}");
        }
    }
    let (_, parsed, _) = check(&[text]);
    assert!(parsed.policy.is_some());
}

#[test]
fn deeply_nested_values_and_repeated_keys_are_reported() {
    for text in [
        format!("schema = 1\nx = {}", "[".repeat(100_000)),
        format!("schema = 1\n[{}]\n", vec!["a"; 50_000].join(".")),
        format!("schema = 1\nx = {}1{}", "{a=".repeat(50_000), "}".repeat(50_000)),
    ] {
        let (_, parsed, _) = check(&[text]);
        assert!(parsed.policy.is_none() && !parsed.diagnostics.is_empty());
    }
    let group = "schema = 1\n[groups]\na = \"a\"\n".to_owned();
    let (_, parsed, _) = check(&vec![group; 2_000]);
    assert_eq!(codes(&parsed), ["duplicate-name", "too-many-problems"]);
}

#[test]
fn few_bytes_do_not_become_many_tables() {
    // Each part of a key would be a table of its own.
    let deep = |n: usize| format!("{} = 1\n", vec!["a"; n].join("."));
    for text in [deep(10_000), format!("[scopes.s]\n{}", deep(10_000)), format!("x = {{ {} }}", deep(17).trim_end())] {
        let (_, parsed, _) = check(&[format!("schema = 1\n{text}")]);
        assert_eq!(codes(&parsed), ["nested-too-deeply"]);
    }
    let wide: String = (0..70_000).fold(String::new(), |text, n| text + &format!("[k{n}.{}]\n", ["a"; 14].join(".")));
    let (_, parsed, _) = check(&[format!("schema = 1\n{wide}")]);
    assert_eq!(codes(&parsed), ["source-too-large"]);
    let halves: Vec<String> =
        wide.as_bytes().chunks(wide.len() / 2 + 1).map(|half| String::from_utf8_lossy(half).into_owned()).collect();
    let (_, parsed, _) = check(&halves);
    assert!(codes(&parsed).contains(&"source-too-large"), "{:?}", codes(&parsed));
    // Names of files are not looked for in such a text either.
    let mut sources = SourceSet::new();
    sources.add("p.toml", format!("networks.n.file = \"x.txt\"\n{}", deep(10_000)));
    assert_eq!(luigi_core::policy::files_beside(&sources), Vec::<String>::new());
}

#[test]
fn names_that_look_alike_are_refused() {
    for name in ["b\u{456}lling", "billing\u{200b}", "\u{202e}gnillib", "bi\u{301}lling"] {
        let rule = format!("[[rules]]\nid = \"{name}\"\neffect = \"deny\"\nscopes = \"all\"\n");
        let (sources, parsed, _) = check(&[format!("schema = 1\n{rule}")]);
        assert_eq!(codes(&parsed), ["invalid-name"], "{name:?}");
        let shown = parsed.diagnostics.render(&sources, Style::PLAIN);
        assert!(!shown.contains('\u{202e}'), "{shown}");
    }
}

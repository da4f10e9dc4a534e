//! Lints: each example triggers its lint and the cured one does not, findings look as the golden files say, good policies are quiet, and
//! what is accepted is said.

use luigi_core::analysis::lint::{self, Findings};
use luigi_core::policy::diagnostics::{Code, EXAMPLE_GROUND, Lint, Severity, Style};
use luigi_core::policy::{SourceSet, parse, parse_everywhere};
use luigi_core::time::Timestamp;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// 2026-01-01T00:00:00Z, the present of every test here.
const NOW: i64 = 1_767_225_600;

fn sources_of(text: &str) -> SourceSet {
    let mut sources = SourceSet::new();
    sources.add("policy.toml", text);
    sources
}

fn findings(sources: &SourceSet) -> Findings {
    let parsed = parse(sources);
    assert!(parsed.policy.is_some(), "{}", parsed.diagnostics.render(sources, Style::PLAIN));
    lint::run(&parsed, sources, Some(Timestamp::from_unix_seconds(NOW)))
}

/// What is found in a policy of this text on the ground of the examples.
fn found(text: &str) -> (SourceSet, Findings) {
    let sources = sources_of(&format!("{EXAMPLE_GROUND}\n{text}"));
    let findings = findings(&sources);
    (sources, findings)
}

fn has(findings: &Findings, lint: Lint) -> bool {
    findings.diagnostics.iter().any(|item| item.code == Code::Lint(lint))
}

/// What is found in the example itself, not in the ground that it stands on.
fn in_example(sources: &SourceSet, findings: &Findings) -> BTreeSet<Lint> {
    let ground = EXAMPLE_GROUND.lines().count();
    let here = findings
        .diagnostics
        .iter()
        .filter(|item| item.primary.as_ref().is_some_and(|label| sources.position(label.span).line > ground));
    here.filter_map(|item| match item.code {
        Code::Lint(lint) => Some(lint),
        _ => None,
    })
    .collect()
}

#[test]
fn each_example_triggers_its_lint_and_the_cured_one_does_not() {
    // Too many scopes for an example, or a document beside it; `golden_codes` has these.
    let elsewhere = [Lint::CutShort, Lint::UnscopedOperation];
    for lint in Lint::ALL.iter().copied().filter(|lint| !elsewhere.contains(lint)) {
        let (sources, wrong) = found(lint.example());
        let shown = wrong.diagnostics.render(&sources, Style::PLAIN);
        assert!(in_example(&sources, &wrong).contains(&lint), "{}: {shown}", lint.as_str());
        let worst =
            wrong.diagnostics.iter().filter(|item| item.code == Code::Lint(lint)).map(|item| item.severity).min();
        assert_eq!(worst, Some(lint.severity()), "{}", lint.as_str());

        let (sources, right) = found(lint.cured());
        let shown = right.diagnostics.render(&sources, Style::PLAIN);
        let here = in_example(&sources, &right);
        assert!(!here.contains(&lint) && !right.diagnostics.has_errors(), "{}: {shown}", lint.as_str());
        // An example is a part of a policy: other lints may miss the rest.
        let expected = [Lint::Unused, Lint::StandingAccess, Lint::Product, Lint::UnreachableScope, Lint::WholeHost];
        assert!(here.iter().all(|other| expected.contains(other)), "{}: {shown}", lint.as_str());
    }
}

#[test]
fn findings_are_shown_as_the_golden_files_say() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/lints");
    let update = std::env::var_os("UPDATE_GOLDEN").is_some();
    let mut cases: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    cases.retain(|path| path.extension().is_some_and(|ext| ext == "toml"));
    cases.sort();
    let mut different = Vec::new();
    for case in cases {
        let mut sources = SourceSet::new();
        sources.add(case.file_name().unwrap().to_str().unwrap(), fs::read_to_string(&case).unwrap());
        let findings = findings(&sources);
        let mut rendered = findings.diagnostics.render(&sources, Style::PLAIN);
        for accepted in &findings.accepted {
            let (line, code) = (sources.position(accepted.span).line, accepted.lint.as_str());
            rendered += &format!("\naccepted[{code}] line {line}, {}: {}\n", accepted.findings, accepted.message);
            rendered += &format!("  because: {}\n", accepted.reason);
        }
        let golden = case.with_extension("txt");
        if update {
            fs::write(&golden, &rendered).unwrap();
        } else if fs::read_to_string(&golden).ok().as_deref() != Some(rendered.as_str()) {
            different.push(format!("{}:\n{rendered}", golden.display()));
        }
    }
    assert!(different.is_empty(), "{}", different.join("\n\n"));
}

fn sources_at(path: &Path) -> SourceSet {
    let mut sources = SourceSet::new();
    let mut files = vec![path.to_owned()];
    if path.is_dir() {
        files = fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()).collect();
        files.sort();
    }
    for file in files {
        sources.add(file.file_name().unwrap().to_str().unwrap(), fs::read_to_string(&file).unwrap());
    }
    sources
}

#[test]
fn the_example_policies_are_quiet() {
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples");
    let policies = fs::read_dir(examples.join("policies")).unwrap().map(|entry| entry.unwrap().path());
    for path in policies.chain([examples.join("demo/shop.toml")]) {
        let sources = sources_at(&path);
        for (environment, parsed) in parse_everywhere(&sources).environments {
            let findings = lint::run(&parsed, &sources, Some(Timestamp::from_unix_seconds(NOW)));
            let shown = findings.diagnostics.render(&sources, Style::PLAIN);
            assert_eq!(shown, "", "{} {environment:?}", path.display());
        }
    }
}

#[test]
fn an_acceptance_of_a_privileged_finding_is_no_way_out() {
    let rule = "[scopes.all]\nhosts = [\"a.example.com\"]\npaths = [\"/**\"]\nmethods = \"any\"\n\
        [scopes.keys]\nhosts = [\"a.example.com\"]\noperations = [\"POST /keys\"]\nprivileged = true\n\
        accept = { swallowed-scope = \"we thought about it long\" }\n\
        [[rules]]\nid = \"staff\"\neffect = \"allow\"\nscopes = [\"all\"]\nsubject = { groups = [\"staff\"] }\n\
        accept = { swallowed-scope = \"we thought about it long\" }\n\
        [[rules]]\nid = \"admins\"\neffect = \"allow\"\nscopes = [\"keys\"]\nsubject = { groups = [\"admins\"] }\n\
        require = { login = \"fresh-mfa\" }\n";
    let (_, findings) = found(rule);
    assert!(findings.diagnostics.has_errors() && findings.accepted.is_empty());
    let item = findings.diagnostics.iter().find(|item| item.code == Code::Lint(Lint::SwallowedScope)).unwrap();
    assert_eq!(item.severity, Severity::Error);
    assert!(item.secondary.iter().any(|label| label.text.contains("cannot be accepted")), "{item:?}");
}

#[test]
fn without_a_time_nothing_is_said_about_ends() {
    for lint in [Lint::EndsSoon, Lint::ExpiredRule] {
        let sources = sources_of(&format!("{EXAMPLE_GROUND}\n{}", lint.example()));
        assert!(!has(&lint::run(&parse(&sources), &sources, None), lint));
    }
}

#[test]
fn scopes_that_overlap_in_too_many_ways_are_said_to() {
    let mut text = String::from("schema = 1\n");
    for n in 0..1_500 {
        text += &format!("[scopes.s{n}]\nhosts = \"any\"\npaths = [\"/**\"]\nmethods = \"any\"\n");
    }
    let sources = sources_of(&text);
    let findings = findings(&sources);
    assert!(has(&findings, Lint::CutShort) && !findings.diagnostics.has_errors());
}

#[test]
fn what_holds_in_some_environment_is_not_missed_in_another() {
    let text = "[environments]\nproduction = { domain = \"example.com\" }\nstaging = { domain = \"example.net\" }\n\
        [scopes.site]\nhosts = [\"www.{domain}\"]\npaths = [\"/**\"]\nmethods = \"any\"\n\
        [scopes.payouts]\nhosts = [\"www.{domain}\"]\noperations = [\"POST /payouts\"]\n\
        [scopes.keys]\nhosts = [\"keys.{domain}\"]\noperations = [\"POST /keys\"]\n\
        [[rules]]\nid = \"staff\"\neffect = \"allow\"\nscopes = [\"site\"]\nenvironments = [\"staging\"]\n\
        subject = { groups = [\"staff\"] }\naccept = { swallowed-scope = \"staging pays nobody out\" }\n\
        [[rules]]\nid = \"leads\"\neffect = \"allow\"\nscopes = [\"payouts\"]\nsubject = { groups = [\"leads\"] }\n\
        [[rules]]\nid = \"keys\"\neffect = \"allow\"\nscopes = [\"keys\"]\nenvironments = [\"production\"]\n\
        subject = { groups = [\"leads\"] }\naccept = { ends-soon = \"it never does, but it may\" }\n\
        [[rules]]\nid = \"keys-need-mfa\"\neffect = \"restrict\"\nscopes = [\"keys\"]\nrequire = { login = \"fresh-mfa\" }\n";
    let sources = sources_of(&format!("{EXAMPLE_GROUND}\n{text}"));
    let parsed = parse_everywhere(&sources);
    let findings = lint::run_everywhere(&parsed, &sources, None);
    let shown = findings.diagnostics.render(&sources, Style::PLAIN);
    assert!(!has(&findings, Lint::NeedlessAccept) && !has(&findings, Lint::UnreachableScope), "{shown}");
    assert!(!has(&findings, Lint::SwallowedScope), "{shown}");
    assert_eq!(findings.accepted.len(), 1);
    assert_eq!(findings.accepted[0].reason, "staging pays nobody out");

    // Said of all environments, each of these is said once; of one alone, not at all.
    let twice = text
        .replace("swallowed-scope", "product")
        .replace("id = \"keys\"\neffect = \"allow\"", "id = \"keys\"\neffect = \"deny\"");
    let sources = sources_of(&format!("{EXAMPLE_GROUND}\n{twice}"));
    let parsed = parse_everywhere(&sources);
    let findings = lint::run_everywhere(&parsed, &sources, None);
    for (lint, times) in [(Lint::UnreachableScope, 1), (Lint::NeedlessAccept, 0), (Lint::SwallowedScope, 1)] {
        let found = findings.diagnostics.iter().filter(|item| item.code == Code::Lint(lint)).count();
        assert_eq!(found, times, "{lint:?}: {}", findings.diagnostics.render(&sources, Style::PLAIN));
    }
    let production = parsed.environments.iter().find(|(name, _)| name.as_deref() == Some("production")).unwrap();
    assert!(!has(&lint::run(&production.1, &sources, None), Lint::UnreachableScope));
}

/// The heading of the table of lints in the reference, and the one that follows it.
const TABLE: (&str, &str) = ("| lint | | meaning |\n|---|---|---|\n", "\n## When something is wrong\n");

#[test]
fn the_reference_explains_every_lint() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/POLICY.md");
    let page = fs::read_to_string(&path).unwrap();
    let (before, rest) = page.split_once(TABLE.0).expect("the page has a table of lints");
    let (table, after) = rest.split_once(TABLE.1).expect("another section follows");
    let line = |lint: &Lint| {
        format!("| `{}` | {} | {} |\n", lint.as_str(), lint.severity().as_str(), lint.explanation().replace('|', "\\|"))
    };
    let expected: String = Lint::ALL.iter().map(line).collect();
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(&path, format!("{before}{}{expected}{}{after}", TABLE.0, TABLE.1)).unwrap();
    } else {
        assert_eq!(table, expected, "write the table anew with UPDATE_GOLDEN=1");
    }
}

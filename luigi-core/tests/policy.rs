//! Policies as their authors meet them: whole examples, and the diagnostics of broken ones as golden files.
//!
//! Each case in `tests/diagnostics` is a TOML file, or a directory of them, and a text with what is rendered for it. With
//! `UPDATE_GOLDEN=1` the texts are written anew; look at the difference before it is committed.

use luigi_core::policy::diagnostics::{Code, Style};
use luigi_core::policy::{Parsed, SourceSet, files_beside, parse, parse_everywhere};
use std::fs;
use std::path::{Path, PathBuf};

fn manifest_dir() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn sources_at(path: &Path) -> SourceSet {
    let mut sources = SourceSet::new();
    let mut files = vec![path.to_owned()];
    if path.is_dir() {
        files = fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()).collect();
        files.sort();
    }
    files.retain(|file| file.extension().is_some_and(|ext| ext == "toml"));
    for file in files {
        let name = file.file_name().unwrap().to_str().unwrap().to_owned();
        sources.add(name, fs::read_to_string(file).unwrap());
    }
    for name in files_beside(&sources) {
        match fs::read_to_string(if path.is_dir() { path.join(&name) } else { path.with_file_name(&name) }) {
            Ok(text) => {
                sources.add_beside(name.clone(), name, text);
            }
            Err(_) => sources.add_unreadable_beside(name, "there is no such file"),
        }
    }
    sources
}

fn parse_at(path: &Path) -> (SourceSet, Parsed) {
    let sources = sources_at(path);
    let parsed = parse_in_every_environment(&sources);
    (sources, parsed)
}

/// What all environments make of the policy: its last one, the tests of all, every problem.
fn parse_in_every_environment(sources: &SourceSet) -> Parsed {
    let everywhere = parse_everywhere(sources);
    let each = everywhere.environments.into_iter().map(|(_, parsed)| parsed);
    let all = each.reduce(|before, parsed| Parsed { tests: [before.tests, parsed.tests].concat(), ..parsed });
    Parsed { diagnostics: everywhere.diagnostics, ..all.expect("there is at least one") }
}

#[test]
fn the_example_policies_are_clean() {
    let folder = manifest_dir().join("../examples/policies");
    let mut seen = 0;
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let sources = sources_at(&path);
        let parsed = parse_everywhere(&sources);
        assert_eq!(parsed.diagnostics.render(&sources, Style::PLAIN), "");
        for (_, here) in &parsed.environments {
            assert!(here.policy.is_some() && !here.tests.is_empty(), "{}", path.display());
        }
        seen += 1;
    }
    assert!(seen > 0);
}

#[test]
fn broken_policies_are_explained_as_the_golden_files_say() {
    let folder = manifest_dir().join("tests/diagnostics");
    let update = std::env::var_os("UPDATE_GOLDEN").is_some();
    let mut cases: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    cases.retain(|path| path.is_dir() || path.extension().is_some_and(|ext| ext == "toml"));
    cases.sort();
    let mut different = Vec::new();
    for case in cases {
        let (sources, parsed) = parse_at(&case);
        assert!(parsed.policy.is_none() || !parsed.diagnostics.has_errors(), "{}", case.display());
        let rendered = parsed.diagnostics.render(&sources, Style::PLAIN);
        assert!(!rendered.is_empty(), "{} has no problem", case.display());
        let golden = case.with_extension("txt");
        if update {
            fs::write(&golden, &rendered).unwrap();
        } else if fs::read_to_string(&golden).ok().as_deref() != Some(rendered.as_str()) {
            different.push(format!("{}:\n{rendered}", golden.display()));
        }
    }
    assert!(different.is_empty(), "{}", different.join("\n\n"));
}

/// The heading of the table of codes in the reference, which ends the page.
const CODES: &str = "| code | meaning |\n|---|---|\n";

#[test]
fn the_reference_explains_every_code() {
    let path = manifest_dir().join("../docs/POLICY.md");
    let page = fs::read_to_string(&path).unwrap();
    let (before, table) = page.split_once(CODES).expect("the page has a table of codes");
    let line = |code: &Code| format!("| `{}` | {} |\n", code.as_str(), code.explanation().replace('|', "\\|"));
    let expected: String = Code::ALL.iter().map(line).collect();
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(&path, format!("{before}{CODES}{expected}")).unwrap();
    } else {
        assert_eq!(table, expected, "write the table anew with UPDATE_GOLDEN=1");
    }
}

#[test]
fn the_examples_of_the_reference_are_policies() {
    let page = fs::read_to_string(manifest_dir().join("../docs/POLICY.md")).unwrap();
    let blocks: Vec<&str> = page.split("```toml\n").skip(1).map(|rest| rest.split("```").next().unwrap()).collect();
    assert!(blocks.len() > 10);
    let mut whole = 0;
    for block in blocks {
        let mut sources = SourceSet::new();
        let text = if block.starts_with("schema") {
            whole += 1;
            block.to_owned()
        } else if block.starts_with("subject") {
            format!("schema = 1\n[[rules]]\nid = \"x\"\neffect = \"deny\"\nscopes = \"all\"\n{block}")
        } else {
            format!("schema = 1\n{block}")
        };
        sources.add("POLICY.md", text);
        for name in files_beside(&sources) {
            sources.add_beside(name.clone(), name, "192.0.2.0/24\n");
        }
        let mut problems = parse_everywhere(&sources).diagnostics;
        if !block.starts_with("schema") {
            // Excerpts name what stands elsewhere; everything else about them must be right.
            let elsewhere = [Code::UnknownName, Code::NoDefaultIssuer];
            let here = problems.iter().any(|item| !elsewhere.contains(&item.code));
            if !here {
                problems = luigi_core::policy::Diagnostics::default();
            }
        }
        assert_eq!(problems.render(&sources, Style::PLAIN), "");
    }
    assert!(whole > 0);
}

#[test]
fn problems_are_json_for_programs() {
    let mut sources = SourceSet::new();
    sources.add("a.toml", "schema = 1\n[groups]\nx = \"ä\"");
    sources.add("b.toml", "schema = 1\ngroups = { \"x\" = \"ü\", \"y{\" = \"z\" }");
    let problems = parse(&sources).diagnostics;
    let expected = serde_json::json!([
        {
            "file": "b.toml", "line": 2, "column": 12, "end_line": 2, "end_column": 15, "code": "duplicate-name", "severity": "error",
            "message": "group `x` is defined twice", "label": "again", "help": null,
            "related": [{ "file": "a.toml", "line": 3, "column": 1, "end_line": 3, "end_column": 2, "label": "first here" }],
        },
        {
            "file": "b.toml", "line": 2, "column": 25, "end_line": 2, "end_column": 26, "code": "invalid-name", "severity": "error",
            "message": "`y{` is not a name", "label": "not allowed in names",
            "help": "names consist of the letters a-z and A-Z, digits, `-`, `_` and `.`", "related": [],
        },
    ]);
    assert_eq!(problems.to_json(&sources), expected);
    let (sources, parsed) = (SourceSet::new(), parse(&SourceSet::new()));
    assert_eq!(parsed.diagnostics.to_json(&sources)[0]["file"], serde_json::Value::Null);
}

/// A value that is not understood stands for nothing: the parser goes on with an empty one to find further problems, and there is no policy.
#[test]
fn what_is_not_understood_never_leaves_a_policy() {
    const ESTATE: &str = "schema = 1\n[issuers.i]\nurl = \"https://i.example\"\naudiences = [\"a\"]\n[groups]\ng = \"g\"\n\
        [networks]\nn = [\"10.0.0.0/8\"]\n[scopes.s]\nhosts = [\"a.example\"]\npaths = [\"/x\"]\nmethods = \"any\"\n";
    let parsed = |rule: &str| {
        let mut sources = SourceSet::new();
        sources.add("policy.toml", format!("{ESTATE}[[rules]]\nid = \"r\"\nscopes = [\"s\"]\n{rule}\n"));
        parse(&sources)
    };
    let allow = "effect = \"allow\"\nsubject = \"anyone\"";
    assert!(parsed(allow).policy.is_some());
    for line in [
        "from = 5",
        "from = []",
        "from = [\"n\", 5]",
        "during = 1",
        "starts = \"x\"",
        "ends = 7",
        "mode = \"watch\"",
        "unless = 5",
        "unless = []",
        "unless = {}",
        "unless = { from = 7 }",
        "require = {}",
        "require = { subject = 5 }",
        "require = { subject = [] }",
        "require = { from = \"n\" }",
        "require = { approval = 3 }",
        "require = { login = 1 }",
    ] {
        let parsed = parsed(&format!("{allow}\n{line}"));
        assert!(parsed.policy.is_none() && parsed.diagnostics.has_errors(), "{line}");
    }
    for subject in
        ["5", "{}", "[]", "[{}]", "{ groups = \"g\" }", "{ groups = [] }", "{ groups = [5] }", "{ claims = 5 }"]
    {
        let parsed = parsed(&format!("effect = \"deny\"\nsubject = {subject}"));
        assert!(parsed.policy.is_none() && parsed.diagnostics.has_errors(), "{subject}");
    }
}

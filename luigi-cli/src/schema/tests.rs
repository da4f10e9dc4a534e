use super::value;
use luigi_core::policy::diagnostics::Code;
use luigi_core::policy::{SourceSet, parse};
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// A key that is not close to any other, so that the parser lists those it knows.
const ODD: &str = "zzzzzzzzzzzzzzzzzzzzzz";

/// Each table of the language: its name in the schema, and a policy with an unknown key in it. The root is `""`.
pub(super) const TABLES: &[(&str, &str)] = &[
    ("", "KEY = 1"),
    ("file", "[file]\nKEY = 1"),
    ("audit", "[audit]\nKEY = 1"),
    ("network-file", "[networks]\nx = { file = \"x\", KEY = 1 }"),
    ("issuer", "[issuers.x]\nKEY = 1"),
    ("claim-map", "[issuers.x.claims]\nKEY = 1"),
    ("proxy", "[proxies.x]\nKEY = 1"),
    ("schedule", "[schedules.x]\nKEY = 1"),
    ("login", "[logins.x]\nKEY = 1"),
    ("scope", "[scopes.x]\nKEY = 1"),
    ("approval", "[approvals.x]\nKEY = 1"),
    ("rule", "[[rules]]\nid = \"x\"\nKEY = 1"),
    ("matcher", "[[rules]]\nid = \"x\"\nsubject = { KEY = 1 }"),
    ("actor-matcher", "[[rules]]\nid = \"x\"\nvia = { KEY = 1 }"),
    ("claim-test", "[[rules]]\nid = \"x\"\nsubject = { claims = [{ KEY = 1 }] }"),
    ("conditions", "[[rules]]\nid = \"x\"\nunless = { KEY = 1 }"),
    ("requirements", "[[rules]]\nid = \"x\"\nrequire = { KEY = 1 }"),
    ("value-test-table", "[[rules]]\nid = \"x\"\nheaders = { a = { KEY = 1 } }"),
    ("certificate", "[[rules]]\nid = \"x\"\ncertificate = { KEY = 1 }"),
    ("capture-test", "[[rules]]\nid = \"x\"\nwhere = { a = { KEY = 1 } }"),
    ("host", "[hosts.\"a.test\"]\nKEY = 1"),
    ("fact", "[facts.x]\nKEY = 1"),
    ("test-certificate", "[[tests]]\nname = \"x\"\ncertificate = { KEY = 1 }"),
    ("test", "[[tests]]\nname = \"x\"\nKEY = 1"),
    ("test-case", "[[tests]]\nname = \"x\"\ncases = [{ KEY = 1 }]"),
    ("test-identity", "[[tests]]\nname = \"x\"\nas = { KEY = 1 }"),
    ("test-actor", "[[tests]]\nname = \"x\"\nas = { via = { KEY = 1 } }"),
    ("test-grant", "[[tests]]\nname = \"x\"\ngrants = [{ KEY = 1 }]"),
];

pub(super) fn definition<'s>(schema: &'s Value, name: &str) -> &'s Value {
    if name.is_empty() { schema } else { &schema["$defs"][name] }
}

fn keys(definition: &Value) -> BTreeSet<String> {
    definition["properties"].as_object().into_iter().flatten().map(|(key, _)| key.clone()).collect()
}

/// The keys that the parser says it knows where `text` has an unknown one.
fn known(text: &str) -> BTreeSet<String> {
    let mut sources = SourceSet::new();
    let text = if text.starts_with('K') { format!("schema = 1\n{text}") } else { format!("schema = 1\n\n{text}\n") };
    sources.add("p.toml", text.replace("KEY", ODD));
    let problems = parse(&sources).diagnostics.only(Code::UnknownKey);
    let problem = problems.iter().find(|problem| problem.message.contains(ODD));
    let help =
        problem.and_then(|problem| problem.help.as_deref()).unwrap_or_else(|| panic!("no unknown key in {text}"));
    let listed = help.strip_prefix("the keys known here are ").unwrap_or_else(|| panic!("{help}"));
    listed.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

#[test]
fn the_schema_has_the_keys_that_the_parser_has() {
    let schema = value();
    let mut differences = Vec::new();
    for (name, text) in TABLES {
        let mut known = known(text);
        if *name == "actor-matcher" {
            // The parser knows these to say why nobody can know them of whoever acts.
            for key in ["kinds", "emails", "email-domains", "groups", "groups-all"] {
                assert!(known.remove(key), "{key}");
            }
        }
        let described = keys(definition(&schema, name));
        let one_sided: Vec<_> = described.symmetric_difference(&known).collect();
        if !one_sided.is_empty() {
            differences.push(format!("`{name}`: {one_sided:?}"));
        }
    }
    assert!(differences.is_empty(), "keys that only the schema or only the parser has:\n{}", differences.join("\n"));
    let tested: BTreeSet<&str> = TABLES.iter().map(|(name, _)| *name).collect();
    for (name, definition) in schema["$defs"].as_object().unwrap() {
        let has_keys = definition.get("properties").is_some();
        assert_eq!(has_keys, tested.contains(name.as_str()), "`{name}` belongs into TABLES, or has no keys");
    }
}

#[test]
fn every_key_stands_in_the_reference() {
    let reference = fs::read_to_string("../docs/POLICY.md").unwrap();
    // The prose, not the list that is made of the schema.
    let (reference, _) = reference.split_once("\n## Every key\n").unwrap();
    let schema = value();
    for (table, _) in TABLES {
        for (key, meaning) in definition(&schema, table)["properties"].as_object().unwrap() {
            assert!(
                reference.contains(&format!("`{key}")) || reference.contains(&format!("[{key}")),
                "`{key}` of `{table}`"
            );
            let meaning = meaning.get("description").or_else(|| {
                let name = meaning["$ref"].as_str()?.rsplit('/').next()?;
                definition(&schema, name).get("description")
            });
            assert!(meaning.is_some(), "`{key}` of `{table}` has no description");
        }
    }
}

/// TOML as JSON: times and dates are strings.
fn json(value: toml::Value) -> Value {
    match value {
        toml::Value::Datetime(at) => Value::String(at.to_string()),
        toml::Value::Array(items) => items.into_iter().map(json).collect(),
        toml::Value::Table(table) => table.into_iter().map(|(key, value)| (key, json(value))).collect(),
        toml::Value::String(text) => text.into(),
        toml::Value::Integer(number) => number.into(),
        toml::Value::Float(number) => number.into(),
        toml::Value::Boolean(flag) => flag.into(),
    }
}

fn problem(text: &str) -> Option<String> {
    let mut schemas = boon::Schemas::new();
    let mut compiler = boon::Compiler::new();
    compiler.add_resource("urn:luigi:policy:1", value()).unwrap();
    let index = compiler.compile("urn:luigi:policy:1", &mut schemas).unwrap();
    let policy = json(toml::Value::Table(toml::from_str(text).unwrap()));
    schemas.validate(&policy, index).err().map(|error| error.to_string())
}

#[test]
fn policies_validate() {
    let mut seen = 0;
    let mut pending = vec![Path::new("../examples").to_owned(), Path::new("tests/data/shop.toml").to_owned()];
    while let Some(path) = pending.pop() {
        if path.is_dir() {
            pending.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        } else if path.ends_with("mistakes.toml") || path.ends_with("luigi.toml") {
            // The one is wrong on purpose, the other is the daemon's configuration.
        } else if path.extension().is_some_and(|extension| extension == "toml") {
            assert_eq!(problem(&fs::read_to_string(&path).unwrap()), None, "{}", path.display());
            seen += 1;
        }
    }
    assert!(seen > 3, "{seen}");
}

#[test]
fn mistakes_do_not_validate() {
    let rule = "schema = 1\n[[rules]]\nid = \"a\"\neffect = \"allow\"\nscopes = [\"x\"]\nsubject = \"anyone\"\n";
    assert_eq!(problem(rule), None);
    for (right, wrong) in [
        ("schema = 1", "schema = 2"),
        ("id = \"a\"\n", ""),
        ("\"allow\"", "\"denny\""),
        ("[\"x\"]", "\"some\""),
        ("[\"x\"]", "[]"),
        ("\"anyone\"", "{}"),
        ("\"anyone\"", "{ group = [\"x\"] }"),
        ("id = \"a\"", "id = \"ä\""),
    ] {
        assert!(problem(&rule.replace(right, wrong)).is_some(), "{wrong}");
    }
}

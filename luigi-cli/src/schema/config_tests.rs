//! The schema of the daemon's configuration says what the parser says, and docs/DAEMON.md what the schema says.

use super::CONFIG_TEXT;
use super::reference::{HEAD, kind, row, stands_in, written};
use luigi_core::daemon_config::parse;
use luigi_core::policy::SourceSet;
use luigi_core::policy::diagnostics::Code;
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

const SECTION: (&str, &str) = ("## Every key\n\n", "\n## As a service\n");

fn schema() -> Value {
    serde_json::from_str(CONFIG_TEXT).unwrap()
}

/// The tables: the top, and those under it.
fn tables(schema: &Value) -> Vec<(String, Value)> {
    let mut tables = vec![(String::new(), schema.clone())];
    tables.extend(schema["$defs"].as_object().unwrap().iter().map(|(name, table)| (name.clone(), table.clone())));
    tables
}

/// A configuration whose table has this in it.
fn with(table: &str, line: &str) -> SourceSet {
    let mut sources = SourceSet::new();
    let text =
        if table.is_empty() { format!("schema = 1\n{line}\n") } else { format!("schema = 1\n[{table}]\n{line}\n") };
    sources.add("luigi.toml", if line.starts_with("schema") { format!("{line}\n") } else { text });
    sources
}

#[test]
fn the_schema_has_the_keys_that_the_parser_has() {
    for (table, definition) in tables(&schema()) {
        let (_, problems) = parse(&with(&table, "zzzzzzzzzzzzzzzzzzz = 1"), Path::new("/"));
        let problem = problems.iter().find(|problem| problem.code == Code::UnknownKey).unwrap();
        let listed = problem.help.as_deref().unwrap().strip_prefix("the keys known here are ").unwrap();
        let known: BTreeSet<&str> = listed.split('`').skip(1).step_by(2).collect();
        let described: BTreeSet<&str> =
            definition["properties"].as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(described, known, "`{table}`");
    }
}

#[test]
fn every_example_and_default_is_one() {
    let schema = schema();
    let mut schemas = boon::Schemas::new();
    let mut compiler = boon::Compiler::new();
    compiler.add_resource("urn:luigi:config:1", schema.clone()).unwrap();
    for (table, definition) in tables(&schema) {
        for (key, property) in definition["properties"].as_object().unwrap() {
            let place = if table.is_empty() { String::new() } else { format!("/$defs/{table}") };
            let index =
                compiler.compile(&format!("urn:luigi:config:1#{place}/properties/{key}"), &mut schemas).unwrap();
            for example in property["examples"].as_array().unwrap().iter().chain(property.get("default")) {
                assert!(schemas.validate(example, index).is_ok(), "`{key}` of `{table}`: {example}");
                let (_, problems) = parse(&with(&table, &format!("{key} = {}", written(key, example))), Path::new("/"));
                let problem = problems.iter().find(|problem| problem.code != Code::MissingKey);
                assert_eq!(problem, None, "`{key}` of `{table}`: {example}");
            }
        }
    }
}

#[test]
fn the_example_beside_the_unit_is_one() {
    let text = fs::read_to_string("../examples/systemd/luigi.toml").unwrap();
    // Also with what stands in comments there.
    for text in [text.clone(), text.replace("# [", "[").replace("# path", "path")] {
        let mut sources = SourceSet::new();
        sources.add("luigi.toml", text.clone());
        let (said, problems) = parse(&sources, Path::new("/etc/luigi"));
        assert!(said.is_some() && problems.iter().next().is_none(), "{problems:?}");
        let mut schemas = boon::Schemas::new();
        let mut compiler = boon::Compiler::new();
        compiler.add_resource("urn:luigi:config:1", schema()).unwrap();
        let index = compiler.compile("urn:luigi:config:1", &mut schemas).unwrap();
        let value = serde_json::to_value(toml::from_str::<toml::Table>(&text).unwrap()).unwrap();
        assert!(schemas.validate(&value, index).is_ok(), "{text}");
    }
}

/// What the parser takes where a key is left out is what the schema says.
#[test]
fn defaults_are_what_the_schema_says() {
    let (bare, _) = parse(&with("", ""), Path::new("/"));
    for (table, definition) in tables(&schema()) {
        for (key, property) in definition["properties"].as_object().unwrap() {
            let Some(default) = property.get("default") else { continue };
            let (said, _) = parse(&with(&table, &format!("{key} = {}", written(key, default))), Path::new("/"));
            assert_eq!(said, bare, "`{key}` of `{table}`");
        }
    }
}

fn section() -> String {
    let schema = schema();
    let mut text =
        "What `luigi schema --config` says, too, so that an editor shows it where it is needed.\n".to_owned();
    for (table, definition) in tables(&schema) {
        let title = if table.is_empty() { "The top of the file".to_owned() } else { format!("`[{table}]`") };
        text += &format!("\n### {title}\n\n{HEAD}");
        for (key, property) in definition["properties"].as_object().unwrap() {
            let kind = if property.get("$ref").is_some() { "table".to_owned() } else { kind(property) };
            text += &row(&table, &definition, key, &kind, property.get("description"));
        }
    }
    text
}

#[test]
fn the_page_has_every_key() {
    stands_in("../docs/DAEMON.md", SECTION, &section());
}

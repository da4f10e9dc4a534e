//! The section of the reference that has every key: made of the schema, so that the two say the same.

use super::tests::{TABLES, definition};
use super::value;
use luigi_core::policy::diagnostics::Code;
use luigi_core::policy::{SourceSet, parse};
use serde_json::Value;
use std::fs;

/// Where the section begins and what follows it.
const SECTION: (&str, &str) = ("## Every key\n\n", "\n## What is legal and dangerous\n");

const OPENING: &str = "Type, default, example and meaning of each key, and since which version there is one. This is what `luigi schema` says, too, so an editor shows it where it is\n\
    needed; what lies behind a key stands above.\n";

/// What each table of the schema is called.
fn title(table: &str) -> String {
    match table {
        "" => "The top of a file".to_owned(),
        "file" | "audit" => format!("`[{table}]`"),
        "network-file" => "A network from a file".to_owned(),
        "issuer" | "schedule" | "login" | "scope" | "approval" | "fact" => format!("`[{table}s.NAME]`"),
        "claim-map" => "`claims` of an issuer".to_owned(),
        "proxy" => "`[proxies.NAME]`".to_owned(),
        "rule" | "test" => format!("`[[{table}s]]`"),
        "matcher" => "A matcher of subjects".to_owned(),
        "actor-matcher" => "A matcher of actors, in `via`".to_owned(),
        "claim-test" => "A test of a claim".to_owned(),
        "conditions" => "`unless`".to_owned(),
        "requirements" => "`require`".to_owned(),
        "value-test-table" => "A test of a header or parameter".to_owned(),
        "certificate" => "`certificate` of a rule".to_owned(),
        "capture-test" => "A test of a capture, in `where`".to_owned(),
        "host" => "`[hosts.\"HOST\"]`".to_owned(),
        "test-certificate" => "`certificate` of a test".to_owned(),
        "test-case" => "`cases` of a test".to_owned(),
        "test-identity" => "`as` of a test".to_owned(),
        "test-actor" => "`via` of a test's `as`".to_owned(),
        "test-grant" => "`grants` of a test".to_owned(),
        other => panic!("`{other}` has no title"),
    }
}

/// A value as a policy has it. Times and dates stand without quotes there.
pub(super) fn written(key: &str, value: &Value) -> String {
    match value {
        Value::String(text) if ["dates", "except-dates", "starts", "ends", "at"].contains(&key) => text.clone(),
        Value::String(text) if text.contains('\\') => format!("'{text}'"),
        Value::Array(items) => {
            let items: Vec<_> = items.iter().map(|item| written(key, item)).collect();
            format!("[{}]", items.join(", "))
        }
        Value::Object(members) => {
            let bare = |name: &str| name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
            let name = |name: &str| if bare(name) { name.to_owned() } else { format!("{name:?}") };
            let members: Vec<_> =
                members.iter().map(|(key, value)| format!("{} = {}", name(key), written(key, value))).collect();
            format!("{{ {} }}", members.join(", "))
        }
        Value::String(_) | Value::Number(_) | Value::Bool(_) | Value::Null => value.to_string(),
    }
}

/// What kind of value the schema describes, in words.
pub(super) fn kind(node: &Value) -> String {
    if let Some(name) = node["$ref"].as_str() {
        let name = name.rsplit('/').next().unwrap_or_default();
        return match name {
            "instant" => "point in time".to_owned(),
            "claim-path" => "path of names".to_owned(),
            "accept" => "table of reasons".to_owned(),
            "name" | "duration" => name.to_owned(),
            "frontend" => "name".to_owned(),
            "methods" | "hosts" | "subject" | "people" | "via" | "value-test" | "claim-value" => {
                kind(&value()["$defs"][name])
            }
            "matcher" | "actor-matcher" => "matcher".to_owned(),
            _ => "table".to_owned(),
        };
    }
    if let Some(words) = node["enum"].as_array() {
        return words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ");
    }
    if let Some(choices) = node["anyOf"].as_array() {
        let kinds: Vec<_> = choices.iter().map(kind).collect();
        return kinds.join(" or ");
    }
    match &node["type"] {
        _ if !node["const"].is_null() => format!("`{}`", node["const"]),
        Value::String(name) if name == "array" => match kind(&node["items"]).as_str() {
            one @ ("string" | "name" | "table" | "matcher") => format!("list of {one}s"),
            other => format!("list of {other}"),
        },
        Value::String(name) if name == "object" && node["additionalProperties"].is_object() => {
            match kind(&node["additionalProperties"]).as_str() {
                one @ ("string" | "table") => format!("table of {one}s"),
                other => format!("table of {}", other.replace("list of", "lists of").replace("or table", "or tables")),
            }
        }
        Value::String(name) if name == "object" => "table".to_owned(),
        Value::String(name) => name.clone(),
        Value::Array(names) => names.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" or "),
        other => panic!("{other} of {node}"),
    }
}

/// What stands above the rows of a table.
pub(super) const HEAD: &str = "| key | type | default | since | example | meaning |\n|---|---|---|---|---|---|\n";

/// What a page says of a key of a table that a schema defines.
pub(super) fn row(table: &str, definition: &Value, key: &str, kind: &str, meaning: Option<&Value>) -> String {
    let property = &definition["properties"][key];
    let mandatory = || definition["required"].as_array().is_some_and(|keys| keys.iter().any(|one| one == key));
    let default = match (&property["x-default"], &property["default"]) {
        (Value::String(words), _) => words.clone(),
        (_, Value::Null) if mandatory() => "mandatory".to_owned(),
        (_, Value::Null) => panic!("`{key}` of `{table}` has no default"),
        (_, value) => format!("`{}`", written(key, value)),
    };
    let since = property["x-since"].as_str().unwrap_or_else(|| panic!("`{key}` of `{table}` has no version"));
    let example = property["examples"].get(0).unwrap_or_else(|| panic!("`{key}` of `{table}` has no example"));
    let meaning = meaning.and_then(Value::as_str).unwrap_or_else(|| panic!("`{key}` of `{table}` has no meaning"));
    let (key, example) = (format!("`{key}`"), format!("`{key} = {}`", written(key, example)));
    let cells = [&key, kind, &default, since, &example, meaning];
    format!("| {} |\n", cells.map(|cell| cell.replace('|', "\\|")).join(" | "))
}

/// Compares what stands in a page between two lines with what is expected there, or writes it.
pub(super) fn stands_in(path: &str, (from, to): (&str, &str), expected: &str) {
    let page = fs::read_to_string(path).unwrap();
    let (before, rest) = page.split_once(from).expect("the page has a section of all keys");
    let (keys, after) = rest.split_once(to).expect("another section follows");
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(path, format!("{before}{from}{expected}{to}{after}")).unwrap();
    } else {
        assert!(keys == expected, "write the section anew with UPDATE_GOLDEN=1");
    }
}

fn section() -> String {
    let schema = value();
    let mut text = OPENING.to_owned();
    for (table, _) in TABLES {
        let definition = definition(&schema, table);
        text += &format!("\n### {}\n\n", title(table));
        text += HEAD;
        for (key, property) in definition["properties"].as_object().unwrap() {
            let meaning = property.get("description").or_else(|| {
                let name = property["$ref"].as_str()?.rsplit('/').next()?;
                schema["$defs"][name].get("description")
            });
            let kind = if key.ends_with("dates") { "list of dates".to_owned() } else { kind(property) };
            text += &row(table, definition, key, &kind, meaning);
        }
    }
    text
}

#[test]
fn the_reference_has_every_key_with_type_default_version_example_and_meaning() {
    stands_in("../docs/POLICY.md", SECTION, &section());
}

#[test]
fn every_example_of_the_schema_is_one() {
    let schema = value();
    let mut schemas = boon::Schemas::new();
    let mut compiler = boon::Compiler::new();
    compiler.add_resource("urn:luigi:policy:1", value()).unwrap();
    let mut misunderstood = Vec::new();
    for (table, text) in TABLES {
        for (key, property) in definition(&schema, table)["properties"].as_object().unwrap() {
            let place = if table.is_empty() { String::new() } else { format!("/$defs/{table}") };
            let place = format!("urn:luigi:policy:1#{place}/properties/{key}");
            let index = compiler.compile(&place, &mut schemas).unwrap();
            let examples = property["examples"].as_array().unwrap();
            for example in examples.iter().chain(property.get("default")) {
                let problem = schemas.validate(example, index).err().map(|error| error.to_string());
                assert_eq!(problem, None, "`{key}` of `{table}`");
                misunderstood.extend(complaint(text, key, example));
            }
        }
    }
    assert!(misunderstood.is_empty(), "{}", misunderstood.join("\n"));
}

/// What the parser says against an example, but for what it leaves out or refers to.
fn complaint(table: &str, key: &str, example: &Value) -> Option<String> {
    let mut sources = SourceSet::new();
    let text = table.replace("KEY = 1", &format!("{key} = {}", written(key, example)));
    sources.add("p.toml", if key == "schema" { text } else { format!("schema = 1\n{text}\n") });
    let around = [
        Code::MissingKey,
        Code::UnknownName,
        Code::NoDefaultIssuer,
        Code::MissingCapture,
        // `id` and `name` stand in the table already.
        Code::DuplicateName,
        Code::InvalidFile,
        // A table that holds nothing else, a type that must be said as well, grants to nobody.
        Code::EmptyValue,
        Code::MisplacedKey,
        Code::ConflictingKeys,
        Code::InvalidTest,
        Code::EnvironmentNotChosen,
    ];
    let problems = parse(&sources).diagnostics;
    let problem = problems.iter().find(|problem| !around.contains(&problem.code))?;
    Some(format!("`{key} = {}` in {table:?}: {}", written(key, example), problem.message))
}

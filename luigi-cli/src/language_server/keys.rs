//! What the schema says about a place in a policy.

use serde_json::Value;

/// A key that is possible somewhere.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Key<'s> {
    pub(super) name: &'s str,
    pub(super) meaning: Option<&'s str>,
}

/// The parts of the schema that describe the value at a path of tables and keys; lists are passed through.
fn at<'s>(schema: &'s Value, path: &[String]) -> Vec<&'s Value> {
    let mut nodes = vec![schema];
    for name in path {
        let tables = nodes.into_iter().flat_map(|node| tables(schema, node));
        nodes = tables
            .filter_map(|table| table["properties"].get(name).or_else(|| table.get("additionalProperties")))
            .collect();
        nodes.retain(|node| node.is_object());
    }
    nodes
}

/// The tables that a value can be, or that can be in its list.
fn tables<'s>(schema: &'s Value, node: &'s Value) -> Vec<&'s Value> {
    if let Some(name) = node["$ref"].as_str() {
        return tables(schema, &schema["$defs"][name.rsplit('/').next().unwrap_or_default()]);
    }
    if let Some(choices) = node["anyOf"].as_array() {
        return choices.iter().flat_map(|choice| tables(schema, choice)).collect();
    }
    match node["type"].as_str() {
        Some("array") => tables(schema, &node["items"]),
        Some("object") => vec![node],
        _ => Vec::new(),
    }
}

/// The keys of the table at a path.
pub(super) fn keys<'s>(schema: &'s Value, path: &[String]) -> Vec<Key<'s>> {
    let tables = at(schema, path).into_iter().flat_map(|node| tables(schema, node));
    let mut keys: Vec<_> = tables
        .filter_map(|table| table["properties"].as_object())
        .flatten()
        .map(|(name, node)| Key { name, meaning: meaning(schema, node) })
        .collect();
    keys.sort_unstable_by_key(|key| key.name);
    keys.dedup_by_key(|key| key.name);
    keys
}

/// What a key means.
pub(super) fn key_meaning<'s>(schema: &'s Value, path: &[String]) -> Option<&'s str> {
    at(schema, path).into_iter().find_map(|node| meaning(schema, node))
}

fn meaning<'s>(schema: &'s Value, node: &'s Value) -> Option<&'s str> {
    let own = node["description"].as_str();
    own.or_else(|| meaning(schema, schema["$defs"].get(node["$ref"].as_str()?.rsplit('/').next()?)?))
}

/// The words that a value at a path can be, or that can be in its list.
pub(super) fn words<'s>(schema: &'s Value, path: &[String]) -> Vec<&'s str> {
    fn of<'s>(schema: &'s Value, node: &'s Value) -> Vec<&'s str> {
        if let Some(name) = node["$ref"].as_str() {
            return of(schema, &schema["$defs"][name.rsplit('/').next().unwrap_or_default()]);
        }
        let own = node["enum"].as_array().into_iter().flatten().filter_map(Value::as_str);
        let choices = node["anyOf"].as_array().into_iter().flatten().flat_map(|choice| of(schema, choice));
        let items = node.get("items").into_iter().flat_map(|items| of(schema, items));
        own.chain(choices).chain(items).collect()
    }
    at(schema, path).into_iter().flat_map(|node| of(schema, node)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(names: &str) -> Vec<String> {
        names.split('.').filter(|name| !name.is_empty()).map(str::to_owned).collect()
    }

    #[test]
    fn the_schema_is_found_by_path() {
        let schema = crate::schema::value();
        let names = |at: &str| keys(&schema, &path(at)).into_iter().map(|key| key.name).collect::<Vec<_>>();
        assert!(names("").contains(&"scopes"));
        assert!(names("scopes.anything").contains(&"privileged"));
        assert!(names("rules").contains(&"effect"));
        assert!(names("rules.subject").contains(&"groups-all"));
        assert!(names("rules.subject.claims").contains(&"words"));
        assert!(names("rules.unless.subject").contains(&"emails"));
        assert!(names("tests.cases.as").contains(&"login"));
        assert_eq!(names("rules.id"), Vec::<&str>::new());
        assert_eq!(names("groups.x.y"), Vec::<&str>::new());
        assert_eq!(words(&schema, &path("rules.effect")), ["allow", "restrict", "deny"]);
        assert!(words(&schema, &path("schedules.x.days")).contains(&"mon"));
        assert!(words(&schema, &path("scopes.x.methods")).contains(&"read"));
        assert!(key_meaning(&schema, &path("rules.subject")).unwrap().contains("anyone"));
        assert!(key_meaning(&schema, &path("scopes")).is_some());
    }
}

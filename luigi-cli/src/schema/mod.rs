//! The JSON Schemas of policy files and of the daemon's configuration, for editors.
//!
//! It says which keys there are, what they mean and what shape their values have, with an example of each; `x-default` is a default in words, `x-since` the version
//! that brought the key. Tests hold it to the parser and make the section of all keys in docs/POLICY.md of it. What it cannot
//! say, such as which names are defined, `luigi check` and the language server say.

use serde_json::Value;

/// The schema, JSON Schema draft 2020-12.
pub(crate) const TEXT: &str = include_str!("policy.schema.json");

/// The schema of the daemon's configuration, likewise.
pub(crate) const CONFIG_TEXT: &str = include_str!("config.schema.json");

/// The schema as a value.
pub(crate) fn value() -> Value {
    serde_json::from_str(TEXT).expect("the schema that is compiled in is JSON")
}

#[cfg(test)]
mod config_tests;
#[cfg(test)]
mod reference;
#[cfg(test)]
mod tests;

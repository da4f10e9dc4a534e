//! From operations to the scopes of a policy file, new or long since edited.
//!
//! A scope that was written here has a comment above it, `# operation: createOrder (POST /v1/orders)`: the operation's id, by which the scope is
//! recognised whatever its name, and what the document had for it. What people write stays: hosts, names, tags, descriptions, privilege, comments,
//! order. Only `operations` follow the document, and of these only what the document has or had.

use super::description::{Description, Operation};
use std::collections::{BTreeMap, BTreeSet};
use toml_edit::{Array, DocumentMut, Item, Table, value};

/// How the comment above a scope begins.
const MARK: &str = "# operation: ";

/// What a merge did, by names of scopes.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Changes {
    pub(crate) new: Vec<String>,
    /// With what `operations` were before and are now.
    pub(crate) changed: Vec<(String, Vec<String>, Vec<String>)>,
    /// Scopes whose operation is no longer in the document; with `prune` they are gone.
    pub(crate) vanished: Vec<String>,
    pub(crate) same: usize,
}

/// Whether scopes whose operation has vanished are taken away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Vanished {
    Keep,
    Remove,
}

/// Brings a policy file up to the description; `hosts` are for operations whose servers name none.
///
/// # Errors
/// The text is not TOML, `scopes` is not a table, or a new scope would have no host.
pub(crate) fn merge(
    text: &str,
    description: &Description,
    hosts: &[String],
    vanished: Vanished,
) -> Result<(String, Changes), String> {
    let mut document: DocumentMut = text.parse().map_err(|error| format!("it is not TOML: {error}"))?;
    if document.is_empty() {
        document["schema"] = value(1);
    }
    let scopes = document.entry("scopes").or_insert_with(|| {
        let mut table = Table::new();
        table.set_implicit(true);
        Item::Table(table)
    });
    let scopes = scopes.as_table_mut().ok_or("`scopes` is not a table of its own; write each as `[scopes.NAME]`")?;
    let mut marked: BTreeMap<String, String> = BTreeMap::new();
    for (name, scope) in scopes.iter() {
        if let Some(mark) = scope.as_table().and_then(Mark::of) {
            marked.insert(mark.id, name.to_owned());
        }
    }
    let mut changes = Changes::default();
    let mut kept = BTreeSet::new();
    for operation in &description.operations {
        let name = marked.get(&operation.id).unwrap_or(&operation.name).clone();
        match scopes.get_mut(&name) {
            Some(scope) => {
                let scope = scope
                    .as_table_mut()
                    .ok_or_else(|| format!("the scope `{name}` is not written as `[scopes.{name}]`"))?;
                // A scope of that name which people wrote for something else is not ours.
                let mark = Mark::of(scope);
                // Somebody's own scope must not become wider because an operation happens to have its name: rules open it.
                if mark.is_none() && !operation.lines.iter().all(|line| operations(scope).contains(line)) {
                    return Err(format!(
                        "the scope `{name}` was not written for an operation, and `{}` would have its name; rename it, or put the comment \
                         `{MARK}{}` above it if it is about that",
                        operation.id, operation.id
                    ));
                }
                if let Some(other) = mark.as_ref().filter(|mark| mark.id != operation.id) {
                    return Err(format!(
                        "the scope `{name}` is about the operation `{}`, and `{}` would have its name; rename the scope",
                        other.id, operation.id
                    ));
                }
                match update(scope, operation, mark) {
                    Some((before, after)) => changes.changed.push((name.clone(), before, after)),
                    None => changes.same += 1,
                }
            }
            None => {
                scopes.insert(&name, Item::Table(new(operation, hosts)?));
                changes.new.push(name.clone());
            }
        }
        kept.insert(name);
    }
    changes.vanished = marked.into_values().filter(|name| !kept.contains(name)).collect();
    if vanished == Vanished::Remove {
        for name in &changes.vanished {
            scopes.remove(name);
        }
    }
    Ok((document.to_string(), changes))
}

/// What a scope was written for.
struct Mark {
    id: String,
    /// The operations that it was given.
    lines: Vec<String>,
}

impl Mark {
    fn of(scope: &Table) -> Option<Self> {
        let above = scope.decor().prefix()?.as_str()?;
        let text = above.lines().rev().find_map(|line| line.trim().strip_prefix(MARK))?.trim();
        let known = text.rsplit_once(" (").and_then(|(id, lines)| Some((id, lines.strip_suffix(')')?)));
        let (id, lines) = known.unwrap_or((text, ""));
        Some(Self {
            id: id.to_owned(),
            lines: lines.split(", ").filter(|line| !line.is_empty()).map(str::to_owned).collect(),
        })
    }

    fn text(operation: &Operation) -> String {
        format!("{MARK}{} ({})", operation.id, operation.lines.join(", "))
    }

    /// Puts it above a scope, in the place of the one before.
    fn put(scope: &mut Table, operation: &Operation) {
        let above = scope.decor().prefix().and_then(|prefix| prefix.as_str()).unwrap_or("\n");
        let mut lines: Vec<_> = above.lines().map(str::to_owned).collect();
        match lines.iter_mut().rev().find(|line| line.trim().starts_with(MARK)) {
            Some(line) => *line = Self::text(operation),
            None => lines.push(Self::text(operation)),
        }
        scope.decor_mut().set_prefix(lines.join("\n") + "\n");
    }
}

fn new(operation: &Operation, hosts: &[String]) -> Result<Table, String> {
    let hosts = if operation.hosts.is_empty() { hosts } else { &operation.hosts };
    if hosts.is_empty() {
        return Err(format!("no server says on which host `{}` is; name it with `--host`", operation.id));
    }
    let mut scope = Table::new();
    Mark::put(&mut scope, operation);
    if let Some(summary) = &operation.summary {
        scope["description"] = value(summary);
    }
    scope["hosts"] = value(hosts.iter().collect::<Array>());
    scope["operations"] = value(operation.lines.iter().collect::<Array>());
    if !operation.tags.is_empty() {
        scope["tags"] = value(operation.tags.iter().collect::<Array>());
    }
    Ok(scope)
}

/// What is written under `operations`.
fn operations(scope: &Table) -> Vec<String> {
    let written = scope.get("operations").and_then(Item::as_array);
    written.into_iter().flatten().filter_map(|line| line.as_str().map(str::to_owned)).collect()
}

/// Brings `operations` up to date: what the document had and has no more goes, what it has comes, the rest is somebody's own and stays.
fn update(scope: &mut Table, operation: &Operation, mark: Option<Mark>) -> Option<(Vec<String>, Vec<String>)> {
    let before = operations(scope);
    let had = mark?.lines;
    if operation.lines == had {
        // The document says what it said; whatever people made of it since is theirs.
        return None;
    }
    let gone = |line: &String| had.contains(line) && !operation.lines.contains(line);
    let mut after: Vec<String> = before.iter().filter(|line| !gone(line)).cloned().collect();
    after.extend(operation.lines.iter().filter(|line| !before.contains(line)).cloned());
    Mark::put(scope, operation);
    (after != before).then(|| {
        scope["operations"] = value(after.iter().collect::<Array>());
        (before, after)
    })
}

//! From operations to the scopes of a policy file, new or long since edited.
//!
//! A scope that was written here has a comment above it, `# operation: createOrder (POST /v1/orders)`: the operation's id, by which the scope is
//! recognised whatever its name, and what the document had for it; and `# document: hosts = [...], tags = [...]`, what else was taken from it. What
//! people write stays: names, privilege, comments, order. `operations` follow the document, and of these only what the document has or had; `hosts`,
//! `tags` and `description` follow it as long as they are as they were written here.

use super::description::{Description, Operation};
use std::collections::{BTreeMap, BTreeSet};
use toml_edit::{Array, DocumentMut, Item, Table, Value, value};

/// How the comment above a scope begins.
const MARK: &str = "# operation: ";

/// How the comment with what else was taken from the document begins.
const TAKEN: &str = "# document: ";

/// What a merge did, by names of scopes.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Changes {
    pub(crate) new: Vec<String>,
    /// With what `operations` were before and are now.
    pub(crate) changed: Vec<(String, Vec<String>, Vec<String>)>,
    /// What else the document says otherwise than before, or than the scope does.
    pub(crate) said: Vec<Said>,
    /// How many scopes of earlier versions got the comment that says what was taken from the document.
    pub(crate) noted: usize,
    /// Scopes whose operation is no longer in the document; with `prune` they are gone.
    pub(crate) vanished: Vec<String>,
    pub(crate) same: usize,
}

/// One key of a scope of which the document says something else.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Said {
    pub(crate) scope: String,
    /// `hosts`, `tags` or `description`.
    pub(crate) key: &'static str,
    /// As the scope has it, in TOML.
    pub(crate) before: Option<String>,
    /// As the document has it.
    pub(crate) document: Option<String>,
    /// Whether the scope has it now; else it is somebody's own and stays.
    pub(crate) taken: bool,
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
                let is_ours = mark.is_some();
                let mut same = true;
                if let Some((before, after)) = update(scope, operation, mark) {
                    changes.changed.push((name.clone(), before, after));
                    same = false;
                }
                if is_ours {
                    let (said, noted) = follow(scope, &name, operation, hosts);
                    same &= !said.iter().any(|one| one.taken);
                    changes.said.extend(said);
                    changes.noted += usize::from(noted);
                }
                changes.same += usize::from(same);
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
        let text = line_above(scope, MARK)?.trim();
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
        put(scope, MARK, &Self::text(operation));
    }
}

fn new(operation: &Operation, hosts: &[String]) -> Result<Table, String> {
    let hosts = if operation.hosts.is_empty() { hosts } else { &operation.hosts };
    if hosts.is_empty() {
        return Err(format!("no server says on which host `{}` is; name it with `--host`", operation.id));
    }
    let mut scope = Table::new();
    Mark::put(&mut scope, operation);
    let taken = taken(operation, hosts);
    put(&mut scope, TAKEN, &taken_line(&taken));
    // In the order in which people read them.
    for key in ["description", "hosts", "operations", "tags"] {
        let item = if key == "operations" { Some(lines(&operation.lines)) } else { taken[key].clone() };
        if let Some(item) = item {
            scope[key] = Item::Value(item);
        }
    }
    Ok(scope)
}

/// What a document says of hosts, tags and the description of a scope; a key without value is one that it has nothing for.
type Taken = BTreeMap<&'static str, Option<Value>>;

fn taken(operation: &Operation, hosts: &[String]) -> Taken {
    let hosts = if operation.hosts.is_empty() { hosts } else { &operation.hosts };
    let list = |items: &[String]| (!items.is_empty()).then(|| lines(items));
    BTreeMap::from([
        ("hosts", list(hosts)),
        ("tags", list(&operation.tags)),
        ("description", operation.summary.as_ref().map(Value::from)),
    ])
}

fn lines(items: &[String]) -> Value {
    Value::Array(items.iter().collect::<Array>())
}

/// As it is compared and shown: without what people put around it.
fn shown(value: &Value) -> String {
    let plain = |value: &Value| value.clone().decorated("", "").to_string();
    match value.as_array() {
        Some(items) => format!("[{}]", items.iter().map(plain).collect::<Vec<_>>().join(", ")),
        None => plain(value),
    }
}

fn taken_line(taken: &Taken) -> String {
    let said = taken.iter().filter_map(|(key, value)| Some(format!("{key} = {}", shown(value.as_ref()?))));
    format!("{TAKEN}{}", said.collect::<Vec<_>>().join(", "))
}

/// The comment line that begins like this, above a scope.
fn line_above<'s>(scope: &'s Table, begins: &str) -> Option<&'s str> {
    let above = scope.decor().prefix()?.as_str()?;
    above.lines().rev().find_map(|line| line.trim().strip_prefix(begins))
}

/// Lets `hosts`, `tags` and `description` follow the document where they are as they were taken from it; and whether the scope had no comment that
/// says what was.
fn follow(scope: &mut Table, name: &str, operation: &Operation, hosts: &[String]) -> (Vec<Said>, bool) {
    let before: Option<DocumentMut> =
        line_above(scope, TAKEN).and_then(|line| format!("it = {{ {} }}", line.trim()).parse().ok());
    let had = |key: &str| before.as_ref().and_then(|it| it.get("it")?.get(key)?.as_value()).map(shown);
    let mut taken = taken(operation, hosts);
    // Whoever named the hosts with `--host` need not name them again.
    if taken["hosts"].is_none() {
        let known = before.as_ref().and_then(|it| it.get("it")?.get("hosts")?.as_value().cloned());
        taken.insert("hosts", known.or_else(|| scope.get("hosts").and_then(Item::as_value).cloned()));
    }
    let mut said = Vec::new();
    for (key, value) in &taken {
        let (document, now) = (value.as_ref().map(shown), scope.get(key).and_then(Item::as_value).map(shown));
        let is_news = before.is_none() || had(key) != document;
        if !is_news || now == document {
            continue;
        }
        let ours = before.is_some() && now == had(key);
        if ours {
            match value {
                // In the place that it has, with the comment behind it.
                Some(value) => match scope.get_mut(key).and_then(Item::as_value_mut) {
                    Some(old) => {
                        let decor = old.decor().clone();
                        *old = value.clone();
                        *old.decor_mut() = decor;
                    }
                    None => scope[key] = Item::Value(value.clone()),
                },
                None => drop(scope.remove(key)),
            }
        }
        said.push(Said { scope: name.to_owned(), key, before: now, document, taken: ours });
    }
    put(scope, TAKEN, &taken_line(&taken));
    (said, before.is_none())
}

/// Puts a comment line above a scope, in the place of the one that begins alike.
fn put(scope: &mut Table, begins: &str, text: &str) {
    let above = scope.decor().prefix().and_then(|prefix| prefix.as_str()).unwrap_or("\n");
    let mut lines: Vec<_> = above.lines().map(str::to_owned).collect();
    match lines.iter_mut().rev().find(|line| line.trim().starts_with(begins)) {
        Some(line) => *line = text.to_owned(),
        None => lines.push(text.to_owned()),
    }
    scope.decor_mut().set_prefix(lines.join("\n") + "\n");
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

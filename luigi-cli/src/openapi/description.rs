//! From an OpenAPI document to operations in the words of policies.
//!
//! Read are the servers, paths, methods, operation ids, tags and summaries of OpenAPI 3.0 to 3.2, and the same of Swagger 2.0. Everything else
//! of a document is about what a service does with a request and not about who may make it.

use luigi_core::policy::model::Policy;
use luigi_core::policy::{SourceSet, parse};
use serde_json::{Map, Value};
use std::collections::BTreeSet;

/// The most bytes that are read of a document.
pub(crate) const MAX_BYTES: usize = 32 * 1024 * 1024;

/// The most operations that a document may have.
const MAX_OPERATIONS: usize = 20_000;

/// The most addresses that the variables of one server make.
const MAX_ADDRESSES: usize = 64;

/// The longest name of a scope, in bytes.
const MAX_NAME_BYTES: usize = 64;

/// What scopes are made of.
#[derive(Debug)]
pub(crate) struct Description {
    /// In order of their paths.
    pub(crate) operations: Vec<Operation>,
    /// What could not be read, with the place and the cure; the other operations are complete.
    pub(crate) problems: Vec<String>,
}

impl Description {
    /// A policy with a scope for each operation, as lints compare with those of another; one whose servers do not say is on any host.
    pub(crate) fn policy(&self) -> Result<Policy, String> {
        let mut document = toml_edit::DocumentMut::new();
        document["schema"] = toml_edit::value(1);
        let mut scopes = toml_edit::Table::new();
        for operation in &self.operations {
            let mut scope = toml_edit::Table::new();
            scope["hosts"] = match &operation.hosts[..] {
                [] => toml_edit::value("any"),
                hosts => toml_edit::value(hosts.iter().collect::<toml_edit::Array>()),
            };
            scope["operations"] = toml_edit::value(operation.lines.iter().collect::<toml_edit::Array>());
            scopes.insert(&operation.name, toml_edit::Item::Table(scope));
        }
        document["scopes"] = toml_edit::Item::Table(scopes);
        let mut sources = SourceSet::new();
        sources.add("operations", document.to_string());
        let parsed = parse(&sources);
        let problem = || parsed.diagnostics.iter().next().map_or_else(String::new, |problem| problem.message.clone());
        parsed.policy.clone().ok_or_else(problem)
    }
}

/// One operation, perhaps at several servers.
#[derive(Debug)]
pub(crate) struct Operation {
    /// The operation id, or method and path if the document has none: what a scope is recognised by.
    pub(crate) id: String,
    /// The scope's name, unique in the document.
    pub(crate) name: String,
    /// Hosts, sorted; empty if the servers do not say.
    pub(crate) hosts: Vec<String>,
    /// `METHOD /path`, once for each base path of the servers.
    pub(crate) lines: Vec<String>,
    pub(crate) tags: Vec<String>,
    pub(crate) summary: Option<String>,
}

/// Methods that a path can have. TRACE is not among them: no scope opens it.
const METHODS: [&str; 8] = ["get", "put", "post", "delete", "options", "head", "patch", "query"];

/// Reads a document.
///
/// # Errors
/// The text is neither JSON nor YAML, no OpenAPI document, or too large.
pub(crate) fn read(text: &str) -> Result<Description, String> {
    if text.len() > MAX_BYTES {
        return Err(format!("it is larger than {} MiB", MAX_BYTES >> 20));
    }
    // Every JSON text is YAML, but what is wrong with JSON is said best by its own parser.
    let document: Value = if text.trim_start().starts_with('{') {
        serde_json::from_str(text).map_err(|error| format!("it is not JSON: {error}"))?
    } else {
        serde_saphyr::from_str(text).map_err(|error| format!("it is not YAML: {error}"))?
    };
    let version = |key| document.get(key).and_then(Value::as_str).unwrap_or_default();
    let (servers, problems) = match (version("openapi"), version("swagger")) {
        (three, _) if three.starts_with("3.") => servers(document.get("servers")),
        (_, "2.0") => (swagger_servers(&document), Vec::new()),
        _ => return Err("it is no OpenAPI document: `openapi` should be \"3...\", or `swagger` \"2.0\"".to_owned()),
    };
    let mut reader =
        Reader { document: &document, names: BTreeSet::new(), ids: BTreeSet::new(), operations: Vec::new(), problems };
    reader.paths(&servers)?;
    Ok(Description { operations: reader.operations, problems: reader.problems })
}

/// Where an API is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Server {
    host: Option<String>,
    /// Without a slash at the end.
    base_path: String,
}

/// Servers as a document lists them; what of them is left out comes with them.
fn servers(listed: Option<&Value>) -> (Vec<Server>, Vec<String>) {
    let mut problems = Vec::new();
    let listed = listed.and_then(Value::as_array).into_iter().flatten();
    let urls: Vec<String> = listed.flat_map(|listed| addresses(listed, &mut problems)).collect();
    let mut servers: Vec<_> = urls.iter().map(|url| server(url)).collect();
    let mut known = BTreeSet::new();
    servers.retain(|server| known.insert(server.clone()));
    // OpenAPI: without servers, the API is where the document is.
    if servers.is_empty() {
        servers.push(Server { host: None, base_path: String::new() });
    }
    (servers, problems)
}

/// The addresses of a server: one for each combination of the values that its variables may have.
fn addresses(server: &Value, problems: &mut Vec<String>) -> Vec<String> {
    let Some(url) = server.get("url").and_then(Value::as_str) else { return Vec::new() };
    let mut urls = vec![url.to_owned()];
    for (name, variable) in server.get("variables").and_then(Value::as_object).into_iter().flatten() {
        let place = format!("{{{name}}}");
        if !url.contains(&place) {
            continue;
        }
        let default = variable.get("default").and_then(Value::as_str);
        let listed = variable.get("enum").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
        let mut values: Vec<&str> = default.into_iter().chain(listed).collect();
        let mut known = BTreeSet::new();
        values.retain(|value| known.insert(*value));
        if urls.len() * values.len() > MAX_ADDRESSES {
            problems.push(format!(
                "the server `{url}` has more than {MAX_ADDRESSES} addresses: of `{place}` only the default is taken, so add the \
                 hosts and paths that are missing"
            ));
            values.truncate(1);
        }
        if !values.is_empty() {
            urls = values.iter().flat_map(|value| urls.iter().map(|url| url.replace(&place, value))).collect();
        }
    }
    urls
}

fn server(url: &str) -> Server {
    let (host, path) = match url.split_once("://") {
        Some((_, rest)) => {
            let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
            (Some(without_port(authority).to_ascii_lowercase()), path)
        }
        None => (None, url),
    };
    let path = path.split(['?', '#']).next().unwrap_or_default().trim_matches('/');
    let base_path = if path.is_empty() { String::new() } else { format!("/{path}") };
    Server { host: host.filter(|host| !host.is_empty()), base_path }
}

fn without_port(authority: &str) -> &str {
    match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
        Some(_) | None => authority,
    }
}

fn swagger_servers(document: &Value) -> Vec<Server> {
    let text = |key| document.get(key).and_then(Value::as_str);
    let host = text("host").map_or(String::new(), |host| format!("https://{host}"));
    vec![server(&format!("{host}{}", text("basePath").unwrap_or_default()))]
}

struct Reader<'d> {
    document: &'d Value,
    names: BTreeSet<String>,
    /// By which scopes are found again.
    ids: BTreeSet<String>,
    operations: Vec<Operation>,
    problems: Vec<String>,
}

impl<'d> Reader<'d> {
    fn paths(&mut self, servers: &[Server]) -> Result<(), String> {
        let paths = self.document.get("paths").and_then(Value::as_object).ok_or("it has no `paths`")?;
        for (path, item) in paths {
            // Extensions may stand beside paths.
            if !path.starts_with('/') {
                continue;
            }
            let Some(item) = self.item(path, item) else { continue };
            let own = item.get("servers").map(|listed| self.servers(listed));
            let servers = own.as_deref().unwrap_or(servers);
            for method in METHODS {
                if let Some(operation) = item.get(method).and_then(Value::as_object) {
                    self.operation(method, path, operation, servers);
                }
            }
            if item.contains_key("trace") {
                self.problems.push(format!("`TRACE {path}` has no scope: no policy opens TRACE"));
            }
            if self.operations.len() > MAX_OPERATIONS {
                return Err(format!("it has more than {MAX_OPERATIONS} operations"));
            }
        }
        Ok(())
    }

    /// Servers of one path or operation.
    fn servers(&mut self, listed: &Value) -> Vec<Server> {
        let (found, problems) = servers(Some(listed));
        self.problems.extend(problems);
        found
    }

    /// A path item, or the one of this document that it refers to, perhaps through others.
    fn item(&mut self, path: &str, item: &'d Value) -> Option<&'d Map<String, Value>> {
        let (mut item, mut seen) = (item, BTreeSet::new());
        while let Some(reference) = item.get("$ref").and_then(Value::as_str) {
            if !seen.insert(reference) {
                self.problems.push(format!(
                    "`{path}` has no scope: it refers to `{reference}`, which refers to itself in the end: say there what the path has"
                ));
                return None;
            }
            let found = reference.strip_prefix('#').and_then(|pointer| self.document.pointer(pointer));
            let Some(found) = found else {
                self.problems.push(format!(
                    "`{path}` refers to `{reference}`, which is not in the document: put all of it into one file first"
                ));
                return None;
            };
            item = found;
        }
        if !item.is_object() {
            self.problems.push(format!("`{path}` has no scope: what stands there has no operations"));
        }
        item.as_object()
    }

    fn operation(&mut self, method: &str, path: &str, operation: &Map<String, Value>, servers: &[Server]) {
        let method = method.to_ascii_uppercase();
        let template = match template(path) {
            Ok(template) => template,
            Err(why) => {
                self.problems.push(format!("`{method} {path}` has no scope: {why}"));
                return;
            }
        };
        let own = operation.get("servers").map(|listed| self.servers(listed));
        let servers = own.as_deref().unwrap_or(servers);
        let mut bases: Vec<_> = servers.iter().map(|server| server.base_path.as_str()).collect();
        bases.sort_unstable();
        bases.dedup();
        let mut hosts: Vec<_> = servers.iter().filter_map(|server| server.host.clone()).collect();
        hosts.sort_unstable();
        hosts.dedup();
        if bases.len() > 1 && hosts.len() > 1 && self.operations.is_empty() {
            self.problems.push(
                "the servers have different hosts and different base paths: each scope has all hosts with all of them, so take away what \
                 is too much"
                    .to_owned(),
            );
        }
        let lines = bases.iter().filter_map(|base| match self::template(base) {
            Ok(base) => Some(format!("{method} {}{template}", base.trim_end_matches('/'))),
            Err(_) => None,
        });
        let lines: Vec<_> = lines.collect();
        if lines.is_empty() {
            self.problems.push(format!(
                "`{method} {path}` has no scope: the path of its server cannot be written as a template"
            ));
            return;
        }
        if let Some(why) = refused(&hosts, &lines) {
            self.problems.push(format!("`{method} {path}` has no scope: {why}"));
            return;
        }
        let id = operation.get("operationId").and_then(Value::as_str).filter(|id| !id.trim().is_empty());
        let wanted = id.map_or_else(|| name(&format!("{method} {template}")), name);
        let place = one_line(&format!("{method} {path}"));
        let mut id = id.map_or_else(|| place.clone(), one_line);
        if id.is_empty() || self.ids.contains(&id) {
            self.problems.push(format!("the operation id `{id}` stands twice: `{place}` is known by method and path"));
            // Somebody may have chosen that as an id.
            while self.ids.contains(&id) || id.is_empty() {
                id = format!("{id} {place}").trim().to_owned();
            }
        }
        self.ids.insert(id.clone());
        let tags = operation.get("tags").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
        let mut tags: Vec<_> = tags.map(name).filter(|tag| !tag.is_empty()).collect();
        tags.sort_unstable();
        tags.dedup();
        let summary = operation.get("summary").and_then(Value::as_str).map(one_line).filter(|text| !text.is_empty());
        let name = self.unique(&wanted);
        self.operations.push(Operation { id, name, hosts, lines, tags, summary });
    }

    fn unique(&mut self, wanted: &str) -> String {
        let wanted = if wanted.is_empty() { "operation" } else { wanted };
        let mut name = wanted.to_owned();
        let mut number = 1;
        while !self.names.insert(name.clone()) {
            number += 1;
            let ending = format!("-{number}");
            name = format!("{}{ending}", &wanted[..wanted.len().min(MAX_NAME_BYTES - ending.len())]);
        }
        name
    }
}

/// A path as policies write it.
fn template(path: &str) -> Result<String, String> {
    let mut segments = Vec::new();
    let mut captures = BTreeSet::new();
    let count = path.split('/').skip(1).count();
    for (at, segment) in path.split('/').skip(1).enumerate() {
        let inner = segment.strip_prefix('{').and_then(|rest| rest.strip_suffix('}'));
        match inner {
            // The form in which AWS has the rest of a path.
            Some(rest) if rest.ends_with('+') && at + 1 == count => segments.push("**".to_owned()),
            Some(capture) if !capture.contains(['{', '}']) => {
                let wanted = self::capture(capture);
                // A name that stands twice, or has nothing left, is no capture that a rule could mean.
                let known = wanted.is_empty() || !captures.insert(wanted.clone());
                segments.push(if known { "*".to_owned() } else { format!("{{{wanted}}}") });
            }
            Some(_) | None if segment.contains(['{', '}']) => {
                return Err(format!(
                    "`{segment}` is only partly a parameter; write a scope for it by hand, with `path-regex` if need be"
                ));
            }
            Some(_) | None => segments.push(segment.to_owned()),
        }
    }
    Ok(format!("/{}", segments.join("/")))
}

/// A parameter's name as the name of a capture, or nothing.
fn capture(text: &str) -> String {
    let text: String = text.chars().map(|c| if c.is_ascii_alphanumeric() || c == '_' { c } else { '-' }).collect();
    text.trim_start_matches(|c: char| !c.is_ascii_alphabetic()).chars().take(MAX_NAME_BYTES).collect()
}

/// What the language says against an operation; nothing if it can stand in a scope.
fn refused(hosts: &[String], lines: &[String]) -> Option<String> {
    let mut scope = toml_edit::Table::new();
    let hosts = if hosts.is_empty() { &["example.com".to_owned()] } else { hosts };
    scope["hosts"] = toml_edit::value(hosts.iter().collect::<toml_edit::Array>());
    scope["operations"] = toml_edit::value(lines.iter().collect::<toml_edit::Array>());
    let mut sources = SourceSet::new();
    sources.add("scope", format!("schema = 1\n[scopes.it]\n{scope}"));
    let parsed = parse(&sources);
    let problem = parsed.diagnostics.iter().next()?;
    let help = problem.help.as_ref().map_or(String::new(), |help| format!("; {help}"));
    Some(format!("{}{help}", problem.message))
}

/// A name of the language: `listOrders` becomes `list-orders`.
fn name(text: &str) -> String {
    let mut name = String::new();
    let mut before = ' ';
    for c in text.chars() {
        if c.is_ascii_alphanumeric() || (matches!(c, '_' | '.') && !name.is_empty()) {
            if c.is_ascii_uppercase() && (before.is_ascii_lowercase() || before.is_ascii_digit()) {
                name.push('-');
            }
            name.push(c.to_ascii_lowercase());
        } else if !name.is_empty() && !name.ends_with('-') {
            name.push('-');
        }
        before = c;
    }
    name.truncate(MAX_NAME_BYTES);
    name.trim_end_matches(['-', '.', '_']).to_owned()
}

/// Without line ends and what no comment may hold.
fn one_line(text: &str) -> String {
    let words = text.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join(" ")
}

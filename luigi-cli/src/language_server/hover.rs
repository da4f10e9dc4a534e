//! What a name stands for: its definition and, for scopes and rules, the requests that are meant.

use super::documents::Policy;
use super::names::{Definition, Kind};
use luigi_core::policy::model::{self, HostPattern, ScopeSelector, Segment};
use std::path::Path;

/// The most operations that are listed.
const MAX_LISTED: usize = 20;

/// What there is to say about a definition, in Markdown.
pub(super) fn about(policy: &Policy, file: &Path, definition: &Definition) -> Option<String> {
    let text = policy.text(file);
    let source = format!("```toml\n{}\n```", statement(text, definition));
    let model = policy.parsed.environments.iter().find_map(|(name, parsed)| Some((name, parsed.policy.as_ref()?)));
    let Some((environment, model)) = model else { return Some(source) };
    let scopes: Vec<_> = match definition.kind {
        Kind::Scope => {
            model.scopes.iter().filter(|(_, scope)| scope.name == definition.name).map(|(_, scope)| scope).collect()
        }
        Kind::Rule => {
            let rule = model.rules.iter().find(|(_, rule)| rule.name == definition.name).map(|(_, rule)| rule)?;
            match &rule.scopes {
                ScopeSelector::All => return Some(format!("{source}\n\nEvery request.")),
                ScopeSelector::Named(scopes) => scopes.iter().filter_map(|scope| model.scopes.row(*scope)).collect(),
            }
        }
        _ => return Some(source),
    };
    let mut lines: Vec<_> = scopes.iter().flat_map(|scope| requests(model, scope)).collect();
    let more = lines.len().saturating_sub(MAX_LISTED);
    lines.truncate(MAX_LISTED);
    if more > 0 {
        lines.push(format!("and {more} more"));
    }
    let place = environment.as_ref().map_or(String::new(), |name| format!(" in `{name}`"));
    Some(format!(
        "{source}\n\nRequests{place}:\n\n{}",
        lines.iter().map(|line| format!("* {line}\n")).collect::<String>()
    ))
}

/// The text of a definition: a table up to the next one, or a line.
fn statement<'t>(text: &'t str, definition: &Definition) -> &'t str {
    let line_begins = text[..definition.at.start].rfind('\n').map_or(0, |at| at + 1);
    let begins = match definition.kind {
        Kind::Rule => text[..line_begins].rfind("[[rules]]").unwrap_or(line_begins),
        _ => line_begins,
    };
    let rest = &text[begins..];
    let ends = match rest.strip_prefix('[') {
        Some(table) => table.find("\n[").map_or(rest.len(), |at| at + 1),
        None => rest.find('\n').unwrap_or(rest.len()),
    };
    // What stands above the next table belongs to that.
    let body: Vec<_> = rest[..ends].lines().collect();
    let kept = body.iter().rposition(|line| !line.trim().is_empty() && !line.starts_with('#')).map_or(1, |at| at + 1);
    let length: usize = rest.split_inclusive('\n').take(kept).map(str::len).sum();
    rest[..length].trim_end()
}

/// `GET, HEAD orders.example.com/v1/orders/{id}`, one for each host and path.
fn requests(policy: &model::Policy, scope: &model::Scope) -> Vec<String> {
    let privileged = if scope.privileged { " (privileged)" } else { "" };
    let operations = scope.operations.iter().flat_map(|operation| {
        let methods = policy.methods.names(operation.methods).collect::<Vec<_>>().join(", ");
        let path = path(&operation.path);
        scope.hosts.iter().map(move |host| format!("`{methods} {}{path}`{privileged}", self::host(host)))
    });
    operations.collect()
}

fn host(pattern: &HostPattern) -> String {
    match pattern {
        HostPattern::Any => "any host: ".to_owned(),
        HostPattern::Exact(_) | HostPattern::OneLabel(_) | HostPattern::Labels(_) | HostPattern::Capture { .. } => {
            pattern.to_string()
        }
    }
}

fn path(template: &model::PathTemplate) -> String {
    let mut path: String = template
        .segments
        .iter()
        .map(|segment| match segment {
            Segment::Literal(text) => format!("/{text}"),
            Segment::Capture(name) => format!("/{{{name}}}"),
            Segment::Any => "/*".to_owned(),
        })
        .collect();
    if template.rest {
        path.push_str("/**");
    }
    if path.is_empty() { "/".to_owned() } else { path }
}

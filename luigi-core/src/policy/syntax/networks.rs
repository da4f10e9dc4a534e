//! `[networks]`: lists in the policy, and lists in files beside it.
//!
//! A file has one network a line; `#` begins a comment. Reading it is the caller's: [`files_named`] says which, the
//! [`SourceSet`] holds their texts. What stands in the file becomes part of the policy, and so of its revision; comments do not.

use super::node::{Fields, Node, Text, quoted};
use super::tables::{QUOTE_DOTS, sorted};
use super::{Entry, Syntax, nesting, values};
use crate::policy::diagnostics::{Code, Diagnostic, Diagnostics};
use crate::policy::source::{MAX_BESIDE_BYTES, MAX_SOURCE_BYTES, SourceSet, Span};
use ipnet::IpNet;
use std::collections::BTreeSet;
use toml::de::{DeTable, DeValue};

/// The most networks that one file may have.
const MAX_MEMBERS: usize = 100_000;

/// The files that the networks of a policy are in, by paths relative to the policy's own files; not those that cannot be such paths.
///
/// As much as can be understood of a text with errors counts.
pub(in crate::policy) fn files_named(sources: &SourceSet) -> BTreeSet<String> {
    let mut paths = BTreeSet::new();
    for id in sources.ids() {
        let text = sources.text(id);
        // Most policies have no such file, and parsing a text twice is no small thing if it is large.
        if !text.contains("networks") || !text.contains("file") {
            continue;
        }
        // What is said of such a text is said when it is read for good.
        if text.len() > MAX_SOURCE_BYTES || nesting::check(id, text, &mut { nesting::MAX_TABLES }).is_err() {
            continue;
        }
        let (root, _) = DeTable::parse_recoverable(text);
        let networks = root.get_ref().get("networks").and_then(|node| node.get_ref().as_table());
        let members = networks.into_iter().flat_map(|networks| networks.values());
        let files = members.filter_map(|node| node.get_ref().as_table()?.get("file")?.get_ref().as_str());
        paths.extend(files.filter(|path| problem_of(path).is_none()).map(str::to_owned));
    }
    paths
}

/// Reads the networks of one document.
pub(super) fn read(top: &Fields<'_>, sources: &SourceSet, syntax: &mut Syntax, out: &mut Diagnostics) {
    let Some(node) = top.get("networks") else { return };
    for (name, node) in Fields::entries(node, "`networks`", out) {
        values::check_name(&name, "network", out);
        let item = match node.value() {
            DeValue::Table(table) if table.contains_key("file") => from_file(node, &name, sources, out),
            DeValue::Table(_) => {
                out.push(node.wrong_type(&name.value, "a list of networks").help(QUOTE_DOTS));
                None
            }
            _ => listed(node, &name, out),
        };
        let place = node.place(name.span, out);
        syntax.networks.push(Entry { name, item, place });
    }
}

fn listed(node: Node<'_>, name: &Text, out: &mut Diagnostics) -> Option<Vec<IpNet>> {
    let texts = node.texts(&name.value, out)?;
    let members: Vec<_> = texts.iter().map(|text| values::network(text, out)).collect();
    members.into_iter().collect::<Option<Vec<_>>>().map(sorted)
}

fn from_file(node: Node<'_>, name: &Text, sources: &SourceSet, out: &mut Diagnostics) -> Option<Vec<IpNet>> {
    let fields = Fields::open(node, &format!("network {}", quoted(&name.value)), &["file"], out)?;
    let path = fields.text("file", out)?;
    let problem = |message: String| Diagnostic::error(Code::InvalidFile, path.span, message);
    if let Some(label) = problem_of(&path.value) {
        let problem = problem(format!("{} cannot be a file of the policy", quoted(&path.value))).label(label);
        out.push(problem.help("write the path of a file beside this one, like \"stripe.txt\" or \"lists/stripe.txt\""));
        return None;
    }
    let id = match sources.beside(&path.value) {
        Some(Ok(id)) => id,
        Some(Err(why)) => {
            out.push(problem(format!("{} cannot be read: {why}", quoted(&path.value))));
            return None;
        }
        None => {
            out.push(problem(format!("{} was not read with the policy", quoted(&path.value))));
            return None;
        }
    };
    let text = sources.text(id);
    if text.len() > MAX_BESIDE_BYTES {
        let message = format!("{} has {} bytes, more than {MAX_BESIDE_BYTES}", quoted(&path.value), text.len());
        out.push(Diagnostic::error(Code::SourceTooLarge, path.span, message));
        return None;
    }
    let (mut members, mut fine, mut at) = (Vec::new(), true, 0);
    for line in text.split_inclusive('\n') {
        let start = at;
        at += line.len();
        let entry = line.split('#').next().unwrap_or_default();
        let indent = start + entry.len() - entry.trim_start().len();
        let entry = entry.trim();
        if entry.is_empty() {
            continue;
        }
        let entry = Text::new(entry.to_owned(), Span::new(id, &(indent..indent + entry.len())));
        if members.len() == MAX_MEMBERS {
            let message = format!("{} has more than {MAX_MEMBERS} networks", quoted(&path.value));
            out.push(Diagnostic::error(Code::OutOfRange, entry.span, message).label("from here on"));
            return None;
        }
        match values::network(&entry, out) {
            Some(member) => members.push(member),
            None => fine = false,
        }
    }
    if members.is_empty() && fine {
        let message = format!("{} names no network", quoted(&path.value));
        let help =
            "a list that was cut off or not yet filled would silently match nobody: leave the network out, or fill it";
        out.push(Diagnostic::error(Code::EmptyValue, path.span, message).help(help));
        return None;
    }
    fine.then(|| sorted(members))
}

/// Why a path cannot be one of a file beside the policy: it stays in the folder of the file that names it.
fn problem_of(path: &str) -> Option<&'static str> {
    const MAX_BYTES: usize = 255;
    if path.len() > MAX_BYTES {
        Some("longer than 255 bytes")
    } else if path.starts_with('/') {
        Some("an absolute path")
    } else if path.contains(|c: char| c.is_control() || c == '\\') {
        Some("a control character or a backslash")
    } else if path.split('/').any(|part| part == "..") {
        Some("it leads out of the policy's folder")
    } else if path.split('/').any(|part| part.is_empty() || part == ".") {
        Some("a part of the path is empty or `.`")
    } else {
        None
    }
}

//! `[file]`: whose file this is, and which hosts it is about.

use super::node::{Fields, quoted};
use super::{FileHeader, Syntax, tables};
use crate::policy::diagnostics::{Code, Diagnostic, Diagnostics};
use crate::policy::source::SourceId;

/// What a file that is bounded to some hosts cannot define: it holds for all files.
const FOR_ALL: [&str; 7] = ["audit", "environments", "issuers", "groups", "facts", "hosts", "proxies"];

/// Reads whose file this is, if it says so.
pub(super) fn read(top: &Fields<'_>, source: SourceId, syntax: &mut Syntax, out: &mut Diagnostics) {
    const MAX_BYTES: usize = 128;
    let Some(node) = top.get("file") else { return };
    let Some(fields) = Fields::open(node, "`file`", &["owner", "hosts"], out) else { return };
    let owner = fields.require("owner", "whose file it is, like \"team-orders\"", out);
    let owner = owner.and_then(|node| node.text("owner", out));
    if let Some(owner) =
        owner.as_ref().filter(|one| one.value.contains(char::is_control) || one.value.len() > MAX_BYTES)
    {
        let message = format!("{} cannot be an owner", quoted(&owner.value));
        let help = format!("write a name in one line, at most {MAX_BYTES} bytes");
        out.push(Diagnostic::error(Code::InvalidName, owner.span, message).help(help));
    }
    let hosts_help = "the hosts that its rules and scopes keep to, or `hosts = \"any\"` for a file without bounds";
    let hosts_node = fields.require("hosts", hosts_help, out);
    let hosts = hosts_node.map(|node| tables::hosts(node, out));
    if let (Some(owner), Some(hosts)) = (&owner, &hosts)
        && !hosts.any
    {
        for key in FOR_ALL {
            if let Some(span) = top.key_span(key) {
                let message = format!(
                    "{} are for all files, and this one is bounded to hosts of {}",
                    quoted(key),
                    quoted(&owner.value)
                );
                let problem = Diagnostic::error(Code::OutsideBounds, span, message);
                out.push(problem.help("define them in a file without bounds"));
            }
        }
    }
    let (Some(owner), Some(hosts), Some(node)) = (owner, hosts, hosts_node) else { return };
    syntax.files.push(FileHeader { source, owner, hosts, hosts_span: node.span() });
}

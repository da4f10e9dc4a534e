//! `[proxies]`: whose word on where a request comes from is taken.

use super::facts::source_header;
use super::node::{Fields, Node, quoted};
use super::{Entry, Proxy, Syntax, values};
use crate::policy::diagnostics::Diagnostics;

/// Reads the proxies of one document.
pub(super) fn read(top: &Fields<'_>, syntax: &mut Syntax, out: &mut Diagnostics) {
    let Some(node) = top.get("proxies") else { return };
    for (name, node) in Fields::entries(node, "`proxies`", out) {
        values::check_name(&name, "proxy", out);
        let item = proxy(node, &format!("proxy {}", quoted(&name.value)), out);
        let place = node.place(name.span, out);
        syntax.proxies.push(Entry { name, item, place });
    }
}

fn proxy(node: Node<'_>, what: &str, out: &mut Diagnostics) -> Option<Proxy> {
    let fields = Fields::open(node, what, &["networks", "source", "description"], out)?;
    fields.description(out);
    let networks = fields.require("networks", "name the `networks` in which these proxies are", out);
    let networks = networks.and_then(|node| node.texts("networks", out));
    let source = fields.require("source", "name the header with the client's address, like \"x-forwarded-for\"", out);
    let source = source.and_then(|node| node.text("source", out)).and_then(|text| source_header(&text, out));
    Some(Proxy { networks: networks?, source: source? })
}

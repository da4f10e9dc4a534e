//! `[proxies]`: no peer may be a proxy that writes two headers.

use super::Scene;
use crate::policy::diagnostics::{Code, Diagnostic, Diagnostics};
use crate::policy::model::{NetworkId, Proxy, ProxyId, Table};
use crate::policy::syntax::{self, Entry, quoted};
use ipnet::IpNet;
use std::collections::BTreeMap;

impl Scene {
    /// The entries in order of their names.
    pub(super) fn proxies(&self, entries: &[Entry<syntax::Proxy>], out: &mut Diagnostics) -> Table<ProxyId, Proxy> {
        let mut known: BTreeMap<&str, Proxy> = BTreeMap::new();
        let mut first: BTreeMap<&str, &Entry<syntax::Proxy>> = BTreeMap::new();
        for entry in entries {
            if let Some(earlier) = first.insert(&entry.name.value, entry) {
                let message = format!("proxy {} is defined twice", quoted(&entry.name.value));
                let problem = Diagnostic::error(Code::DuplicateName, entry.name.span, message).label("again");
                out.push(problem.also(earlier.name.span, "first here"));
            }
            let Some(proxy) = &entry.item else { continue };
            let networks = self.networks.find_all(&proxy.networks, out);
            let row = Proxy { name: entry.name.value.clone(), networks, source: proxy.source.value.clone() };
            known.insert(&entry.name.value, row);
        }
        known.into_values().collect()
    }
}

/// Says where a peer would be a proxy of two entries that name different headers.
pub(super) fn check(
    entries: &[Entry<syntax::Proxy>],
    rows: &Table<ProxyId, Proxy>,
    members: &BTreeMap<NetworkId, &[IpNet]>,
    out: &mut Diagnostics,
) {
    let place =
        |name: &str| entries.iter().find(|entry| entry.name.value == name).and_then(|entry| entry.item.as_ref());
    let held = |proxy: &Proxy| -> Vec<IpNet> {
        proxy.networks.iter().filter_map(|id| members.get(id)).flat_map(|members| members.iter().copied()).collect()
    };
    let rows: Vec<(&Proxy, Vec<IpNet>)> = rows.iter().map(|(_, row)| (row, held(row))).collect();
    for (at, (one, ours)) in rows.iter().enumerate() {
        for (other, theirs) in rows[..at].iter().filter(|(other, _)| other.source != one.source) {
            let common = ours.iter().find_map(|net| {
                let meets = |other: &&IpNet| other.contains(net) || net.contains(*other);
                theirs.iter().find(meets).map(|other| if other.contains(net) { *net } else { *other })
            });
            let (Some(common), Some(here), Some(there)) = (common, place(&one.name), place(&other.name)) else {
                continue;
            };
            let message = format!("{} is in the networks of {} and {}", common, quoted(&one.name), quoted(&other.name));
            let problem = Diagnostic::error(Code::ProxyConflict, here.source.span, message).label("another header");
            let problem = problem.also(there.source.span, format!("for {}", quoted(&other.name)));
            out.push(problem.help("name the same header in both, or networks that have nothing in common"));
        }
    }
}

//! `[hosts]`: patterns of hosts with what is said about them, held against each other and against the paths of scopes.

use super::Scene;
use crate::analysis::patterns::common_host;
use crate::policy::diagnostics::{Code, Diagnostic, Diagnostics};
use crate::policy::model::{HostId, HostPattern, HostProperties, Table};
use crate::policy::places::Place;
use crate::policy::source::Span;
use crate::policy::syntax::{self, quoted};
use crate::target::Ambiguity;
use std::collections::BTreeMap;

impl Scene {
    /// The entries in the order of their patterns, and where each stands.
    pub(super) fn host_properties(
        &self,
        entries: &[syntax::Host],
        out: &mut Diagnostics,
    ) -> (Table<HostId, HostProperties>, Table<HostId, Place>) {
        let mut known: BTreeMap<HostPattern, &syntax::Host> = BTreeMap::new();
        for entry in entries {
            let Some(pattern) = self.environments.host(&entry.host, out) else { continue };
            if let Some(first) = known.get(&pattern) {
                let message = format!("host {} is defined twice", quoted(&entry.host.value));
                let problem = Diagnostic::error(Code::DuplicateName, entry.host.span, message).label("again");
                out.push(problem.also(first.host.span, "first here"));
                continue;
            }
            for (other, first) in &known {
                if common_host(&pattern, other).is_some() {
                    contradictions(first, entry, out);
                }
            }
            known.insert(pattern, entry);
        }
        let said = |flag: &Option<crate::policy::source::Spanned<bool>>| flag.as_ref().is_some_and(|flag| flag.value);
        let places = known.values().map(|entry| entry.place.clone()).collect();
        let rows = known.into_iter().map(|(host, entry)| HostProperties {
            host,
            ignores_case: said(&entry.ignores_case),
            slash_matters: said(&entry.slash_matters),
            accepts: entry.accepts.as_ref().map_or_else(Vec::new, |classes| classes.value.clone()),
            refuses_method_override: said(&entry.refuses_method_override),
        });
        (rows.collect(), places)
    }
}

/// Says where two entries that may hold one host say different things. Neither is worth more than the other.
fn contradictions(first: &syntax::Host, second: &syntax::Host, out: &mut Diagnostics) {
    let mut compare = |key: &str, spans: Option<(Span, Span)>| {
        let Some((one, other)) = spans else { return };
        let (a, b) = (quoted(&first.host.value), quoted(&second.host.value));
        let message = format!("{key} differs for hosts that {a} and {b} both hold");
        let problem = Diagnostic::error(Code::HostConflict, other, message).also(one, format!("for {a}"));
        out.push(problem.help("say the same in both, or name hosts that no other entry holds"));
    };
    macro_rules! differing {
        ($field:ident) => {
            match (&first.$field, &second.$field) {
                (Some(one), Some(other)) if one.value != other.value => Some((one.span, other.span)),
                _ => None,
            }
        };
    }
    compare("`paths`", differing!(ignores_case));
    compare("`trailing-slash`", differing!(slash_matters));
    compare("`accept-ambiguous`", differing!(accepts));
    compare("`method-override`", differing!(refuses_method_override));
}

/// The entries that hold a host which one of the patterns holds, too.
pub(super) fn concerning<'h>(
    hosts: &'h Table<HostId, HostProperties>,
    patterns: &'h [HostPattern],
) -> impl Iterator<Item = &'h HostProperties> {
    hosts.iter().map(|(_, row)| row).filter(|row| patterns.iter().any(|host| common_host(host, &row.host).is_some()))
}

/// Whether one of the hosts accepts the class.
pub(super) fn accept(hosts: &Table<HostId, HostProperties>, patterns: &[HostPattern], class: Ambiguity) -> bool {
    concerning(hosts, patterns).any(|row| row.accepts.contains(&class))
}

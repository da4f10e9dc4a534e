//! From a host to what its servers do with targets, and paths as hosts that ignore case read them.

use super::index::FixedHashMap;
use crate::policy::model::{HostPattern, HostProperties};
use crate::target::{Ambiguity, Host};

/// What the entries of `[hosts]` that hold one host say together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct HostTraits {
    pub(crate) ignores_case: bool,
    pub(crate) slash_matters: bool,
    pub(crate) refuses_method_override: bool,
    /// One bit for each of [`Ambiguity::ACCEPTABLE`].
    accepts: u8,
}

impl HostTraits {
    fn of(row: &HostProperties) -> Self {
        let bit = |class: &Ambiguity| Ambiguity::ACCEPTABLE.iter().position(|one| one == class).map_or(0, |at| 1 << at);
        Self {
            ignores_case: row.ignores_case,
            slash_matters: row.slash_matters,
            refuses_method_override: row.refuses_method_override,
            accepts: row.accepts.iter().map(bit).fold(0, |bits, bit| bits | bit),
        }
    }

    /// Entries that hold one host do not contradict each other, so what either says holds.
    fn and(self, other: Self) -> Self {
        Self {
            ignores_case: self.ignores_case || other.ignores_case,
            slash_matters: self.slash_matters || other.slash_matters,
            refuses_method_override: self.refuses_method_override || other.refuses_method_override,
            accepts: self.accepts | other.accepts,
        }
    }

    pub(crate) fn accepts(self, class: Ambiguity) -> bool {
        let place = Ambiguity::ACCEPTABLE.iter().position(|one| *one == class);
        place.is_some_and(|at| self.accepts >> at & 1 == 1)
    }

    /// Whether two canonical paths are one on this host.
    pub(crate) fn same_path(self, a: &str, b: &str) -> bool {
        let trimmed = |path| if self.slash_matters { path } else { without_final_slash(path) };
        let (a, b) = (trimmed(a), trimmed(b));
        // The digits of escapes are in upper case in both.
        if self.ignores_case { a.eq_ignore_ascii_case(b) } else { a == b }
    }
}

fn without_final_slash(path: &str) -> &str {
    path.strip_suffix('/').filter(|path| !path.is_empty()).unwrap_or(path)
}

/// The entries of `[hosts]`.
#[derive(Debug, Default)]
pub(crate) struct HostTable {
    by_name: FixedHashMap<Box<str>, Entry>,
}

/// What is said about a name.
#[derive(Clone, Copy, Debug, Default)]
struct Entry {
    exact: HostTraits,
    one_label: HostTraits,
    labels: HostTraits,
}

impl HostTable {
    /// Adds an entry; `false` if it is about no hosts that an entry can be about.
    pub(super) fn add(&mut self, row: &HostProperties) -> bool {
        let traits = HostTraits::of(row);
        let mut entry = |name: &str, slot: fn(&mut Entry) -> &mut HostTraits| {
            let slot = slot(self.by_name.entry(name.into()).or_default());
            *slot = slot.and(traits);
            true
        };
        match &row.host {
            HostPattern::Exact(name) => entry(name, |entry| &mut entry.exact),
            HostPattern::OneLabel(name) | HostPattern::Capture { parent: name, .. } => {
                entry(name, |entry| &mut entry.one_label)
            }
            HostPattern::Labels(name) => entry(name, |entry| &mut entry.labels),
            HostPattern::Any => false,
        }
    }

    /// What is said about a host.
    #[inline]
    pub(crate) fn of(&self, host: Host<'_>) -> HostTraits {
        // Nearly always nothing is said about any.
        if self.by_name.is_empty() { HostTraits::default() } else { self.said_of(host) }
    }

    fn said_of(&self, host: Host<'_>) -> HostTraits {
        let mut traits = HostTraits::default();
        let (Host::Name(name) | Host::Address(name)) = host else { return traits };
        if let Some(entry) = self.by_name.get(name) {
            traits = traits.and(entry.exact);
        }
        if let Host::Address(_) = host {
            return traits;
        }
        let mut rest = name;
        let mut labels = 0;
        while let Some((_, suffix)) = rest.split_once('.') {
            rest = suffix;
            labels += 1;
            if let Some(entry) = self.by_name.get(suffix) {
                if labels == 1 {
                    traits = traits.and(entry.one_label);
                }
                traits = traits.and(entry.labels);
            }
        }
        traits
    }
}

/// Appends a canonical path with its ASCII letters in lower case; the digits of escapes stay in upper case.
pub(crate) fn fold_into(path: &str, out: &mut String) {
    let mut digits = 0;
    for character in path.chars() {
        if digits > 0 {
            digits -= 1;
            out.push(character);
        } else {
            digits = if character == '%' { 2 } else { 0 };
            out.push(character.to_ascii_lowercase());
        }
    }
}

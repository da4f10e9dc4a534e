//! Whether two rules or scopes of different policies say the same: their text with every id replaced by what it stands for.
//!
//! Ids are places in the tables of one policy and mean nothing in another. The text is what `Debug` writes, because that has every field
//! there is, also one that is added later: whatever could make a difference makes the fingerprints differ. The opposite does not hold:
//! fingerprints differ, too, where the difference has no effect, and then requests are looked at for nothing.

use crate::method::MethodSet;
use crate::policy::model::{Policy, Rule, Scope, TableId};
use std::cell::RefCell;
use std::collections::HashMap;
use std::fmt::{Debug, Write as _};

/// How deeply ids lead to rows with further ids: rule, approval, matcher, group; and scopes that leave out scopes.
const MAX_DEPTH: usize = 24;

/// Fingerprints of one policy's rows.
pub(super) struct Fingerprints<'a> {
    policy: &'a Policy,
    /// What a matcher without issuers means.
    default_issuer: String,
    /// What ids stand for, as digests: a network may have thousands of members and be named by every rule.
    referred: RefCell<HashMap<(String, u64), String>>,
}

/// What a scope's id stands for: in rules its name, because scopes are compared by themselves.
#[derive(Clone, Copy, PartialEq)]
enum Scopes {
    ByName,
    ByContent,
}

impl<'a> Fingerprints<'a> {
    pub(super) fn new(policy: &'a Policy) -> Self {
        let default_issuer = policy.default_issuer.and_then(|id| policy.issuers.row(id));
        Self { policy, default_issuer: format!("{default_issuer:?}"), referred: RefCell::default() }
    }

    /// What a rule says, its id included.
    pub(super) fn rule(&self, rule: &Rule) -> String {
        format!("{}{}", self.default_issuer, self.resolved(rule, Scopes::ByName, 0))
    }

    /// What a scope is, its name included.
    pub(super) fn scope(&self, scope: &Scope) -> String {
        self.resolved(scope, Scopes::ByContent, 0)
    }

    /// Any other row.
    pub(super) fn row(&self, row: &impl Debug) -> String {
        self.resolved(row, Scopes::ByContent, 0)
    }

    fn resolved(&self, row: &impl Debug, scopes: Scopes, depth: usize) -> String {
        let text = format!("{row:?}");
        if depth == MAX_DEPTH {
            return text;
        }
        let mut out = String::with_capacity(text.len() * 2);
        let mut rest = text.as_str();
        while let Some(at) = rest.find(['"', '(']) {
            let (before, after) = rest.split_at(at);
            out.push_str(before);
            if after.starts_with('"') {
                let end = end_of_string(after);
                out.push_str(&after[..end]);
                rest = &after[end..];
                continue;
            }
            let name_at = before.rfind(|c: char| !c.is_ascii_alphanumeric()).map_or(0, |at| at + 1);
            let row = after[1..].split_once(')').and_then(|(number, _)| number.parse::<u64>().ok());
            let replaced = row.and_then(|number| self.referred(&before[name_at..], number, scopes, depth + 1));
            match replaced {
                Some(text) => {
                    out.push('<');
                    out.push_str(&text);
                    out.push('>');
                    rest = &after[after.find(')').map_or(after.len(), |end| end + 1)..];
                }
                None => {
                    out.push('(');
                    rest = &after[1..];
                }
            }
        }
        out.push_str(rest);
        out
    }

    /// What an id stands for.
    fn referred(&self, kind: &str, number: u64, scopes: Scopes, depth: usize) -> Option<String> {
        let policy = self.policy;
        if kind == "MethodSet" {
            return Some(policy.methods.names(MethodSet::from_bits(number)).collect::<Vec<_>>().join(" "));
        }
        let at = usize::try_from(number).ok()?;
        if kind == "ScopeId" && scopes == Scopes::ByName {
            return policy.scopes.row(TableId::from_index(at)).map(|scope| format!("{:?}", scope.name));
        }
        let key = (kind.to_owned(), number);
        if let Some(known) = self.referred.borrow().get(&key) {
            return Some(known.clone());
        }
        macro_rules! row {
            ($table:ident) => {
                policy.$table.row(TableId::from_index(at)).map(|row| self.resolved(row, scopes, depth))
            };
        }
        let text = match kind {
            "IssuerId" => row!(issuers),
            "GroupId" => row!(groups),
            "NetworkId" => row!(networks),
            "ScheduleId" => row!(schedules),
            "LoginId" => row!(logins),
            "ScopeId" => row!(scopes),
            "ApprovalId" => row!(approvals),
            _ => None,
        }?;
        let digest = ring::digest::digest(&ring::digest::SHA256, text.as_bytes());
        let text = digest.as_ref().iter().fold(String::new(), |mut hex, byte| {
            // Writing to a string cannot fail.
            let _ = write!(hex, "{byte:02x}");
            hex
        });
        self.referred.borrow_mut().insert(key, text.clone());
        Some(text)
    }
}

/// Where a string that `Debug` wrote ends, its quotes included.
fn end_of_string(text: &str) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

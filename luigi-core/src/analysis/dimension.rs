//! One thing about a request that rules look at, cut into the finitely many values that they can tell apart.
//!
//! A [`Dimension`] has options; each stands for every value on which all predicates in play agree. Which values those are is
//! said with atoms: yes-or-no facts in words ("in `engineering`", "from `office`"). An option keeps the sets of atoms of all
//! its members, so that any set of options can be put into words exactly.

use super::brought::{Certificate, Sent};
use crate::decide::Source;
use crate::identity::{Actor, Email, Groups};
use crate::time::Timestamp;
use serde_json::Value;
use std::collections::HashMap;

/// What a dimension is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Axis {
    Credential,
    Groups,
    Subject,
    Email,
    Kind,
    Claim,
    Actor,
    Login,
    Grants,
    Header,
    Query,
    Fact,
    Certificate,
    Preflight,
    Upgrade,
    Override,
    Source,
    Time,
}

impl Axis {
    /// Whether it says something about a verified identity, and nothing about anybody else.
    pub(super) const fn of_identity(self) -> bool {
        match self {
            Self::Groups
            | Self::Subject
            | Self::Email
            | Self::Kind
            | Self::Claim
            | Self::Actor
            | Self::Login
            | Self::Grants => true,
            Self::Credential
            | Self::Header
            | Self::Query
            | Self::Fact
            | Self::Certificate
            | Self::Preflight
            | Self::Upgrade
            | Self::Override
            | Self::Source
            | Self::Time => false,
        }
    }

    /// The word for it where a bound is reported.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Credential => "issuers",
            Self::Groups => "groups",
            Self::Subject => "subjects",
            Self::Email => "e-mail addresses",
            Self::Kind => "kinds",
            Self::Claim => "claims",
            Self::Actor => "actors",
            Self::Login => "logins",
            Self::Grants => "grants",
            Self::Header => "headers",
            Self::Query => "query parameters",
            Self::Fact => "facts",
            Self::Certificate => "client certificates",
            Self::Preflight => "preflights",
            Self::Upgrade => "upgrades",
            Self::Override => "other methods asked for",
            Self::Source => "addresses",
            Self::Time => "times",
        }
    }
}

/// A value to put into a request.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Setting {
    /// Nobody, somebody whose token is not believed, or an identity of the issuer with this URL.
    Nobody,
    Unverifiable,
    Issuer(String),
    Subject(String),
    Email(Option<Email>),
    Kind(Option<String>),
    Groups(Groups),
    /// The claim of this name at the top of the token.
    Claim(String, Option<Value>),
    /// The token says that the claim of this name stands elsewhere.
    ClaimElsewhere(String),
    Actor(Option<Actor>),
    Login(LoginFacts),
    /// Names of scopes and approvals.
    Grants(Vec<(String, String)>),
    /// The header of this name, in lower case.
    Header(String, Sent),
    /// The query parameter of this name.
    Query(String, Sent),
    /// The fact of this name; `None` is not known.
    Fact(String, Option<String>),
    Certificate(Certificate),
    /// The two headers of a preflight: who asks, and for which method.
    Preflight([Sent; 2]),
    /// Whether it asks for an upgrade of its connection.
    Upgrade(bool),
    /// Whether it asks for another method in its query.
    Override(bool),
    Source(Source),
    Time(Timestamp),
}

/// A login relative to the moment of the request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct LoginFacts {
    pub(super) age_seconds: Option<i64>,
    pub(super) acr: Option<String>,
    pub(super) amr: Option<Vec<String>>,
}

/// A set of atoms of one dimension.
pub(super) type Atoms = u128;

/// The most atoms that one dimension has.
pub(super) const MAX_ATOMS: usize = 128;

/// A fact in words: what follows "whoever ..." or "a request ..." if it holds, and if it does not.
#[derive(Clone, Debug)]
pub(super) struct Atom {
    pub(super) yes: String,
    pub(super) no: String,
}

/// Values on which all predicates in play agree.
#[derive(Clone, Debug)]
pub(super) struct Choice {
    /// The simplest of them.
    pub(super) setting: Setting,
    /// What each of them is made of; the first belongs to `setting`.
    pub(super) members: Vec<Atoms>,
    /// How far from ordinary: 0 for the value of a request that nothing speaks about.
    pub(super) rank: u32,
}

/// See the module.
#[derive(Clone, Debug)]
pub(super) struct Dimension {
    pub(super) axis: Axis,
    /// The simplest first; never empty.
    pub(super) choices: Vec<Choice>,
    pub(super) atoms: Vec<Atom>,
    /// Why some values have no choice that stands for them.
    pub(super) gap: Option<String>,
}

/// One value before it is known which others are like it.
pub(super) struct Raw {
    pub(super) setting: Setting,
    pub(super) atoms: Atoms,
    pub(super) rank: u32,
    /// What the predicates in play say about it.
    pub(super) signature: Vec<u8>,
}

impl Dimension {
    /// Puts values together that no predicate in play tells apart.
    pub(super) fn reduce(
        axis: Axis,
        atoms: Vec<Atom>,
        gap: Option<String>,
        raw: impl IntoIterator<Item = Raw>,
    ) -> Self {
        let mut choices: Vec<Choice> = Vec::new();
        let mut known: HashMap<Vec<u8>, usize> = HashMap::new();
        for Raw { setting, atoms, rank, signature } in raw {
            match known.get(&signature) {
                None => {
                    known.insert(signature, choices.len());
                    choices.push(Choice { setting, members: vec![atoms], rank });
                }
                Some(at) => {
                    let choice = &mut choices[*at];
                    choice.members.push(atoms);
                    if rank < choice.rank {
                        let last = choice.members.len() - 1;
                        choice.members.swap(0, last);
                        choice.setting = setting;
                        choice.rank = rank;
                    }
                }
            }
        }
        choices.sort_by_key(|choice| choice.rank);
        Self { axis, choices, atoms, gap }
    }

    /// A set of choices in words: any of the terms, each a list of facts that hold together. One empty term is all there is.
    pub(super) fn describe(&self, chosen: &[bool]) -> Vec<Vec<&str>> {
        let members = |wanted: bool| {
            let of = self.choices.iter().zip(chosen).filter(move |(_, is)| **is == wanted);
            of.flat_map(|(choice, _)| choice.members.iter().copied()).collect::<Vec<_>>()
        };
        let (mut inside, outside) = (members(true), members(false));
        inside.sort_by_key(|atoms| atoms.count_ones());
        let all = if self.atoms.len() >= MAX_ATOMS { Atoms::MAX } else { (1 << self.atoms.len()) - 1 };
        let mut terms: Vec<(Atoms, Atoms)> = Vec::new();
        for member in inside {
            if terms.iter().any(|(yes, no)| member & yes == *yes && member & no == 0) {
                continue;
            }
            let (mut yes, mut no) = (member, all & !member);
            let excludes_the_rest =
                |yes: Atoms, no: Atoms| !outside.iter().any(|other| other & yes == yes && other & no == 0);
            for at in 0..self.atoms.len() {
                let bit = 1 << at;
                if no & bit != 0 && excludes_the_rest(yes, no & !bit) {
                    no &= !bit;
                }
            }
            for at in (0..self.atoms.len()).rev() {
                let bit = 1 << at;
                if yes & bit != 0 && excludes_the_rest(yes & !bit, no) {
                    yes &= !bit;
                }
            }
            terms.push((yes, no));
        }
        let facts = |(yes, no): (Atoms, Atoms)| {
            let chosen = move |set: Atoms, at: usize| set >> at & 1 == 1;
            let said =
                self.atoms.iter().enumerate().filter(move |(at, _)| chosen(yes, *at)).map(|(_, atom)| &*atom.yes);
            let denied =
                self.atoms.iter().enumerate().filter(move |(at, _)| chosen(no, *at)).map(|(_, atom)| &*atom.no);
            said.chain(denied).collect::<Vec<_>>()
        };
        terms.into_iter().map(facts).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_of_choices_are_put_into_words_exactly() {
        let atom = |name: &str| Atom { yes: name.to_owned(), no: format!("not {name}") };
        // Whether one of `a` and `b`, and whether `c`.
        let raw = (0..8_u128).map(|atoms| Raw {
            setting: Setting::Kind(None),
            atoms,
            rank: atoms.count_ones(),
            signature: vec![u8::from(atoms & 0b011 != 0), u8::from(atoms & 0b100 != 0)],
        });
        let dimension = Dimension::reduce(Axis::Groups, vec![atom("a"), atom("b"), atom("c")], None, raw);
        assert_eq!(dimension.choices.len(), 4);
        let said = |wanted: [usize; 2]| {
            let chosen: Vec<bool> = (0..4).map(|at| wanted.contains(&at)).collect();
            let terms = dimension.describe(&chosen);
            terms.iter().map(|facts| facts.join(" and ")).collect::<Vec<_>>().join(", or ")
        };
        let with = |ab: bool, c: bool| {
            let is = |choice: &Choice| (choice.members[0] & 0b011 != 0) == ab && (choice.members[0] & 0b100 != 0) == c;
            dimension.choices.iter().position(is).unwrap()
        };
        assert_eq!(said([with(true, false), with(true, true)]), "a, or b");
        assert_eq!(said([with(true, false), with(true, false)]), "a and not c, or b and not c");
        assert_eq!(said([with(false, false), with(true, false)]), "not c");
        assert_eq!(dimension.describe(&[true; 4]), [Vec::<&str>::new()]);
    }
}

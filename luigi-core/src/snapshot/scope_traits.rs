//! What decisions ask about every scope that they find, in one byte: so that the scope itself and its rules are looked at only if they matter.

use crate::decide::Privilege;
use crate::policy::model::{Audit, Effect, Mode, Rule, Scope};

/// What is so of a scope, or of one of several.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct ScopeTraits(u8);

impl ScopeTraits {
    const PRIVILEGED: u8 = 1;
    const EXCEPTS: u8 = 1 << 1;
    const DENIES: u8 = 1 << 2;
    const RESTRICTS: u8 = 1 << 3;
    const OBSERVES: u8 = 1 << 4;
    const NAMES_FRONTENDS: u8 = 1 << 5;
    const AUDIT_REQUIRED: u8 = 1 << 6;

    pub(super) fn of(scope: &Scope) -> Self {
        let bit = |is: bool, bit: u8| if is { bit } else { 0 };
        Self(
            bit(scope.privileged, Self::PRIVILEGED)
                | bit(!scope.except.is_empty(), Self::EXCEPTS)
                | bit(!scope.frontends.is_empty(), Self::NAMES_FRONTENDS)
                | bit(scope.privileged && scope.audit == Audit::Required, Self::AUDIT_REQUIRED),
        )
    }

    /// Adds what a rule says about it.
    pub(super) fn add(&mut self, rule: &Rule) {
        self.0 |= match rule.effect {
            Effect::Deny => Self::DENIES,
            Effect::Restrict => Self::RESTRICTS,
            Effect::Allow => 0,
        };
        self.0 |= match rule.mode {
            Mode::Observe => Self::OBSERVES,
            Mode::Enforce => 0,
        };
    }

    /// What is so of either.
    pub(crate) fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// What requests whose target lies here are.
    pub(crate) fn privilege(self) -> Privilege {
        if self.0 & Self::AUDIT_REQUIRED != 0 {
            Privilege::AuditRequired
        } else if self.0 & Self::PRIVILEGED != 0 {
            Privilege::BestEffort
        } else {
            Privilege::None
        }
    }

    /// Whether other scopes are left out.
    pub(crate) fn has_exceptions(self) -> bool {
        self.0 & Self::EXCEPTS != 0
    }

    /// Whether nothing needs to be asked about it but who is let in.
    pub(super) fn is_plain(self) -> bool {
        self.0 & !(Self::PRIVILEGED | Self::AUDIT_REQUIRED) == 0
    }

    /// Whether it is about some frontends only.
    pub(crate) fn names_frontends(self) -> bool {
        self.0 & Self::NAMES_FRONTENDS != 0
    }

    /// Whether there are deny or restrict rules.
    pub(crate) fn has_rules(self, effect: Effect) -> bool {
        match effect {
            Effect::Deny => self.0 & Self::DENIES != 0,
            Effect::Restrict => self.0 & Self::RESTRICTS != 0,
            Effect::Allow => true,
        }
    }

    /// Whether some rule is only observed.
    pub(crate) fn has_observed_rules(self) -> bool {
        self.0 & Self::OBSERVES != 0
    }
}

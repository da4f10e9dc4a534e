//! What is lacking: the requirements that are not met, of restrict rules together and of one allow rule.

use crate::policy::model::{LoginId, RuleId};

/// What restrict rules ask for in vain.
#[derive(Default)]
pub(super) struct Blocks {
    /// The smallest rule that asks for each kind.
    pub(super) login: Smallest,
    pub(super) subject: Smallest,
    pub(super) source: Smallest,
    pub(super) schedule: Smallest,
    pub(super) fact: Smallest,
    pub(super) approval: Smallest,
    /// What the smallest rule that asks for a login asks for.
    pub(super) login_asked: Option<LoginId>,
    /// Different logins that are asked for; they are counted in the scratch.
    pub(super) logins: usize,
    /// Units of rule and scope that ask for an approval.
    pub(super) approvals: usize,
    /// Whether the caller may not ask for any alternative of some approval.
    pub(super) out_of_reach: bool,
}

impl Blocks {
    pub(super) fn any(&self) -> bool {
        let Self { login, subject, source, schedule, fact, approval, .. } = self;
        // PERF: an array of references was built for every decision.
        login.0.is_some()
            || subject.0.is_some()
            || source.0.is_some()
            || schedule.0.is_some()
            || fact.0.is_some()
            || approval.0.is_some()
    }

    /// Whether something is asked for that the caller cannot obtain.
    pub(super) fn incurable(&self) -> bool {
        let Self { subject, source, schedule, fact, .. } = self;
        [subject, source, schedule, fact].iter().any(|smallest| smallest.0.is_some()) || self.out_of_reach
    }
}

/// The smallest id that was offered.
#[derive(Clone, Copy, Default)]
pub(super) struct Smallest(pub(super) Option<RuleId>);

impl Smallest {
    pub(super) fn offer(&mut self, id: RuleId) {
        self.0 = Some(self.0.map_or(id, |smallest| smallest.min(id)));
    }
}

/// Which requirements of an allow rule are not met.
#[derive(Clone, Copy, Default)]
pub(super) struct Unmet {
    pub(super) login: Option<LoginId>,
    pub(super) subject: bool,
    pub(super) source: bool,
    pub(super) schedule: bool,
    pub(super) fact: bool,
    pub(super) approval: bool,
}

impl Unmet {
    /// What depends on the place where the rule is evaluated.
    pub(super) fn in_this_place(self) -> (bool, bool) {
        (self.subject, self.approval)
    }

    pub(super) fn any(self) -> bool {
        self.login.is_some() || self.subject || self.source || self.schedule || self.fact || self.approval
    }
}

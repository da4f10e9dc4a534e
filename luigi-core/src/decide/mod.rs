//! From a request and a snapshot to a decision.
//!
//! [`Snapshot::decide`](crate::snapshot::Snapshot::decide) is pure and total: it is given the time, has no errors, does not panic,
//! allocates nothing and locks nothing. What the words mean is in docs/SEMANTICS.md; the slow, obvious evaluator in
//! [`crate::explain`] says the same and is its oracle.
//!
//! * `request`, `facts`, `decision`: the vocabulary. `scratch`: the working memory of one thread.
//! * `scopes`: which scopes hold the request. `case`: what a rule's predicates and requirements are worth for it.
//! * `rules`: what the rules together say. `lacking`, `advice`: what a denial lacks, and how it could become an allow.

mod advice;
mod case;
mod decision;
mod facts;
mod lacking;
mod request;
mod rules;
mod scopes;
mod scratch;

pub(crate) use decision::Privilege;
pub use decision::{Advice, Decision, Evaluation, MissingApproval, MissingApprovals, Reading, Reason};
pub use facts::{FactValue, HeaderLines, RequestFacts};
pub use request::{Request, Source};
pub use scratch::Scratch;

use crate::grant_set::Grant;
use crate::identity::Credential;
use crate::matchers::{Person, override_in_query};
use crate::method::MethodSet;
use crate::policy::model::{FactId, ScopeId, Upgrade};
use crate::snapshot::{HostTraits, Index, Snapshot};
use crate::target::{CanonicalTarget, Readings, Target};
use case::{Case, Rules};
use scopes::FrontendUnknown;

impl Snapshot {
    /// Decides on a request, once with the rules in force and once with those that are observed, too.
    ///
    /// Total: there is an answer for every request. The policy's own mode does not matter here; it turns the decision into an outcome
    /// elsewhere.
    ///
    /// # Allocation
    /// None, if `scratch` was made for this snapshot or has been used with it before.
    #[must_use]
    #[inline]
    pub fn decide(&self, request: &Request<'_>, scratch: &mut Scratch) -> Evaluation {
        let mut evaluation = Evaluation::undecided();
        self.decide_into(request, scratch, &mut evaluation);
        evaluation
    }

    /// The same, written over an evaluation that is there already.
    // PERF: an evaluation is larger than all else that decisions hand on: `make instructions`.
    pub fn decide_into(&self, request: &Request<'_>, scratch: &mut Scratch, evaluation: &mut Evaluation) {
        evaluation.forget();
        scratch.fit(self);
        match &request.target {
            Target::Canonical(target) => {
                self.decide_reading(request, target, Reading::AsItStands, scratch, evaluation);
            }
            Target::Readings(readings) if self.hosts.of(readings.host).accepts(readings.class) => {
                self.decide_readings(request, readings, scratch, evaluation);
            }
            Target::Readings(_) | Target::Ambiguous(_) => {
                evaluation.refuse(Reason::AmbiguousTarget, Privilege::None);
            }
        }
    }

    /// Decides on every reading of a request's target, and takes them together.
    #[cold]
    fn decide_readings(
        &self,
        request: &Request<'_>,
        readings: &Readings<'_>,
        scratch: &mut Scratch,
        evaluation: &mut Evaluation,
    ) {
        let mut decide = |target: CanonicalTarget<'_>, reading| {
            let mut evaluation = Evaluation::undecided();
            self.decide_reading(request, &target, reading, scratch, &mut evaluation);
            evaluation
        };
        let first = decide(readings.as_it_stands(), Reading::AsItStands);
        let both = first.and(decide(readings.decoded(), Reading::Decoded));
        *evaluation = readings.cut().map_or(both, |cut| both.and(decide(cut, Reading::Cut)));
    }

    /// Where a request comes from: what the proxies say that the policy trusts, if the peer is one of them, else the peer itself.
    ///
    /// `header` is asked for the header that such a proxy writes; it answers `None` if that is not passed. What cannot be known makes the source
    /// unknown, never the peer's.
    ///
    /// # Allocation
    /// None.
    #[must_use]
    pub fn source<'a>(&self, peer: Source, header: impl FnOnce(&str) -> Option<HeaderLines<'a>>) -> Source {
        self.proxies.source(peer, header)
    }

    /// Decides on one reading of a request's target. Nothing has been said in `evaluation` yet.
    // PERF: evaluations are large and are filled where they stand. What nearly every request passes is one function up to the rules.
    #[inline(always)]
    fn decide_reading(
        &self,
        request: &Request<'_>,
        target: &CanonicalTarget<'_>,
        reading: Reading,
        scratch: &mut Scratch,
        evaluation: &mut Evaluation,
    ) {
        let method = self.policy.methods.resolve(request.method);
        let traits = self.hosts.of(target.host);
        let preflight = match self.headers.preflight {
            Some(headers) if request.method == b"OPTIONS" => self.preflight(headers, request, target, traits, scratch),
            Some(_) | None => Ok(None),
        };
        let held = scopes::find(self, target, traits, method, self.frontend(request), scratch);
        let (preflight, asked_for) = match preflight {
            Ok(None) => (None, Privilege::None),
            Ok(Some(preflight)) => (Some(preflight), preflight.privilege),
            Err(unknown) => {
                let held = held.unwrap_or_else(|unknown| unknown.privilege);
                return evaluation.refuse(Reason::FrontendUnknown, unknown.privilege.max(held));
            }
        };
        let privilege = match held {
            Ok(privilege) => privilege.max(asked_for),
            Err(unknown) => {
                return evaluation.refuse(Reason::FrontendUnknown, unknown.privilege.max(asked_for));
            }
        };
        if traits.refuses_method_override && self.asks_for_another_method(request, target) {
            return evaluation.refuse(Reason::MethodOverride, privilege);
        }
        let tunnel_seconds = match self.upgrade(request, preflight, traits, scratch) {
            Upgrade::Refuse => return evaluation.refuse(Reason::UpgradeRefused, privilege),
            Upgrade::Outlive { seconds } => Some(seconds),
            Upgrade::Allow => None,
        };
        match request.credential {
            Credential::Ambiguous => return evaluation.refuse(Reason::AmbiguousCredential, privilege),
            Credential::Deferred => return evaluation.refuse(Reason::Deferred, privilege),
            Credential::Absent | Credential::Verified(_) | Credential::Expired | Credential::Invalid(_) => {}
        }
        let person = Person::of(&request.credential, request.time);
        let stops_preflight = preflight.is_some_and(|preflight| preflight.stopped);
        if !request.stops.is_empty() && (stops_preflight || self.is_stopped(person, request, traits, scratch)) {
            return evaluation.refuse(Reason::Stopped, privilege);
        }
        // Browsers send no credential with a preflight; one that is there all the same makes no difference.
        let mut person = if preflight.is_some() { Person::Nobody } else { person };
        let Scratch { marks, found, standings, .. } = scratch;
        person.look_up_standing(|identity| standings.of(identity, self));
        let grants = grants_of(person, request);
        let index = self.index_for(traits);
        let case = Case { snapshot: self, request, target, reading, traits, method, index, person, grants };
        let scope = preflight.map(|preflight| preflight.scope);
        rules::weigh(&case, Rules::InForce, scope, found, marks, &mut evaluation.decision);
        if found.traits.has_observed_rules() {
            rules::weigh_observed(&case, scope, found, marks, &mut evaluation.candidate);
        } else {
            evaluation.nothing_observed();
        }
        (evaluation.privileged, evaluation.audit) = (privilege.is_privileged(), privilege.audit());
        evaluation.tunnel_seconds = tunnel_seconds;
    }

    /// What a CORS preflight asks for, if the request is one that a scope lets pass. `headers` is where it says so. Leaves other scopes in `scratch`.
    #[cold]
    fn preflight(
        &self,
        [origin, method]: [FactId; 2],
        request: &Request<'_>,
        target: &CanonicalTarget<'_>,
        traits: HostTraits,
        scratch: &mut Scratch,
    ) -> Result<Option<Preflight>, FrontendUnknown> {
        let (FactValue::One(_), FactValue::One(method)) = (request.facts.value(origin), request.facts.value(method))
        else {
            return Ok(None);
        };
        let method = self.policy.methods.resolve(method);
        let held = scopes::find(self, target, traits, method, self.frontend(request), scratch);
        // Where the frontend is not known these are those that may hold it.
        let Some(scope) = scratch.found().iter().copied().find(|scope| self.policy.scopes[*scope].preflight) else {
            return Ok(None);
        };
        let privilege = held?;
        let stopped = self.is_scope_stopped(request, traits, scratch);
        Ok(Some(Preflight { scope, privilege, stopped, upgrade: self.strictest_upgrade(traits, scratch) }))
    }

    /// The frontend at which a request came in; `None` if that is not known, or no scope asks for it.
    fn frontend<'a>(&self, request: &Request<'a>) -> Option<&'a [u8]> {
        match request.facts.value(self.frontend?) {
            FactValue::One(name) => Some(name),
            FactValue::NotPassed | FactValue::Absent | FactValue::Several => None,
        }
    }

    /// What is said about the upgrade that the request asks for, or may; nothing against one that it does not ask for.
    fn upgrade(
        &self,
        request: &Request<'_>,
        preflight: Option<Preflight>,
        traits: HostTraits,
        scratch: &Scratch,
    ) -> Upgrade {
        if request.upgrade.is_false() {
            return Upgrade::Allow;
        }
        let asked_for = preflight.map_or(Upgrade::Allow, |preflight| preflight.upgrade);
        self.strictest_upgrade(traits, scratch).min(asked_for)
    }

    /// What the strictest of the scopes in `scratch` says about upgrades.
    fn strictest_upgrade(&self, traits: HostTraits, scratch: &Scratch) -> Upgrade {
        let said = scratch.found().iter().map(|scope| self.policy.scopes[*scope].upgrade);
        let together = scratch.found.crowds(self.index_for(traits)).map(|crowd| crowd.upgrade);
        said.chain(together).min().unwrap_or(Upgrade::Allow)
    }

    /// Where the scopes of a host were found.
    #[inline]
    fn index_for(&self, traits: HostTraits) -> &Index {
        self.folded_index.as_ref().filter(|_| traits.ignores_case).unwrap_or(&self.index)
    }

    /// Whether the request asks for another method than its own, or may: a header that is not passed could be there.
    fn asks_for_another_method(&self, request: &Request<'_>, target: &CanonicalTarget<'_>) -> bool {
        let value = |header: &Option<FactId>| header.map_or(FactValue::NotPassed, |header| request.facts.value(header));
        override_in_query(target.query)
            || !self.headers.method_overrides.iter().all(|it| value(it) == FactValue::Absent)
    }

    /// The scopes that hold a target with a method at a frontend, in order. `None` is a frontend that no scope names.
    pub(crate) fn scopes_holding<'s>(
        &self,
        target: &CanonicalTarget<'_>,
        method: MethodSet,
        frontend: Option<&str>,
        scratch: &'s mut Scratch,
    ) -> &'s [ScopeId] {
        scratch.fit(self);
        let frontend = frontend.unwrap_or_default().as_bytes();
        let traits = self.hosts.of(target.host);
        match scopes::find(self, target, traits, method, Some(frontend), scratch) {
            Ok(_) => {
                scratch.take_crowds_apart(self.index_for(traits));
                scratch.found()
            }
            // Not so: it is known.
            Err(FrontendUnknown { .. }) => &[],
        }
    }
}

/// What a CORS preflight asks for.
#[derive(Clone, Copy)]
struct Preflight {
    /// The first scope by name that holds the method asked for and lets preflights pass.
    scope: ScopeId,
    /// What the scopes that hold what is asked for make of it.
    privilege: Privilege,
    /// Whether a stop holds for a scope that holds what is asked for.
    stopped: bool,
    /// What the scopes that hold what is asked for say about upgrades.
    upgrade: Upgrade,
}

impl Snapshot {
    /// Whether a stop holds for a scope that holds the request, or for whoever is known to ask.
    fn is_stopped(&self, person: Person<'_>, request: &Request<'_>, traits: HostTraits, scratch: &Scratch) -> bool {
        let now = request.time;
        self.is_scope_stopped(request, traits, scratch)
            || person.identity().is_some_and(|identity| request.stops.stop_identity(identity, person.actor(), now))
    }

    /// Whether a stop holds for one of the scopes in `scratch`.
    fn is_scope_stopped(&self, request: &Request<'_>, traits: HostTraits, scratch: &Scratch) -> bool {
        let name = |scope: &ScopeId| &*self.policy.scopes[*scope].name;
        let mut crowds = scratch.found.crowds(self.index_for(traits));
        scratch.found().iter().any(|scope| request.stops.stop_scope(name(scope), request.time))
            // INVARIANT (scopes-by-name) is relied on.
            || crowds.any(|crowd| {
                let mut stopped = request.stops.stopped_scopes(request.time);
                stopped.any(|stopped| crowd.scopes().binary_search_by(|scope| name(scope).cmp(stopped)).is_ok())
            })
    }
}

fn grants_of<'a>(person: Person<'a>, request: &Request<'a>) -> &'a [Grant] {
    person.identity().map_or(&[], |identity| request.grants.of(identity.issuer(), identity.subject()))
}

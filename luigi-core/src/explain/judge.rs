//! One rule against one request: its match and its requirements, whatever other rules say.

use super::actors;
use super::captures::{self, Captures, Place, places};
use super::requirements::{self, Opening};
use super::subjects::{self, Caller, Delegation};
use super::{Finding, PatternTrace, RuleTrace, Standing, facts, listed, quoted, surroundings};
use crate::decide::{Reading, Request};
use crate::kleene::Kleene;
use crate::policy::model::{Conditions, Effect, FactTest, Policy, Rule, RuleId, ScopeId, ScopeSelector, Subject};
use crate::target::CanonicalTarget;

/// What every rule is judged by.
pub(super) struct Case<'a> {
    pub(super) policy: &'a Policy,
    pub(super) request: &'a Request<'a>,
    pub(super) target: CanonicalTarget<'a>,
    /// Which reading of the request's target that is.
    pub(super) reading: Reading,
    pub(super) caller: Caller<'a>,
    /// Every scope that holds the request.
    pub(super) held: Vec<ScopeId>,
}

/// Kinds of requirements, in the order in which unmet ones are reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Login,
    Subject,
    From,
    During,
    Fact,
    Approval,
}

impl Kind {
    pub(super) const ALL: [Self; 6] =
        [Self::Login, Self::Subject, Self::From, Self::During, Self::Fact, Self::Approval];

    fn key(self) -> &'static str {
        match self {
            Self::Login => "login",
            Self::Subject => "subject",
            Self::From => "from",
            Self::During => "during",
            Self::Fact => "facts",
            Self::Approval => "approval",
        }
    }
}

/// A rule as it came out.
pub(super) struct Judged<'a> {
    pub(super) id: RuleId,
    pub(super) rule: &'a Rule,
    /// Those of the rule's scopes that hold the request, in order of their ids.
    pub(super) scopes: Vec<ScopeId>,
    /// One, or for a rule that takes captures one for each pattern of its scopes that holds the request; never empty.
    pub(super) units: Vec<Unit>,
    concerned: bool,
}

/// A rule as it came out with the captures of one pattern, or with none.
pub(super) struct Unit {
    place: Option<Place>,
    pub(super) value: Kleene,
    predicates: Vec<Finding>,
    requirements: Vec<(Kind, Finding)>,
    /// Which scopes an approval requirement wants opened, and whether a grant opens them; empty without one.
    pub(super) openings: Vec<Opening>,
}

impl Unit {
    /// Whether a requirement of this kind is something other than true.
    pub(super) fn lacks(&self, kind: Kind) -> bool {
        self.requirements.iter().any(|(own, finding)| *own == kind && !finding.value.is_true())
    }

    fn lacks_anything(&self) -> bool {
        Kind::ALL.into_iter().any(|kind| self.lacks(kind))
    }

    /// What captures hold here; nothing for a rule that takes none.
    pub(super) fn captures(&self) -> Captures {
        self.place.as_ref().map(|place| place.captures.clone()).unwrap_or_default()
    }
}

impl Judged<'_> {
    /// Whether the rule matches: in any unit, by Kleene's OR.
    pub(super) fn value(&self) -> Kleene {
        self.units.iter().fold(Kleene::False, |any, unit| any.or(unit.value))
    }

    /// The unit that speaks for the rule.
    fn telling(&self) -> &Unit {
        let value = self.value();
        let mut with_value = self.units.iter().filter(|unit| unit.value == value);
        let told = match self.rule.effect {
            Effect::Restrict => self.blocking().next().or_else(|| with_value.next()),
            // The first of those that lack least: only these two depend on captures.
            Effect::Allow if value.is_true() => {
                with_value.min_by_key(|unit| (unit.lacks(Kind::Subject), unit.lacks(Kind::Approval)))
            }
            Effect::Allow | Effect::Deny => with_value.next(),
        };
        told.unwrap_or(&self.units[0])
    }

    /// The units in which a restrict rule blocks.
    pub(super) fn blocking(&self) -> impl Iterator<Item = &Unit> {
        self.units.iter().filter(|unit| !unit.value.is_false() && unit.lacks_anything())
    }

    /// Whether a requirement of this kind is something other than true: where the rule matches best, or anywhere for a restrict rule.
    pub(super) fn lacks(&self, kind: Kind) -> bool {
        match self.rule.effect {
            Effect::Restrict => self.blocking().any(|unit| unit.lacks(kind)),
            Effect::Allow | Effect::Deny => self.telling().lacks(kind),
        }
    }

    /// Whether scope and method are the rule's; neither is ever unknown.
    pub(super) fn is_about(&self, case: &Case<'_>) -> bool {
        let method = case.policy.methods.resolve(case.request.method);
        self.concerned && self.rule.methods.is_none_or(|methods| methods.intersects(method))
    }

    /// What the rule comes to by itself.
    pub(super) fn standing(&self) -> Standing {
        match (self.rule.effect, self.value()) {
            (_, Kleene::False) => Standing::Silent,
            (Effect::Deny, Kleene::True) => Standing::Denies,
            (Effect::Deny, Kleene::Unknown) => Standing::MayDeny,
            (Effect::Restrict, _) if self.blocking().next().is_some() => Standing::Blocks,
            (Effect::Restrict, _) => Standing::Satisfied,
            (Effect::Allow, Kleene::Unknown) => Standing::MayAllow,
            (Effect::Allow, Kleene::True) if self.telling().lacks_anything() => Standing::Unmet,
            (Effect::Allow, Kleene::True) => Standing::Allows,
        }
    }

    pub(super) fn trace(&self, policy: &Policy) -> RuleTrace {
        let requirements = |unit: &Unit| unit.requirements.iter().map(|(_, finding)| finding.clone()).collect();
        let pattern = |unit: &Unit| {
            unit.place.as_ref().map(|place| PatternTrace {
                scope: policy.scopes[place.scope].name.clone(),
                pattern: place.written(policy),
                captures: place.captures.values.clone(),
                value: unit.value,
                predicates: unit.predicates.clone(),
                requirements: requirements(unit),
            })
        };
        RuleTrace {
            rule: self.rule.name.clone(),
            owner: self.rule.owner.clone(),
            effect: self.rule.effect,
            mode: self.rule.mode,
            concerned: self.concerned,
            scopes: self.scopes.iter().map(|id| policy.scopes[*id].name.clone()).collect(),
            value: self.value(),
            standing: self.standing(),
            predicates: self.telling().predicates.clone(),
            requirements: requirements(self.telling()),
            patterns: self.units.iter().filter_map(pattern).collect(),
        }
    }
}

/// Judges one rule.
pub(super) fn judge<'a>(case: &Case<'a>, id: RuleId, rule: &'a Rule) -> Judged<'a> {
    let (scopes, in_scope) = scopes(case, rule);
    let concerned = in_scope.value.is_true();
    let takes_captures = !rule.captures(&case.policy.groups, &case.policy.approvals).is_empty();
    let mut units: Vec<Unit> = Vec::new();
    if takes_captures {
        let places = scopes.iter().flat_map(|scope| places(case, *scope));
        units.extend(places.map(|place| unit(case, rule, &scopes, &in_scope, Some(place))));
    }
    if units.is_empty() {
        units.push(unit(case, rule, &scopes, &in_scope, None));
    }
    Judged { id, rule, scopes, units, concerned }
}

/// Judges one rule with the captures of one place.
fn unit(case: &Case<'_>, rule: &Rule, scopes: &[ScopeId], in_scope: &Finding, place: Option<Place>) -> Unit {
    let policy = case.policy;
    let captures = &place.as_ref().map(|place| place.captures.clone()).unwrap_or_default();
    let mut predicates = vec![in_scope.clone()];
    predicates.extend(narrowing(case, rule));
    let delegation = match rule.effect {
        Effect::Allow if rule.when.via.is_some() => Delegation::AsSubject,
        Effect::Allow => Delegation::Refused,
        Effect::Deny => Delegation::SubjectOrActor,
        Effect::Restrict => Delegation::AsSubject,
    };
    predicates.extend(conditions(case, &rule.when, captures, delegation));
    for unless in &rule.unless {
        // The keys of one entry are joined by AND, the entries by OR; the rule matches where that does not hold.
        let parts = conditions(case, unless, captures, Delegation::AsSubject);
        let holds = parts.iter().fold(Kleene::True, |all, part| all.and(part.value));
        let because: Vec<&str> =
            parts.iter().filter(|part| part.value == holds).map(|part| part.because.as_str()).collect();
        let because = match holds {
            Kleene::True => format!("the exception holds: {}", because.join(", ")),
            Kleene::Unknown => format!("the exception is unknown: {}", because.join(", ")),
            Kleene::False => format!("the exception does not hold: {}", because.join(", ")),
        };
        predicates.push(Finding::new("unless", !holds, because).with_parts(parts));
    }
    let value = predicates.iter().fold(Kleene::True, |all, one| all.and(one.value));

    let require = &rule.require;
    let mut requirements = Vec::new();
    if let Some(login) = require.login {
        let finding = requirements::login(&policy.logins[login], case.caller, case.request.time);
        requirements.push((Kind::Login, finding));
    }
    if !require.subject.is_empty() {
        let wanted = Subject::AnyOf(require.subject.clone());
        let (caller, now) = (case.caller, case.request.time);
        let finding = subjects::subject(policy, &wanted, captures, caller, Delegation::AsSubject, now);
        requirements.push((Kind::Subject, finding));
    }
    if !require.from.is_empty() {
        requirements.push((Kind::From, surroundings::from(policy, &require.from, case.request.source)));
    }
    if !require.during.is_empty() {
        requirements.push((Kind::During, surroundings::during(policy, &require.during, case.request.time)));
    }
    let findings = require.facts.iter().map(|test| fact(case, test));
    requirements.extend(findings.map(|finding| (Kind::Fact, finding)));
    let mut openings = Vec::new();
    if !require.approval.is_empty() {
        openings = requirements::openings(case, rule, scopes, place.as_ref());
        requirements.push((Kind::Approval, approval(policy, rule, &openings)));
    }
    Unit { place, value, predicates, requirements, openings }
}

/// Those of the rule's scopes that hold the request, and the predicate on them.
fn scopes(case: &Case<'_>, rule: &Rule) -> (Vec<ScopeId>, Finding) {
    let name = |id: &ScopeId| case.policy.scopes[*id].name.as_str();
    match &rule.scopes {
        ScopeSelector::All => (Vec::new(), Finding::new("scopes", true, "every request").fixed_if(true)),
        ScopeSelector::Named(wanted) => {
            let mut holding: Vec<ScopeId> = wanted.iter().copied().filter(|id| case.held.contains(id)).collect();
            holding.sort_unstable();
            let finding = if holding.is_empty() {
                Finding::new(
                    "scopes",
                    false,
                    format!("the request is not in {}", listed(wanted.iter().map(name), "or")),
                )
            } else {
                let because = format!("the request is in {}", listed(holding.iter().map(name), "and"));
                Finding::new("scopes", true, because)
            };
            (holding, finding)
        }
    }
}

/// What narrows a rule beside its conditions: methods, beginning and end.
fn narrowing(case: &Case<'_>, rule: &Rule) -> Vec<Finding> {
    let mut found = Vec::new();
    if let Some(methods) = rule.methods {
        let held = methods.intersects(case.policy.methods.resolve(case.request.method));
        let is = if held { "is" } else { "is not" };
        let method = quoted(&String::from_utf8_lossy(case.request.method));
        found.push(Finding::new("methods", held, format!("{method} {is} among the rule's methods")));
    }
    found.extend(rule.starts.map(|at| surroundings::starts(at, case.request.time)));
    found.extend(rule.ends.map(|at| surroundings::ends(at, case.request.time)));
    found
}

fn conditions(case: &Case<'_>, conditions: &Conditions, captures: &Captures, delegation: Delegation) -> Vec<Finding> {
    let subject = conditions.subject.as_ref();
    let (policy, caller, now) = (case.policy, case.caller, case.request.time);
    let subject = subject.map(|wanted| subjects::subject(policy, wanted, captures, caller, delegation, now));
    let mut found: Vec<Finding> = subject.into_iter().collect();
    found.extend(conditions.via.as_ref().map(|wanted| actors::via(policy, wanted, caller, now)));
    found.extend(captures::tests(policy, &conditions.captures, captures, caller, delegation));
    if !conditions.from.is_empty() {
        found.push(surroundings::from(case.policy, &conditions.from, case.request.source));
    }
    if !conditions.during.is_empty() {
        found.push(surroundings::during(case.policy, &conditions.during, case.request.time));
    }
    found.extend(conditions.facts.iter().map(|test| fact(case, test)));
    found
}

pub(super) fn fact(case: &Case<'_>, test: &FactTest) -> Finding {
    facts::fact(case.policy, test, &case.request.facts, case.target.query)
}

/// Whether the grants suffice.
fn approval(policy: &Policy, rule: &Rule, openings: &[Opening]) -> Finding {
    let privileged = |opening: &&Opening| policy.scopes[opening.scope].privileged;
    let met = match rule.effect {
        // Some scope is open, and every privileged one is.
        Effect::Allow | Effect::Deny => {
            openings.iter().any(|one| one.granted) && openings.iter().filter(privileged).all(|one| one.granted)
        }
        // Each scope asks for itself. With no scope there is nothing that a grant could open.
        Effect::Restrict => !openings.is_empty() && openings.iter().all(|one| one.granted),
    };
    let telling: Vec<&str> =
        openings.iter().filter(|one| one.granted == met).map(|one| one.finding.because.as_str()).collect();
    let because =
        if telling.is_empty() { "no scope of the rule holds the request".to_owned() } else { telling.join("; ") };
    Finding::new(Kind::Approval.key(), met, because)
        .with_parts(openings.iter().map(|one| one.finding.clone()).collect())
}

//! One rule against one request: its match and its requirements, whatever other rules say.

use super::actors;
use super::requirements::{self, Opening};
use super::subjects::{self, Caller, Delegation};
use super::{Finding, RuleTrace, Standing, facts, listed, quoted, surroundings};
use crate::decide::Request;
use crate::kleene::Kleene;
use crate::policy::model::{Conditions, Effect, FactTest, Policy, Rule, RuleId, ScopeId, ScopeSelector, Subject};
use crate::target::CanonicalTarget;

/// What every rule is judged by.
pub(super) struct Case<'a> {
    pub(super) policy: &'a Policy,
    pub(super) request: &'a Request<'a>,
    pub(super) target: CanonicalTarget<'a>,
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
    pub(super) value: Kleene,
    predicates: Vec<Finding>,
    requirements: Vec<(Kind, Finding)>,
    /// For each of `scopes`, whether a grant opens it; empty without an approval requirement.
    pub(super) openings: Vec<Opening>,
    concerned: bool,
}

impl Judged<'_> {
    /// Whether the rule's requirement of this kind is something other than true.
    pub(super) fn lacks(&self, kind: Kind) -> bool {
        self.requirements.iter().any(|(own, finding)| *own == kind && !finding.value.is_true())
    }

    /// Whether scope and method are the rule's; neither is ever unknown.
    pub(super) fn is_about(&self, case: &Case<'_>) -> bool {
        let method = case.policy.methods.resolve(case.request.method);
        self.concerned && self.rule.methods.is_none_or(|methods| methods.intersects(method))
    }

    fn lacks_anything(&self) -> bool {
        Kind::ALL.into_iter().any(|kind| self.lacks(kind))
    }

    /// What the rule comes to by itself.
    pub(super) fn standing(&self) -> Standing {
        match (self.rule.effect, self.value) {
            (_, Kleene::False) => Standing::Silent,
            (Effect::Deny, Kleene::True) => Standing::Denies,
            (Effect::Deny, Kleene::Unknown) => Standing::MayDeny,
            (Effect::Restrict, _) if self.lacks_anything() => Standing::Blocks,
            (Effect::Restrict, _) => Standing::Satisfied,
            (Effect::Allow, Kleene::Unknown) => Standing::MayAllow,
            (Effect::Allow, Kleene::True) if self.lacks_anything() => Standing::Unmet,
            (Effect::Allow, Kleene::True) => Standing::Allows,
        }
    }

    pub(super) fn trace(&self, policy: &Policy) -> RuleTrace {
        RuleTrace {
            rule: self.rule.name.clone(),
            owner: self.rule.owner.clone(),
            effect: self.rule.effect,
            mode: self.rule.mode,
            concerned: self.concerned,
            scopes: self.scopes.iter().map(|id| policy.scopes[*id].name.clone()).collect(),
            value: self.value,
            standing: self.standing(),
            predicates: self.predicates.clone(),
            requirements: self.requirements.iter().map(|(_, finding)| finding.clone()).collect(),
        }
    }
}

/// Judges one rule.
pub(super) fn judge<'a>(case: &Case<'a>, id: RuleId, rule: &'a Rule) -> Judged<'a> {
    let policy = case.policy;
    let (scopes, in_scope) = scopes(case, rule);
    let concerned = in_scope.value.is_true();

    let mut predicates = vec![in_scope];
    predicates.extend(narrowing(case, rule));
    let delegation = match rule.effect {
        Effect::Allow if rule.when.via.is_some() => Delegation::AsSubject,
        Effect::Allow => Delegation::Refused,
        Effect::Deny => Delegation::SubjectOrActor,
        Effect::Restrict => Delegation::AsSubject,
    };
    predicates.extend(conditions(case, &rule.when, delegation));
    for unless in &rule.unless {
        // The keys of one entry are joined by AND, the entries by OR; the rule matches where that does not hold.
        let parts = conditions(case, unless, Delegation::AsSubject);
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
        requirements.push((
            Kind::Subject,
            subjects::subject(policy, &wanted, case.caller, Delegation::AsSubject, case.request.time),
        ));
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
        openings = requirements::openings(policy, &require.approval, &scopes, case.caller, &case.target, case.request);
        requirements.push((Kind::Approval, approval(policy, rule, &openings)));
    }
    Judged { id, rule, scopes, value, predicates, requirements, openings, concerned }
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

fn conditions(case: &Case<'_>, conditions: &Conditions, delegation: Delegation) -> Vec<Finding> {
    let subject = conditions.subject.as_ref();
    let mut found: Vec<Finding> = subject
        .map(|wanted| subjects::subject(case.policy, wanted, case.caller, delegation, case.request.time))
        .into_iter()
        .collect();
    found
        .extend(conditions.via.as_ref().map(|wanted| actors::via(case.policy, wanted, case.caller, case.request.time)));
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

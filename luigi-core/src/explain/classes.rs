//! From all rules to the decision: refusals before the rules, then the classes of rules in their order.

use super::hosts::{self, HostWays};
use super::judge::{Case, Judged, Kind, judge};
use super::scopes::Holding;
use super::subjects::Caller;
use super::{AdviceTrace, DecisionTrace, Explanation, MissingTrace, RequestTrace, ScopeTrace, Standing};
use super::{ReadingTrace, advice, listed, quoted, scopes, stops};
use crate::decide::{Advice, Decision, Evaluation, FactValue, Reading, Reason, Request, Source};
use crate::identity::{Credential, Identity};
use crate::kleene::Kleene;
use crate::policy::captures::GroupValue;
use crate::policy::model::{Audit, Effect, Fact, FactKey, Mode, Policy, RuleId, ScopeId, Upgrade};
use crate::target::{CanonicalTarget, Host, Readings, Target};

pub(super) fn explain(policy: &Policy, request: &Request<'_>) -> Explanation {
    let readings = match request.target {
        Target::Canonical(target) => return explain_reading(policy, request, target, Reading::AsItStands),
        Target::Readings(readings) => readings,
        Target::Ambiguous(_) => return refused(policy, request, Reason::AmbiguousTarget, false, Vec::new()),
    };
    if !HostWays::of(policy, readings.host).accepts.contains(&readings.class) {
        return refused(policy, request, Reason::AmbiguousTarget, false, Vec::new());
    }
    let targets = [
        Some((readings.as_it_stands(), Reading::AsItStands)),
        Some((readings.decoded(), Reading::Decoded)),
        readings.cut().map(|cut| (cut, Reading::Cut)),
    ];
    let targets: Vec<_> = targets.into_iter().flatten().collect();
    let each = targets.iter().map(|(target, reading)| explain_reading(policy, request, *target, *reading));
    let each: Vec<Explanation> = each.collect();
    let traces = targets.iter().zip(&each).map(|((target, _), explanation)| ReadingTrace {
        path: target.path.to_owned(),
        decision: explanation.decision.decision,
        reason: explanation.decision.reason,
    });
    let traces: Vec<ReadingTrace> = traces.collect();
    // Of each decision the first denial holds; what is shown of the rules belongs to the reading that decides.
    let denied = |decision: fn(&Explanation) -> Decision| each.iter().position(|one| !decision(one).allows());
    let decides = denied(|one| one.evaluation.decision);
    let candidate = denied(|one| one.evaluation.candidate).unwrap_or(0);
    let shown = decides.unwrap_or(candidate);
    let privileged = each.iter().any(|one| one.privileged);
    let tunnel_seconds = each.iter().filter_map(|one| one.tunnel_seconds).min();
    let audit = each.iter().map(|one| one.evaluation.audit).fold(Audit::BestEffort, Ord::max);
    Explanation {
        evaluation: Evaluation {
            decision: each[decides.unwrap_or(0)].evaluation.decision,
            candidate: each[candidate].evaluation.candidate,
            privileged,
            audit,
            tunnel_seconds,
        },
        decision: each[decides.unwrap_or(0)].decision.clone(),
        candidate: each[candidate].candidate.clone(),
        privileged,
        tunnel_seconds,
        readings: traces,
        ..each[shown].clone()
    }
}

/// Everything about one reading of the target.
fn explain_reading(
    policy: &Policy,
    request: &Request<'_>,
    target: CanonicalTarget<'_>,
    reading: Reading,
) -> Explanation {
    let Holding { scopes: held, traces: scopes, frontend_unknown } = scopes::holding(policy, request, &target);
    let asked_for = preflight(policy, request, &target).unwrap_or_default();
    let preflight = asked_for.passes;
    let holding: Vec<ScopeId> = held.iter().chain(&asked_for.scopes).copied().collect();
    let privileged = holding.iter().any(|id| policy.scopes[*id].privileged);
    let audit = audit(policy, &holding);
    let refused = |policy, request, reason, privileged, scopes| {
        let explanation = refused(policy, request, reason, privileged, scopes);
        Explanation { evaluation: Evaluation { audit, ..explanation.evaluation }, ..explanation }
    };
    if frontend_unknown || asked_for.frontend_unknown {
        return refused(policy, request, Reason::FrontendUnknown, privileged, scopes);
    }
    if HostWays::of(policy, target.host).refuses_method_override
        && hosts::asks_for_another_method(policy, request, target.query)
    {
        return refused(policy, request, Reason::MethodOverride, privileged, scopes);
    }
    let upgrades: Vec<Upgrade> = holding.iter().map(|id| policy.scopes[*id].upgrade).collect();
    let asks_for_upgrade = request.upgrade != Kleene::False;
    if asks_for_upgrade && upgrades.contains(&Upgrade::Refuse) {
        return refused(policy, request, Reason::UpgradeRefused, privileged, scopes);
    }
    let limits = upgrades.iter().filter_map(|upgrade| match upgrade {
        Upgrade::Outlive { seconds } => Some(*seconds),
        Upgrade::Refuse | Upgrade::Allow => None,
    });
    let tunnel_seconds = limits.min().filter(|_| asks_for_upgrade);
    let caller = match (request.credential, Caller::of(request.credential, request.time)) {
        (_, Some(caller)) => caller,
        (Credential::Deferred, None) => return refused(policy, request, Reason::Deferred, privileged, scopes),
        (_, None) => return refused(policy, request, Reason::AmbiguousCredential, privileged, scopes),
    };
    if let Some(stop) = stops::first(policy, request, caller, &holding) {
        let mut explanation = refused(policy, request, Reason::Stopped, privileged, scopes);
        let because = format!("stop {} holds until {}: {}", quoted(&stop.id), stop.until, quoted(&stop.reason));
        explanation.decision.because.clone_from(&because);
        explanation.candidate.because = because;
        return explanation;
    }

    let caller = if preflight.is_some() { Caller::Nobody } else { caller };
    let case = Case { policy, request, target, reading, caller, held };
    let judged: Vec<Judged<'_>> = policy.rules.iter().map(|(id, rule)| judge(&case, id, rule)).collect();
    let in_force: Vec<&Judged<'_>> = judged.iter().filter(|one| one.rule.mode == Mode::Enforce).collect();
    let all: Vec<&Judged<'_>> = judged.iter().collect();
    let evaluation = {
        let decide = |rules: &[&Judged<'_>]| match preflight {
            Some(scope) => decide_preflight(scope, rules),
            None => decide(&case, rules),
        };
        Evaluation { decision: decide(&in_force), candidate: decide(&all), privileged, audit, tunnel_seconds }
    };
    Explanation {
        evaluation,
        request: request_trace(policy, request, evaluation.decision.reason),
        decision: decision_trace(policy, request, &evaluation.decision),
        candidate: decision_trace(policy, request, &evaluation.candidate),
        privileged,
        tunnel_seconds,
        readings: Vec::new(),
        scopes,
        rules: judged.iter().map(|one| one.trace(policy)).collect(),
    }
}

/// What the privileged scopes among these say of requests without a record.
fn audit(policy: &Policy, scopes: &[ScopeId]) -> Audit {
    let privileged = scopes.iter().map(|id| &policy.scopes[*id]).filter(|scope| scope.privileged);
    if privileged.clone().any(|scope| scope.audit == Audit::Required) { Audit::Required } else { Audit::BestEffort }
}

fn refused(
    policy: &Policy,
    request: &Request<'_>,
    reason: Reason,
    privileged: bool,
    scopes: Vec<ScopeTrace>,
) -> Explanation {
    let decision = Decision::refused(reason);
    Explanation {
        evaluation: Evaluation {
            decision,
            candidate: decision,
            privileged,
            audit: Audit::BestEffort,
            tunnel_seconds: None,
        },
        request: request_trace(policy, request, reason),
        decision: decision_trace(policy, request, &decision),
        candidate: decision_trace(policy, request, &decision),
        privileged,
        tunnel_seconds: None,
        readings: Vec::new(),
        scopes,
        rules: Vec::new(),
    }
}

/// What a CORS preflight asks for.
#[derive(Default)]
struct AskedFor {
    /// The first scope that lets it pass, or may.
    passes: Option<ScopeId>,
    /// All that hold what it asks for; where the frontend would have to be known, those that may.
    scopes: Vec<ScopeId>,
    frontend_unknown: bool,
}

/// What the request asks for, if it is a CORS preflight that a scope lets pass, or may.
fn preflight(policy: &Policy, request: &Request<'_>, target: &CanonicalTarget<'_>) -> Option<AskedFor> {
    let header = |name: &str| {
        let (id, _) = policy.facts.iter().find(|(_, fact)| fact.key() == FactKey::Header(name))?;
        match request.facts.value(id) {
            FactValue::One(value) => Some(value),
            FactValue::NotPassed | FactValue::Absent | FactValue::Several => None,
        }
    };
    if request.method != b"OPTIONS" {
        return None;
    }
    header("origin")?;
    let method = header("access-control-request-method")?;
    let Holding { scopes, traces: _, frontend_unknown } =
        scopes::holding(policy, &Request { method, ..*request }, target);
    let passes = scopes.iter().copied().find(|id| policy.scopes[*id].preflight)?;
    Some(AskedFor { passes: Some(passes), scopes, frontend_unknown })
}

/// The answer of these rules to a preflight that the scope lets pass: only deny rules count.
fn decide_preflight(scope: ScopeId, rules: &[&Judged<'_>]) -> Decision {
    let first = |standing| rules.iter().copied().find(|one| one.standing() == standing);
    let with = |reason, judged: &Judged<'_>| Decision {
        rule: Some(judged.id),
        scope: judged.scopes.first().copied(),
        ..Decision::refused(reason)
    };
    match (first(Standing::Denies), first(Standing::MayDeny)) {
        (Some(deny), _) => with(Reason::DeniedByRule, deny),
        (None, Some(deny)) => with(Reason::DenyRuleUnknown, deny),
        (None, None) => Decision { scope: Some(scope), ..Decision::refused(Reason::Preflight) },
    }
}

/// The answer of these rules, which are in order of their ids.
fn decide(case: &Case<'_>, rules: &[&Judged<'_>]) -> Decision {
    let first = |standing: &[Standing], effect: Effect| {
        rules.iter().copied().find(|one| one.rule.effect == effect && standing.contains(&one.standing()))
    };
    let with = |reason, judged: &Judged<'_>| Decision {
        reason,
        rule: Some(judged.id),
        restricted_by: None,
        scope: judged.scopes.first().copied(),
        advice: None,
    };
    let deny = first(&[Standing::Denies], Effect::Deny).map(|one| with(Reason::DeniedByRule, one));
    let deny = deny.or_else(|| first(&[Standing::MayDeny], Effect::Deny).map(|one| with(Reason::DenyRuleUnknown, one)));
    if let Some(decision) = deny {
        return Decision { advice: advice::advise(case, rules, true), ..decision };
    }

    let blocking: Vec<&Judged<'_>> = rules.iter().copied().filter(|one| one.standing() == Standing::Blocks).collect();
    if blocking.is_empty()
        && let Some(allow) = first(&[Standing::Allows], Effect::Allow)
    {
        return with(Reason::AllowedByRule, allow);
    }
    let decision = if let Some(allow) = first(&[Standing::Allows, Standing::Unmet], Effect::Allow) {
        let (reason, restricted_by) = unmet(allow, &blocking);
        Decision { restricted_by, ..with(reason, allow) }
    } else if let Some(allow) = first(&[Standing::MayAllow], Effect::Allow) {
        with(Reason::AllowRuleUnknown, allow)
    } else {
        Decision::refused(Reason::NoRuleAllows)
    };
    Decision { advice: advice::advise(case, rules, false), ..decision }
}

/// The first kind of requirement that an allow rule or a blocking restrict rule lacks, and the restrict rule if it is not the
/// allow rule's own.
fn unmet(allow: &Judged<'_>, blocking: &[&Judged<'_>]) -> (Reason, Option<RuleId>) {
    for kind in Kind::ALL {
        let reason = match kind {
            Kind::Login => Reason::LoginRequired,
            Kind::Subject => Reason::SubjectRequired,
            Kind::From => Reason::SourceRequired,
            Kind::During => Reason::ScheduleRequired,
            Kind::Fact => Reason::FactRequired,
            Kind::Approval => Reason::ApprovalRequired,
        };
        if allow.lacks(kind) {
            return (reason, None);
        }
        if let Some(restrict) = blocking.iter().find(|one| one.lacks(kind)) {
            return (reason, Some(restrict.id));
        }
    }
    // Called only when something is unmet; should that ever fail, the request is denied.
    (Reason::InternalError, None)
}

fn request_trace(policy: &Policy, request: &Request<'_>, reason: Reason) -> RequestTrace {
    let target = match request.target {
        Target::Canonical(target) => {
            let host = match target.host {
                Host::Absent => "(no host) ".to_owned(),
                Host::Name(name) => name.to_owned(),
                Host::Address(address) if address.contains(':') => format!("[{address}]"),
                Host::Address(address) => address.to_owned(),
            };
            quoted(&format!("{host}{}", target.path)).trim_matches('`').to_owned()
        }
        Target::Readings(Readings { class: why, .. }) | Target::Ambiguous(why) => format!("ambiguous: {why}"),
    };
    let identity = match Caller::of(request.credential, request.time) {
        Some(Caller::Known(identity)) => identity_trace(policy, identity),
        Some(caller) => caller.missing().map_or_else(String::new, |(_, because)| because),
        None if matches!(request.credential, Credential::Deferred) => {
            "too many credentials wait for verification".to_owned()
        }
        None => "more than one credential".to_owned(),
    };
    RequestTrace {
        method: quoted(&String::from_utf8_lossy(request.method)).trim_matches('`').to_owned(),
        target,
        // Where the host accepts the class the readings say what becomes of it.
        help: request.target.ambiguity().filter(|_| reason == Reason::AmbiguousTarget).map(|class| {
            let accepted = if class.is_acceptable() { "; `[hosts]` can accept the class for a host" } else { "" };
            format!("{}{accepted}", class.help())
        }),
        source: match request.source {
            Source::Address(address) => address.to_string(),
            Source::Unknown => "unknown".to_owned(),
        },
        frontend: policy.facts.iter().any(|(_, fact)| *fact == Fact::Frontend).then(|| {
            let name = scopes::frontend(policy, request).map(|name| quoted(&String::from_utf8_lossy(name)));
            name.unwrap_or_else(|| "unknown".to_owned())
        }),
        identity,
        time: request.time.to_string(),
    }
}

fn identity_trace(policy: &Policy, identity: &Identity) -> String {
    let issuer = policy.issuers.iter().find(|(_, issuer)| issuer.trust.url == identity.issuer());
    let issuer = issuer.map_or_else(|| quoted(identity.issuer()), |(_, issuer)| quoted(&issuer.name));
    let mut aliases: Vec<String> = Vec::new();
    for (_, group) in policy.groups.iter() {
        match &group.value {
            GroupValue::Literal(value) if identity.groups().contains(value) => aliases.push(group.name.clone()),
            GroupValue::Literal(_) => {}
            GroupValue::Family(family) => {
                let captured = identity.groups().names().iter().filter_map(|held| family.captured(held));
                aliases.extend(captured.map(|captured| format!("{}:{captured}", group.name)));
            }
        }
    }
    let mut text = format!("{} of {issuer}", quoted(identity.subject()));
    if !aliases.is_empty() {
        text.push_str(&format!(", in {}", listed(aliases.iter().map(String::as_str), "and")));
    }
    if let Some(actor) = identity.actor() {
        text.push_str(&format!(", {} acts for it", super::actors::chain(actor)));
    }
    text
}

fn decision_trace(policy: &Policy, request: &Request<'_>, decision: &Decision) -> DecisionTrace {
    let rule_name = |id| policy.rules[id].name.clone();
    let rule = decision.rule.map(rule_name);
    let restricted_by = decision.restricted_by.map(rule_name);
    let advice = decision.advice.map(|advice| match advice {
        Advice::Authenticate => AdviceTrace::Authenticate,
        Advice::StepUp { login, rule } => {
            AdviceTrace::StepUp { login: policy.logins[login].name.clone(), rule: rule_name(rule) }
        }
        Advice::RequestAccess { approvals, rule } => AdviceTrace::RequestAccess {
            approvals: approvals
                .iter()
                .map(|missing| MissingTrace {
                    scope: policy.scopes[missing.scope].name.clone(),
                    approval: policy.approvals[missing.approval].name.clone(),
                    captures: missing.captures(policy, &request.target),
                })
                .collect(),
            rule: rule_name(rule),
        },
    });
    DecisionTrace {
        decision: if decision.allows() { "allow" } else { "deny" },
        reason: decision.reason,
        because: sentence(decision.reason, rule.as_deref(), restricted_by.as_deref()),
        rule,
        restricted_by,
        scope: decision.scope.map(|id| policy.scopes[id].name.clone()),
        advice,
    }
}

fn sentence(reason: Reason, rule: Option<&str>, restricted_by: Option<&str>) -> String {
    let rule = rule.map_or_else(|| "no rule".to_owned(), |name| format!("`{name}`"));
    let requires = |what: &str| match restricted_by {
        Some(restrict) => format!("{rule} would allow it, but `{restrict}` requires {what}"),
        None => format!("{rule} would allow it, but requires {what}"),
    };
    match reason {
        Reason::AllowedByRule => format!("{rule} allows it, and all that is required is met"),
        Reason::Preflight => "it is a CORS preflight that a scope lets pass".to_owned(),
        Reason::DeniedByRule => format!("{rule} denies it"),
        Reason::DenyRuleUnknown => format!("{rule} may deny it: a predicate is unknown"),
        Reason::LoginRequired => requires("another login"),
        Reason::SubjectRequired => requires("another subject"),
        Reason::SourceRequired => requires("another network"),
        Reason::ScheduleRequired => requires("another time"),
        Reason::FactRequired => requires("something else of the request or its certificate"),
        Reason::ApprovalRequired => requires("a grant"),
        Reason::AllowRuleUnknown => format!("{rule} may allow it, but a predicate is unknown"),
        Reason::NoRuleAllows => "no rule allows it".to_owned(),
        Reason::MalformedFacts => "the facts about the request are malformed".to_owned(),
        Reason::AmbiguousTarget => "two servers could read the target differently".to_owned(),
        Reason::FrontendUnknown => {
            "it may lie in a scope that names frontends, and it is not known at which one it came in".to_owned()
        }
        Reason::MethodOverride => {
            "it asks for another method than its own, or may, and its host refuses that".to_owned()
        }
        Reason::UpgradeRefused => {
            "it asks for an upgrade of its connection, or may, and a scope that holds it refuses that".to_owned()
        }
        Reason::AmbiguousCredential => "a credential was sent twice".to_owned(),
        Reason::Deferred => "too many credentials wait for verification".to_owned(),
        Reason::Stopped => "an incident stop holds".to_owned(),
        Reason::InternalError => "something inside failed".to_owned(),
        Reason::AuditUnavailable => "it is privileged, and no record of it could be taken".to_owned(),
    }
}

//! What must also hold: logins of a kind and grants.

use super::captures::{Captures, Place, granted_for, places};
use super::hosts::HostWays;
use super::judge::Case;
use super::subjects::Caller;
use super::{Finding, count, listed, quoted};
use crate::decide::{Request, Source};
use crate::grant_set::Grant;
use crate::identity::Identity;
use crate::kleene::Kleene;
use crate::policy::model::{Approval, ApprovalId, Effect, Login, Rule, Scope, ScopeId};
use crate::target::CanonicalTarget;
use crate::time::Timestamp;

/// How far in the future a login may lie before its age cannot be known.
const CLOCK_SKEW_SECONDS: i64 = 300;

/// Whether the caller logged in as required.
pub(super) fn login(wanted: &Login, caller: Caller<'_>, now: Timestamp) -> Finding {
    let identity = match caller {
        Caller::Known(identity) => identity,
        Caller::Nobody | Caller::Unproven(_) => {
            let (value, because) = caller.missing().unwrap_or((Kleene::Unknown, String::new()));
            return Finding::new("login", value, format!("`{}`: {because}", wanted.name));
        }
    };
    let held = identity.login();
    let mut parts = Vec::new();
    if !wanted.acr_any.is_empty() {
        parts.push(match held.acr.as_deref() {
            None => Finding::new("acr-any", Kleene::Unknown, "the token does not say `acr`"),
            Some(acr) => {
                let fits = wanted.acr_any.iter().any(|one| one == acr);
                Finding::new("acr-any", fits, format!("acr is {}", quoted(acr)))
            }
        });
    }
    if !wanted.amr_any.is_empty() {
        parts.push(match held.amr.as_deref() {
            None => Finding::new("amr-any", Kleene::Unknown, "the token does not say `amr`"),
            Some(amr) => {
                let fits = amr.iter().any(|method| wanted.amr_any.iter().any(|one| *one == **method));
                let has =
                    if amr.is_empty() { "nothing".to_owned() } else { listed(amr.iter().map(AsRef::as_ref), "and") };
                Finding::new("amr-any", fits, format!("amr has {has}"))
            }
        });
    }
    if !wanted.amr_all.is_empty() {
        parts.push(match held.amr.as_deref() {
            None => Finding::new("amr-all", Kleene::Unknown, "the token does not say `amr`"),
            Some(amr) => {
                let lacking: Vec<&str> = wanted.amr_all.iter().map(String::as_str).collect();
                let lacking: Vec<&str> =
                    lacking.into_iter().filter(|one| !amr.iter().any(|method| **method == **one)).collect();
                let because = if lacking.is_empty() {
                    "amr has all".to_owned()
                } else {
                    format!("amr lacks {}", listed(lacking.iter().copied(), "and"))
                };
                Finding::new("amr-all", lacking.is_empty(), because)
            }
        });
    }
    if let Some(max_age) = wanted.max_age_seconds {
        parts.push(match held.auth_time {
            None => Finding::new("max-age", Kleene::Unknown, "the token does not say `auth_time`"),
            Some(at) => age(at, now, max_age),
        });
    }
    let value = parts.iter().fold(Kleene::True, |all, part| all.and(part.value));
    let telling: Vec<&str> =
        parts.iter().filter(|part| part.value == value).map(|part| part.because.as_str()).collect();
    Finding::new("login", value, format!("`{}`: {}", wanted.name, telling.join(", "))).with_parts(parts)
}

fn age(at: Timestamp, now: Timestamp, max_age: u32) -> Finding {
    let seconds = now.unix_seconds().saturating_sub(at.unix_seconds());
    if seconds < -CLOCK_SKEW_SECONDS {
        return Finding::new("max-age", Kleene::Unknown, "the login lies in the future");
    }
    let seconds = seconds.max(0);
    let fits = seconds <= i64::from(max_age);
    let most = if fits { "at most" } else { "more than" };
    Finding::new("max-age", fits, format!("logged in {seconds} s ago, {most} {max_age} s"))
}

/// A scope that holds the request, and whether a grant opens it under one of the approvals.
pub(super) struct Opening {
    pub(super) scope: ScopeId,
    /// Where the rule takes captures: the values that the grant must be for, if an approval is per some of them.
    pub(super) captures: Captures,
    pub(super) granted: bool,
    pub(super) finding: Finding,
}

/// Which scopes a rule wants opened, and whether some grant of the caller opens them. `place` is where a rule that takes captures is looked at.
pub(super) fn openings(case: &Case<'_>, rule: &Rule, scopes: &[ScopeId], place: Option<&Place>) -> Vec<Opening> {
    let approvals = &rule.require.approval;
    let in_place = |place: &Place| opening(case, approvals, place.scope, &place.captures);
    let Some(place) = place else {
        return scopes.iter().map(|scope| opening(case, approvals, *scope, &Captures::default())).collect();
    };
    let privileged: Vec<ScopeId> =
        scopes.iter().copied().filter(|scope| case.policy.scopes[*scope].privileged).collect();
    if rule.effect == Effect::Restrict || privileged.is_empty() {
        return vec![in_place(place)];
    }
    // All privileged scopes: this one for the captures of the place, others for those of any of their patterns.
    let mut all = Vec::new();
    for scope in privileged {
        if scope == place.scope {
            all.push(in_place(place));
        } else {
            let mut tried: Vec<Opening> = places(case, scope).iter().map(in_place).collect();
            let first_open = tried.iter().position(|one| one.granted).unwrap_or(0);
            all.push(tried.swap_remove(first_open));
        }
    }
    all
}

fn opening(case: &Case<'_>, approvals: &[ApprovalId], scope: ScopeId, captures: &Captures) -> Opening {
    let finding = grants(case, approvals, &case.policy.scopes[scope], captures);
    Opening { scope, captures: captures.clone(), granted: finding.value.is_true(), finding }
}

/// Whether a grant opens the scope for these captures.
fn grants(case: &Case<'_>, approvals: &[ApprovalId], scope: &Scope, captures: &Captures) -> Finding {
    let Case { policy, request, target, caller, .. } = case;
    let wanted = || listed(approvals.iter().map(|id| policy.approvals[*id].name.as_str()), "or");
    let closed =
        |why: String| Finding::new("scope", false, format!("`{}` is not opened by {}: {why}", scope.name, wanted()));
    let identity = match *caller {
        Caller::Known(identity) => identity,
        // Never unknown: without an identity there is no one a grant could be for.
        Caller::Nobody | Caller::Unproven(_) => {
            return closed(caller.missing().map_or_else(String::new, |(_, because)| because));
        }
    };
    let held = request.grants.of(identity.issuer(), identity.subject());
    let mut rejected = Vec::new();
    let ways = HostWays::of(policy, target.host);
    for grant in held {
        let mut mismatch = String::new();
        for id in approvals {
            match grant_meets(grant, scope, &policy.approvals[*id], captures, identity, (target, &ways), request) {
                Ok(()) => {
                    return Finding::new(
                        "scope",
                        true,
                        format!(
                            "`{}` is opened by `{}` until {}, grant {}",
                            scope.name,
                            grant.approval,
                            grant.until,
                            quoted(&grant.id)
                        ),
                    )
                    .by_approval(&grant.approval);
                }
                Err(why) => {
                    // What is said of an approval of the grant's own name tells more.
                    if mismatch.is_empty() || policy.approvals[*id].name == grant.approval {
                        mismatch = why;
                    }
                }
            }
        }
        rejected.push(Finding::new("grant", false, format!("{} {mismatch}", quoted(&grant.id))));
    }
    let why = match rejected.len() {
        0 => "the caller has no grant".to_owned(),
        n => format!("none of the caller's {} fits", count(n, "grant")),
    };
    closed(why).with_parts(rejected)
}

/// Whether a grant of this person opens this scope under this approval now, or the first thing that speaks against it.
fn grant_meets(
    grant: &Grant,
    scope: &Scope,
    approval: &Approval,
    captures: &Captures,
    identity: &Identity,
    (target, ways): (&CanonicalTarget<'_>, &HostWays),
    request: &Request<'_>,
) -> Result<(), String> {
    let now = request.time;
    if grant.scope != scope.name {
        return Err(format!("is for scope {}", quoted(&grant.scope)));
    }
    if grant.approval != approval.name {
        return Err(format!("is under approval {}", quoted(&grant.approval)));
    }
    if grant.scope_hash != scope.content_hash {
        return Err(format!("is for scope `{}` as it was before it changed", scope.name));
    }
    if grant.approval_hash != approval.content_hash {
        return Err(format!("is under approval `{}` as it was before it changed", approval.name));
    }
    granted_for(&grant.captures, &approval.per, captures)?;
    let actor_now = identity.actor();
    let same_actor = match (&grant.actor, actor_now) {
        (None, None) => true,
        (Some((issuer, subject)), Some(actor)) => {
            actor.legible && **issuer == *actor.issuer && actor.subject.as_deref() == Some(subject.as_str())
        }
        (None, Some(_)) | (Some(_), None) => false,
    };
    if !same_actor {
        return Err("was asked for by another actor".to_owned());
    }
    if now < grant.from {
        return Err(format!("counts only from {}", grant.from));
    }
    if now >= grant.until {
        return Err(format!("ended {}", grant.until));
    }
    if let Some(path) = &grant.path
        && !ways.same(ways.meant(path), ways.meant(target.path))
    {
        return Err(format!("is narrowed to path {}", quoted(path)));
    }
    let inside = match request.source {
        Source::Address(address) => grant.networks.iter().any(|network| network.contains(&address)),
        Source::Unknown => false,
    };
    if !grant.networks.is_empty() && !inside {
        return Err("is narrowed to other networks".to_owned());
    }
    Ok(())
}

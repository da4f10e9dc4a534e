//! Scopes that have the same patterns as another one, and rules that let groups into them.

use super::Choices;
use crate::method::MethodSet;
use crate::policy::model::{
    Conditions, ContentHash, Effect, GroupId, Mode, Policy, Requirements, Rule, Scope, ScopeId, ScopeSelector, Subject,
    SubjectMatcher, Upgrade,
};

/// Adds to a policy, sometimes. Scopes and rules come behind those that are there.
pub(super) fn add(policy: &mut Policy, choices: &mut Choices<'_>) {
    if !choices.chance(25) {
        return;
    }
    let all: Vec<ScopeId> = policy.scopes.iter().map(|(id, _)| id).collect();
    let like = *choices.pick(&all);
    let first = policy.scopes.len();
    let crowd: Vec<ScopeId> = (0..choices.between(2, 4))
        .map(|n| {
            let scope = companion(first + n, &policy.scopes[like], choices);
            policy.scopes.push(scope)
        })
        .collect();
    if choices.chance(20) {
        let row = policy.scopes.row_mut(*choices.pick(&all));
        row.except = [&row.except[..], &crowd[..1]].concat();
    }
    // Groups that are one text: families are captures.
    let groups: Vec<GroupId> =
        policy.groups.iter().filter(|(_, group)| group.value.family().is_none()).map(|(id, _)| id).collect();
    let first = policy.rules.len();
    for n in 0..choices.between(1, 2) {
        let scopes = choices.some(&crowd, crowd.len());
        policy.rules.push(rule(first + n, scopes, *choices.pick(&groups), choices));
    }
}

/// A scope with the patterns of another one, and mostly nothing else.
fn companion(n: usize, like: &Scope, choices: &mut Choices<'_>) -> Scope {
    let mut operations = like.operations.clone();
    if choices.chance(15) {
        operations.iter_mut().for_each(|operation| operation.methods = MethodSet::READ);
    }
    let privileged = choices.chance(20);
    let mut hash = [0x10; 32];
    hash[31] = u8::try_from(n).expect("tables are small");
    Scope {
        name: format!("scope-{n}"),
        hosts: like.hosts.clone(),
        frontends: if choices.chance(10) { like.frontends.clone() } else { Vec::new() },
        operations,
        path_regex: like.path_regex.clone(),
        except: Vec::new(),
        privileged,
        audit: like.audit,
        preflight: choices.chance(10),
        upgrade: if privileged || choices.chance(15) { Upgrade::Refuse } else { Upgrade::Allow },
        content_hash: ContentHash(hash),
    }
}

/// Mostly one that asks for a group and for nothing else.
fn rule(n: usize, scopes: Vec<ScopeId>, group: GroupId, choices: &mut Choices<'_>) -> Rule {
    let matcher = SubjectMatcher { groups: vec![group], ..SubjectMatcher::default() };
    Rule {
        name: format!("rule-{n}"),
        owner: None,
        effect: if choices.chance(5) { Effect::Deny } else { Effect::Allow },
        mode: if choices.chance(5) { Mode::Observe } else { Mode::Enforce },
        scopes: ScopeSelector::Named(scopes),
        methods: choices.chance(5).then_some(MethodSet::READ),
        when: Conditions { subject: Some(Subject::AnyOf(vec![matcher])), ..Conditions::default() },
        unless: Vec::new(),
        starts: None,
        ends: None,
        require: Requirements::default(),
    }
}

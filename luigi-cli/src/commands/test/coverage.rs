//! What the tests never tried, for people and programs.

use crate::output::{count, style};
use luigi_core::explain::Tone;
use luigi_core::policy_tests::coverage::{Coverage, RuleCoverage, Seen};
use serde_json::{Value, json};
use std::fmt::Write as _;

/// The share in percent, then what is missing rule by rule; with `verbose` also what was never unknown.
pub(super) fn text(coverage: &Coverage, verbose: u8) -> String {
    let (strong, faint) = (style(Tone::Strong), style(Tone::Faint));
    let mut out = String::new();
    let mut never_unknown = 0;
    for (name, rule) in &coverage.rules {
        let mut lines = gaps(rule);
        let known: Vec<&str> = rule.predicates().filter(|(_, seen)| seen.unknown == 0).map(|(keys, _)| keys).collect();
        never_unknown += known.len();
        if verbose > 0 && !known.is_empty() {
            lines.push(("never unknown", known.join(", ")));
        }
        if lines.is_empty() {
            continue;
        }
        let _ = writeln!(out, "\nrule {strong}{name}{strong:#}");
        for (what, which) in lines {
            let _ = writeln!(out, "  {}", format!("{what:<14} {which}").trim_end());
        }
    }
    let unseen = |table: &std::collections::BTreeMap<String, u64>| {
        let names: Vec<&str> = table.iter().filter(|(_, n)| **n == 0).map(|(name, _)| name.as_str()).collect();
        names.join(", ")
    };
    let (scopes, approvals) = (unseen(&coverage.scopes), unseen(&coverage.approvals));
    if !scopes.is_empty() {
        let _ = writeln!(out, "\nscopes in which no request lies: {strong}{scopes}{strong:#}");
    }
    if !approvals.is_empty() {
        let _ = writeln!(out, "\napprovals that were never granted: {strong}{approvals}{strong:#}");
    }
    if never_unknown > 0 && verbose == 0 {
        let predicates = count(never_unknown, "predicate");
        let _ = writeln!(out, "\n{faint}not counted: {predicates} never unknown; -v names them{faint:#}");
    }
    let (seen, all) = coverage.outcomes();
    format!("\ncoverage: {strong}{}{strong:#}, {seen} of {}\n{out}", percent(coverage), count(all, "outcome"))
}

/// What a rule never did, and which of its predicates and requirements never came out one way.
fn gaps(rule: &RuleCoverage) -> Vec<(&'static str, String)> {
    let mut lines = Vec::new();
    let mut named = |what, which: Vec<&str>| {
        if !which.is_empty() {
            lines.push((what, which.join(", ")));
        }
    };
    let of = |is: fn(&Seen) -> bool| rule.predicates().filter(move |(_, seen)| is(seen)).map(|(keys, _)| keys);
    let wanted = |is: fn(&Seen) -> bool| rule.requirements().filter(move |(_, seen)| is(seen)).map(|(keys, _)| keys);
    if rule.matched.never_true() {
        named("never matched", vec![""]);
    }
    if rule.matched.never_false() {
        named("always matched", vec![""]);
    }
    named("never true", of(Seen::never_true).collect());
    named("never false", of(Seen::never_false).collect());
    named("never met", wanted(Seen::never_true).collect());
    named("never unmet", wanted(Seen::never_false).collect());
    lines
}

/// `83.3 %`; never rounded up to a hundred.
pub(super) fn percent(coverage: &Coverage) -> String {
    format!("{:.1} %", (coverage.percent() * 10.0).floor() / 10.0)
}

/// Every count; the members are documented in docs/CLI.md.
pub(super) fn json(coverage: &Coverage) -> Value {
    let (seen, all) = coverage.outcomes();
    let rule = |(name, rule): (&String, &RuleCoverage)| {
        let predicates = rule.predicates().map(|(keys, seen)| with(json!({ "predicate": keys }), seen));
        let requirements = rule.requirements().map(|(keys, seen)| {
            let never = [("never-met", seen.never_true()), ("never-unmet", seen.never_false())];
            json!({ "requirement": keys, "met": seen.yes, "unmet": seen.no, "never": never_list(&never) })
        });
        let predicates: Vec<Value> = predicates.collect();
        let requirements: Vec<Value> = requirements.collect();
        with(json!({ "rule": name, "predicates": predicates, "requirements": requirements }), &rule.matched)
    };
    let rules: Vec<Value> = coverage.rules.iter().map(rule).collect();
    let scopes: Vec<Value> = coverage.scopes.iter().map(|(name, n)| json!({ "scope": name, "requests": n })).collect();
    let approvals = coverage.approvals.iter().map(|(name, n)| json!({ "approval": name, "granted": n }));
    let approvals: Vec<Value> = approvals.collect();
    json!({
        "percent": coverage.percent(), "seen": seen, "outcomes": all, "rules": rules, "scopes": scopes, "approvals": approvals,
    })
}

fn with(mut object: Value, seen: &Seen) -> Value {
    object["true"] = seen.yes.into();
    object["false"] = seen.no.into();
    object["unknown"] = seen.unknown.into();
    object["never"] = never_list(&[("never-true", seen.never_true()), ("never-false", seen.never_false())]);
    object
}

/// The words for what is missing.
fn never_list(words: &[(&str, bool)]) -> Value {
    words.iter().filter(|(_, missing)| *missing).map(|(word, _)| Value::from(*word)).collect()
}

//! Facts: which of them rules and scopes ask for, and the tests that do.

use super::Scene;
use crate::described::DescribedFacts;
use crate::matchers::{METHOD_OVERRIDE_HEADERS, PREFLIGHT_HEADERS};
use crate::policy::diagnostics::{Code, Diagnostic, Diagnostics};
use crate::policy::model::{Fact, FactId, FactKey, FactTest, MAX_FACTS, Table, TableId};
use crate::policy::source::Span;
use crate::policy::syntax::{Case, FactTests, Rule, Syntax, Text, unknown_value};
use std::collections::BTreeMap;

/// The values of each fact that is defined.
pub(super) fn definitions(syntax: &Syntax) -> BTreeMap<String, Vec<String>> {
    let defined = syntax.facts.iter().filter_map(|entry| Some((entry.name.value.clone(), entry.item.clone()?)));
    defined.collect()
}

/// Every fact that some rule in force, preflight, scope with frontends, host or proxy asks for, in order.
pub(super) fn needed(
    syntax: &Syntax,
    in_force: impl Fn(&Rule) -> bool,
    definitions: &BTreeMap<String, Vec<String>>,
    out: &mut Diagnostics,
) -> Table<FactId, Fact> {
    let mut needed: BTreeMap<Fact, Option<Span>> = BTreeMap::new();
    let of_rules = syntax.rules.iter().filter(|rule| in_force(rule)).flat_map(|rule| {
        let exceptions = rule.unless.iter().map(|conditions| &conditions.facts);
        [&rule.when.facts, &rule.require.facts].into_iter().chain(exceptions)
    });
    for FactTests { headers, query: _, certificate, named } in of_rules {
        for (name, _) in headers {
            needed.entry(Fact::Header(name.value.clone())).or_insert(Some(name.span));
        }
        for (name, _) in named {
            if let Some(values) = definitions.get(&name.value) {
                let fact = Fact::Named { name: name.value.clone(), values: values.clone() };
                needed.entry(fact).or_insert(Some(name.span));
            }
        }
        for fact in certificate.iter().flat_map(|test| test.needs()) {
            needed.entry(fact).or_insert(None);
        }
    }
    let scopes = || syntax.scopes.iter().filter_map(|entry| entry.item.as_ref());
    if let Some(first) = scopes().flat_map(|scope| &scope.frontends).next() {
        needed.entry(Fact::Frontend).or_insert(Some(first.span));
    }
    if scopes().any(|scope| scope.preflight) {
        for name in PREFLIGHT_HEADERS {
            needed.entry(Fact::Header(name.to_owned())).or_insert(None);
        }
    }
    if syntax.hosts.iter().any(|host| host.refuses_method_override.as_ref().is_some_and(|refuses| refuses.value)) {
        for name in METHOD_OVERRIDE_HEADERS {
            needed.entry(Fact::Header(name.to_owned())).or_insert(None);
        }
    }
    for proxy in syntax.proxies.iter().filter_map(|entry| entry.item.as_ref()) {
        needed.entry(Fact::Header(proxy.source.value.clone())).or_insert(Some(proxy.source.span));
    }
    if needed.len() > MAX_FACTS {
        let span = needed.values().flatten().max().copied();
        let message = format!("the rules ask for {} facts, more than {MAX_FACTS}", needed.len());
        if let Some(span) = span {
            let help = "every request carries them all: ask for fewer headers and facts";
            out.push(Diagnostic::error(Code::OutOfRange, span, message).label("this one, among others").help(help));
        }
    }
    needed.into_keys().collect()
}

impl Scene {
    pub(super) fn fact_tests(&self, tests: &FactTests, out: &mut Diagnostics) -> Vec<FactTest> {
        let mut resolved = Vec::new();
        for (name, accepts) in &tests.headers {
            let header = self.fact(FactKey::Header(&name.value));
            resolved.extend(header.map(|header| FactTest::Header { header, accepts: accepts.clone() }));
        }
        for (parameter, accepts) in &tests.query {
            resolved.push(FactTest::Query { parameter: parameter.value.clone(), accepts: accepts.clone() });
        }
        for (name, values) in &tests.named {
            if self.defined_facts.find_text(name, out).is_none() {
                continue;
            }
            let known = self.fact_values.get(&name.value).map(Vec::as_slice).unwrap_or_default();
            for value in values.iter().filter(|value| !known.is_empty() && !known.contains(&value.value)) {
                out.push(unknown_value(&name.value, value, known));
            }
            let mut values: Vec<String> = values.iter().map(|value| value.value.clone()).collect();
            values.sort();
            let fact = self.fact(FactKey::Named(&name.value));
            resolved.extend(fact.map(|fact| FactTest::Named { fact, values }));
        }
        resolved.extend(tests.certificate.clone().map(FactTest::Certificate));
        resolved.sort();
        resolved.dedup();
        resolved
    }

    /// What a test says of its request. A value that a fact's definition lacks may be what the test is about, a name that is not defined
    /// is a mistake.
    pub(super) fn case_facts(&self, case: &Case, out: &mut Diagnostics) -> DescribedFacts {
        let mut defined = |facts: &Vec<(Text, Text)>| -> Vec<(String, String)> {
            let defined = facts.iter().filter(|(name, _)| self.defined_facts.find_text(name, out).is_some());
            defined.map(|(name, value)| (name.value.clone(), value.value.clone())).collect()
        };
        DescribedFacts {
            headers: case.headers.clone(),
            facts: case.facts.as_ref().map(&mut defined),
            certificate: case.certificate.clone(),
            frontend: case.frontend.clone(),
        }
    }

    fn fact(&self, key: FactKey<'_>) -> Option<FactId> {
        self.facts.iter().position(|(_, fact)| fact.key() == key).map(FactId::from_index)
    }
}

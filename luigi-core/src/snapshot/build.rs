//! Putting a snapshot together, one row at a time: the one way there, for compiling and for loading.
//!
//! Everything that decisions rely on is checked here, so that a snapshot that exists is one that cannot make them fail.

use super::crowd::Member;
use super::group_table::GroupTable;
use super::hosts::HostTable;
use super::index::Index;
use super::{
    HeaderFacts, MAX_EXCEPT_DEPTH, MAX_POLICY_OPERATIONS, MAX_RULE_SCOPES, MAX_SCOPE_OPERATIONS, MAX_TEMPLATE_SEGMENTS,
    Revision, RulesByEffect, ScopeRules, ScopeTraits, Snapshot, SnapshotNumber, format,
};
use crate::matchers::path_regex::{MAX_POLICY_AUTOMATON_BYTES, MAX_SCOPE_AUTOMATON_BYTES, PathDfa};
use crate::matchers::{LocalHours, NetworkSet, TrustedProxies};
use crate::method::MethodTable;
use crate::policy::captures::{CaptureTest, CaptureValues, of_matchers};
use crate::policy::diagnostics::{Code, Diagnostic};
use crate::policy::model::{
    Approval, Approvers, Conditions, Effect, Fact, FactId, FactTest, Group, HostProperties, Issuer, Login, MAX_FACTS,
    Network, PathRegex, PatternId, Policy, Proxy, Requirements, Rule, RuleId, Schedule, Scope, ScopeId, ScopeSelector,
    Subject, SubjectMatcher, Table, TableId, Upgrade, ValueTest, Via, is_fact_name, is_frontend_name, is_header_name,
};
use std::collections::BTreeSet;
use std::fmt;

/// Why a policy cannot be compiled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CompileError {
    problem: Problem,
}

/// What is wrong with a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Problem {
    TooManyOperations { scope: String },
    PolicyTooLarge { scope: String },
    RulesTooWide { rule: String },
    TemplateTooLong { scope: String },
    ExceptTooDeep { scope: String },
    UnusableExpressions { scope: String },
    UnknownTimeZone { schedule: String, time_zone: String },
    Inconsistent { what: &'static str },
}

impl CompileError {
    pub(super) fn new(problem: Problem) -> Self {
        Self { problem }
    }

    /// The same as the problem of a policy, for those who report all of them in one way. It has no place: a compiled policy knows of none.
    #[must_use]
    pub fn diagnostic(&self) -> Diagnostic {
        let code = match &self.problem {
            Problem::TooManyOperations { .. }
            | Problem::PolicyTooLarge { .. }
            | Problem::RulesTooWide { .. }
            | Problem::TemplateTooLong { .. }
            | Problem::ExceptTooDeep { .. } => Code::ScopeTooLarge,
            Problem::UnusableExpressions { .. } => Code::PathRegexTooLarge,
            Problem::UnknownTimeZone { .. } => Code::UnknownTimeZone,
            Problem::Inconsistent { .. } => Code::OutOfRange,
        };
        Diagnostic::without_place(code, self.to_string())
    }
}

impl fmt::Display for CompileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.problem.fmt(f)
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooManyOperations { scope } => {
                write!(f, "scope `{scope}` has more than {MAX_SCOPE_OPERATIONS} pairs of a host and an operation")
            }
            Self::PolicyTooLarge { scope } => {
                write!(
                    f,
                    "with scope `{scope}` the policy has more than {MAX_POLICY_OPERATIONS} pairs of a host and an operation"
                )
            }
            Self::RulesTooWide { rule } => {
                write!(f, "the rules up to `{rule}` name more than {MAX_RULE_SCOPES} scopes together")
            }
            Self::TemplateTooLong { scope } => {
                write!(f, "scope `{scope}` has a path template of more than {MAX_TEMPLATE_SEGMENTS} segments")
            }
            Self::ExceptTooDeep { scope } => {
                write!(
                    f,
                    "scope `{scope}` leaves out scopes that leave out scopes, more than {MAX_EXCEPT_DEPTH} deep or in a circle"
                )
            }
            Self::UnusableExpressions { scope } => {
                write!(f, "scope `{scope}` has no automaton for its regular expressions, or one that is too large")
            }
            Self::UnknownTimeZone { schedule, time_zone } => {
                write!(f, "schedule `{schedule}` is in time zone `{time_zone}`, which this build does not know")
            }
            Self::Inconsistent { what } => write!(f, "{what}"),
        }
    }
}

impl std::error::Error for CompileError {}

pub(super) fn compile(policy: Policy) -> Result<Snapshot, CompileError> {
    let revision = Revision::of(&format::encode(&policy));
    let mut builder = Builder::default();
    builder.policy.environment = policy.environment;
    builder.policy.auditing = policy.auditing;
    builder.policy.default_issuer = policy.default_issuer;
    let take = |result: Result<(), Problem>| result.map_err(CompileError::new);
    take(builder.methods(policy.methods))?;
    policy.issuers.into_rows().try_for_each(|row| take(builder.issuer(row)))?;
    policy.groups.into_rows().try_for_each(|row| take(builder.group(row)))?;
    policy.networks.into_rows().try_for_each(|row| take(builder.network(row)))?;
    policy.proxies.into_rows().try_for_each(|row| take(builder.proxy(row)))?;
    policy.schedules.into_rows().try_for_each(|row| take(builder.schedule(row)))?;
    policy.logins.into_rows().try_for_each(|row| take(builder.login(row)))?;
    policy.hosts.into_rows().try_for_each(|row| take(builder.host(row)))?;
    policy.scopes.into_rows().try_for_each(|row| take(builder.scope(row)))?;
    policy.approvals.into_rows().try_for_each(|row| take(builder.approval(row)))?;
    policy.facts.into_rows().try_for_each(|row| take(builder.fact(row)))?;
    policy.rules.into_rows().try_for_each(|row| take(builder.rule(row)))?;
    while !take_progress(builder.settle(usize::MAX))? {}
    Ok(builder.finish(revision))
}

fn take_progress(result: Result<bool, Problem>) -> Result<bool, CompileError> {
    result.map_err(CompileError::new)
}

/// A snapshot in the making. Tables are filled in the order of the fields of [`Policy`]: a row may only refer to rows of earlier tables,
/// but for `except`, which is checked by [`Builder::settle`].
#[derive(Debug, Default)]
pub(super) struct Builder {
    pub(super) policy: Policy,
    index: Index,
    /// The same for hosts that ignore case, if there are any.
    folded_index: Option<Index>,
    hosts: HostTable,
    group_table: GroupTable,
    scope_rules: Table<ScopeId, ScopeRules>,
    scope_traits: Table<ScopeId, ScopeTraits>,
    rules_for_all: RulesByEffect,
    traits_for_all: ScopeTraits,
    networks: Table<crate::policy::model::NetworkId, NetworkSet>,
    hours: Table<crate::policy::model::ScheduleId, LocalHours>,
    /// How many scopes have been settled.
    settled: usize,
    /// The nesting of `except` below each settled scope.
    depths: Vec<u8>,
    /// The pairs of a host and an operation of all scopes.
    pairs: usize,
    /// The scopes that others leave out.
    excepted: BTreeSet<ScopeId>,
    /// What of the next scope has been put into the index: pairs of host and operation.
    indexed: usize,
    /// How many scopes the rules name so far.
    named_scopes: usize,
    /// How many bytes the automata of the scopes have so far.
    automaton_bytes: usize,
    /// See [`Snapshot::patterns`].
    patterns: usize,
}

impl Builder {
    /// Makes room for so many rows of each table, in the order of the fields of [`Policy`]; there may be more all the same.
    // PERF: a table that grows is moved as a whole, which holds a thread for milliseconds where it has 100,000 rows.
    pub(super) fn make_room(&mut self, rows: [usize; format::TABLES]) {
        let [_, groups, networks, _, _, _, _, scopes, _, _, rules] = rows;
        self.policy.groups.make_room(groups);
        self.policy.networks.make_room(networks);
        self.networks.make_room(networks);
        self.policy.scopes.make_room(scopes);
        self.scope_rules.make_room(scopes);
        self.scope_traits.make_room(scopes);
        self.policy.rules.make_room(rules);
    }

    /// INVARIANT (method-bits): no table holds more methods than there are bits, and none twice.
    pub(super) fn methods(&mut self, table: MethodTable) -> Result<(), Problem> {
        if !table.is_sound() {
            return Err(Problem::Inconsistent { what: "the table of methods has one too many, twice or malformed" });
        }
        self.policy.methods = table;
        Ok(())
    }

    pub(super) fn issuer(&mut self, row: Issuer) -> Result<(), Problem> {
        self.policy.issuers.push(row);
        Ok(())
    }

    pub(super) fn group(&mut self, row: Group) -> Result<(), Problem> {
        self.group_table.add(&row, &self.policy.groups);
        self.policy.groups.push(row);
        Ok(())
    }

    pub(super) fn network(&mut self, row: Network) -> Result<(), Problem> {
        self.networks.push(NetworkSet::new(&row.members));
        self.policy.networks.push(row);
        Ok(())
    }

    pub(super) fn proxy(&mut self, row: Proxy) -> Result<(), Problem> {
        row.networks.iter().try_for_each(|id| in_table(&self.policy.networks, *id))?;
        if row.networks.is_empty() || !is_header_name(&row.source) {
            return Err(Problem::Inconsistent { what: "a proxy is nowhere, or writes what is no header" });
        }
        self.policy.proxies.push(row);
        Ok(())
    }

    pub(super) fn schedule(&mut self, row: Schedule) -> Result<(), Problem> {
        let hours = LocalHours::new(&row)
            .ok_or_else(|| Problem::UnknownTimeZone { schedule: row.name.clone(), time_zone: row.time_zone.clone() })?;
        self.hours.push(hours);
        self.policy.schedules.push(row);
        Ok(())
    }

    pub(super) fn login(&mut self, row: Login) -> Result<(), Problem> {
        self.policy.logins.push(row);
        Ok(())
    }

    pub(super) fn host(&mut self, row: HostProperties) -> Result<(), Problem> {
        if !self.hosts.add(&row) || !row.accepts.iter().all(|class| class.is_acceptable()) {
            return Err(Problem::Inconsistent { what: "an entry of `hosts` is about none, or accepts what cannot be" });
        }
        if row.ignores_case && self.folded_index.is_none() {
            self.folded_index = Some(Index::ignoring_case());
        }
        self.policy.hosts.push(row);
        Ok(())
    }

    pub(super) fn scope(&mut self, row: Scope) -> Result<(), Problem> {
        if let Some(regex) = &row.path_regex {
            self.path_regex(regex).ok_or_else(|| Problem::UnusableExpressions { scope: row.name.clone() })?;
        }
        if row.hosts.len().saturating_mul(row.operations.len()) > MAX_SCOPE_OPERATIONS {
            return Err(Problem::TooManyOperations { scope: row.name });
        }
        self.pairs += row.hosts.len() * row.operations.len();
        if self.pairs > MAX_POLICY_OPERATIONS {
            return Err(Problem::PolicyTooLarge { scope: row.name });
        }
        let unbounded = match row.upgrade {
            Upgrade::Refuse => false,
            Upgrade::Outlive { seconds } => seconds == 0 || seconds > Upgrade::MAX_SECONDS,
            Upgrade::Allow => row.privileged,
        };
        if unbounded {
            return Err(Problem::Inconsistent { what: "a scope lets upgraded connections last without end" });
        }
        if !row.frontends.is_sorted_by(|a, b| a < b) || !row.frontends.iter().all(|name| is_frontend_name(name)) {
            return Err(Problem::Inconsistent { what: "the frontends of a scope are not sorted, or none" });
        }
        if row.operations.iter().any(|operation| operation.path.segments.len() > MAX_TEMPLATE_SEGMENTS) {
            return Err(Problem::TemplateTooLong { scope: row.name });
        }
        // INVARIANT (scopes-by-name): the order of ids is that of names.
        if self.policy.scopes.iter().next_back().is_some_and(|(_, last)| last.name >= row.name) {
            return Err(Problem::Inconsistent { what: "scopes are not sorted by name" });
        }
        self.excepted.extend(&row.except);
        self.scope_rules.push(ScopeRules::default());
        self.scope_traits.push(ScopeTraits::of(&row));
        self.policy.scopes.push(row);
        Ok(())
    }

    /// Makes the automata of the next scope ready to run. Nothing is compiled: that was when the policy was checked.
    fn path_regex(&mut self, regex: &PathRegex) -> Option<()> {
        let scope = ScopeId::from_index(self.policy.scopes.len());
        let bytes = regex.automaton.0.len() + regex.folded.as_ref().map_or(0, |folded| folded.0.len());
        self.automaton_bytes += bytes;
        if bytes > 2 * MAX_SCOPE_AUTOMATON_BYTES || self.automaton_bytes > MAX_POLICY_AUTOMATON_BYTES {
            return None;
        }
        self.index.add_expressions(scope, PathDfa::from_bytes(&regex.automaton.0)?);
        if let Some(index) = &mut self.folded_index {
            index.add_expressions(scope, PathDfa::from_bytes(&regex.folded.as_ref()?.0)?);
        }
        Some(())
    }

    pub(super) fn approval(&mut self, row: Approval) -> Result<(), Problem> {
        self.check_subject(&row.requesters)?;
        let mut taken = BTreeSet::new();
        row.requesters.captures(&self.policy.groups, &mut taken);
        if let Approvers::Matching(matchers) = &row.approvers {
            self.check_matchers(matchers)?;
            of_matchers(matchers, &self.policy.groups, &mut taken);
        }
        if !taken.iter().all(|name| row.per.iter().any(|per| per == name)) {
            return Err(Problem::Inconsistent { what: "an approval takes a capture that it is not per" });
        }
        self.policy.approvals.push(row);
        Ok(())
    }

    pub(super) fn fact(&mut self, row: Fact) -> Result<(), Problem> {
        let sound = match &row {
            Fact::Named { name, values } => is_fact_name(name) && is_ordered(values),
            Fact::Header(name) => is_header_name(name),
            Fact::Frontend
            | Fact::Certificate
            | Fact::CertificateFingerprint
            | Fact::CertificateNames
            | Fact::CertificateSubject => true,
        };
        let sorted = self.policy.facts.iter().next_back().is_none_or(|(_, last)| last.key() < row.key());
        if !sound || !sorted || self.policy.facts.len() == MAX_FACTS {
            return Err(Problem::Inconsistent { what: "the table of facts has one too many, twice or malformed" });
        }
        self.policy.facts.push(row);
        Ok(())
    }

    pub(super) fn rule(&mut self, row: Rule) -> Result<(), Problem> {
        let id = RuleId::from_index(self.policy.rules.len());
        if self.policy.rules.iter().next_back().is_some_and(|(_, last)| last.name >= row.name) {
            return Err(Problem::Inconsistent { what: "rules are not sorted by id" });
        }
        self.check_conditions(&row.when)?;
        row.unless.iter().try_for_each(|conditions| self.check_conditions(conditions))?;
        self.check_requirements(&row.require)?;
        let taken = row.captures(&self.policy.groups, &self.policy.approvals);
        match &row.scopes {
            ScopeSelector::All => {
                if !taken.is_empty() {
                    return Err(Problem::Inconsistent { what: "a rule about all requests takes a capture" });
                }
                if row.effect == Effect::Allow || !row.require.approval.is_empty() {
                    return Err(Problem::Inconsistent { what: "an allow rule or an approval is about all requests" });
                }
                self.rules_for_all.add(id, row.effect);
                self.traits_for_all.add(&row);
            }
            ScopeSelector::Named(scopes) => {
                self.named_scopes = self.named_scopes.saturating_add(scopes.len());
                if self.named_scopes > MAX_RULE_SCOPES {
                    return Err(Problem::RulesTooWide { rule: row.name });
                }
                if !scopes.is_sorted_by(|a, b| a < b) {
                    return Err(Problem::Inconsistent { what: "the scopes of a rule are not sorted" });
                }
                for scope in scopes {
                    in_table(&self.scope_rules, *scope)?;
                    // INVARIANT (captures-held): every pattern of a rule's scopes has the captures that the rule takes.
                    if taken.iter().any(|name| self.policy.scopes[*scope].has_capture(name).is_err()) {
                        return Err(Problem::Inconsistent {
                            what: "a rule takes a capture that its scopes do not have",
                        });
                    }
                    self.scope_traits.row_mut(*scope).add(&row);
                    let rules = self.scope_rules.row_mut(*scope);
                    if taken.is_empty() {
                        rules.add(id, &row);
                    } else {
                        rules.add_capturing(id, row.effect);
                    }
                }
            }
        }
        if row.effect == Effect::Allow && row.when.subject.is_none() {
            return Err(Problem::Inconsistent { what: "an allow rule has no subject" });
        }
        self.policy.rules.push(row);
        Ok(())
    }

    /// After the last row: fills the index and checks the nesting of `except`, up to about `limit` operations at a time;
    /// `true` when all is done.
    pub(super) fn settle(&mut self, limit: usize) -> Result<bool, Problem> {
        let mut left = limit;
        if self.settled == 0 && self.indexed == 0 {
            for index in std::iter::once(&mut self.index).chain(&mut self.folded_index) {
                index.make_room(self.pairs);
            }
        }
        while self.settled < self.policy.scopes.len() {
            let id = ScopeId::from_index(self.settled);
            let scope = &self.policy.scopes[id];
            // INVARIANT (frontend-known): where a scope names frontends, the frontend is among the facts.
            if !scope.frontends.is_empty() && self.frontend().is_none() {
                return Err(Problem::Inconsistent { what: "a scope names frontends, which the table of facts lacks" });
            }
            let pairs = scope.hosts.len() * scope.operations.len();
            let matters = self.scope_rules[id].take_captures();
            let traits = self.scope_traits[id];
            let pattern = |host: usize, path: usize| {
                matters.then(|| PatternId::from_index(host * scope.paths_of_each_host() + path))
            };
            if let Some(regex) = scope.path_regex.as_ref().filter(|_| self.indexed == 0) {
                for index in std::iter::once(&mut self.index).chain(&mut self.folded_index) {
                    for (at, host) in scope.hosts.iter().enumerate() {
                        index.insert_expressions(id, traits, host, regex.methods, pattern(at, scope.operations.len()));
                    }
                }
                self.patterns += if matters { scope.hosts.len() } else { 0 };
            }
            while self.indexed < pairs {
                if left == 0 {
                    return Ok(false);
                }
                let (host, path) = (self.indexed / scope.operations.len(), self.indexed % scope.operations.len());
                for index in std::iter::once(&mut self.index).chain(&mut self.folded_index) {
                    index.insert(id, traits, &scope.hosts[host], &scope.operations[path], pattern(host, path));
                }
                self.patterns += usize::from(matters);
                self.indexed += 1;
                left -= 1;
            }
            self.depths.resize(self.policy.scopes.len(), 0);
            except_depth(&self.policy, &mut self.depths, id, 0)?;
            self.settled += 1;
            self.indexed = 0;
            left = left.saturating_sub(1);
        }
        let Self { policy, scope_rules, scope_traits, excepted, index, folded_index, .. } = self;
        let member = |id: ScopeId| {
            let rules = &scope_rules[id];
            let is_plain = scope_traits[id].is_plain() && rules.are_by_group() && !excepted.contains(&id);
            if is_plain { Member::of(&policy.scopes[id], &rules.by_group) } else { None }
        };
        let all = |index: &mut Index| index.gather(left, member);
        Ok(all(index) && folded_index.as_mut().is_none_or(all))
    }

    fn frontend(&self) -> Option<FactId> {
        self.policy.facts.iter().find(|(_, fact)| **fact == Fact::Frontend).map(|(id, _)| id)
    }

    pub(super) fn finish(self, revision: Revision) -> Snapshot {
        Snapshot {
            headers: HeaderFacts::of(&self.policy),
            frontend: self.frontend(),
            proxies: TrustedProxies::new(&self.policy),
            policy: self.policy,
            index: self.index,
            folded_index: self.folded_index,
            hosts: self.hosts,
            group_table: self.group_table,
            scope_rules: self.scope_rules,
            scope_traits: self.scope_traits,
            rules_for_all: self.rules_for_all,
            traits_for_all: self.traits_for_all,
            patterns: self.patterns,
            networks: self.networks,
            hours: self.hours,
            revision,
            number: SnapshotNumber::next(),
        }
    }

    fn check_conditions(&self, conditions: &Conditions) -> Result<(), Problem> {
        if let Some(subject) = &conditions.subject {
            self.check_subject(subject)?;
        }
        if let Some(Via::AnyOf(matchers)) = &conditions.via {
            matchers.iter().flat_map(|one| &one.issuers).try_for_each(|id| in_table(&self.policy.issuers, *id))?;
        }
        for CaptureTest { accepts, .. } in &conditions.captures {
            match accepts {
                CaptureValues::In(_) => {}
                CaptureValues::Claim { issuers, .. } => {
                    issuers.iter().try_for_each(|id| in_table(&self.policy.issuers, *id))?;
                }
            }
        }
        conditions.from.iter().try_for_each(|id| in_table(&self.policy.networks, *id))?;
        conditions.during.iter().try_for_each(|id| in_table(&self.policy.schedules, *id))?;
        self.check_facts(&conditions.facts)
    }

    fn check_requirements(&self, require: &Requirements) -> Result<(), Problem> {
        let Requirements { login, subject, from, during, facts, approval } = require;
        login.iter().try_for_each(|id| in_table(&self.policy.logins, *id))?;
        self.check_matchers(subject)?;
        from.iter().try_for_each(|id| in_table(&self.policy.networks, *id))?;
        during.iter().try_for_each(|id| in_table(&self.policy.schedules, *id))?;
        self.check_facts(facts)?;
        approval.iter().try_for_each(|id| in_table(&self.policy.approvals, *id))
    }

    /// Each test is of a fact of its kind, and what it looks at is in the table: nothing is asked for that nobody passes.
    fn check_facts(&self, tests: &[FactTest]) -> Result<(), Problem> {
        let facts = &self.policy.facts;
        // Values are looked up by halves, so their order matters.
        let accepts_some = |accepts: &ValueTest| match accepts {
            ValueTest::In(values) => is_ordered(values),
            ValueTest::Present | ValueTest::Absent => true,
        };
        let sound = |test: &FactTest| match test {
            FactTest::Header { header, accepts } => {
                matches!(facts.row(*header), Some(Fact::Header(_))) && accepts_some(accepts)
            }
            FactTest::Query { parameter, accepts } => !parameter.is_empty() && accepts_some(accepts),
            FactTest::Named { fact, values: wanted } => match facts.row(*fact) {
                Some(Fact::Named { name: _, values }) => {
                    is_ordered(wanted) && wanted.iter().all(|value| values.binary_search(value).is_ok())
                }
                _ => false,
            },
            FactTest::Certificate(test) => {
                let ordered = test.subject_dns.is_sorted() && test.fingerprints.is_sorted();
                ordered && test.needs().all(|fact| facts.iter().any(|(_, row)| *row == fact))
            }
        };
        if tests.iter().all(sound) {
            Ok(())
        } else {
            Err(Problem::Inconsistent { what: "a rule asks for a fact that the table of facts lacks" })
        }
    }

    fn check_subject(&self, subject: &Subject) -> Result<(), Problem> {
        match subject {
            Subject::Anyone | Subject::Authenticated => Ok(()),
            Subject::AnyOf(matchers) => self.check_matchers(matchers),
        }
    }

    fn check_matchers(&self, matchers: &[SubjectMatcher]) -> Result<(), Problem> {
        for matcher in matchers {
            matcher.issuers.iter().try_for_each(|id| in_table(&self.policy.issuers, *id))?;
            matcher.groups.iter().try_for_each(|id| in_table(&self.policy.groups, *id))?;
            matcher.groups_all.iter().try_for_each(|id| in_table(&self.policy.groups, *id))?;
        }
        Ok(())
    }
}

/// Not empty, in order, nothing twice.
fn is_ordered(values: &[String]) -> bool {
    !values.is_empty() && values.is_sorted_by(|a, b| a < b)
}

/// INVARIANT (ids-in-range): established here, for every id of every row.
fn in_table<Id: TableId, Row>(table: &Table<Id, Row>, id: Id) -> Result<(), Problem> {
    table.row(id).map(|_| ()).ok_or(Problem::Inconsistent { what: "a row refers to one that is not there" })
}

/// How deep the exceptions below a scope go. `depths` holds what is known, plus one; 0 is not known yet.
fn except_depth(policy: &Policy, depths: &mut [u8], id: ScopeId, above: usize) -> Result<u8, Problem> {
    if depths[id.index()] > 0 {
        return Ok(depths[id.index()] - 1);
    }
    let too_deep = || Problem::ExceptTooDeep { scope: policy.scopes[id].name.clone() };
    if above > MAX_EXCEPT_DEPTH {
        return Err(too_deep());
    }
    let mut depth = 0;
    for except in &policy.scopes[id].except {
        in_table(&policy.scopes, *except)?;
        depth = depth.max(1 + except_depth(policy, depths, *except, above + 1)?);
    }
    if usize::from(depth) > MAX_EXCEPT_DEPTH {
        return Err(too_deep());
    }
    depths[id.index()] = depth + 1;
    Ok(depth)
}

//! From syntax to [`model`](super::model): names become ids, and what follows from the whole policy is checked.
//!
//! Everything is sorted on the way, so that neither the order of files nor that of tables shows in the model. What a name stands for
//! is settled before anything that uses it is looked at, so a definition with a problem of its own is still defined.

mod bounds;
mod captures;
mod cases;
mod environments;
mod expressions;
mod facts;
mod hash;
mod hosts;
mod limits;
mod names;
mod proxies;
mod scopes;
mod subjects;
mod tags;

use super::diagnostics::{Code, Diagnostic, Diagnostics};
use super::model::{
    Approval, ApprovalId, Approvers, Conditions, ContentHash, Effect, Fact, FactId, Group, GroupId, Issuer, IssuerId,
    Login, LoginId, Network, NetworkId, Policy, Requirements, Rule, RuleId, Schedule, ScheduleId, ScopeId,
    ScopeSelector, Table, TableId,
};
use super::places::{Place, Places};
use super::source::{SourceSet, Span};
use super::syntax::{self, Entry, Syntax, Text, quoted};
use super::test_case::TestCase;
use crate::identity::IssuerType;
use crate::method::{MethodSet, MethodTable};
use bounds::Files;
use environments::{EnvironmentId, Environments};
use ipnet::IpNet;
use names::Names;
use std::collections::{BTreeMap, BTreeSet};
use tags::Tags;

/// What the names of a policy stand for.
struct Scene {
    environments: Environments,
    files: Files,
    methods: MethodTable,
    issuers: Names<IssuerId>,
    default_issuer: Option<IssuerId>,
    groups: Names<GroupId>,
    networks: Names<NetworkId>,
    schedules: Names<ScheduleId>,
    logins: Names<LoginId>,
    scopes: Names<ScopeId>,
    tags: Tags,
    approvals: Names<ApprovalId>,
    /// The facts that are defined; their ids mean nothing.
    defined_facts: Names<FactId>,
    fact_values: BTreeMap<String, Vec<String>>,
    /// The facts that rules ask for.
    facts: Table<FactId, Fact>,
    /// Every rule, also those of other environments.
    rules: Names<AnyRuleId>,
    /// Where each of them is in force, and its id if that is here.
    rule_places: Vec<RulePlace>,
}

/// A rule of any environment.
#[derive(Clone, Copy)]
struct AnyRuleId(usize);

impl TableId for AnyRuleId {
    fn from_index(index: usize) -> Self {
        Self(index)
    }

    fn index(self) -> usize {
        self.0
    }
}

/// Where a rule is in force.
#[derive(Clone, Default)]
struct RulePlace {
    /// Everywhere if empty.
    environments: Vec<EnvironmentId>,
    /// Its id in the model, unless it is left out.
    id: Option<RuleId>,
}

/// Resolves a policy.
///
/// Returns `None` if anything is wrong with it, also if that was reported before.
pub(super) fn resolve(
    syntax: &Syntax,
    environment: Option<&str>,
    sources: &SourceSet,
    out: &mut Diagnostics,
) -> Option<(Policy, Vec<TestCase>, Places)> {
    let scene = scene(syntax, Environments::new(&syntax.environments, environment, out)?, out);
    check_issuer_urls(&syntax.issuers, out);
    scene.check_bounds(syntax, out);
    captures::check_families(&syntax.groups, out);

    let issuers = rows(&syntax.issuers, |name, issuer| Issuer { name: name.to_owned(), trust: issuer.trust.clone() });
    let groups = rows(&syntax.groups, |name, value| Group { name: name.to_owned(), value: value.clone() });
    let networks = rows(&syntax.networks, |name, members| Network { name: name.to_owned(), members: members.clone() });
    let proxies = scene.proxies(&syntax.proxies, out);
    proxies::check(&syntax.proxies, &proxies, &scene.network_members(&syntax.networks), out);
    let schedules: Table<ScheduleId, Schedule> = rows(&syntax.schedules, |_, schedule| schedule.clone());
    let logins: Table<LoginId, Login> = rows(&syntax.logins, |_, login| login.clone());
    let (hosts, host_places) = scene.host_properties(&syntax.hosts, out);
    let mut expressions = expressions::Compiler::new(&hosts);
    let scopes = rows(&syntax.scopes, |name, scope| scene.scope(name, scope, &hosts, &mut expressions, out));
    let order = scopes::except_order(&syntax.scopes, &scene.scopes, out);
    captures::check_scopes(&syntax.scopes, &scopes, out);
    limits::check(&syntax.scopes, &scene.scopes, &scopes, &order, out);
    let approvals = rows(&syntax.approvals, |name, approval| scene.approval(name, approval, out));
    let mut rules: BTreeMap<&str, Rule> = BTreeMap::new();
    // Ids of names are those of rows only if something could be made of every definition; if not, that is to be solved first.
    let whole = groups.len() == scene.groups.len()
        && scopes.len() == scene.scopes.len()
        && approvals.len() == scene.approvals.len();
    let tables = whole.then_some(captures::Tables { groups: &groups, scopes: &scopes, approvals: &approvals });
    for approval in syntax.approvals.iter().filter_map(|entry| entry.item.as_ref()) {
        tables.inspect(|tables| scene.check_approval(approval, *tables, out));
    }
    for rule in &syntax.rules {
        if let Some((id, row)) = scene.rule(rule, out) {
            tables.inspect(|tables| scene.check_rule(rule, &row.scopes, *tables, out));
            if !is_in_force(&scene.rules, &scene.rule_places, id) {
                continue;
            }
            rules.insert(id, row);
        }
    }
    let used = Used {
        issuers: scene.issuers.named(),
        groups: scene.groups.named(),
        networks: scene.networks.named(),
        schedules: scene.schedules.named(),
        logins: scene.logins.named(),
        scopes: scene.scopes.named(),
        approvals: scene.approvals.named(),
    };
    let cases = scene.cases(&syntax.cases, tables, sources, out);

    if out.has_errors() {
        return None;
    }
    let mut policy = Policy {
        environment: scene.environments.chosen().map(str::to_owned),
        auditing: syntax.audits.first().map(|audit| audit.auditing.clone()).unwrap_or_default(),
        methods: scene.methods,
        issuers,
        default_issuer: scene.default_issuer,
        groups,
        networks,
        proxies,
        schedules,
        logins,
        hosts,
        scopes,
        approvals,
        facts: scene.facts,
        rules: rules.into_values().collect(),
    };
    hash::fill_in(&mut policy, &order);
    let places = Places { hosts: host_places, ..places(syntax, &policy, &used) };
    Some((policy, cases, places))
}

impl Scene {
    /// What each network holds.
    fn network_members<'s>(&self, entries: &'s [Entry<Vec<IpNet>>]) -> BTreeMap<NetworkId, &'s [IpNet]> {
        let member =
            |entry: &'s Entry<Vec<IpNet>>| Some((self.networks.find(&entry.name.value)?, entry.item.as_deref()?));
        entries.iter().filter_map(member).collect()
    }
}

/// Which definitions are named; collected before the tests are looked at, which use nothing up.
struct Used {
    issuers: BTreeSet<usize>,
    groups: BTreeSet<usize>,
    networks: BTreeSet<usize>,
    schedules: BTreeSet<usize>,
    logins: BTreeSet<usize>,
    scopes: BTreeSet<usize>,
    approvals: BTreeSet<usize>,
}

/// The places of the rows that the policy has, but for those of hosts.
fn places(syntax: &Syntax, policy: &Policy, used: &Used) -> Places {
    fn of<Id: TableId, T>(entries: &[Entry<T>], used: &BTreeSet<usize>) -> Table<Id, Place> {
        let by_name: BTreeMap<&str, &Place> =
            entries.iter().map(|entry| (entry.name.value.as_str(), &entry.place)).collect();
        let rows = by_name.into_values().enumerate();
        rows.map(|(at, place)| place.named(used.contains(&at))).collect()
    }
    let rules = syntax.rules.iter().filter_map(|rule| Some((rule.id.as_ref()?.value.as_str(), &rule.place)));
    let rules: BTreeMap<&str, &Place> = rules.collect();
    Places {
        issuers: of(&syntax.issuers, &used.issuers),
        groups: of(&syntax.groups, &used.groups),
        networks: of(&syntax.networks, &used.networks),
        schedules: of(&syntax.schedules, &used.schedules),
        logins: of(&syntax.logins, &used.logins),
        hosts: Table::default(),
        scopes: of(&syntax.scopes, &used.scopes),
        approvals: of(&syntax.approvals, &used.approvals),
        rules: policy.rules.iter().map(|(_, rule)| rules[rule.name.as_str()].clone()).collect(),
    }
}

/// The rows of a table in the order of their names.
fn rows<Id: TableId, T, Row>(entries: &[Entry<T>], mut row: impl FnMut(&str, &T) -> Row) -> Table<Id, Row> {
    let by_name: BTreeMap<&str, &T> =
        entries.iter().filter_map(|entry| Some((entry.name.value.as_str(), entry.item.as_ref()?))).collect();
    by_name.into_iter().map(|(name, item)| row(name, item)).collect()
}

fn scene(syntax: &Syntax, environments: Environments, out: &mut Diagnostics) -> Scene {
    fn names<Id: TableId, T>(kind: &'static str, entries: &[Entry<T>], out: &mut Diagnostics) -> Names<Id> {
        Names::new(kind, entries.iter().map(|entry| &entry.name), out)
    }
    let issuers = names("issuer", &syntax.issuers, out);
    let scopes = names("scope", &syntax.scopes, out);
    let rules = Names::new("rule", syntax.rules.iter().filter_map(|rule| rule.id.as_ref()), out);
    let rule_places = rule_places(syntax, &environments, &rules, out);
    let is_in_force =
        |rule: &syntax::Rule| rule.id.as_ref().is_none_or(|id| is_in_force(&rules, &rule_places, &id.value));
    let fact_values = facts::definitions(syntax);
    let facts = facts::needed(syntax, is_in_force, &fact_values, out);
    Scene {
        methods: methods(syntax, is_in_force, out),
        default_issuer: default_issuer(&syntax.issuers, &issuers, out),
        issuers,
        groups: names("group", &syntax.groups, out),
        networks: names("network", &syntax.networks, out),
        schedules: names("schedule", &syntax.schedules, out),
        logins: names("login", &syntax.logins, out),
        tags: Tags::new(&syntax.scopes, &scopes).limited(syntax.rules.iter().filter(|rule| is_in_force(rule)), out),
        scopes,
        approvals: names("approval", &syntax.approvals, out),
        defined_facts: names("fact", &syntax.facts, out),
        facts,
        fact_values,
        rules,
        rule_places,
        files: Files::new(&syntax.files, &environments, out),
        environments,
    }
}

/// Where each rule is in force; those that are in force here get their ids, in the order of their names.
fn rule_places(
    syntax: &Syntax,
    environments: &Environments,
    names: &Names<AnyRuleId>,
    out: &mut Diagnostics,
) -> Vec<RulePlace> {
    let mut places = vec![RulePlace::default(); names.iter().count()];
    for rule in &syntax.rules {
        let named = environments.of_rule(rule, out);
        if let Some(id) = rule.id.as_ref().and_then(|id| names.find(&id.value)) {
            places[id.index()].environments = named;
        }
    }
    let in_force = places.iter_mut().filter(|place| environments.selects(&place.environments));
    for (index, place) in in_force.enumerate() {
        place.id = Some(RuleId::from_index(index));
    }
    places
}

/// Whether a rule is in force where the policy is compiled for.
fn is_in_force(names: &Names<AnyRuleId>, places: &[RulePlace], rule: &str) -> bool {
    names.find(rule).is_some_and(|id| places[id.index()].id.is_some())
}

/// Gives the policy's own methods their bits, in the order of their names. Rules that are left out name none.
fn methods(syntax: &Syntax, in_force: impl Fn(&syntax::Rule) -> bool, out: &mut Diagnostics) -> MethodTable {
    let of_scopes = syntax.scopes.iter().filter_map(|scope| scope.item.as_ref()).flat_map(|scope| {
        let operations = scope.operations.iter().map(|(methods, _)| methods);
        operations.chain(scope.path_regex.iter().map(|(methods, _)| methods))
    });
    let of_rules = syntax.rules.iter().filter(|rule| in_force(rule));
    let lists = of_scopes.chain(of_rules.filter_map(|rule| rule.methods.as_ref()));
    let texts = lists.flat_map(|methods| match methods {
        syntax::Methods::Named(_) => &[][..],
        syntax::Methods::Listed(texts) => texts,
    });
    let by_name: BTreeMap<&str, Span> = texts.map(|text| (text.value.as_str(), text.span)).collect();
    let mut table = MethodTable::default();
    for (name, span) in by_name {
        // The form was checked before: what fails now is that there are too many.
        if table.intern(name).is_none() {
            let message = format!("{} is one method too many", quoted(name));
            let help =
                format!("a policy can name {} methods beyond the usual ones", crate::method::MAX_EXTENSION_METHODS);
            out.push(Diagnostic::error(Code::OutOfRange, span, message).help(help));
        }
    }
    table
}

fn default_issuer(
    entries: &[Entry<syntax::Issuer>],
    names: &Names<IssuerId>,
    out: &mut Diagnostics,
) -> Option<IssuerId> {
    let flags = entries.iter().filter_map(|entry| Some((&entry.name, entry.item.as_ref()?.default.as_ref()?)));
    let mut chosen: Option<(&Text, Span)> = None;
    for (name, flag) in flags.clone().filter(|(_, flag)| flag.value) {
        match chosen {
            None => chosen = Some((name, flag.span)),
            Some((first, span)) => {
                let message =
                    format!("{} and {} are both the default issuer", quoted(&first.value), quoted(&name.value));
                let problem = Diagnostic::error(Code::SeveralDefaultIssuers, flag.span, message).label("again");
                out.push(problem.also(span, "first here").help("keep `default = true` with one of them"));
            }
        }
    }
    match (chosen, entries) {
        (Some((name, _)), _) => names.find(&name.value),
        (None, [only]) if flags.count() == 0 => names.find(&only.name.value),
        (None, _) => None,
    }
}

/// Whose token something is must be certain: no two issuers are told by the same thing.
fn check_issuer_urls(entries: &[Entry<syntax::Issuer>], out: &mut Diagnostics) {
    let mut first: BTreeMap<&str, (&str, Span)> = BTreeMap::new();
    for entry in entries {
        let Some(issuer) = &entry.item else { continue };
        let iss = match &issuer.trust.issuer_type {
            IssuerType::Oidc => None,
            IssuerType::Spiffe { iss, .. } => iss.as_deref(),
        };
        for told_by in std::iter::once(issuer.trust.url.as_str()).chain(iss) {
            if let Some((other, span)) = first.insert(told_by, (&entry.name.value, issuer.url_span)) {
                let message = format!("{} and {} are the same issuer", quoted(other), quoted(&entry.name.value));
                let problem = Diagnostic::error(Code::DuplicateIssuer, issuer.url_span, message).label("again");
                out.push(problem.also(span, "first here").help("give one issuer all audiences and settings"));
            }
        }
    }
}

impl Scene {
    /// The default issuer, for something that needs one; `instead` is another way out.
    fn needs_default(&self, span: Span, what: &str, instead: &str, out: &mut Diagnostics) -> Option<IssuerId> {
        if self.default_issuer.is_none() {
            let message = format!("{what} means the default issuer, and there is none");
            let help = if self.issuers.is_empty() {
                "define the issuer of your tokens as `[issuers.NAME]`".to_owned()
            } else {
                format!("write `default = true` with one of the issuers, or {instead}")
            };
            out.push(Diagnostic::error(Code::NoDefaultIssuer, span, message).help(help));
        }
        self.default_issuer
    }

    fn method_set(&self, methods: &syntax::Methods) -> MethodSet {
        match methods {
            syntax::Methods::Named(set) => *set,
            syntax::Methods::Listed(texts) => {
                let sets = texts.iter().map(|text| self.methods.resolve(text.value.as_bytes()));
                sets.fold(MethodSet::NONE, MethodSet::union)
            }
        }
    }

    fn approval(&self, name: &str, approval: &syntax::Approval, out: &mut Diagnostics) -> Approval {
        let requesters = match &approval.requesters {
            Some(subject) => self.subject(subject, out),
            None => {
                self.needs_default(
                    approval.span,
                    "an approval without `requesters`",
                    "say who may ask as `requesters`",
                    out,
                );
                super::model::Subject::Authenticated
            }
        };
        let approvers = match &approval.approvers {
            Some(syntax::Approvers::Matching(matchers)) => Approvers::Matching(self.matchers(matchers, out)),
            Some(syntax::Approvers::Requester) | None => Approvers::Requester,
        };
        Approval {
            name: name.to_owned(),
            requesters,
            approvers,
            quorum: approval.quorum,
            duration_seconds: approval.duration_seconds,
            max_duration_seconds: approval.max_duration_seconds,
            justification: approval.justification,
            per: approval.per.clone(),
            notify: approval.notify.clone(),
            content_hash: ContentHash([0; 32]),
        }
    }

    fn rule<'s>(&self, rule: &'s syntax::Rule, out: &mut Diagnostics) -> Option<(&'s str, Rule)> {
        let scopes = match &rule.scopes {
            Some(syntax::Scopes::All) => ScopeSelector::All,
            Some(syntax::Scopes::Named(names)) => ScopeSelector::Named(self.scopes_of_rule(names, out)),
            None => ScopeSelector::Named(Vec::new()),
        };
        let when = self.conditions(&rule.when, out);
        let mut unless: Vec<_> = rule.unless.iter().map(|conditions| self.conditions(conditions, out)).collect();
        unless.sort();
        unless.dedup();
        let require = self.requirements(&rule.require, out);
        let id = rule.id.as_ref()?;
        let row = Rule {
            name: id.value.clone(),
            owner: self.files.owner(id.span).map(str::to_owned),
            // Missing means reported: such a policy is never used, and if it were this would deny.
            effect: rule.effect.unwrap_or(Effect::Deny),
            mode: rule.mode,
            scopes,
            methods: rule.methods.as_ref().map(|methods| self.method_set(methods)),
            when,
            unless,
            starts: rule.starts,
            ends: rule.ends,
            require,
        };
        Some((&id.value, row))
    }

    fn conditions(&self, conditions: &syntax::Conditions, out: &mut Diagnostics) -> Conditions {
        Conditions {
            subject: self.subject_of(conditions, out),
            via: conditions.via.as_ref().map(|via| self.via(via, out)),
            from: self.networks.find_all(&conditions.from, out),
            during: self.schedules.find_all(&conditions.during, out),
            facts: self.fact_tests(&conditions.facts, out),
            captures: self.capture_tests(&conditions.captures, out),
        }
    }

    fn requirements(&self, require: &syntax::Requirements, out: &mut Diagnostics) -> Requirements {
        Requirements {
            login: require.login.as_ref().and_then(|name| self.logins.find_text(name, out)),
            subject: require.subject.as_ref().map(|subject| self.required_subject(subject, out)).unwrap_or_default(),
            from: self.networks.find_all(&require.from, out),
            during: self.schedules.find_all(&require.during, out),
            facts: self.fact_tests(&require.facts, out),
            approval: self.approvals.find_all(&require.approval, out),
        }
    }
}

//! Policies from choices.

use super::{
    ACRS, ADDRESSES, AMRS, CAPTURED, CAPTURES, CLAIM_PATHS, Choices, EMAIL_DOMAINS, EMAILS, FAMILIES, FRONTENDS,
    GROUP_VALUES, HOSTS, ISSUER_URLS, KINDS, METHODS, MOMENTS, SEGMENTS, SUBJECT_PATTERNS, SUBJECTS,
};
use super::{crowds, facts};
use crate::identity::{Algorithm, ClaimMap, IssuerTrust, IssuerType};
use crate::method::MethodSet;
use crate::policy::captures::{CaptureTest, CaptureValues, GroupFamily, GroupValue};
use crate::policy::model::{
    ActorMatcher, Approval, ApprovalId, Approvers, Audit, ClaimTest, ClaimValue, ClaimValues, Conditions, ContentHash,
    Effect, Group, GroupId, HostPattern, HostProperties, Issuer, IssuerId, Justification, Login, LoginId, Mode,
    Network, NetworkId, Operation, PathRegex, PathTemplate, Policy, Requirements, Rule, Schedule, ScheduleId, Scope,
    ScopeId, ScopeSelector, Segment, Subject, SubjectMatcher, Table, TableId, Upgrade, Via, Weekdays,
};
use crate::target::Ambiguity;
use crate::time::Timestamp;

const MEMBERS: [&str; 6] =
    ["10.0.0.0/8", "10.1.0.0/16", "10.1.2.3/32", "192.0.2.0/24", "2001:db8::/32", "2001:db8:1::/48"];
const ZONES: [&str; 4] = ["Europe/Berlin", "America/New_York", "Asia/Kolkata", "UTC"];
const HOURS: [u32; 8] = [8, 18, 2, 3, 0, 22, 12, 24];
const DATES: [(i16, i8, i8); 5] = [(2026, 3, 2), (2026, 3, 1), (2026, 3, 29), (2026, 10, 25), (2026, 10, 24)];

/// A policy of up to ten rules over up to nine scopes.
#[must_use]
pub fn policy(choices: &mut Choices<'_>) -> Policy {
    let mut policy = Policy::default();
    if choices.chance(50) {
        policy.methods.intern("PURGE");
    }
    let issuers = choices.between(1, ISSUER_URLS.len());
    policy.issuers = (0..issuers).map(|n| issuer(n, choices)).collect();
    let no_default = choices.chance(8);
    policy.default_issuer =
        (!no_default).then(|| IssuerId::from_index(if choices.chance(25) { issuers - 1 } else { 0 }));
    policy.groups = groups();
    policy.networks = (0..choices.between(1, 3)).map(|n| network(n, choices)).collect();
    policy.schedules = (0..choices.between(1, 3)).map(|n| schedule(n, choices)).collect();
    policy.logins = (0..choices.between(1, 3)).map(|n| login(n, choices)).collect();
    policy.hosts = (0..*choices.pick(&[0, 0, 1, 2])).map(|_| host_properties(choices)).collect();
    let scopes = choices.between(1, 5);
    policy.scopes = (0..scopes).map(|n| scope(n, scopes, &mut policy.methods, choices)).collect();
    for n in 0..choices.between(1, 3) {
        let approval = approval(n, &policy, choices);
        policy.approvals.push(approval);
    }
    policy.facts = facts::table(choices).into_iter().collect();
    for n in 0..choices.between(1, 8) {
        let rule = rule(n, &policy, choices);
        policy.rules.push(rule);
    }
    if choices.chance(25) {
        policy.environment = Some(choices.text(&["production", "staging"]));
    }
    crowds::add(&mut policy, choices);
    policy
}

fn issuer(n: usize, choices: &mut Choices<'_>) -> Issuer {
    Issuer {
        name: format!("issuer-{n}"),
        trust: IssuerTrust {
            issuer_type: IssuerType::Oidc,
            url: ISSUER_URLS[n].to_owned(),
            audiences: vec!["luigi".to_owned()],
            algorithms: Algorithm::DEFAULT.to_vec(),
            token_types: Vec::new(),
            leeway_seconds: 30,
            trusts_emails: choices.chance(20),
            kind: None,
            claims: ClaimMap::default(),
        },
    }
}

/// Single groups, then a family for each capture.
fn groups() -> Table<GroupId, Group> {
    let single = GROUP_VALUES.iter().map(|value| (value[2..].to_owned(), GroupValue::Literal((*value).to_owned())));
    let families = FAMILIES.iter().map(|(prefix, capture, suffix)| {
        let [prefix, capture, suffix] = [prefix, capture, suffix].map(|text| (*text).to_owned());
        (format!("family-{capture}"), GroupValue::Family(GroupFamily { prefix, capture, suffix }))
    });
    single.chain(families).map(|(name, value)| Group { name, value }).collect()
}

/// The groups that can be named where these captures are there.
fn groups_with(policy: &Policy, captures: &[&str]) -> Vec<GroupId> {
    let has = |group: &Group| group.value.family().is_none_or(|family| captures.contains(&family.capture.as_str()));
    let held = policy.groups.iter().filter(|(_, group)| has(group));
    // Families first, and twice: they are what captures are for.
    let (families, single): (Vec<_>, Vec<_>) = held.partition(|(_, group)| group.value.family().is_some());
    families.iter().chain(&families).chain(&single).map(|(id, _)| *id).collect()
}

fn network(n: usize, choices: &mut Choices<'_>) -> Network {
    let mut members: Vec<ipnet::IpNet> =
        choices.some(&MEMBERS, 3).iter().map(|text| text.parse().expect("the alphabet holds networks")).collect();
    members.sort_unstable();
    Network { name: format!("network-{n}"), members }
}

fn schedule(n: usize, choices: &mut Choices<'_>) -> Schedule {
    let start = *choices.pick(&HOURS) % 24 * 3600;
    let mut end = *choices.pick(&HOURS[1..]) * 3600;
    if end == start {
        end = start + 3600;
    }
    let dates = DATES.map(|(year, month, day)| jiff::civil::date(year, month, day));
    let days = *choices.pick(&[0b111_1111, 0b001_1111, 0b110_0000, 0b100_0000, 0b000_0001]);
    Schedule {
        name: format!("schedule-{n}"),
        time_zone: choices.text(&ZONES),
        days: Weekdays(days),
        start,
        end,
        dates: choices.few(&dates, 15),
        except_dates: choices.few(&dates, 15),
    }
}

fn login(n: usize, choices: &mut Choices<'_>) -> Login {
    let max_age_seconds = choices.chance(50).then(|| *choices.pick(&[900, 0, 60]));
    let mut login = Login {
        name: format!("login-{n}"),
        acr_any: choices.few(&ACRS.map(str::to_owned), 30),
        amr_any: choices.few(&AMRS.map(str::to_owned), 60),
        amr_all: choices.few(&AMRS.map(str::to_owned), 20),
        max_age_seconds,
    };
    if login.acr_any.is_empty()
        && login.amr_any.is_empty()
        && login.amr_all.is_empty()
        && login.max_age_seconds.is_none()
    {
        login.amr_any.push("mfa".to_owned());
    }
    login
}

fn scope(n: usize, scopes: usize, methods: &mut crate::method::MethodTable, choices: &mut Choices<'_>) -> Scope {
    // Often every pattern has the same captures, so that rules can take them.
    let captures = choices.few(&CAPTURES, 50);
    let in_hosts = captures.len() == 2 || choices.chance(25);
    let (of_host, of_paths) = captures.split_at(if in_hosts { captures.len().min(1) } else { 0 });
    let hosts = (0..choices.between(1, 2)).map(|_| host_pattern(of_host.first().copied(), choices)).collect();
    let operations: Vec<_> = (0..choices.between(1, 3))
        .map(|_| Operation { methods: method_set(methods, choices), path: path_template(of_paths, choices) })
        .collect();
    let path_regex = choices.chance(15).then(|| path_regex(choices));
    let operations = if path_regex.is_some() && choices.chance(50) { Vec::new() } else { operations };
    // Only later scopes are left out, so that there is no cycle.
    let later: Vec<ScopeId> = (n + 1..scopes).map(ScopeId::from_index).collect();
    let privileged = choices.chance(30);
    let upgrade = match choices.below(4) {
        2 => Upgrade::Outlive { seconds: *choices.pick(&[60, 3600]) },
        1 => Upgrade::Refuse,
        _ if privileged => Upgrade::Refuse,
        _ => Upgrade::Allow,
    };
    Scope {
        name: format!("scope-{n}"),
        hosts,
        frontends: choices.few(&[FRONTENDS[0], FRONTENDS[1]].map(str::to_owned), 20),
        operations,
        path_regex,
        except: choices.few(&later, 25),
        privileged,
        audit: if privileged && choices.chance(50) { Audit::BestEffort } else { Audit::Required },
        preflight: choices.chance(20),
        upgrade,
        content_hash: hash(0x10, n),
    }
}

fn host_properties(choices: &mut Choices<'_>) -> HostProperties {
    let host = match choices.below(5) {
        0 => HostPattern::Labels("test".to_owned()),
        1 => HostPattern::OneLabel("a.test".to_owned()),
        2 => HostPattern::Exact(choices.text(&HOSTS)),
        3 => HostPattern::Labels("a.test".to_owned()),
        _ => HostPattern::Exact(choices.text(&ADDRESSES)),
    };
    HostProperties {
        host,
        ignores_case: choices.chance(40),
        slash_matters: choices.chance(30),
        accepts: choices.few(&Ambiguity::ACCEPTABLE, 50),
        refuses_method_override: choices.chance(30),
    }
}

fn hash(kind: u8, n: usize) -> ContentHash {
    let mut bytes = [kind; 32];
    bytes[31] = u8::try_from(n).expect("tables are small");
    ContentHash(bytes)
}

fn host_pattern(capture: Option<&str>, choices: &mut Choices<'_>) -> HostPattern {
    if let Some(name) = capture {
        let parent = choices.text(&["a.test", "test", "x.a.test"]);
        return HostPattern::Capture { name: name.to_owned(), parent };
    }
    match choices.below(10) {
        0..=4 => HostPattern::Any,
        5 => HostPattern::Exact(choices.text(&HOSTS)),
        6 => HostPattern::OneLabel(choices.text(&["a.test", "test", "x.a.test"])),
        7 | 8 => HostPattern::Labels(choices.text(&["a.test", "test", "x.a.test"])),
        _ => HostPattern::Exact(choices.text(&ADDRESSES)),
    }
}

fn method_set(methods: &mut crate::method::MethodTable, choices: &mut Choices<'_>) -> MethodSet {
    match choices.below(8) {
        0..=3 => MethodSet::ANY,
        4 | 5 => MethodSet::READ,
        6 => MethodSet::WRITE,
        _ => {
            let name = *choices.pick(&METHODS);
            methods.intern(name).unwrap_or(MethodSet::READ)
        }
    }
}

/// A path with these captures, or without any some path.
fn path_template(captures: &[&str], choices: &mut Choices<'_>) -> PathTemplate {
    // With captures mostly wide ones, so that often two of a scope hold a request.
    let (many, wide): (&[usize], usize) =
        if captures.is_empty() { (&[0, 0, 1, 1, 2], 40) } else { (&[0, 1, 0, 1, 1], 75) };
    let mut segments: Vec<Segment> = (0..*choices.pick(many))
        .map(|_| if choices.chance(wide) { Segment::Any } else { Segment::Literal(choices.text(&SEGMENTS)) })
        .collect();
    for name in captures {
        let at = choices.below(segments.len() + 1);
        segments.insert(at, Segment::Capture((*name).to_owned()));
    }
    if captures.is_empty() && choices.chance(20) {
        segments.push(Segment::Capture("other".to_owned()));
    }
    let rest = !choices.chance(25);
    PathTemplate { slash: !rest && !Vec::is_empty(&segments) && choices.chance(30), segments, rest }
}

const EXPRESSIONS: [&str; 8] = ["/a", "^/[ab]$", "/.*", "/a(?:/.*)?", "/(a|b)/[^/]+", "^/.*/b", "/", ".*%2A|/c|/a/."];

fn path_regex(choices: &mut Choices<'_>) -> PathRegex {
    let mut patterns = choices.some(&EXPRESSIONS, 2);
    patterns.sort_unstable();
    let methods = *choices.pick(&[MethodSet::ANY, MethodSet::READ, MethodSet::WRITE]);
    PathRegex::compile(methods, &patterns).expect("the alphabet holds small expressions")
}

fn ids<Id: TableId, Row>(table: &Table<Id, Row>) -> Vec<Id> {
    table.iter().map(|(id, _)| id).collect()
}

fn approval(n: usize, policy: &Policy, choices: &mut Choices<'_>) -> Approval {
    let per = choices.few(&CAPTURES, 35);
    let requesters = if choices.chance(50) { subject(policy, &per, choices) } else { Subject::Authenticated };
    Approval {
        name: format!("approval-{n}"),
        requesters,
        approvers: Approvers::Requester,
        quorum: 1,
        duration_seconds: 1800,
        max_duration_seconds: 3600,
        justification: Justification::Required,
        per: per.into_iter().map(str::to_owned).collect(),
        notify: Vec::new(),
        content_hash: hash(0x20, n),
    }
}

fn subject(policy: &Policy, captures: &[&str], choices: &mut Choices<'_>) -> Subject {
    match choices.below(8) {
        0 => Subject::Authenticated,
        1 | 2 => Subject::Anyone,
        _ => Subject::AnyOf(matchers(policy, captures, choices)),
    }
}

fn matchers(policy: &Policy, captures: &[&str], choices: &mut Choices<'_>) -> Vec<SubjectMatcher> {
    let many = if choices.chance(30) { 2 } else { 1 };
    (0..many).map(|_| matcher(policy, captures, choices)).collect()
}

fn matcher(policy: &Policy, captures: &[&str], choices: &mut Choices<'_>) -> SubjectMatcher {
    let owned = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<String>>();
    let groups: Vec<GroupId> = groups_with(policy, captures);
    let mut matcher = SubjectMatcher { issuers: choices.few(&ids(&policy.issuers), 20), ..SubjectMatcher::default() };
    // Mostly one key; two often make a predicate that nothing meets.
    for _ in 0..if choices.chance(25) { 2 } else { 1 } {
        match choices.below(9) {
            0 | 1 => matcher.groups = choices.some(&groups, 2),
            2 => matcher.groups_all = choices.some(&groups, 2),
            3 => matcher.subjects = choices.some(&owned(&SUBJECTS), 2),
            4 => matcher.subject_patterns = choices.some(&owned(&SUBJECT_PATTERNS), 2),
            5 => matcher.emails = choices.some(&owned(&EMAILS), 2),
            6 => matcher.email_domains = choices.some(&owned(&EMAIL_DOMAINS), 1),
            7 => matcher.kinds = choices.some(&owned(&KINDS), 1),
            _ => matcher.claims.push(claim_test(choices)),
        }
    }
    matcher
}

fn claim_test(choices: &mut Choices<'_>) -> ClaimTest {
    let path = choices.pick(&CLAIM_PATHS).iter().map(|name| (*name).to_owned()).collect();
    let values = [
        ClaimValue::Text("admin".to_owned()),
        ClaimValue::Integer(1),
        ClaimValue::Boolean(true),
        ClaimValue::Text("1".to_owned()),
    ];
    match choices.below(10) {
        0..=4 => ClaimTest { path, accepts: ClaimValues::In(choices.some(&values, 2)) },
        5 | 6 => {
            ClaimTest { path, accepts: ClaimValues::Words(choices.some(&["read", "write"].map(str::to_owned), 2)) }
        }
        7 => ClaimTest { path, accepts: ClaimValues::Present },
        8 => ClaimTest { path, accepts: ClaimValues::Absent },
        _ => ClaimTest { path: vec!["until".to_owned()], accepts: ClaimValues::AfterNow },
    }
}

fn conditions(policy: &Policy, captures: &[&str], choices: &mut Choices<'_>, subject_percent: usize) -> Conditions {
    Conditions {
        subject: choices.chance(subject_percent).then(|| subject(policy, captures, choices)),
        via: choices.chance(12).then(|| via(policy, choices)),
        from: choices.few::<NetworkId>(&ids(&policy.networks), 15),
        during: choices.few::<ScheduleId>(&ids(&policy.schedules), 15),
        facts: facts::tests(policy, choices, 25),
        captures: choices.few(captures, 45).into_iter().map(|name| capture_test(name, policy, choices)).collect(),
    }
}

fn via(policy: &Policy, choices: &mut Choices<'_>) -> Via {
    if choices.chance(30) {
        return Via::Any;
    }
    let many = if choices.chance(30) { 2 } else { 1 };
    Via::AnyOf((0..many).map(|_| actor_matcher(policy, choices)).collect())
}

fn actor_matcher(policy: &Policy, choices: &mut Choices<'_>) -> ActorMatcher {
    let owned = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<String>>();
    let mut matcher = ActorMatcher { issuers: choices.few(&ids(&policy.issuers), 30), ..ActorMatcher::default() };
    match choices.below(4) {
        0 => matcher.subjects = choices.some(&owned(&SUBJECTS), 3),
        1 => matcher.subject_patterns = choices.some(&owned(&SUBJECT_PATTERNS), 2),
        2 => matcher.claims.push(claim_test(choices)),
        _ if matcher.issuers.is_empty() => matcher.issuers = choices.some(&ids(&policy.issuers), 2),
        _ => {}
    }
    matcher
}

fn capture_test(name: &str, policy: &Policy, choices: &mut Choices<'_>) -> CaptureTest {
    let accepts = if choices.chance(60) {
        let path = match choices.below(20) {
            16.. => &["sub"][..],
            other => CLAIM_PATHS[other.saturating_sub(12)],
        };
        let path = path.iter().map(|name| (*name).to_owned()).collect();
        CaptureValues::Claim { path, issuers: choices.few(&ids(&policy.issuers), 20) }
    } else {
        CaptureValues::In(choices.some(&CAPTURED.map(str::to_owned), 2))
    };
    CaptureTest { capture: name.to_owned(), accepts }
}

fn unless(policy: &Policy, captures: &[&str], choices: &mut Choices<'_>, percent: usize) -> Vec<Conditions> {
    let many = if choices.chance(percent) { choices.between(1, 2) } else { 0 };
    (0..many)
        .map(|_| {
            let mut entry = conditions(policy, captures, choices, 60);
            if entry == Conditions::default() {
                entry.subject = Some(subject(policy, captures, choices));
            }
            entry
        })
        .collect()
}

/// The captures that every pattern of these scopes has.
fn captures_of(policy: &Policy, scopes: &[ScopeId]) -> Vec<&'static str> {
    let has = |name: &&str| scopes.iter().all(|scope| policy.scopes[*scope].has_capture(name).is_ok());
    CAPTURES.into_iter().filter(has).collect()
}

fn rule(n: usize, policy: &Policy, choices: &mut Choices<'_>) -> Rule {
    let effect = *choices.pick(&[
        Effect::Allow,
        Effect::Allow,
        Effect::Allow,
        Effect::Allow,
        Effect::Allow,
        Effect::Allow,
        Effect::Restrict,
        Effect::Restrict,
        Effect::Restrict,
        Effect::Deny,
    ]);
    let everywhere = effect != Effect::Allow && choices.chance(25);
    let scopes = if everywhere {
        ScopeSelector::All
    } else {
        let mut named = choices.some::<ScopeId>(&ids(&policy.scopes), 3);
        // Often only scopes with the captures of the first.
        if choices.chance(50) {
            let first = captures_of(policy, &named[..1]);
            named.retain(|scope| captures_of(policy, &[*scope]) == first);
        }
        ScopeSelector::Named(named)
    };
    let captures = match &scopes {
        ScopeSelector::All => Vec::new(),
        ScopeSelector::Named(named) => captures_of(policy, named),
    };
    let captures = &captures[..];
    let mut when = conditions(
        policy,
        captures,
        choices,
        match effect {
            Effect::Allow => 100,
            Effect::Restrict => 40,
            Effect::Deny => 70,
        },
    );
    if effect == Effect::Allow && when.subject.is_none() {
        // The bytes are used up.
        when.subject = Some(Subject::Anyone);
    }
    let mut require = Requirements::default();
    let asks = match effect {
        Effect::Deny => 0,
        Effect::Restrict => 1 + choices.below(2),
        Effect::Allow => choices.below(3),
    };
    for _ in 0..asks {
        let possible =
            policy.approvals.iter().filter(|(_, one)| one.per.iter().all(|per| captures.contains(&per.as_str())));
        let approvals: Vec<ApprovalId> = possible.map(|(id, _)| id).collect();
        match choices.below(9) {
            1..=3 if !everywhere && !approvals.is_empty() => require.approval = choices.some(&approvals, 2),
            4 => require.subject = matchers(policy, captures, choices),
            5 => require.from = choices.some(&ids(&policy.networks), 2),
            6 => require.during = choices.some(&ids(&policy.schedules), 2),
            7 => require.facts = facts::tests(policy, choices, 100),
            _ => require.login = Some(*choices.pick::<LoginId>(&ids(&policy.logins))),
        }
    }
    Rule {
        name: format!("rule-{n}"),
        owner: None,
        effect,
        mode: if choices.chance(20) { Mode::Observe } else { Mode::Enforce },
        scopes,
        methods: choices.chance(15).then(|| *choices.pick(&[MethodSet::READ, MethodSet::WRITE, MethodSet::ANY])),
        when,
        unless: unless(policy, captures, choices, if effect == Effect::Deny { 60 } else { 15 }),
        starts: choices.chance(8).then(|| moment(choices)),
        ends: choices.chance(8).then(|| moment(choices)),
        require,
    }
}

pub(super) fn moment(choices: &mut Choices<'_>) -> Timestamp {
    Timestamp::from_unix_seconds(*choices.pick(&MOMENTS))
}

//! What policies say.

use super::Seen;
use luigi_core::identity::{ClaimMap, IssuerTrust};
use luigi_core::policy::captures::{CaptureTest, CaptureValues, GroupFamily, GroupValue};
use luigi_core::policy::model::{
    ActorMatcher, Approval, Audit, CertificateTest, ClaimTest, ClaimValue, ClaimValues, Conditions, Effect, Fact,
    FactTest, Group, HostPattern, HostProperties, Issuer, Login, Mode, Network, Operation, PathRegex, PathTemplate,
    Policy, Requirements, Rule, Schedule, Scope, ScopeSelector, Segment, Subject, SubjectMatcher, Upgrade, ValueTest,
    Via,
};
use luigi_core::target::Ambiguity;

/// What must occur, by part; nothing else does.
pub(super) const TABLE: &[(&str, &[&str])] = &[
    ("policy", &["an environment", "no default issuer", "several issuers", "methods of its own"]),
    ("groups", &["single", "families"]),
    ("networks", &["IPv4", "IPv6"]),
    ("schedules", &["all days", "some days", "over midnight", "dates", "except-dates", "other time zones than UTC"]),
    ("logins", &["acr-any", "amr-any", "amr-all", "max-age"]),
    ("hosts", &["exact", "`*.x`", "`**.x`", "paths", "trailing-slash", "accept-ambiguous", "method-override"]),
    (
        "scopes",
        &[
            "frontends",
            "operations",
            "path-regex",
            "except",
            "privileged",
            "audit best-effort",
            "preflight",
            "upgrade refused",
            "upgrade bounded",
            "upgrade allowed",
        ],
    ),
    ("hosts of scopes", &["any", "exact", "`*.x`", "`**.x`", "`{name}.x`"]),
    ("paths of scopes", &["literal", "`{name}`", "`*`", "`**`", "final `/`"]),
    ("methods of scopes", &["read", "write", "any", "some"]),
    ("approvals", &["requesters", "per"]),
    (
        "rules",
        &[
            "allow",
            "restrict",
            "deny",
            "observe",
            "all scopes",
            "several scopes",
            "methods",
            "starts",
            "ends",
            "several unless",
        ],
    ),
    ("conditions of rules", &["subject", "via", "from", "during", "facts", "where"]),
    ("conditions in unless", &["subject", "via", "from", "during", "facts", "where"]),
    ("require", &["login", "subject", "from", "during", "facts", "approval", "several approvals"]),
    ("subject", &["anyone", "authenticated", "matchers", "several matchers"]),
    (
        "matchers",
        &[
            "issuers",
            "kinds",
            "subjects",
            "subject-patterns",
            "emails",
            "email-domains",
            "groups",
            "groups-all",
            "families",
            "claims",
        ],
    ),
    ("via", &["any", "matchers", "issuers", "subjects", "subject-patterns", "claims"]),
    ("claims", &["nested path", "text", "integer", "boolean", "words", "present", "absent", "after-now"]),
    ("where", &["in", "claim", "claim of the subject", "claim of other issuers"]),
    ("tests of what a request brings along", &["headers", "query", "facts", "certificate", "in", "present", "absent"]),
    ("certificate", &["verified", "not verified", "subject-dn", "san-uri", "san-dns", "fingerprint-sha256"]),
];

pub(super) fn note(policy: &Policy, seen: &mut Seen) {
    let Policy {
        environment,
        auditing: _, // behind decisions: luigi-runtime/tests/spool.rs
        methods,
        issuers,
        default_issuer,
        groups,
        networks,
        proxies: _, // before decisions: tests/proxies.rs
        schedules,
        logins,
        hosts,
        scopes,
        approvals,
        facts,
        rules,
    } = policy;
    let mut policy_says = |is: bool, what: &str| is.then(|| seen.note("policy", what));
    policy_says(environment.is_some(), "an environment");
    policy_says(default_issuer.is_none(), "no default issuer");
    policy_says(issuers.len() > 1, "several issuers");
    policy_says(methods.names(luigi_core::method::MethodSet::ALL).any(|name| name == "PURGE"), "methods of its own");
    for (_, issuer) in issuers.iter() {
        // How tokens become identities is before decisions: tests/identity. The URL alone is compared.
        let Issuer { name: _, trust } = issuer;
        let IssuerTrust {
            issuer_type: _,
            url: _,
            audiences: _,
            algorithms: _,
            token_types: _,
            leeway_seconds: _,
            trusts_emails: _,
            kind: _,
            claims: ClaimMap { subject: _, email: _, groups: _, groups_format: _, kind: _, audience: _ },
        } = trust;
    }
    for (_, Group { name: _, value }) in groups.iter() {
        seen.note(
            "groups",
            match value {
                GroupValue::Literal(_) => "single",
                GroupValue::Family(GroupFamily { prefix: _, capture: _, suffix: _ }) => "families",
            },
        );
    }
    for (_, Network { name: _, members }) in networks.iter() {
        members.iter().for_each(|net| seen.note("networks", if net.addr().is_ipv4() { "IPv4" } else { "IPv6" }));
    }
    schedules.iter().for_each(|(_, row)| schedule(row, seen));
    logins.iter().for_each(|(_, row)| login(row, seen));
    hosts.iter().for_each(|(_, row)| host_properties(row, seen));
    scopes.iter().for_each(|(_, row)| scope(row, policy, seen));
    approvals.iter().for_each(|(_, row)| approval(row, policy, seen));
    for (_, fact) in facts.iter() {
        // What is asked for; the tests of it are noted.
        match fact {
            Fact::Certificate | Fact::CertificateFingerprint | Fact::CertificateNames | Fact::CertificateSubject => {}
            Fact::Frontend | Fact::Named { name: _, values: _ } | Fact::Header(_) => {}
        }
    }
    rules.iter().for_each(|(_, row)| rule(row, policy, seen));
}

/// Notes those of a part that are so.
fn each(part: &str, what: &[(bool, &str)], seen: &mut Seen) {
    what.iter().filter(|(is, _)| *is).for_each(|(_, what)| seen.note(part, *what));
}

fn schedule(row: &Schedule, seen: &mut Seen) {
    let Schedule { name: _, time_zone, days, start, end, dates, except_dates } = row;
    let said = [
        (days.0 == 0b111_1111, "all days"),
        (days.0 != 0b111_1111, "some days"),
        (start > end, "over midnight"),
        (!dates.is_empty(), "dates"),
        (!except_dates.is_empty(), "except-dates"),
        (time_zone != "UTC", "other time zones than UTC"),
    ];
    each("schedules", &said, seen);
}

fn login(row: &Login, seen: &mut Seen) {
    let Login { name: _, acr_any, amr_any, amr_all, max_age_seconds } = row;
    let said = [
        (!acr_any.is_empty(), "acr-any"),
        (!amr_any.is_empty(), "amr-any"),
        (!amr_all.is_empty(), "amr-all"),
        (max_age_seconds.is_some(), "max-age"),
    ];
    each("logins", &said, seen);
}

fn host_name(host: &HostPattern) -> &'static str {
    match host {
        HostPattern::Any => "any",
        HostPattern::Exact(_) => "exact",
        HostPattern::OneLabel(_) => "`*.x`",
        HostPattern::Labels(_) => "`**.x`",
        HostPattern::Capture { name: _, parent: _ } => "`{name}.x`",
    }
}

fn host_properties(row: &HostProperties, seen: &mut Seen) {
    let HostProperties { host, ignores_case, slash_matters, accepts, refuses_method_override } = row;
    seen.note("hosts", host_name(host));
    let said = [
        (*ignores_case, "paths"),
        (*slash_matters, "trailing-slash"),
        (!accepts.is_empty(), "accept-ambiguous"),
        (*refuses_method_override, "method-override"),
    ];
    each("hosts", &said, seen);
    accepts.iter().for_each(|class: &Ambiguity| assert!(class.is_acceptable()));
}

fn scope(row: &Scope, policy: &Policy, seen: &mut Seen) {
    let Scope {
        name: _,
        hosts,
        frontends,
        operations,
        path_regex,
        except,
        privileged,
        audit,
        preflight,
        upgrade,
        content_hash: _,
    } = row;
    let methods = |set: luigi_core::method::MethodSet| match policy.methods.names(set).collect::<Vec<_>>()[..] {
        ["GET", "HEAD"] => "read",
        ["POST", "PUT", "PATCH", "DELETE"] => "write",
        ref names if names.contains(&"other") => "any",
        _ => "some",
    };
    hosts.iter().for_each(|host| seen.note("hosts of scopes", host_name(host)));
    for Operation { methods: set, path: PathTemplate { segments, rest, slash } } in operations {
        seen.note("methods of scopes", methods(*set));
        for segment in segments {
            seen.note(
                "paths of scopes",
                match segment {
                    Segment::Literal(_) => "literal",
                    Segment::Capture(_) => "`{name}`",
                    Segment::Any => "`*`",
                },
            );
        }
        each("paths of scopes", &[(*rest, "`**`"), (*slash, "final `/`")], seen);
    }
    if let Some(PathRegex { methods: set, patterns: _, automaton: _, folded: _ }) = path_regex {
        seen.note("methods of scopes", methods(*set));
    }
    let upgrade = match upgrade {
        Upgrade::Refuse => "upgrade refused",
        Upgrade::Outlive { seconds: _ } => "upgrade bounded",
        Upgrade::Allow => "upgrade allowed",
    };
    let said = [
        (!frontends.is_empty(), "frontends"),
        (!operations.is_empty(), "operations"),
        (path_regex.is_some(), "path-regex"),
        (!except.is_empty(), "except"),
        (*privileged, "privileged"),
        (*audit == Audit::BestEffort, "audit best-effort"),
        (*preflight, "preflight"),
        (true, upgrade),
    ];
    each("scopes", &said, seen);
}

fn approval(row: &Approval, policy: &Policy, seen: &mut Seen) {
    let Approval {
        name: _,
        requesters,
        // Who says yes, how often and for how long makes grants, which are given to decisions.
        approvers: _,
        quorum: _,
        duration_seconds: _,
        max_duration_seconds: _,
        justification: _,
        per,
        notify: _,
        content_hash: _,
    } = row;
    subject(requesters, policy, seen);
    let asks = *requesters != Subject::Authenticated;
    each("approvals", &[(asks, "requesters"), (!per.is_empty(), "per")], seen);
}

fn rule(row: &Rule, policy: &Policy, seen: &mut Seen) {
    let Rule { name: _, owner: _, effect, mode, scopes, methods, when, unless, starts, ends, require } = row;
    let effect = match effect {
        Effect::Allow => "allow",
        Effect::Restrict => "restrict",
        Effect::Deny => "deny",
    };
    let (all, several) = match scopes {
        ScopeSelector::All => (true, false),
        ScopeSelector::Named(scopes) => (false, scopes.len() > 1),
    };
    let said = [
        (true, effect),
        (*mode == Mode::Observe, "observe"),
        (all, "all scopes"),
        (several, "several scopes"),
        (methods.is_some(), "methods"),
        (starts.is_some(), "starts"),
        (ends.is_some(), "ends"),
        (unless.len() > 1, "several unless"),
    ];
    each("rules", &said, seen);
    conditions("conditions of rules", when, policy, seen);
    unless.iter().for_each(|one| conditions("conditions in unless", one, policy, seen));
    let Requirements { login, subject, from, during, facts, approval } = require;
    let said = [
        (login.is_some(), "login"),
        (!subject.is_empty(), "subject"),
        (!from.is_empty(), "from"),
        (!during.is_empty(), "during"),
        (!facts.is_empty(), "facts"),
        (!approval.is_empty(), "approval"),
        (approval.len() > 1, "several approvals"),
    ];
    each("require", &said, seen);
    subject.iter().for_each(|one| matcher(one, policy, seen));
    facts.iter().for_each(|test| fact_test(test, seen));
}

fn conditions(part: &str, row: &Conditions, policy: &Policy, seen: &mut Seen) {
    let Conditions { subject: who, via, from, during, facts, captures } = row;
    let said = [
        (who.is_some(), "subject"),
        (via.is_some(), "via"),
        (!from.is_empty(), "from"),
        (!during.is_empty(), "during"),
        (!facts.is_empty(), "facts"),
        (!captures.is_empty(), "where"),
    ];
    each(part, &said, seen);
    who.iter().for_each(|who| subject(who, policy, seen));
    via.iter().for_each(|via| actors(via, seen));
    facts.iter().for_each(|test| fact_test(test, seen));
    for CaptureTest { capture: _, accepts } in captures {
        match accepts {
            CaptureValues::In(_) => seen.note("where", "in"),
            CaptureValues::Claim { path, issuers } => {
                let said = [
                    (true, "claim"),
                    (path[..] == ["sub"], "claim of the subject"),
                    (!issuers.is_empty(), "claim of other issuers"),
                ];
                each("where", &said, seen);
            }
        }
    }
}

fn subject(row: &Subject, policy: &Policy, seen: &mut Seen) {
    match row {
        Subject::Anyone => seen.note("subject", "anyone"),
        Subject::Authenticated => seen.note("subject", "authenticated"),
        Subject::AnyOf(matchers) => {
            each("subject", &[(true, "matchers"), (matchers.len() > 1, "several matchers")], seen);
            matchers.iter().for_each(|one| matcher(one, policy, seen));
        }
    }
}

fn matcher(row: &SubjectMatcher, policy: &Policy, seen: &mut Seen) {
    let SubjectMatcher {
        issuers,
        kinds,
        subjects,
        subject_patterns,
        emails,
        email_domains,
        groups,
        groups_all,
        claims,
    } = row;
    let said = [
        (!issuers.is_empty(), "issuers"),
        (!kinds.is_empty(), "kinds"),
        (!subjects.is_empty(), "subjects"),
        (!subject_patterns.is_empty(), "subject-patterns"),
        (!emails.is_empty(), "emails"),
        (!email_domains.is_empty(), "email-domains"),
        (!groups.is_empty(), "groups"),
        (!groups_all.is_empty(), "groups-all"),
        (groups.iter().chain(groups_all).any(|id| policy.groups[*id].value.family().is_some()), "families"),
        (!claims.is_empty(), "claims"),
    ];
    each("matchers", &said, seen);
    claims.iter().for_each(|test| claim(test, seen));
}

fn actors(row: &Via, seen: &mut Seen) {
    let Via::AnyOf(matchers) = row else {
        seen.note("via", "any");
        return;
    };
    seen.note("via", "matchers");
    for ActorMatcher { issuers, subjects, subject_patterns, claims } in matchers {
        let said = [
            (!issuers.is_empty(), "issuers"),
            (!subjects.is_empty(), "subjects"),
            (!subject_patterns.is_empty(), "subject-patterns"),
            (!claims.is_empty(), "claims"),
        ];
        each("via", &said, seen);
        claims.iter().for_each(|test| claim(test, seen));
    }
}

fn claim(row: &ClaimTest, seen: &mut Seen) {
    let ClaimTest { path, accepts } = row;
    each("claims", &[(path.len() > 1, "nested path")], seen);
    match accepts {
        ClaimValues::In(values) => values.iter().for_each(|value| {
            seen.note(
                "claims",
                match value {
                    ClaimValue::Text(_) => "text",
                    ClaimValue::Integer(_) => "integer",
                    ClaimValue::Boolean(_) => "boolean",
                },
            );
        }),
        ClaimValues::Words(_) => seen.note("claims", "words"),
        ClaimValues::Present => seen.note("claims", "present"),
        ClaimValues::Absent => seen.note("claims", "absent"),
        ClaimValues::AfterNow => seen.note("claims", "after-now"),
    }
}

fn fact_test(row: &FactTest, seen: &mut Seen) {
    const PART: &str = "tests of what a request brings along";
    let (kind, accepts) = match row {
        FactTest::Header { header: _, accepts } => ("headers", Some(accepts)),
        FactTest::Query { parameter: _, accepts } => ("query", Some(accepts)),
        FactTest::Named { fact: _, values: _ } => ("facts", None),
        FactTest::Certificate(test) => {
            let CertificateTest { verified, subject_dns, san_uris, san_dns, fingerprints } = test;
            let said = [
                (*verified == Some(true), "verified"),
                (*verified == Some(false), "not verified"),
                (!subject_dns.is_empty(), "subject-dn"),
                (!san_uris.is_empty(), "san-uri"),
                (!san_dns.is_empty(), "san-dns"),
                (!fingerprints.is_empty(), "fingerprint-sha256"),
            ];
            each("certificate", &said, seen);
            ("certificate", None)
        }
    };
    seen.note(PART, kind);
    match accepts {
        None => {}
        Some(ValueTest::In(_)) => seen.note(PART, "in"),
        Some(ValueTest::Present) => seen.note(PART, "present"),
        Some(ValueTest::Absent) => seen.note(PART, "absent"),
    }
}

//! What policies mean once their names are resolved: defaults, normal forms, content hashes.

use luigi_core::identity::{Algorithm, ListFormat};
use luigi_core::method::MethodSet;
use luigi_core::policy::diagnostics::Style;
use luigi_core::policy::model::{
    Approvers, Audit, ClaimValue, ClaimValues, ContentHash, Effect, HostPattern, Justification, Mode, Policy,
    ScopeSelector, Segment, Subject, TableId, Weekdays,
};
use luigi_core::policy::source::MAX_BESIDE_BYTES;
use luigi_core::policy::test_case::{Expectation, TestCase, TestCredential};
use luigi_core::policy::{SourceSet, files_beside, parse};
use luigi_core::snapshot::Snapshot;
use std::collections::BTreeSet;

fn parsed(text: &str) -> (Policy, Vec<TestCase>) {
    let mut sources = SourceSet::new();
    sources.add("policy.toml", format!("schema = 1\n{text}"));
    let parsed = parse(&sources);
    assert_eq!(parsed.diagnostics.render(&sources, Style::PLAIN), "");
    (parsed.policy.expect("a policy without problems"), parsed.tests)
}

fn policy(text: &str) -> Policy {
    parsed(text).0
}

const OKTA: &str = "[issuers.okta]\nurl = \"https://example.okta.com\"\naudiences = [\"b\", \"a\"]\n";
const ORDERS: &str = "[scopes.orders]\nhosts = [\"orders.example.com\"]\npaths = [\"/orders\"]\nmethods = \"read\"\n";

#[test]
fn what_is_recorded_is_said_once_in_a_policy_and_by_privileged_scopes() {
    let scope = |name: &str, audit: &str| {
        format!("[scopes.{name}]\nhosts = \"any\"\noperations = [\"GET /\"]\nprivileged = true\n{audit}\n")
    };
    let text = format!(
        "[audit]\nquery-parameters = [\"sort\", \"page\"]\n{}{}",
        scope("a", ""),
        scope("b", "audit = \"best-effort\"")
    );
    let policy = policy(&text);
    assert_eq!((policy.auditing.sample, policy.auditing.query_parameters.join(" ")), (None, "page sort".to_owned()));
    let audits: Vec<Audit> = policy.scopes.iter().map(|(_, scope)| scope.audit).collect();
    assert_eq!(audits, [Audit::Required, Audit::BestEffort]);
    assert_eq!(
        policy.scopes.iter().map(|(_, scope)| scope.content_hash).collect::<BTreeSet<_>>().len(),
        1,
        "grants go on"
    );
    assert_eq!(Snapshot::compile(policy.clone()).unwrap().policy().auditing, policy.auditing);

    let mut sources = SourceSet::new();
    sources.add("a.toml", "schema = 1\n[audit]\nsample = 1\n");
    sources.add("b.toml", "schema = 1\n[audit]\nsample = 1\n");
    let twice = parse(&sources).diagnostics.render(&sources, Style::PLAIN);
    assert!(
        twice.contains("`audit` is defined twice") && twice.contains("a.toml") && twice.contains("b.toml"),
        "{twice}"
    );
}

#[test]
fn a_single_issuer_is_the_default_with_cautious_settings() {
    let policy = policy(OKTA);
    assert_eq!(policy.default_issuer.map(TableId::index), Some(0));
    let (_, issuer) = policy.issuers.iter().next().unwrap();
    let trust = &issuer.trust;
    assert_eq!((issuer.name.as_str(), trust.url.as_str()), ("okta", "https://example.okta.com"));
    assert_eq!(trust.audiences, ["a", "b"]);
    assert_eq!(trust.algorithms, Algorithm::DEFAULT);
    assert!(!trust.algorithms.contains(&Algorithm::HS256));
    assert_eq!((trust.leeway_seconds, trust.trusts_emails, trust.kind.as_deref()), (30, false, None));
    assert_eq!(trust.claims.groups, ["groups"]);
    assert_eq!(trust.claims.groups_format, ListFormat::Array);
    assert!(trust.token_types.is_empty());
}

#[test]
fn issuers_say_where_things_are() {
    let text = "leeway = \"0s\"\ntrust-emails = true\nkind = \"user\"\nalgorithms = [\"HS256\", \"RS256\"]\ntoken-types = [\"application/AT+JWT\"]\n\
                claims = { subject = [\"oid\"], email = [\"mail\"], groups = [\"realm_access\", \"roles\"], groups-format = \"words\", kind = [\"typ\"] }\n";
    let policy = policy(&format!("{OKTA}{text}"));
    let (_, issuer) = policy.issuers.iter().next().unwrap();
    let trust = &issuer.trust;
    assert_eq!((trust.leeway_seconds, trust.trusts_emails, trust.kind.as_deref()), (0, true, Some("user")));
    assert_eq!(trust.algorithms, [Algorithm::RS256, Algorithm::HS256]);
    assert_eq!(trust.token_types, ["at+jwt"]);
    assert_eq!((&*trust.claims.subject, &*trust.claims.email), (&["oid".to_owned()][..], &["mail".to_owned()][..]));
    assert_eq!(trust.claims.groups, ["realm_access", "roles"]);
    assert_eq!(trust.claims.groups_format, ListFormat::Words);
    assert_eq!(trust.claims.kind.as_deref(), Some(&["typ".to_owned()][..]));
}

#[test]
fn the_default_among_several_issuers_is_the_one_that_says_so() {
    let second = "[issuers.ci]\nurl = \"https://ci.example.com\"\naudiences = [\"a\"]\n";
    for (text, expected) in [
        (format!("{OKTA}{second}"), None),
        (format!("{OKTA}default = true\n{second}"), Some("okta")),
        (format!("{OKTA}default = false\n{second}default = true\n"), Some("ci")),
        (format!("{OKTA}default = false\n"), None),
        (String::new(), None),
    ] {
        let policy = policy(&text);
        let name = policy.default_issuer.map(|id| policy.issuers[id].name.clone());
        assert_eq!(name.as_deref(), expected, "{text}");
    }
}

#[test]
fn schedules_are_seconds_of_the_day() {
    let policy = policy(
        "[schedules.nights]\ntime-zone = \"europe/berlin\"\ndays = [\"sun\", \"mon\"]\nstart = \"22:00\"\nend = \"06:30\"\n\
         [schedules.freeze]\ntime-zone = \"UTC\"\ndates = [2026-12-25, 2026-12-24]\n",
    );
    let rows: Vec<_> = policy.schedules.iter().map(|(_, row)| row).collect();
    let [freeze, nights] = rows[..] else { panic!("two schedules") };
    assert_eq!((freeze.days, freeze.start, freeze.end), (Weekdays(0x7f), 0, 86_400));
    assert_eq!(freeze.dates, [jiff::civil::date(2026, 12, 24), jiff::civil::date(2026, 12, 25)]);
    assert_eq!((nights.days, nights.start, nights.end), (Weekdays(0b100_0001), 79_200, 23_400));
    assert_eq!(nights.time_zone, "Europe/Berlin");
}

#[test]
fn scopes_have_one_operation_a_path() {
    let policy = policy(
        "[scopes.a]\nhosts = [\"B.example.com\", \"*.a.example.com\", \"10.0.0.7\"]\noperations = [\"PURGE /x/{id}\", \"GET /x/{id}\", \"ABC /\", \"GET /**\"]\n\
         [scopes.b]\nhosts = \"any\"\npaths = [\"/caf%c3%a9/\", \"/*\"]\nmethods = [\"GET\", \"DELETE\"]\nexcept = [\"a\"]\nprivileged = true\n",
    );
    let rows: Vec<_> = policy.scopes.iter().map(|(_, row)| row).collect();
    let [a, b] = rows[..] else { panic!("two scopes") };
    let exact = |name: &str| HostPattern::Exact(name.to_owned());
    assert_eq!(a.hosts, [exact("10.0.0.7"), exact("b.example.com"), HostPattern::OneLabel("a.example.com".to_owned())]);
    let shown = |row: &luigi_core::policy::model::Scope| {
        let operation = |operation: &luigi_core::policy::model::Operation| {
            let path: String = operation
                .path
                .segments
                .iter()
                .map(|segment| match segment {
                    Segment::Literal(text) => format!("/{text}"),
                    Segment::Capture(name) => format!("/{{{name}}}"),
                    Segment::Any => "/*".to_owned(),
                })
                .collect();
            let methods: Vec<_> = policy.methods.names(operation.methods).collect();
            format!("{} {path}{}", methods.join(","), if operation.path.rest { "/**" } else { "" })
        };
        row.operations.iter().map(operation).collect::<Vec<_>>()
    };
    assert_eq!(shown(a), ["ABC ", "GET /**", "GET,PURGE /x/{id}"]);
    assert_eq!(shown(b), ["GET,DELETE /caf%C3%A9", "GET,DELETE /*"]);
    assert!(b.privileged && !a.privileged);
    assert_eq!(b.hosts, [HostPattern::Any]);
    assert_eq!(b.except.iter().map(|id| id.index()).collect::<Vec<_>>(), [0]);
}

#[test]
fn rules_are_enforced_and_about_anyone_unless_they_say_otherwise() {
    let policy = policy(&format!(
        "{OKTA}{ORDERS}[groups]\nstaff = \"s\"\n[networks]\noffice = [\"10.0.0.0/8\"]\n\
         [[rules]]\nid = \"b\"\neffect = \"deny\"\nscopes = \"all\"\nends = 2026-01-01T01:00:00+01:00\n\
         [[rules]]\nid = \"a\"\neffect = \"restrict\"\nmode = \"observe\"\nscopes = [\"orders\"]\nmethods = \"write\"\nrequire = {{ subject = \"authenticated\" }}\n\
         [[rules]]\nid = \"c\"\neffect = \"allow\"\nscopes = [\"orders\"]\nsubject = [{{ groups = [\"staff\"] }}, {{ emails = [\"Ada@Example.com\"], email-domains = [\"B.org\"] }}]\n\
         unless = [{{ from = [\"office\"] }}, {{ subject = \"authenticated\" }}]\n"
    ));
    let rows: Vec<_> = policy.rules.iter().map(|(_, row)| row).collect();
    let [a, b, c] = rows[..] else { panic!("three rules") };
    assert_eq!(
        (b.effect, b.mode, &b.scopes, &b.when.subject),
        (Effect::Deny, Mode::Enforce, &ScopeSelector::All, &None)
    );
    assert_eq!((b.starts, b.ends.map(|at| at.unix_seconds())), (None, Some(1_767_225_600)));
    assert!(b.require.is_empty());
    assert_eq!((a.effect, a.mode, a.methods), (Effect::Restrict, Mode::Observe, Some(MethodSet::WRITE)));
    assert_eq!(a.require.subject.len(), 1);
    assert_eq!(a.require.subject[0].issuers.len(), 1, "authenticated is a matcher of the default issuer");
    let Some(Subject::AnyOf(matchers)) = &c.when.subject else { panic!("matchers") };
    assert_eq!(matchers[0].groups.len(), 1);
    assert_eq!(
        (&*matchers[1].emails, &*matchers[1].email_domains),
        (&["ada@example.com".to_owned()][..], &["b.org".to_owned()][..])
    );
    assert_eq!((c.unless.len(), c.unless[0].from.len()), (2, 1));
    assert_eq!(c.unless[1].subject, Some(Subject::Authenticated));
}

#[test]
fn points_in_time_may_be_written_as_toml_allows() {
    for (text, seconds) in [
        ("2026-12-24T18:00:00Z", 1_798_135_200),
        ("2026-12-24T18:00:00z", 1_798_135_200),
        ("2026-12-24t19:00:00+01:00", 1_798_135_200),
        ("2026-12-24 12:30:00.75-05:30", 1_798_135_200),
        ("2026-12-24T18:00Z", 1_798_135_200),
        ("1969-12-31T23:59:59Z", -1),
    ] {
        let policy = policy(&format!("[[rules]]\nid = \"a\"\neffect = \"deny\"\nscopes = \"all\"\nstarts = {text}\n"));
        let (_, rule) = policy.rules.iter().next().unwrap();
        assert_eq!(rule.starts.map(|at| at.unix_seconds()), Some(seconds), "{text}");
    }
}

#[test]
fn claims_keep_their_types() {
    let policy = policy(&format!(
        "{OKTA}{ORDERS}[[rules]]\nid = \"a\"\neffect = \"deny\"\nscopes = [\"orders\"]\nsubject = {{ claims = [\
         {{ path = [\"b\"], in = [\"x\", 2, true, 1] }}, {{ path = [\"a\", \"a\"], equals = \"1\" }}, {{ path = [\"c\"], words = [\"w\", \"v\"] }}] }}\n"
    ));
    let (_, rule) = policy.rules.iter().next().unwrap();
    let Some(Subject::AnyOf(matchers)) = &rule.when.subject else { panic!("a matcher") };
    let found: Vec<_> = matchers[0].claims.iter().map(|test| (test.path.join("/"), &test.accepts)).collect();
    let text = |text: &str| ClaimValue::Text(text.to_owned());
    let values = vec![text("x"), ClaimValue::Integer(1), ClaimValue::Integer(2), ClaimValue::Boolean(true)];
    assert_eq!(
        found,
        [
            ("a/a".to_owned(), &ClaimValues::In(vec![text("1")])),
            ("b".to_owned(), &ClaimValues::In(values)),
            ("c".to_owned(), &ClaimValues::Words(vec!["v".to_owned(), "w".to_owned()])),
        ]
    );
}

#[test]
fn approvals_ask_for_one_approver_and_a_justification() {
    let policy = policy(&format!("{OKTA}[approvals.a]\napprovers = \"requester\"\nduration = \"30m\"\n"));
    let (_, approval) = policy.approvals.iter().next().unwrap();
    assert_eq!((approval.quorum, approval.justification), (1, Justification::Required));
    assert_eq!((approval.duration_seconds, approval.max_duration_seconds), (1_800, 1_800));
    assert_eq!((&approval.approvers, &approval.requesters), (&Approvers::Requester, &Subject::Authenticated));
}

#[test]
fn tests_stand_for_one_request_each() {
    let login = "[logins.fresh]\nmax-age = \"5m\"\n[groups]\nstaff = \"s\"\n[approvals.a]\napprovers = \"requester\"\nduration = \"1h\"\n";
    let test = |name: &str, rest: &str| format!("[[tests]]\nname = \"{name}\"\nexpect = \"deny\"\n{rest}\n");
    let (policy, tests) = parsed(&[
        OKTA.to_owned(),
        ORDERS.to_owned(),
        login.to_owned(),
        test("url", "request = \"GET https://Orders.example.com:8443/a/../b?c=d\""),
        test("bare host", "request = \"GET http://[2001:db8::1]?c\"\nas = \"invalid\""),
        test("path", "request = \"purge /x\"\nas = \"expired\"\nfrom = \"::ffff:10.0.0.1\"\nexpect-candidate = \"step-up\"\nreason = \"no-rule-allows\""),
        test(
            "person",
            "request = \"GET /x\"\nas = { sub = \"u\", groups = [\"staff\"], login = \"fresh\", email = \"a@b.c\", claims = { n = { x = [1, true, 1.5] } } }\n\
             at = 2026-03-02T10:00:00+01:00\ngrants = [{ scope = \"orders\", approval = \"a\" }]",
        ),
        test("nobody in particular", "request = \"GET /x\"\nas = {}"),
    ].concat());
    let line = |case: &TestCase| format!("{} {} {}", case.method, case.host.as_deref().unwrap_or("-"), case.target);
    assert_eq!(
        tests.iter().map(line).collect::<Vec<_>>(),
        ["GET Orders.example.com:8443 /a/../b?c=d", "GET [2001:db8::1] /?c", "purge - /x", "GET - /x", "GET - /x"]
    );
    let credentials: Vec<_> = tests.iter().map(|case| &case.credential).collect();
    assert_eq!(credentials[..3], [&TestCredential::Absent, &TestCredential::Invalid, &TestCredential::Expired]);
    assert_eq!(tests[2].from.map(|from| from.to_string()).as_deref(), Some("10.0.0.1"));
    assert_eq!(tests[2].expect_candidate.map(|(expect, _)| expect), Some(Expectation::StepUp));
    let TestCredential::Identity(person) = credentials[3] else { panic!("a person") };
    assert_eq!((person.subject.as_str(), person.email.as_deref()), ("u", Some("a@b.c")));
    assert_eq!(serde_json::to_string(&person.claims).unwrap(), r#"{"n":{"x":[1,true,1.5]}}"#);
    assert_eq!(person.login.map(|id| policy.logins[id].name.as_str()), Some("fresh"));
    assert_eq!((tests[3].grants.len(), tests[3].at.map(|at| at.unix_seconds())), (1, Some(1_772_442_000)));
    let TestCredential::Identity(person) = credentials[4] else { panic!("a person") };
    assert_eq!((person.subject.as_str(), Some(person.issuer)), ("test", policy.default_issuer));
}

#[test]
fn the_order_of_lists_means_nothing() {
    let lists = [
        ("matchers", vec!["{ subjects = [\"b\"] }", "{ subjects = [\"a\"] }"]),
        ("unless", vec!["{ subject = { groups = [\"b\"] } }", "{ during = [\"late\"] }", "{ from = [\"shop\"] }"]),
        ("claims", vec!["{ path = [\"b\"], equals = 1 }", "{ path = [\"a\"], equals = true }"]),
        ("audiences", vec!["a", "b"]),
        ("algorithms", vec!["ES256", "RS256"]),
        ("token-types", vec!["jwt", "at+jwt"]),
        ("office", vec!["10.0.0.0/8", "192.0.2.0/24"]),
        ("days", vec!["mon", "tue"]),
        ("acr-any", vec!["a", "b"]),
        ("amr-any", vec!["a", "b"]),
        ("hosts", vec!["a.example.com", "b.example.com"]),
        ("operations", vec!["GET /a", "BAN /b", "PURGE /c"]),
        ("except", vec!["r", "t"]),
        ("notify", vec!["slack:#a", "slack:#b"]),
        ("scopes", vec!["r", "s"]),
        ("issuers", vec!["x", "y"]),
        ("kinds", vec!["a", "b"]),
        ("subjects", vec!["a", "b"]),
        ("subject-patterns", vec!["a*", "b*"]),
        ("emails", vec!["a@b.c", "b@b.c"]),
        ("email-domains", vec!["a.c", "b.c"]),
        ("groups", vec!["a", "b"]),
        ("groups-all", vec!["b", "c"]),
        ("from", vec!["office", "shop"]),
        ("during", vec!["early", "late"]),
        ("approval", vec!["p", "q"]),
    ];
    let text = |reversed: Option<&str>| {
        let list = |name: &str| {
            let (_, items) = lists.iter().find(|(key, _)| *key == name).expect("a list of this name");
            let quoted = |item: &&str| if item.starts_with('{') { (*item).to_owned() } else { format!("\"{item}\"") };
            let mut items: Vec<_> = items.iter().map(quoted).collect();
            if reversed == Some(name) {
                items.reverse();
            }
            format!("{name} = [{}]\n", items.join(", "))
        };
        let inline =
            |names: &[&str]| names.iter().map(|name| list(name).trim_end().to_owned()).collect::<Vec<_>>().join(", ");
        let matcher = inline(&[
            "issuers",
            "kinds",
            "subjects",
            "subject-patterns",
            "emails",
            "email-domains",
            "groups",
            "groups-all",
            "claims",
        ]);
        let matchers = list("matchers").replace("matchers", "subject");
        [
            "[issuers.x]\nurl = \"https://x.example.com\"\ndefault = true\n".to_owned(),
            [list("audiences"), list("algorithms"), list("token-types")].concat(),
            "[issuers.y]\nurl = \"https://y.example.com\"\naudiences = [\"a\"]\n[groups]\na = \"1\"\nb = \"2\"\nc = \"3\"\n".to_owned(),
            format!("[networks]\nshop = [\"10.1.0.0/16\"]\n{}", list("office")),
            format!("[schedules.early]\ntime-zone = \"UTC\"\n{}", list("days")),
            "[schedules.late]\ntime-zone = \"UTC\"\nstart = \"20:00\"\nend = \"24:00\"\n".to_owned(),
            format!("[logins.l]\n{}{}", list("acr-any"), list("amr-any")),
            format!("[scopes.s]\n{}{}{}", list("hosts"), list("operations"), list("except")),
            "[scopes.r]\nhosts = \"any\"\noperations = [\"GET /r\"]\n[scopes.t]\nhosts = \"any\"\noperations = [\"GET /t\"]\n".to_owned(),
            format!("[approvals.p]\napprovers = {{ {matcher} }}\nduration = \"1h\"\n{}", list("notify")),
            "[approvals.q]\napprovers = \"requester\"\nduration = \"1h\"\n".to_owned(),
            format!("[[rules]]\nid = \"i\"\neffect = \"allow\"\n{}", list("scopes")),
            format!("subject = {{ {matcher} }}\n{}{}", list("from"), list("during")),
            format!("require = {{ {}, {} }}\n", list("approval").trim_end(), matchers.trim_end()),
            format!("[[rules]]\nid = \"d\"\neffect = \"deny\"\nscopes = \"all\"\n{}{matchers}", list("unless")),
        ]
        .concat()
    };
    let expected = policy(&text(None));
    for (name, _) in &lists {
        assert_eq!(policy(&text(Some(name))), expected, "{name}");
    }
}

/// The hash of what `name` defines.
fn hash(policy: &Policy, name: &str) -> ContentHash {
    let scopes = policy.scopes.iter().map(|(_, row)| (row.name.as_str(), row.content_hash));
    let mut all = scopes.chain(policy.approvals.iter().map(|(_, row)| (row.name.as_str(), row.content_hash)));
    all.find(|(row, _)| *row == name).expect("it is defined").1
}

#[test]
fn content_hashes_follow_the_meaning_and_not_the_text() {
    let base = format!(
        "{OKTA}[issuers.ci]\nurl = \"https://ci.example.com\"\naudiences = [\"a\"]\n[groups]\nleads = \"L\"\nstaff = \"S\"\n\
         [scopes.s]\nhosts = [\"a.example.com\", \"b.example.com\"]\noperations = [\"GET /a/{{id}}\", \"POST /a/{{id}}\", \"GET /b\"]\nexcept = [\"e\", \"f\"]\nprivileged = true\n\
         [scopes.e]\nhosts = \"any\"\npaths = [\"/e\", \"/ee\"]\nmethods = \"any\"\n\
         [scopes.f]\nhosts = \"any\"\npaths = [\"/f\"]\nmethods = \"read\"\n\
         [approvals.p]\napprovers = [{{ groups = [\"leads\", \"staff\"] }}, {{ issuers = [\"ci\"], claims = [{{ path = [\"a\"], in = [1, 2] }}] }}]\nduration = \"1h\"\nnotify = [\"slack:#a\"]\n"
    )
    .replace("audiences = [\"b\", \"a\"]", "audiences = [\"b\", \"a\"]\ndefault = true");
    let original = policy(&base);
    // (from, to, whether the hash of the scope `s` stays, whether that of the approval `p` does)
    let changes = [
        (
            "hosts = [\"a.example.com\", \"b.example.com\"]",
            "hosts = [\"B.example.com\", \"a.example.com\"]",
            true,
            true,
        ),
        ("\"GET /a/{id}\", \"POST /a/{id}\", \"GET /b\"", "\"GET /b/\", \"POST /a/{id}\", \"GET /a/{id}\"", true, true),
        ("except = [\"e\", \"f\"]", "except = [\"f\", \"e\"]", true, true),
        ("privileged = true", "privileged = false", true, true),
        ("paths = [\"/e\", \"/ee\"]", "paths = [\"/ee\", \"/%65\"]", true, true),
        ("paths = [\"/f\"]\nmethods = \"read\"", "operations = [\"HEAD /f\", \"GET /f\"]", true, true),
        ("paths = [\"/f\"]", "paths = [\"/f\", \"/g\"]", false, true),
        ("paths = [\"/f\"]", "paths = [\"/f\"]\npath-regex = [\"/g\"]", false, true),
        ("paths = [\"/e\", \"/ee\"]\nmethods = \"any\"", "paths = [\"/e\", \"/ee\"]\nmethods = \"write\"", false, true),
        ("\"GET /b\"", "\"HEAD /b\"", false, true),
        ("/a/{id}", "/a/*", false, true),
        ("\"GET /b\"", "\"GET /b/**\"", false, true),
        ("\"a.example.com\"", "\"*.a.example.com\"", false, true),
        ("privileged = true", "privileged = true\nfrontends = [\"www\"]", false, true),
        ("paths = [\"/f\"]", "paths = [\"/f\"]\nfrontends = [\"www\"]", false, true),
        ("except = [\"e\", \"f\"]", "except = [\"e\"]", false, true),
        // Another method of the policy's own makes `any` no other set.
        ("[approvals.p]", "[scopes.g]\nhosts = \"any\"\noperations = [\"PURGE /g\"]\n[approvals.p]", true, true),
        ("groups = [\"leads\", \"staff\"]", "groups = [\"staff\", \"leads\"]", true, true),
        ("in = [1, 2]", "in = [2, 1]", true, true),
        ("notify = [\"slack:#a\"]", "notify = [\"slack:#b\"]", true, true),
        (
            "duration = \"1h\"",
            "duration = \"60m\"\nquorum = 1\nrequesters = \"authenticated\"\nmax-duration = \"1h\"",
            true,
            true,
        ),
        ("leads = \"L\"", "leads = \"LL\"", true, false),
        ("https://ci.example.com", "https://cd.example.com", true, false),
        ("https://example.okta.com", "https://example.okta.eu", true, false),
        ("duration = \"1h\"", "duration = \"2h\"", true, false),
        ("duration = \"1h\"", "duration = \"1h\"\nmax-duration = \"2h\"", true, false),
        ("duration = \"1h\"", "duration = \"1h\"\nquorum = 2", true, false),
        ("duration = \"1h\"", "duration = \"1h\"\njustification = \"optional\"", true, false),
        ("duration = \"1h\"", "duration = \"1h\"\nrequesters = { groups = [\"staff\"] }", true, false),
        ("in = [1, 2]", "in = [1, \"2\"]", true, false),
        ("in = [1, 2]", "words = [\"1\", \"2\"]", true, false),
        ("path = [\"a\"]", "path = [\"a\", \"a\"]", true, false),
        ("groups = [\"leads\", \"staff\"]", "groups = [\"leads\"], groups-all = [\"staff\"]", true, false),
    ];
    for (from, to, scope_stays, approval_stays) in changes {
        let text = base.replace(from, to);
        assert_ne!(text, base, "{from}");
        let changed = policy(&text);
        assert_eq!(hash(&changed, "s") == hash(&original, "s"), scope_stays, "the scope, with {to}");
        assert_eq!(hash(&changed, "p") == hash(&original, "p"), approval_stays, "the approval, with {to}");
    }
    // Of frontends the order does not count.
    let at = |frontends: &str| {
        hash(&policy(&base.replace("privileged", &format!("frontends = {frontends}\nprivileged"))), "s")
    };
    assert_eq!(at(r#"["www", "admin"]"#), at(r#"["admin", "www"]"#));
    assert_ne!(at(r#"["www", "admin"]"#), at(r#"["www"]"#));
    // Names do not count.
    let renamed = policy(
        &base
            .replace("leads =", "bosses =")
            .replace("\"leads\"", "\"bosses\"")
            .replace("\"e\", \"f\"", "\"x\", \"f\"")
            .replace("[scopes.e]", "[scopes.x]"),
    );
    assert_eq!((hash(&renamed, "s"), hash(&renamed, "p")), (hash(&original, "s"), hash(&original, "p")));
}

#[test]
fn a_rule_that_names_a_tag_names_its_scopes() {
    let scope =
        |name: &str, tags: &str| format!("[scopes.{name}]\nhosts = \"any\"\noperations = [\"GET /{name}\"]\n{tags}\n");
    let scopes = [
        scope("d", "tags = [\"read\", \"public\"]"),
        scope("a", "tags = [\"read\"]"),
        scope("b", ""),
        scope("c", "tags = [\"public\"]"),
    ];
    let named = |list: &str| {
        let policy = policy(&format!("{}[[rules]]\nid = \"x\"\neffect = \"deny\"\nscopes = {list}\n", scopes.concat()));
        let (_, rule) = policy.rules.iter().next().unwrap();
        let ScopeSelector::Named(ids) = &rule.scopes else { panic!("named scopes") };
        let names = ids.iter().map(|id| policy.scopes[*id].name.as_str()).collect::<String>();
        (names, Snapshot::compile(policy).unwrap().revision().to_string())
    };
    assert_eq!(named("[\"tag:read\"]").0, "ad");
    assert_eq!(named("[\"tag:read\", \"tag:public\"]").0, "acd");
    // The tag is gone once the policy is compiled: this is the rule that names the scopes.
    assert_eq!(named("[\"b\", \"tag:read\", \"a\"]"), named("[\"a\", \"b\", \"d\"]"));
}

/// What stands in a file is part of the policy, as it would be if it stood in the policy itself.
#[test]
fn networks_of_a_file_are_those_of_a_list() {
    let with = |networks: &str, list: Option<&str>| {
        let mut sources = SourceSet::new();
        if let Some(list) = list {
            // The order in which texts come means nothing.
            sources.add_beside("list.txt", "policy/list.txt", list);
        }
        sources.add("policy.toml", format!("schema = 1\n[networks]\nn = {networks}\n"));
        assert_eq!(sources.len(), 1);
        let named: Vec<&str> = list.map(|_| "list.txt").into_iter().collect();
        assert_eq!(files_beside(&sources), named);
        let parsed = parse(&sources);
        assert_eq!(parsed.diagnostics.render(&sources, Style::PLAIN), "");
        Snapshot::compile(parsed.policy.unwrap()).unwrap()
    };
    let file = "{ file = \"list.txt\" }";
    let listed = with("[\"192.0.2.0/24\", \"2001:db8::/32\"]", None);
    let read = with(file, Some("# ours\r\n2001:db8::/32\r\n\r\n 192.0.2.0/24 # and theirs\n192.0.2.0/24"));
    assert_eq!(read.policy(), listed.policy());
    assert_eq!(read.revision(), listed.revision());
    let changed = with(file, Some("192.0.2.0/25\n2001:db8::/32\n"));
    assert_ne!(changed.revision(), listed.revision());
}

#[test]
fn a_file_that_is_too_large_is_no_list() {
    let problems = |list: String| {
        let mut sources = SourceSet::new();
        sources.add("policy.toml", "schema = 1\n[networks]\nn = { file = \"list.txt\" }\n");
        sources.add_beside("list.txt", "list.txt", list);
        let parsed = parse(&sources);
        assert!(parsed.policy.is_none());
        parsed.diagnostics.render(&sources, Style::PLAIN)
    };
    let many: String = (0..=100_000).map(|n| format!("10.{}.{}.{}\n", n >> 16, n >> 8 & 255, n & 255)).collect();
    let found = problems(many);
    assert!(found.contains("more than 100000 networks") && found.contains("list.txt:100001:1"), "{found}");
    let found = problems(" ".repeat(MAX_BESIDE_BYTES + 1));
    assert!(found.contains("4194305 bytes, more than 4194304") && found.contains("policy.toml:3:14"), "{found}");
}

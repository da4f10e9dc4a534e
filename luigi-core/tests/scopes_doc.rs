//! The tables of docs/SEMANTICS.md about what scopes hold: each row is a test of both evaluators.

use luigi_core::decide::{FactValue, Reason, Request, RequestFacts, Scratch, Source};
use luigi_core::explain;
use luigi_core::grant_set::GrantSet;
use luigi_core::identity::Credential;
use luigi_core::kleene::Kleene;
use luigi_core::policy::model::Fact;
use luigi_core::policy::{SourceSet, parse};
use luigi_core::snapshot::Snapshot;
use luigi_core::target::{RawTarget, TargetBuffer, canonicalize};
use luigi_core::time::Timestamp;
use std::sync::LazyLock;

/// The cells of the rows below a heading, without their backticks.
fn table(heading: &str) -> Vec<Vec<String>> {
    let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/SEMANTICS.md")).unwrap();
    let (_, below) = page.split_once(heading).expect("the page has the table");
    let rows = below.lines().skip(2).take_while(|line| line.starts_with('|'));
    let cells = |row: &str| {
        // `\\|` is a bar in a cell.
        let row = row.replace("\\|", "\u{1}");
        let cells = row.trim_matches('|').split('|');
        cells.map(|cell| cell.trim().trim_matches('`').replace('\u{1}', "|")).collect()
    };
    let rows: Vec<Vec<String>> = rows.map(cells).collect();
    assert!(!rows.is_empty());
    rows
}

fn snapshot(policy: &str) -> Snapshot {
    let mut sources = SourceSet::new();
    sources.add("policy.toml", format!("schema = 1\n{policy}"));
    let parsed = parse(&sources);
    let problems = parsed.diagnostics.render(&sources, luigi_core::policy::diagnostics::Style::PLAIN);
    Snapshot::compile(parsed.policy.unwrap_or_else(|| panic!("{problems}"))).unwrap()
}

static NO_GRANTS: LazyLock<GrantSet> = LazyLock::new(GrantSet::default);

/// A request of nobody.
fn request<'a>(raw: RawTarget<'a>, buffer: &'a mut TargetBuffer) -> Request<'a> {
    Request {
        method: raw.method,
        target: canonicalize(raw, buffer),
        upgrade: Kleene::False,
        source: Source::Unknown,
        credential: Credential::Absent,
        time: Timestamp::from_unix_seconds(1_772_442_000),
        grants: &NO_GRANTS,
        stops: luigi_core::stop_set::StopSet::NONE,
        facts: RequestFacts::NONE,
    }
}

/// Whether both evaluators allow the request; nobody asks.
fn allowed(snapshot: &Snapshot, method: &str, target: &str, host: &str) -> bool {
    let mut buffer = TargetBuffer::new();
    let raw = RawTarget { method: method.as_bytes(), target: target.as_bytes(), host: Some(host.as_bytes()) };
    let request = request(raw, &mut buffer);
    let decided = snapshot.decide(&request, &mut Scratch::for_snapshot(snapshot));
    assert_eq!(decided, explain::evaluate(snapshot.policy(), &request).evaluation, "{method} {host}{target}");
    decided.decision.allows()
}

/// Everyone may do what one scope holds.
fn open(scope: &str) -> Snapshot {
    snapshot(&format!(
        "[scopes.open]\n{scope}\n[[rules]]\nid = \"open\"\neffect = \"allow\"\nscopes = [\"open\"]\nsubject = \"anyone\"\n"
    ))
}

#[test]
fn regular_expressions_hold_what_the_page_says() {
    let mut rows = 0;
    for row in table("| expression | path | held |\n") {
        let [expression, path, held] = &row[..] else { panic!("{row:?}") };
        let snapshot = open(&format!("hosts = \"any\"\npath-regex = ['{expression}']\nmethods = \"any\""));
        let method = if path == "*" { "OPTIONS" } else { "GET" };
        assert_eq!(allowed(&snapshot, method, path, "example.com"), held == "yes", "{row:?}");
        rows += 1;
    }
    assert!(rows > 15);
}

#[test]
fn a_scope_has_templates_and_expressions_with_one_set_of_methods() {
    let snapshot =
        open("hosts = [\"*.example.com\"]\npaths = [\"/a/{id}\"]\npath-regex = [\"/b[0-9]\"]\nmethods = \"read\"");
    for (method, path, host, expected) in [
        ("GET", "/a/x", "x.example.com", true),
        ("HEAD", "/b7", "x.example.com", true),
        ("POST", "/b7", "x.example.com", false),
        ("GET", "/b7", "example.com", false),
        ("GET", "/c", "x.example.com", false),
    ] {
        assert_eq!(allowed(&snapshot, method, path, host), expected, "{method} {host}{path}");
    }
}

#[test]
fn hosts_compare_paths_as_the_page_says() {
    let rows = table("| said of the host | scope | request | held |\n");
    assert!(rows.len() > 12);
    for row in rows {
        let [said, scope, request, held] = &row[..] else { panic!("{row:?}") };
        let entry = match said.as_str() {
            "nothing" => String::new(),
            said => format!("[hosts.\"a.example.com\"]\n{said}\n"),
        };
        let snapshot = open(&format!("hosts = \"any\"\npaths = ['{scope}']\nmethods = \"any\"\n{entry}"));
        assert_eq!(allowed(&snapshot, "GET", request, "a.example.com"), held == "yes", "{row:?}");
        // Other hosts are as they are.
        let same = request.trim_end_matches('/') == scope.trim_end_matches('/');
        assert!(!same || allowed(&snapshot, "GET", request, "b.example.com"), "{row:?}");
    }
}

#[test]
fn what_can_be_accepted_has_the_readings_of_the_page() {
    use luigi_core::target::{Ambiguity, Target};
    let rows = table("| class | request | as it stands | decoded once more | cut off |\n");
    for class in Ambiguity::ACCEPTABLE {
        assert!(rows.iter().any(|row| row[0] == class.as_str() && row[2] != "refused"), "{class}");
    }
    let mut buffer = TargetBuffer::new();
    for row in rows {
        let [class, request, stands, decoded, cut] = &row[..] else { panic!("{row:?}") };
        let raw = RawTarget { method: b"GET", target: request.as_bytes(), host: Some(b"a.example.com") };
        let found = canonicalize(raw, &mut buffer);
        let class = Ambiguity::ALL.into_iter().find(|one| one.as_str() == class).unwrap();
        assert_eq!(found.ambiguity(), Some(class), "{row:?}");
        match found {
            Target::Readings(readings) => {
                assert_eq!([readings.as_it_stands().path, readings.decoded().path], [stands, decoded], "{row:?}");
                assert_eq!(readings.cut().map(|cut| cut.path).unwrap_or(""), cut, "{row:?}");
            }
            Target::Ambiguous(_) => assert_eq!(stands, "refused", "{row:?}"),
            Target::Canonical(_) => panic!("{row:?}"),
        }
    }
}

#[test]
fn both_readings_must_be_allowed() {
    let policy = |accepted: &str, paths: &str| {
        let entry = if accepted.is_empty() {
            String::new()
        } else {
            format!("[hosts.\"*.example.com\"]\naccept-ambiguous = [\"{accepted}\"]\n")
        };
        open(&format!("hosts = [\"**.example.com\"]\npaths = [{paths}]\nmethods = \"any\"\n{entry}"))
    };
    let artifacts = policy("encoded-slash", "\"/artifacts/**\"");
    for (request, host, expected) in [
        ("/artifacts/a%2Fb", "a.example.com", true),
        // One label more: nothing is said of that host.
        ("/artifacts/a%2Fb", "b.a.example.com", false),
        ("/artifacts/..%2fadmin", "a.example.com", false),
        ("/artifacts/%2e%2e%2Fadmin", "a.example.com", false),
        ("/artifacts%2Fa", "a.example.com", false),
        ("/artifacts/a%5Cb", "a.example.com", false),
        ("/artifacts/a;b", "a.example.com", false),
    ] {
        assert_eq!(allowed(&artifacts, "GET", request, host), expected, "{host}{request}");
    }
    let stats = policy("matrix-parameter", "\"/stats\", \"/stats;csv\"");
    for (request, expected) in [("/stats", true), ("/stats;csv", true), ("/stats;json", false), ("/stats%3Bcsv", false)]
    {
        assert_eq!(allowed(&stats, "GET", request, "a.example.com"), expected, "{request}");
    }
    assert!(!allowed(&policy("", "\"/**\""), "GET", "/a%2Fb", "a.example.com"));
}

#[test]
fn the_first_denial_holds_and_privilege_is_that_of_either_reading() {
    let snapshot = snapshot(
        "[hosts.\"a.example.com\"]\naccept-ambiguous = [\"encoded-slash\"]\n\
         [scopes.files]\nhosts = \"any\"\npaths = [\"/files/**\"]\nmethods = \"any\"\n\
         [scopes.admin]\nhosts = \"any\"\npaths = [\"/files/admin/**\"]\nmethods = \"any\"\nprivileged = true\n\
         [[rules]]\nid = \"files\"\neffect = \"allow\"\nscopes = [\"files\"]\nsubject = \"anyone\"\n\
         [[rules]]\nid = \"no-admin\"\neffect = \"deny\"\nscopes = [\"admin\"]\n",
    );
    let mut buffer = TargetBuffer::new();
    let mut decide = |target: &'static str| {
        let raw = RawTarget { method: b"GET", target: target.as_bytes(), host: Some(b"a.example.com") };
        let request = request(raw, &mut buffer);
        let explanation = explain::evaluate(snapshot.policy(), &request);
        let decided = snapshot.decide(&request, &mut Scratch::for_snapshot(&snapshot));
        assert_eq!(decided, explanation.evaluation);
        (decided.decision.reason.as_str(), decided.privileged, explanation.to_string())
    };
    let (reason, privileged, text) = decide("/files/admin%2fkeys");
    assert_eq!((reason, privileged), ("denied-by-rule", true));
    assert!(text.contains("read  `/files/admin%2Fkeys` as it stands: allow (allowed-by-rule)"), "{text}");
    assert!(text.contains("read  `/files/admin/keys` decoded once more: deny (denied-by-rule)"), "{text}");
    assert_eq!(decide("/x%2fy").0, "no-rule-allows");
    let (reason, privileged, _) = decide("/files/a%2Fb");
    assert_eq!((reason, privileged), ("allowed-by-rule", false));
}

/// Each of the three can be the one that is denied, and the other two allowed.
#[test]
fn a_target_that_is_cut_off_at_a_semicolon_is_decided_like_the_others() {
    for (denied, words) in [
        ("/files/a", "`/files/a` cut off at the first `;`"),
        ("/files/a/b", "`/files/a/b` decoded once more"),
        ("/files/a;x/b", "`/files/a;x/b` as it stands"),
        ("/files/other", ""),
    ] {
        let snapshot = snapshot(&format!(
            "[hosts.\"a.example.com\"]\naccept-ambiguous = [\"matrix-parameter\"]\n\
             [scopes.files]\nhosts = [\"a.example.com\"]\npaths = [\"/files/**\"]\nmethods = \"any\"\n\
             [scopes.admin]\nhosts = [\"a.example.com\"]\npaths = [\"{denied}\"]\nmethods = \"any\"\nprivileged = true\n\
             [[rules]]\nid = \"files\"\neffect = \"allow\"\nscopes = [\"files\"]\nsubject = \"anyone\"\n\
             [[rules]]\nid = \"no-admin\"\neffect = \"deny\"\nscopes = [\"admin\"]\n",
        ));
        let raw = RawTarget { method: b"GET", target: b"/files/a;x/b", host: Some(b"a.example.com") };
        let mut buffer = TargetBuffer::new();
        let request = request(raw, &mut buffer);
        let explanation = explain::evaluate(snapshot.policy(), &request);
        let decided = snapshot.decide(&request, &mut Scratch::for_snapshot(&snapshot));
        assert_eq!(decided, explanation.evaluation, "{denied}");
        let is_denied = !words.is_empty();
        assert_eq!((decided.decision.allows(), decided.privileged), (!is_denied, is_denied), "{denied}");
        let text = explanation.to_string();
        let line = format!("read  {words}: deny (denied-by-rule)");
        assert!(!is_denied || text.contains(&line), "{text}");
    }
}

#[test]
fn method_overrides_are_refused_where_the_host_says_so() {
    let snapshot = open(
        "hosts = \"any\"\npaths = [\"/a\"]\nmethods = \"any\"\n[hosts.\"a.example.com\"]\nmethod-override = \"refuse\"",
    );
    let headers: Vec<String> = snapshot.policy().facts.iter().map(|(_, fact)| fact.key().to_string()).collect();
    assert_eq!(headers, ["header:x-http-method", "header:x-http-method-override", "header:x-method-override"]);
    const ABSENT: [FactValue<'_>; 3] = [FactValue::Absent; 3];
    let at = |place: usize, value| {
        let mut values = ABSENT;
        values[place] = value;
        values
    };
    for (target, host, headers, expected) in [
        ("/a?_method=DELETE", "a.example.com", ABSENT, false),
        ("/a?x=1;%5FMETHOD=put", "a.example.com", ABSENT, false),
        ("/a?method=DELETE", "a.example.com", ABSENT, true),
        ("/a", "a.example.com", ABSENT, true),
        ("/a", "a.example.com", at(0, FactValue::One(b"PUT")), false),
        ("/a", "a.example.com", at(1, FactValue::One(b"")), false),
        ("/a", "a.example.com", at(2, FactValue::Several), false),
        ("/a", "a.example.com", at(2, FactValue::NotPassed), false),
        ("/a?_method=DELETE", "b.example.com", at(0, FactValue::One(b"PUT")), true),
    ] {
        let mut buffer = TargetBuffer::new();
        let raw = RawTarget { method: b"POST", target: target.as_bytes(), host: Some(host.as_bytes()) };
        let facts = RequestFacts { values: &headers, ..RequestFacts::NONE };
        let request = Request { facts, ..request(raw, &mut buffer) };
        let decided = snapshot.decide(&request, &mut Scratch::for_snapshot(&snapshot));
        assert_eq!(decided, explain::evaluate(snapshot.policy(), &request).evaluation, "{host}{target}");
        let reason = if expected { Reason::AllowedByRule } else { Reason::MethodOverride };
        assert_eq!(decided.decision.reason, reason, "{host}{target} {headers:?}");
    }
}

/// What a cell says of a header.
fn header(cell: &str) -> FactValue<'_> {
    match cell {
        "none" => FactValue::Absent,
        "several" => FactValue::Several,
        "not passed" => FactValue::NotPassed,
        "one" => FactValue::One(b"https://app.example.com"),
        method => FactValue::One(method.as_bytes()),
    }
}

/// A scope that a cell describes: `privileged, "8h"`.
fn scope_of(cell: &str, name: &str) -> String {
    let (privilege, upgrade) = cell.split_once(", ").unwrap_or((cell, ""));
    let upgrade = upgrade.trim_matches('`');
    let upgrade = if upgrade.is_empty() { String::new() } else { format!("upgrade = {upgrade}\n") };
    let privileged = match privilege {
        "privileged" => true,
        "not privileged" => false,
        "none" => return String::new(),
        other => panic!("{other}"),
    };
    format!(
        "[scopes.{name}]\nhosts = \"any\"\noperations = [\"GET /a\", \"POST /a\"]\nprivileged = {privileged}\n{upgrade}"
    )
}

#[test]
fn upgrades_are_decided_as_the_page_says() {
    let rows = table("| request | `Upgrade` | scope | another scope that holds it | decision | reason | limit |\n");
    assert!(rows.len() > 12);
    for row in rows {
        let [asked, upgrade, scope, other, decision, reason, limit] = &row[..] else { panic!("{row:?}") };
        let snapshot = snapshot(&format!(
            "{}{}[[rules]]\nid = \"a\"\neffect = \"allow\"\nscopes = [\"s\"]\nsubject = \"anyone\"\nmethods = [\"GET\"]\n",
            scope_of(scope, "s"),
            scope_of(other, "t"),
        ));
        let upgrade = match upgrade.as_str() {
            "no" => Kleene::False,
            "unknown" => Kleene::Unknown,
            "yes" => Kleene::True,
            other => panic!("{other}"),
        };
        let (method, target) = asked.split_once(' ').unwrap();
        let mut buffer = TargetBuffer::new();
        let raw = RawTarget { method: method.as_bytes(), target: target.as_bytes(), host: Some(b"a.example.com") };
        let request = Request { upgrade, ..request(raw, &mut buffer) };
        let decided = snapshot.decide(&request, &mut Scratch::for_snapshot(&snapshot));
        assert_eq!(decided, explain::evaluate(snapshot.policy(), &request).evaluation, "{row:?}");
        let word = if decided.decision.allows() { "allow" } else { "deny" };
        assert_eq!((word, decided.decision.reason.as_str()), (decision.as_str(), reason.as_str()), "{row:?}");
        let told = decided.tunnel_seconds.filter(|_| decided.decision.allows());
        assert_eq!(told.map_or("none".to_owned(), |seconds| seconds.to_string()), *limit, "{row:?}");
    }
}

/// What is asked for counts as if it were asked: OPTIONS could be upgraded, too.
#[test]
fn a_preflight_for_what_takes_no_upgrades_asks_for_none() {
    for (upgrade, expected) in [("\"refuse\"", Reason::UpgradeRefused), ("\"1m\"", Reason::Preflight)] {
        let snapshot = snapshot(&format!(
            "[scopes.s]\nhosts = \"any\"\noperations = [\"PUT /a\"]\npreflight = true\nupgrade = {upgrade}\n"
        ));
        let values: Vec<FactValue<'_>> = vec![FactValue::One(b"PUT"); snapshot.policy().facts.len()];
        let mut buffer = TargetBuffer::new();
        let raw = RawTarget { method: b"OPTIONS", target: b"/a", host: None };
        let facts = RequestFacts { values: &values, ..RequestFacts::NONE };
        let request = Request { facts, upgrade: Kleene::True, ..request(raw, &mut buffer) };
        let decided = snapshot.decide(&request, &mut Scratch::for_snapshot(&snapshot));
        assert_eq!(decided, explain::evaluate(snapshot.policy(), &request).evaluation);
        assert_eq!(decided.decision.reason, expected);
    }
}

/// What a request says of its frontend to a policy that asks for nothing else.
fn at(frontend: &str, snapshot: &Snapshot) -> Vec<FactValue<'static>> {
    let name: &'static str = match frontend {
        "unknown" => return Vec::new(),
        "www" => "www",
        "admin" => "admin",
        "WWW" => "WWW",
        other => panic!("{other}"),
    };
    snapshot.policy().facts.iter().map(|_| FactValue::One(name.as_bytes())).collect()
}

#[test]
fn scopes_with_frontends_hold_what_the_page_says() {
    let rows = table("| request | frontend | scope | another scope with `GET /a` | decision | reason | privileged |\n");
    assert!(rows.len() > 12);
    // In a cell that ends with a backtick the last one is gone.
    let frontends = |cell: &str| match cell.trim_matches('`') {
        "every" => String::new(),
        list => format!("frontends = {list}\n"),
    };
    for row in rows {
        let [asked, frontend, scope, other, decision, reason, privileged] = &row[..] else { panic!("{row:?}") };
        let (scope, except) = match scope.strip_suffix(", without the other") {
            Some(scope) => (scope, "except = [\"t\"]\n"),
            None => (scope.as_str(), ""),
        };
        let privilege = other.starts_with("privileged, ");
        let other = match other.trim_start_matches("privileged, ") {
            "none" => String::new(),
            cell => format!(
                "[scopes.t]\nhosts = \"any\"\noperations = [\"GET /a\"]\nprivileged = {privilege}\n{}",
                frontends(cell)
            ),
        };
        let snapshot = snapshot(&format!(
            "[scopes.s]\nhosts = \"any\"\noperations = [\"GET /a\"]\n{}{except}{other}\
             [[rules]]\nid = \"a\"\neffect = \"allow\"\nscopes = [\"s\"]\nsubject = \"anyone\"\n",
            frontends(scope),
        ));
        let names = snapshot.policy().scopes.iter().any(|(_, scope)| !scope.frontends.is_empty());
        let facts: Vec<String> = snapshot.policy().facts.iter().map(|(_, fact)| fact.key().to_string()).collect();
        assert_eq!(facts, if names { vec!["frontend"] } else { Vec::new() }, "asked for only if a scope needs it");
        let (method, target) = asked.split_once(' ').unwrap();
        let mut buffer = TargetBuffer::new();
        let raw = RawTarget { method: method.as_bytes(), target: target.as_bytes(), host: Some(b"a.example.com") };
        let values = at(frontend, &snapshot);
        let facts = RequestFacts { values: &values, ..RequestFacts::NONE };
        let request = Request { facts, ..request(raw, &mut buffer) };
        let decided = snapshot.decide(&request, &mut Scratch::for_snapshot(&snapshot));
        assert_eq!(decided, explain::evaluate(snapshot.policy(), &request).evaluation, "{row:?}");
        let word = if decided.decision.allows() { "allow" } else { "deny" };
        assert_eq!((word, decided.decision.reason.as_str()), (decision.as_str(), reason.as_str()), "{row:?}");
        assert_eq!(decided.privileged, privileged == "yes", "{row:?}");
    }
}

/// OPTIONS itself lies in no scope; what it asks for lies in one at a frontend.
#[test]
fn a_preflight_passes_at_the_frontends_of_its_scope() {
    let snapshot = snapshot(
        "[scopes.s]\nhosts = \"any\"\noperations = [\"PUT /a\"]\npreflight = true\nfrontends = [\"www\"]\nprivileged = true\n",
    );
    for (frontend, reason, privileged) in [
        (FactValue::One(b"www"), Reason::Preflight, true),
        (FactValue::One(b"admin"), Reason::NoRuleAllows, false),
        (FactValue::NotPassed, Reason::FrontendUnknown, true),
        (FactValue::Absent, Reason::FrontendUnknown, true),
        (FactValue::Several, Reason::FrontendUnknown, true),
    ] {
        let value = |fact: &Fact| if *fact == Fact::Frontend { frontend } else { FactValue::One(b"PUT") };
        let values: Vec<FactValue<'_>> = snapshot.policy().facts.iter().map(|(_, fact)| value(fact)).collect();
        let mut buffer = TargetBuffer::new();
        let raw = RawTarget { method: b"OPTIONS", target: b"/a", host: None };
        let facts = RequestFacts { values: &values, ..RequestFacts::NONE };
        let request = Request { facts, ..request(raw, &mut buffer) };
        let decided = snapshot.decide(&request, &mut Scratch::for_snapshot(&snapshot));
        assert_eq!(decided, explain::evaluate(snapshot.policy(), &request).evaluation);
        assert_eq!((decided.decision.reason, decided.privileged), (reason, privileged), "{frontend:?}");
    }
}

#[test]
fn preflights_pass_as_the_page_says() {
    let rows = table(
        "| request | `Origin` | `Access-Control-Request-Method` | `preflight` | beside it | decision | reason |\n",
    );
    assert!(rows.len() > 12);
    for row in rows {
        let [asked, origin, wanted, preflight, beside, decision, reason] = &row[..] else { panic!("{row:?}") };
        let beside = match beside.as_str() {
            "nothing" => "",
            "a restrict rule about everything" => {
                "id = \"b\"\neffect = \"restrict\"\nscopes = \"all\"\nrequire = { login = \"l\" }\n"
            }
            "a deny rule about everything" => "id = \"b\"\neffect = \"deny\"\nscopes = \"all\"\n",
            "a deny rule about everybody but staff" => {
                "id = \"b\"\neffect = \"deny\"\nscopes = \"all\"\nunless = { subject = { groups = [\"staff\"] } }\n"
            }
            "a deny rule about PUT" => "id = \"b\"\neffect = \"deny\"\nscopes = [\"s\"]\nmethods = [\"PUT\"]\n",
            other => panic!("{other}"),
        };
        let beside = if beside.is_empty() { String::new() } else { format!("[[rules]]\n{beside}") };
        let snapshot = snapshot(&format!(
            "[issuers.i]\nurl = \"https://i.example.com\"\naudiences = [\"a\"]\n[groups]\nstaff = \"staff\"\n[logins.l]\nmax-age = \"1h\"\n\
             [scopes.s]\nhosts = \"any\"\noperations = [\"PUT /a\"]\npreflight = {preflight}\n\
             [[rules]]\nid = \"a\"\neffect = \"allow\"\nscopes = [\"s\"]\nsubject = {{ groups = [\"staff\"] }}\n{beside}"
        ));
        let values: Vec<FactValue<'_>> = snapshot
            .policy()
            .facts
            .iter()
            .map(|(_, fact)| match fact.key().to_string().as_str() {
                "header:origin" => header(origin),
                "header:access-control-request-method" => header(wanted),
                other => panic!("{other}"),
            })
            .collect();
        assert_eq!(values.is_empty(), preflight == "false", "a policy asks for the headers only if it needs them");
        let (method, target) = asked.split_once(' ').unwrap();
        let mut buffer = TargetBuffer::new();
        let raw = RawTarget { method: method.as_bytes(), target: target.as_bytes(), host: Some(b"a.example.com") };
        let facts = RequestFacts { values: &values, ..RequestFacts::NONE };
        let request = Request { facts, ..request(raw, &mut buffer) };
        let decided = snapshot.decide(&request, &mut Scratch::for_snapshot(&snapshot));
        assert_eq!(decided, explain::evaluate(snapshot.policy(), &request).evaluation, "{row:?}");
        let word = if decided.decision.allows() { "allow" } else { "deny" };
        assert_eq!((word, decided.decision.reason.as_str()), (decision.as_str(), reason.as_str()), "{row:?}");
        assert!(decided.decision.reason != Reason::Preflight || decided.decision.scope.is_some(), "{row:?}");
    }
}

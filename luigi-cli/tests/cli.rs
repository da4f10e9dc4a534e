//! The real command, run as a user runs it: what it prints, where, and how it exits.
//!
//! Each case of [`CASES`] has a golden file in `golden/`; `UPDATE_GOLDEN=1 cargo test -p luigi-cli` rewrites them.

mod the_command;

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::process::Stdio;
use the_command::{folder, luigi, run, text};

/// One run of the command in `tests/data`.
struct Case {
    /// The golden file.
    name: &'static str,
    arguments: &'static [&'static str],
    input: &'static str,
}

const REFUND: &str = "POST https://shop.example.com/orders/7/refund";
const FINANCE: &str = r#"{"groups": ["finance"], "login": "fresh-mfa"}"#;
const MARCH: &str = "2026-03-02T10:00:00Z";

const CASES: &[Case] = &[
    Case { name: "diff", arguments: &["diff", "shop.toml", "shop-later.toml", "--at", MARCH], input: "" },
    Case {
        name: "diff-json",
        arguments: &["diff", "shop.toml", "shop-later.toml", "--at", MARCH, "--format", "json", "--exit-code"],
        input: "",
    },
    Case {
        name: "diff-explain",
        arguments: &["diff", "shop.toml", "shop-later.toml", "--at", MARCH, "--explain", "--limit", "100"],
        input: "",
    },
    Case { name: "diff-same", arguments: &["diff", "shop.toml", "shop.toml", "--at", MARCH, "--exit-code"], input: "" },
    Case {
        name: "diff-terms",
        arguments: &["diff", "shop.toml", "shop-terms.toml", "--at", MARCH, "--exit-code"],
        input: "",
    },
    Case {
        name: "diff-environments",
        arguments: &["diff", "places.toml", "places-before.toml", "--at", MARCH, "--environment", "staging"],
        input: "",
    },
    Case {
        name: "diff-environment-missing",
        arguments: &["diff", "places-before.toml", "places.toml", "--at", MARCH],
        input: "",
    },
    Case {
        name: "diff-environment-none",
        arguments: &["diff", "shop.toml", "shop-later.toml", "--environment", "staging"],
        input: "",
    },
    Case { name: "diff-broken", arguments: &["diff", "shop.toml", "broken.toml", "--exit-code"], input: "" },
    Case {
        name: "who-can",
        arguments: &["who-can", "shop.toml", "POST", "https://shop.example.com/orders/7/refund", "--at", MARCH],
        input: "",
    },
    Case {
        name: "who-can-json",
        arguments: &[
            "who-can",
            "shop.toml",
            "GET",
            "https://shop.example.com/orders/7",
            "--at",
            MARCH,
            "--from",
            "203.0.113.9",
            "--format",
            "json",
        ],
        input: "",
    },
    Case {
        name: "who-can-tenants",
        arguments: &["who-can", "tenants.toml", "GET", "https://app.example.com/t/acme/items", "--at", MARCH],
        input: "",
    },
    Case {
        name: "who-can-per-tenant",
        arguments: &["who-can", "tenants.toml", "POST", "https://app.example.com/t/acme/refunds", "--at", MARCH],
        input: "",
    },
    Case {
        name: "what-can-tenants",
        arguments: &["what-can", "tenants.toml", "--groups", "members:acme,support", "--at", MARCH],
        input: "",
    },
    Case {
        name: "who-can-nobody",
        arguments: &["who-can", "shop.toml", "GET", "https://elsewhere.example.com/", "--at", MARCH],
        input: "",
    },
    Case {
        name: "who-can-ambiguous",
        arguments: &["who-can", "shop.toml", "GET", "https://shop.example.com/a%00b", "--at", MARCH],
        input: "",
    },
    Case {
        name: "what-can",
        arguments: &["what-can", "shop.toml", "--groups", "staff,finance", "--at", MARCH],
        input: "",
    },
    Case {
        name: "what-can-json",
        arguments: &["what-can", "shop.toml", "--as", FINANCE, "--at", MARCH, "--format", "json"],
        input: "",
    },
    Case {
        name: "who-can-frontends",
        arguments: &["who-can", "frontends.toml", "GET", "https://www.example.com/healthz", "--at", MARCH],
        input: "",
    },
    Case {
        name: "who-can-at-a-frontend",
        arguments: &[
            "who-can",
            "frontends.toml",
            "GET",
            "https://console.example.com/orders/7",
            "--frontend",
            "www",
            "--at",
            MARCH,
        ],
        input: "",
    },
    Case {
        name: "what-can-frontends",
        arguments: &["what-can", "frontends.toml", "--groups", "staff", "--at", MARCH],
        input: "",
    },
    Case {
        name: "diff-frontends",
        arguments: &["diff", "frontends.toml", "frontends-later.toml", "--at", MARCH, "--explain"],
        input: "",
    },
    Case { name: "test-frontends", arguments: &["test", "-v", "frontends.toml"], input: "" },
    Case {
        name: "explain-frontend",
        arguments: &[
            "explain",
            "frontends.toml",
            "-r",
            "GET https://www.example.com/orders/7",
            "--frontend",
            "console",
            "--at",
            MARCH,
        ],
        input: "",
    },
    Case {
        name: "explain-frontend-unknown",
        arguments: &["explain", "frontends.toml", "-r", "GET https://console.example.com/orders/7", "--at", MARCH],
        input: "",
    },
    Case {
        name: "explain-frontend-wrong",
        arguments: &["explain", "frontends.toml", "-r", "GET https://www.example.com/", "--frontend", "a b"],
        input: "",
    },
    Case {
        name: "decide-frontend",
        arguments: &["decide", "frontends.toml"],
        input: concat!(
            r#"{"request": "GET https://www.example.com/", "frontend": "www"}"#,
            "\n",
            r#"{"request": "GET https://www.example.com/", "frontend": "console"}"#,
            "\n",
            r#"{"request": "GET https://www.example.com/"}"#,
            "\n",
            r#"{"request": "GET https://www.example.com/", "frontend": "a b"}"#,
            "\n",
        ),
    },
    Case { name: "check-daemon", arguments: &["check", "daemon.toml"], input: "" },
    Case { name: "check-daemon-json", arguments: &["check", "--format", "json", "daemon.toml"], input: "" },
    Case { name: "check-daemon-broken", arguments: &["check", "daemon-broken.toml"], input: "" },
    Case { name: "check-fine", arguments: &["check", "shop.toml"], input: "" },
    Case { name: "check-fine-json", arguments: &["check", "--format", "json", "shop.toml"], input: "" },
    Case { name: "check-several", arguments: &["check", "shop.toml", "broken.toml"], input: "" },
    Case { name: "check-broken-json", arguments: &["check", "--format=json", "broken.toml"], input: "" },
    Case {
        name: "check-unreadable",
        arguments: &["check", "no-such.toml", "encodings/latin.toml", "shop.toml"],
        input: "",
    },
    Case {
        name: "check-unreadable-json",
        arguments: &["check", "encodings/latin.toml", "no-such.toml", "--format", "json"],
        input: "",
    },
    Case { name: "check-wrong-encoding", arguments: &["check", "encodings/latin.toml"], input: "" },
    Case { name: "check-explain-wrong-encoding", arguments: &["check", "--explain", "wrong-encoding"], input: "" },
    Case { name: "test-wrong-encoding", arguments: &["test", "encodings/latin.toml"], input: "" },
    Case { name: "check-missing", arguments: &["check", "no-such.toml"], input: "" },
    Case { name: "check-openapi", arguments: &["check", "beside.toml", "--openapi", "beside.yaml"], input: "" },
    Case {
        name: "check-openapi-denied",
        arguments: &["check", "beside.toml", "--openapi=beside.yaml", "--deny-warnings", "--format", "json"],
        input: "",
    },
    Case { name: "check-openapi-none", arguments: &["check", "beside.toml", "--openapi", "shop.toml"], input: "" },
    Case { name: "test-fine", arguments: &["test", "shop.toml"], input: "" },
    Case { name: "test-fine-json", arguments: &["test", "--format", "json", "shop.toml"], input: "" },
    Case { name: "test-failing", arguments: &["test", "failing.toml"], input: "" },
    Case { name: "test-failing-json", arguments: &["test", "--format", "json", "failing.toml"], input: "" },
    Case { name: "test-failing-verbose", arguments: &["test", "-v", "failing.toml"], input: "" },
    Case { name: "test-failing-junit", arguments: &["test", "--format", "junit", "failing.toml"], input: "" },
    Case { name: "test-tables", arguments: &["test", "tables.toml", "--format=text"], input: "" },
    Case { name: "test-tables-junit", arguments: &["test", "tables.toml", "--format=junit"], input: "" },
    Case {
        name: "test-filter",
        arguments: &["test", "tables.toml", "--filter", "approved", "--filter", "[staff"],
        input: "",
    },
    Case { name: "test-filter-none", arguments: &["test", "tables.toml", "--filter", "no\nsuch"], input: "" },
    Case { name: "test-coverage", arguments: &["test", "tables.toml", "--coverage", "--filter", "refund"], input: "" },
    Case { name: "test-coverage-json", arguments: &["test", "shop.toml", "--coverage", "--format", "json"], input: "" },
    Case { name: "test-coverage-verbose", arguments: &["test", "shop.toml", "--coverage", "-v"], input: "" },
    Case { name: "test-fail-under", arguments: &["test", "shop.toml", "--fail-under", "99.9%"], input: "" },
    Case { name: "test-fail-under-wrong", arguments: &["test", "shop.toml", "--fail-under", "110"], input: "" },
    Case { name: "test-teams", arguments: &["test", "teams"], input: "" },
    Case {
        name: "explain-teams",
        arguments: &[
            "explain",
            "teams",
            "--environment=staging",
            "-r",
            "GET https://orders.staging.example.com/v1/orders/7",
            "--from",
            "192.0.2.7",
            "--at",
            MARCH,
        ],
        input: "",
    },
    Case { name: "check-environments", arguments: &["check", "places.toml"], input: "" },
    Case { name: "check-environments-json", arguments: &["check", "places.toml", "--format=json"], input: "" },
    Case {
        name: "check-environment",
        arguments: &["check", "places.toml", "shop.toml", "--environment", "stagging"],
        input: "",
    },
    Case { name: "test-environments", arguments: &["test", "places.toml"], input: "" },
    Case {
        name: "test-environment-json",
        arguments: &["test", "places.toml", "--environment", "staging", "--format", "json"],
        input: "",
    },
    Case { name: "test-environment-none", arguments: &["test", "places.toml", "--environment=moon"], input: "" },
    Case {
        name: "explain-environment",
        arguments: &[
            "explain",
            "places.toml",
            "--environment",
            "staging",
            "-r",
            "GET https://orders.staging.example.com/",
            "--as",
            r#"{"groups": ["engineering"]}"#,
            "--at",
            MARCH,
        ],
        input: "",
    },
    Case {
        name: "explain-environment-missing",
        arguments: &["explain", "places.toml", "-r", "GET https://orders.example.com/"],
        input: "",
    },
    Case {
        name: "decide-environment",
        arguments: &["decide", "places.toml", "--environment", "production"],
        input: r#"{"request": "GET https://orders.example.com/", "as": {"groups": ["engineering"]}}"#,
    },
    Case { name: "decide-environment-missing", arguments: &["decide", "places.toml"], input: "" },
    Case { name: "test-record", arguments: &["test", "shop.toml", "--record", "traffic.log"], input: "" },
    Case { name: "test-record-nothing", arguments: &["test", "shop.toml", "--record", "-"], input: "no log\n" },
    Case { name: "test-record-missing", arguments: &["test", "shop.toml", "--record", "no-such.log"], input: "" },
    Case { name: "test-broken", arguments: &["test", "broken.toml"], input: "" },
    Case {
        name: "explain-request-access",
        arguments: &["explain", "shop.toml", "-r", REFUND, "--as", FINANCE, "--from", "203.0.113.9", "--at", MARCH],
        input: "",
    },
    Case {
        name: "explain-granted-json",
        arguments: &[
            "explain",
            "shop.toml",
            "-r",
            REFUND,
            "--as",
            FINANCE,
            "--at",
            MARCH,
            "--grant",
            "refunds:finance-lead",
            "--format",
            "json",
        ],
        input: "",
    },
    Case {
        name: "explain-full",
        arguments: &["explain", "shop.toml", "-r", "GET https://shop.example.com/orders/7", "--full", "--at", MARCH],
        input: "",
    },
    Case {
        name: "explain-via",
        arguments: &[
            "explain",
            "shop.toml",
            "-r",
            "GET https://shop.example.com/orders/7",
            "--as",
            FINANCE,
            "--via",
            r#"{"sub": "agent:assistant", "claims": {"act": {"sub": "agent:planner"}}}"#,
            "--at",
            MARCH,
        ],
        input: "",
    },
    Case {
        name: "explain-via-nobody",
        arguments: &["explain", "shop.toml", "-r", REFUND, "--as", "expired", "--via", "agent:assistant"],
        input: "",
    },
    Case {
        name: "explain-bad-token",
        arguments: &[
            "explain",
            "shop.toml",
            "-r",
            "GET https://shop.example.com/orders/7",
            "--token",
            "-",
            "--at",
            MARCH,
        ],
        input: "no.token.atall\n",
    },
    Case {
        name: "explain-ambiguous-target",
        arguments: &["explain", "shop.toml", "-r", "GET https://shop.example.com/orders/..%2fadmin", "--at", MARCH],
        input: "",
    },
    Case {
        name: "explain-unknown-group",
        arguments: &["explain", "shop.toml", "-r", REFUND, "--as", r#"{"groups": ["fianance"]}"#],
        input: "",
    },
    Case {
        name: "explain-unknown-grant",
        arguments: &["explain", "shop.toml", "-r", REFUND, "--as", FINANCE, "--grant", "refund:finance-lead"],
        input: "",
    },
    Case { name: "explain-no-request", arguments: &["explain", "shop.toml", "-r", "POST"], input: "" },
    Case { name: "explain-broken", arguments: &["explain", "broken.toml", "-r", REFUND], input: "" },
    Case {
        name: "explain-no-issuer",
        arguments: &["explain", "shop.toml", "-r", REFUND, "--jwks", "crop=keys.json", "--token", "x"],
        input: "",
    },
    Case {
        name: "decide",
        arguments: &["decide", "shop.toml"],
        input: concat!(
            r#"{"id": 1, "request": "GET https://shop.example.com/orders/7", "as": {"groups": ["staff"]}, "from": "203.0.113.9"}"#,
            "\n\n",
            r#"{"id": {"any": "thing"}, "request": "POST https://shop.example.com/orders/7/refund", "as": {"groups": ["finance"]}}"#,
            "\n",
            r#"{"request": "POST https://shop.example.com/orders/7/refund", "as": {"groups": ["finance"], "login": "fresh-mfa"}}"#,
            "\n",
            r#"{"request": "POST https://shop.example.com/orders/7/refund", "as": {"groups": ["finance"], "login": "fresh-mfa"}, "grants": [{"scope": "refunds", "approval": "finance-lead"}]}"#,
            "\n",
            r#"{"request": "GET https://shop.example.com/orders/7", "as": "expired"}"#,
            "\n",
            r#"{"request": "GET https://shop.example.com/orders/7"}"#,
        ),
    },
    Case {
        name: "decide-bad-lines",
        arguments: &["decide", "shop.toml"],
        input: concat!(
            "what?\n",
            r#"[1, "GET https://shop.example.com/orders/7", {"groups": ["staff"]}, null, null, null, []]"#,
            "\n",
            "null\n",
            r#"{"request": "GET https://shop.example.com/orders/7", "as": {"groups": ["finance"]}, "grants": ["refunds:finance-lead"]}"#,
            "\n",
            r#"{"id": "kept", "request": "GET"}"#,
            "\n",
            r#"{"request": "GET https://shop.example.com/orders/7", "as": {"groups": ["nobody"]}}"#,
            "\n",
            r#"{"request": "GET https://shop.example.com/orders/7", "grants": [{"scope": "refunds", "approval": "finance-lead"}]}"#,
            "\n",
            r#"{"id": "fine", "request": "GET https://shop.example.com/"}"#,
            "\n",
        ),
    },
    Case {
        name: "explain-facts",
        arguments: &[
            "explain",
            "facts.toml",
            "-r",
            "GET https://api.example.com/v1/x?debug",
            "--as",
            "{\"sub\": \"ada\"}",
            "--header",
            "X-Team: blue",
            "--fact",
            "country=DE",
            "--certificate",
            "{\"san-uri\": [\"spiffe://example.com/web\"]}",
            "--at",
            "2026-03-02T10:00:00Z",
            "--full",
        ],
        input: "",
    },
    Case {
        name: "explain-facts-wrong",
        arguments: &["explain", "facts.toml", "-r", "GET https://api.example.com/v1/x", "--header", "x-team"],
        input: "",
    },
    Case {
        name: "explain-upgrade",
        arguments: &[
            "explain",
            "../../../examples/policies/protocols.toml",
            "-r",
            "GET https://live.example.com/socket",
            "--as",
            r#"{"groups": ["users"]}"#,
            "--header",
            "Upgrade: websocket",
            "--at",
            MARCH,
        ],
        input: "",
    },
    Case {
        name: "decide-upgrade",
        arguments: &["decide", "../../../examples/policies/protocols.toml"],
        input: concat!(
            r#"{"request": "GET https://live.example.com/socket", "as": {"groups": ["users"]}, "headers": {"Upgrade": "websocket"}}"#,
            "\n",
            r#"{"request": "POST https://graph.example.com/graphql", "as": {"groups": ["support"]}, "headers": {"Upgrade": "websocket"}}"#,
            "\n",
        ),
    },
    Case {
        name: "decide-facts",
        arguments: &["decide", "facts.toml"],
        input: concat!(
            r#"{"id": 1, "request": "GET https://api.example.com/v1/x", "as": {}, "headers": {"X-Team": ["blue", "blue"]}, "facts": {"country": "AT"}, "certificate": {"san-uri": ["spiffe://example.com/web"]}}"#,
            "\n",
            r#"{"id": 2, "request": "GET https://api.example.com/v1/x", "as": {}, "headers": {"x-team": "blue"}, "facts": {}, "certificate": "none"}"#,
            "\n",
            r#"{"id": 3, "request": "GET https://api.example.com/v1/x", "as": {}}"#,
            "\n",
            r#"{"id": 4, "request": "GET https://api.example.com/v1/x", "certificate": {"serial": 1}}"#,
            "\n",
        ),
    },
    Case { name: "decide-nothing", arguments: &["decide"], input: "" },
    Case { name: "status-no-feed", arguments: &["status", "no-feed", "--public-key", "no-key.pub"], input: "" },
    Case { name: "status-no-socket", arguments: &["status", "--socket", "no-socket"], input: "" },
    Case { name: "haproxy-config", arguments: &["haproxy-config"], input: "" },
    Case {
        name: "haproxy-config-spool",
        arguments: &["haproxy-config", "facts.toml", "--spool", "/run/luigi/spool"],
        input: "",
    },
    Case {
        name: "haproxy-config-defaults",
        arguments: &[
            "haproxy-config",
            "facts.toml",
            "--jwks",
            "corp=/etc/luigi/corp.json",
            "--headers",
            "subject,groups,groups-completeness",
            "--defaults",
        ],
        input: "",
    },
    Case { name: "haproxy-config-wrong", arguments: &["haproxy-config", "policy.toml", "--feed", "feed"], input: "" },
];

/// Where the tests lie is not what they are about.
fn without_place(text: &str) -> String {
    text.replace(folder("data").to_str().expect("a printable path"), "<data>")
}

/// Hashes change with every format; that they are there is enough.
fn without_hashes(text: &str) -> String {
    let mut out = String::new();
    let mut run = String::new();
    for c in text.chars().chain(['\n']) {
        if c.is_ascii_digit() || matches!(c, 'a'..='f') {
            run.push(c);
            continue;
        }
        out.push_str(if matches!(run.len(), 12 | 64) { "<hash>" } else { &run });
        run.clear();
        out.push(c);
    }
    out.pop();
    out
}

#[test]
fn commands_print_what_they_should() {
    let update = std::env::var_os("UPDATE_GOLDEN").is_some();
    let mut wrong = Vec::new();
    for case in CASES {
        let output = run(luigi().args(case.arguments), case.input);
        let found = format!(
            "$ luigi {}\nexit: {}\n--- stdout\n{}--- stderr\n{}",
            case.arguments.join(" "),
            output.status.code().expect("it exits by itself"),
            without_hashes(&without_place(text(&output.stdout))),
            without_hashes(&without_place(text(&output.stderr))),
        );
        let path = folder("golden").join(format!("{}.txt", case.name));
        if update {
            fs::write(&path, &found).expect("the golden file is written");
        }
        let expected = fs::read_to_string(&path).unwrap_or_default();
        if found != expected {
            wrong.push(format!("{}: expected\n{expected}\nfound\n{found}", case.name));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_golden_file_has_a_case() {
    for entry in fs::read_dir(folder("golden")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        assert!(CASES.iter().any(|case| case.name == name), "{name}");
    }
}

#[test]
fn colours_are_for_terminals_or_on_demand() {
    for command in [&["check", "broken.toml"][..], &["test", "failing.toml"], &["explain", "shop.toml", "-r", REFUND]] {
        for (color, coloured) in [("auto", false), ("always", true), ("never", false)] {
            let output = run(luigi().args(command).args(["--color", color]), "");
            assert_eq!(text(&output.stdout).contains('\u{1b}'), coloured, "{command:?} {color}");
        }
    }
}

#[test]
fn who_stops_reading_gets_no_panic() {
    let line = r#"{"request": "GET https://shop.example.com/orders/7"}"#;
    let mut child = luigi()
        .args(["decide", "shop.toml"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    let writer = std::thread::spawn(move || while writeln!(input, "{line}").is_ok() {});
    let mut output = BufReader::new(child.stdout.take().unwrap());
    let mut first = String::new();
    output.read_line(&mut first).unwrap();
    drop(output);
    let status = child.wait().unwrap();
    writer.join().unwrap();
    let mut complaint = String::new();
    child.stderr.take().unwrap().read_to_string(&mut complaint).unwrap();
    assert!(first.contains("authenticate"), "{first}");
    assert_eq!((status.code(), complaint.as_str()), (Some(0), ""));
}

/// `luigi check ... | grep -q` must not turn a broken policy into a fine one.
#[test]
fn who_stops_reading_does_not_change_what_was_found() {
    let check = |arguments: &[&str], expected: i32| {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let status = luigi().args(arguments).stdin(Stdio::null()).stdout(writer).stderr(Stdio::null()).status();
        assert_eq!(status.unwrap().code(), Some(expected), "{arguments:?}");
    };
    check(&["check", "shop.toml"], 0);
    check(&["check", "shop.toml", "broken.toml"], 1);
    check(&["check", "shop.toml", "broken.toml", "--format", "json"], 1);
    check(&["test", "shop.toml"], 0);
    check(&["test", "failing.toml"], 1);
    check(&["explain", "shop.toml", "-r", "GET /"], 0);
}

#[test]
fn answers_come_line_by_line() {
    let mut child = luigi().args(["decide", "shop.toml"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    let mut output = BufReader::new(child.stdout.take().unwrap());
    for n in 0..3 {
        writeln!(input, r#"{{"id": {n}, "request": "GET https://shop.example.com/"}}"#).unwrap();
        let mut answer = String::new();
        output.read_line(&mut answer).unwrap();
        assert!(answer.starts_with(&format!(r#"{{"id":{n},"decision":"deny""#)), "{answer}");
    }
    drop(input);
    assert!(child.wait().unwrap().success());
}

#[test]
fn a_long_line_is_refused_and_the_next_is_read() {
    let input =
        format!("{{\"request\": \"{}\"}}\n{{\"request\": \"GET https://shop.example.com/\"}}\n", "x".repeat(3 << 20));
    let output = run(luigi().args(["decide", "shop.toml"]), &input);
    let lines: Vec<_> = text(&output.stdout).lines().collect();
    assert_eq!(lines.len(), 2);
    assert_eq!(lines[0], r#"{"error":"the line is too long","id":null,"line":1}"#);
    assert!(lines[1].contains("no-rule-allows"), "{}", lines[1]);
    assert_eq!(output.status.code(), Some(1));
}

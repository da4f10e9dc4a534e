//! The real command, run as a user runs it: what it prints, where, and how it exits.
//!
//! Each case of [`CASES`] has a golden file in `golden/`; `UPDATE_GOLDEN=1 cargo test -p luigi-cli` rewrites them.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

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

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(name)
}

fn luigi() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_luigi"));
    command.current_dir(folder("data")).env_remove("CLICOLOR_FORCE").env_remove("NO_COLOR");
    command
}

fn run(command: &mut Command, input: &str) -> Output {
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the command runs");
    // A command that reads no input may be gone already.
    let _ = child.stdin.take().expect("it has an input").write_all(input.as_bytes());
    child.wait_with_output().expect("the command ends")
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).expect("output is UTF-8")
}

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

#[test]
fn a_policy_goes_into_a_feed_and_its_status_comes_out() {
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name).display().to_string();
    let (feed, key, public_key) = (at("feed"), at("feed.key"), at("feed.pub"));
    let apply = |policy: &str, more: &[&str]| {
        run(luigi().args(["apply", policy, "--to", &feed, "--key", &key, "--format", "json"]).args(more), "")
    };
    let json = |output: &Output| -> serde_json::Value {
        assert!(output.status.success(), "{}", text(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap()
    };

    let first = json(&apply("shop.toml", &[]));
    assert_eq!(first["mode"], "observe");
    assert_eq!((&first["previous-revision"], &first["tests-passed"]), (&serde_json::Value::Null, &3.into()));
    assert_eq!(first["public-key"], public_key.as_str());
    let second = json(&apply("shop.toml", &["--mode", "enforce"]));
    assert_eq!((&second["mode"], &second["previous-mode"]), (&"enforce".into(), &"observe".into()));
    assert_eq!(second["previous-revision"], first["revision"]);

    let status = || run(luigi().args(["status", &feed, "--public-key", &public_key, "--format", "json"]), "");
    let now = json(&status());
    assert_eq!((&now["mode"], &now["revision"], &now["rules"]), (&"enforce".into(), &second["revision"], &4.into()));
    assert_eq!(now["generation"], second["generation"]);

    for (policy, says) in [("broken.toml", "unknown-name"), ("failing.toml", "staff read orders from anywhere")] {
        let refused = apply(policy, &[]);
        assert_eq!(refused.status.code(), Some(1), "{policy}");
        assert!(text(&refused.stderr).contains(says), "{policy}: {}", text(&refused.stderr));
        assert!(text(&refused.stderr).contains("not applied: the feed is as it was"), "{policy}");
    }
    assert_eq!(json(&status()), {
        let mut same = now.clone();
        same["heartbeat-age-seconds"] = json(&status())["heartbeat-age-seconds"].clone();
        same
    });

    let question = r#"{"request": "GET https://shop.example.com/orders/7", "as": {"groups": ["staff"]}}"#;
    let decided = run(luigi().args(["decide", "--feed", &feed, "--public-key", &public_key]), question);
    assert!(text(&decided.stdout).starts_with(r#"{"decision":"allow""#), "{}", text(&decided.stdout));
    let revision = now["revision"].as_str().unwrap();
    assert!(text(&decided.stdout).contains(revision), "{}", text(&decided.stdout));

    for arguments in
        [&["status", &feed, "--public-key", &public_key][..], &["apply", "shop.toml", "--to", &feed, "--key", &key]]
    {
        let output = run(luigi().args(arguments), "");
        assert!(output.status.success(), "{}", text(&output.stderr));
        assert!(text(&output.stdout).contains("enforce"), "{}", text(&output.stdout));
    }
    let wrong_key = run(luigi().args(["status", &feed, "--public-key", &key]), "");
    assert_eq!(wrong_key.status.code(), Some(3), "{}", text(&wrong_key.stdout));
}

/// What a timer or a service starts must not wait for somebody to write to a pipe, nor read a device without end.
#[test]
fn what_must_be_a_file_and_is_a_pipe_or_a_device_is_refused_at_once() {
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name).display().to_string();
    let pipe = at("pipe.toml");
    rustix::fs::mknodat(rustix::fs::CWD, &pipe, rustix::fs::FileType::Fifo, rustix::fs::Mode::RWXU, 0).unwrap();
    let (feed, key) = (at("feed"), at("feed.key"));
    let applied = run(luigi().args(["apply", "shop.toml", "--to", &feed, "--key", &key]), "");
    assert!(applied.status.success(), "{}", text(&applied.stderr));
    let folder = at("");
    let keys = format!("corp={pipe}");
    for (arguments, names) in [
        (&["check", &pipe][..], "a pipe"),
        (&["check", &folder], "a pipe"),
        (&["check", "/dev/zero"], "a device"),
        (&["check", "shop.toml", "--haproxy", &pipe], "a pipe"),
        (&["explain", "shop.toml", "-r", "GET https://shop.example.com/", "--jwks", &keys], "a pipe"),
        (&["apply", "shop.toml", "--to", &feed, "--key", &pipe], "a pipe"),
        (&["apply", "shop.toml", "--to", &feed, "--key", &key, "--jwks", &keys], "a pipe"),
        (&["status", &feed, "--public-key", &pipe], "a pipe"),
        (&["audit", "verify", "--public-key", &pipe], "a pipe"),
    ] {
        // Whatever waits is ended, with a status of its own.
        let mut command = Command::new("timeout");
        command.arg("60").arg(env!("CARGO_BIN_EXE_luigi")).current_dir(self::folder("data"));
        let output = run(command.args(arguments), "");
        // What is wrong with a policy is what `check` was asked for.
        let told = format!("{}{}", text(&output.stdout), text(&output.stderr));
        assert!(matches!(output.status.code(), Some(1..=9)), "{arguments:?}: {}: {told}", output.status);
        assert!(told.contains(&format!("it is {names}, and must be a regular file")), "{arguments:?}: {told}");
    }
}

#[test]
fn stops_are_terms_of_a_feed() {
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name).display().to_string();
    let (key, public_key) = (at("feed.key"), at("feed.pub"));
    for feed in ["old", "new"] {
        let output = run(luigi().args(["apply", "shop.toml", "--to", &at(feed), "--key", &key]), "");
        assert!(output.status.success(), "{}", text(&output.stderr));
    }
    let diff = |old: &str, new: &str| {
        let output = run(luigi().args(["diff", old, new, "--public-key", &public_key, "--exit-code"]), "");
        (output.status.code(), text(&output.stdout).to_owned())
    };
    assert_eq!(diff(&at("old"), &at("new")).0, Some(0));
    let stop = [
        "stop",
        "--scope",
        "orders",
        "--until",
        "4h",
        "--reason",
        "a leak",
        "--by",
        "ada",
        "--to",
        &at("new"),
        "--key",
        &key,
    ];
    let output = run(luigi().args(stop), "");
    assert!(output.status.success(), "{}", text(&output.stderr));
    for (old, new, says) in [("old", "new", "nothing -> scope `orders` until"), ("new", "old", "until")] {
        let (code, said) = diff(&at(old), &at(new));
        assert_eq!(code, Some(4), "{said}");
        assert!(said.contains("what is denied whatever rules say: ") && said.contains(says), "{said}");
    }
    // Whoever applies a policy leaves the stops as they are.
    assert_eq!(diff(&at("new"), "shop.toml").0, Some(0));
}

#[test]
fn a_haproxy_without_luigi_is_told_from_one_with() {
    let directory = tempfile::tempdir().unwrap();
    let (config, socket) = (directory.path().join("haproxy.cfg"), directory.path().join("stats"));
    let lines = format!(
        "global\n    stats socket {}\ndefaults\n    mode http\n    timeout client 1s\n    timeout server 1s\n    timeout connect 1s\n\
         frontend f\n    bind unix@{}/f\n",
        socket.display(),
        directory.path().display(),
    );
    fs::write(&config, lines).unwrap();
    let mut haproxy =
        Command::new("haproxy").arg("-f").arg(&config).stderr(Stdio::null()).spawn().expect("haproxy is installed");
    let until = std::time::Instant::now() + std::time::Duration::from_secs(20);
    while std::os::unix::net::UnixStream::connect(&socket).is_err() {
        assert!(std::time::Instant::now() < until, "HAProxy does not listen");
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    let output = run(luigi().args(["status", "--socket"]).arg(&socket), "");
    haproxy.kill().unwrap();
    haproxy.wait().unwrap();
    assert_eq!(output.status.code(), Some(3));
    assert!(text(&output.stderr).contains("has no Luigi loaded"), "{}", text(&output.stderr));
}

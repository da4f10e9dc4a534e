//! `luigi test --record`: what it writes, what it keeps to itself, and that what it writes passes.

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

fn data(name: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name)).unwrap()
}

fn luigi(arguments: &[&str], input: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_luigi"));
    let command = command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    // A command that reads no input may be gone already.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    child.wait_with_output().unwrap()
}

fn said(output: &Output) -> (i32, String) {
    (output.status.code().unwrap(), String::from_utf8(output.stderr.clone()).unwrap())
}

/// What is there stays, byte for byte; what is new passes; and the second time nothing is new.
#[test]
fn tests_are_appended_and_nothing_is_lost() {
    let folder = tempfile::tempdir().unwrap();
    let policy = folder.path().join("shop.toml");
    let own = "# Ours.\nschema = 1\n\n[[tests]] # the first\nname = 'mine'\nrequest = 'GET /'\nexpect = 'deny'";
    // Files that the policy names stay its own.
    let shop = data("shop.toml").replace("office = [\"203.0.113.0/24\"]", "office = { file = \"office.txt\" }");
    fs::write(folder.path().join("office.txt"), "203.0.113.0/24\n").unwrap();
    fs::write(&policy, shop).unwrap();
    let recorded = folder.path().join("recorded.toml");
    fs::write(&recorded, own).unwrap();
    let (policy, to) = (folder.path().to_str().unwrap(), recorded.to_str().unwrap());

    let (code, report) = said(&luigi(&["test", policy, "--record", "-", "--to", to], &data("traffic.log")));
    assert_eq!((code, report.lines().next()), (0, Some(&*format!("6 tests from 11 requests, in `{to}`"))), "{report}");
    let once = fs::read_to_string(&recorded).unwrap();
    assert!(once.starts_with(&format!("{own}\n\n[[tests]]\n")), "{once}");
    let output = luigi(&["test", policy], "");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));

    let (code, report) = said(&luigi(&["test", policy, "--record", "-", "--to", to], &data("traffic.log")));
    assert_eq!((code, report.lines().next()), (0, Some("0 tests from 11 requests")), "{report}");
    assert_eq!(fs::read_to_string(&recorded).unwrap(), once);

    // A file that is no policy is left alone.
    let broken = "schema = 1\ntests = [ { name = 'x' ]";
    fs::write(&recorded, broken).unwrap();
    let (code, report) = said(&luigi(&["test", policy, "--record", "-", "--to", to], &data("traffic.log")));
    assert_eq!(code, 1, "{report}");
    assert_eq!(fs::read_to_string(&recorded).unwrap(), broken);
    let inline = "schema = 1\ntests = [{ name = 'x', request = 'GET /', expect = 'deny' }]\n";
    fs::write(&recorded, inline).unwrap();
    let (code, report) = said(&luigi(&["test", policy, "--record", "-", "--to", to], &data("traffic.log")));
    assert!(code == 1 && report.contains("recorded.toml"), "{report}");
    assert_eq!(fs::read_to_string(&recorded).unwrap(), inline);
}

/// What an answer depends on is kept, and nothing else: people, addresses, queries and claims go.
#[test]
fn only_what_the_policy_looks_at_is_written() {
    let policy = r#"
schema = 1
[issuers.login]
url = "https://login.example.com"
audiences = ["a"]
[groups]
staff = "role-7"
[networks]
office = ["192.0.2.0/24"]
[scopes.any]
hosts = ["a.example.com"]
paths = ["/any"]
methods = "read"
[scopes.own]
hosts = ["a.example.com"]
paths = ["/own"]
methods = "read"
[scopes.mail]
hosts = ["a.example.com"]
paths = ["/mail"]
methods = "read"
[scopes.robots]
hosts = ["a.example.com"]
paths = ["/robots"]
methods = "read"
[scopes.level]
hosts = ["a.example.com"]
paths = ["/level"]
methods = "read"
[[rules]]
id = "any"
effect = "allow"
scopes = ["any"]
subject = { groups = ["staff"] }
from = ["office"]
[[rules]]
id = "own"
effect = "allow"
scopes = ["own"]
subject = { subjects = ["anna"] }
[[rules]]
id = "mail"
effect = "allow"
scopes = ["mail"]
subject = { email-domains = ["example.com"] }
[[rules]]
id = "robots"
effect = "allow"
scopes = ["robots"]
subject = { subject-patterns = ["robot:*"] }
[[rules]]
id = "level"
effect = "allow"
scopes = ["level"]
subject = { claims = [{ path = ["level"], in = [2] }] }
ends = 2030-01-01T00:00:00Z
"#;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("policy.toml");
    fs::write(&path, policy).unwrap();
    let record = |identity: &str, path_of: &str| {
        let line = format!(
            r#"{{"method": "GET", "url": "https://a.example.com{path_of}", "source": "192.0.2.77", "time": "2026-03-02T10:00:00Z", "identity": {identity}}}"#
        );
        let output = luigi(&["test", path.to_str().unwrap(), "--record", "-"], &line);
        let (_, report) = said(&output);
        let text = String::from_utf8(output.stdout).unwrap();
        let kept =
            text.lines().filter(|line| ["as =", "from =", "at =", "request ="].iter().any(|key| line.starts_with(key)));
        (kept.collect::<Vec<_>>().join("\n"), report)
    };
    let anna = r#"{"sub": "anna", "email": "anna@example.com", "email_verified": true, "groups": ["role-7", "x"], "level": 2, "shoe": 38}"#;
    for (identity, path, expected) in [
        (
            anna,
            "/any?q=anna",
            "request = \"GET https://a.example.com/any\"\nas = { groups = [\"staff\"] }\nfrom = \"192.0.2.1\"",
        ),
        (anna, "/own", "request = \"GET https://a.example.com/own\"\nas = { sub = \"anna\", groups = [\"staff\"] }"),
        (
            anna,
            "/mail",
            "request = \"GET https://a.example.com/mail\"\nas = { email = \"test@example.com\", groups = [\"staff\"] }",
        ),
        (
            r#"{"sub": "robot:7f3a"}"#,
            "/robots",
            "request = \"GET https://a.example.com/robots\"\nas = { sub = \"robot:test\" }",
        ),
        (
            anna,
            "/level",
            "request = \"GET https://a.example.com/level\"\nas = { groups = [\"staff\"], claims = { level = 2 } }\nat = 2026-03-02T10:00:00Z",
        ),
    ] {
        let (kept, report) = record(identity, path);
        assert_eq!(kept, expected, "{report}");
    }
    let (kept, report) = record(r#"{"iss": "https://other.example.com", "sub": "x"}"#, "/any");
    assert!(kept.is_empty() && report.contains("the issuer is none of the policy's"), "{report}");
}

/// With environments, requests are those of one of them.
#[test]
fn an_environment_must_be_chosen() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("policy.toml");
    let policy = "schema = 1\n[environments]\nlive = { domain = \"example.com\" }\ntest = { domain = \"test.example.com\" }\n\
        [scopes.s]\nhosts = [\"a.{domain}\"]\npaths = [\"/\"]\nmethods = \"read\"\n[[rules]]\nid = \"r\"\neffect = \"allow\"\nscopes = [\"s\"]\nsubject = \"anyone\"\n";
    fs::write(&path, policy).unwrap();
    let path = path.to_str().unwrap();
    let line = r#"{"method": "GET", "url": "https://a.test.example.com/"}"#;
    let (code, report) = said(&luigi(&["test", path, "--record", "-"], line));
    assert!(code == 2 && report.contains("--environment says which of live, test"), "{report}");
    let output = luigi(&["test", path, "--record", "-", "--environment", "test"], line);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("environment = \"test\"\n") && text.contains("expect = \"allow\"\n"), "{text}");
    let (code, report) = said(&luigi(&["test", path, "--record", "-", "--to", path, "--environment", "test"], line));
    assert_eq!(code, 0, "{report}");
    assert!(luigi(&["test", path], "").status.success());
}

/// The frontend stands in the log, and in a test only where a scope looks at it.
#[test]
fn the_frontend_is_recorded_where_a_scope_looks_at_it() {
    let policy = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/frontends.toml");
    let logged = |frontend: &str, host: &str, path: &str| {
        format!(
            "203.0.113.9:50512 [24/Nov/2026:10:00:00.675] {frontend} be/s1 0/0/0/1/1 200 64 - - ---- 1/1/0/0/0 0/0 luigi=pass mode=observe \
             decision=deny advice= reason=no-rule-allows detail= rule=- credential=absent candidate=deny candidate-rule=- evaluation=0 \
             revision=- issuer=- subject=- time=[24/Nov/2026:10:00:00 +0000] host={host} \"GET {path} HTTP/1.1\" groups=- groups-are=-\n"
        )
    };
    let described = r#"{"method": "GET", "url": "https://console.example.com/orders/7", "frontend": "console"}"#;
    let input = [
        logged("www~", "www.example.com", "/healthz"),
        logged("console", "www.example.com", "/offers"),
        logged("console", "other.example.com", "/healthz"),
        format!("{described}\n{}", described.replace("\"console\"", "\"two words\"")),
    ];
    let output = luigi(&["test", policy.to_str().unwrap(), "--record", "-"], &input.concat());
    let (_, report) = said(&output);
    assert!(report.contains("`two words` is no name of a frontend"), "{report}");
    let text = String::from_utf8(output.stdout).unwrap();
    let lines = text.lines().filter(|line| ["request =", "frontend ="].iter().any(|key| line.starts_with(key)));
    let expected = [
        "request = \"GET https://www.example.com/healthz\"",
        "frontend = \"www\"",
        "request = \"GET https://console.example.com/orders/7\"",
        "frontend = \"console\"",
    ];
    // What came of the others stands in the policy's own tests already.
    assert_eq!(lines.collect::<Vec<_>>(), expected, "{text}\n{report}");
}

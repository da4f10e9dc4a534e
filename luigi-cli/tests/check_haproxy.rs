//! `luigi check --haproxy`, as a user runs it: with the lines that `luigi haproxy-config` prints for the same policy.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

const SHOP: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/demo/shop.toml");

fn luigi(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_luigi")).args(arguments).current_dir(folder).output().expect("the command runs")
}

fn check(folder: &Path, arguments: &[&str]) -> (Option<i32>, String) {
    let output = luigi(folder, &[&["check", SHOP], arguments].concat());
    let text = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8(text).unwrap().replace(SHOP, "shop.toml"))
}

/// What is printed, taken apart: the lines for `global` and those for a frontend.
fn printed(folder: &Path) -> (String, String) {
    let output = luigi(folder, &["haproxy-config", SHOP]);
    let text = String::from_utf8(output.stdout).unwrap();
    let parts: Vec<&str> = text.split("\n\n").collect();
    (parts[0].to_owned(), parts[1].to_owned())
}

const BACKEND: &str = "backend shop\n    server s1 192.0.2.1:8080\n";

#[test]
fn a_pasted_configuration_is_fine_in_one_file_or_in_several() {
    let folder = tempfile::tempdir().unwrap();
    let (global, frontend) = printed(folder.path());
    let front = format!("defaults\n    mode http\nfrontend www\n    bind :80\n{frontend}\n    default_backend shop\n");
    fs::write(folder.path().join("haproxy.cfg"), format!("global\n{global}\n{front}{BACKEND}")).unwrap();
    let (code, text) = check(folder.path(), &["--haproxy", "haproxy.cfg", "--deny-warnings"]);
    assert_eq!(code, Some(0), "{text}");
    assert!(text.ends_with("\nfine  haproxy.cfg: 1 frontend, 1 backend\n"), "{text}");

    fs::create_dir(folder.path().join("conf.d")).unwrap();
    fs::write(folder.path().join("global.cfg"), format!("global\n{global}\n")).unwrap();
    fs::write(folder.path().join("conf.d/10-front.cfg"), front).unwrap();
    fs::write(folder.path().join("conf.d/20-back.cfg"), BACKEND).unwrap();
    let (code, text) = check(folder.path(), &["--haproxy", "global.cfg", "--haproxy", "conf.d"]);
    assert_eq!(code, Some(0), "{text}");
    let fine = "\nfine  global.cfg, conf.d/10-front.cfg, conf.d/20-back.cfg: 1 frontend, 1 backend\n";
    assert!(text.ends_with(fine), "{text}");
}

/// A way around, a rewritten path that is accepted, and the lines.
fn doubtful(folder: &Path) {
    let (global, frontend) = printed(folder);
    let text = format!(
        "global\n{global}\ndefaults\n    mode http\nfrontend www\n    bind :80\n{frontend}\n    default_backend shop\n\
         backend shop\n    # luigi: accept changed-after-decision: the server has one path only\n    \
             http-request set-path /app\n    server s1 192.0.2.1:8080\n\
         listen inside\n    bind 10.0.0.1:8080\n    server s1 192.0.2.1:8080\n"
    );
    fs::write(folder.join("haproxy.cfg"), text).unwrap();
}

#[test]
fn warnings_are_problems_only_if_they_are_denied() {
    let folder = tempfile::tempdir().unwrap();
    doubtful(folder.path());
    let (code, text) = check(folder.path(), &["--haproxy", "haproxy.cfg"]);
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains("warning[unguarded-frontend]: what comes in at `inside` reaches `inside`"), "{text}");
    assert!(text.contains("| listen inside\n") && text.contains("^ none of Luigi's lines\n"), "{text}");
    assert!(text.ends_with("\nfine  haproxy.cfg: 2 frontends, 1 backend\n"), "{text}");
    assert!(!text.contains("accepted["), "{text}");
    let (code, text) = check(folder.path(), &["--haproxy", "haproxy.cfg", "--deny-warnings", "--accepted"]);
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains("accepted[changed-after-decision]: this changes the path after it was decided\n"), "{text}");
    assert!(text.contains(" because: the server has one path only\n"), "{text}");
    assert!(text.ends_with("\nnot fine  haproxy.cfg: 1 warning, which are denied\n"), "{text}");
}

#[test]
fn the_same_as_json() {
    let folder = tempfile::tempdir().unwrap();
    doubtful(folder.path());
    let (code, text) = check(folder.path(), &["--haproxy", "haproxy.cfg", "--format", "json"]);
    assert_eq!(code, Some(0), "{text}");
    let json: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(json["policies"].as_array().map(Vec::len), Some(1));
    let found = &json["haproxy"];
    assert_eq!((&found["fine"], &found["frontends"], &found["backends"]), (&true.into(), &2.into(), &1.into()));
    assert_eq!(found["files"], serde_json::json!(["haproxy.cfg"]));
    let diagnostics = found["diagnostics"].as_array().unwrap();
    assert_eq!(diagnostics.len(), 1, "{text}");
    assert_eq!(diagnostics[0]["code"], "unguarded-frontend");
    assert!(diagnostics[0]["line"].is_u64() && diagnostics[0]["help"].is_string(), "{text}");
    assert_eq!(found["accepted"][0]["reason"], "the server has one path only");
    // Without the option nothing is said of it.
    let (_, text) = check(folder.path(), &["--format", "json"]);
    let json: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert!(json.get("haproxy").is_none(), "{text}");
}

#[test]
fn what_cannot_be_looked_at_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    fs::write(at("haproxy.cfg"), "listen web\n mode http\n bind :80\n server a 192.0.2.1:80\n").unwrap();
    fs::write(at("broken.toml"), "schema = 2\n").unwrap();
    let environments = "schema = 1\n[environments]\nlive = { domain = \"example.com\" }\n";
    fs::write(at("environments.toml"), environments).unwrap();
    fs::create_dir(at("empty")).unwrap();
    for (arguments, code, says) in [
        (&["check", SHOP, "--haproxy", "none.cfg"][..], 3, "cannot read `none.cfg`"),
        (&["check", SHOP, "--haproxy", "empty"], 3, "there is no `*.cfg` file in `empty`"),
        (
            &["check", SHOP, SHOP, "--haproxy", "haproxy.cfg"],
            2,
            "`--haproxy` is about one policy, and there are several",
        ),
        (&["check", "environments.toml", "--haproxy", "haproxy.cfg"], 2, "choose it with `--environment NAME`"),
        (&["check", "--explain", "--haproxy", "haproxy.cfg"], 2, "cannot be used with"),
        (&["check", "broken.toml", "--haproxy", "haproxy.cfg"], 1, "error[unsupported-schema]"),
        (&["check", "environments.toml", "--haproxy", "haproxy.cfg", "--environment", "live"], 0, "unguarded-frontend"),
    ] {
        let output = luigi(folder.path(), arguments);
        let text = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {text}");
        assert!(text.contains(says), "{arguments:?}: {text}");
    }
}

#[test]
fn codes_of_the_configuration_are_explained_like_others() {
    let folder = tempfile::tempdir().unwrap();
    let output = luigi(folder.path(), &["check", "--explain", "unguarded-frontend"]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.starts_with("warning[unguarded-frontend]\n\nRequests that come in here reach servers"), "{text}");
    assert!(
        text.contains("\nFound in, for example:\n\n    frontend www\n") && text.contains("\nNot found in:\n"),
        "{text}"
    );
    let output = luigi(folder.path(), &["check", "--explain"]);
    assert!(String::from_utf8(output.stdout).unwrap().contains("warning[undecided-routing]: "));
}

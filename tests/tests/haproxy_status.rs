//! What a running HAProxy says of Luigi, to people and to programs.

use luigi_runtime::Mode;
use luigi_tests::client::{Client, request};
use luigi_tests::feed::numbered_policy;
use luigi_tests::installation::{Release, luigi};
use luigi_tests::on_each_haproxy;
use luigi_tests::people::HOST;
use luigi_tests::site::Site;
use serde_json::Value;
use std::process::Command;

on_each_haproxy!(
    the_status_is_text_or_json_on_the_socket_and_through_the_command,
    ambiguous_targets_are_counted_by_class_in_either_mode
);

fn the_status_is_text_or_json_on_the_socket_and_through_the_command(release: Release) {
    let site = Site::new();
    let applied = site.apply(&numbered_policy(1), Some(Mode::Enforce));
    let Some(haproxy) = site.start(site.setup(release)) else { return };
    let response = Client::connect(haproxy.address()).exchange(&request("GET", "/open", HOST, &[]));
    assert_eq!(response.status, 200);

    let text = haproxy.ask("luigi status");
    assert!(text.contains(&format!("revision               {}", applied.revision)), "{text}");
    let problem = haproxy.ask("luigi status yaml");
    assert!(problem.contains("`yaml` is no format"), "{problem}");

    let socket = haproxy.folder().join("stats.sock");
    let command = Command::new(luigi()).args(["status", "--format", "json", "--socket"]).arg(socket).output();
    let command = command.expect("the command runs");
    assert!(command.status.success(), "{}", String::from_utf8_lossy(&command.stderr));
    for (from, json) in [("the socket", haproxy.ask("luigi status json").into_bytes()), ("the command", command.stdout)]
    {
        let status: Value = serde_json::from_slice(&json).unwrap_or_else(|e| panic!("{from}: {e}: {json:?}"));
        assert_eq!(status["revision"], applied.revision.as_str(), "{from}");
        assert_eq!(status["mode"], "enforce", "{from}");
        assert_eq!(status["generation"], 1, "{from}");
        assert_eq!(status["counters"]["decisions"]["allowed-by-rule"], 1, "{from}: {status}");
    }
}

/// While observing, this is how an operator sees which requests would be hit.
fn ambiguous_targets_are_counted_by_class_in_either_mode(release: Release) {
    let site = Site::new();
    site.apply(&numbered_policy(1), Some(Mode::Observe));
    let Some(haproxy) = site.start(site.setup(release)) else { return };
    let ask = |path: &str| Client::connect(haproxy.address()).exchange(&request("GET", path, HOST, &[])).status;
    for path in ["/open/a%2fb", "/open/a%2Fb/c", "/open;v=1", "/open/../open"] {
        assert_eq!(ask(path), 200, "{path}");
    }
    let text = haproxy.ask("luigi status");
    let counted: Vec<&str> = text.lines().filter(|line| line.starts_with("ambiguous target")).collect();
    let expected = [
        "ambiguous target       encoded-slash, 2 would be refused",
        "ambiguous target       matrix-parameter, 1 would be refused",
    ];
    assert_eq!(counted, expected, "{text}");

    site.apply(&numbered_policy(2), Some(Mode::Enforce));
    haproxy.status_with("mode                   enforce");
    assert_eq!((ask("/open/a%2fb"), ask("/open\\x")), (400, 400));
    let text = haproxy.ask("luigi status");
    assert!(text.contains("ambiguous target       encoded-slash, 1 refused, 2 would be refused\n"), "{text}");
    let status: Value = serde_json::from_str(&haproxy.ask("luigi status json")).expect("JSON");
    let classes = &status["counters"]["ambiguous-targets"];
    assert_eq!(classes["backslash"], serde_json::json!({ "refused": 1, "would-be-refused": 0 }), "{status}");
    assert_eq!(classes["control-byte"], serde_json::json!({ "refused": 0, "would-be-refused": 0 }), "{status}");
}

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

on_each_haproxy!(the_status_is_text_or_json_on_the_socket_and_through_the_command);

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

//! Observing and enforcing: who is let through in each mode, how the mode is switched, and what a failure of Luigi's own does.

use luigi_runtime::Mode;
use luigi_runtime::haproxy_config;
use luigi_tests::client::{Client, request};
use luigi_tests::haproxy::{Haproxy, Setup};
use luigi_tests::installation::{Build, Release, home};
use luigi_tests::on_each_haproxy;
use luigi_tests::people::{HOST, POLICY, site};

/// What a proxy in front says about a caller with the longest kind of address.
const PROXIED: &str =
    "PROXY TCP6 2001:1db8:1111:2222:3333:4444:5555:6666 2001:1db8:1111:2222:3333:4444:5555:7777 40000 80\r\n";

on_each_haproxy!(
    the_mode_is_switched_while_haproxy_runs,
    a_rule_alone_can_be_observed,
    failures_pass_while_observing_and_are_denied_while_enforcing,
    facts_that_do_not_fit_are_a_decision,
);

fn the_mode_is_switched_while_haproxy_runs(release: Release) {
    let site = site();
    site.apply(POLICY, Some(Mode::Observe));
    let Some(haproxy) = site.start(site.setup(release)) else { return };
    let worker = haproxy.worker();
    let mut client = Client::connect(haproxy.address());
    let steps = [(Mode::Observe, 200, "pass"), (Mode::Enforce, 403, "refuse"), (Mode::Observe, 200, "pass")];
    for (step, (mode, status, outcome)) in steps.into_iter().enumerate() {
        site.apply(POLICY, Some(mode));
        switched(&haproxy, mode);
        let path = format!("/closed/{step}");
        let response = client.exchange(&request("GET", &path, HOST, &[]));
        assert_eq!(response.status, status, "{path}: {}", response.text());
        let reached = site.upstream().count_with(path.as_bytes());
        assert_eq!(reached, usize::from(status == 200), "{path} at the upstream");
        let line = haproxy.log_line(&[&path]);
        let words = [format!("luigi={outcome}"), format!("mode={}", mode.as_str()), "decision=deny".into()];
        for word in words {
            assert!(line.contains(&word), "{word}: {line}");
        }
    }
    assert_eq!(haproxy.worker(), worker, "nothing was reloaded");
    let status = haproxy.ask("luigi status");
    for line in
        ["passed                 2", "refused                1", "would be refused       2", "failures               0"]
    {
        assert!(status.contains(line), "{line}: {status}");
    }
}

/// Waits until the mode is in force: in the version that decides, and in the map that the closing rule reads.
fn switched(haproxy: &Haproxy, mode: Mode) {
    haproxy.status_with(&format!("mode                   {}", mode.as_str()));
    let show = format!("show map {}", home(Build::Plain).join("modes.map").display());
    let expected = format!("mode {}", mode.as_str());
    luigi_tests::wait::until("the map has the mode", || haproxy.ask(&show).contains(&expected));
}

fn a_rule_alone_can_be_observed(release: Release) {
    let site = site();
    site.apply(POLICY, Some(Mode::Enforce));
    let Some(haproxy) = site.start(site.setup(release)) else { return };
    let mut client = Client::connect(haproxy.address());
    assert_eq!(client.exchange(&request("GET", "/open/watched", HOST, &[])).status, 200);
    let line = haproxy.log_line(&["GET /open/watched "]);
    let expected = "luigi=pass mode=enforce decision=allow advice=- reason=allowed-by-rule detail=- rule=open credential=absent candidate=deny candidate-rule=watched";
    assert!(line.contains(expected), "{line}");
    let status = haproxy.ask("luigi status");
    assert!(status.contains("candidate              denied-by-rule 1"), "{status}");
}

fn failures_pass_while_observing_and_are_denied_while_enforcing(release: Release) {
    // What the module does when it is asked for `/luigi-fault/...`, where a rule would allow the request.
    const FAULTS: [&str; 5] = ["panic", "error", "nothing", "garbage", "empty"];
    for (mode, status) in [(Mode::Observe, 200), (Mode::Enforce, 403)] {
        let site = site();
        site.apply(POLICY, Some(mode));
        // A frontend that forgot to collect the facts: its converter is never called.
        let setup = Setup { build: Build::Faults, ..site.setup(release) };
        let lines = haproxy_config::frontend_lines(&setup.options);
        let (collecting, rest): (Vec<_>, Vec<_>) = lines.lines().partition(|line| line.contains("luigi-facts/"));
        assert_eq!(collecting.len(), 1);
        let socket = site.path("forgetful.sock");
        let sections = format!(
            "frontend forgetful\n    bind unix@{}\n{}\n    default_backend echo\n",
            socket.display(),
            rest.join("\n")
        );
        let Some(haproxy) = site.start(Setup { sections, ..setup }) else { return };

        for fault in FAULTS {
            let path = format!("/open/luigi-fault/{fault}");
            let spoofed = [("x-luigi-subject", "root")];
            let response = Client::connect(haproxy.address()).exchange(&request("GET", &path, HOST, &spoofed));
            assert_eq!(response.status, status, "{mode:?} {fault}: {}", response.text());
            let reached = site.upstream().count_with(path.as_bytes());
            assert_eq!(reached, usize::from(mode == Mode::Observe), "{mode:?} {fault} at the upstream");
        }
        let response = Client::connect_unix(&socket).exchange(&request("GET", "/open/forgetful", HOST, &[]));
        assert_eq!(response.status, status, "{mode:?} without facts: {}", response.text());
        assert_eq!(site.upstream().count_with(b"/open/forgetful"), usize::from(mode == Mode::Observe));
        assert_eq!(site.upstream().count_with(b"x-luigi"), 0, "a failure makes no identity and lets none through");

        haproxy.status_with(&format!("failures               {}", FAULTS.len() + 1));
        let _ = haproxy.log_line(&["luigi: a request got no answer"]);
        let response = Client::connect(haproxy.address()).exchange(&request("GET", "/open/after", HOST, &[]));
        assert_eq!(response.status, 200, "the next request is decided");
        assert_eq!(site.upstream().count_with(b"x-luigi-evaluation"), 1);
    }
}

fn facts_that_do_not_fit_are_a_decision(release: Release) {
    for (mode, status) in [(Mode::Observe, 200), (Mode::Enforce, 400)] {
        let site = site();
        site.apply(POLICY, Some(mode));
        // The line of facts is hardly longer than the request it is made of: it takes a small buffer without room for
        // rewriting, and a caller with a long address, to cut it.
        let global = "    tune.bufsize 4096\n    tune.maxrewrite 0\n".to_owned();
        let socket = site.path("proxied.sock");
        let frontend = format!("    bind unix@{} accept-proxy\n", socket.display());
        let Some(haproxy) = site.start(Setup { global, frontend, ..site.setup(release) }) else { return };
        for (letter, length, expected, reason) in [
            ('f', 3800, 200, "reason=allowed-by-rule"),
            // Decided, but without room for the headers: while enforcing HAProxy refuses what it cannot rewrite.
            ('h', 3950, if mode == Mode::Observe { 200 } else { 500 }, "reason=allowed-by-rule"),
            ('c', 3985, status, "reason=malformed-facts"),
        ] {
            let path = format!("/open/{}", letter.to_string().repeat(length));
            let request = format!("{PROXIED}GET {path} HTTP/1.0\r\n\r\n");
            let response = Client::connect_unix(&socket).exchange(request.as_bytes());
            assert_eq!(response.status, expected, "{mode:?} {length}: {}", response.text());
            assert_eq!(site.upstream().count_with(path.as_bytes()), usize::from(expected == 200), "{mode:?} {length}");
            // The log shows the beginning of the path.
            let line = haproxy.log_line(&[&path[..100]]);
            assert!(line.contains(reason), "{mode:?} {length}: {line}");
        }
        haproxy.status_with("decision               malformed-facts 1");
        haproxy.status_with("failures               0");
    }
}

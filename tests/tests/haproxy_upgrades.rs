//! Upgrades to WebSocket through a real HAProxy: which scopes let them pass, and for how long a connection may be idle then.

use luigi_runtime::Mode;
use luigi_tests::client::{Client, request};
use luigi_tests::haproxy::Haproxy;
use luigi_tests::installation::Release;
use luigi_tests::on_each_haproxy;
use luigi_tests::people::{HOST, ISSUER, ada, bearer, reason, signer, site};
use luigi_tests::wait;
use std::io::Write;
use std::net::TcpStream;

on_each_haproxy!(
    upgrades_pass_where_scopes_let_them,
    http2_asks_for_upgrades_by_connect,
    an_idle_connection_is_closed_after_the_time_of_its_scope
);

fn policy() -> String {
    format!(
        r#"
schema = 1
[issuers.corp]
url = "{ISSUER}"
audiences = ["app"]
[groups]
staff = "staff"
[scopes.chat]
hosts = "any"
operations = ["GET /chat/socket"]
[scopes.quiet]
hosts = "any"
operations = ["GET /quiet/socket"]
upgrade = "refuse"
[scopes.shell]
hosts = "any"
operations = ["GET /shell/socket"]
privileged = true
[scopes.logs]
hosts = "any"
operations = ["GET /logs/socket", "GET /logs/both/socket"]
privileged = true
upgrade = "1h"
[scopes.short]
hosts = "any"
operations = ["GET /logs/both/socket"]
upgrade = "1s"
[[rules]]
id = "staff"
effect = "allow"
scopes = ["chat", "quiet", "shell", "logs", "short"]
subject = {{ groups = ["staff"] }}
"#
    )
}

/// Asks for an upgrade of a new connection; the connection, and what was answered: the status, or the reason of a refusal.
fn ask(haproxy: &Haproxy, path: &str, upgrade: &[(&str, &str)]) -> (Client, String) {
    let token = bearer(&signer(), &ada());
    let mut fields = vec![("authorization", token.as_str())];
    fields.extend(upgrade);
    let mut client = Client::connect(haproxy.address());
    let response = client.exchange(&request("GET", path, HOST, &fields));
    let refused = reason(&response);
    (client, if refused.is_empty() { response.status.to_string() } else { refused })
}

const WEBSOCKET: &[(&str, &str)] = &[
    ("connection", "upgrade"),
    ("upgrade", "websocket"),
    ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
    ("sec-websocket-version", "13"),
];

fn upgrades_pass_where_scopes_let_them(release: Release) {
    let site = site();
    site.apply(&policy(), Some(Mode::Enforce));
    let Some(haproxy) = site.start(site.setup(release)) else { return };
    for (path, expected) in [
        ("/chat/socket", "101"),
        ("/logs/socket", "101"),
        ("/logs/both/socket", "101"),
        ("/quiet/socket", "upgrade-refused"),
        ("/shell/socket", "upgrade-refused"),
        ("/nowhere/socket", "no-rule-allows"),
    ] {
        let (mut client, answered) = ask(&haproxy, path, WEBSOCKET);
        assert_eq!(answered, expected, "{path}");
        if answered == "101" {
            client.send(b"there and back");
            assert_eq!(client.receive(14), b"there and back", "{path}");
        }
    }
    for path in ["/shell/socket", "/quiet/socket", "/logs/socket"] {
        assert_eq!(ask(&haproxy, path, &[]).1, "200", "{path} without an upgrade");
    }
    // Any upgrade counts, and one that `Connection` does not name; HAProxy may take that one away before it is looked at.
    let other = [("connection", "upgrade"), ("upgrade", "echo/1")];
    assert_eq!(ask(&haproxy, "/shell/socket", &other).1, "upgrade-refused");
    assert_eq!(ask(&haproxy, "/shell/socket", &[("upgrade", "echo/1")]).1, "upgrade-refused");
    // What Luigi's lines remove asks for nothing.
    assert_eq!(ask(&haproxy, "/shell/socket", &[("connection", "upgrade"), ("upgrade", "h2c")]).1, "200");

    // Refused are those, and while observing it is only told.
    assert_eq!(site.upstream().count_with(b"/shell/socket HTTP/1.1\r\nhost"), 2);
    site.apply(&policy(), Some(Mode::Observe));
    haproxy.status_with("mode                   observe");
    assert_eq!(ask(&haproxy, "/shell/socket", WEBSOCKET).1, "101");
    assert!(haproxy.log_line(&["luigi=pass", "reason=upgrade-refused"]).contains("decision=deny"));
}

/// A frame of HTTP/2 on stream 1, or 0 for settings.
fn frame(kind: u8, flags: u8, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).expect("a short frame").to_be_bytes();
    let stream = u8::from(kind == 1);
    [&length[1..], &[kind, flags, 0, 0, 0, stream], payload].concat()
}

/// Extended CONNECT (RFC 8441): HAProxy shows it as a GET with `Upgrade`. It makes a key of its own for the backend, so only what arrives there is
/// looked at.
fn http2_asks_for_upgrades_by_connect(release: Release) {
    let site = site();
    site.apply(&policy(), Some(Mode::Enforce));
    let Some(haproxy) = site.start(site.setup(release)) else { return };
    let token = bearer(&signer(), &ada());
    let ask = |path: &str| {
        let fields = [
            (":method", "CONNECT"),
            (":protocol", "websocket"),
            (":scheme", "http"),
            (":path", path),
            (":authority", HOST),
            ("sec-websocket-version", "13"),
            ("authorization", &token),
        ];
        let mut block = Vec::new();
        for (name, value) in fields {
            // Literals that are not indexed (RFC 7541, section 6.2.2); a length of 127 and more goes on in the following bytes.
            block.extend([0, u8::try_from(name.len()).expect("a short name")]);
            block.extend(name.bytes());
            if value.len() < 127 {
                block.push(u8::try_from(value.len()).expect("less than 127"));
            } else {
                let rest = value.len() - 127;
                block.extend([127, u8::try_from(rest % 128).expect("seven bits") | 128]);
                block.push(u8::try_from(rest / 128).expect("a token of less than 16 KiB"));
            }
            block.extend(value.bytes());
        }
        let mut stream = TcpStream::connect(haproxy.http2_address()).expect("HAProxy listens");
        let bytes = [b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", &frame(4, 0, b"")[..], &frame(1, 4, &block)].concat();
        stream.write_all(&bytes).expect("the connection is open");
        stream
    };
    let _refused = ask("/shell/socket");
    let line = haproxy.log_line(&["/shell/socket HTTP/2.0"]);
    assert!(line.contains("reason=upgrade-refused") && line.contains("luigi=refuse"), "{line}");
    let _passed = ask("/logs/socket");
    wait::until("the other one arrives", || site.upstream().count_with(b"GET /logs/socket") == 1);
    assert_eq!(site.upstream().count_with(b"/shell"), 0);
}

fn an_idle_connection_is_closed_after_the_time_of_its_scope(release: Release) {
    let site = site();
    site.apply(&policy(), Some(Mode::Enforce));
    let Some(haproxy) = site.start(site.setup(release)) else { return };
    // The first two would be closed before the last if all had the timeout of the configuration. Two scopes hold the last: the shorter time holds.
    let (mut unlimited, _) = ask(&haproxy, "/chat/socket", WEBSOCKET);
    let (mut long, _) = ask(&haproxy, "/logs/socket", WEBSOCKET);
    let (mut short, answered) = ask(&haproxy, "/logs/both/socket", WEBSOCKET);
    assert_eq!(answered, "101");
    assert!(short.is_closed());
    for client in [&mut unlimited, &mut long] {
        client.send(b"still there");
        assert_eq!(client.receive(11), b"still there");
    }
}

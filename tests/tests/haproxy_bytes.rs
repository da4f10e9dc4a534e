//! Requests as no polite client sends them, byte for byte: each ends in a decision or in HAProxy's own 4xx, no backend sees one that was refused,
//! and what a backend sees is what was decided.

use luigi_runtime::Mode;
use luigi_tests::client::Client;
use luigi_tests::haproxy::Haproxy;
use luigi_tests::installation::Release;
use luigi_tests::needs::Need;
use luigi_tests::on_each_haproxy;
use luigi_tests::people::{HOST, POLICY, ada, bearer, reason, signer, site};
use luigi_tests::site::Site;
use luigi_tests::upstream::find;
use std::process::Command;

on_each_haproxy!(
    odd_bytes_are_decided_or_refused,
    no_byte_shifts_a_field,
    a_peer_without_an_address_is_unknown,
    http_2_is_decided_alike
);

/// How a request may end. Where a case lists two ends, HAProxy 3.0 refuses what 2.6 hands on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// It passes.
    Pass,
    /// Luigi refuses it, with this status and reason.
    Refused(u16, &'static str),
    /// HAProxy refuses it before any rule, with 4xx or by closing the connection.
    Haproxy,
}
use End::{Haproxy as Own, Pass, Refused};

const MALFORMED: End = Refused(400, "malformed-facts");
const AMBIGUOUS: End = Refused(400, "ambiguous-target");
const TWO: End = Refused(400, "ambiguous-credential");
const NOTHING: End = Refused(403, "no-rule-allows");

fn odd_bytes_are_decided_or_refused(release: Release) {
    for mode in [Mode::Observe, Mode::Enforce] {
        odd_bytes_in(release, mode);
    }
}

fn odd_bytes_in(release: Release, mode: Mode) {
    let site = site();
    site.apply(POLICY, Some(mode));
    let Some(haproxy) = site.start(site.setup(release)) else { return };
    let token = bearer(&signer(), &ada());
    let get = |path: &str, fields: &str| format!("GET {path} HTTP/1.1\r\nhost: {HOST}\r\n{fields}\r\n").into_bytes();
    let get_bytes = |path: &str, fields: &[u8]| {
        [format!("GET {path} HTTP/1.1\r\nhost: {HOST}\r\n").as_bytes(), fields, b"\r\n"].concat()
    };
    let raw = |text: &str| text.as_bytes().to_vec();
    let auth = |value: &[u8]| {
        [&format!("GET /open/auth HTTP/1.1\r\nhost: {HOST}\r\nauthorization: ").into_bytes(), value, b"\r\n\r\n"]
            .concat()
    };
    let long = |length: usize| format!("/open/{}", "x".repeat(length));
    let both = format!("authorization: {token}\r\nauthorization: {token}\r\n");
    let cases: Vec<(&str, Vec<u8>, &[End])> = vec![
        ("plain", get("/open/plain", ""), &[Pass]),
        // Doubled fields.
        ("two hosts", raw("GET /open/a HTTP/1.1\r\nhost: a\r\nhost: b\r\n\r\n"), &[Own]),
        ("two hosts alike", raw("GET /open/a HTTP/1.1\r\nhost: a\r\nhost: a\r\n\r\n"), &[Pass]),
        ("a list of hosts", raw("GET /open/a HTTP/1.1\r\nhost: a,b\r\n\r\n"), &[AMBIGUOUS, Own]),
        ("two tokens alike", get("/open/a", &both), &[TWO]),
        ("three credentials", get("/open/a", &format!("{both}Authorization: Basic YTpi\r\n")), &[TWO]),
        (
            "token and basic",
            get("/open/a", &format!("authorization: Basic YTpi\r\nAUTHORIZATION: {token}\r\n")),
            &[TWO],
        ),
        // Control bytes and such in fields.
        ("NUL in a token", auth(b"Bearer a\0b"), &[MALFORMED, Own]),
        ("NUL before a field", get("/open/a", &format!("x: \0\r\nauthorization: {token}\r\n")), &[MALFORMED, Own]),
        (
            "NUL before a second token",
            get("/open/a", &format!("authorization: {token}\r\nx: \0\r\nauthorization: {token}\r\n")),
            &[MALFORMED, Own],
        ),
        ("NUL before a second host", get("/open/a", "x: \0\r\nhost: b\r\n"), &[MALFORMED, Own]),
        ("NUL before a forged header", get("/open/a", "x: \0\r\nx-luigi-subject: forged\r\n"), &[MALFORMED, Own]),
        ("NUL in a forged header", get("/open/a", "x-luigi-subject: \0forged\r\n"), &[Pass, Own]),
        ("NUL in the host", raw("GET /open/a HTTP/1.1\r\nhost: a\0b\r\n\r\n"), &[MALFORMED, Own]),
        ("control bytes in a token", auth(b"Bearer \x01\x1f\x7f\xff"), &[MALFORMED]),
        ("a control byte in a field that Luigi does not read", get("/open/a", "x: a\x01b\r\n"), &[MALFORMED]),
        ("DEL at the end of such a field", get("/open/a", "x: a\x7f\r\n"), &[MALFORMED]),
        ("a vertical tab before the end of the fields", get("/open/a", "x: a\r\ny: \x0b\r\n"), &[MALFORMED]),
        ("what a field may hold", get_bytes("/open/a", b"x: a\tb !\"'[\\]0123x00\xff\x80\r\n"), &[Pass]),
        ("not UTF-8 in the host", raw_bytes(b"GET /open/a HTTP/1.1\r\nhost: \xff\xfe\r\n\r\n"), &[AMBIGUOUS, Own]),
        ("CR in a field", get("/open/a", "x: a\rb\r\n"), &[Own]),
        ("LF alone in a field", get("/open/a", "x: a\nauthorization: Basic x\r\n"), &[Pass]),
        ("a folded field", get("/open/a", &format!("authorization: Bearer\r\n {token}\r\n")), &[Pass]),
        ("a folded host", raw("GET /open/a HTTP/1.1\r\nhost: a\r\n b\r\n\r\n"), &[AMBIGUOUS, Own]),
        ("a space before the colon", get("/open/a", &format!("authorization : {token}\r\n")), &[Own]),
        // Targets.
        ("NUL in the target", get("/open/\0", ""), &[Own]),
        ("a control byte in the target", get("/open/\x01", ""), &[Own]),
        ("DEL in the target", get("/open/\x7f", ""), &[Own]),
        ("a raw byte in the target", raw_bytes(b"GET /open/\xff HTTP/1.1\r\nhost: a\r\n\r\n"), &[Own]),
        ("an escaped byte", get("/open/%ff", ""), &[AMBIGUOUS]),
        ("an escaped LF", get("/open/%0a", ""), &[AMBIGUOUS]),
        ("an escaped NUL", get("/open/%00", ""), &[AMBIGUOUS]),
        ("a path of 8 KB", get(&long(8192), ""), &[Pass]),
        ("a path of 15 KB", get(&long(15_000), ""), &[Pass]),
        ("a path of 16 KB", get(&long(16_384), ""), &[Own]),
        ("a climb", get("/open/../staff/x", ""), &[Refused(401, "no-rule-allows")]),
        ("a fragment", get("/open/a#b", ""), &[Own]),
        ("absolute-form", raw("GET http://app.example.com/open/a HTTP/1.1\r\nhost: app.example.com\r\n\r\n"), &[Pass]),
        ("absolute-form of another host", raw("GET http://a/open/a HTTP/1.1\r\nhost: b\r\n\r\n"), &[Own]),
        ("absolute-form without a host", raw("GET http://app.example.com/open/a HTTP/1.1\r\n\r\n"), &[AMBIGUOUS]),
        ("absolute-form without host and path", raw("GET http://app.example.com HTTP/1.0\r\n\r\n"), &[AMBIGUOUS]),
        ("a query behind the authority", raw("GET http://a?x=/open/a HTTP/1.0\r\n\r\n"), &[AMBIGUOUS, Own]),
        ("asterisk", raw("OPTIONS * HTTP/1.1\r\nhost: a\r\n\r\n"), &[NOTHING]),
        ("no host", raw("GET /open/a HTTP/1.0\r\n\r\n"), &[Pass]),
        ("no host in 1.1", raw("GET /open/a HTTP/1.1\r\n\r\n"), &[Pass]),
        ("HTTP/0.9", raw("GET /open/a\r\n\r\n"), &[Own]),
        // Methods.
        ("a lower-case method", raw("get /open/a HTTP/1.1\r\nhost: a\r\n\r\n"), &[AMBIGUOUS]),
        ("an unknown method", raw("FROB /open/a HTTP/1.1\r\nhost: a\r\n\r\n"), &[Pass]),
        ("a method that is no token", raw("G@T /open/a HTTP/1.1\r\nhost: a\r\n\r\n"), &[Own]),
        ("TRACE", raw("TRACE /open/a HTTP/1.1\r\nhost: a\r\n\r\n"), &[NOTHING]),
        ("CONNECT", raw("CONNECT app.example.com:443 HTTP/1.1\r\nhost: app.example.com:443\r\n\r\n"), &[NOTHING]),
        ("CONNECT to a path", raw("CONNECT /open/a HTTP/1.1\r\nhost: app.example.com\r\n\r\n"), &[Own]),
        // The connection's own fields.
        (
            "a token of the connection",
            get("/staff/a", &format!("connection: authorization\r\nauthorization: {token}\r\n")),
            &[Pass],
        ),
        ("two lengths", get("/open/a", "content-length: 1\r\ncontent-length: 2\r\n"), &[Own]),
        ("length and chunks", get("/open/a", "content-length: 4\r\ntransfer-encoding: chunked\r\n0\r\n\r\n"), &[Own]),
    ];
    for (name, bytes, ends) in cases {
        check(&site, &haproxy, mode, name, &bytes, ends);
    }
    assert_eq!(site.upstream().count_with(b"forged"), 0);
    // Fields that fill the buffer up to its edge and past it.
    for length in (14_900..15_500).step_by(20).chain(16_300..16_330) {
        let bytes = get("/staff/edge", &format!("x: {}\r\n", "y".repeat(length)));
        check(
            &site,
            &haproxy,
            mode,
            &format!("a field of {length} bytes"),
            &bytes,
            &[Refused(401, "no-rule-allows"), Own],
        );
    }
    haproxy.status_with("failures               0");
}

fn raw_bytes(bytes: &[u8]) -> Vec<u8> {
    bytes.to_vec()
}

fn check(site: &Site, haproxy: &Haproxy, mode: Mode, name: &str, bytes: &[u8], ends: &[End]) {
    let before = site.upstream().seen().len();
    let response = Client::connect(haproxy.address()).exchange(bytes);
    let reached = site.upstream().seen().len() - before;
    let why = reason(&response);
    if mode == Mode::Observe {
        // Nothing of Luigi's stops a request: what HAProxy takes, passes.
        let taken = ends.iter().any(|end| *end != Own);
        let own = matches!(response.status, 0 | 400..=499) && why.is_empty() && ends.contains(&Own);
        assert!((taken && response.status == 200) || own, "{name}: {}: {}", response.status, response.text());
        assert_eq!(reached, usize::from(response.status == 200), "{name} at the upstream");
        return;
    }
    let end = match response.status {
        200 => Pass,
        0 | 400..=499 if why.is_empty() => Own,
        status => match ends.iter().find(|end| matches!(end, Refused(at, reason) if *at == status && *reason == why)) {
            Some(end) => *end,
            None => panic!("{name}: {status} {why}: {}", response.text()),
        },
    };
    assert!(ends.contains(&end), "{name}: {end:?}: {}", response.text());
    assert_eq!(reached, usize::from(end == Pass), "{name}: {end:?} at the upstream");
}

fn no_byte_shifts_a_field(release: Release) {
    let site = site();
    site.apply(POLICY, Some(Mode::Enforce));
    let Some(haproxy) = site.start(site.setup(release)) else { return };
    let token = bearer(&signer(), &ada());
    // Parts of a line of facts that would open `/staff` or hide it, wherever a request can carry them.
    let injections: Vec<Vec<u8>> = ["\n", "\r\n", "\r", "\0", "\x0b", "\u{85}", "\u{2028}", "%0a", "|", " "]
        .iter()
        .flat_map(|separator| {
            ["/open/x", "end", "luigi1|pass|", "1 15 1 9 7", "GET", token.as_str()]
                .map(|word| format!("{separator}{word}{separator}end").into_bytes())
        })
        .collect();
    let mut passed = 0;
    for injection in &injections {
        let i = &injection[..];
        let requests: [Vec<u8>; 5] = [
            [b"GET /staff/x", i, b" HTTP/1.1\r\nhost: app.example.com\r\n\r\n"].concat(),
            [b"GET /staff/x?", i, b" HTTP/1.1\r\nhost: app.example.com\r\n\r\n"].concat(),
            [b"GET /staff/x HTTP/1.1\r\nhost: app.example.com", i, b"\r\n\r\n"].concat(),
            [b"GET /staff/x HTTP/1.1\r\nhost: app.example.com\r\nauthorization: Basic x", i, b"\r\n\r\n"].concat(),
            [b"GET", i, b" /staff/x HTTP/1.1\r\nhost: app.example.com\r\n\r\n"].concat(),
        ];
        for request in requests {
            let response = Client::connect(haproxy.address()).exchange(&request);
            // Without a verified token nothing opens `/staff`; what passes is another path, or carries a field that is the token's.
            if response.status == 200 {
                passed += 1;
                let seen = site.upstream().seen().pop().expect("it passed");
                let line = seen.split(|byte| *byte == b'\n').next().unwrap_or_default();
                let harmless = find(line, b" /staff").is_none() || find(&seen, b"x-luigi-subject: ada").is_some();
                assert!(harmless, "{}: {}", request.escape_ascii(), seen.escape_ascii());
            } else {
                assert!(matches!(response.status, 0 | 400..=499), "{}: {}", request.escape_ascii(), response.status);
            }
        }
    }
    assert_eq!(site.upstream().seen().len(), passed, "no backend saw a refused request");
    assert_eq!(site.upstream().count_with(b"GET /staff/x HTTP"), 0);
    haproxy.status_with("failures               0");
}

fn a_peer_without_an_address_is_unknown(release: Release) {
    let site = site();
    let policy =
        POLICY.replace("[[rules]]\nid = \"open\"", "[networks]\nhere = [\"127.0.0.0/8\"]\n\n[[rules]]\nid = \"open\"");
    let policy = policy.replace("subject = \"anyone\"", "subject = \"anyone\"\nfrom = [\"here\"]");
    site.apply(&policy, Some(Mode::Enforce));
    let Some(haproxy) = site.start(site.setup(release)) else { return };
    let bytes = format!("GET /open/x HTTP/1.1\r\nhost: {HOST}\r\n\r\n").into_bytes();
    assert_eq!(Client::connect(haproxy.address()).exchange(&bytes).status, 200);
    let response = Client::connect_unix(&haproxy.unix_socket()).exchange(&bytes);
    assert_eq!((response.status, reason(&response).as_str()), (403, "allow-rule-unknown"));
    assert_eq!(site.upstream().seen().len(), 1);
}

fn http_2_is_decided_alike(release: Release) {
    if !Need::CurlHttp2.is_met() {
        return;
    }
    let site = site();
    site.apply(POLICY, Some(Mode::Enforce));
    let Some(haproxy) = site.start(site.setup(release)) else { return };
    let token = format!("authorization: {}", bearer(&signer(), &ada()));
    let host = format!("host: {HOST}");
    for (path, fields, status) in [
        ("/open/a", &[host.as_str()][..], "200"),
        ("/staff/a", &[&host], "401"),
        ("/staff/b", &[&host, &token], "200"),
        ("/staff/c", &[&host, &token, &token], "400"),
        ("/staff/d", &["host: other.example.com", &token], "403"),
        ("/open/..%2fstaff/e", &[&host, &token], "400"),
        ("/open/f", &[&host, "x_luigi_subject: root"], "200"),
    ] {
        let mut command = Command::new("curl");
        command.args([
            "--silent",
            "--noproxy",
            "*",
            "--http2-prior-knowledge",
            "--path-as-is",
            "--output",
            "/dev/null",
        ]);
        command.args(["--write-out", "%{http_code} %{http_version}"]);
        for field in fields {
            command.args(["--header", field]);
        }
        let output = command.arg(format!("http://{}{path}", haproxy.http2_address())).output().expect("curl starts");
        assert_eq!(String::from_utf8_lossy(&output.stdout), format!("{status} 2"), "{path}");
        assert_eq!(site.upstream().count_with(path.as_bytes()), usize::from(status == "200"), "{path} at the upstream");
    }
    assert_eq!(site.upstream().count_with(b"root"), 0);
    assert_eq!(site.upstream().count_with(b"x-luigi-subject: ada"), 1);
}

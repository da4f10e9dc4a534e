//! Fields that pretend to be Luigi's, name other fields, are malformed, or fill HAProxy's buffer.

use super::{Attack, Class, get, raw};
use crate::estate::{FORGED, HOST};

pub(super) fn add(all: &mut Vec<Attack>) {
    identities(all);
    hop_by_hop(all);
    malformed(all);
    edges(all);
}

const IDENTITY: [&str; 6] = ["subject", "issuer", "email", "groups", "evaluation", "groups-completeness"];

fn identities(all: &mut Vec<Attack>) {
    let mut add = |fields: String| get(all, Class::Identity, "/public/a.txt", HOST, &fields);
    for header in IDENTITY {
        for name in [format!("x-luigi-{header}"), format!("X-Luigi-{header}"), format!("X-LUIGI-{header}")] {
            add(format!("{name}: {FORGED}\r\n"));
            add(format!("{name}:{FORGED}\r\n{name}: {FORGED}\r\n"));
            add(format!("{name}: \0{FORGED}\r\n"));
            add(format!("x: \0\r\n{name}: {FORGED}\r\n"));
            add(format!("{name}:\r\n {FORGED}\r\n"));
            add(format!("{name} : {FORGED}\r\n"));
            add(format!(" {name}: {FORGED}\r\n"));
            add(format!("x: y\n{name}: {FORGED}\r\n"));
            add(format!("x: y\r{name}: {FORGED}\r\n"));
            add(format!("x: y\r\n{name}\0: {FORGED}\r\n"));
            add(format!("{name}: {FORGED}\r\nconnection: {name}\r\n"));
            add(format!("connection: close, {name}\r\n{name}: {FORGED}\r\n"));
        }
        for between in "!#$%&'*+-.^_`|~".chars() {
            let name = header.replace('-', &between.to_string());
            add(format!("X{between}Luigi{between}{name}: {FORGED}\r\n"));
            add(format!("x{between}luigi-{name}: {FORGED}\r\n"));
            add(format!("x-luigi{between}{name}: {FORGED}\r\n"));
        }
    }
}

fn hop_by_hop(all: &mut Vec<Attack>) {
    let names = [
        "authorization",
        "host",
        "x-luigi-subject",
        "x-luigi-evaluation",
        "content-length",
        "transfer-encoding",
        "cookie",
        "x-forwarded-for",
        "upgrade",
        "te",
        "keep-alive",
        "connection",
    ];
    for name in names {
        for value in [name.to_owned(), format!("close, {name}"), format!("{name}, keep-alive"), name.to_uppercase()] {
            get(all, Class::HopByHop, "/admin/secret.txt", HOST, &format!("connection: {value}\r\n"));
            get(
                all,
                Class::HopByHop,
                "/admin/secret.txt",
                HOST,
                &format!("connection: {value}\r\nauthorization: Bearer x\r\n"),
            );
            get(all, Class::HopByHop, "/%61dmin/secret.txt", HOST, &format!("proxy-connection: {value}\r\n"));
        }
    }
    for upgrade in ["h2c", "H2C", "websocket", "websocket, h2c", "h2c,", "HTTP/2.0", "TLS/1.0", "SPDY/3.1"] {
        for path in ["/admin/secret.txt", "/public/../admin/secret.txt"] {
            for settings in ["", "http2-settings: AAMAAABkAAQAoAAAAAIAAAAA\r\n"] {
                let fields = format!(
                    "connection: Upgrade, HTTP2-Settings\r\nupgrade: {upgrade}\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n{settings}"
                );
                get(all, Class::HopByHop, path, HOST, &fields);
            }
        }
        // What follows an upgrade that a server accepts would go past Luigi.
        let fields =
            format!("connection: Upgrade\r\nupgrade: {upgrade}\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n");
        raw(
            all,
            Class::HopByHop,
            format!(
                "GET /public/a.txt HTTP/1.1\r\nhost: {HOST}\r\n{fields}\r\nGET /admin/secret.txt HTTP/1.1\r\nhost: {HOST}\r\n\r\n"
            ),
        );
    }
}

fn malformed(all: &mut Vec<Attack>) {
    let lines = [
        "authorization: Bearer x\r\nauthorization: Bearer y\r\n",
        "authorization: Bearer x\r\nauthorization: Basic eDp5\r\n",
        "authorization: Bearer \0x\r\n",
        "authorization: \r\n",
        "authorization\r\n",
        ": x\r\n",
        "\0: x\r\n",
        "x\r\n",
        "x y: z\r\n",
        "x: \r\n\r\n y: z\r\n",
        "x: a\rb\r\n",
        "x: a\nb: c\r\n",
        "x:\0\r\n",
        "x: \x01\x02\x1f\x7f\r\n",
        "\u{e9}: x\r\n",
        " x: y\r\n",
        "\tx: y\r\n",
        "x: y\r\n z\r\n",
        "x: y\r\n\tz\r\n",
        "content-length: x\r\n",
        "content-length: -1\r\n",
        "expect: 100-continue\r\n",
        "expect: x\r\n",
        "range: bytes=0-10\r\n",
        "if-none-match: *\r\n",
        "if-modified-since: Thu, 01 Jan 1970 00:00:00 GMT\r\n",
        "accept: text/html\r\n",
        "accept: \0\r\n",
        "cookie: a=b; __Host-luigi=x\r\n",
        "origin: https://x.example\r\naccess-control-request-method: GET\r\n",
    ];
    for path in
        ["/admin/secret.txt", "/%61dmin/secret.txt", "/public/../admin/secret.txt", "/public/..;/admin/secret.txt"]
    {
        for line in lines {
            get(all, Class::Malformed, path, HOST, line);
            raw(all, Class::Malformed, format!("OPTIONS {path} HTTP/1.1\r\nhost: {HOST}\r\n{line}\r\n"));
        }
        // Line ends and spaces of the request line.
        for line in [
            "GET  P HTTP/1.1",
            "GET P  HTTP/1.1",
            "GET\tP HTTP/1.1",
            " GET P HTTP/1.1",
            "GET P HTTP/1.1 ",
            "\r\nGET P HTTP/1.1",
            "GET P x HTTP/1.1",
            "GET P\x0bHTTP/1.1",
        ] {
            let line = line.replace('P', path);
            raw(all, Class::Malformed, format!("{line}\r\nhost: {HOST}\r\n\r\n"));
            raw(all, Class::Malformed, format!("{line}\nhost: {HOST}\n\n"));
        }
    }
    // Words that are Luigi's own, behind whatever could end a field of its line of facts.
    for separator in ["\n", "\r", "\0", "\x0b", "\x0c", "\u{85}", "\u{2028}", "|", "%0a", "\t"] {
        for word in ["luigi1|pass|", "/public/a.txt", "end", "1 15 1 9 7", "GET", HOST] {
            for (target, field) in [
                (format!("/admin/secret.txt{separator}{word}"), String::new()),
                (format!("/admin/secret.txt?{separator}{word}"), String::new()),
                ("/admin/secret.txt".to_owned(), format!("authorization: x{separator}{word}\r\n")),
                ("/admin/secret.txt".to_owned(), format!("x: x{separator}{word}\r\nauthorization: Bearer x\r\n")),
            ] {
                get(all, Class::Malformed, &target, HOST, &field);
            }
        }
    }
}

/// Requests up to the edge of the buffer, of which HAProxy keeps 1,024 of 16,384 bytes for itself, and beyond.
fn edges(all: &mut Vec<Attack>) {
    for length in (13_200..15_800).step_by(60) {
        let filler = "y".repeat(length);
        get(all, Class::Edge, "/admin/secret.txt", HOST, &format!("x: {filler}\r\n"));
        get(all, Class::Edge, &format!("/admin/secret.txt?{filler}"), HOST, "");
        get(
            all,
            Class::Edge,
            &format!("/admin/secret.txt?{}", "y".repeat(length / 2)),
            HOST,
            &format!("x: {}\r\n", "z".repeat(length / 2)),
        );
        let dots = "./".repeat(length / 2);
        get(all, Class::Edge, &format!("/{dots}admin/secret.txt"), HOST, "");
        get(all, Class::Edge, "/admin/secret.txt", HOST, &format!("authorization: Bearer {filler}\r\n"));
        get(all, Class::Edge, "/public/a.txt", HOST, &format!("x: {filler}\r\nx-luigi-subject: {FORGED}\r\n"));
    }
    for exact in 15_280..15_400 {
        let rest = exact - "GET /admin/secret.txt HTTP/1.1\r\nhost: www.example.com\r\nx: \r\n\r\n".len();
        get(all, Class::Edge, "/admin/secret.txt", HOST, &format!("x: {}\r\n", "y".repeat(rest)));
    }
    for count in [90, 99, 100, 101, 102, 110, 200] {
        get(all, Class::Edge, "/admin/secret.txt", HOST, &"x: y\r\n".repeat(count));
        get(
            all,
            Class::Edge,
            "/public/a.txt",
            HOST,
            &format!("{}x-luigi-subject: {FORGED}\r\n", "x: y\r\n".repeat(count)),
        );
    }
}

//! Hosts that are written in other ways or twice, and headers that name another target than the request line.

use super::{Attack, Class, get, raw};
use crate::estate::{ADMIN_HOST, Entrance, HOST, LAX_HOST, LEGACY_HOST, MADE_UP_HOST};
use crate::exchange::Wire;

/// Headers that some server takes the path from.
const PATH_HEADERS: [&str; 21] = [
    "x-original-url",
    "x-rewrite-url",
    "x-original-uri",
    "x-original-path",
    "x-original-request-uri",
    "x-envoy-original-path",
    "x-nf-original-path",
    "x-vercel-original-url",
    "x-forwarded-uri",
    "x-forwarded-url",
    "x-forwarded-path",
    "x-override-url",
    "x-proxy-url",
    "x-real-url",
    "x-replaced-path",
    "x-request-uri",
    "x-http-path-override",
    "x-http-destinationurl",
    "x-matched-path",
    "x-invoke-path",
    "x-middleware-rewrite",
];

/// Headers that some server takes the beginning of the path from which it is mounted at.
const MOUNT_HEADERS: [&str; 8] = [
    "script-name",
    "path-info",
    "x-script-name",
    "x-forwarded-script-name",
    "x-forwarded-prefix",
    "x-forwarded-pathbase",
    "x-forwarded-path-prefix",
    "x-request-base",
];

/// Headers that some server takes the method from, beside those that a host can refuse.
const METHOD_HEADERS: [&str; 4] = ["x-original-method", "x-forwarded-method", "x-override-method", "x-rewrite-method"];

/// Headers that some server takes the host from.
const HOST_HEADERS: [&str; 10] = [
    "x-forwarded-host",
    "x-original-host",
    "x-host",
    "x-forwarded-server",
    "x-envoy-original-dst-host",
    "x-http-host-override",
    "x-host-override",
    "x-proxy-host",
    "x-real-host",
    "x-rewrite-host",
];

/// Spellings of a host; `H` is the host.
const SPELLINGS: [&str; 40] = [
    "H",
    "H.",
    "H..",
    ".H",
    "H:80",
    "H:443",
    "H:8080",
    "H:",
    "H:0080",
    "H:99999",
    "H:80:80",
    "H:x",
    "user@H",
    "user:pw@H",
    "@H",
    "www.example.com@H",
    "H@www.example.com",
    "H#",
    "H#@www.example.com",
    "H/",
    "H/x",
    "H?x",
    "H\\",
    "H%00",
    "H%2e",
    "H\t",
    "H ",
    "H,www.example.com",
    "www.example.com,H",
    "H www.example.com",
    "www.example.com H",
    "H;x",
    "[H]",
    "\"H\"",
    "http://H",
    "http://H/",
    "//H",
    "H\x0b",
    "H\x01",
    "www.example.com\x0bH",
];

/// A host in another case, in escapes, in full-width forms.
fn variants(host: &str) -> Vec<String> {
    let mut all = vec![host.to_owned(), host.to_uppercase()];
    for at in 0..host.len() {
        let (before, rest) = host.split_at(at);
        let (letter, after) = rest.split_at(1);
        all.push(format!("{before}{}{after}", letter.to_uppercase()));
        all.push(format!("{before}%{:02x}{after}", letter.as_bytes()[0]));
    }
    for dot in ["。", "．", "%2e", "%E3%80%82"] {
        all.push(host.replace('.', dot));
    }
    all.push(host.replace("admin", "ａdmin"));
    all.push(host.replace("admin", "xn--admin-"));
    all
}

pub(super) fn add(all: &mut Vec<Attack>) {
    spelt(all);
    pairs(all);
    doubled(all);
    elsewhere(all);
}

fn spelt(all: &mut Vec<Attack>) {
    for host in SPELLINGS.map(|spelling| spelling.replace('H', ADMIN_HOST)).into_iter().chain(variants(ADMIN_HOST)) {
        for target in ["/secret.txt", "/"] {
            get(all, Class::Host, target, &host, "");
            // In absolute-form, beside a field that agrees, one that does not, an empty one and none.
            let line = format!("GET http://{host}{target} HTTP/1.1\r\n");
            for field in [host.as_str(), HOST, ""] {
                raw(all, Class::Host, format!("{line}host: {field}\r\n\r\n"));
            }
            raw(all, Class::Host, format!("{line}\r\n"));
        }
    }
    // Allowed as the public site, and without a field the site of those that name none to some.
    for version in ["1.0", "1.1"] {
        for target in ["", "/", "/x/..", "?", "?x=1", "?x=/secret.txt", "?x=/../secret.txt", "/secret.txt"] {
            for port in ["", ":80", ":443"] {
                raw(all, Class::Host, format!("GET http://{HOST}{port}{target} HTTP/{version}\r\n\r\n"));
            }
        }
    }
    for scheme in ["http", "https", "HTTP", "hTTps", "ftp", "file", "ws", "javascript", "http:", "", "1"] {
        for (host, field) in [(ADMIN_HOST, HOST), (HOST, ADMIN_HOST), (ADMIN_HOST, ADMIN_HOST)] {
            for target in ["/secret.txt", "/admin/secret.txt", "", "?x", "#/admin", "\\admin\\secret.txt"] {
                raw(all, Class::Host, format!("GET {scheme}://{host}{target} HTTP/1.1\r\nhost: {field}\r\n\r\n"));
            }
        }
    }
    for target in
        ["//admin.example.com/secret.txt", "///admin.example.com/secret.txt", "/\\admin.example.com/secret.txt"]
    {
        get(all, Class::Host, target, HOST, "");
    }
}

/// Every host at every frontend; each is sent to every server. All but the host for administration at the office is denied or for everybody.
fn pairs(all: &mut Vec<Attack>) {
    let hosts = [
        HOST,
        ADMIN_HOST,
        LEGACY_HOST,
        LAX_HOST,
        MADE_UP_HOST,
        "other.example.com",
        "example.com",
        "office-nginx",
        "localhost",
        "127.0.0.1",
        "[::1]",
        "",
    ];
    for (entrance, host) in hosts.iter().flat_map(|host| Entrance::ALL.map(|it| (it, *host))) {
        if (entrance, host) == (Entrance::Office, ADMIN_HOST) {
            continue;
        }
        let mut add = |line: String, fields: &str| {
            all.push(Attack {
                class: Class::Pairs,
                wire: Wire::Http1,
                entrance,
                bytes: format!("{line}\r\n{fields}\r\n").into(),
            });
        };
        let field = format!("host: {host}\r\n");
        for target in [
            "/admin/secret.txt",
            "/secret.txt",
            "/%61dmin/secret.txt",
            "/public/../admin/secret.txt",
            "/public/..%2fadmin/secret.txt",
            "/public;/../admin/secret.txt",
        ] {
            for version in ["1.0", "1.1"] {
                add(format!("GET {target} HTTP/{version}"), &field);
                add(format!("GET {target} HTTP/{version}"), &format!("{field}x-forwarded-host: {ADMIN_HOST}\r\n"));
                add(format!("GET http://{host}{target} HTTP/{version}"), &field);
                // The line of the one host, the field of another.
                add(format!("GET http://{host}{target} HTTP/{version}"), &format!("host: {HOST}\r\n"));
            }
            add(format!("GET {target} HTTP/1.0"), "");
        }
        for version in ["1.0", "1.1"] {
            add(format!("DELETE /orders/7 HTTP/{version}"), &field);
            add(format!("DELETE /public/../orders/7 HTTP/{version}"), &field);
        }
    }
}

fn doubled(all: &mut Vec<Attack>) {
    let names = ["host", "Host", "HOST", "hOsT", "host ", " host", "host\t", "ho\u{17f}t", "host\0", "x\r\nhost"];
    for name in names {
        for (first, second) in [(HOST, ADMIN_HOST), (ADMIN_HOST, HOST)] {
            for target in ["/secret.txt", "http://www.example.com/secret.txt"] {
                let line = format!("GET {target} HTTP/1.1\r\n");
                raw(all, Class::Host, format!("{line}host: {first}\r\n{name}: {second}\r\n\r\n"));
                raw(all, Class::Host, format!("{line}{name}: {first}\r\nhost: {second}\r\n\r\n"));
                raw(all, Class::Host, format!("{line}host: {first}\r\nx: y\r\n{name}: {second}\r\n\r\n"));
            }
        }
    }
    for fold in ["\r\n ", "\r\n\t", "\n ", "\r ", "\r\n  \r\n "] {
        raw(all, Class::Host, format!("GET /secret.txt HTTP/1.1\r\nhost: {HOST}{fold}{ADMIN_HOST}\r\n\r\n"));
        raw(all, Class::Host, format!("GET /secret.txt HTTP/1.1\r\nhost:{fold}{ADMIN_HOST}\r\n\r\n"));
        raw(all, Class::Host, format!("GET /secret.txt HTTP/1.1\r\nhost: {ADMIN_HOST}{fold}\r\n\r\n"));
    }
}

/// Headers by which some server replaces the path or the host of the request line.
fn elsewhere(all: &mut Vec<Attack>) {
    let spelt = |name: &str| {
        let upper: String = name.to_uppercase();
        let title: String =
            name.split('-').map(|word| format!("{}{}-", word[..1].to_uppercase(), &word[1..])).collect();
        [name.to_owned(), upper, title.trim_end_matches('-').to_owned(), name.replace('-', "_"), name.replace('-', ".")]
    };
    for (at, name) in PATH_HEADERS.iter().enumerate() {
        // The first two in every spelling, with every value and target.
        let known = at < 2;
        for name in spelt(name).into_iter().take(if known { usize::MAX } else { 4 }) {
            for value in [
                "/admin/secret.txt",
                "/admin/",
                "/admin/secret.txt?x",
                "http://www.example.com/admin/secret.txt",
                "//www.example.com/admin/secret.txt",
                "/public/../admin/secret.txt",
                "/%61dmin/secret.txt",
                "/public/..;/admin/secret.txt",
                "/public/..%2fadmin/secret.txt",
            ]
            .into_iter()
            .take(if known { usize::MAX } else { 3 })
            {
                for target in ["/", "/public/a.txt", "/%70ublic/a.txt", "/public//a.txt"] {
                    get(all, Class::OtherTarget, target, HOST, &format!("{name}: {value}\r\n"));
                }
            }
        }
    }
    // What is cut off the beginning: what is allowed becomes something else.
    for name in MOUNT_HEADERS {
        for name in spelt(name) {
            for (mount, target) in [
                ("/public", "/public/admin/secret.txt"),
                ("/public/", "/public/admin/secret.txt"),
                ("/public/x", "/public/x/admin/secret.txt"),
                ("public", "/public/admin/secret.txt"),
                ("/%70ublic", "/%70ublic/admin/secret.txt"),
                ("/public/..", "/public/../public/admin/secret.txt"),
                ("/admin", "/secret.txt"),
            ] {
                get(all, Class::OtherTarget, target, HOST, &format!("{name}: {mount}\r\n"));
                get(all, Class::OtherTarget, target, HOST, &format!("{name}: /\r\n{name}: {mount}\r\n"));
            }
        }
    }
    for name in METHOD_HEADERS {
        for name in spelt(name) {
            for line in ["GET /orders/7", "POST /orders/7", "GET /ord%65rs/7"] {
                raw(all, Class::OtherTarget, format!("{line} HTTP/1.1\r\nhost: {HOST}\r\n{name}: DELETE\r\n\r\n"));
            }
        }
    }
    for name in HOST_HEADERS {
        for name in spelt(name) {
            for value in
                [ADMIN_HOST, "ADMIN.example.com:443", "admin.example.com.", "www.example.com, admin.example.com"]
            {
                for host in [HOST, LEGACY_HOST] {
                    get(all, Class::OtherTarget, "/secret.txt", host, &format!("{name}: {value}\r\n"));
                    let twice = format!("{name}: {host}\r\n{name}: {value}\r\n");
                    get(all, Class::OtherTarget, "/secret.txt", host, &twice);
                }
            }
        }
    }
    for name in spelt("forwarded") {
        for value in [
            "host=admin.example.com",
            "for=192.0.2.1;host=\"admin.example.com\";proto=https",
            "for=192.0.2.1, host=admin.example.com",
            "host =admin.example.com",
            "for=192.0.2.1;host\t=\tadmin.example.com",
            "for=192.0.2.1;HOST = \"admin.example.com\"",
            "for=\"[2001:db8::1]\";by=host;Host=admin.example.com:443",
        ] {
            get(all, Class::OtherTarget, "/secret.txt", HOST, &format!("{name}: {value}\r\n"));
            get(all, Class::OtherTarget, "/secret.txt", HOST, &format!("{name}: for=192.0.2.1\r\n{name}: {value}\r\n"));
            get(all, Class::OtherTarget, "/secret.txt", HOST, &format!("{name}: {value}\r\n{name}: for=192.0.2.1\r\n"));
        }
    }
    // None of these is about the target; what they say of the caller is nobody's identity and no network of the policy.
    for name in [
        "x-forwarded-for",
        "x-real-ip",
        "x-client-ip",
        "true-client-ip",
        "x-forwarded-proto",
        "x-forwarded-port",
        "x-forwarded-user",
        "x-remote-user",
        "remote-user",
    ] {
        for value in ["127.0.0.1", "::1", "10.0.0.1", "localhost", "root", "https", "443"] {
            get(all, Class::OtherTarget, "/admin/secret.txt", HOST, &format!("{name}: {value}\r\n"));
        }
    }
}

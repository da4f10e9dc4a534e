//! Headers that would lead around Luigi behind HAProxy: an upgrade that hides the requests after it, and names that are Luigi's to somebody.

use luigi_runtime::Mode;
use luigi_tests::client::{Client, request};
use luigi_tests::installation::Release;
use luigi_tests::on_each_haproxy;
use luigi_tests::people::{HOST, POLICY, site};

on_each_haproxy!(backends_are_offered_no_way_around_luigi,);

fn backends_are_offered_no_way_around_luigi(release: Release) {
    let site = site();
    for mode in [Mode::Observe, Mode::Enforce] {
        site.apply(POLICY, Some(mode));
        let Some(haproxy) = site.start(site.setup(release)) else { return };
        let check = |fields: &[(&str, &str)], kept: &[&str], gone: &[&str]| {
            let response = Client::connect(haproxy.address()).exchange(&request("GET", "/open/hop", HOST, fields));
            let seen = response.text().to_lowercase();
            assert_eq!(response.status, 200, "{fields:?}");
            assert!(seen.contains("get /open/hop ") && seen.contains("x-luigi-evaluation: "), "{fields:?}: {seen}");
            for word in kept {
                assert!(seen.contains(word), "{mode:?} {fields:?}: no {word} in {seen}");
            }
            for word in gone {
                assert!(!seen.contains(word), "{mode:?} {fields:?}: {word} in {seen}");
            }
        };
        // HAProxy answers 400 to an upgrade to WebSocket without a key.
        let (upgrade, key) = (("Connection", "Upgrade"), ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="));
        check(&[upgrade, key, ("Upgrade", "websocket")], &["upgrade: websocket"], &[]);
        check(&[upgrade, key, ("Upgrade", "SPDY/3.1")], &["upgrade: spdy/3.1"], &[]);
        let settings = ("HTTP2-Settings", "AAMAAABkAAQAoAAAAAIAAAAA");
        check(&[("Connection", "Upgrade, HTTP2-Settings"), settings, ("Upgrade", "h2c")], &[], &["h2c"]);
        for value in ["H2C", "websocket, h2c", "h2c, websocket", "h2c,"] {
            check(&[upgrade, key, ("Upgrade", value)], &[], &["h2c"]);
        }
        check(&[upgrade, key, ("Upgrade", "h2c"), ("Upgrade", "websocket")], &[], &["h2c"]);
        check(&[upgrade, key, ("Upgrade", "websocket"), ("Upgrade", "h2c")], &[], &["h2c"]);

        for value in ["keep-alive", "close", "TE", "Keep-Alive, TE", "te,\tclose"] {
            check(&[("Connection", value), ("X-Other", "1")], &["x-other: 1"], &[]);
        }
        check(&[("Connection", "keep-alive, Upgrade"), key, ("Upgrade", "websocket")], &["upgrade: websocket"], &[]);
        // Who obeys would send on a request for another host, without a length, or without a credential.
        for value in [
            "x-other",
            "host",
            "content-length",
            "close, authorization",
            "keep-alive, cookie",
            "upgraded",
            "close;host",
        ] {
            check(&[("Connection", value), ("X-Other", "1")], &["x-other: 1"], &["connection: "]);
        }
        check(&[("Connection", "close"), ("Connection", "host")], &[], &["connection: host", "close, host"]);
        // Apache takes names that spaces, tabs and semicolons stand between, too.
        for value in [
            "X-Luigi-Subject",
            "x-other, x-luigi-subject",
            "x-luigi-evaluation,x-other",
            "x-other x-luigi-evaluation",
            "x-other\tX-Luigi-Evaluation",
            "x-other;x-luigi-evaluation",
        ] {
            check(&[("Connection", value)], &[], &["connection: x"]);
        }
        check(&[("Connection", "x-other"), ("Connection", "x-luigi-subject")], &[], &["x-luigi-subject"]);

        for between in "!#$%&'*+-.^_`|~".chars() {
            let name = format!("X{between}Luigi{between}Subject");
            check(&[(&name, "root"), ("X-Luigia", "root"), ("Xluigi", "kept")], &["xluigi: kept"], &["root"]);
        }
    }
}

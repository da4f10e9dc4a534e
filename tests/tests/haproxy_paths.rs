//! What is decided is what HAProxy routes by and what the backend gets: never one path decided and another forwarded.

use luigi_runtime::Mode;
use luigi_runtime::haproxy_config::ForwardedPath;
use luigi_tests::client::{Client, request};
use luigi_tests::haproxy::Setup;
use luigi_tests::installation::Release;
use luigi_tests::on_each_haproxy;
use luigi_tests::site::Site;
use luigi_tests::upstream::Upstream;

on_each_haproxy!(a_path_is_routed_and_forwarded_as_it_was_decided, a_received_path_is_forwarded_if_that_was_asked_for);

const POLICY: &str = r#"
schema = 1
[scopes.public]
hosts = "any"
paths = ["/public/**", "/files/**"]
methods = ["GET"]
[[rules]]
id = "public"
effect = "allow"
scopes = ["public"]
subject = "anyone"
"#;

/// The path of the last request that an upstream saw.
fn last_path(upstream: &Upstream) -> String {
    let seen = upstream.seen();
    let text = String::from_utf8_lossy(seen.last().expect("a request came")).into_owned();
    text.split(' ').nth(1).expect("a request line").to_owned()
}

fn a_path_is_routed_and_forwarded_as_it_was_decided(release: Release) {
    let site = Site::new();
    site.apply(POLICY, Some(Mode::Enforce));
    let admin = Upstream::start();
    let setup = Setup {
        frontend: "    use_backend admin if { path_beg /admin }\n".to_owned(),
        sections: format!("backend admin\n    server admin {}\n", admin.address()),
        ..site.setup(release)
    };
    let Some(haproxy) = site.start(setup) else { return };
    let ask = |target: &str| {
        let response = Client::connect(haproxy.address()).exchange(&request("GET", target, "shop.example.com", &[]));
        assert_eq!(response.status, 200, "{target}: {}", response.text());
    };
    for (sent, forwarded) in [
        ("/public/a?x=../y", "/public/a?x=../y"),
        ("/admin/../public/a", "/public/a"),
        ("/admin/%2e%2E/public/a?q=/admin", "/public/a?q=/admin"),
        ("/admin/x/../../public/./a/", "/public/a/"),
        ("/public//a", "/public/a"),
        ("/%70ublic/%61", "/public/a"),
        ("/files/a|b,c", "/files/a%7Cb,c"),
        ("http://shop.example.com/admin/../public/a", "/public/a"),
    ] {
        ask(sent);
        // HAProxy makes an origin-form of what it sends to servers, or leaves the authority before the path.
        let path = last_path(site.upstream());
        assert!(path == forwarded || path == format!("http://shop.example.com{forwarded}"), "{sent}: {path}");
    }
    let refused = Client::connect(haproxy.address()).exchange(&request("GET", "/admin/a", "shop.example.com", &[]));
    assert_eq!(refused.status, 403);
    assert!(admin.seen().is_empty(), "nothing that was allowed leads to /admin");

    // Observing changes nothing, not even a path.
    site.apply(POLICY, Some(Mode::Observe));
    haproxy.status_with("mode                   observe");
    ask("/admin/../public/a");
    assert_eq!(last_path(&admin), "/admin/../public/a");
}

fn a_received_path_is_forwarded_if_that_was_asked_for(release: Release) {
    let site = Site::new();
    site.apply(POLICY, Some(Mode::Enforce));
    let mut setup = site.setup(release);
    setup.options.forward = ForwardedPath::Received;
    let Some(haproxy) = site.start(setup) else { return };
    let target = "/files/%61?signature=x";
    let response = Client::connect(haproxy.address()).exchange(&request("GET", target, "shop.example.com", &[]));
    assert_eq!(response.status, 200);
    assert_eq!(last_path(site.upstream()), target);
}

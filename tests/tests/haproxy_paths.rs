//! What is decided is what HAProxy routes by and what the backend gets: never one path decided and another forwarded.

use luigi_runtime::Mode;
use luigi_runtime::facts::FactList;
use luigi_runtime::haproxy_config::ForwardedPath;
use luigi_tests::client::{Client, request};
use luigi_tests::haproxy::Setup;
use luigi_tests::installation::Release;
use luigi_tests::on_each_haproxy;
use luigi_tests::site::Site;
use luigi_tests::upstream::Upstream;
use luigi_workflow::fact_record;

on_each_haproxy!(
    a_path_is_routed_and_forwarded_as_it_was_decided,
    a_received_path_is_forwarded_if_that_was_asked_for,
    no_header_leads_a_backend_to_another_target,
    a_trusted_proxy_may_name_the_host_that_backends_get,
    no_spelling_of_a_method_override_passes_a_host_that_refuses_them
);

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
        // What RFC 3986 reserves nobody decodes on the way.
        ("/files/a%2Bb+c", "/files/a%2Bb+c"),
        ("/files/x/../a%2bb%2c%3A", "/files/a%2Bb%2C%3A"),
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

/// Symfony, IIS and others take the path from `X-Original-URL` and the host from `X-Forwarded-Host`: what was allowed was then not what was served.
fn no_header_leads_a_backend_to_another_target(release: Release) {
    let site = Site::new();
    site.apply(POLICY, Some(Mode::Enforce));
    let Some(haproxy) = site.start(site.setup(release)) else { return };
    let gone = [
        ("X-Original-URL", "/admin"),
        ("x-rewrite-url", "/admin"),
        ("X_Original_Url", "/admin"),
        ("x.forwarded.url", "/admin"),
        ("X-Original-URI", "/admin"),
        ("X-Original-Path", "/admin"),
        ("X-Original-Method", "DELETE"),
        ("X-Original-Request-URI", "/admin"),
        ("X-Envoy-Original-Path", "/admin"),
        ("X-Envoy-Original-Dst-Host", "192.0.2.1:80"),
        ("X-Forwarded-URI", "/admin"),
        ("X-Forwarded-Path", "/admin"),
        ("X-Forwarded-Method", "DELETE"),
        ("X-Forwarded-Prefix", "/public"),
        ("X-Forwarded-PathBase", "/public"),
        ("X-Forwarded-Path-Prefix", "/public"),
        ("X-Forwarded-Script-Name", "/public"),
        ("X-Forwarded-Server", "admin.example.com"),
        ("X-Rewrite-Path", "/admin"),
        ("X-Override-URL", "/admin"),
        ("X-Proxy-URL", "/admin"),
        ("X-Proxy-Host", "admin.example.com"),
        ("X-Real-URL", "/admin"),
        ("X-Replaced-Path", "/admin"),
        ("X-Request-URI", "/admin"),
        ("X-Request-Base", "https://admin.example.com/"),
        ("X-Traversal-Path", "/admin"),
        ("X-Matched-Path", "/admin"),
        ("X-Invoke-Path", "/admin"),
        ("X-Middleware-Rewrite", "/admin"),
        ("X-Middleware-Subrequest", "middleware"),
        ("X-HTTP-DestinationURL", "/admin"),
        ("X-HTTP-Path-Override", "/admin"),
        ("X-HTTP-Host-Override", "admin.example.com"),
        ("X-Host-Override", "admin.example.com"),
        ("X-Script-Name", "/public"),
        ("Script_Name", "/public"),
        ("Script-Name", "/public"),
        ("Path_Info", "/admin"),
        ("X-Forwarded-Host", "admin.example.com"),
        ("x-original-host", "admin.example.com"),
        ("X-Host", "admin.example.com"),
        ("Forwarded", "for=192.0.2.1;Host=admin.example.com"),
        ("Forwarded", "for=192.0.2.1, host =admin.example.com"),
        ("Forwarded", "for=192.0.2.1;host\t=\"admin.example.com\""),
    ];
    let kept = [
        ("x-forwarded-for", "192.0.2.1"),
        ("x-forwarded-proto", "https"),
        ("forwarded", "for=192.0.2.1"),
        ("x-hostname", "1"),
        ("x-forwarded-port", "443"),
        ("x-real-ip", "192.0.2.1"),
        ("x-request-id", "1"),
        ("x-requested-with", "XMLHttpRequest"),
        ("x-webhook-url", "https://hooks.example.com/"),
        ("x-originals-url", "1"),
        ("x-original-url-length", "1"),
        ("original-url", "1"),
        ("x-path", "1"),
        ("script", "1"),
    ];
    for mode in [Mode::Enforce, Mode::Observe] {
        site.apply(POLICY, Some(mode));
        haproxy.status_with(if mode == Mode::Enforce {
            "mode                   enforce"
        } else {
            "mode                   observe"
        });
        for (fields, is_kept) in [(&gone[..], mode == Mode::Observe), (&kept, true)] {
            for field in fields {
                let bytes = request("GET", "/public/a", "shop.example.com", &[*field]);
                let response = Client::connect(haproxy.address()).exchange(&bytes);
                assert_eq!(response.status, 200, "{field:?}");
                let seen = response.text().to_lowercase();
                let (name, value) = (field.0.to_lowercase(), field.1.to_lowercase());
                assert_eq!(seen.contains(&format!("{name}: {value}\r\n")), is_kept, "{mode:?} {field:?}: {seen}");
            }
        }
    }
}

/// What docs/HAPROXY.md says of backends that need one of these headers.
fn a_trusted_proxy_may_name_the_host_that_backends_get(release: Release) {
    let site = Site::new();
    site.apply(POLICY, Some(Mode::Enforce));
    let page =
        std::fs::read_to_string(luigi_tests::installation::workspace().join("docs/HAPROXY.md")).expect("the page");
    let line = |beginning: &str| {
        let line = page.lines().find(|line| line.trim_start().starts_with(beginning)).expect("the page has the line");
        format!("    {}\n", line.trim_start())
    };
    let before = line("http-request set-var(txn.prefix)");
    let behind = line("http-request set-header x-forwarded-prefix");
    for (trusted, expected) in [("127.0.0.0/8", true), ("192.0.2.0/24", false)] {
        let inner = Upstream::start();
        let mut setup = site.setup(release);
        setup.frontend = before.replace("192.0.2.0/24", trusted) + "    use_backend inner\n";
        setup.sections = format!("backend inner\n{behind}    server inner {}\n", inner.address());
        let Some(haproxy) = site.start(setup) else { return };
        let bytes = request("GET", "/public/a", "shop.example.com", &[("X-Forwarded-Prefix", "/shop")]);
        let seen = Client::connect(haproxy.address()).exchange(&bytes).text().to_lowercase();
        assert_eq!(seen.contains("x-forwarded-prefix: /shop\r\n"), expected, "{trusted}: {seen}");
    }
}

/// To CGI and its kin `X_HTTP_Method_Override` is the header that was looked for and not found.
fn no_spelling_of_a_method_override_passes_a_host_that_refuses_them(release: Release) {
    let site = Site::new();
    let policy = format!("{POLICY}[hosts.\"shop.example.com\"]\nmethod-override = \"refuse\"\n");
    let mut sources = luigi_core::policy::SourceSet::new();
    sources.add("policy.toml", policy.as_str());
    let facts = FactList::of_policy(&luigi_core::policy::parse(&sources).policy.expect("a policy without errors"));
    fact_record::write(&site.feed(), &facts).expect("a feed that can be written");
    site.apply(&policy, Some(Mode::Enforce));
    let mut setup = site.setup(release);
    setup.options.facts = facts;
    let Some(haproxy) = site.start(setup) else { return };
    let ask = |name: &str| {
        let bytes = request("GET", "/public/a", "shop.example.com", &[(name, "DELETE")]);
        let response = Client::connect(haproxy.address()).exchange(&bytes);
        (response.status, response.text().to_lowercase().contains("delete"))
    };
    for name in ["X-HTTP-Method-Override", "x-http-method", "X-Method-Override"] {
        assert_eq!(ask(name).0, 400, "{name}");
        for (at, _) in name.match_indices('-') {
            for between in "_.!~".chars() {
                let disguised = format!("{}{between}{}", &name[..at], &name[at + 1..]);
                assert_eq!(ask(&disguised), (200, false), "{disguised}");
                assert_eq!(ask(&disguised.replace('-', &between.to_string())), (200, false), "{disguised}");
            }
        }
    }
    for name in ["x-methods", "x-http-header", "x-method-overrides", "x_override"] {
        assert_eq!(ask(name), (200, true), "{name}");
    }
}

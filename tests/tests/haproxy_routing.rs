//! What `luigi check --haproxy` warns of is so: for each finding a real HAProxy serves what the policy denies, or sends a request to other servers
//! than those of the host that it was decided for. With the cure it no longer does, and the finding is gone.

use luigi_core::policy::model::Policy;
use luigi_core::policy::{SourceSet, parse};
use luigi_runtime::Mode;
use luigi_runtime::facts::FactList;
use luigi_runtime::haproxy_config::{backend_lines, frontend_lines};
use luigi_tests::client::{Client, Response, request};
use luigi_tests::haproxy::{Haproxy, Setup};
use luigi_tests::installation::Release;
use luigi_tests::on_each_haproxy;
use luigi_tests::site::Site;
use luigi_tests::upstream::Upstream;
use luigi_workflow::{fact_record, haproxy};
use std::path::Path;

on_each_haproxy!(
    a_frontend_without_luigis_lines_serves_what_is_denied,
    a_path_that_is_changed_afterwards_is_not_the_one_that_was_decided,
    a_path_that_is_changed_before_is_decided_instead_of_the_one_that_was_sent,
    an_answer_before_the_decision_is_given_to_anybody,
    a_header_chooses_the_servers_of_another_host,
    a_frontend_chooses_the_servers_of_another_host,
    a_spelling_of_the_host_chooses_the_servers_of_another_host,
    a_query_chooses_the_servers_of_another_host,
    a_host_that_no_line_names_gets_to_the_servers_of_another_host
);

/// Anybody may read `/public` at one host, and anything at another; nobody may anything else.
const POLICY: &str = r#"
schema = 1
[scopes.public]
hosts = ["www.example.com"]
paths = ["/public/**"]
methods = ["GET"]
[scopes.open]
hosts = ["open.example.com"]
paths = ["/**"]
methods = ["GET"]
[[rules]]
id = "visitors"
effect = "allow"
scopes = ["public", "open"]
subject = "anyone"
"#;

/// A configuration: lines of the frontend and further sections.
struct Configuration {
    frontend: String,
    sections: String,
}

/// Starts HAProxy with it; the codes of what is found in it. `None` if there is no such HAProxy here.
fn start(site: &Site, release: Release, configuration: Configuration) -> Option<(Haproxy, Vec<&'static str>)> {
    let Configuration { frontend, sections } = configuration;
    let setup = Setup { frontend, sections, ..site.setup(release) };
    let haproxy = site.start(setup)?;
    Some((haproxy, found(site, POLICY)))
}

fn parsed(policy: &str) -> Policy {
    let mut sources = SourceSet::new();
    sources.add("policy.toml", policy);
    parse(&sources).policy.expect("a policy without errors")
}

/// The codes of what is found in the configuration of a site.
fn found(site: &Site, policy: &str) -> Vec<&'static str> {
    let files = haproxy::read(&[site.path("haproxy.cfg")]).expect("HAProxy reads it, too");
    let findings = haproxy::check(&files, &parsed(policy));
    findings.diagnostics.iter().map(|item| item.code.as_str()).collect()
}

fn enforced() -> Site {
    let site = Site::new();
    site.apply(POLICY, Some(Mode::Enforce));
    site
}

fn get(haproxy: &Haproxy, target: &str, host: &str, fields: &[(&str, &str)]) -> Response {
    Client::connect(haproxy.address()).exchange(&request("GET", target, host, fields))
}

/// Whether an upstream got this request line.
fn served(upstream: &Upstream, line: &str) -> bool {
    upstream.count_with(format!("GET {line} HTTP/1.1").as_bytes()) > 0
}

fn a_frontend_without_luigis_lines_serves_what_is_denied(release: Release) {
    let site = enforced();
    let socket = site.path("inside.sock");
    let inside = |rule: &str| Configuration {
        frontend: String::new(),
        sections: format!("frontend inside\n    bind unix@{}\n{rule}    default_backend echo\n", socket.display()),
    };
    let ask = || Client::connect_unix(&socket).exchange(&request("GET", "/admin", "www.example.com", &[])).status;
    let Some((haproxy, found)) = start(&site, release, inside("")) else { return };
    assert_eq!(found, ["unguarded-frontend"]);
    assert_eq!(get(&haproxy, "/admin", "www.example.com", &[]).status, 403);
    assert_eq!(ask(), 200);
    drop(haproxy);

    let Some((_haproxy, found)) = start(&site, release, inside("    http-request deny\n")) else { return };
    assert_eq!(found, [""; 0]);
    assert_eq!(ask(), 403);
}

fn a_path_that_is_changed_afterwards_is_not_the_one_that_was_decided(release: Release) {
    let site = enforced();
    let inner = Upstream::start();
    let changed = |rule: &str| Configuration {
        frontend: "    use_backend inner if { path_beg /public }\n".to_owned(),
        sections: format!("backend inner\n{}{rule}    server inner {}\n", backend_lines(), inner.address()),
    };
    let rule = "    http-request replace-path /public(/.*) \\1\n";
    let Some((haproxy, found)) = start(&site, release, changed(rule)) else { return };
    assert_eq!(found, ["changed-after-decision"]);
    assert_eq!(get(&haproxy, "/admin", "www.example.com", &[]).status, 403);
    assert_eq!(get(&haproxy, "/public/admin", "www.example.com", &[]).status, 200);
    assert!(served(&inner, "/admin"));
    drop(haproxy);

    let Some((haproxy, found)) = start(&site, release, changed("")) else { return };
    assert_eq!(found, [""; 0]);
    assert_eq!(get(&haproxy, "/public/admin", "www.example.com", &[]).status, 200);
    assert!(served(&inner, "/public/admin"));
}

fn a_path_that_is_changed_before_is_decided_instead_of_the_one_that_was_sent(release: Release) {
    let site = enforced();
    let changed = |frontend: &str| Configuration { frontend: frontend.to_owned(), sections: String::new() };
    let rule =
        "    http-request replace-path /admin.* /public/a\n    http-request replace-path .*%2f(.*) /public/\\1\n";
    let Some((haproxy, found)) = start(&site, release, changed(rule)) else { return };
    assert_eq!(found, ["changed-before-decision", "changed-before-decision"]);
    assert_eq!(get(&haproxy, "/admin", "www.example.com", &[]).status, 200);
    // What would be refused as ambiguous is so no longer.
    assert_eq!(get(&haproxy, "/x%2fy", "www.example.com", &[]).status, 200);
    drop(haproxy);

    let Some((haproxy, found)) = start(&site, release, changed("")) else { return };
    assert_eq!(found, [""; 0]);
    assert_eq!(get(&haproxy, "/admin", "www.example.com", &[]).status, 403);
    assert_eq!(get(&haproxy, "/x%2fy", "www.example.com", &[]).status, 400);
}

fn an_answer_before_the_decision_is_given_to_anybody(release: Release) {
    let site = enforced();
    let rules = |frontend: &str| Configuration { frontend: frontend.to_owned(), sections: String::new() };
    let answering = "    http-request return status 200 content-type text/plain string secret if { path /admin }\n";
    let Some((haproxy, found)) = start(&site, release, rules(answering)) else { return };
    assert_eq!(found, ["answered-before-decision"]);
    assert_eq!(get(&haproxy, "/admin", "www.example.com", &[]).text(), "secret");
    drop(haproxy);

    let Some((haproxy, found)) = start(&site, release, rules("    http-request allow if { path_beg /a }\n")) else {
        return;
    };
    assert_eq!(found, ["answered-before-decision"]);
    assert_eq!(get(&haproxy, "/admin", "www.example.com", &[]).status, 200);
    drop(haproxy);

    let Some((haproxy, found)) = start(&site, release, rules("    http-request deny if { path /x }\n")) else { return };
    assert_eq!(found, [""; 0]);
    assert_eq!(get(&haproxy, "/admin", "www.example.com", &[]).status, 403);
}

/// The servers of `www.example.com` are those of the backend `echo`; what anybody may have at the other host, they must not be asked for.
fn a_header_chooses_the_servers_of_another_host(release: Release) {
    let site = enforced();
    let open = Upstream::start();
    let routed = |frontend: &str| Configuration {
        frontend: frontend.to_owned(),
        sections: format!("backend open\n    server open {}\n", open.address()),
    };
    let Some((haproxy, found)) = start(&site, release, routed("    use_backend open if { req.hdr(x-site) open }\n"))
    else {
        return;
    };
    assert_eq!(found, ["undecided-routing"]);
    assert_eq!(get(&haproxy, "/admin", "www.example.com", &[]).status, 403);
    assert_eq!(get(&haproxy, "/admin", "open.example.com", &[]).status, 200);
    assert!(served(site.upstream(), "/admin"), "decided for the one host, served by the other's");
    drop(haproxy);

    let by_host =
        "    use_backend open if { req.hdr(host),host_only,lower -m str open.example.com open.example.com. }\n";
    let Some((haproxy, found)) = start(&site, release, routed(by_host)) else { return };
    assert_eq!(found, [""; 0]);
    for host in ["open.example.com", "OPEN.example.com:8443", "open.example.com."] {
        assert_eq!(get(&haproxy, "/admin/b", host, &[("x-site", "www")]).status, 200, "{host}");
    }
    assert!(!served(site.upstream(), "/admin/b") && served(&open, "/admin/b"));
}

/// Both frontends have Luigi's lines. What anybody may have of one host is not what may be had of the servers of the other.
fn a_frontend_chooses_the_servers_of_another_host(release: Release) {
    let ask =
        |socket: &Path, host: &str| Client::connect_unix(socket).exchange(&request("GET", "/admin", host, &[])).status;
    let named = POLICY
        .replace("[scopes.public]\n", "[scopes.public]\nfrontends = [\"www\"]\n")
        .replace("[scopes.open]\n", "[scopes.open]\nfrontends = [\"open\"]\n");
    for (policy, expected, status) in [(POLICY, &["undecided-routing"][..], 200), (&named, &[], 403)] {
        let site = Site::new();
        let facts = FactList::of_policy(&parsed(policy));
        fact_record::write(&site.feed(), &facts).expect("a feed that can be written");
        site.apply(policy, Some(Mode::Enforce));
        let (open, socket) = (Upstream::start(), site.path("open.sock"));
        let mut setup = site.setup(release);
        setup.options.facts = facts;
        setup.sections = format!(
            "frontend open\n    bind unix@{}\n{}    default_backend open\nbackend open\n    server open {}\n",
            socket.display(),
            frontend_lines(&setup.options),
            open.address()
        );
        let Some(haproxy) = site.start(setup) else { return };
        assert_eq!(found(&site, policy), expected);
        assert_eq!(ask(&socket, "open.example.com"), 200);
        assert_eq!(get(&haproxy, "/admin", "www.example.com", &[]).status, 403);
        // The host of the one frontend at the other.
        assert_eq!(get(&haproxy, "/admin", "open.example.com", &[]).status, status);
        assert_eq!(served(site.upstream(), "/admin"), status == 200);
    }
}

fn a_spelling_of_the_host_chooses_the_servers_of_another_host(release: Release) {
    let site = enforced();
    let open = Upstream::start();
    let routed = |frontend: &str| Configuration {
        frontend: frontend.to_owned(),
        sections: format!("backend open\n    server open {}\n", open.address()),
    };
    for (condition, host) in [
        ("{ req.hdr(host) -i open.example.com }", "open.example.com:8443"),
        ("{ req.hdr(host),host_only -i open.example.com }", "open.example.com."),
        ("{ req.hdr(host) open.example.com }", "OPEN.example.com"),
        ("{ hdr_reg(host) -i ^open\\.example\\.com$ }", "open.example.com:80"),
    ] {
        let line = format!("    use_backend open if {condition}\n");
        let Some((haproxy, found)) = start(&site, release, routed(&line)) else { return };
        assert_eq!(found, ["host-spelling"], "{condition}");
        let before = site.upstream().count_with(b"GET /admin/");
        assert_eq!(get(&haproxy, "/admin/", "open.example.com", &[]).status, 200);
        assert_eq!(
            site.upstream().count_with(b"GET /admin/"),
            before,
            "{condition}: the plain host has its own servers"
        );
        assert_eq!(get(&haproxy, "/admin/", host, &[]).status, 200);
        assert_eq!(site.upstream().count_with(b"GET /admin/"), before + 1, "{condition}: {host} has those of another");
    }
}

/// Anybody may have anything on any host, but for one.
const DENYING: &str = r#"
schema = 1
[scopes.site]
hosts = "any"
paths = ["/**"]
methods = ["GET"]
[scopes.console]
hosts = ["console.example.com"]
paths = ["/**"]
methods = "any"
[[rules]]
id = "anybody"
effect = "allow"
scopes = ["site"]
subject = "anyone"
[[rules]]
id = "nobody"
effect = "deny"
scopes = ["console"]
"#;

/// What is in front of the servers of the console, which are those of the backend `echo`, and what is found in it.
fn before_the_console(site: &Site, release: Release, frontend: &str) -> Option<(Haproxy, Upstream, Vec<&'static str>)> {
    site.apply(DENYING, Some(Mode::Enforce));
    let open = Upstream::start();
    let sections = format!("backend open\n    server open {}\n", open.address());
    let setup = Setup { frontend: frontend.to_owned(), sections, ..site.setup(release) };
    let haproxy = site.start(setup)?;
    let found = found(site, DENYING);
    Some((haproxy, open, found))
}

fn a_query_chooses_the_servers_of_another_host(release: Release) {
    let site = Site::new();
    let by_query = "    use_backend open unless { urlp(console) 1 }\n";
    let Some((haproxy, _open, found)) = before_the_console(&site, release, by_query) else { return };
    assert_eq!(found, ["undecided-routing"]);
    assert_eq!(get(&haproxy, "/a", "console.example.com", &[]).status, 403);
    assert_eq!(get(&haproxy, "/a?console=1", "www.example.com", &[]).status, 200);
    assert!(served(site.upstream(), "/a?console=1"));
}

fn a_host_that_no_line_names_gets_to_the_servers_of_another_host(release: Release) {
    let site = Site::new();
    let open = "    use_backend open if { req.hdr(host),host_only,lower -m str www.example.com www.example.com. }\n";
    let Some((haproxy, _open, found)) = before_the_console(&site, release, open) else { return };
    assert_eq!(found, ["left-over-host"]);
    assert_eq!(get(&haproxy, "/a", "console.example.com", &[]).status, 403);
    assert_eq!(get(&haproxy, "/a", "made-up.example.com", &[]).status, 200);
    assert!(served(site.upstream(), "/a"));
    drop(haproxy);

    let refused = format!(
        "    http-request deny unless {{ req.hdr(host),host_only,lower -m str www.example.com www.example.com. console.example.com console.example.com. }}\n{open}"
    );
    let Some((haproxy, open, found)) = before_the_console(&site, release, &refused) else { return };
    assert_eq!(found, [""; 0]);
    assert_eq!(get(&haproxy, "/b", "made-up.example.com", &[]).status, 403);
    assert_eq!(get(&haproxy, "/b", "www.example.com", &[]).status, 200);
    assert!(!served(site.upstream(), "/b") && served(&open, "/b"));
}

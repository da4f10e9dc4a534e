//! Scopes that name frontends, through a real HAProxy whose frontends have different backends: what is decided is what is routed.

use luigi_runtime::Mode;
use luigi_runtime::facts::FactList;
use luigi_runtime::haproxy_config::{LOG_FORMAT, frontend_lines};
use luigi_tests::client::{Client, request};
use luigi_tests::haproxy::{Haproxy, Setup};
use luigi_tests::installation::Release;
use luigi_tests::on_each_haproxy;
use luigi_tests::people::{ISSUER, ada, bearer, reason, signer, site};
use luigi_tests::site::Site;
use luigi_tests::upstream::Upstream;
use luigi_workflow::apply::ApplyErrorKind;
use luigi_workflow::fact_record;

on_each_haproxy!(
    every_host_is_decided_as_the_frontend_is_routed,
    a_frontend_that_does_not_say_its_name_opens_nothing,
    a_fresh_configuration_says_the_name_too
);

const WWW: &str = "www.example.com";
const CONSOLE: &str = "console.example.com";
const BOTH: &str = "both.example.com";

fn policy() -> String {
    format!(
        r#"
schema = 1
[issuers.corp]
url = "{ISSUER}"
audiences = ["app"]
[groups]
staff = "staff"
[scopes.shop]
hosts = ["{WWW}"]
frontends = ["www"]
paths = ["/a/**"]
methods = "any"
[scopes.console]
hosts = ["{CONSOLE}"]
frontends = ["admin"]
paths = ["/a/**"]
methods = "any"
privileged = true
[scopes.both]
hosts = ["{BOTH}"]
frontends = ["www", "admin"]
paths = ["/a/**"]
methods = "any"
[scopes.health]
hosts = "any"
operations = ["GET /healthz/*"]
[[rules]]
id = "shop"
effect = "allow"
scopes = ["shop"]
subject = "anyone"
[[rules]]
id = "console"
effect = "allow"
scopes = ["console"]
subject = {{ groups = ["staff"] }}
[[rules]]
id = "both"
effect = "allow"
scopes = ["both"]
subject = "anyone"
[[rules]]
id = "health"
effect = "allow"
scopes = ["health"]
subject = "anyone"
"#
    )
}

/// A HAProxy with three frontends: `www` in front of the site's upstream, `admin` in front of another, and a `listen` section that no scope names
/// in front of a third. None of them looks at the host.
struct Estate {
    site: Site,
    setup: Setup,
    admin: Upstream,
    edge: Upstream,
}

impl Estate {
    fn new(release: Release, facts: &FactList) -> Self {
        let site = site();
        let (admin, edge) = (Upstream::start(), Upstream::start());
        let mut setup = site.setup(release);
        setup.options.facts = facts.clone();
        let lines = format!("    log-format \"{LOG_FORMAT}\"\n{}", frontend_lines(&setup.options));
        let folder = site.folder().display();
        setup.sections = format!(
            "frontend admin\n    bind unix@{folder}/admin.sock mode 666\n{lines}    default_backend console\n\n\
             backend console\n    server admin {admin}\n\n\
             listen edge\n    bind unix@{folder}/edge.sock mode 666\n{lines}    server edge {edge}\n",
            admin = admin.address(),
            edge = edge.address(),
        );
        Self { site, setup, admin, edge }
    }

    /// The backends, by the names of their frontends.
    fn backends(&self) -> [(&'static str, &Upstream); 3] {
        [("www", self.site.upstream()), ("admin", &self.admin), ("edge", &self.edge)]
    }

    /// The status, or the reason of a refusal.
    fn ask(&self, haproxy: &Haproxy, frontend: &str, host: &str, path: &str) -> String {
        let token = bearer(&signer(), &ada());
        let bytes = request("GET", path, host, &[("authorization", &token)]);
        let response = match frontend {
            "www" => Client::connect(haproxy.address()).exchange(&bytes),
            other => Client::connect_unix(&self.site.path(&format!("{other}.sock"))).exchange(&bytes),
        };
        let refused = reason(&response);
        if refused.is_empty() { response.status.to_string() } else { refused }
    }
}

fn frontend_fact() -> FactList {
    FactList::parse("frontend").expect("a fact")
}

/// Which rule lets a request through that came in at this frontend for this host; none where it goes to a backend that is not the host's.
fn expected(frontend: &str, host: &str, path: &str) -> Option<&'static str> {
    match (frontend, host) {
        _ if path.starts_with("/healthz/") => Some("health"),
        ("www", WWW) => Some("shop"),
        ("admin", CONSOLE) => Some("console"),
        ("www" | "admin", BOTH) => Some("both"),
        _ => None,
    }
}

fn every_host_is_decided_as_the_frontend_is_routed(release: Release) {
    let estate = Estate::new(release, &frontend_fact());
    // A policy that names frontends waits until the lines carry them.
    fact_record::write(&estate.site.feed(), &FactList::default()).expect("a feed that can be written");
    let refused = estate.site.try_apply(&policy(), Some(Mode::Enforce)).expect_err("the lines do not carry it");
    assert_eq!(refused.kind(), ApplyErrorKind::Facts, "{refused}");
    fact_record::write(&estate.site.feed(), &frontend_fact()).expect("a feed that can be written");
    estate.site.apply(&policy(), Some(Mode::Enforce));
    let Some(haproxy) = estate.site.start(estate.setup.clone()) else { return };

    let mut pairs = 0;
    for (frontend, _) in estate.backends() {
        for (n, host) in
            [WWW, CONSOLE, BOTH, "other.example.com", "admin", "127.0.0.1", "WWW.example.com:8443"].iter().enumerate()
        {
            for path in [format!("/a/{frontend}-{n}"), format!("/healthz/{frontend}-{n}")] {
                let canonical = if host.starts_with("WWW") { WWW } else { *host };
                let rule = expected(frontend, canonical, &path);
                let answered = estate.ask(&haproxy, frontend, host, &path);
                assert_eq!(
                    answered,
                    if rule.is_some() { "200" } else { "no-rule-allows" },
                    "{host}{path} at {frontend}"
                );
                let line = haproxy.log_line(&[&format!(" {path} ")]);
                assert!(
                    line.contains(&format!(" rule={} ", rule.unwrap_or("-"))),
                    "{host}{path} at {frontend}: {line}"
                );
                // Whatever is served is served by the backend of the frontend; what is refused by none.
                for (name, backend) in estate.backends() {
                    let served = usize::from(name == frontend && rule.is_some());
                    assert_eq!(
                        backend.count_with(path.as_bytes()),
                        served,
                        "{host}{path} at {frontend}, backend of {name}"
                    );
                }
                pairs += 1;
            }
        }
    }
    assert_eq!(pairs, 3 * 7 * 2);
    // That a scope is privileged counts where it is.
    assert!(haproxy.ask("luigi explain GET https://console.example.com/a frontend=admin").contains("(privileged)"));
    let elsewhere = haproxy.ask("luigi explain GET https://console.example.com/a frontend=www");
    assert!(
        elsewhere.contains("not `console`, which is at `admin` only") && !elsewhere.contains("(privileged)"),
        "{elsewhere}"
    );
}

fn a_frontend_that_does_not_say_its_name_opens_nothing(release: Release) {
    let mut estate = Estate::new(release, &FactList::default());
    estate.setup.options.facts = frontend_fact();
    fact_record::write(&estate.site.feed(), &frontend_fact()).expect("a feed that can be written");
    estate.site.apply(&policy(), Some(Mode::Enforce));
    let Some(haproxy) = estate.site.start(estate.setup.clone()) else { return };
    for (frontend, host, path, answered) in [
        ("www", WWW, "/a/1", "200"),
        ("admin", CONSOLE, "/a/2", "frontend-unknown"),
        ("admin", WWW, "/healthz/3", "200"),
        ("admin", "other.example.com", "/a/4", "no-rule-allows"),
        ("admin", "other.example.com", "/healthz/5", "200"),
    ] {
        assert_eq!(estate.ask(&haproxy, frontend, host, path), answered, "{host}{path} at {frontend}");
    }
    assert_eq!(estate.admin.count_with(b"/"), 2);
    haproxy.status_with("lines lack             frontend");
    // What observing lets through is told all the same.
    estate.site.apply(&policy(), Some(Mode::Observe));
    haproxy.status_with("mode                   observe");
    assert_eq!(estate.ask(&haproxy, "admin", CONSOLE, "/a/6"), "200");
    let line = haproxy.log_line(&[" /a/6 "]);
    assert!(line.contains("decision=deny") && line.contains("reason=frontend-unknown"), "{line}");
}

/// The lines in a `defaults` section name the frontend that takes them from there.
fn a_fresh_configuration_says_the_name_too(release: Release) {
    let site = site();
    fact_record::write(&site.feed(), &frontend_fact()).expect("a feed that can be written");
    site.apply(&policy(), Some(Mode::Enforce));
    let mut setup = site.setup(release);
    setup.options.facts = frontend_fact();
    setup.integration = luigi_tests::haproxy::Integration::Defaults;
    let Some(haproxy) = site.start(setup) else { return };
    let ask = |host: &str| Client::connect(haproxy.address()).exchange(&request("GET", "/a/1", host, &[])).status;
    assert_eq!((ask(WWW), ask(BOTH), ask(CONSOLE)), (200, 200, 403));
}

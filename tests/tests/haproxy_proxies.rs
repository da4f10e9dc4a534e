//! Trusted proxies through a real HAProxy: whose `X-Forwarded-For` counts, and what of it.

use luigi_runtime::Mode;
use luigi_runtime::facts::FactList;
use luigi_tests::client::{Client, request};
use luigi_tests::installation::Release;
use luigi_tests::on_each_haproxy;
use luigi_tests::people::{HOST, reason};
use luigi_tests::site::Site;
use luigi_workflow::apply::ApplyErrorKind;
use luigi_workflow::fact_record;

on_each_haproxy!(a_declared_proxy_says_where_requests_come_from, the_header_of_anybody_else_means_nothing);

/// The tests' own address is in 127.0.0.0/8.
fn policy(proxies: &str) -> String {
    format!(
        r#"
schema = 1
[networks]
proxies = ["{proxies}"]
office = ["203.0.113.0/24"]
[proxies.front]
networks = ["proxies"]
source = "x-forwarded-for"
[scopes.open]
hosts = "any"
paths = ["/open/**"]
methods = "any"
[[rules]]
id = "open"
effect = "allow"
scopes = ["open"]
subject = "anyone"
from = ["office"]
"#
    )
}

/// The status or the reason of a refusal, for each of these lists of lines.
fn check(release: Release, proxies: &str, cases: &[(&[&str], &str, &str)]) {
    let site = Site::new();
    let policy = policy(proxies);
    fact_record::write(&site.feed(), &FactList::default()).expect("a feed that can be written");
    let refused = site.try_apply(&policy, Some(Mode::Enforce)).expect_err("the lines do not carry the header");
    assert_eq!(refused.kind(), ApplyErrorKind::Facts, "{refused}");
    let facts = FactList::parse("header:x-forwarded-for").expect("a header");
    fact_record::write(&site.feed(), &facts).expect("a feed that can be written");
    site.apply(&policy, Some(Mode::Enforce));
    let mut setup = site.setup(release);
    setup.options.facts = facts;
    let Some(haproxy) = site.start(setup) else { return };
    for (n, (lines, expected, source)) in cases.iter().enumerate() {
        let fields: Vec<(&str, &str)> = lines.iter().map(|line| ("X-Forwarded-For", *line)).collect();
        let path = format!("/open/{n}");
        let response = Client::connect(haproxy.address()).exchange(&request("GET", &path, HOST, &fields));
        let refused = reason(&response);
        let found = if refused.is_empty() { response.status.to_string() } else { refused };
        assert_eq!(found, *expected, "{lines:?}");
        let line = haproxy.log_line(&[&format!("{path} ")]);
        assert!(line.contains(&format!(" source={source}")), "{lines:?}: {line}");
    }
}

fn a_declared_proxy_says_where_requests_come_from(release: Release) {
    check(
        release,
        "127.0.0.0/8",
        &[
            (&["203.0.113.9"], "200", "203.0.113.9 "),
            (&["198.51.100.1, 203.0.113.9"], "200", "203.0.113.9 "),
            (&["203.0.113.9, 198.51.100.1"], "no-rule-allows", "198.51.100.1 "),
            (&["198.51.100.1", "203.0.113.9, 127.0.0.7"], "200", "203.0.113.9 "),
            (&["203.0.113.9:4711", "127.0.0.7"], "200", "203.0.113.9 "),
            (&["203.0.113.9", "127.0.0.8", "127.0.0.7"], "allow-rule-unknown", "- "),
            (&["203.0.113.9", "rubbish"], "allow-rule-unknown", "- "),
            (&["unknown"], "allow-rule-unknown", "- "),
            (&[], "allow-rule-unknown", "- "),
        ],
    );
}

fn the_header_of_anybody_else_means_nothing(release: Release) {
    let cases: &[(&[&str], &str, &str)] = &[
        (&["203.0.113.9"], "no-rule-allows", "127."),
        (&["203.0.113.9", "10.0.0.1"], "no-rule-allows", "127."),
        (&[], "no-rule-allows", "127."),
    ];
    check(release, "10.0.0.0/8", cases);
}

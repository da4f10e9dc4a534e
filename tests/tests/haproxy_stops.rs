//! Incident stops while HAProxy runs and requests come: in force without another policy, and gone when they are lifted.

use luigi_runtime::Mode;
use luigi_runtime::answer_line::Field;
use luigi_tests::feed::numbered_policy;
use luigi_tests::haproxy::Setup;
use luigi_tests::installation::Release;
use luigi_tests::load::{Load, TELLING};
use luigi_tests::on_each_haproxy;
use luigi_tests::site::Site;
use luigi_workflow::stops::{StopRequest, StopWhat, StopsFeed, UnstopRequest, stop, unstop};

on_each_haproxy!(a_stop_takes_effect_while_traffic_flows, a_stop_that_is_observed_lets_pass_and_counts);

fn at(site: &Site) -> StopsFeed {
    StopsFeed { feed: site.feed(), key: site.path("feed.key"), ledger: None }
}

fn of_scope(name: &str) -> StopRequest {
    StopRequest {
        what: StopWhat::Scope(name.to_owned()),
        until: luigi_runtime::now().plus_seconds(3600),
        reason: "INC-4711".to_owned(),
        by: "test".to_owned(),
    }
}

fn a_stop_takes_effect_while_traffic_flows(release: Release) {
    const CLIENTS: usize = 2;
    let site = Site::new();
    site.apply(&numbered_policy(1), Some(Mode::Enforce));
    let setup = Setup { frontend: TELLING.to_owned(), ..site.setup(release) };
    let Some(haproxy) = site.start(setup) else { return };
    let worker = haproxy.worker();
    let load = Load::start(haproxy.address(), CLIENTS);
    load.go_on(10);
    let stopped = stop(&at(&site), &of_scope("open")).expect("the stop is made");
    haproxy.status_with("stops in force         1");
    load.go_on(10);
    // Another policy keeps it.
    site.apply(&numbered_policy(2), None);
    haproxy.status_with("generation             3");
    haproxy.status_with("stops in force         1");
    load.go_on(10);
    let lift =
        UnstopRequest { id: stopped.stop.id.clone(), reason: "INC-4711 is over".to_owned(), by: "test".to_owned() };
    unstop(&at(&site), &lift).expect("the stop is lifted");
    haproxy.status_with("stops in force         0");
    load.go_on(10);
    let answers = load.finish();
    assert_eq!(haproxy.worker(), worker);
    for (client, given) in answers.iter().enumerate() {
        let mut seen: Vec<(u16, &str)> = given.iter().map(|given| (given.status, given.field(Field::Reason))).collect();
        seen.dedup();
        assert_eq!(seen, [(200, "allowed-by-rule"), (403, "stopped"), (200, "allowed-by-rule")], "client {client}");
    }
    haproxy.status_with("versions in memory     1");
    haproxy.status_with("failures               0");
}

fn a_stop_that_is_observed_lets_pass_and_counts(release: Release) {
    let site = Site::new();
    site.apply(&numbered_policy(1), Some(Mode::Observe));
    stop(&at(&site), &of_scope("open")).expect("the stop is made");
    let setup = Setup { frontend: TELLING.to_owned(), ..site.setup(release) };
    let Some(haproxy) = site.start(setup) else { return };
    let load = Load::start(haproxy.address(), 1);
    load.go_on(3);
    let answers = load.finish();
    assert!(
        answers[0].iter().all(|given| (given.status, given.field(Field::Reason)) == (200, "stopped")),
        "{answers:?}"
    );
    haproxy.status_with("would be refused");
    haproxy.status_with("decision               stopped");
}

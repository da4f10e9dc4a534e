//! No request gets around a rule: thousands of attacks, byte for byte, through real HAProxy with Luigi, in front of nginx, Apache httpd, a strict and a
//! lenient application server. What came of them is recorded in docs/SECURITY-TESTS.md.
//!
//! While enforcing no attack may reach what the policy denies, or bring an identity of its own to a server. That the attacks are good ones is seen while
//! Luigi observes, and behind HAProxy's own `path_beg`: there many do.

mod application;
mod corpus;
mod estate;
mod exchange;
mod files;
mod http2;
mod page;
mod readings;

use corpus::{Attack, Class, attacks};
use estate::{ADMIN_HOST, Backend, Entrance, Estate, Guard, HOST, LAX_HOST, LEGACY_HOST, Lines, MADE_UP_HOST};
use exchange::{Answer, End, Wire, exchange};
use luigi_runtime::Mode;
use luigi_tests::installation::Release;
use luigi_tests::on_each_haproxy;
use luigi_tests::people::{ada, bearer, signer};
use page::Table;
use std::thread;
use std::time::Instant;

on_each_haproxy!(no_attack_reaches_what_is_denied, other_lines_let_no_attack_through_either);

/// What one attack came to at one server.
#[derive(Clone, Copy, Debug)]
struct Result {
    end: End,
    /// It reached what only staff may have, or its forged identity a server.
    reached: bool,
}

fn no_attack_reaches_what_is_denied(release: Release) {
    let started = Instant::now();
    let Some(estate) = Estate::start(release, Lines::Pasted) else { return };
    let attacks = attacks();
    plain_requests_come_out_as_the_policy_says(&estate);

    let enforced = run(&estate, Guard::Luigi, &attacks);
    plain_requests_come_out_as_the_policy_says(&estate);
    estate.haproxy.status_with("failures               0");
    estate.set_mode(Mode::Observe);
    let observed = run(&estate, Guard::Luigi, &attacks);
    let path_beg = run(&estate, Guard::PathBeg, &attacks);
    estate.haproxy.status_with("failures               0");

    let mut table = Table::new();
    for (index, attack) in attacks.iter().enumerate() {
        let of =
            |results: &[Vec<Result>]| -> Vec<Result> { results.iter().map(|of_backend| of_backend[index]).collect() };
        let reached = |results: &[Vec<Result>]| usize::from(of(results).iter().any(|result| result.reached));
        let outcomes = table.entry(attack.class).or_default();
        outcomes.attacks += 1;
        outcomes.served += reached(&enforced);
        outcomes.observed += reached(&observed);
        outcomes.path_beg += reached(&path_beg);
        outcomes.add(of(&enforced)[0].end);
    }
    for (attack, result) in enforced.iter().flat_map(|of_backend| attacks.iter().zip(of_backend)) {
        if result.reached {
            eprintln!("{:?} {}", attack.class, attack.bytes.escape_ascii());
        }
    }
    let by_server = observed.iter().map(|results| results.iter().filter(|result| result.reached).count());
    let by_server: Vec<_> = Backend::ALL.map(Backend::name).into_iter().zip(by_server).collect();
    let text = page::render(&table, &by_server);
    println!("{release:?}, {} attacks in {} s\n{text}", attacks.len(), started.elapsed().as_secs());
    assert_eq!(table.values().map(|outcomes| outcomes.served).sum::<usize>(), 0, "see above");
    for (class, outcomes) in &table {
        assert!(outcomes.observed + outcomes.path_beg > 0, "no attack of {class:?} would reach anything anywhere");
    }
    assert!(by_server.iter().all(|(_, reached)| *reached > 500), "{by_server:?}");
    let observed: usize = table.values().map(|outcomes| outcomes.observed).sum();
    assert!(observed * 3 > attacks.len(), "only {observed} attacks are any good");
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        page::record(release, &text);
    }
}

/// A sample of every class, where the lines stand in a `defaults` section and print no headers, decisions are recorded, and the policy was observed in between.
fn other_lines_let_no_attack_through_either(release: Release) {
    let Some(estate) = Estate::start(release, Lines::FromDefaults) else { return };
    // Observed and enforced again, as it goes on the day of the change.
    estate.set_mode(Mode::Observe);
    estate.set_mode(Mode::Enforce);
    plain_requests_come_out_as_the_policy_says(&estate);
    let sample: Vec<Attack> = attacks().into_iter().step_by(11).collect();
    let results = run(&estate, Guard::Luigi, &sample);
    let served =
        results.iter().flat_map(|of_backend| sample.iter().zip(of_backend)).filter(|(_, result)| result.reached);
    let served: Vec<String> =
        served.map(|(attack, _)| format!("{:?} {}", attack.class, attack.bytes.escape_ascii())).collect();
    assert!(served.is_empty(), "{}", served.join("\n"));
    for class in Class::ALL {
        assert!(sample.iter().any(|attack| attack.class == class), "none of {class:?}");
    }
    estate.haproxy.status_with("failures               0");
    println!("{release:?}, from `defaults`: {} attacks", sample.len());
}

/// The page is about these attacks, and says that none of them was served.
#[test]
fn the_page_is_of_this_corpus() {
    let expected = page::counts_of(&attacks());
    for release in [Release::Debian12, Release::Debian13] {
        let table = page::recorded(release);
        assert_eq!(page::counts(&table), expected, "{release:?}: make security-tests");
        let served = |row: &str| row.split(" | ").nth(6).map(str::to_owned);
        let mut rows = table.lines().skip(2).filter(|row| row.starts_with('|'));
        assert!(rows.all(|row| served(row).as_deref() == Some("0")), "{table}");
    }
    assert_eq!(expected.len(), Class::ALL.len());
    assert!(attacks().len() > 5_000);
}

/// Sends each attack to each server: for each server what came of each attack.
fn run(estate: &Estate, guard: Guard, attacks: &[Attack]) -> Vec<Vec<Result>> {
    thread::scope(|scope| {
        let runs = Backend::ALL.map(|backend| scope.spawn(move || run_at(estate, guard, backend, attacks)));
        runs.into_iter().map(|run| run.join().expect("the attacks on one server end")).collect()
    })
}

fn run_at(estate: &Estate, guard: Guard, backend: Backend, attacks: &[Attack]) -> Vec<Result> {
    let mut before = estate.breaches(backend);
    attacks
        .iter()
        .map(|attack| {
            let socket = estate.socket(guard, attack.entrance, backend, attack.wire);
            let answer = exchange(&socket, attack.wire, &attack.bytes);
            let after = estate.breaches(backend);
            let reached = answer.has_mark() || after > before;
            before = after;
            Result { end: answer.end(), reached }
        })
        .collect()
}

fn ask(estate: &Estate, entrance: Entrance, backend: Backend, (target, host): (&str, &str), fields: &str) -> Answer {
    let request = format!("GET {target} HTTP/1.1\r\nhost: {host}\r\n{fields}\r\n");
    exchange(&estate.socket(Guard::Luigi, entrance, backend, Wire::Http1), Wire::Http1, request.as_bytes())
}

/// What is allowed passes, staff get the secret, nobody else does: the mark can be found, and Luigi is at work.
fn plain_requests_come_out_as_the_policy_says(estate: &Estate) {
    let staff = format!("authorization: {}\r\n", bearer(&signer(), &ada()));
    for backend in Backend::ALL {
        for (entrance, host) in
            [HOST, LEGACY_HOST, LAX_HOST, MADE_UP_HOST].iter().flat_map(|host| Entrance::ALL.map(|it| (it, *host)))
        {
            let public = ask(estate, entrance, backend, ("/public/a.txt", host), "");
            assert!(public.end() == End::Passed && !public.has_mark(), "{backend:?} {host}: {}", public.shown());
            let denied = ask(estate, entrance, backend, ("/admin/secret.txt", host), "");
            assert_eq!(denied.end(), End::Rules, "{entrance:?} {backend:?} {host}: {}", denied.shown());
        }
        for (entrance, target, host, fields) in [
            (Entrance::Site, "/admin/secret.txt", HOST, staff.as_str()),
            (Entrance::Site, "/secret.txt", ADMIN_HOST, &staff),
            (Entrance::Office, "/secret.txt", ADMIN_HOST, ""),
        ] {
            let secret = ask(estate, entrance, backend, (target, host), fields);
            assert!(secret.end() == End::Passed && secret.has_mark(), "{backend:?} {host}: {}", secret.shown());
        }
    }
}

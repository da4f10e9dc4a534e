//! HAProxy with Luigi beside what else one could put there, on the same policy, requests and tokens: HAProxy's own maps and `jwt_verify`, an nginx that HAProxy
//! asks, and Envoy.
//!
//! Every request of the workload goes through every setup once, and what passes is compared with the oracle, before anything is measured.

use crate::estate::Estate;
use crate::load::{self, Client, Expected};
use crate::process::{self, Site};
use crate::{envoy, haproxy, median, nginx};
use std::net::SocketAddr;
use std::time::Duration;

/// Rules of the policy.
const RULES: usize = 1_000;

/// A proxy in front of the upstream, ready to be asked.
pub(crate) struct Setup {
    /// What the table calls it.
    pub(crate) name: String,
    pub(crate) address: SocketAddr,
    /// All processes that a request costs something, but for the upstream.
    pub(crate) processes: Vec<process::Running>,
    /// Which setup does the same without deciding.
    pub(crate) bare: usize,
    pub(crate) expected: Expected,
}

struct Figures {
    cpu: Vec<f64>,
    latencies: Vec<Duration>,
}

/// Compares all answers, measures all setups and prints the table.
pub(crate) fn run(short: bool) {
    let (rounds, requests, single) = if short { (1, 320, 50) } else { (7, 8_000, 1_000) };
    let estate = Estate::new(RULES);
    let site = Site::new();
    let upstream = haproxy::upstream(&site);
    let mut setups = haproxy::setups(&site, &estate, upstream.address);
    match nginx::setup(&site, &estate, upstream.address) {
        Some(setup) => setups.push(setup),
        None => println!("nginx is not installed and takes no part.\n"),
    }
    match envoy::setups(&site, &estate, upstream.address, setups.len()) {
        Some(more) => setups.extend(more),
        None => println!("Envoy takes no part: LUIGI_ENVOY names no binary.\n"),
    }

    let calls = if short { 64 } else { estate.requests.len() };
    let answers: Vec<_> = setups.iter().map(|setup| differing(setup, &estate, calls)).collect();
    let mut clients: Vec<_> = setups.iter().map(|setup| Client::new(setup.address, &estate.passing)).collect();
    let mut figures: Vec<_> = setups.iter().map(|_| Figures { cpu: Vec::new(), latencies: Vec::new() }).collect();
    for round in 0..=rounds {
        for ((setup, client), figures) in setups.iter().zip(&mut clients).zip(&mut figures) {
            let cpu = client.cpu_of(requests, || setup.cpu());
            let latencies = client.ask_one_by_one(single);
            // The first round warms up: pages, caches, tokens.
            if round > 0 {
                figures.cpu.push(cpu);
                figures.latencies.extend(latencies);
            }
        }
    }
    report(&setups, &mut figures, &answers);
}

impl Setup {
    fn cpu(&self) -> Duration {
        self.processes.iter().map(process::Running::cpu).sum()
    }
}

/// How many answers are not the oracle's, if this setup decides at all; of so many.
fn differing(setup: &Setup, estate: &Estate, calls: usize) -> Option<(usize, usize)> {
    let requests = &estate.requests[..calls];
    let passed: Vec<bool> = requests.iter().map(|request| load::passes(setup.address, &request.text)).collect();
    let differ = requests.iter().zip(&passed).filter(|(request, passed)| request.allowed != **passed).count();
    match setup.expected {
        Expected::Decides => {
            assert!(differ == 0, "`{}`: {differ} of {calls} answers are not the oracle's", setup.name);
            Some((differ, calls))
        }
        Expected::KnowsNobody => Some((differ, calls)),
        Expected::LetsAllPass => {
            assert!(passed.iter().all(|passed| *passed), "`{}` is to let everything pass", setup.name);
            None
        }
    }
}

fn report(setups: &[Setup], figures: &mut [Figures], answers: &[Option<(usize, usize)>]) {
    println!(
        "| setup | CPU a request, µs | added | latency, median, µs | 99th percentile | answers unlike the oracle's |"
    );
    println!("|---|---:|---:|---:|---:|---:|");
    let medians: Vec<f64> = figures
        .iter_mut()
        .map(|one| {
            one.latencies.sort();
            median(&mut one.cpu)
        })
        .collect();
    for (at, setup) in setups.iter().enumerate() {
        let latency = |of: usize| {
            let latencies = &figures[at].latencies;
            latencies[(latencies.len() * of / 100).min(latencies.len() - 1)].as_secs_f64() * 1e6
        };
        let added = if setup.bare == at { String::new() } else { format!("{:+.1}", medians[at] - medians[setup.bare]) };
        let answers = answers[at].map_or("decides nothing".to_owned(), |(differ, of)| format!("{differ} of {of}"));
        println!(
            "| {} | {:.1} | {added} | {:.0} | {:.0} | {answers} |",
            setup.name,
            medians[at],
            latency(50),
            latency(99)
        );
    }
}

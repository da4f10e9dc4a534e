//! What runs side by side: each engine behind one trait, whole or divided by hand into one engine for each host.
//!
//! A decision begins with the request in the engine's own types: everything that can be prepared for a peer is prepared before the clock starts (split paths, the
//! names of networks where a language cannot look at addresses, which regular expressions fit where it has none). Luigi alone begins with bytes.

pub mod casbin;
pub mod cedar;
pub mod cel;
pub mod luigi;
pub mod rego;

use luigi_bench::mixed::{Mixed, NETWORKS, Paths, Person, Rule};
use std::collections::HashMap;
use std::net::IpAddr;

/// Something that decides the requests of a workload.
pub trait Engine {
    /// Whether the request with this number passes.
    fn allows(&mut self, request: usize) -> bool;
}

/// An engine of another house.
pub trait Peer: Sized {
    /// A request in its own types.
    type Input;

    /// An engine with these rules of the workload.
    fn new(workload: &Mixed, rules: &[&Rule]) -> Self;
    /// All requests of a workload.
    fn inputs(workload: &Mixed) -> Vec<Self::Input>;
    /// Whether a request passes.
    fn allows(&mut self, input: &Self::Input) -> bool;
}

/// One engine with all rules.
pub struct Whole<P: Peer> {
    engine: P,
    inputs: Vec<P::Input>,
}

impl<P: Peer> Whole<P> {
    pub fn new(workload: &Mixed) -> Self {
        let rules: Vec<_> = workload.rules.iter().collect();
        Self { engine: P::new(workload, &rules), inputs: P::inputs(workload) }
    }
}

impl<P: Peer> Engine for Whole<P> {
    fn allows(&mut self, request: usize) -> bool {
        self.engine.allows(&self.inputs[request])
    }
}

/// One engine for each host, found in a hash table; a host without one is refused.
pub struct ByHost<P: Peer> {
    engines: HashMap<String, P>,
    hosts: Vec<String>,
    inputs: Vec<P::Input>,
}

impl<P: Peer> ByHost<P> {
    pub fn new(workload: &Mixed) -> Self {
        let mut rules: HashMap<&str, Vec<&Rule>> = HashMap::new();
        for rule in &workload.rules {
            rules.entry(&rule.host).or_default().push(rule);
        }
        let engines = rules.into_iter().map(|(host, rules)| (host.to_owned(), P::new(workload, &rules))).collect();
        let hosts = workload.calls.iter().map(|call| call.host.clone()).collect();
        Self { engines, hosts, inputs: P::inputs(workload) }
    }
}

impl<P: Peer> Engine for ByHost<P> {
    fn allows(&mut self, request: usize) -> bool {
        self.engines.get_mut(&self.hosts[request]).is_some_and(|engine| engine.allows(&self.inputs[request]))
    }
}

/// What peers are told of a request: its parts, ready to be compared.
pub struct Prepared<'a> {
    pub method: &'static str,
    pub host: &'a str,
    /// In canonical form, without the query.
    pub path: &'a str,
    pub segments: Vec<&'a str>,
    pub source: IpAddr,
    pub person: Option<(usize, &'a Person)>,
}

impl<'a> Prepared<'a> {
    /// The requests of a workload.
    pub fn all(workload: &'a Mixed) -> impl Iterator<Item = Self> {
        workload.calls.iter().map(|call| {
            let path = call.target.split('?').next().expect("the first part is always there");
            Self {
                method: call.method,
                host: &call.host,
                path,
                segments: path[1..].split('/').collect(),
                source: call.source,
                person: call.person.map(|number| (number, &workload.people[number])),
            }
        })
    }

    /// The names of the networks that it comes from.
    pub fn networks(&self) -> Vec<&'static str> {
        let IpAddr::V4(source) = self.source else { return Vec::new() };
        let within = |range: &str| {
            let (network, bits) = range.split_once('/').expect("a range has a length");
            let (network, bits): (std::net::Ipv4Addr, u32) =
                (network.parse().expect("an address"), bits.parse().expect("a length"));
            source.to_bits() >> (32 - bits) == network.to_bits() >> (32 - bits)
        };
        NETWORKS.iter().filter(|(_, range)| within(range)).map(|(name, _)| *name).collect()
    }

    /// The groups of whoever asks.
    pub fn groups(&self) -> &'a [String] {
        self.person.map_or(&[], |(_, person)| &person.groups)
    }
}

/// The range of a network.
pub fn range(name: &str) -> &'static str {
    NETWORKS.iter().find(|(other, _)| *other == name).expect("a network of the workload").1
}

/// The segments of a template; `None` is any one.
pub fn segments(template: &str) -> impl Iterator<Item = Option<&str>> {
    template[1..].split('/').map(|segment| (!segment.starts_with('{')).then_some(segment))
}

/// The regular expressions of a workload, with what stands around them; for engines that have none.
pub fn expressions(workload: &Mixed) -> Vec<(&str, regex::Regex)> {
    let expressions = workload.rules.iter().filter_map(|rule| match &rule.paths {
        Paths::Regex(expression) => Some(expression.as_str()),
        Paths::Exact(_) | Paths::Template(_) | Paths::Below(_) => None,
    });
    expressions.map(|text| (text, regex::Regex::new(&format!("^(?:{text})$")).expect("sound"))).collect()
}

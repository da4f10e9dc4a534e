//! Where a request comes from, when proxies in front are trusted to say it.

use super::NetworkSet;
use crate::decide::{HeaderLines, Source};
use crate::policy::model::{NetworkId, Policy, Table};
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The trusted proxies of a policy.
#[derive(Debug, Default)]
pub(crate) struct TrustedProxies {
    by_header: Vec<Trusted>,
}

/// Those that write one header.
#[derive(Debug)]
struct Trusted {
    header: Box<str>,
    networks: NetworkSet,
}

impl TrustedProxies {
    pub(crate) fn new(policy: &Policy) -> Self {
        let mut members: BTreeMap<&str, Vec<ipnet::IpNet>> = BTreeMap::new();
        let networks: &Table<NetworkId, _> = &policy.networks;
        for (_, proxy) in policy.proxies.iter() {
            let held = proxy.networks.iter().flat_map(|id| networks[*id].members.iter().copied());
            members.entry(&proxy.source).or_default().extend(held);
        }
        let trusted =
            |(header, members): (&str, Vec<_>)| Trusted { header: header.into(), networks: NetworkSet::new(&members) };
        Self { by_header: members.into_iter().map(trusted).collect() }
    }

    /// See [`Snapshot::source`](crate::snapshot::Snapshot::source).
    pub(crate) fn source<'a>(&self, peer: Source, header: impl FnOnce(&str) -> Option<HeaderLines<'a>>) -> Source {
        let Source::Address(address) = peer else { return peer };
        let mut holding = self.by_header.iter().filter(|one| one.networks.contains(address));
        match (holding.next(), holding.next()) {
            (None, _) => peer,
            (Some(trusted), None) => header(&trusted.header).map_or(Source::Unknown, |lines| trusted.client(lines)),
            // No policy that was checked says so.
            (Some(_), Some(_)) => Source::Unknown,
        }
    }
}

impl Trusted {
    /// The first address from the right that is no proxy's.
    fn client(&self, lines: HeaderLines<'_>) -> Source {
        let known = [lines.last, lines.before].into_iter().take(lines.count as usize);
        for element in known.flat_map(|line| line.rsplit(|byte| *byte == b',')) {
            match address(element) {
                Some(address) if self.networks.contains(address) => {}
                Some(address) => return Source::Address(address),
                None => return Source::Unknown,
            }
        }
        Source::Unknown
    }
}

/// An address, with or without a port; IPv6 may stand in brackets.
fn address(element: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(element).ok()?.trim_matches([' ', '\t']);
    let (address, port) = if let Some(bracketed) = text.strip_prefix('[') {
        let (inside, rest) = bracketed.split_once(']')?;
        let port = if rest.is_empty() { None } else { Some(rest.strip_prefix(':')?) };
        (inside.parse::<Ipv6Addr>().ok()?.into(), port)
    } else if let Ok(address) = text.parse::<IpAddr>() {
        (address, None)
    } else {
        let (before, port) = text.split_once(':')?;
        (before.parse::<Ipv4Addr>().ok()?.into(), Some(port))
    };
    let is_port = |port: &str| port.bytes().all(|byte| byte.is_ascii_digit()) && port.parse::<u16>().is_ok();
    port.is_none_or(is_port).then(|| address.to_canonical())
}

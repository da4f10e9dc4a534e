//! Where a request comes from, by reading all that a proxy wrote.

use crate::decide::{HeaderLines, Source};
use crate::policy::model::{Policy, Proxy};
use std::net::{IpAddr, Ipv6Addr, SocketAddr};

/// Where a request of this peer comes from, as [`Snapshot::source`](crate::snapshot::Snapshot::source) says, too.
#[must_use]
pub fn source<'a>(policy: &Policy, peer: Source, header: impl FnOnce(&str) -> Option<HeaderLines<'a>>) -> Source {
    let Source::Address(address) = peer else { return Source::Unknown };
    let holds = |proxy: &Proxy, address: IpAddr| {
        proxy.networks.iter().any(|id| policy.networks[*id].members.iter().any(|network| network.contains(&address)))
    };
    let trusted: Vec<&Proxy> =
        policy.proxies.iter().map(|(_, proxy)| proxy).filter(|one| holds(one, address)).collect();
    let Some(first) = trusted.first() else { return peer };
    if trusted.iter().any(|one| one.source != first.source) {
        return Source::Unknown;
    }
    let Some(HeaderLines { count, last, before }) = header(&first.source) else { return Source::Unknown };
    let lines = match count {
        0 => return Source::Unknown,
        1 => vec![last],
        _ => vec![before, last],
    };
    let list: Vec<String> = lines.into_iter().map(|line| String::from_utf8_lossy(line).into_owned()).collect();
    let read: Vec<Option<IpAddr>> = list.join(",").split(',').map(address_of).collect();
    let is_proxy =
        |address: IpAddr| policy.proxies.iter().any(|(_, one)| one.source == first.source && holds(one, address));
    let client = read.iter().rev().find(|one| one.is_none_or(|address| !is_proxy(address)));
    client.copied().flatten().map_or(Source::Unknown, Source::Address)
}

fn address_of(element: &str) -> Option<IpAddr> {
    let text = element.trim_matches(|c| c == ' ' || c == '\t');
    if text.contains('%') {
        return None;
    }
    let bracketed = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).map(str::parse::<Ipv6Addr>);
    let address = match bracketed {
        Some(address) => IpAddr::V6(address.ok()?),
        None => text.parse::<IpAddr>().or_else(|_| text.parse::<SocketAddr>().map(|socket| socket.ip())).ok()?,
    };
    Some(address.to_canonical())
}

//! Sets of networks as sorted, disjoint ranges: one binary search an address.

use ipnet::IpNet;
use std::net::IpAddr;

/// The addresses of a named set of networks.
#[derive(Clone, Debug, Default)]
pub(crate) struct NetworkSet {
    v4: Vec<(u32, u32)>,
    v6: Vec<(u128, u128)>,
}

impl NetworkSet {
    pub(crate) fn new(members: &[IpNet]) -> Self {
        let mut v4 = Vec::new();
        let mut v6 = Vec::new();
        for member in members {
            match member {
                IpNet::V4(net) => v4.push((u32::from(net.network()), u32::from(net.broadcast()))),
                IpNet::V6(net) => v6.push((u128::from(net.network()), u128::from(net.broadcast()))),
            }
        }
        Self { v4: disjoint(v4), v6: disjoint(v6) }
    }

    /// Whether the address is in the set. IPv4-mapped IPv6 addresses have become IPv4 before.
    pub(crate) fn contains(&self, address: IpAddr) -> bool {
        match address {
            IpAddr::V4(a) => in_ranges(&self.v4, u32::from(a)),
            IpAddr::V6(a) => in_ranges(&self.v6, u128::from(a)),
        }
    }
}

/// Sorts ranges and joins those that overlap.
fn disjoint<T: Ord + Copy>(mut ranges: Vec<(T, T)>) -> Vec<(T, T)> {
    ranges.sort_unstable();
    let mut joined: Vec<(T, T)> = Vec::with_capacity(ranges.len());
    for (first, last) in ranges {
        match joined.last_mut() {
            Some(previous) if first <= previous.1 => previous.1 = previous.1.max(last),
            _ => joined.push((first, last)),
        }
    }
    joined
}

fn in_ranges<T: Ord + Copy>(ranges: &[(T, T)], value: T) -> bool {
    let after = ranges.partition_point(|(first, _)| *first <= value);
    after > 0 && value <= ranges[after - 1].1
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn edges_of_networks() {
        let set = |nets: &[&str]| NetworkSet::new(&nets.iter().map(|n| n.parse().unwrap()).collect::<Vec<_>>());
        let cases = [
            (set(&["203.0.113.0/24"]), "203.0.113.0", true),
            (set(&["203.0.113.0/24"]), "203.0.113.255", true),
            (set(&["203.0.113.0/24"]), "203.0.114.0", false),
            (set(&["203.0.113.0/24"]), "203.0.112.255", false),
            (set(&["0.0.0.0/0"]), "255.255.255.255", true),
            (set(&["0.0.0.0/0"]), "::1", false),
            (set(&["10.0.0.0/8", "10.1.0.0/16", "11.0.0.0/8"]), "10.255.0.1", true),
            (set(&["10.0.0.0/8", "10.1.0.0/16", "12.0.0.0/8"]), "11.0.0.1", false),
            (set(&["2001:db8::/32", "::1/128"]), "2001:db8:ffff::1", true),
            (set(&["2001:db8::/32", "::1/128"]), "::2", false),
            (set(&[]), "10.0.0.1", false),
        ];
        for (set, address, expected) in cases {
            assert_eq!(set.contains(address.parse().unwrap()), expected, "{address} in {set:?}");
        }
    }

    proptest! {
        #[test]
        fn agrees_with_asking_each_network(
            nets in prop::collection::vec((any::<[u8; 4]>(), 0u8..=32), 0..12), address in any::<[u8; 4]>(), at in 0usize..12,
        ) {
            let nets: Vec<IpNet> = nets.iter().map(|(a, len)| IpNet::new((*a).into(), *len).unwrap().trunc()).collect();
            // An address near a network is more telling than one anywhere.
            let address = nets.get(at).map_or_else(|| address.into(), |net| match net.broadcast() {
                IpAddr::V4(last) => IpAddr::from(u32::from(last).wrapping_add(u32::from(address[0] & 1)).to_be_bytes()),
                v6 => v6,
            });
            prop_assert_eq!(NetworkSet::new(&nets).contains(address), nets.iter().any(|net| net.contains(&address)));
        }
    }
}

//! From where, when, and with which grants: what rules look at beside the target and who asks.

use super::dimension::{Atom, Atoms, Axis, Dimension, MAX_ATOMS, Raw, Setting};
use super::in_play::{InPlay, Side};
use crate::decide::Source;
use crate::policy::model::Schedule;
use crate::time::Timestamp;
use jiff::civil::{Date, Time};
use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// For how long after the first moment schedules are followed, in days.
pub(super) const HORIZON_DAYS: i64 = 400;
/// With more schedules than this they are followed for a shorter time.
const MAX_SCHEDULES: usize = 12;
const SHORT_HORIZON_DAYS: i64 = 60;
/// The most grants of which every combination is looked at.
const MAX_COMBINED_GRANTS: usize = 6;

const DAY_SECONDS: i64 = 86_400;

/// The addresses: one for each way to lie in the networks in play.
pub(super) fn sources(sides: &[Side<'_>], in_play: &InPlay<'_>) -> Dimension {
    let mut sets = Vec::new();
    for (side, id) in &in_play.networks {
        let snapshot = sides[*side].snapshot;
        let row = &snapshot.policy().networks[*id];
        if !sets.iter().any(|(known, _): &(&crate::policy::model::Network, _)| *known == row) {
            sets.push((row, &snapshot.networks[*id]));
        }
    }
    let gap = (sets.len() >= MAX_ATOMS).then(|| format!("{} networks", sets.len()));
    sets.truncate(MAX_ATOMS - 1);
    let mut atoms: Vec<Atom> = sets
        .iter()
        .enumerate()
        .map(|(at, (row, _))| {
            let changed = sets[..at].iter().any(|(earlier, _)| earlier.name == row.name);
            let as_it_is = if changed { " as it is now" } else { "" };
            Atom { yes: format!("from `{}`{as_it_is}", row.name), no: format!("not from `{}`{as_it_is}", row.name) }
        })
        .collect();
    let unknown: Atoms = 1 << atoms.len();
    atoms.push(Atom { yes: "from an address that is not known".to_owned(), no: "from a known address".to_owned() });

    let mut addresses: Vec<IpAddr> = [
        IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)),
        IpAddr::V4(Ipv4Addr::new(198, 51, 100, 1)),
        IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1)),
        IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        IpAddr::V6(Ipv6Addr::UNSPECIFIED),
    ]
    .to_vec();
    // Membership changes only where a network begins, or just behind its end.
    for network in sets.iter().flat_map(|(row, _)| &row.members) {
        match network {
            ipnet::IpNet::V4(net) => {
                let (first, last) = (u32::from(net.network()), u32::from(net.broadcast()));
                let edges = [first.checked_add(1).filter(|next| *next <= last), Some(first), last.checked_add(1)];
                addresses.extend(edges.into_iter().flatten().map(|edge| IpAddr::V4(edge.into())));
            }
            ipnet::IpNet::V6(net) => {
                let (first, last) = (u128::from(net.network()), u128::from(net.broadcast()));
                let edges = [first.checked_add(1).filter(|next| *next <= last), Some(first), last.checked_add(1)];
                // An IPv4 address in an IPv6 coat is an IPv4 address.
                let edges = edges.into_iter().flatten().map(|edge| IpAddr::V6(edge.into()).to_canonical());
                addresses.extend(edges);
            }
        }
    }
    let known = addresses.into_iter().map(|address| {
        let within = sets.iter().map(|(_, set)| set.contains(address)).enumerate();
        let held = within.fold(0, |held: Atoms, (at, is)| if is { held | 1 << at } else { held });
        Raw {
            setting: Setting::Source(Source::Address(address)),
            atoms: held,
            rank: held.count_ones(),
            signature: held.to_be_bytes().to_vec(),
        }
    });
    let somewhere = Raw { setting: Setting::Source(Source::Unknown), atoms: unknown, rank: 3, signature: vec![1] };
    let unknown = (!sets.is_empty()).then_some(somewhere);
    Dimension::reduce(Axis::Source, atoms, gap, known.chain(unknown))
}

/// The times: one moment, from `now` on, for each way to lie in the schedules and periods in play.
pub(super) fn times(sides: &[Side<'_>], in_play: &InPlay<'_>, now: Timestamp) -> Dimension {
    let mut schedules = Vec::new();
    for (side, id) in &in_play.schedules {
        let snapshot = sides[*side].snapshot;
        let row = &snapshot.policy().schedules[*id];
        if !schedules.iter().any(|(known, _): &(&Schedule, _)| *known == row) {
            schedules.push((row, &snapshot.hours[*id]));
        }
    }
    let mut instants: Vec<Timestamp> = in_play.instants.iter().copied().filter(|instant| *instant > now).collect();
    instants.sort_unstable();
    let many = schedules.len() + instants.len();
    let mut gap = (many > MAX_ATOMS).then(|| format!("{many} schedules, starts and ends"));
    schedules.truncate(MAX_ATOMS);
    instants.truncate(MAX_ATOMS - schedules.len());
    let mut days = HORIZON_DAYS;
    if schedules.len() > MAX_SCHEDULES {
        days = SHORT_HORIZON_DAYS;
        gap.get_or_insert_with(|| format!("{} schedules, followed for {days} days", schedules.len()));
    }

    let mut moments: BTreeSet<Timestamp> = [now].into();
    moments.extend(&instants);
    let last = now.plus_seconds(days * DAY_SECONDS);
    for (row, _) in &schedules {
        edges(row, now, last, &mut moments);
        // Periods that begin or end beyond have a fortnight of their own.
        for instant in instants.iter().filter(|instant| **instant > last) {
            edges(row, instant.plus_seconds(-14 * DAY_SECONDS), instant.plus_seconds(14 * DAY_SECONDS), &mut moments);
        }
        for date in row.dates.iter().chain(&row.except_dates) {
            if let Some(noon) = local(row, *date, 43_200) {
                edges(row, noon.plus_seconds(-3 * DAY_SECONDS), noon.plus_seconds(3 * DAY_SECONDS), &mut moments);
            }
        }
    }
    let mut atoms: Vec<Atom> = Vec::new();
    for (at, (row, _)) in schedules.iter().enumerate() {
        let changed = schedules[..at].iter().any(|(earlier, _)| earlier.name == row.name);
        let as_it_is = if changed { " as it is now" } else { "" };
        atoms.push(Atom {
            yes: format!("during `{}`{as_it_is}", row.name),
            no: format!("outside `{}`{as_it_is}", row.name),
        });
    }
    atoms.extend(instants.iter().map(|at| Atom { yes: format!("from {at} on"), no: format!("before {at}") }));
    let raw = moments.into_iter().filter(|moment| *moment >= now).map(|moment| {
        let within = schedules.iter().map(|(row, hours)| hours.contains(row, moment));
        let since = instants.iter().map(|instant| Some(*instant <= moment));
        let mut held: Atoms = 0;
        let mut signature = Vec::new();
        for (at, value) in within.chain(since).enumerate() {
            held |= if value == Some(true) { 1 << at } else { 0 };
            signature.push(value.map_or(2, u8::from));
        }
        let rank = if moment == now { 0 } else { 1 + held.count_ones() };
        Raw { setting: Setting::Time(moment), atoms: held, rank, signature }
    });
    Dimension::reduce(Axis::Time, atoms, gap, raw.collect::<Vec<_>>())
}

/// The moments between two at which a schedule may begin or end to hold.
fn edges(schedule: &Schedule, from: Timestamp, until: Timestamp, moments: &mut BTreeSet<Timestamp>) {
    let Ok(zone) = jiff::tz::TimeZoneDatabase::bundled().get(&schedule.time_zone) else { return };
    let (Ok(first), Ok(last)) =
        (jiff::Timestamp::from_second(from.unix_seconds()), jiff::Timestamp::from_second(until.unix_seconds()))
    else {
        return;
    };
    // Where clocks are changed, hours begin or end in the middle.
    moments.extend(
        zone.following(first).map(|change| change.timestamp()).take_while(|at| *at <= last).map(Timestamp::from),
    );
    let mut day = zone.to_datetime(first).date();
    let end = zone.to_datetime(last).date();
    loop {
        for second in [0, schedule.start, schedule.end] {
            moments.extend(local(schedule, day, second));
        }
        match day.tomorrow() {
            Ok(next) if next <= end => day = next,
            Ok(_) | Err(_) => return,
        }
    }
}

/// A moment by the schedule's clock; the end of a day is the beginning of the next.
fn local(schedule: &Schedule, day: Date, second: u32) -> Option<Timestamp> {
    let zone = jiff::tz::TimeZoneDatabase::bundled().get(&schedule.time_zone).ok()?;
    let (day, second) = if second >= 86_400 { (day.tomorrow().ok()?, 0) } else { (day, second) };
    let part = |n: u32| i8::try_from(n).ok();
    let time = Time::new(part(second / 3600)?, part(second / 60 % 60)?, part(second % 60)?, 0).ok()?;
    zone.to_ambiguous_timestamp(day.to_datetime(time)).compatible().ok().map(Timestamp::from)
}

/// The grants of whoever asks: every combination of those that some rule in play would accept.
pub(super) fn grants(sides: &[Side<'_>], in_play: &InPlay<'_>) -> Dimension {
    let mut possible: Vec<(&str, &str)> = Vec::new();
    for (side, scope, approvals) in &in_play.approvals {
        let policy = sides[*side].snapshot.policy();
        for approval in *approvals {
            let pair = (policy.scopes[*scope].name.as_str(), policy.approvals[*approval].name.as_str());
            if !possible.contains(&pair) {
                possible.push(pair);
            }
        }
    }
    let gap =
        (possible.len() > MAX_COMBINED_GRANTS).then(|| format!("{} grants: none, each, each two, all", possible.len()));
    possible.truncate(MAX_ATOMS);
    let many = possible.len();
    let sets: Vec<Atoms> = if many <= MAX_COMBINED_GRANTS {
        (0..1 << many).collect()
    } else {
        let mut sets = vec![0, if many == MAX_ATOMS { Atoms::MAX } else { (1 << many) - 1 }];
        for one in 0..many {
            sets.extend((one..many).map(|other| 1 << one | 1 << other));
        }
        sets
    };
    let atoms = possible.iter().map(|(scope, approval)| Atom {
        yes: format!("with approval `{approval}` for `{scope}`"),
        no: format!("without approval `{approval}` for `{scope}`"),
    });
    let raw = sets.iter().map(|set| {
        let held: Vec<(String, String)> = (0..many)
            .filter(|at| set >> at & 1 == 1)
            .map(|at| (possible[at].0.to_owned(), possible[at].1.to_owned()))
            .collect();
        let opens = |(side, scope, approvals): &(usize, _, &[crate::policy::model::ApprovalId])| {
            let policy = sides[*side].snapshot.policy();
            let scope = &policy.scopes[*scope].name;
            u8::from(held.iter().any(|(for_scope, under)| {
                for_scope == scope && approvals.iter().any(|approval| policy.approvals[*approval].name == *under)
            }))
        };
        Raw {
            signature: in_play.approvals.iter().map(opens).collect(),
            setting: Setting::Grants(held),
            atoms: *set,
            rank: set.count_ones(),
        }
    });
    Dimension::reduce(Axis::Grants, atoms.collect(), gap, raw)
}

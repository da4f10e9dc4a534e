//! From where and when: networks, schedules, and the time a rule starts and ends.

use super::{Finding, listed};
use crate::decide::Source;
use crate::kleene::Kleene;
use crate::policy::model::{NetworkId, Policy, Schedule, ScheduleId};
use crate::time::Timestamp;
use jiff::civil::{Date, DateTime};

/// Whether any of the networks contains the source.
pub(super) fn from(policy: &Policy, networks: &[NetworkId], source: Source) -> Finding {
    let names = |joined| listed(networks.iter().map(|id| policy.networks[*id].name.as_str()), joined);
    let Source::Address(address) = source else {
        return Finding::new("from", Kleene::Unknown, format!("whether the peer is in {} is unknown", names("or")));
    };
    let found =
        networks.iter().find(|id| policy.networks[**id].members.iter().any(|network| network.contains(&address)));
    match found {
        Some(id) => Finding::new("from", true, format!("{address} is in `{}`", policy.networks[*id].name)),
        None => Finding::new("from", false, format!("{address} is not in {}", names("or"))),
    }
}

/// Whether any of the schedules contains the moment.
pub(super) fn during(policy: &Policy, schedules: &[ScheduleId], time: Timestamp) -> Finding {
    let mut whole = Kleene::False;
    let mut reasons = Vec::new();
    for schedule in schedules.iter().map(|id| &policy.schedules[*id]) {
        let Some(local) = local_time(schedule, time) else {
            whole = whole.or(Kleene::Unknown);
            reasons.push(format!("the local time of `{}` is unknown", schedule.name));
            continue;
        };
        let read = format!("{} in {}", local.strftime("%a %Y-%m-%d %H:%M:%S"), schedule.time_zone);
        if contains(schedule, local) {
            return Finding::new("during", true, format!("{read} is within `{}`", schedule.name));
        }
        reasons.push(format!("{read} is outside `{}`", schedule.name));
    }
    Finding::new("during", whole, reasons.join("; "))
}

/// The wall clock in the schedule's zone; `None` if the zone is not known or the moment is beyond the calendar.
fn local_time(schedule: &Schedule, time: Timestamp) -> Option<DateTime> {
    let zone = jiff::tz::TimeZoneDatabase::bundled().get(&schedule.time_zone).ok()?;
    let moment = jiff::Timestamp::from_second(time.unix_seconds()).ok()?;
    Some(zone.to_datetime(moment))
}

fn contains(schedule: &Schedule, local: DateTime) -> bool {
    let today = local.date();
    let clock = local.time();
    let second =
        u32::try_from(i32::from(clock.hour()) * 3600 + i32::from(clock.minute()) * 60 + i32::from(clock.second()))
            .unwrap_or(u32::MAX);
    if schedule.start < schedule.end {
        return begins_on(schedule, today) && schedule.start <= second && second < schedule.end;
    }
    // Over midnight: the evening of a day on which spans begin, or the morning after one.
    let evening = schedule.start <= second && begins_on(schedule, today);
    let morning = second < schedule.end && today.yesterday().is_ok_and(|day| begins_on(schedule, day));
    evening || morning
}

/// Whether a span begins on this day.
fn begins_on(schedule: &Schedule, day: Date) -> bool {
    let weekday = day.weekday().to_monday_zero_offset();
    schedule.days.0 >> weekday & 1 == 1
        && (schedule.dates.is_empty() || schedule.dates.contains(&day))
        && !schedule.except_dates.contains(&day)
}

/// `starts` is inclusive.
pub(super) fn starts(at: Timestamp, time: Timestamp) -> Finding {
    let held = at <= time;
    Finding::new("starts", held, if held { format!("since {at}") } else { format!("not before {at}") })
}

/// `ends` is exclusive.
pub(super) fn ends(at: Timestamp, time: Timestamp) -> Finding {
    let held = time < at;
    Finding::new("ends", held, if held { format!("until {at}") } else { format!("ended {at}") })
}

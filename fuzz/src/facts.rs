//! Fact lines: arbitrary ones are survived; one that is composed as HAProxy does it gives back its fields or is refused.
//!
//! An input is how many `Host` and `Authorization` fields there are, then method, source, host, authorization and target as fields.

use super::input::Input;
use luigi_runtime::facts::{BASE, CarriedFact, MARK, Malformed, parse};

pub(crate) fn run(bytes: &[u8]) {
    let _ = parse(bytes);
    let _ = parse(&[BASE.as_bytes(), b"\n", bytes, b"\n", MARK.as_bytes()].concat());

    further(bytes);

    let mut input = Input(bytes);
    let (host_count, authorization_count) = (u32::from(input.byte() % 4), u32::from(input.byte() % 4));
    // No request has a line feed in its method, and no address has one.
    let word = |field: &[u8]| field.iter().copied().filter(|byte| *byte != b'\n').collect::<Vec<u8>>();
    let (method, source) = (word(input.field()), word(input.field()));
    let host = if host_count == 0 { &[] } else { input.field() };
    let authorization = if authorization_count == 0 { &[] } else { input.field() };
    let target = input.0;

    let length = |field: &[u8], count: u32| if count == 0 { String::new() } else { field.len().to_string() };
    let counts = format!(
        "{host_count} {} {authorization_count} {} {} {host_count}",
        length(host, host_count),
        length(authorization, authorization_count),
        target.len()
    );
    // `set-var-fmt` ends a field at NUL; the lengths are those of the whole field.
    let shown = |field: &[u8]| field.split(|byte| *byte == 0).next().unwrap_or_default().to_vec();
    let line = [
        BASE.into(),
        shown(&method),
        shown(&source),
        counts.into_bytes(),
        shown(host),
        shown(target),
        shown(authorization),
        MARK.into(),
    ]
    .join(&b'\n');

    let cut = [host, target, authorization].iter().any(|field| field.contains(&0));
    match parse(&line) {
        Ok(facts) => {
            assert!(!cut, "a field that was cut off is believed");
            assert_eq!(facts.method, shown(&method));
            assert_eq!(facts.source.unwrap_or_default(), shown(&source));
            assert_eq!((facts.host, facts.host_count), ((host_count > 0).then_some(host), host_count));
            assert_eq!(facts.authorization, (authorization_count > 0).then_some(authorization));
            assert_eq!(facts.authorization_count, authorization_count);
            assert_eq!((facts.target, facts.upgrade_count), (target, Some(host_count)));
        }
        Err(why) => {
            let too_long = target.len() > 999_999;
            assert!(cut || too_long || why == Malformed::BadMethod, "{why:?}");
        }
    }
    // HAProxy cuts the line at `tune.bufsize`. A line that was cut lacks the mark, unless a field happens to hold it: then lengths tell.
    for kept in [line.len() - 1, line.len() / 2, line.len().saturating_sub(MARK.len() + 1 + authorization.len())] {
        assert!(parse(&line[..kept]).is_err(), "a line that was cut to {kept} bytes is believed");
    }
}

/// Whatever stands in a line with further facts, those that are believed are all there, in order, and lie side by side in the line.
fn further(bytes: &[u8]) {
    const NAMES: [&str; 4] = ["certificate", "certificate-names", "fact:zone", "header:x-team"];
    let line = [BASE.as_bytes(), b" ", NAMES.join(" ").as_bytes(), b"\n", bytes, b"\n", MARK.as_bytes()].concat();
    let Ok(facts) = parse(&line) else { return };
    let carried: Vec<_> = facts.more.iter().collect();
    assert!(carried.iter().map(|(key, _)| key.to_string()).eq(NAMES), "{carried:?}");
    let values = carried.iter().flat_map(|(_, fact)| match fact {
        CarriedFact::Header { count, last, before } => {
            assert!((*count > 0 || last.is_empty()) && (*count > 1 || before.is_empty()), "{fact:?}");
            vec![*last, *before]
        }
        CarriedFact::Value(value) => vec![value.unwrap_or_default()],
        CarriedFact::Certificate { used, verify } => {
            assert!(*used || *verify < 1_000_000, "{fact:?}");
            Vec::new()
        }
    });
    let behind = values.fold(Vec::new(), |all: Vec<u8>, value| [&all, value, b"\n"].concat());
    assert!(line.ends_with(&[&behind, MARK.as_bytes()].concat()), "{carried:?}");
}

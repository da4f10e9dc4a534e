//! The table of reasons in docs/IDENTITY.md says all there are, in the order of the checks.

use luigi_core::identity::{InvalidCredential, MAX_KEY_SET_BYTES, MAX_KEYS, MAX_TOKEN_BYTES, TokenCacheLimits};
use std::collections::BTreeSet;

const PAGE: &str = include_str!("../../../docs/IDENTITY.md");

#[test]
fn the_table_of_reasons_is_complete_and_in_order() {
    let rows =
        PAGE.lines().skip_while(|line| !line.starts_with("| reason |")).skip(2).take_while(|line| !line.is_empty());
    let documented: Vec<&str> = rows.map(|row| row.split('`').nth(1).unwrap()).collect();
    assert_eq!(documented, InvalidCredential::ALL.map(InvalidCredential::as_str));
    for reason in InvalidCredential::ALL {
        assert_eq!(serde_json::to_value(reason).unwrap(), reason.as_str());
    }
    let sentences: BTreeSet<String> = InvalidCredential::ALL.iter().map(ToString::to_string).collect();
    assert_eq!(sentences.len(), InvalidCredential::ALL.len());
}

#[test]
fn the_limits_are_those_of_the_code() {
    let limits = TokenCacheLimits::default();
    assert_eq!((MAX_TOKEN_BYTES, MAX_KEY_SET_BYTES, MAX_KEYS), (12 * 1024, 64 * 1024, 32));
    assert_eq!((limits.entries, limits.bytes, limits.verifications_per_second), (1024, 8 << 20, 2000));
    for said in
        ["at most 12 KiB", "at most 64 KiB with at most 32 keys", "1,024 in at most about 8 MiB", "2,000 signatures"]
    {
        let unfolded = PAGE.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(unfolded.contains(said), "{said}");
    }
}

//! What the ABI was: `abi-history.txt`, to which lines are added and none is changed.
//!
//! It has the digest of the table of each version, so that nobody changes the one without the other, and every number that ever had a meaning, so that none gets
//! another one.

use luigi_runtime::feed::Digest;
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// A number of the table: its enum, its name, its value.
pub(crate) type Number<'a> = (&'a str, &'a str, &'a str);

/// What the digest of a version is made of: the table without the versions themselves.
fn digest(table: &str) -> String {
    let is_version =
        |line: &str| line.starts_with("constant LUIGI_VERSION_") || line.starts_with("constant LUIGI_ABI_VERSION");
    let kept: String = table.lines().filter(|line| !is_version(line)).flat_map(|line| [line, "\n"]).collect();
    Digest::of(kept.as_bytes()).to_string()
}

/// The history with what is new: the same text where nothing is.
///
/// # Errors
/// A table that is not that of its version; a number with another meaning than it had.
pub(crate) fn updated(
    history: &str,
    table: &str,
    numbers: &[Number<'_>],
    version: u32,
    luigi: &str,
) -> Result<String, String> {
    let (mut last, mut known, mut meanings) = (None, BTreeMap::new(), BTreeMap::new());
    for line in history.lines().filter(|line| !line.starts_with('#')) {
        match line.split(' ').collect::<Vec<_>>()[..] {
            ["version", number, _, digest] => {
                let number: u32 = number.parse().map_err(|_| format!("not a version: {line}"))?;
                if number != last.map_or(1, |(before, _)| before + 1) {
                    return Err(format!("versions follow each other by one: {line}"));
                }
                last = Some((number, digest.to_owned()));
            }
            ["number", _, of, name, value] => {
                let (other, again) = (meanings.insert((of, value), name), known.insert(name, (of, value)));
                if other.is_some() || again.is_some() {
                    return Err(format!("a number or a name stands there twice: {line}"));
                }
            }
            _ => return Err(format!("neither a version nor a number: {line}")),
        }
    }
    let (recorded, of_recorded) = last.unwrap_or_default();
    let digest = digest(table);
    let mut new = history.to_owned();
    match version {
        same if same == recorded && digest == of_recorded => {}
        same if same == recorded => {
            return Err(format!(
                "the ABI is no longer that of version {same}: raise LUIGI_ABI_VERSION, and say in docs/ABI.md and CHANGELOG.md what changed"
            ));
        }
        next if next == recorded + 1 => writeln!(new, "version {next} {luigi} {digest}").expect("memory takes it"),
        other => {
            return Err(format!("LUIGI_ABI_VERSION is {other}, and the last version was {recorded}: raise it by one"));
        }
    }
    for (of, name, value) in numbers {
        match (known.get(name), meanings.get(&(*of, *value))) {
            (Some(was), _) if was == &(*of, *value) => {}
            (Some((_, was)), _) => return Err(format!("`{name}` is {value} and was {was}: a number is for ever")),
            (None, Some(was)) => {
                return Err(format!(
                    "{value} of `{of}` was `{was}`, and must not become `{name}`: take the next number"
                ));
            }
            (None, None) if version == recorded => return Err(format!("`{name}` is new, and the version is not")),
            (None, None) => writeln!(new, "number {version} {of} {name} {value}").expect("memory takes it"),
        }
    }
    Ok(new)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str = "constant LUIGI_ABI_VERSION 1\nnumber LUIGI_DENY 0\nstruct luigi_x 8\n";
    const DENY: Number<'static> = ("luigi_answer", "LUIGI_DENY", "0");

    fn first() -> String {
        updated("# about\n", TABLE, &[DENY], 1, "0.1").unwrap()
    }

    #[test]
    fn a_table_belongs_to_one_version() {
        let history = first();
        assert!(
            history.starts_with("# about\nversion 1 0.1 ") && history.ends_with("number 1 luigi_answer LUIGI_DENY 0\n")
        );
        assert_eq!(updated(&history, TABLE, &[DENY], 1, "0.1").as_ref(), Ok(&history), "nothing is new");
        let released = TABLE.replace("VERSION 1", "VERSION 1\nconstant LUIGI_VERSION_MINOR 2");
        assert_eq!(
            updated(&history, &released, &[DENY], 1, "0.2").as_ref(),
            Ok(&history),
            "Luigi's version is another matter"
        );
        for changed in
            [TABLE.replace("x 8", "x 16"), TABLE.replace("luigi_x", "luigi_y"), TABLE.replace("struct luigi_x 8\n", "")]
        {
            let error = updated(&history, &changed, &[DENY], 1, "0.1").unwrap_err();
            assert!(error.contains("raise LUIGI_ABI_VERSION"), "{error}");
            let next = updated(&history, &changed, &[DENY], 2, "0.1").unwrap();
            assert!(next.starts_with(&history) && next[history.len()..].starts_with("version 2 0.1 "), "{next}");
            assert!(updated(&history, &changed, &[DENY], 3, "0.1").unwrap_err().contains("raise it by one"));
        }
        assert!(updated(&history, TABLE, &[DENY], 0, "0.1").is_err());
    }

    #[test]
    fn a_number_has_one_meaning_for_ever() {
        let history = first();
        let allow = ("luigi_answer", "LUIGI_ALLOW", "1");
        let second = updated(&history, TABLE, &[DENY, allow], 2, "0.1").unwrap();
        assert!(second.ends_with("number 2 luigi_answer LUIGI_ALLOW 1\n"), "{second}");
        assert!(updated(&history, TABLE, &[DENY, allow], 1, "0.1").unwrap_err().contains("is new"));
        // What went away leaves a gap: neither its number nor its name comes back as something else.
        let third = updated(&second, TABLE, &[DENY], 3, "0.1").unwrap();
        for (numbers, says) in [
            ([DENY, ("luigi_answer", "LUIGI_MAYBE", "1")], "must not become `LUIGI_MAYBE`"),
            ([DENY, ("luigi_answer", "LUIGI_ALLOW", "2")], "is 2 and was 1"),
            ([("luigi_answer", "LUIGI_DENY", "5"), allow], "is 5 and was 0"),
        ] {
            let error = updated(&third, TABLE, &numbers, 4, "0.1").unwrap_err();
            assert!(error.contains(says), "{error}");
        }
        let other_enum = ("luigi_outcome", "LUIGI_PASS", "1");
        assert!(updated(&third, TABLE, &[DENY, other_enum], 4, "0.1").is_ok());
        let twice = format!("{second}number 2 luigi_answer LUIGI_MAYBE 1\n");
        assert!(updated(&twice, TABLE, &[DENY], 2, "0.1").unwrap_err().contains("twice"));
    }
}

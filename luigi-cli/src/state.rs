//! Where Luigi keeps its keys and its ledger unless told otherwise.
//!
//! Root and the user of a service have [`SYSTEM`]. Whoever may not write there has a folder of their own, as the XDG Base Directory
//! Specification says: `$XDG_STATE_HOME/luigi`, else `~/.local/state/luigi`. What is only read is looked for in one's own folder first, then in the system's.

use rustix::fs::{Access, access};
use std::env;
use std::path::{Path, PathBuf};

/// The state directory of a machine.
const SYSTEM: &str = "/var/lib/luigi";

/// The signing key of feeds: the one that was named, or the usual one, which need not be there yet.
pub(crate) fn key(named: Option<&Path>) -> PathBuf {
    named.map_or_else(|| own().join("feed.key"), Path::to_owned)
}

/// The public half of that key, likewise; what is there is preferred.
pub(crate) fn public_key(named: Option<&Path>) -> PathBuf {
    named.map_or_else(|| to_read("feed.pub"), Path::to_owned)
}

/// The ledger to read, likewise.
pub(crate) fn ledger(named: Option<&Path>) -> PathBuf {
    named.map_or_else(|| to_read(LEDGER), Path::to_owned)
}

/// The ledger to append to: the one that was named, or the one beside a signing key if there is one. If nobody can tell whether it is there, it is.
pub(crate) fn ledger_beside(key: &Path, named: Option<&Path>) -> Option<PathBuf> {
    let beside = || Some(key.parent()?.join(LEDGER)).filter(|usual| usual.try_exists().unwrap_or(true));
    named.map(Path::to_owned).or_else(beside)
}

/// The key that checkpoints are signed with: the one that was named, or the usual one, which need not be there yet.
pub(crate) fn ledger_key(named: Option<&Path>) -> PathBuf {
    named.map_or_else(|| own().join("ledger.key"), Path::to_owned)
}

/// The public half of the key that checkpoints are signed with, if it is there.
pub(crate) fn ledger_public_key() -> Option<PathBuf> {
    Some(to_read("ledger.pub")).filter(|usual| usual.exists())
}

const LEDGER: &str = "ledger/ledger.db";

fn own() -> PathBuf {
    directory(
        Path::new(SYSTEM),
        env::var_os("XDG_STATE_HOME").map(PathBuf::from),
        env::var_os("HOME").map(PathBuf::from),
    )
}

fn to_read(name: &str) -> PathBuf {
    let own = own().join(name);
    let system = Path::new(SYSTEM).join(name);
    if !own.exists() && system.exists() { system } else { own }
}

/// The folder of whoever runs this: the system's if it can be written or made, else one of their own.
fn directory(system: &Path, state_home: Option<PathBuf>, home: Option<PathBuf>) -> PathBuf {
    let nearest = system.ancestors().find(|folder| folder.exists());
    let writable = nearest.is_some_and(|folder| access(folder, Access::WRITE_OK | Access::EXEC_OK).is_ok());
    // The specification: a path that is not absolute counts for nothing.
    let absolute = |path: &PathBuf| path.is_absolute();
    let own = state_home.filter(absolute).or_else(|| home.filter(absolute).map(|home| home.join(".local/state")));
    match own {
        Some(own) if !writable => own.join("luigi"),
        Some(_) | None => system.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_may_not_write_the_systems_folder_has_one_of_their_own() {
        let temporary = tempfile::tempdir().unwrap();
        let (may, home) = (temporary.path().join("lib/luigi"), Some(PathBuf::from("/home/ada")));
        // Nobody, root included, can make a folder in a file.
        let file = temporary.path().join("file");
        std::fs::write(&file, "").unwrap();
        let may_not = &file.join("luigi");
        let check = |system: &Path, state: Option<&str>, home: &Option<PathBuf>, expected: &Path| {
            assert_eq!(directory(system, state.map(PathBuf::from), home.clone()), expected);
        };
        check(&may, None, &home, &may);
        check(&may, Some("/state"), &home, &may);
        check(may_not, Some("/state"), &home, Path::new("/state/luigi"));
        check(may_not, None, &home, Path::new("/home/ada/.local/state/luigi"));
        check(may_not, Some("state"), &home, Path::new("/home/ada/.local/state/luigi"));
        check(may_not, Some(""), &None, may_not);
    }
}

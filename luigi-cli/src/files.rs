//! Writing files of users: whole or not at all.

use std::fs;
use std::io::{self, Write as _};
use std::path::Path;
use tempfile::NamedTempFile;

/// Replaces the text of a file, or makes the file. Whoever reads it meanwhile, and whatever crashes, meets the old text or the new one, whole.
/// Links are followed, permissions stay.
///
/// # Errors
/// The file or one beside it cannot be written; the file is as it was.
pub(crate) fn replace(path: &Path, text: &str) -> io::Result<()> {
    let real = match fs::canonicalize(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => std::path::absolute(path)?,
        found => found?,
    };
    let folder = real.parent().ok_or(io::ErrorKind::IsADirectory)?;
    let mut file = NamedTempFile::with_prefix_in(".luigi-", folder)?;
    file.write_all(text.as_bytes())?;
    match fs::metadata(&real) {
        Ok(old) => file.as_file().set_permissions(old.permissions())?,
        Err(_) => file.as_file().set_permissions(std::os::unix::fs::PermissionsExt::from_mode(0o644))?,
    }
    file.as_file().sync_all()?;
    file.persist(&real)?;
    Ok(())
}

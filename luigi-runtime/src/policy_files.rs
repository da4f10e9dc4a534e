//! Reading policy files from the disk: the one place where a path becomes the text of a policy.

use luigi_core::policy::SourceSet;
use luigi_core::policy::source::{MAX_SOURCE_BYTES, MAX_TOTAL_BYTES};
use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

/// The most files that one policy may have.
pub const MAX_FILES: usize = 10_000;

/// Reads a policy: one file, or the `*.toml` files of a directory (not of its subdirectories) in order of their names. Hidden
/// files are left out; symbolic links are followed.
///
/// # Errors
/// A path that cannot be read, a directory without policy files, a file that is not UTF-8 or is too large; the error names the path.
pub fn read(path: &Path) -> Result<SourceSet, ReadError> {
    let mut sources = SourceSet::new();
    let mut total = 0;
    for file in files(path)? {
        let text = text(&file)?;
        total += text.len();
        if total > MAX_TOTAL_BYTES {
            return Err(ReadError::new(&file, Problem::TooMuch));
        }
        sources.add(file.display().to_string(), text);
    }
    Ok(sources)
}

/// The files of a policy: the file itself, or those of the directory that [`read`] reads, in the same order.
///
/// # Errors
/// A directory that cannot be read, or has no policy files or too many.
pub fn files(path: &Path) -> Result<Vec<PathBuf>, ReadError> {
    if path.is_dir() { list(path) } else { Ok(vec![path.to_owned()]) }
}

fn list(directory: &Path) -> Result<Vec<PathBuf>, ReadError> {
    let fail = |error| ReadError::new(directory, Problem::Io(error));
    let mut files = Vec::new();
    for entry in std::fs::read_dir(directory).map_err(fail)? {
        let path = entry.map_err(fail)?.path();
        let hidden = path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
        if !hidden && path.extension().is_some_and(|extension| extension == "toml") && !path.is_dir() {
            files.push(path);
        }
    }
    match files.len() {
        0 => return Err(ReadError::new(directory, Problem::NoFiles)),
        count if count > MAX_FILES => return Err(ReadError::new(directory, Problem::TooManyFiles)),
        _ => {}
    }
    files.sort();
    Ok(files)
}

fn text(path: &Path) -> Result<String, ReadError> {
    let fail = |error| ReadError::new(path, Problem::Io(error));
    let file = File::open(path).map_err(fail)?;
    let mut bytes = Vec::new();
    file.take(MAX_SOURCE_BYTES as u64 + 1).read_to_end(&mut bytes).map_err(fail)?;
    if bytes.len() > MAX_SOURCE_BYTES {
        return Err(ReadError::new(path, Problem::TooLarge));
    }
    String::from_utf8(bytes).map_err(|error| {
        let before = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
        ReadError::new(path, Problem::NotUtf8 { line })
    })
}

/// Why policy files could not be read.
#[derive(Debug)]
pub struct ReadError {
    path: PathBuf,
    problem: Problem,
}

#[derive(Debug)]
enum Problem {
    Io(io::Error),
    NoFiles,
    TooManyFiles,
    TooLarge,
    TooMuch,
    NotUtf8 { line: usize },
}

impl ReadError {
    fn new(path: &Path, problem: Problem) -> Self {
        Self { path: path.to_owned(), problem }
    }

    /// The file or directory at fault.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl std::fmt::Display for ReadError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let path = self.path.display();
        match &self.problem {
            Problem::Io(error) => write!(f, "cannot read `{path}`: {error}"),
            Problem::NoFiles => write!(f, "there is no `*.toml` file in `{path}`"),
            Problem::TooManyFiles => write!(f, "there are more than {MAX_FILES} `*.toml` files in `{path}`"),
            Problem::TooLarge => write!(f, "`{path}` is larger than {} MiB", MAX_SOURCE_BYTES >> 20),
            Problem::TooMuch => write!(f, "the policy is larger than {} MiB at `{path}`", MAX_TOTAL_BYTES >> 20),
            Problem::NotUtf8 { line } => write!(f, "`{path}` is not UTF-8 in line {line}"),
        }
    }
}

impl std::error::Error for ReadError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.problem {
            Problem::Io(error) => Some(error),
            Problem::NoFiles
            | Problem::TooManyFiles
            | Problem::TooLarge
            | Problem::TooMuch
            | Problem::NotUtf8 { .. } => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tempfile::TempDir;

    #[test]
    fn a_directory_is_its_toml_files_in_order() {
        let dir = TempDir::new().unwrap();
        for (name, text) in [("b.toml", "b"), ("a.toml", "a"), (".hidden.toml", "h"), ("notes.md", "n")] {
            std::fs::write(dir.path().join(name), text).unwrap();
        }
        std::fs::create_dir(dir.path().join("sub.toml")).unwrap();
        std::os::unix::fs::symlink("b.toml", dir.path().join("c.toml")).unwrap();
        let sources = read(dir.path()).unwrap();
        assert_eq!(sources.ids().map(|id| sources.text(id)).collect::<Vec<_>>(), ["a", "b", "b"]);
        assert!(sources.name(sources.ids().next().unwrap()).ends_with("/a.toml"));
        assert_eq!(read(&dir.path().join("notes.md")).unwrap().len(), 1, "a file may have any name");
    }

    #[test]
    fn errors_name_the_path() {
        let dir = TempDir::new().unwrap();
        let check = |path: &Path, says: &str| {
            let error = read(path).unwrap_err();
            let at = path.display().to_string();
            assert!(error.to_string().contains(says) && error.to_string().contains(&at), "{error}");
        };
        check(dir.path(), "no `*.toml` file");
        check(&dir.path().join("missing.toml"), "cannot read");
        let file = dir.path().join("x.toml");
        std::fs::write(&file, b"fine\nalso fine\n\xff").unwrap();
        check(&file, "not UTF-8 in line 3");
        std::fs::write(&file, vec![b' '; MAX_SOURCE_BYTES + 1]).unwrap();
        check(&file, "larger than 8 MiB");
    }
}

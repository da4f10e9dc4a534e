//! Reading policy files from the disk: the one place where a path becomes the text of a policy.

use crate::regular_file;
use luigi_core::policy::SourceSet;
use luigi_core::policy::diagnostics::Code;
use luigi_core::policy::files_beside;
use luigi_core::policy::source::{MAX_BESIDE_BYTES, MAX_FILES_BESIDE, MAX_SOURCE_BYTES, MAX_TOTAL_BYTES, Unreadable};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

/// The most files that one policy may have.
pub const MAX_FILES: usize = 10_000;

/// How much of a line that is not UTF-8 is shown.
const MAX_SHOWN_BYTES: usize = 120;

/// Reads a policy: one file, or the `*.toml` files of a directory (not of its subdirectories) in order of their names. Hidden
/// files are left out; symbolic links are followed. The files that the policy names (lists of networks) are read with it; that one of
/// them cannot be read, or lies outside of the policy's folder, is a problem of the policy, shown where it names the file.
///
/// # Errors
/// A path that cannot be read, what is no regular file (nothing is waited for), a directory without policy files, a file that is not UTF-8 or is too large; the
/// error names the path.
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
    read_beside(path, &mut sources, total)?;
    Ok(sources)
}

/// Reads one file and nothing that it names.
///
/// # Errors
/// As [`read`].
pub fn read_one(path: &Path) -> Result<SourceSet, ReadError> {
    let mut sources = SourceSet::new();
    sources.add(path.display().to_string(), text(path)?);
    Ok(sources)
}

/// [`read`] that goes on: whatever cannot be read is a problem of the policy, with its code, beside all others. The error is the first one that is the
/// environment's fault and not the text's: a file that is not there, or may not be read.
#[must_use]
pub fn read_all(path: &Path) -> (SourceSet, Option<ReadError>) {
    let (mut sources, mut first, mut total) = (SourceSet::new(), None, 0);
    let mut add = |sources: &mut SourceSet, error: ReadError| {
        sources.add_unreadable(error.path.display().to_string(), error.unreadable());
        if error.is_of_the_environment() && first.is_none() {
            first = Some(error);
        }
    };
    for file in files(path).map_err(|error| add(&mut sources, error)).unwrap_or_else(|()| Vec::new()) {
        match text(&file) {
            Ok(text) => {
                total += text.len();
                if total > MAX_TOTAL_BYTES {
                    add(&mut sources, ReadError::new(&file, Problem::TooMuch));
                    return (sources, first);
                }
                sources.add(file.display().to_string(), text);
            }
            Err(error) => add(&mut sources, error),
        }
    }
    if let Err(error) = read_beside(path, &mut sources, total) {
        add(&mut sources, error);
    }
    (sources, first)
}

/// Reads the files that the policy names.
fn read_beside(path: &Path, sources: &mut SourceSet, mut total: usize) -> Result<(), ReadError> {
    let folder = if path.is_dir() { path } else { path.parent().unwrap_or(Path::new("")) };
    for (read, name) in files_beside(sources).into_iter().enumerate() {
        if read == MAX_FILES_BESIDE {
            return Err(ReadError::new(path, Problem::TooManyNamed));
        }
        let file = folder.join(&name);
        match text_beside(folder, &file) {
            Ok(text) => {
                total += text.len();
                if total > MAX_TOTAL_BYTES {
                    return Err(ReadError::new(&file, Problem::TooMuch));
                }
                sources.add_beside(name, file.display().to_string(), text);
            }
            Err(why) => sources.add_unreadable_beside(name, why),
        }
    }
    Ok(())
}

/// The text of a regular file in a folder, wherever links lead there; or why there is none.
fn text_beside(folder: &Path, file: &Path) -> Result<String, String> {
    let fail = |error: io::Error| error.to_string();
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    let (folder, file) = (folder.canonicalize().map_err(fail)?, file.canonicalize().map_err(fail)?);
    if !file.starts_with(&folder) {
        return Err("a link leads out of the policy's folder".to_owned());
    }
    let mut bytes = Vec::new();
    let limit = MAX_BESIDE_BYTES as u64;
    regular_file::open(&file).map_err(fail)?.take(limit + 1).read_to_end(&mut bytes).map_err(fail)?;
    if bytes.len() as u64 > limit {
        return Err(format!("it is larger than {} MiB", limit >> 20));
    }
    String::from_utf8(bytes).map_err(|_| "it is not UTF-8".to_owned())
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
    let file = regular_file::open(path).map_err(fail)?;
    let mut bytes = Vec::new();
    file.take(MAX_SOURCE_BYTES as u64 + 1).read_to_end(&mut bytes).map_err(fail)?;
    if bytes.len() > MAX_SOURCE_BYTES {
        return Err(ReadError::new(path, Problem::TooLarge));
    }
    String::from_utf8(bytes).map_err(|error| {
        let before = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
        let start = before.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        let whole = error.as_bytes()[start..].split(|byte| *byte == b'\n').next().unwrap_or_default();
        // What cannot be read is shown as such; a line may be the whole file.
        let shown = String::from_utf8_lossy(&whole[..whole.len().min(MAX_SHOWN_BYTES)]).into_owned();
        ReadError::new(path, Problem::NotUtf8 { line, shown })
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
    TooManyNamed,
    NotUtf8 { line: usize, shown: String },
}

impl ReadError {
    fn new(path: &Path, problem: Problem) -> Self {
        Self { path: path.to_owned(), problem }
    }

    /// Whether it is about what is on the disk and not about what the text is.
    fn is_of_the_environment(&self) -> bool {
        match self.problem {
            Problem::Io(_) | Problem::NoFiles => true,
            Problem::TooManyFiles
            | Problem::TooLarge
            | Problem::TooMuch
            | Problem::TooManyNamed
            | Problem::NotUtf8 { .. } => false,
        }
    }

    /// The same as a problem of the policy.
    fn unreadable(&self) -> Unreadable {
        let (code, help, line) = match &self.problem {
            Problem::Io(_) => (Code::SourceUnreadable, "name a file that is there and may be read", None),
            Problem::NoFiles => (Code::SourceUnreadable, "name the directory with the policy's `*.toml` files", None),
            Problem::TooManyFiles | Problem::TooManyNamed => {
                (Code::SourceUnreadable, "put what belongs together into one file", None)
            }
            Problem::TooLarge | Problem::TooMuch => (
                Code::SourceTooLarge,
                "spread the policy over several files of a directory, or say it with wildcards",
                None,
            ),
            Problem::NotUtf8 { line, shown } => (Code::WrongEncoding, "save it as UTF-8", Some((*line, shown.clone()))),
        };
        Unreadable { code, message: self.to_string(), help, line }
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
            Problem::TooManyNamed => write!(f, "the policy `{path}` names more than {MAX_FILES_BESIDE} files"),
            Problem::NotUtf8 { line, shown: _ } => write!(f, "`{path}` is not UTF-8 in line {line}"),
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
            | Problem::TooManyNamed
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
    fn lists_are_read_from_the_folder_of_the_policy_and_nowhere_else() {
        use luigi_core::policy::diagnostics::Style;
        use std::os::unix::fs::symlink;
        let dir = TempDir::new().unwrap();
        let policy = dir.path().join("policy");
        std::fs::create_dir_all(policy.join("lists")).unwrap();
        let write = |name: &str, text: &str| std::fs::write(dir.path().join(name), text).unwrap();
        write("outside.txt", "192.0.2.0/24\n");
        write("policy/a.txt", "10.0.0.0/8\n");
        write("policy/lists/b.txt", "10.1.0.0/16\n");
        symlink("../outside.txt", policy.join("link.txt")).unwrap();
        symlink("lists/b.txt", policy.join("within.txt")).unwrap();
        symlink("..", policy.join("up")).unwrap();
        std::fs::create_dir(policy.join("folder.txt")).unwrap();
        std::fs::write(policy.join("latin.txt"), b"\xff").unwrap();
        std::fs::write(policy.join("large.txt"), vec![b'\n'; MAX_BESIDE_BYTES + 1]).unwrap();
        for (file, expected) in [
            ("a.txt", ""),
            ("lists/b.txt", ""),
            ("within.txt", ""),
            ("link.txt", "a link leads out of the policy's folder"),
            ("up/outside.txt", "a link leads out of the policy's folder"),
            ("../outside.txt", "it leads out of the policy's folder"),
            ("/etc/hostname", "an absolute path"),
            ("missing.txt", "No such file"),
            ("folder.txt", "it is a directory, and must be a regular file"),
            ("latin.txt", "it is not UTF-8"),
            ("large.txt", "it is larger than 4 MiB"),
        ] {
            write("policy/policy.toml", &format!("schema = 1\n[networks]\nn = {{ file = \"{file}\" }}\n"));
            for path in [policy.clone(), policy.join("policy.toml")] {
                let sources = read(&path).unwrap();
                assert_eq!(sources.len(), 1);
                let problems = luigi_core::policy::parse(&sources).diagnostics.render(&sources, Style::PLAIN);
                assert!(
                    problems.contains(expected) && problems.is_empty() == expected.is_empty(),
                    "{file}: {problems}"
                );
                assert!(problems.is_empty() || problems.contains("policy.toml:3:14"), "{problems}");
            }
        }
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
        let pipe = dir.path().join("pipe.toml");
        let rights = rustix::fs::Mode::RWXU;
        rustix::fs::mknodat(rustix::fs::CWD, &pipe, rustix::fs::FileType::Fifo, rights, 0).unwrap();
        check(&pipe, "it is a pipe, and must be a regular file");
        let error = read(dir.path()).unwrap_err();
        assert_eq!(error.path(), pipe, "{error}");
        std::fs::remove_file(&pipe).unwrap();
        check(Path::new("/dev/zero"), "it is a device, and must be a regular file");
        let file = dir.path().join("x.toml");
        std::fs::write(&file, b"fine\nalso fine\n\xff").unwrap();
        check(&file, "not UTF-8 in line 3");
        std::fs::write(&file, vec![b' '; MAX_SOURCE_BYTES + 1]).unwrap();
        check(&file, "larger than 8 MiB");
    }

    #[test]
    fn whatever_cannot_be_read_is_found_at_once() {
        use luigi_core::policy::diagnostics::Style;
        let dir = TempDir::new().unwrap();
        let write = |name: &str, bytes: &[u8]| std::fs::write(dir.path().join(name), bytes).unwrap();
        write("a.toml", b"schema = 1\nscope = [\n");
        write("b.toml", b"schema = 1\n# \xff\n");
        write("c.toml", &vec![b' '; MAX_SOURCE_BYTES + 1]);
        let (sources, missing) = read_all(dir.path());
        assert!(missing.is_none());
        let parsed = luigi_core::policy::parse(&sources);
        let shown = parsed.diagnostics.render(&sources, Style::PLAIN);
        for says in [
            "error[toml-syntax]",
            "error[wrong-encoding]",
            "b.toml:2:1",
            "error[source-too-large]",
            "c.toml` is larger than 8 MiB",
        ] {
            assert!(shown.contains(says), "{says}: {shown}");
        }
        assert!(parsed.policy.is_none());
        std::os::unix::fs::symlink("nowhere.toml", dir.path().join("d.toml")).unwrap();
        let (sources, missing) = read_all(dir.path());
        assert!(missing.is_some_and(|error| error.path().ends_with("d.toml")));
        assert!(luigi_core::policy::parse(&sources).diagnostics.iter().any(|item| item.code == Code::SourceUnreadable));
        // A policy of which a part is missing is none, even if the rest is fine.
        std::fs::remove_file(dir.path().join("c.toml")).unwrap();
        std::fs::remove_file(dir.path().join("d.toml")).unwrap();
        write("a.toml", b"schema = 1\n");
        assert!(luigi_core::policy::parse(&read_all(dir.path()).0).policy.is_none());
        write("b.toml", b"schema = 1\n");
        assert!(luigi_core::policy::parse(&read_all(dir.path()).0).policy.is_some());
    }
}

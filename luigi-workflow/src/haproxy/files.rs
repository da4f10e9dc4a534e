//! Reading HAProxy's configuration from the disk, in the order in which `haproxy -f` takes it.

use luigi_core::policy::SourceSet;
use luigi_core::policy::source::{MAX_SOURCE_BYTES, MAX_TOTAL_BYTES};
use luigi_runtime::regular_file;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

/// Reads files in the given order, and of a directory its `*.cfg` files in order of their names, hidden ones left out, as HAProxy does.
///
/// A byte that is not UTF-8 is no problem to HAProxy: a replacement character stands for it.
///
/// # Errors
/// A path that cannot be read, a directory without such files, or too much text; the message names the path.
pub fn read(paths: &[PathBuf]) -> Result<SourceSet, String> {
    let mut sources = SourceSet::new();
    let mut total = 0;
    for path in paths {
        for file in files(path)? {
            let text = text(&file)?;
            total += text.len();
            if total > MAX_TOTAL_BYTES {
                // UNSHOWN: 64 MiB in files of 8.
                return Err(format!(
                    "the configuration is larger than {} MiB at `{}`",
                    MAX_TOTAL_BYTES >> 20,
                    file.display()
                ));
            }
            sources.add(file.display().to_string(), text);
        }
    }
    Ok(sources)
}

fn cannot(path: &Path) -> impl Fn(io::Error) -> String {
    move |error| format!("cannot read `{}`: {error}", path.display())
}

fn files(path: &Path) -> Result<Vec<PathBuf>, String> {
    if !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let mut files = Vec::new();
    for entry in std::fs::read_dir(path).map_err(cannot(path))? {
        let file = entry.map_err(cannot(path))?.path();
        let is_hidden = file.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
        if !is_hidden && file.extension().is_some_and(|extension| extension == "cfg") && file.is_file() {
            files.push(file);
        }
    }
    if files.is_empty() {
        return Err(format!("there is no `*.cfg` file in `{}`", path.display()));
    }
    files.sort();
    Ok(files)
}

fn text(path: &Path) -> Result<String, String> {
    let file = regular_file::open(path).map_err(cannot(path))?;
    let mut bytes = Vec::new();
    file.take(MAX_SOURCE_BYTES as u64 + 1).read_to_end(&mut bytes).map_err(cannot(path))?;
    if bytes.len() > MAX_SOURCE_BYTES {
        return Err(format!("`{}` is larger than {} MiB", path.display(), MAX_SOURCE_BYTES >> 20));
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn files_come_in_the_order_of_haproxy() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::create_dir(at("conf.d")).unwrap();
        for name in ["conf.d/b.cfg", "conf.d/a.cfg", "conf.d/.c.cfg", "conf.d/d.txt", "z.cfg"] {
            fs::write(at(name), b"# \xff\n").unwrap();
        }
        let sources = read(&[at("z.cfg"), at("conf.d")]).unwrap();
        let names: Vec<_> = sources.ids().map(|id| sources.name(id).rsplit('/').next().unwrap().to_owned()).collect();
        assert_eq!(names, ["z.cfg", "a.cfg", "b.cfg"]);
        assert_eq!(sources.text(sources.ids().next().unwrap()), "# \u{fffd}\n");
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        let folder = tempfile::tempdir().unwrap();
        assert!(read(&[folder.path().join("none.cfg")]).unwrap_err().contains("none.cfg"));
        assert!(read(&[folder.path().to_owned()]).unwrap_err().contains("there is no `*.cfg` file in"));
        fs::write(folder.path().join("large.cfg"), vec![b'#'; MAX_SOURCE_BYTES + 1]).unwrap();
        assert!(read(&[folder.path().to_owned()]).unwrap_err().contains("is larger than 8 MiB"));
    }
}

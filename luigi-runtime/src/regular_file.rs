//! Opening what must be a regular file: the one way in which a path from a configuration or a command is read.
//!
//! Opening a pipe waits until somebody writes to it, and reading a device may never end. A service that opens its engine, and a command that a timer starts,
//! must not hang on either; they are told what is there instead.

use rustix::fs::{FileType, Mode, OFlags};
use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

/// Opens a regular file for reading, wherever links lead there. Never waits.
///
/// # Errors
/// A file that cannot be opened; a path to anything but a regular file, and then the text of the error says what is there.
pub fn open(path: &Path) -> io::Result<File> {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
    let file = match rustix::fs::open(path, flags, Mode::empty()) {
        // A socket, or a device without a driver: nothing to open, and nothing that says so.
        Err(rustix::io::Errno::NXIO | rustix::io::Errno::NODEV) => return Err(not_regular(FileType::Socket)),
        opened => opened?,
    };
    match FileType::from_raw_mode(rustix::fs::fstat(&file)?.st_mode) {
        FileType::RegularFile => Ok(File::from(file)),
        other => Err(not_regular(other)),
    }
}

/// Reads a regular file whole, as far as it has at most `limit` bytes. Never waits.
///
/// # Errors
/// Those of [`open`]; a file that cannot be read, or is longer.
pub fn read(path: &Path, limit: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    open(path)?.take(limit.saturating_add(1)).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > limit {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, format!("it is longer than {limit} bytes")));
    }
    Ok(bytes)
}

fn not_regular(found: FileType) -> io::Error {
    let what = match found {
        FileType::Directory => "a directory",
        FileType::Fifo => "a pipe",
        FileType::CharacterDevice | FileType::BlockDevice => "a device",
        FileType::Socket => "a socket or a device",
        FileType::RegularFile | FileType::Symlink | FileType::Unknown => "something else",
    };
    io::Error::new(io::ErrorKind::InvalidInput, format!("it is {what}, and must be a regular file"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::net::UnixListener;

    #[test]
    fn nothing_but_regular_files_is_opened_and_nothing_is_waited_for() {
        let folder = tempfile::TempDir::new().unwrap();
        let at = |name: &str| folder.path().join(name);
        std::fs::write(at("file"), "text").unwrap();
        std::os::unix::fs::symlink("file", at("link")).unwrap();
        std::os::unix::fs::symlink("pipe", at("link-to-pipe")).unwrap();
        rustix::fs::mknodat(rustix::fs::CWD, at("pipe"), FileType::Fifo, Mode::RWXU, 0).unwrap();
        let _listener = UnixListener::bind(at("socket")).unwrap();
        for (path, expected) in [
            (at("file"), Ok("text")),
            (at("link"), Ok("text")),
            (at("pipe"), Err("it is a pipe, and must be a regular file")),
            (at("link-to-pipe"), Err("it is a pipe, and must be a regular file")),
            (at("socket"), Err("it is a socket or a device, and must be a regular file")),
            (folder.path().to_owned(), Err("it is a directory, and must be a regular file")),
            ("/dev/zero".into(), Err("it is a device, and must be a regular file")),
            (at("nothing"), Err("No such file or directory (os error 2)")),
        ] {
            let found = read(&path, 4).map_err(|error| error.to_string());
            assert_eq!(found.as_deref().map_err(String::as_str), expected.map(str::as_bytes), "{}", path.display());
        }
        assert_eq!(read(&at("file"), 3).unwrap_err().to_string(), "it is longer than 3 bytes");
    }
}

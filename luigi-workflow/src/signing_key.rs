//! The Ed25519 key that signs manifests: made once, outside the feed, readable by its owner only.
//!
//! The private key is PKCS #8 (DER) in one file; its public half lies beside it with the ending `.pub`, in the text form that engines
//! read.

use crate::disk::{Access, Directory, Disk};
use luigi_runtime::feed::PublicKey;
use luigi_runtime::regular_file;
use ring::rand::SystemRandom;
use ring::signature::{Ed25519KeyPair, KeyPair as _};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

/// The longest key file that is read, in bytes.
const MAX_BYTES: u64 = 4096;

/// A signing key and where its public half lies.
pub(crate) struct SigningKey {
    pub(crate) pair: Ed25519KeyPair,
    pub(crate) public: PublicKey,
    pub(crate) public_path: PathBuf,
    /// Whether it was made just now.
    pub(crate) is_new: bool,
}

impl SigningKey {
    /// Reads the key, or makes one if there is none.
    pub(crate) fn open(path: &Path, disk: &mut Disk<'_>) -> Result<Self, String> {
        let at = path.display();
        let cannot = |what: &str, error: io::Error| format!("cannot {what} the signing key `{at}`: {error}");
        let name = path.file_name().and_then(|name| name.to_str()).ok_or_else(|| format!("`{at}` names no file"))?;
        let public_path = path.with_extension("pub");
        let public_name = public_path.file_name().and_then(|name| name.to_str());
        let public_name = public_name.filter(|other| *other != name);
        let public_name = public_name.ok_or_else(|| format!("`{at}` is the name of a public key"))?;
        let parent = match path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            Some(_) | None => Path::new("."),
        };
        // UNSHOWN: these are parts of what passes on what the system says.
        disk.make_directory(parent, 0o750).map_err(|error| cannot("make a directory for", error))?;
        let directory = Directory::open(parent).map_err(|error| cannot("open the directory of", error))?;
        // Two that find no key must not make one each: what the first has signed, nobody would believe.
        // UNSHOWN: as above.
        directory.hold().map_err(|error| cannot("lock the directory of", error))?;
        let (pkcs8, is_new) = match read_private(path) {
            Ok(pkcs8) => (pkcs8, false),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let made = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new());
                let made =
                    // UNSHOWN: a system without random bits cannot be had.
                    made.map_err(|_| format!("cannot make the signing key `{at}`: the system has no random bits"))?;
                disk.put(&directory, name, made.as_ref(), Access::Private).map_err(|error| cannot("write", error))?;
                disk.sync(&directory).map_err(|error| cannot("write", error))?;
                (made.as_ref().to_vec(), true)
            }
            Err(error) => return Err(cannot("read", error)),
        };
        let pair = Ed25519KeyPair::from_pkcs8_maybe_unchecked(&pkcs8)
            .map_err(|error| format!("`{at}` is not an Ed25519 key in PKCS #8: {error}"))?;
        // UNSHOWN: a key that was read is one.
        let bytes = pair.public_key().as_ref().try_into().map_err(|_| format!("`{at}` is not an Ed25519 key"))?;
        let public = PublicKey::from_bytes(bytes);
        let text = public.to_text();
        if regular_file::read(&public_path, MAX_BYTES).ok().as_deref() != Some(text.as_bytes()) {
            let written = disk.put(&directory, public_name, text.as_bytes(), Access::Public);
            // UNSHOWN: as above.
            written.and_then(|()| disk.sync(&directory)).map_err(|error| cannot("write the public half of", error))?;
        }
        Ok(Self { pair, public, public_path, is_new })
    }
}

fn read_private(path: &Path) -> io::Result<Vec<u8>> {
    use std::os::unix::fs::MetadataExt as _;
    let file = regular_file::open(path)?;
    let mode = file.metadata()?.mode();
    if mode & 0o077 != 0 {
        let why = format!("others may read it (mode {:04o}); make it 0600, or make a new key", mode & 0o7777);
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, why));
    }
    let mut bytes = Vec::new();
    file.take(MAX_BYTES).read_to_end(&mut bytes)?;
    Ok(bytes)
}

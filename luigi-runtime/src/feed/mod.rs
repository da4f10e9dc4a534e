//! The feed: how a published version lies on the disk, and how it is read back.
//!
//! A directory of immutable files named by their SHA-256, and one signed [`Manifest`] renamed into place last. The format is
//! described in docs/FEED.md. This module reads, and knows the names and shapes that the writer (luigi-workflow) needs; it
//! writes nothing.

mod candidate;
mod directory;
mod key;
mod manifest;
mod sealed;
mod stops;

pub(crate) use candidate::{Candidate, Refusal, Step, rights};
pub(crate) use directory::{FeedDirectory, Stamp};
pub use key::{KeyError, KeyId, PublicKey};
pub use manifest::{FileEntry, Manifest};
pub use sealed::{SealError, Sealed};
pub use stops::{Stops, StopsError};

use serde::{Deserialize, Serialize};

/// The name of the manifest in a feed.
pub const MANIFEST_NAME: &str = "manifest";

/// The longest manifest that is read, in bytes.
pub const MAX_MANIFEST_BYTES: u64 = 64 * 1024;

/// The longest compiled policy that is read, in bytes.
pub const MAX_POLICY_BYTES: u64 = 256 * 1024 * 1024;

/// The longest JWKS that is read, in bytes.
pub const MAX_KEYS_BYTES: u64 = 64 * 1024;

/// The longest file of stops that is read, in bytes.
pub const MAX_STOPS_BYTES: u64 = 512 * 1024;

/// What a file of a feed holds; the end of its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileKind {
    /// A compiled policy.
    Policy,
    /// The keys of one issuer: a JWKS, as it was given.
    Keys,
    /// The incident stops: see [`Stops`].
    Stops,
}

impl FileKind {
    /// Every kind.
    pub const ALL: [Self; 3] = [Self::Policy, Self::Keys, Self::Stops];

    /// The end of the file's name, without the dot.
    #[must_use]
    pub const fn suffix(self) -> &'static str {
        match self {
            Self::Policy => "policy",
            Self::Keys => "jwks",
            Self::Stops => "stops",
        }
    }

    /// The longest file of this kind that is read, in bytes.
    #[must_use]
    pub const fn max_bytes(self) -> u64 {
        match self {
            Self::Policy => MAX_POLICY_BYTES,
            Self::Keys => MAX_KEYS_BYTES,
            Self::Stops => MAX_STOPS_BYTES,
        }
    }
}

/// The SHA-256 of a file; written as 64 lower-case hex digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Digest([u8; 32]);

impl Digest {
    /// The digest of these bytes.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        let mut context = ring::digest::Context::new(&ring::digest::SHA256);
        context.update(bytes);
        Self::finish(context)
    }

    /// The name of the file with this content: `<digest>.<suffix>`. A manifest can name nothing else.
    #[must_use]
    pub fn file_name(&self, kind: FileKind) -> String {
        format!("{self}.{}", kind.suffix())
    }

    fn finish(context: ring::digest::Context) -> Self {
        let mut bytes = [0; 32];
        bytes.copy_from_slice(context.finish().as_ref());
        Self(bytes)
    }
}

impl std::fmt::Display for Digest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl std::fmt::Debug for Digest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Digest({self})")
    }
}

impl From<Digest> for String {
    fn from(digest: Digest) -> Self {
        digest.to_string()
    }
}

impl TryFrom<String> for Digest {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        const SHAPE: &str = "a digest is 64 lower-case hex digits";
        let digit = |b: u8| match b {
            b'0'..=b'9' => Ok(b - b'0'),
            b'a'..=b'f' => Ok(b - b'a' + 10),
            _ => Err(SHAPE),
        };
        let text: &[u8; 64] = text.as_bytes().try_into().map_err(|_| SHAPE)?;
        let mut bytes = [0; 32];
        for (byte, pair) in bytes.iter_mut().zip(text.chunks_exact(2)) {
            *byte = digit(pair[0])? << 4 | digit(pair[1])?;
        }
        Ok(Self(bytes))
    }
}

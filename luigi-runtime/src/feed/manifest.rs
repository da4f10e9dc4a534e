//! The manifest: which files make one version of a feed, signed.
//!
//! The first line is `luigi-manifest 1 ed25519 <key id> <signature in base64url>`, what follows its LF is the payload: JSON.
//! The signature is over the first line up to the key id, an LF and the payload, byte for byte, so that neither format nor
//! key can be exchanged. The payload's members are fixed by the format's number: an unknown one is refused, because what an engine
//! does not understand (a limit, say) it must not ignore.

use super::key::PublicKey;
use super::{Digest, FileKind, MAX_MANIFEST_BYTES};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use luigi_core::policy::model::Mode;
use luigi_core::time::Timestamp;
use ring::signature::{Ed25519KeyPair, KeyPair as _};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

const MAGIC: &str = "luigi-manifest";
const FORMAT: &str = "1";
const ALGORITHM: &str = "ed25519";

/// Everything that one version of a feed is made of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Manifest {
    /// When the feed was made, in seconds since the Unix epoch. Compared before the generation; never goes back.
    pub epoch: u64,
    /// One more with every change; never goes back within an epoch.
    pub generation: u64,
    /// Whether decisions have effect.
    pub mode: Mode,
    /// The environment that the policy was compiled for; left out if it has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment: Option<String>,
    /// When this generation was published.
    pub published_at: Timestamp,
    /// When the writer last said that it lives; the only member that may change within a generation.
    pub heartbeat: Timestamp,
    /// The compiled policy; the digest is its revision, too.
    pub policy: FileEntry,
    /// The keys of issuers, by the issuers' names in the policy.
    pub keys: BTreeMap<String, FileEntry>,
    /// The incident stops; left out if there are none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stops: Option<FileEntry>,
    /// What wrote it, for people.
    pub tool: String,
}

/// One file of a version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct FileEntry {
    /// The digest of the file; its name follows from it.
    pub sha256: Digest,
    /// The length of the file.
    pub bytes: u64,
}

impl Manifest {
    /// The names of all files that the manifest stands on.
    pub fn files(&self) -> impl Iterator<Item = String> {
        let keys = self.keys.values().map(|entry| entry.sha256.file_name(FileKind::Keys));
        let stops = self.stops.iter().map(|entry| entry.sha256.file_name(FileKind::Stops));
        std::iter::once(self.policy.sha256.file_name(FileKind::Policy)).chain(keys).chain(stops)
    }

    /// The manifest as it lies in a feed, signed.
    ///
    /// # Panics
    /// Never: the payload has nothing that JSON cannot say.
    #[must_use]
    pub fn sign(&self, key: &Ed25519KeyPair) -> Vec<u8> {
        let mut public = [0; 32];
        public.copy_from_slice(key.public_key().as_ref());
        let mut payload = serde_json::to_vec_pretty(self).expect("a manifest is strings and numbers");
        payload.push(b'\n');
        let head = format!("{MAGIC} {FORMAT} {ALGORITHM} {}", PublicKey::from_bytes(public).id());
        let signature = URL_SAFE_NO_PAD.encode(key.sign(&message(&head, &payload)));
        [head.as_bytes(), b" ", signature.as_bytes(), b"\n", &payload].concat()
    }

    /// Reads a manifest and believes it only if `key` signed it.
    ///
    /// # Errors
    /// Another format, another key, a signature that does not verify, or a payload that is not what format 1 says.
    pub fn verify(bytes: &[u8], key: &PublicKey) -> Result<Self, ManifestError> {
        if bytes.len() as u64 > MAX_MANIFEST_BYTES {
            return Err(ManifestError::new("the manifest is longer than 64 KiB"));
        }
        let end = bytes.iter().position(|byte| *byte == b'\n').ok_or(NOT_ONE)?;
        let (line, payload) = (std::str::from_utf8(&bytes[..end]).map_err(|_| NOT_ONE)?, &bytes[end + 1..]);
        let mut words = line.split(' ');
        if words.next() != Some(MAGIC) {
            return Err(NOT_ONE);
        }
        match words.next() {
            Some(FORMAT) => {}
            Some(other) => {
                let why =
                    format!("the manifest has format `{}`; this engine reads format {FORMAT}", other.escape_debug());
                return Err(ManifestError::new(why));
            }
            None => return Err(NOT_ONE),
        }
        let (Some(ALGORITHM), Some(id), Some(signature), None) =
            (words.next(), words.next(), words.next(), words.next())
        else {
            return Err(NOT_ONE);
        };
        if id != key.id().to_string() {
            let why =
                format!("the manifest is signed with key `{}`; this engine trusts {}", id.escape_debug(), key.id());
            return Err(ManifestError::new(why));
        }
        let signature = URL_SAFE_NO_PAD.decode(signature).map_err(|_| NOT_ONE)?;
        let head = format!("{MAGIC} {FORMAT} {ALGORITHM} {id}");
        if !key.verifies(&message(&head, payload), &signature) {
            return Err(ManifestError::new("the manifest's signature does not verify"));
        }
        serde_json::from_slice(payload)
            .map_err(|error| ManifestError::new(format!("the manifest is malformed: {error}")))
    }
}

const NOT_ONE: ManifestError = ManifestError { why: std::borrow::Cow::Borrowed("the file is not a manifest") };

fn message(head: &str, payload: &[u8]) -> Vec<u8> {
    [head.as_bytes(), b"\n", payload].concat()
}

/// Why a manifest is not believed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ManifestError {
    why: std::borrow::Cow<'static, str>,
}

impl ManifestError {
    fn new(why: impl Into<std::borrow::Cow<'static, str>>) -> Self {
        Self { why: why.into() }
    }
}

impl std::fmt::Display for ManifestError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.why)
    }
}

impl std::error::Error for ManifestError {}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair(seed: u8) -> (Ed25519KeyPair, PublicKey) {
        let pair = Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).unwrap();
        let public = PublicKey::from_bytes(pair.public_key().as_ref().try_into().unwrap());
        (pair, public)
    }

    fn manifest() -> Manifest {
        let entry = FileEntry { sha256: Digest::of(b"{}"), bytes: 2 };
        Manifest {
            epoch: 1_700_000_000,
            generation: 3,
            mode: Mode::Observe,
            environment: Some("production".to_owned()),
            published_at: Timestamp::from_unix_seconds(1_700_000_100),
            heartbeat: Timestamp::from_unix_seconds(1_700_000_200),
            policy: FileEntry { sha256: Digest::of(b"policy"), bytes: 6 },
            keys: BTreeMap::from([("okta".to_owned(), entry)]),
            stops: Some(FileEntry { sha256: Digest::of(b"stops"), bytes: 5 }),
            tool: "luigi 0.1.0".to_owned(),
        }
    }

    #[test]
    fn a_signed_manifest_reads_back() {
        let (pair, public) = pair(1);
        assert_eq!(Manifest::verify(&manifest().sign(&pair), &public), Ok(manifest()));
    }

    #[test]
    fn no_single_changed_byte_is_believed() {
        let (pair, public) = pair(1);
        let signed = manifest().sign(&pair);
        for at in 0..signed.len() {
            let mut changed = signed.clone();
            changed[at] ^= 1;
            assert!(Manifest::verify(&changed, &public).is_err(), "byte {at}");
            assert!(Manifest::verify(&signed[..at], &public).is_err(), "cut at {at}");
        }
    }

    #[test]
    fn what_is_refused_says_why() {
        let (ours, public) = pair(1);
        let (theirs, their_public) = pair(2);
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        let good = text(manifest().sign(&ours));
        let id = public.id().to_string();
        let resign = |payload: &str| {
            let head = format!("{MAGIC} {FORMAT} {ALGORITHM} {id}");
            let signature = URL_SAFE_NO_PAD.encode(ours.sign(&message(&head, payload.as_bytes())));
            format!("{head} {signature}\n{payload}")
        };
        let payload = good.split_once('\n').unwrap().1;
        assert_eq!(resign(payload), good);
        for (bytes, why) in [
            (String::new(), "the file is not a manifest".to_owned()),
            (good.replacen("luigi-manifest 1", "luigi-manifest 2", 1), "format `2`".to_owned()),
            (text(manifest().sign(&theirs)), format!("signed with key `{}`", their_public.id())),
            (
                text(manifest().sign(&theirs)).replacen(&their_public.id().to_string(), &id, 1),
                "signature does not verify".to_owned(),
            ),
            (resign("{"), "malformed".to_owned()),
            (resign(&payload.replacen('{', "{\"limits\": [],", 1)), "unknown field `limits`".to_owned()),
            (resign(&payload.replacen("\"generation\": 3", "\"generation\": -3", 1)), "malformed".to_owned()),
            (resign(&payload.replacen("\"mode\": \"observe\"", "\"mode\": \"off\"", 1)), "malformed".to_owned()),
            (resign(&payload.replacen(&Digest::of(b"policy").to_string(), "../manifest", 1)), "hex digits".to_owned()),
            (resign(&(payload.to_owned() + &" ".repeat(64 * 1024))), "longer than 64 KiB".to_owned()),
        ] {
            let refused = Manifest::verify(bytes.as_bytes(), &public).unwrap_err().to_string();
            assert!(refused.contains(&why), "{refused:?} does not say {why:?}");
        }
    }
}

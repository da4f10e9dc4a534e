//! The manifest: which files make one version of a feed, signed.
//!
//! A [`Sealed`] file whose payload is JSON. The payload's members are fixed by the format's number: an unknown one is refused, because what an engine
//! does not understand (a limit, say) it must not ignore.

use super::key::PublicKey;
use super::sealed::{SealError, Sealed};
use super::{Digest, FileKind, MAX_MANIFEST_BYTES};
use luigi_core::policy::model::Mode;
use luigi_core::time::Timestamp;
use ring::signature::Ed25519KeyPair;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

const MANIFEST: Sealed = Sealed { word: "luigi-manifest", name: "manifest", max_bytes: MAX_MANIFEST_BYTES };

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
        let mut payload = serde_json::to_vec_pretty(self).expect("a manifest is strings and numbers");
        payload.push(b'\n');
        MANIFEST.seal(&payload, key)
    }

    /// Reads a manifest and believes it only if `key` signed it.
    ///
    /// # Errors
    /// Another format, another key, a signature that does not verify, or a payload that is not what format 1 says.
    pub fn verify(bytes: &[u8], key: &PublicKey) -> Result<Self, SealError> {
        serde_json::from_slice(MANIFEST.open(bytes, key)?)
            .map_err(|error| SealError::new(format!("the manifest is malformed: {error}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ring::signature::KeyPair as _;

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
        let resign = |payload: &str| text(MANIFEST.seal(payload.as_bytes(), &ours));
        let payload = good.split_once('\n').unwrap().1;
        assert_eq!(resign(payload), good);
        for (bytes, why) in [
            (String::new(), "the file is not a manifest".to_owned()),
            (good.replacen("luigi-manifest 1", "luigi-manifest 2", 1), "format `2`".to_owned()),
            (text(manifest().sign(&theirs)), format!("signed with key `{}`", their_public.id())),
            (
                text(manifest().sign(&theirs)).replacen(&their_public.id().to_string(), &id, 1),
                "the signature of the manifest does not verify".to_owned(),
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

//! Checkpoints: signed heads that can be kept where the owner of the database cannot reach.
//!
//! One line, `luigi-checkpoint 1 ed25519 <key id> <ledger> <sequence> <hash> <time> <signature in base64url>`; the signature is over the line up to the
//! time. A line like this in a file, a log host or a webhook's receiver says that the ledger stood there then, whatever the database says today.

use super::entry::{Hash, parse_time, time_text};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use luigi_runtime::feed::PublicKey;
use ring::signature::{Ed25519KeyPair, KeyPair as _};

const HEAD: &str = "luigi-checkpoint 1 ed25519";

/// The characters of a signature: 64 bytes.
const SIGNATURE_LENGTH: usize = 86;

/// Where a ledger stood at some moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// The ledger's id.
    pub ledger: String,
    /// The sequence of the last entry.
    pub sequence: u64,
    /// Its hash, and with it that of all before.
    pub hash: Hash,
    /// When it was signed.
    pub time: Timestamp,
}

impl Checkpoint {
    /// The line, without its end.
    #[must_use]
    pub fn sign(&self, key: &Ed25519KeyPair) -> String {
        let mut public = [0; 32];
        public.copy_from_slice(key.public_key().as_ref());
        let Self { ledger, sequence, hash, time } = self;
        let signed =
            format!("{HEAD} {} {ledger} {sequence} {hash} {}", PublicKey::from_bytes(public).id(), time_text(*time));
        let signature = URL_SAFE_NO_PAD.encode(key.sign(signed.as_bytes()));
        format!("{signed} {signature}")
    }

    /// Reads a line and believes it only if `key` signed it.
    ///
    /// # Errors
    /// It is no checkpoint, another key signed it, or the signature does not verify.
    pub fn verify(line: &str, key: &PublicKey) -> Result<Self, CheckpointError> {
        let (signed, signature) = line.rsplit_once(' ').ok_or(CheckpointError::NotOne)?;
        let rest = signed.strip_prefix(HEAD).and_then(|rest| rest.strip_prefix(' ')).ok_or(CheckpointError::NotOne)?;
        let mut words = rest.split(' ');
        let (Some(id), Some(ledger), Some(sequence), Some(hash), Some(time), None) =
            (words.next(), words.next(), words.next(), words.next(), words.next(), words.next())
        else {
            return Err(CheckpointError::NotOne);
        };
        if id != key.id().to_string() {
            return Err(CheckpointError::OtherKey);
        }
        let signature = URL_SAFE_NO_PAD.decode(signature).map_err(|_| CheckpointError::NotOne)?;
        if !key.verifies(signed.as_bytes(), &signature) {
            return Err(CheckpointError::Signature);
        }
        let read = || {
            Some(Self {
                ledger: ledger.to_owned(),
                sequence: sequence.parse().ok()?,
                hash: Hash::parse(hash)?,
                time: parse_time(time)?,
            })
        };
        read().ok_or(CheckpointError::NotOne)
    }

    /// Whether a line that is not believed is what is left of one that was not written to its end.
    pub(super) fn is_torn(line: &str) -> bool {
        let Some(rest) = line.strip_prefix(HEAD) else { return HEAD.starts_with(line) };
        let mut words = rest.split(' ');
        // Nothing stands before the first space; then come key, ledger, sequence, hash, time and signature.
        let (begins, signature, more) = (words.next() == Some(""), words.nth(5), words.next());
        begins && signature.is_none_or(|signature| signature.len() < SIGNATURE_LENGTH) && more.is_none()
    }
}

/// Why a line is not a checkpoint to believe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CheckpointError {
    /// It does not have the form of one.
    NotOne,
    /// Another key signed it.
    OtherKey,
    /// The signature does not verify.
    Signature,
    /// It is the last line of a file, and was not written to its end.
    Torn,
}

impl std::fmt::Display for CheckpointError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::NotOne => "it is no checkpoint of format 1",
            Self::OtherKey => "another key signed it",
            Self::Signature => "its signature does not verify",
            Self::Torn => "it was not written to its end",
        })
    }
}

impl std::error::Error for CheckpointError {}

#[cfg(test)]
mod tests {
    use super::*;
    use ring::rand::SystemRandom;

    #[test]
    fn only_the_line_that_was_signed_is_believed() {
        let pair = |_| {
            let pkcs8 = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap();
            Ed25519KeyPair::from_pkcs8(pkcs8.as_ref()).unwrap()
        };
        let (ours, other) = (pair(1), pair(2));
        let public = |pair: &Ed25519KeyPair| PublicKey::from_bytes(pair.public_key().as_ref().try_into().unwrap());
        let checkpoint = Checkpoint {
            ledger: "00112233445566778899aabbccddeeff".to_owned(),
            sequence: 17,
            hash: Hash::ZERO.next(b"x"),
            time: Timestamp::from_second(1_772_442_000).unwrap(),
        };
        let line = checkpoint.sign(&ours);
        assert_eq!(Checkpoint::verify(&line, &public(&ours)), Ok(checkpoint));
        assert_eq!(Checkpoint::verify(&line, &public(&other)), Err(CheckpointError::OtherKey));
        for index in 0..line.len() {
            for bit in 0..7 {
                let mut bytes = line.clone().into_bytes();
                bytes[index] ^= 1 << bit;
                let Ok(changed) = String::from_utf8(bytes) else { continue };
                // The last character of base64 has bits that mean nothing; the decoder refuses them unless they are zero.
                assert!(Checkpoint::verify(&changed, &public(&ours)).is_err(), "{changed}");
            }
        }
        for end in 0..line.len() {
            assert!(Checkpoint::verify(&line[..end], &public(&ours)).is_err(), "{}", &line[..end]);
            assert!(Checkpoint::is_torn(&line[..end]), "{}", &line[..end]);
        }
        assert!(!Checkpoint::is_torn(&line));
    }
}

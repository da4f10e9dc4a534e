//! Signed files: one line that says what the file is and who signed it, then the payload.
//!
//! The line is `<word> 1 ed25519 <key id> <signature in base64url>`; what follows its LF is the payload. The signature is over the line up to the key id, an LF and
//! the payload, byte for byte, so that neither what the file is nor its format nor its key can be exchanged. Manifests are such files, and
//! what the control plane keeps of each apply.

use super::key::PublicKey;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::signature::{Ed25519KeyPair, KeyPair as _};
use std::borrow::Cow;

const FORMAT: &str = "1";
const ALGORITHM: &str = "ed25519";

/// A kind of signed file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sealed {
    /// The first word of the file, which no other kind has.
    pub word: &'static str,
    /// What errors call it, as in "the manifest".
    pub name: &'static str,
    /// The longest file that is read, in bytes.
    pub max_bytes: u64,
}

impl Sealed {
    /// The file with this payload.
    #[must_use]
    pub fn seal(&self, payload: &[u8], key: &Ed25519KeyPair) -> Vec<u8> {
        let mut public = [0; 32];
        public.copy_from_slice(key.public_key().as_ref());
        let head = self.head(&PublicKey::from_bytes(public));
        let signature = URL_SAFE_NO_PAD.encode(key.sign(&message(&head, payload)));
        [head.as_bytes(), b" ", signature.as_bytes(), b"\n", payload].concat()
    }

    /// The payload of a file, if it is of this kind and `key` signed it.
    ///
    /// # Errors
    /// A longer file, another kind or format, another key, or a signature that does not verify.
    pub fn open<'a>(&self, bytes: &'a [u8], key: &PublicKey) -> Result<&'a [u8], SealError> {
        let name = self.name;
        if bytes.len() as u64 > self.max_bytes {
            return Err(SealError::new(format!("the {name} is longer than {} KiB", self.max_bytes / 1024)));
        }
        let not_one = || SealError::new(format!("the file is not a {name}"));
        let end = bytes.iter().position(|byte| *byte == b'\n').ok_or_else(not_one)?;
        let (line, payload) = (std::str::from_utf8(&bytes[..end]).map_err(|_| not_one())?, &bytes[end + 1..]);
        let mut words = line.split(' ');
        if words.next() != Some(self.word) {
            return Err(not_one());
        }
        match words.next() {
            Some(FORMAT) => {}
            Some(other) => {
                let why =
                    format!("the {name} has format `{}`; what reads it knows format {FORMAT}", other.escape_debug());
                return Err(SealError::new(why));
            }
            None => return Err(not_one()),
        }
        let (Some(ALGORITHM), Some(id), Some(signature), None) =
            (words.next(), words.next(), words.next(), words.next())
        else {
            return Err(not_one());
        };
        if id != key.id().to_string() {
            let why = format!(
                "the {name} is signed with key `{}`; the one that is trusted is {}",
                id.escape_debug(),
                key.id()
            );
            return Err(SealError::new(why));
        }
        let signature = URL_SAFE_NO_PAD.decode(signature).map_err(|_| not_one())?;
        if !key.verifies(&message(&self.head(key), payload), &signature) {
            return Err(SealError::new(format!("the signature of the {name} does not verify")));
        }
        Ok(payload)
    }

    fn head(&self, key: &PublicKey) -> String {
        format!("{} {FORMAT} {ALGORITHM} {}", self.word, key.id())
    }
}

fn message(head: &str, payload: &[u8]) -> Vec<u8> {
    [head.as_bytes(), b"\n", payload].concat()
}

/// Why a signed file is not believed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SealError {
    why: Cow<'static, str>,
}

impl SealError {
    pub(crate) fn new(why: impl Into<Cow<'static, str>>) -> Self {
        Self { why: why.into() }
    }
}

impl std::fmt::Display for SealError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.why)
    }
}

impl std::error::Error for SealError {}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: Sealed = Sealed { word: "luigi-one", name: "one", max_bytes: 1024 };

    #[test]
    fn one_kind_is_not_taken_for_another() {
        let pair = Ed25519KeyPair::from_seed_unchecked(&[1; 32]).unwrap();
        let public = PublicKey::from_bytes(pair.public_key().as_ref().try_into().unwrap());
        let sealed = ONE.seal(b"payload\n", &pair);
        assert_eq!(ONE.open(&sealed, &public), Ok(b"payload\n".as_slice()));
        let other = Sealed { word: "luigi-two", ..ONE };
        assert_eq!(other.open(&sealed, &public).unwrap_err().to_string(), "the file is not a one");
        // Nor if somebody writes the other word over it.
        let renamed = String::from_utf8(sealed).unwrap().replacen("luigi-one", "luigi-two", 1);
        let refused = other.open(renamed.as_bytes(), &public).unwrap_err().to_string();
        assert_eq!(refused, "the signature of the one does not verify");
        assert!(ONE.open(&ONE.seal(&[b'x'; 1024], &pair), &public).unwrap_err().to_string().contains("1 KiB"));
    }
}

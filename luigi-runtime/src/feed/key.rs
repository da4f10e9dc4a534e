//! The public key that manifests are signed with, and its text form.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::digest;
use ring::signature::{ED25519, UnparsedPublicKey};

/// The first words of a public key's line.
const HEAD: &str = "luigi-public-key 1 ed25519";

/// An Ed25519 public key (RFC 8032).
///
/// Its text is one line, `luigi-public-key 1 ed25519 <key id> <key in base64url>`; empty lines and lines that begin with `#` may
/// surround it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicKey {
    bytes: [u8; 32],
    id: KeyId,
}

/// Names a public key: the first 8 bytes of its SHA-256; written as 16 hex digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyId([u8; 8]);

impl PublicKey {
    /// The key with these bytes.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        let hash = digest::digest(&digest::SHA256, &bytes);
        let mut id = [0; 8];
        id.copy_from_slice(&hash.as_ref()[..8]);
        Self { bytes, id: KeyId(id) }
    }

    /// Reads the text form.
    ///
    /// # Errors
    /// Not exactly one line that is a key, or a key id that belongs to another key.
    pub fn parse(text: &str) -> Result<Self, KeyError> {
        let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
        let (Some(line), None) = (lines.next(), lines.next()) else {
            return Err(KeyError("not exactly one line"));
        };
        let rest = line.strip_prefix(HEAD).and_then(|rest| rest.strip_prefix(' '));
        let (id, key) = rest.and_then(|rest| rest.split_once(' ')).ok_or(KeyError("not a public key of Luigi's"))?;
        let bytes = URL_SAFE_NO_PAD.decode(key).ok().and_then(|bytes| bytes.try_into().ok());
        let key = Self::from_bytes(bytes.ok_or(KeyError("the key is not 32 bytes in base64url"))?);
        if key.id.to_string() != id {
            return Err(KeyError("the key id does not belong to the key"));
        }
        Ok(key)
    }

    /// The text form, one line with its end.
    #[must_use]
    pub fn to_text(&self) -> String {
        format!("{HEAD} {} {}\n", self.id, URL_SAFE_NO_PAD.encode(self.bytes))
    }

    /// What names the key.
    #[must_use]
    pub fn id(&self) -> KeyId {
        self.id
    }

    /// Whether this is a signature of the message by this key.
    #[must_use]
    pub fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        UnparsedPublicKey::new(&ED25519, &self.bytes).verify(message, signature).is_ok()
    }
}

impl std::fmt::Display for KeyId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// Why a text is not a public key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyError(&'static str);

impl std::fmt::Display for KeyError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for KeyError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_reads_back_from_its_text_and_from_nothing_else() {
        let key = PublicKey::from_bytes([7; 32]);
        let line = key.to_text();
        let other = PublicKey::from_bytes([8; 32]);
        assert_eq!(PublicKey::parse(&line), Ok(key.clone()));
        assert_eq!(PublicKey::parse(&format!("# made by apply\n\n{line}\n")), Ok(key.clone()));
        for broken in [
            String::new(),
            "# nothing\n".to_owned(),
            format!("{line}{line}"),
            line.replace(" 1 ", " 2 "),
            line.replace("ed25519", "rsa"),
            line.replace(&key.id().to_string(), &other.id().to_string()),
            line.trim_end()[..line.len() - 3].to_owned(),
            line.replace(' ', "  "),
        ] {
            assert!(PublicKey::parse(&broken).is_err(), "{broken:?}");
        }
    }
}

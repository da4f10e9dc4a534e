//! Signature verification for `jsonwebtoken`, made of *ring*.
//!
//! `jsonwebtoken` is built without a backend, so that no second cryptographic library is linked; it asks a process-wide
//! [`CryptoProvider`] instead. This one verifies the six algorithms of [`super::Algorithm`] and nothing else. It deliberately cannot
//! sign: nothing that verifies tokens needs to, and a data plane that could mint tokens would be a target.

use jsonwebtoken::crypto::{CryptoProvider, JwtVerifier, KeyUtils};
use jsonwebtoken::errors::{ErrorKind, Result, new_error};
use jsonwebtoken::signature::{Error as SignatureError, Verifier};
use jsonwebtoken::{Algorithm, DecodingKey, DecodingKeyKind};
use ring::{hmac, signature};
use std::sync::OnceLock;

static PROVIDER: CryptoProvider = CryptoProvider {
    signer_factory: |_, _| Err(new_error(ErrorKind::UnsupportedAlgorithm)),
    verifier_factory: |algorithm, key| Ok(Box::new(RingVerifier::new(*algorithm, key)?)),
    key_utils: KeyUtils::new_unimplemented(),
};

/// Makes sure that `jsonwebtoken` has a provider before it is first asked; without one it panics.
///
/// The provider is process-wide and can be set once. An embedder that uses `jsonwebtoken` for purposes of its own and has
/// installed another one keeps it.
pub(super) fn ensure_provider() {
    static INSTALLED: OnceLock<()> = OnceLock::new();
    INSTALLED.get_or_init(|| {
        // The error only says that another one is there.
        let _ = PROVIDER.install_default();
    });
}

struct RingVerifier {
    algorithm: Algorithm,
    key: VerifierKey,
}

enum VerifierKey {
    Rsa { parameters: &'static signature::RsaParameters, n: Vec<u8>, e: Vec<u8> },
    Curve(signature::UnparsedPublicKey<Vec<u8>>),
    Secret(hmac::Key),
}

impl RingVerifier {
    fn new(algorithm: Algorithm, key: &DecodingKey) -> Result<Self> {
        if key.family() != algorithm.family() {
            return Err(new_error(ErrorKind::InvalidAlgorithm));
        }
        let curve = |verification: &'static dyn signature::VerificationAlgorithm| -> Result<VerifierKey> {
            let point = key.try_get_as_bytes()?.to_vec();
            Ok(VerifierKey::Curve(signature::UnparsedPublicKey::new(verification, point)))
        };
        let rsa = |parameters| match key.kind() {
            DecodingKeyKind::RsaModulusExponent { n, e } => {
                Ok(VerifierKey::Rsa { parameters, n: n.clone(), e: e.clone() })
            }
            DecodingKeyKind::SecretOrDer(_) => Err(new_error(ErrorKind::InvalidKeyFormat)),
        };
        let key = match algorithm {
            Algorithm::RS256 => rsa(&signature::RSA_PKCS1_2048_8192_SHA256)?,
            Algorithm::PS256 => rsa(&signature::RSA_PSS_2048_8192_SHA256)?,
            Algorithm::ES256 => curve(&signature::ECDSA_P256_SHA256_FIXED)?,
            Algorithm::ES384 => curve(&signature::ECDSA_P384_SHA384_FIXED)?,
            Algorithm::EdDSA => curve(&signature::ED25519)?,
            Algorithm::HS256 => VerifierKey::Secret(hmac::Key::new(hmac::HMAC_SHA256, key.try_get_as_bytes()?)),
            // The crate's enum may grow; what is not listed above is not accepted.
            _ => return Err(new_error(ErrorKind::UnsupportedAlgorithm)),
        };
        Ok(Self { algorithm, key })
    }
}

impl Verifier<Vec<u8>> for RingVerifier {
    fn verify(&self, message: &[u8], signature: &Vec<u8>) -> std::result::Result<(), SignatureError> {
        match &self.key {
            VerifierKey::Rsa { parameters, n, e } => {
                signature::RsaPublicKeyComponents { n, e }.verify(parameters, message, signature)
            }
            VerifierKey::Curve(key) => key.verify(message, signature),
            VerifierKey::Secret(key) => hmac::verify(key, message, signature),
        }
        .map_err(|_| SignatureError::new())
    }
}

impl JwtVerifier for RingVerifier {
    fn algorithm(&self) -> Algorithm {
        self.algorithm
    }
}

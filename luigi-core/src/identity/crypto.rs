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

#[cfg(test)]
mod tests {
    use super::super::key_set::KeySet;
    use super::*;

    /// The examples of RFC 7515 (appendices A.1 to A.3) and RFC 8037 (appendix A.4).
    #[test]
    fn known_answers() {
        const JOE: &str =
            "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";
        let cases = [
            (
                Algorithm::HS256,
                super::super::Algorithm::HS256,
                r#"{"kty":"oct","k":"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow"}"#,
                format!("eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.{JOE}"),
                "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk",
            ),
            (
                Algorithm::RS256,
                super::super::Algorithm::RS256,
                concat!(
                    r#"{"kty":"RSA","e":"AQAB","n":"ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJ"#,
                    "PMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5re",
                    "xMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoud",
                    r#"F8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ"}"#
                ),
                format!("eyJhbGciOiJSUzI1NiJ9.{JOE}"),
                concat!(
                    "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdb",
                    "F9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383",
                    "LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWy",
                    "wlVmtVrBp0igcN_IoypGlUPQGe77Rw"
                ),
            ),
            (
                Algorithm::ES256,
                super::super::Algorithm::ES256,
                r#"{"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}"#,
                format!("eyJhbGciOiJFUzI1NiJ9.{JOE}"),
                "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q",
            ),
            (
                Algorithm::EdDSA,
                super::super::Algorithm::EdDSA,
                r#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#,
                "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc".to_owned(),
                "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg",
            ),
        ];
        ensure_provider();
        ensure_provider();
        for (algorithm, ours, jwk, signed, signature) in cases {
            let keys = KeySet::from_jwks(format!("{{\"keys\":[{jwk}]}}").as_bytes()).unwrap();
            let key = keys.find(None, ours, crate::identity::key_set::KeyUse::Signature).unwrap();
            let verify = |message: &str| {
                jsonwebtoken::crypto::verify(signature, message.as_bytes(), &key.decoding, algorithm).unwrap()
            };
            assert!(verify(&signed), "{algorithm:?}");
            assert!(!verify(&signed.replacen("eyJ", "eyK", 1)), "{algorithm:?}, another header");
        }
    }

    #[test]
    fn keys_of_one_family_are_no_good_for_another_and_nothing_is_signed() {
        let secret = DecodingKey::from_secret(&[7; 32]);
        let rsa = DecodingKey::from_rsa_raw_components(&[0xff; 256], &[1, 0, 1]);
        let der = DecodingKey::from_rsa_der(&[0x30, 0]);
        for (algorithm, key) in [
            (Algorithm::RS256, &secret),
            (Algorithm::ES256, &secret),
            (Algorithm::HS256, &rsa),
            (Algorithm::EdDSA, &rsa),
            (Algorithm::RS256, &der),
            (Algorithm::RS512, &rsa),
            (Algorithm::HS512, &secret),
        ] {
            assert!((PROVIDER.verifier_factory)(&algorithm, key).is_err(), "{algorithm:?}");
        }
        let key = jsonwebtoken::EncodingKey::from_secret(&[7; 32]);
        assert!((PROVIDER.signer_factory)(&Algorithm::HS256, &key).is_err());
    }
}

//! Manifests: arbitrary ones and spoilt ones are refused, and what a signed one says is read or refused whole.
//!
//! The first byte of an input chooses: spoil a signed manifest, sign the rest as a payload, or take the rest as it is.

use super::input::Input;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use luigi_runtime::feed::{Digest, FileEntry, Manifest, PublicKey};
use luigi_runtime::{Mode, Timestamp};
use ring::signature::{Ed25519KeyPair, KeyPair};
use std::collections::BTreeMap;

pub(crate) fn run(bytes: &[u8]) {
    let pair = Ed25519KeyPair::from_seed_unchecked(&[7; 32]).expect("32 bytes are a seed");
    let key = PublicKey::from_bytes(pair.public_key().as_ref().try_into().expect("the key has 32 bytes"));
    let mut input = Input(bytes);
    match input.byte() % 3 {
        0 => {
            let signed = manifest().sign(&pair);
            let mut spoilt = signed.clone();
            input.spoil(&mut spoilt);
            let read = Manifest::verify(&spoilt, &key);
            assert_eq!(read.is_ok(), spoilt == signed, "{read:?}");
        }
        1 => {
            let head = format!("luigi-manifest 1 ed25519 {}", key.id());
            let signature = URL_SAFE_NO_PAD.encode(pair.sign(&[head.as_bytes(), b"\n", input.0].concat()));
            let signed = [head.as_bytes(), b" ", signature.as_bytes(), b"\n", input.0].concat();
            if let Ok(manifest) = Manifest::verify(&signed, &key) {
                assert_eq!(Manifest::verify(&manifest.sign(&pair), &key), Ok(manifest.clone()));
                for name in manifest.files() {
                    let (digest, suffix) = name.split_once('.').expect("a name has a suffix");
                    assert!(digest.len() == 64 && digest.bytes().all(|byte| byte.is_ascii_hexdigit()), "{name}");
                    assert!(["policy", "jwks"].contains(&suffix), "{name}");
                }
            }
        }
        _ => {
            assert!(Manifest::verify(input.0, &key).is_err(), "nobody signed this");
            if let Ok(text) = str::from_utf8(input.0)
                && let Ok(read) = PublicKey::parse(text)
            {
                assert_eq!(PublicKey::parse(&read.to_text()), Ok(read));
            }
        }
    }
}

fn manifest() -> Manifest {
    let entry = |content: &[u8]| FileEntry { sha256: Digest::of(content), bytes: content.len() as u64 };
    Manifest {
        epoch: 1_700_000_000,
        generation: 3,
        mode: Mode::Enforce,
        environment: Some("production".to_owned()),
        published_at: Timestamp::from_unix_seconds(1_700_000_100),
        heartbeat: Timestamp::from_unix_seconds(1_700_000_200),
        policy: entry(b"policy"),
        keys: BTreeMap::from([("okta".to_owned(), entry(b"keys"))]),
        stops: None,
        tool: "luigi".to_owned(),
    }
}

//! A feed for the calls of the C ABI to follow, beside the policy file that they open: in a folder of its own, which goes with the input.

use super::input::Input;
use luigi_core::policy::{SourceSet, parse};
use luigi_core::snapshot::Snapshot;
use luigi_runtime::feed::{Digest, FileEntry, FileKind, MANIFEST_NAME, Manifest, PublicKey};
use luigi_runtime::{Mode, Timestamp};
use ring::signature::{Ed25519KeyPair, KeyPair};
use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};

/// Two compiled policies, which allow `GET /open` to anyone by rules of different names.
static COMPILED: LazyLock<[Vec<u8>; 2]> = LazyLock::new(|| {
    ["open", "open-too"].map(|rule| {
        let mut sources = SourceSet::new();
        let text = format!(
            "schema = 1\nscopes.open = {{ hosts = \"any\", operations = [\"GET /open\"] }}\n\
             [[rules]]\nid = \"{rule}\"\neffect = \"allow\"\nscopes = [\"open\"]\nsubject = \"anyone\"\n"
        );
        sources.add("policy.toml", text);
        let policy = parse(&sources).policy.expect("the policy is sound");
        Snapshot::compile(policy).expect("the policy can be compiled").encode()
    })
});

/// A folder with a policy and, once something was published, a feed. Removed with the value.
pub(crate) struct Folder {
    path: PathBuf,
    pair: Ed25519KeyPair,
    /// The generation that was published last, whole and signed; 0 for none.
    pub(crate) generation: u64,
}

impl Folder {
    pub(crate) fn new(policy: &str) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("luigi-fuzz-{}-{number}", std::process::id()));
        let pair = Ed25519KeyPair::from_seed_unchecked(&[7; 32]).expect("32 bytes are a seed");
        let public = PublicKey::from_bytes(pair.public_key().as_ref().try_into().expect("the key has 32 bytes"));
        fs::create_dir(&path).expect("a temporary folder");
        let folder = Self { path, pair, generation: 0 };
        fs::create_dir(folder.feed()).expect("our own folder");
        fs::write(folder.policy(), policy).expect("our own folder");
        fs::write(folder.public_key(), public.to_text()).expect("our own folder");
        folder
    }

    pub(crate) fn policy(&self) -> PathBuf {
        self.path.join("policy.toml")
    }

    /// A file of this content beside it.
    pub(crate) fn written(&self, content: &[u8]) -> PathBuf {
        let path = self.path.join("other.toml");
        fs::write(&path, content).expect("our own folder");
        path
    }

    pub(crate) fn feed(&self) -> PathBuf {
        self.path.join("feed")
    }

    pub(crate) fn public_key(&self) -> PathBuf {
        self.path.join("feed.pub")
    }

    /// Publishes the next generation, as `luigi apply` does.
    pub(crate) fn publish(&mut self, which: u8, mode: Mode) {
        let compiled = &COMPILED[usize::from(which % 2)];
        let entry = FileEntry { sha256: Digest::of(compiled), bytes: compiled.len() as u64 };
        self.put(&entry.sha256.file_name(FileKind::Policy), compiled);
        self.generation += 1;
        let at = Timestamp::from_unix_seconds(1_772_442_000);
        let manifest = Manifest {
            epoch: 1_772_000_000,
            generation: self.generation,
            mode,
            environment: None,
            published_at: at,
            heartbeat: at,
            policy: entry,
            keys: BTreeMap::new(),
            stops: None,
            tool: "fuzz".to_owned(),
        };
        self.put(MANIFEST_NAME, &manifest.sign(&self.pair));
    }

    /// Changes the manifest or a compiled policy in place, as nobody may; whether it is another file then.
    pub(crate) fn spoil(&self, which: u8, input: &mut Input<'_>) -> bool {
        let names = fs::read_dir(self.feed()).expect("our own folder").map(|entry| entry.expect("an entry").path());
        let mut names: Vec<PathBuf> = names.collect();
        names.sort();
        let Some(path) = usize::from(which).checked_rem(names.len()).map(|at| &names[at]) else { return false };
        let was = fs::read(path).expect("our own file");
        let mut is = was.clone();
        input.spoil(&mut is);
        // Another file in its place: the one that is being read stays as it is.
        let new = self.path.join("new");
        fs::write(&new, &is).expect("our own folder");
        fs::rename(&new, path).expect("our own folder");
        is != was
    }

    fn put(&self, name: &str, bytes: &[u8]) {
        let new = self.path.join("new");
        fs::write(&new, bytes).expect("our own folder");
        fs::rename(&new, self.feed().join(name)).expect("our own folder");
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What a broken claim leaves behind is for whoever looks into it.
        if !std::thread::panicking() {
            let _ = fs::remove_dir_all(&self.path);
        }
    }
}

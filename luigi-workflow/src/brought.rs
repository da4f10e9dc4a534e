//! What an apply is about, read: the texts of a policy and key sets, in a form that can be handed to another process.
//!
//! Whoever applies reads the files with their own rights; a daemon may not even see them.

use luigi_core::policy::{SourceSet, files_beside};
use luigi_runtime::feed::MAX_KEYS_BYTES;
use luigi_runtime::{policy_files, regular_file};
use serde::{Deserialize, Serialize};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

/// A policy and keys, read.
#[derive(Clone, Debug, Default)]
pub(crate) struct Brought {
    pub(crate) sources: SourceSet,
    pub(crate) jwks: Vec<BroughtKeys>,
}

/// The key set of an issuer.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct BroughtKeys {
    pub(crate) issuer: String,
    /// Where it comes from, for messages.
    pub(crate) name: String,
    pub(crate) bytes: Vec<u8>,
}

/// The texts of a policy, as they go from one process to another.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Texts {
    policy: Vec<Text>,
    /// Paths as the policy writes them; what is there, or why there is nothing.
    beside: Vec<(String, Result<Text, String>)>,
}

/// A name and a text.
type Text = (String, String);

impl Brought {
    /// Reads the files.
    pub(crate) fn read(policy: &Path, jwks: &[(String, PathBuf)]) -> Result<Self, String> {
        let sources = policy_files::read(policy).map_err(|error| error.to_string())?;
        let keys = |(issuer, path): &(String, PathBuf)| {
            let name = path.display().to_string();
            let bytes = read(path).map_err(|error| format!("cannot read the keys `{name}`: {error}"))?;
            Ok(BroughtKeys { issuer: issuer.clone(), name, bytes })
        };
        let jwks = jwks.iter().map(keys).collect::<Result<_, String>>()?;
        Ok(Self { sources, jwks })
    }
}

impl Texts {
    pub(crate) fn of(sources: &SourceSet) -> Self {
        let source = |id| (sources.name(id).to_owned(), sources.text(id).to_owned());
        let beside = files_beside(sources).into_iter().filter_map(|path| {
            let found = sources.beside(&path)?;
            let found = found.map(source).map_err(str::to_owned);
            Some((path, found))
        });
        Self { policy: sources.ids().map(source).collect(), beside: beside.collect() }
    }

    pub(crate) fn into_sources(self) -> SourceSet {
        let mut sources = SourceSet::new();
        for (name, text) in self.policy {
            sources.add(name, text);
        }
        for (path, found) in self.beside {
            match found {
                Ok((name, text)) => {
                    sources.add_beside(path, name, text);
                }
                Err(why) => sources.add_unreadable_beside(path, why),
            }
        }
        sources
    }
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    regular_file::open(path)?.take(MAX_KEYS_BYTES + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_mean_the_same_on_the_other_side() {
        let mut sources = SourceSet::new();
        let text = "schema = 1\n[networks]\na = { file = \"a.txt\" }\nb = { file = \"b.txt\" }\n";
        sources.add("p.toml", text);
        sources.add_beside("a.txt", "dir/a.txt", "192.0.2.0/24\n");
        sources.add_unreadable_beside("b.txt", "it is gone");
        let sent = serde_json::to_string(&Texts::of(&sources)).unwrap();
        let received = serde_json::from_str::<Texts>(&sent).unwrap().into_sources();
        assert_eq!(Texts::of(&received), Texts::of(&sources));
        let found = received.beside("a.txt").unwrap().unwrap();
        assert_eq!((received.name(found), received.text(found)), ("dir/a.txt", "192.0.2.0/24\n"));
        assert_eq!(received.beside("b.txt"), Some(Err("it is gone")));
        assert_eq!(received.len(), 1, "what lies beside is no text of the policy");
    }
}

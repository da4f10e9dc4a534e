//! The file of stops in a feed: JSON, with who made each stop, when and why.

use luigi_core::stop_set::{MAX_STOPS, Stop, StopSet};
use serde::{Deserialize, Serialize};

/// Everything that a file of stops holds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Stops {
    /// The stops, each with an id of its own.
    pub stops: Vec<Stop>,
}

impl Stops {
    /// Reads a file of stops.
    ///
    /// # Errors
    /// If it is not one, holds more than [`MAX_STOPS`], or two stops under one id.
    pub fn read(bytes: &[u8]) -> Result<Self, StopsError> {
        let read: Self = serde_json::from_slice(bytes).map_err(|error| StopsError(error.to_string()))?;
        if read.stops.len() > MAX_STOPS {
            return Err(StopsError(format!("it holds {} stops, more than {MAX_STOPS}", read.stops.len())));
        }
        let ids: std::collections::BTreeSet<&str> = read.stops.iter().map(|stop| stop.id.as_str()).collect();
        if ids.len() < read.stops.len() {
            return Err(StopsError("two stops have one id".to_owned()));
        }
        Ok(read)
    }

    /// The file's content.
    ///
    /// # Panics
    /// Never: stops have nothing that JSON cannot say.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = serde_json::to_vec_pretty(self).expect("stops are strings and numbers");
        bytes.push(b'\n');
        bytes
    }

    pub(crate) fn into_set(self) -> StopSet {
        StopSet::new(self.stops)
    }
}

/// Why a file of stops is not one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StopsError(String);

impl std::fmt::Display for StopsError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "the file of stops cannot be used: {}", self.0)
    }
}

impl std::error::Error for StopsError {}

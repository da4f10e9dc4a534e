//! The record of a decision, as the embedder's callback gets it.

use crate::decide::path;
use crate::pointers::{Callbacks, shown, shown_bytes};
use crate::request::Asked;
use crate::types::{luigi_decision, luigi_record};
use luigi_core::decide::Source;
use luigi_core::identity::Provenance;
use luigi_core::target::Host;
use luigi_runtime::Answer;
use std::fmt::{self, Write};

/// Tells the embedder. Allocates nothing.
pub(crate) fn tell(callbacks: &Callbacks, decision: &luigi_decision, answer: &Answer<'_>, asked: &Asked<'_>) {
    let host = match answer.target().and_then(|target| target.forwarded()).map(|target| target.host) {
        Some(Host::Name(host) | Host::Address(host)) => Some(host),
        Some(Host::Absent) | None => None,
    };
    let mut source = Address::default();
    let source = match answer.source() {
        Source::Address(address) => write!(source, "{address}").ok().map(|()| source.as_str()),
        Source::Unknown => None,
    };
    let identity = answer.identity();
    let actor = identity.and_then(|identity| identity.actor());
    let asserted_by = identity.and_then(|identity| match identity.provenance() {
        Provenance::Asserted { by } => Some(by.as_ref()),
        Provenance::Verified { .. } => None,
    });
    callbacks.record(&luigi_record {
        struct_size: size_of::<luigi_record>(),
        decision,
        method: shown_bytes(Some(asked.method)),
        target: shown_bytes(Some(asked.target)),
        host: shown(host),
        path: shown(path(answer)),
        source: shown(source),
        issuer: shown(identity.map(|identity| identity.issuer())),
        subject: shown(identity.map(|identity| identity.subject())),
        email: shown(identity.and_then(|identity| identity.email()).map(|email| email.address.as_ref())),
        actor_issuer: shown(actor.map(|actor| actor.issuer.as_ref())),
        actor_subject: shown(actor.and_then(|actor| actor.subject.as_deref())),
        asserted_by: shown(asserted_by),
    });
}

/// Room for the text of an address.
struct Address {
    bytes: [u8; 64],
    length: usize,
}

impl Default for Address {
    fn default() -> Self {
        Self { bytes: [0; 64], length: 0 }
    }
}

impl Address {
    fn as_str(&self) -> &str {
        std::str::from_utf8(&self.bytes[..self.length]).unwrap_or("")
    }
}

impl Write for Address {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let end = self.length + text.len();
        self.bytes.get_mut(self.length..end).ok_or(fmt::Error)?.copy_from_slice(text.as_bytes());
        self.length = end;
        Ok(())
    }
}

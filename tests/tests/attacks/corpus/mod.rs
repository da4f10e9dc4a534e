//! The attacks: generated, the same ones every time.

mod fields;
mod framing;
mod hosts;
mod http2;
mod methods;
mod paths;
mod tokens;

use crate::estate::Entrance;
use crate::exchange::Wire;
use std::collections::HashSet;

/// What an attack tries. The order is that of the page.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Class {
    Letters,
    Segments,
    WayOut,
    Endings,
    Mixed,
    IgnoreCase,
    Accepted,
    Host,
    Pairs,
    OtherTarget,
    Identity,
    HopByHop,
    Malformed,
    Method,
    MethodOverride,
    Framing,
    OldHttp,
    Edge,
    Http2,
    Token,
}

impl Class {
    pub(crate) const ALL: [Self; 20] = [
        Self::Letters,
        Self::Segments,
        Self::WayOut,
        Self::Endings,
        Self::Mixed,
        Self::IgnoreCase,
        Self::Accepted,
        Self::Host,
        Self::Pairs,
        Self::OtherTarget,
        Self::Identity,
        Self::HopByHop,
        Self::Malformed,
        Self::Method,
        Self::MethodOverride,
        Self::Framing,
        Self::OldHttp,
        Self::Edge,
        Self::Http2,
        Self::Token,
    ];

    /// What it is, in the words of the page.
    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::Letters => "characters of a path: escapes, double, overlong, `%u`, full-width",
            Self::Segments => "dot segments, empty segments, slashes and backslashes, `;`",
            Self::WayOut => "paths that lead out of what is denied, for servers that leave dots as they are",
            Self::Endings => "what stands behind a segment or a path: NUL, control bytes, `#`, `?`",
            Self::Mixed => "these mixed at random",
            Self::IgnoreCase => "the same on a host whose paths have no case",
            Self::Accepted => "the same on a host that accepts ambiguous targets",
            Self::Host => "hosts: ports, dots, users, absolute-form, two of them",
            Self::Pairs => "every host at every frontend, in HTTP/1.0 and 1.1",
            Self::OtherTarget => "another target in a header: `X-Original-URL`, `X-Forwarded-Host` ...",
            Self::Identity => "forged identities: `X-Luigi-Subject` and its spellings",
            Self::HopByHop => "names in `Connection`, upgrades",
            Self::Malformed => "fields that are doubled, folded, cut, or hold NUL and control bytes",
            Self::Method => "methods: lower case, unknown, overlong, CONNECT, TRACE, PRI",
            Self::MethodOverride => "another method in a header or in the query",
            Self::Framing => "lengths against chunks, pipelines, requests in bodies",
            Self::OldHttp => "HTTP/0.9, 1.0 and other versions",
            Self::Edge => "lines at the edge of `tune.bufsize`",
            Self::Http2 => "HTTP/2: pseudo-headers, `:authority` against `host`, bytes that HTTP/1 cannot have",
            Self::Token => "tokens: unsigned, other algorithms, other keys, changed",
        }
    }
}

/// One attack.
#[derive(Clone, Debug)]
pub(crate) struct Attack {
    pub(crate) class: Class,
    pub(crate) wire: Wire,
    /// Where it comes in.
    pub(crate) entrance: Entrance,
    pub(crate) bytes: Vec<u8>,
}

/// All attacks, each once.
pub(crate) fn attacks() -> Vec<Attack> {
    let mut all = Vec::new();
    paths::add(&mut all);
    hosts::add(&mut all);
    fields::add(&mut all);
    methods::add(&mut all);
    framing::add(&mut all);
    http2::add(&mut all);
    tokens::add(&mut all);
    let mut seen = HashSet::new();
    all.retain(|attack| seen.insert((attack.entrance, attack.bytes.clone())));
    all.sort_by_key(|attack| attack.class);
    all
}

/// Adds a request of HTTP/1 as it stands.
fn raw(all: &mut Vec<Attack>, class: Class, bytes: impl AsRef<[u8]>) {
    all.push(Attack { class, wire: Wire::Http1, entrance: Entrance::Site, bytes: bytes.as_ref().to_vec() });
}

/// Adds a GET of HTTP/1.1 with these further fields, each with its CR LF.
fn get(all: &mut Vec<Attack>, class: Class, target: &str, host: &str, fields: &str) {
    raw(all, class, format!("GET {target} HTTP/1.1\r\nhost: {host}\r\n{fields}\r\n"));
}

/// Numbers that look random and are the same every time (SplitMix64).
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ mixed >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
        usize::try_from((mixed ^ mixed >> 31) % n as u64).expect("less than a usize")
    }

    fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }
}

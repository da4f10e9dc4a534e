//! What is recorded: one [`Record`] for a decision, for the response to a request, and for what could not be recorded.
//!
//! Records borrow what they say from whoever writes or reads them. They are written in the wire format of `postcard`, which docs/SPOOL.md spells out
//! field by field: a change of a field is a new [`VERSION`](super::segment::VERSION). Nothing here decides what is worth a record.

use serde::{Deserialize, Serialize};
use std::net::IpAddr;

/// The longest text of a record that is not a path, in bytes; a longer one is cut, and the record says so.
pub const MAX_TEXT_BYTES: usize = 1024;

/// The longest canonical path of a record, in bytes: every target that is not refused as too long has room.
pub const MAX_PATH_BYTES: usize = 16 * 1024;

/// One record of the spool. The order of the variants is part of the format.
#[allow(clippy::large_enum_variant, reason = "a record lives on the stack while it is written or looked at")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Record<'a> {
    /// A decision on a request.
    #[serde(borrow)]
    Decision(DecisionRecord<'a>),
    /// How a request ended whose decision was recorded.
    Response(ResponseRecord<'a>),
    /// Records that could not be taken.
    Lost(LossRecord),
    /// Requests of unprivileged scopes that passed without a record.
    Allowed(AllowedRecord),
}

/// A decision on a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DecisionRecord<'a> {
    /// The evaluation's id.
    pub evaluation: [u8; 16],
    /// When it was recorded, in milliseconds since the Unix epoch, by the clock of the node.
    pub at_ms: i64,
    /// The time that the decision was given, in seconds since the Unix epoch.
    pub decided_at: i64,
    /// The revision of the policy: its SHA-256.
    pub revision: [u8; 32],
    /// Whether the decision had effect.
    pub enforced: bool,
    /// Whether the target lies in a privileged scope.
    pub privileged: bool,
    /// Whether the request went on to its backend.
    pub passed: bool,
    /// What the rules in force answer.
    #[serde(borrow)]
    pub decision: Judgement<'a>,
    /// What all rules, the observed ones included, would answer.
    pub candidate: Judgement<'a>,
    /// `authenticate`, `step-up` or `request-access`; empty if nothing could turn the denial.
    pub advice: &'a str,
    /// The scope in which the determining rule holds the request; empty if there is none.
    pub scope: &'a str,
    /// The grant that the decision rests on; empty if it rests on none.
    pub grant: &'a str,
    /// What is wrong with the request itself, as a stable code; empty if nothing is.
    pub detail: &'a str,
    /// What became of the credential: `absent`, `verified`, `expired`, `invalid`, `ambiguous` or `deferred`.
    pub credential: &'a str,
    /// Who asks; `None` if nobody was verified.
    pub caller: Option<Caller<'a>>,
    /// Where the request comes from, as decided.
    pub source: Option<IpAddr>,
    /// The method.
    #[serde(with = "serde_bytes")]
    pub method: &'a [u8],
    /// The canonical host; empty if there is none.
    pub host: &'a str,
    /// The canonical path; empty if the target has none, and then `received` has something.
    pub path: &'a str,
    /// The target as received up to its query, if it has no canonical form.
    #[serde(with = "serde_bytes")]
    pub received: &'a [u8],
    /// The parameters of the query that the policy keeps, as received, joined by `&`.
    #[serde(with = "serde_bytes")]
    pub query: &'a [u8],
    /// The header `User-Agent`; empty if it is not known.
    #[serde(with = "serde_bytes")]
    pub user_agent: &'a [u8],
    /// Whether a text was cut, being too long.
    pub cut: bool,
}

/// An answer of the rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Judgement<'a> {
    /// Whether it is an allow.
    pub allows: bool,
    /// The stable code of its reason.
    pub reason: &'a str,
    /// The determining rule; empty if there is none.
    pub rule: &'a str,
}

/// A verified identity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Caller<'a> {
    /// Its issuer.
    pub issuer: &'a str,
    /// Its subject.
    pub subject: &'a str,
    /// The issuer of who acts on the subject's behalf; empty if nobody does.
    pub actor_issuer: &'a str,
    /// The subject of who acts on the subject's behalf; empty if nobody does, or if it is not known who.
    pub actor_subject: &'a str,
    /// Who vouches for the identity in place of a token; empty if a token or certificate was verified.
    pub asserted_by: &'a str,
}

/// How a request ended whose decision was recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResponseRecord<'a> {
    /// The id of the evaluation.
    pub evaluation: [u8; 16],
    /// When the response was at hand, in milliseconds since the Unix epoch.
    pub at_ms: i64,
    /// Its status.
    pub status: u16,
    /// The backend that HAProxy chose; that of a request which never got to one is the frontend.
    #[serde(with = "serde_bytes")]
    pub backend: &'a [u8],
}

/// Records that could not be taken by one writer since it last said so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LossRecord {
    /// When the first of them was lost, in milliseconds since the Unix epoch.
    pub since_ms: i64,
    /// When the last of them was lost.
    pub until_ms: i64,
    /// How many, by what they were worth.
    pub counts: LossCounts,
}

/// How many records were lost, in the order in which they are given up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct LossCounts {
    /// Sampled allows of unprivileged scopes.
    pub allows: u64,
    /// Requests that enforcing, or enforcing the observed rules, would have refused.
    pub would_be_denials: u64,
    /// Denials of unprivileged scopes, and of what is in no scope.
    pub denials: u64,
    /// Denials of privileged scopes.
    pub privileged_denials: u64,
    /// Responses.
    pub responses: u64,
    /// Requests of privileged scopes that would have passed, or did pass because the scopes say `best-effort`.
    pub privileged: u64,
}

/// Requests of unprivileged scopes that passed without a record, as one writer counted them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AllowedRecord {
    /// Since when, in milliseconds since the Unix epoch.
    pub since_ms: i64,
    /// Until when.
    pub until_ms: i64,
    /// How many.
    pub count: u64,
}

/// What a record is worth when room runs out, the least first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Worth {
    /// A sampled allow of unprivileged scopes, or the count of those that are not sampled.
    Allow,
    /// What would be refused if it were enforced.
    WouldBeDenial,
    /// A denial of unprivileged scopes.
    Denial,
    /// A denial of privileged scopes.
    PrivilegedDenial,
    /// How a request of privileged scopes ended.
    Response,
    /// A request of privileged scopes that passes with its record.
    Privileged,
}

impl Worth {
    /// Which part of the limit may be in use for such a record to be taken, in hundredths.
    ///
    /// Denials cost a stranger nothing: they must not be able to take the room of those who are let in.
    pub(crate) const fn share(self) -> u64 {
        match self {
            Self::Allow => 50,
            Self::WouldBeDenial => 70,
            Self::Denial => 80,
            Self::PrivilegedDenial => 90,
            Self::Response => 95,
            Self::Privileged => 100,
        }
    }
}

impl LossCounts {
    pub(crate) fn add(&mut self, worth: Worth) {
        let count = match worth {
            Worth::Allow => &mut self.allows,
            Worth::WouldBeDenial => &mut self.would_be_denials,
            Worth::Denial => &mut self.denials,
            Worth::PrivilegedDenial => &mut self.privileged_denials,
            Worth::Response => &mut self.responses,
            Worth::Privileged => &mut self.privileged,
        };
        *count += 1;
    }

    /// How many in all.
    #[must_use]
    pub fn total(&self) -> u64 {
        let Self { allows, would_be_denials, denials, privileged_denials, responses, privileged } = self;
        allows + would_be_denials + denials + privileged_denials + responses + privileged
    }
}

impl Record<'_> {
    /// Writes the record to the start of `buffer`; how many bytes, or `None` if it has no room.
    pub(crate) fn encode(&self, buffer: &mut [u8]) -> Option<usize> {
        postcard::to_slice(self, buffer).ok().map(|used| used.len())
    }
}

impl<'a> Record<'a> {
    /// Reads a record that fills `bytes`; `None` if they are none.
    #[must_use]
    pub fn decode(bytes: &'a [u8]) -> Option<Self> {
        let (record, rest) = postcard::take_from_bytes(bytes).ok()?;
        rest.is_empty().then_some(record)
    }
}

/// Text that is cut between characters where it is too long; what was cut is noted in `cut`.
pub(crate) fn cut<'a>(text: &'a str, limit: usize, was_cut: &mut bool) -> &'a str {
    if text.len() <= limit {
        return text;
    }
    *was_cut = true;
    &text[..text.floor_char_boundary(limit)]
}

/// As [`cut`], for bytes.
pub(crate) fn cut_bytes<'a>(bytes: &'a [u8], limit: usize, was_cut: &mut bool) -> &'a [u8] {
    *was_cut |= bytes.len() > limit;
    &bytes[..bytes.len().min(limit)]
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use proptest::collection::vec;
    use proptest::prelude::*;

    /// A record with this path, the least that can be said.
    pub(crate) fn decision(path: &str) -> DecisionRecord<'_> {
        let judgement = Judgement { allows: true, reason: "allowed-by-rule", rule: "staff" };
        DecisionRecord {
            evaluation: [7; 16],
            at_ms: 1_772_442_000_123,
            decided_at: 1_772_442_000,
            revision: [9; 32],
            enforced: true,
            privileged: true,
            passed: true,
            decision: judgement,
            candidate: judgement,
            advice: "",
            scope: "billing",
            grant: "",
            detail: "",
            credential: "verified",
            caller: None,
            source: None,
            method: b"GET",
            host: "admin.example.com",
            path,
            received: b"",
            query: b"",
            user_agent: b"",
            cut: false,
        }
    }

    /// The bytes of the format, as docs/SPOOL.md has them: whoever changes them changes the version.
    #[test]
    fn the_bytes_of_records_stay_what_they_are() {
        let mut buffer = [0; 256];
        let caller = Caller { issuer: "i", subject: "s", actor_issuer: "", actor_subject: "", asserted_by: "" };
        let record = Record::Decision(DecisionRecord {
            caller: Some(caller),
            source: Some([203, 0, 113, 9].into()),
            ..decision("/a")
        });
        let length = record.encode(&mut buffer).unwrap();
        let mut expected = vec![0];
        expected.extend([7; 16]);
        expected.extend(b"\xf6\xeb\xb4\xdc\x95\x67\xa0\xc6\xaa\x9a\x0d");
        expected.extend([9; 32]);
        expected.extend([1, 1, 1]);
        expected.extend(b"\x01\x0fallowed-by-rule\x05staff\x01\x0fallowed-by-rule\x05staff");
        expected.extend(b"\x00\x07billing\x00\x00\x08verified");
        expected.extend(b"\x01\x01i\x01s\x00\x00\x00");
        expected.extend(b"\x01\x00\xcb\x00\x71\x09");
        expected.extend(b"\x03GET\x11admin.example.com\x02/a\x00\x00\x00\x00");
        assert_eq!(&buffer[..length], expected);

        let record = Record::Response(ResponseRecord { evaluation: [7; 16], at_ms: 1, status: 502, backend: b"app" });
        let length = record.encode(&mut buffer).unwrap();
        assert_eq!(&buffer[..length], [&[1][..], &[7; 16], b"\x02\xf6\x03\x03app"].concat());

        let counts = LossCounts {
            allows: 1,
            would_be_denials: 2,
            denials: 3,
            privileged_denials: 4,
            responses: 5,
            privileged: 300,
        };
        let record = Record::Lost(LossRecord { since_ms: -1, until_ms: 1, counts });
        let length = record.encode(&mut buffer).unwrap();
        assert_eq!(&buffer[..length], b"\x02\x01\x02\x01\x02\x03\x04\x05\xac\x02");
        assert_eq!(counts.total(), 315);

        let record = Record::Allowed(AllowedRecord { since_ms: 0, until_ms: 1, count: 2 });
        let length = record.encode(&mut buffer).unwrap();
        assert_eq!(&buffer[..length], b"\x03\x00\x02\x02");
    }

    #[test]
    fn texts_are_cut_between_characters() {
        let mut was_cut = false;
        assert_eq!((cut("abc", 3, &mut was_cut), was_cut), ("abc", false));
        assert_eq!((cut_bytes(b"abc", 3, &mut was_cut), was_cut), (&b"abc"[..], false));
        assert_eq!((cut("aé", 2, &mut was_cut), was_cut), ("a", true));
        was_cut = false;
        assert_eq!((cut_bytes(b"abcd", 3, &mut was_cut), was_cut), (&b"abc"[..], true));
    }

    #[test]
    fn what_is_lost_is_counted_in_its_place() {
        let mut counts = LossCounts::default();
        let all = [
            Worth::Allow,
            Worth::WouldBeDenial,
            Worth::Denial,
            Worth::PrivilegedDenial,
            Worth::Response,
            Worth::Privileged,
        ];
        for (n, worth) in all.into_iter().enumerate() {
            (0..=n).for_each(|_| counts.add(worth));
        }
        let LossCounts { allows, would_be_denials, denials, privileged_denials, responses, privileged } = counts;
        assert_eq!([allows, would_be_denials, denials, privileged_denials, responses, privileged], [1, 2, 3, 4, 5, 6]);
        assert!(all.is_sorted() && all.map(Worth::share).is_sorted());
    }

    proptest! {
        #[test]
        fn whatever_a_record_holds_is_read_back(
            texts in vec(any::<String>(), 15),
            bytes in vec(vec(any::<u8>(), 0..300), 4),
            flags in any::<[bool; 7]>(),
            numbers in any::<[i64; 2]>(),
            ids in any::<([u8; 16], [u8; 32])>(),
            source in any::<Option<IpAddr>>(),
        ) {
            let judgement = |n: usize| Judgement { allows: flags[n], reason: &texts[n], rule: &texts[n + 2] };
            let caller = flags[6].then_some(Caller {
                issuer: &texts[10], subject: &texts[11], actor_issuer: &texts[12], actor_subject: &texts[13], asserted_by: &texts[14],
            });
            let record = Record::Decision(DecisionRecord {
                evaluation: ids.0, revision: ids.1, at_ms: numbers[0], decided_at: numbers[1],
                enforced: flags[2], privileged: flags[3], passed: flags[4], cut: flags[5],
                decision: judgement(0), candidate: judgement(1), caller, source,
                advice: &texts[4], scope: &texts[5], grant: &texts[6], detail: &texts[7], credential: &texts[8], host: &texts[9], path: &texts[0],
                method: &bytes[0], received: &bytes[1], query: &bytes[2], user_agent: &bytes[3],
            });
            let mut buffer = vec![0; 64 * 1024];
            let length = record.encode(&mut buffer).unwrap();
            prop_assert_eq!(Record::decode(&buffer[..length]), Some(record));
            // Neither more nor fewer bytes are the record.
            prop_assert!(Record::decode(&buffer[..length + 1]).is_none());
            prop_assert!(Record::decode(&buffer[..length - 1]).is_none());
            prop_assert!(record.encode(&mut buffer[..length - 1]).is_none());
        }

        #[test]
        fn arbitrary_bytes_are_read_without_a_panic(bytes in vec(any::<u8>(), 0..200)) {
            let _ = Record::decode(&bytes);
        }
    }
}

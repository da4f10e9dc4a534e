//! The answer line: how Luigi tells HAProxy what came out, in one string.
//!
//! [`write_into`] makes the line from an [`Answer`]; HAProxy keeps it in `txn.luigi.out` and takes single fields out with the converter
//! `field(N,|)`, for headers, logs and conditions. Luigi reads one field again, when it renders a refusal: [`evaluation`].
//!
//! ```text
//! luigi1|pass|verified|enforce|allow|allowed-by-rule|engineers-read-orders|allow|allowed-by-rule|engineers-read-orders||orders|no|200|...
//! ```
//!
//! The fields stand in the order of [`Field`], joined by `|`. Later versions may add fields before the last one. Whatever comes from outside
//! is percent-escaped ([`escape_into`]), so that a line is printable ASCII without spaces, quotes, backslashes and commas other
//! than those between groups: it can stand in a header, a log line or a JSON string as it is.

use crate::answer::Answer;
use crate::evaluation_id::EvaluationId;
use luigi_core::decide::{Reason, Source};
use luigi_core::identity::{Completeness, Credential, Identity};
use luigi_core::policy::model::Mode;
use std::fmt::Write;
use std::net::{IpAddr, Ipv4Addr};

/// The first field: the version of the format. A line that begins otherwise is no answer.
pub const VERSION: &str = "luigi1";

/// No line is longer, in bytes, so that it never meets `tune.bufsize`.
pub const MAX_BYTES: usize = 12 * 1024;

/// The longest path that HAProxy can be told to forward in place of the received one, in bytes.
pub const MAX_PATH_BYTES: usize = 4 * 1024;

/// The longest subject, issuer or e-mail address that is written, in bytes after escaping; a longer one is left out.
const MAX_NAME_BYTES: usize = 512;

/// The most that groups take, in bytes after escaping.
const MAX_GROUPS_BYTES: usize = 4 * 1024;

/// The fields of an answer line. The number of each is its place in the converter `field(N,|)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Field {
    /// [`VERSION`].
    Version = 1,
    /// `pass` or `refuse`: what happens to the request, after the mode.
    Outcome,
    /// `absent`, `verified`, `expired`, `invalid`, `ambiguous` or `deferred`: what became of the credential.
    Credential,
    /// `observe` or `enforce`: the mode of the policy.
    Mode,
    /// `allow` or `deny`: what the rules in force answer.
    Decision,
    /// The stable code of the decision's reason.
    Reason,
    /// The determining rule; empty if there is none.
    Rule,
    /// `allow` or `deny`: what all rules, the observed ones included, would answer.
    Candidate,
    /// The stable code of the candidate decision's reason.
    CandidateReason,
    /// The candidate decision's determining rule; empty if there is none.
    CandidateRule,
    /// `authenticate`, `step-up` or `request-access`: how the denial could become an allow; empty if nothing could do that.
    Advice,
    /// The scope in which the determining rule holds the request; empty if there is none.
    Scope,
    /// `yes` or `no`: whether the target lies in a privileged scope.
    Privileged,
    /// The HTTP status for the decision, whatever the mode makes of it; 200 if it allows.
    Status,
    /// The evaluation's id, 32 hexadecimal digits.
    Evaluation,
    /// The first 12 hexadecimal digits of the policy's revision.
    Revision,
    /// The issuer of the verified identity.
    Issuer,
    /// The subject of the verified identity.
    Subject,
    /// The e-mail address of the verified identity, if it is verified too.
    Email,
    /// The groups of the verified identity as they stand in its token, separated by commas.
    Groups,
    /// `complete` or `cut-off`: whether those are all groups; empty without an identity.
    GroupsCompleteness,
    /// What is wrong with the request itself: the class of an ambiguous target (`encoded-slash`), why a credential is not believed
    /// (`bad-signature`), how the facts are malformed (`cut-off`); empty if nothing is.
    Detail,
    /// For how many milliseconds nothing may flow through the connection that the request upgrades until HAProxy closes it; empty if there
    /// is no upgrade or no limit.
    Tunnel,
    /// Where the request comes from, as decided: an address; empty if that is not known.
    Source,
    /// The path to forward in place of the received one; empty if that is canonical, so that a line which ends with `|` needs no rewriting.
    /// The last field for good. Not escaped: a canonical path holds no `|`, space, quote or control byte.
    Path,
}

impl Field {
    /// Every field, in order.
    pub const ALL: [Self; 25] = [
        Self::Version,
        Self::Outcome,
        Self::Credential,
        Self::Mode,
        Self::Decision,
        Self::Reason,
        Self::Rule,
        Self::Candidate,
        Self::CandidateReason,
        Self::CandidateRule,
        Self::Advice,
        Self::Scope,
        Self::Privileged,
        Self::Status,
        Self::Evaluation,
        Self::Revision,
        Self::Issuer,
        Self::Subject,
        Self::Email,
        Self::Groups,
        Self::GroupsCompleteness,
        Self::Detail,
        Self::Tunnel,
        Self::Source,
        Self::Path,
    ];

    /// Its place, counted from one.
    #[must_use]
    pub const fn number(self) -> u8 {
        self as u8
    }
}

/// The evaluation's id in a line; `None` if there is none.
#[must_use]
pub fn evaluation(line: &[u8]) -> Option<EvaluationId> {
    let field = line.split(|byte| *byte == b'|').nth(usize::from(Field::Evaluation.number()) - 1)?;
    EvaluationId::parse(field)
}

/// Whether a line refuses a request because no record of it could be taken.
#[must_use]
pub fn is_unrecorded(line: &[u8]) -> bool {
    let reason = line.split(|byte| *byte == b'|').nth(usize::from(Field::Reason.number()) - 1);
    reason == Some(Reason::AuditUnavailable.as_str().as_bytes())
}

/// Writes the line for an answer, replacing what `line` holds.
///
/// # Allocation
///
/// None once `line` has a capacity of [`MAX_BYTES`].
pub fn write_into(answer: &Answer<'_>, line: &mut String) {
    line.clear();
    let decision = answer.decision();
    let candidate = answer.candidate();
    let word = |allows| if allows { "allow" } else { "deny" };
    line.push_str(VERSION);
    plain(line, answer.outcome().as_str());
    plain(line, credential_word(answer.credential()));
    plain(
        line,
        match answer.mode() {
            Mode::Observe => "observe",
            Mode::Enforce => "enforce",
        },
    );
    plain(line, word(decision.allows()));
    plain(line, decision.reason.as_str());
    name(line, answer.rule_name());
    plain(line, word(candidate.allows()));
    plain(line, candidate.reason.as_str());
    name(line, answer.candidate_rule_name());
    plain(line, decision.advice.as_ref().map_or("", |advice| advice.as_str()));
    name(line, answer.scope_name());
    plain(line, if answer.evaluation().privileged { "yes" } else { "no" });
    // Writing to a string cannot fail.
    let _ = write!(line, "|{}|", answer.status_code());
    line.push_str(std::str::from_utf8(&answer.id().digits()).expect("hexadecimal digits are ASCII"));
    let revision = answer.version().revision();
    plain(line, revision.get(..12).unwrap_or(revision));

    match answer.identity() {
        Some(identity) => identity_into(line, identity),
        None => line.push_str("|||||"),
    }
    plain(line, answer.detail().unwrap_or_default());
    line.push('|');
    if let Some(seconds) = answer.tunnel_seconds() {
        let _ = write!(line, "{}", u64::from(seconds) * 1000);
    }
    line.push('|');
    match answer.source() {
        Source::Address(IpAddr::V4(address)) => v4_into(line, address),
        Source::Address(IpAddr::V6(address)) => {
            let _ = write!(line, "{address}");
        }
        Source::Unknown => {}
    }
    plain(line, answer.path_to_forward().unwrap_or_default());
}

/// An address as everybody writes it.
// PERF: formatted by the standard library it took a tenth of what a line of facts costs.
fn v4_into(line: &mut String, address: Ipv4Addr) {
    for (at, byte) in address.octets().into_iter().enumerate() {
        if at > 0 {
            line.push('.');
        }
        let digits = [byte / 100, byte / 10 % 10, byte % 10].map(|digit| char::from(b'0' + digit));
        let leading = if byte >= 100 {
            0
        } else if byte >= 10 {
            1
        } else {
            2
        };
        line.extend(&digits[leading..]);
    }
}

/// Who asks: the five fields of a verified identity.
fn identity_into(line: &mut String, identity: &Identity) {
    name(line, Some(identity.issuer()));
    name(line, Some(identity.subject()));
    name(line, identity.email().filter(|email| email.verified == Some(true)).map(|email| email.address.as_ref()));
    line.push('|');
    let groups = identity.groups();
    let cut_here = groups_into(line, groups.names().iter().map(AsRef::as_ref));
    plain(
        line,
        match (groups.completeness(), cut_here) {
            (Completeness::Complete, false) => "complete",
            (Completeness::CutOff, _) | (Completeness::Complete, true) => "cut-off",
        },
    );
}

/// Appends `text` with `%XX` for every byte that is not printable ASCII and for space, `%`, `|`, `,`, `"` and `\`.
///
/// Percent-decoding (RFC 3986, section 2.1) gives back the bytes of `text`.
pub fn escape_into(text: &str, line: &mut String) {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    let mut rest = text;
    // PERF: whole runs at once; byte by byte, an identity with 25 groups cost 2 us more a request (bench `haproxy`, bearer token).
    while let Some(at) = rest.bytes().position(|byte| !IS_PLAIN[usize::from(byte)]) {
        let (plain, escaped) = rest.split_at(at);
        line.push_str(plain);
        let character = escaped.chars().next().map_or(0, char::len_utf8);
        let (character, after) = escaped.split_at(character);
        for byte in character.bytes() {
            line.push('%');
            line.push(char::from(HEX[usize::from(byte >> 4)]));
            line.push(char::from(HEX[usize::from(byte & 15)]));
        }
        rest = after;
    }
    line.push_str(rest);
}

/// The bytes that stand for themselves.
const IS_PLAIN: [bool; 256] = {
    let mut plain = [false; 256];
    let mut byte = 0u8;
    while byte < 128 {
        plain[byte as usize] = byte.is_ascii_graphic() && !matches!(byte, b'%' | b'|' | b',' | b'"' | b'\\');
        byte += 1;
    }
    plain
};

/// The word for what became of a credential.
pub(crate) fn credential_word(credential: Credential<'_>) -> &'static str {
    match credential {
        Credential::Absent => "absent",
        Credential::Verified(_) => "verified",
        Credential::Expired => "expired",
        Credential::Invalid(_) => "invalid",
        Credential::Ambiguous => "ambiguous",
        Credential::Deferred => "deferred",
    }
}

fn plain(line: &mut String, text: &str) {
    line.push('|');
    line.push_str(text);
}

/// A name, or nothing if it is too long: half a name could be somebody else's.
fn name(line: &mut String, text: Option<&str>) {
    line.push('|');
    let start = line.len();
    if let Some(text) = text.filter(|text| text.len() <= MAX_NAME_BYTES) {
        escape_into(text, line);
        if line.len() - start > MAX_NAME_BYTES {
            line.truncate(start);
        }
    }
}

/// The groups as far as whole ones fit; `true` if some did not.
fn groups_into<'a>(line: &mut String, groups: impl Iterator<Item = &'a str>) -> bool {
    let start = line.len();
    for group in groups {
        let before = line.len();
        if group.len() > MAX_GROUPS_BYTES {
            return true;
        }
        if before > start {
            line.push(',');
        }
        escape_into(group, line);
        if line.len() - start > MAX_GROUPS_BYTES {
            line.truncate(before);
            return true;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_from_outside_survives_that_could_end_a_field() {
        let check = |text: &str, expected: &str| {
            let mut line = String::new();
            escape_into(text, &mut line);
            assert_eq!(line, expected, "{text:?}");
        };
        check("anna@example.com", "anna@example.com");
        check("system:serviceaccount:ns:name", "system:serviceaccount:ns:name");
        check("a|b,c d%e", "a%7Cb%2Cc%20d%25e");
        check("\0\r\n\t\u{7f}\"\\", "%00%0D%0A%09%7F%22%5C");
        check("Zoë", "Zo%C3%AB");
    }

    #[test]
    fn long_names_are_left_out_and_long_lists_cut_between_groups() {
        let mut line = String::new();
        name(&mut line, Some(&"x".repeat(MAX_NAME_BYTES)));
        assert_eq!(line.len(), 1 + MAX_NAME_BYTES);
        line.clear();
        name(&mut line, Some(&"é".repeat(MAX_NAME_BYTES / 2)));
        assert_eq!(line, "|");

        let groups: Vec<String> = (0..1000).map(|n| format!("group-{n:04}")).collect();
        line.clear();
        assert!(groups_into(&mut line, groups.iter().map(String::as_str)));
        assert!(line.len() <= MAX_GROUPS_BYTES);
        assert!(line.split(',').all(|group| group.len() == "group-0000".len()), "{line}");
        line.clear();
        assert!(!groups_into(&mut line, groups[..3].iter().map(String::as_str)));
        assert_eq!(line, "group-0000,group-0001,group-0002");
        line.clear();
        assert!(groups_into(&mut line, ["", &"x".repeat(MAX_GROUPS_BYTES + 1)].into_iter()));
        assert_eq!(line, "");
    }

    #[test]
    fn an_address_is_written_as_everybody_writes_it() {
        for byte in 0..=255 {
            let address = Ipv4Addr::new(byte, 255 - byte, byte / 2, byte.wrapping_mul(7));
            let mut line = String::new();
            v4_into(&mut line, address);
            assert_eq!(line, address.to_string());
        }
    }

    #[test]
    fn fields_are_numbered_from_one_in_order() {
        for (index, field) in Field::ALL.into_iter().enumerate() {
            assert_eq!(usize::from(field.number()), index + 1);
        }
    }
}

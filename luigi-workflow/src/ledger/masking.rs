//! Masking: what is hidden from whoever reads the ledger without saying why.
//!
//! docs/LEDGER.md lists the same. Events are taken apart without `..`, so that a new member is masked or left on purpose.

use super::entry::Entry;
use super::event::{
    AccessRequested, Answered, DaemonStarted, DaemonStopped, Decision, Disclosure, Event, Expired, Granted,
    KeysChanged, LedgerMade, ModeChanged, Person, PolicyApplied, RecordsLost, Reply, RequestsCounted, Response,
    Retired, Revoked, SecretRotated, StopMade, Unstop,
};
use luigi_core::stop_set::Stopped;
use std::collections::BTreeMap;
use std::net::IpAddr;

/// What stands for what is hidden.
const HIDDEN: &str = "***";

/// The entry as people see it who have not said why they need more: e-mail addresses keep the first letter and the domain in every text that comes from elsewhere, source
/// addresses their network, queries their names, and the user agent nothing.
#[must_use]
pub fn mask(mut entry: Entry) -> Entry {
    match &mut entry.event {
        Event::Decision(decision) => {
            let Decision {
                evaluation: _,
                node: _,
                revision: _,
                mode: _,
                decision: _,
                reason: _,
                rule,
                scope,
                candidate: _,
                candidate_reason: _,
                candidate_rule,
                advice: _,
                outcome: _,
                privileged: _,
                grant,
                person,
                actor,
                credential: _,
                asserted_by,
                detail,
                source,
                method: _,
                host,
                path,
                received,
                query,
                user_agent,
                cut: _,
                spool: _,
            } = &mut **decision;
            [person, actor].into_iter().flatten().for_each(mask_person);
            let texts = [rule, scope, candidate_rule, grant, asserted_by, detail, host, path, received];
            texts.into_iter().flatten().for_each(mask_text);
            if let Some(source) = source {
                *source = network(source);
            }
            if let Some(query) = query {
                *query = names_of(query);
            }
            if let Some(agent) = user_agent {
                HIDDEN.clone_into(agent);
            }
        }
        Event::PolicyApplied(PolicyApplied {
            revision: _,
            previous: _,
            generation: _,
            by,
            mode: _,
            environment: _,
            changes,
        }) => {
            mask_text(by);
            changes.iter_mut().for_each(mask_text);
        }
        Event::ModeChanged(ModeChanged { from: _, to: _, generation: _, by })
        | Event::SecretRotated(SecretRotated { secret: _, by }) => mask_text(by),
        Event::KeysChanged(KeysChanged { issuer, keys: _, sha256: _, by }) => {
            [issuer, by].into_iter().for_each(mask_text);
        }
        Event::Stop(StopMade { id: _, what, until: _, reason, by }) => {
            match what {
                Stopped::Subject { issuer, subject: name } | Stopped::TokenId { issuer, id: name } => {
                    [issuer, name].into_iter().for_each(mask_text);
                }
                Stopped::Scope(name) | Stopped::IssuedBefore { issuer: name, before: _ } => mask_text(name),
            }
            [reason, by].into_iter().for_each(mask_text);
        }
        Event::AccessRequested(AccessRequested {
            request: _,
            evaluation: _,
            person,
            scope,
            approval,
            captures,
            seconds: _,
            justification,
        }) => {
            mask_person(person);
            [scope, approval].into_iter().for_each(mask_text);
            mask_values(captures);
            justification.iter_mut().for_each(mask_text);
        }
        Event::Approved(Answered { request: _, approver, via: _, comment })
        | Event::Rejected(Answered { request: _, approver, via: _, comment }) => {
            mask_person(approver);
            comment.iter_mut().for_each(mask_text);
        }
        Event::Granted(Granted { grant, request: _, person, scope, approval, captures, from: _, until: _ }) => {
            mask_person(person);
            [grant, scope, approval].into_iter().for_each(mask_text);
            mask_values(captures);
        }
        Event::Revoked(Revoked { grant: id, by, reason }) | Event::Unstop(Unstop { id, by, reason }) => {
            [id, by, reason].into_iter().for_each(mask_text);
        }
        Event::Disclosure(Disclosure { by, reason, query }) => [by, reason, query].into_iter().for_each(mask_text),
        Event::Response(Response { evaluation: _, reply: Reply::Received { status: _, backend, milliseconds: _ } }) => {
            backend.iter_mut().for_each(mask_text);
        }
        Event::Expired(Expired { grant }) => mask_text(grant),
        Event::Response(Response { evaluation: _, reply: Reply::NoResponse })
        | Event::LedgerMade(LedgerMade { ledger: _, tool: _ })
        | Event::RecordsLost(RecordsLost { count: _, place: _, reason: _, counts: _, since: _ })
        | Event::RequestsCounted(RequestsCounted { count: _, since: _, place: _ })
        | Event::DaemonStarted(DaemonStarted { node: _, tool: _, process: _ })
        | Event::DaemonStopped(DaemonStopped { node: _, process: _ })
        | Event::Retired(Retired { ledger: _, first: _, last: _, previous: _, head: _, file: _, sha256: _ }) => {}
    }
    entry
}

fn mask_person(person: &mut Person) {
    let Person { issuer, subject, email } = person;
    [issuer, subject].into_iter().for_each(mask_text);
    email.iter_mut().for_each(mask_text);
}

fn mask_values(captures: &mut BTreeMap<String, String>) {
    captures.values_mut().for_each(mask_text);
}

/// Hides what stands before the `@` of each e-mail address, but for its first character. An escape counts as what it stands for, as in paths, however often it was
/// escaped.
fn mask_text(text: &mut String) {
    let mut masked = String::with_capacity(text.len());
    let mut rest = text.as_str();
    while let Some((at, length)) = first_sign(rest) {
        let (before, sign) = (&rest[..at], &rest[at..at + length]);
        let local = local_part(before);
        masked.push_str(&before[..local]);
        if let Some(first) = before[local..].chars().next() {
            masked.push(first);
            masked.push_str(HIDDEN);
        }
        masked.push_str(sign);
        rest = &rest[at + length..];
    }
    masked.push_str(rest);
    *text = masked;
}

/// Where the first `@` stands, and how long it is.
fn first_sign(text: &str) -> Option<(usize, usize)> {
    text.char_indices().find_map(|(at, character)| match character {
        // Full-width and small: keyboards of some languages write these, and some servers read them as `@`.
        '@' | '\u{FF20}' | '\u{FE6B}' => Some((at, character.len_utf8())),
        '%' => escape(&text[at..], "40").map(|length| (at, length)),
        _ => None,
    })
}

/// How long the escape is with which a text begins, if it stands for the byte with these two hexadecimal digits: `%40`, `%2540`, `%u0040`.
fn escape(text: &str, digits: &str) -> Option<usize> {
    let mut rest = text.strip_prefix('%')?;
    while let Some(deeper) = rest.strip_prefix("25") {
        rest = deeper;
    }
    let unicode = ["u00", "U00"].into_iter().find_map(|prefix| rest.strip_prefix(prefix));
    let behind = unicode.unwrap_or(rest).strip_prefix(digits)?;
    Some(text.len() - behind.len())
}

/// Where the local part begins of the address whose `@` follows this text.
fn local_part(before: &str) -> usize {
    // In quotes anything may stand.
    let quote = |text: &str| text.starts_with('"') || escape(text, "22").is_some();
    let quotes: Vec<usize> = before.char_indices().map(|(at, _)| at).filter(|at| quote(&before[*at..])).collect();
    if let [.., open, last] = quotes[..]
        && (before[last..] == *"\"" || escape(&before[last..], "22") == Some(before.len() - last))
    {
        return open;
    }
    let ends = |c: char| c.is_ascii() && !c.is_ascii_alphanumeric() && !"!#$%&'*+-._~".contains(c);
    before.rfind(ends).map_or(0, |separator| separator + 1)
}

/// An address without what tells one machine of a network from another: the last of four numbers, or all but the first 48 bits.
fn network(source: &str) -> String {
    match source.parse() {
        Ok(IpAddr::V4(address)) => {
            let [a, b, c, _] = address.octets();
            format!("{a}.{b}.{c}.*")
        }
        Ok(IpAddr::V6(address)) => {
            let [a, b, c, ..] = address.segments();
            format!("{a:x}:{b:x}:{c:x}:*")
        }
        Err(_) => HIDDEN.to_owned(),
    }
}

/// A query with its values hidden.
fn names_of(query: &str) -> String {
    let pairs = query.split('&').map(|pair| match pair.split_once('=') {
        Some((name, _)) => format!("{name}={HIDDEN}"),
        None => HIDDEN.to_owned(),
    });
    pairs.collect::<Vec<_>>().join("&")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_keep_what_says_where_they_belong() {
        let check = |text: &str, expected: &str| {
            let mut masked = text.to_owned();
            mask_text(&mut masked);
            assert_eq!(masked, expected);
        };
        check("anna.berg@example.com", "a***@example.com");
        check("00u9x1", "00u9x1");
        check("ask anna@example.com, or Zoë+x@example.com.", "ask a***@example.com, or Z***@example.com.");
        check("/users/anna%40example.com/mail", "/users/a***%40example.com/mail");
        check("/users/anna@example.com/mail", "/users/a***@example.com/mail");
        check("--who 'anna@example.com'", "--who '***@example.com'");
        check("@", "@");
        check("a@b@c", "a***@b***@c");
        check("/users/anna%2540example.com/mail", "/users/a***%2540example.com/mail");
        check("/users/anna%252540example.com", "/users/a***%252540example.com");
        check("/users/anna%u0040example.com", "/users/a***%u0040example.com");
        check("/users/%61nna%40example.com", "/users/%***%40example.com");
        check("anna\u{FF20}example.com", "a***\u{FF20}example.com");
        check("to \"anna berg\"@example.com", "to \"***@example.com");
        check("/users/%22anna%20berg%22%40example.com", "/users/%***%40example.com");
        check("said \"yes\" to anna@example.com", "said \"yes\" to a***@example.com");
        check("100% of 25 at %4", "100% of 25 at %4");
        for (source, expected) in [
            ("203.0.113.9", "203.0.113.*"),
            ("2001:db8:40:1::17", "2001:db8:40:*"),
            ("::1", "0:0:0:*"),
            ("somewhere", "***"),
        ] {
            assert_eq!(network(source), expected);
        }
        assert_eq!(names_of("ticket=4812&x&q=a=b"), "ticket=***&***&q=***");
    }
}

//! Masking: what is hidden from whoever reads the ledger without saying why.
//!
//! docs/LEDGER.md lists the same. Events are taken apart without `..`, so that a new member is masked or left on purpose.

use super::entry::Entry;
use super::event::{
    AccessRequested, Answered, DaemonStarted, DaemonStopped, Decision, Disclosure, Event, Expired, Granted,
    KeysChanged, LedgerMade, ModeChanged, Person, PolicyApplied, RecordsLost, RequestsCounted, Response, Retired,
    Revoked, SecretRotated, StopMade, Unstop,
};
use luigi_core::stop_set::Stopped;
use std::collections::BTreeMap;
use std::net::IpAddr;

/// What stands for what is hidden.
const HIDDEN: &str = "***";

/// The entry as people see it who have not said why they need more: e-mail addresses keep the first letter and the domain wherever they stand, source addresses their
/// network, queries their names, and the user agent nothing.
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
                rule: _,
                scope: _,
                candidate: _,
                candidate_reason: _,
                candidate_rule: _,
                advice: _,
                outcome: _,
                privileged: _,
                grant: _,
                person,
                actor,
                credential: _,
                asserted_by: _,
                detail: _,
                source,
                method: _,
                host: _,
                path,
                received,
                query,
                user_agent,
                cut: _,
                spool: _,
            } = &mut **decision;
            [person, actor].into_iter().flatten().for_each(mask_person);
            [path, received].into_iter().flatten().for_each(mask_text);
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
        | Event::SecretRotated(SecretRotated { secret: _, by })
        | Event::KeysChanged(KeysChanged { issuer: _, keys: _, sha256: _, by }) => mask_text(by),
        Event::Stop(StopMade { id: _, what, until: _, reason, by }) => {
            match what {
                Stopped::Subject { issuer: _, subject } => mask_text(subject),
                Stopped::Scope(_)
                | Stopped::TokenId { issuer: _, id: _ }
                | Stopped::IssuedBefore { issuer: _, before: _ } => {}
            }
            [reason, by].into_iter().for_each(mask_text);
        }
        Event::AccessRequested(AccessRequested {
            request: _,
            evaluation: _,
            person,
            scope: _,
            approval: _,
            captures,
            seconds: _,
            justification,
        }) => {
            mask_person(person);
            mask_values(captures);
            justification.iter_mut().for_each(mask_text);
        }
        Event::Approved(Answered { request: _, approver, via: _, comment })
        | Event::Rejected(Answered { request: _, approver, via: _, comment }) => {
            mask_person(approver);
            comment.iter_mut().for_each(mask_text);
        }
        Event::Granted(Granted {
            grant: _,
            request: _,
            person,
            scope: _,
            approval: _,
            captures,
            from: _,
            until: _,
        }) => {
            mask_person(person);
            mask_values(captures);
        }
        Event::Revoked(Revoked { grant: _, by, reason }) | Event::Unstop(Unstop { id: _, by, reason }) => {
            [by, reason].into_iter().for_each(mask_text);
        }
        Event::Disclosure(Disclosure { by, reason, query }) => [by, reason, query].into_iter().for_each(mask_text),
        Event::Response(Response { evaluation: _, reply: _ })
        | Event::Expired(Expired { grant: _ })
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
    let Person { issuer: _, subject, email } = person;
    mask_text(subject);
    email.iter_mut().for_each(mask_text);
}

fn mask_values(captures: &mut BTreeMap<String, String>) {
    captures.values_mut().for_each(mask_text);
}

/// Hides what stands before the `@` of each e-mail address, but for its first character; `%40` counts as one, as in paths.
fn mask_text(text: &mut String) {
    let mut masked = String::with_capacity(text.len());
    let mut rest = text.as_str();
    while let Some((at, sign)) = first_at(rest) {
        let before = &rest[..at];
        let local = before.rfind(|c: char| c.is_ascii() && !c.is_ascii_alphanumeric() && !"!#$&'*+-._~".contains(c));
        let local = local.map_or(0, |separator| separator + 1);
        masked.push_str(&before[..local]);
        if let Some(first) = before[local..].chars().next() {
            masked.push(first);
            masked.push_str(HIDDEN);
        }
        masked.push_str(sign);
        rest = &rest[at + sign.len()..];
    }
    masked.push_str(rest);
    *text = masked;
}

fn first_at(text: &str) -> Option<(usize, &'static str)> {
    ["@", "%40"].into_iter().filter_map(|sign| Some((text.find(sign)?, sign))).min()
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

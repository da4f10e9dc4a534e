//! What an entry says, in one line for people.

use luigi_core::explain::Tone;
use luigi_core::policy::model::Mode;
use luigi_core::stop_set::Stopped;
use luigi_runtime::Outcome;
use luigi_workflow::ledger::{Decision, DecisionWord, Event, Person, Reply};

/// The line, and how it looks.
pub(super) fn of(event: &Event) -> (String, Tone) {
    match event {
        Event::LedgerMade(made) => (format!("ledger {} made by {}", made.ledger, made.tool), Tone::Faint),
        Event::Decision(decision) => of_decision(decision),
        Event::Response(response) => match &response.reply {
            Reply::Received { status, backend, milliseconds } => {
                let from = backend.as_deref().map_or_else(String::new, |backend| format!(" from {backend}"));
                let after = milliseconds.map_or_else(String::new, |milliseconds| format!(" after {milliseconds} ms"));
                (format!("answered with {status}{from}{after}"), Tone::Faint)
            }
            Reply::NoResponse => ("no response".to_owned(), Tone::Doubtful),
        },
        Event::PolicyApplied(applied) => {
            let revision = applied.revision.get(..12).unwrap_or(&applied.revision);
            let environment = applied.environment.as_deref().map_or_else(String::new, |name| format!(" for {name}"));
            let changes = applied.changes.iter().fold(String::new(), |all, change| all + "; " + change);
            (
                format!(
                    "{} applied revision {revision}{environment}, mode {}{changes}",
                    applied.by,
                    mode(applied.mode)
                ),
                Tone::Strong,
            )
        }
        Event::ModeChanged(changed) => (
            format!("{} changed the mode from {} to {}", changed.by, mode(changed.from), mode(changed.to)),
            Tone::Strong,
        ),
        Event::Stop(stop) => {
            let what = match &stop.what {
                Stopped::Scope(scope) => format!("scope {scope}"),
                Stopped::Subject { issuer: _, subject } => format!("subject {subject}"),
                Stopped::TokenId { issuer: _, id } => format!("token {id}"),
                Stopped::IssuedBefore { issuer, before } => format!("tokens of {issuer} issued before {before}"),
            };
            (format!("{} stopped {what} until {}: {}", stop.by, stop.until, stop.reason), Tone::Bad)
        }
        Event::Unstop(unstop) => (format!("{} lifted stop {}: {}", unstop.by, unstop.id, unstop.reason), Tone::Strong),
        Event::AccessRequested(asked) => {
            let why = asked.justification.as_deref().map_or_else(String::new, |why| format!(": {why}"));
            let per = captures(&asked.captures);
            (
                format!(
                    "{} asks for {}{per} under {} for {}{why}",
                    who(&asked.person),
                    asked.scope,
                    asked.approval,
                    duration(asked.seconds)
                ),
                Tone::Plain,
            )
        }
        Event::Approved(answer) => (
            format!(
                "{} approved {} by {}{}",
                who(&answer.approver),
                answer.request,
                answer.via,
                comment(answer.comment.as_deref())
            ),
            Tone::Good,
        ),
        Event::Rejected(answer) => (
            format!(
                "{} rejected {} by {}{}",
                who(&answer.approver),
                answer.request,
                answer.via,
                comment(answer.comment.as_deref())
            ),
            Tone::Bad,
        ),
        Event::Granted(granted) => {
            let per = captures(&granted.captures);
            (
                format!(
                    "{} opens {}{per} for {} until {}",
                    granted.grant,
                    granted.scope,
                    who(&granted.person),
                    granted.until
                ),
                Tone::Good,
            )
        }
        Event::Revoked(revoked) => (format!("{} revoked {}: {}", revoked.by, revoked.grant, revoked.reason), Tone::Bad),
        Event::Expired(expired) => (format!("{} ended", expired.grant), Tone::Plain),
        Event::SecretRotated(rotated) => (format!("{} rotated secret {}", rotated.by, rotated.secret), Tone::Strong),
        Event::KeysChanged(changed) => {
            (format!("{} changed the keys of {}: {} now", changed.by, changed.issuer, changed.keys), Tone::Strong)
        }
        Event::RecordsLost(lost) => {
            (format!("{} records of {} lost: {}", lost.count, lost.place, lost.reason), Tone::Bad)
        }
        Event::RequestsCounted(counted) => {
            (format!("{} requests of unprivileged scopes passed since {}", counted.count, counted.since), Tone::Faint)
        }
        Event::DaemonStarted(started) => {
            (format!("{} started on {} as process {}", started.tool, started.node, started.process), Tone::Faint)
        }
        Event::DaemonStopped(stopped) => {
            (format!("process {} on {} stopped", stopped.process, stopped.node), Tone::Faint)
        }
        Event::Disclosure(read) => {
            (format!("{} read without masking ({}): {}", read.by, read.query, read.reason), Tone::Doubtful)
        }
        Event::Retired(retired) => {
            (format!("entries {} to {} went to {}", retired.first, retired.last, retired.file), Tone::Faint)
        }
    }
}

fn of_decision(decision: &Decision) -> (String, Tone) {
    let subject = decision.person.as_ref().map_or_else(|| "nobody".to_owned(), who);
    let actor = decision.actor.as_ref().map_or_else(String::new, |actor| format!(" through {}", who(actor)));
    let (host, query) = (decision.host.as_deref().unwrap_or_default(), decision.query.as_deref());
    let path = decision.path.as_deref().or(decision.received.as_deref()).unwrap_or_default();
    let query = query.map_or_else(String::new, |query| format!("?{query}"));
    let mut text = format!("{} {subject}{actor}", decision.decision.as_str());
    // Of a request that could not be read neither is known.
    for part in [&decision.method, &format!("{host}{path}{query}")].into_iter().filter(|part| !part.is_empty()) {
        text += &format!(" {part}");
    }
    text += &format!(" ({}", decision.reason);
    for part in [&decision.rule, &decision.grant, &decision.detail].into_iter().flatten() {
        text += &format!(", {part}");
    }
    text.push(')');
    if let Some(source) = &decision.source {
        text += &format!(" from {source}");
    }
    let tone = match (decision.decision, decision.outcome) {
        (DecisionWord::Allow, Outcome::Pass) => Tone::Plain,
        (DecisionWord::Deny, Outcome::Pass) => {
            text += ", observed";
            Tone::Doubtful
        }
        (_, Outcome::Refuse) => Tone::Bad,
    };
    if decision.candidate != decision.decision {
        text += &format!(", candidate {}", decision.candidate.as_str());
    }
    (text, tone)
}

fn who(person: &Person) -> String {
    person.subject.clone()
}

fn comment(comment: Option<&str>) -> String {
    comment.map_or_else(String::new, |comment| format!(": {comment}"))
}

fn captures(captures: &std::collections::BTreeMap<String, String>) -> String {
    captures.iter().fold(String::new(), |all, (name, value)| format!("{all} {name}={value}"))
}

fn mode(mode: Mode) -> &'static str {
    match mode {
        Mode::Observe => "observe",
        Mode::Enforce => "enforce",
    }
}

/// `90s`, `30m`, `4h`: the largest unit that says it exactly.
fn duration(seconds: u64) -> String {
    match seconds {
        0 => "0s".to_owned(),
        s if s % 3600 == 0 => format!("{}h", s / 3600),
        s if s % 60 == 0 => format!("{}m", s / 60),
        s => format!("{s}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use luigi_workflow::ledger::Entry;

    #[test]
    fn a_denial_says_what_is_wrong_with_the_request_and_nothing_of_what_nobody_knows() {
        let check = |members: &str, expected: &str| {
            let body = format!(
                r#"{{"event":{{"candidate":"deny","candidate-reason":"r","decision":"deny","evaluation":"01","mode":"enforce","node":"n","outcome":"refuse","privileged":false,"revision":"5f",{members}}},"kind":"decision","sequence":7,"time":"2026-03-02T10:00:00.000000000Z"}}"#
            );
            assert_eq!(of(&Entry::parse(&body).expect("an entry").event).0, expected);
        };
        check(r#""method":"","reason":"malformed-facts""#, "deny nobody (malformed-facts)");
        check(
            r#""detail":"encoded-slash","method":"GET","reason":"ambiguous-target","received":"/a%2fb""#,
            "deny nobody GET /a%2fb (ambiguous-target, encoded-slash)",
        );
        check(
            r#""detail":"bad-signature","host":"a.b","method":"GET","path":"/c","reason":"allow-rule-unknown","rule":"ops""#,
            "deny nobody GET a.b/c (allow-rule-unknown, ops, bad-signature)",
        );
    }
}

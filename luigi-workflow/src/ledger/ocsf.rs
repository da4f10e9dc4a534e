//! Entries as events of the Open Cybersecurity Schema Framework, version 1.3.0, for whatever collects them.
//!
//! | kinds | class |
//! |---|---|
//! | `decision`, `response` | API Activity (6003), with the profile `security_control` |
//! | `granted`, `revoked`, `expired` | User Access Management (3005) |
//! | `policy-applied`, `mode-changed`, `stop`, `unstop`, `access-requested`, `approved`, `rejected`, `secret-rotated`, `keys-changed` | Entity Management (3004) |
//! | `daemon-started`, `daemon-stopped` | Application Lifecycle (6002) |
//! | the others | Base Event (0) |
//!
//! The whole event stands in `unmapped`, too: the framework has no place for much of it, and nothing is left out.

use super::entry::Entry;
use super::event::{Decision, DecisionWord, Event, Person, Reply};
use luigi_runtime::Outcome;
use serde_json::{Map, Value, json};

const VERSION: &str = "1.3.0";

/// The entry as an OCSF event.
///
/// # Panics
/// Never: an entry has nothing that JSON cannot say.
#[must_use]
pub fn event(entry: &Entry) -> Value {
    let class = class_of(entry);
    let Class { uid, activity, severity, success, mut members } = class;
    let event = serde_json::to_value(&entry.event).expect("an event is strings and numbers");
    let mut all = json!({
        "category_uid": uid / 1000,
        "class_uid": uid,
        "activity_id": activity,
        "type_uid": uid * 100 + activity,
        "severity_id": severity,
        "time": entry.time.as_millisecond(),
        "status_id": if success { 1 } else { 2 },
        "metadata": {
            "version": VERSION,
            "product": { "name": "Luigi", "vendor_name": "Luigi", "version": env!("CARGO_PKG_VERSION") },
            "uid": entry.sequence.to_string(),
            "sequence": entry.sequence,
            "event_code": entry.kind().as_str(),
            "log_name": "luigi-ledger",
        },
        "unmapped": event.get("event").cloned().unwrap_or_default(),
    });
    if uid == 6003 {
        all["metadata"]["profiles"] = json!(["security_control"]);
    }
    if let Some(all) = all.as_object_mut() {
        all.append(&mut members);
    }
    all
}

/// What an event is in the framework, and what is its own in it.
struct Class {
    uid: u64,
    activity: u64,
    /// 1 informational, 2 low, 3 medium, 4 high.
    severity: u64,
    success: bool,
    members: Map<String, Value>,
}

impl Class {
    fn new(uid: u64, activity: u64, severity: u64, members: Value) -> Self {
        let members = match members {
            Value::Object(members) => members,
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => Map::new(),
        };
        Self { uid, activity, severity, success: true, members }
    }
}

/// Activities of Entity Management.
mod entity {
    pub(super) const CREATE: u64 = 1;
    pub(super) const UPDATE: u64 = 3;
    pub(super) const DELETE: u64 = 4;
}

const OTHER: u64 = 99;

fn class_of(entry: &Entry) -> Class {
    let managed = |activity, severity, actor: Value, kind: &str, uid: &str, comment: Option<&str>| {
        let mut members = json!({ "actor": actor, "entity": { "type": kind, "uid": uid, "name": uid } });
        if let Some(comment) = comment {
            members["comment"] = json!(comment);
        }
        Class::new(3004, activity, severity, members)
    };
    match &entry.event {
        Event::Decision(decision) => of_decision(decision),
        Event::Response(response) => {
            let mut members = json!({
                "actor": { "app_name": "HAProxy" },
                "api": { "operation": "response", "request": { "uid": response.evaluation } },
                "src_endpoint": { "name": "unknown" },
                "http_request": { "uid": response.evaluation },
            });
            let mut success = false;
            match &response.reply {
                Reply::Received { status, backend, milliseconds } => {
                    members["http_response"] = json!({ "code": status });
                    if let Some(milliseconds) = milliseconds {
                        members["http_response"]["latency"] = json!(milliseconds);
                        members["duration"] = json!(milliseconds);
                    }
                    if let Some(backend) = backend {
                        members["dst_endpoint"] = json!({ "svc_name": backend });
                    }
                    success = *status < 400;
                }
                Reply::NoResponse => members["status_detail"] = json!("no-response"),
            }
            Class { success, ..Class::new(6003, OTHER, 1, members) }
        }
        Event::Granted(granted) => {
            let user = user(&granted.person);
            let privileges = json!([format!("{} under {}", granted.scope, granted.approval)]);
            Class::new(
                3005,
                1,
                2,
                json!({ "actor": luigi(), "user": user, "privileges": privileges, "resource": { "name": granted.scope, "uid": granted.grant } }),
            )
        }
        // Whose grant it was stands in the entry that opened it; the grant's id joins the two.
        Event::Revoked(revoked) => Class::new(
            3005,
            2,
            2,
            json!({ "actor": by(&revoked.by), "user": { "name": "unknown" }, "privileges": [revoked.grant], "resource": { "uid": revoked.grant }, "comment": revoked.reason }),
        ),
        Event::Expired(expired) => Class::new(
            3005,
            2,
            1,
            json!({ "actor": luigi(), "user": { "name": "unknown" }, "privileges": [expired.grant], "resource": { "uid": expired.grant } }),
        ),
        Event::PolicyApplied(applied) => managed(entity::UPDATE, 2, by(&applied.by), "Policy", &applied.revision, None),
        Event::ModeChanged(changed) => managed(entity::UPDATE, 3, by(&changed.by), "Mode", mode(changed.to), None),
        Event::Stop(stop) => managed(entity::CREATE, 3, by(&stop.by), "Stop", &stop.id, Some(&stop.reason)),
        Event::Unstop(unstop) => managed(entity::DELETE, 2, by(&unstop.by), "Stop", &unstop.id, Some(&unstop.reason)),
        Event::AccessRequested(asked) => {
            let actor = json!({ "user": user(&asked.person) });
            managed(entity::CREATE, 1, actor, "Access request", &asked.request, asked.justification.as_deref())
        }
        Event::Approved(answer) => {
            let actor = json!({ "user": user(&answer.approver) });
            managed(entity::UPDATE, 2, actor, "Access request", &answer.request, answer.comment.as_deref())
        }
        Event::Rejected(answer) => {
            let actor = json!({ "user": user(&answer.approver) });
            let class = managed(entity::UPDATE, 1, actor, "Access request", &answer.request, answer.comment.as_deref());
            Class { success: false, ..class }
        }
        Event::SecretRotated(rotated) => managed(entity::UPDATE, 2, by(&rotated.by), "Secret", &rotated.secret, None),
        Event::KeysChanged(changed) => managed(entity::UPDATE, 2, by(&changed.by), "Key set", &changed.issuer, None),
        Event::DaemonStarted(_) => Class::new(6002, 3, 1, json!({ "app": app() })),
        Event::DaemonStopped(_) => Class::new(6002, 4, 1, json!({ "app": app() })),
        Event::RecordsLost(lost) => {
            let message = format!("{} records lost: {}", lost.count, lost.reason);
            Class { success: false, ..Class::new(0, OTHER, 4, json!({ "message": message })) }
        }
        Event::RequestsCounted(counted) => {
            let message = format!("{} requests of unprivileged scopes passed", counted.count);
            Class::new(0, OTHER, 1, json!({ "message": message, "count": counted.count }))
        }
        Event::LedgerMade(_) => Class::new(0, OTHER, 1, json!({ "message": "the ledger was made" })),
        Event::Disclosure(read) => {
            Class::new(0, OTHER, 2, json!({ "message": format!("{} read without masking: {}", read.by, read.reason) }))
        }
        Event::Retired(retired) => Class::new(
            0,
            OTHER,
            1,
            json!({ "message": format!("entries {} to {} were written to {} and removed", retired.first, retired.last, retired.file) }),
        ),
    }
}

fn of_decision(decision: &Decision) -> Class {
    let activity = match decision.method.as_str() {
        "POST" => 1,
        "GET" | "HEAD" | "OPTIONS" => 2,
        "PUT" | "PATCH" => 3,
        "DELETE" => 4,
        _ => OTHER,
    };
    // A denial that was only observed let the request pass.
    let (action, disposition) = match (decision.outcome, decision.decision) {
        (Outcome::Pass, DecisionWord::Allow) => (1, 1),
        (Outcome::Pass, DecisionWord::Deny) => (1, 17),
        (Outcome::Refuse, _) => (2, 2),
    };
    let mut actor = Map::new();
    match &decision.person {
        Some(person) => {
            actor.insert("user".to_owned(), user(person));
            actor.insert("idp".to_owned(), json!({ "name": person.issuer }));
        }
        None => {
            actor.insert("user".to_owned(), json!({ "name": "anonymous", "type_id": 0 }));
        }
    }
    if let Some(other) = &decision.actor {
        actor.insert("invoked_by".to_owned(), json!(other.subject));
    }
    let mut authorization = json!({ "decision": decision.decision.as_str() });
    if let Some(rule) = &decision.rule {
        authorization["policy"] = json!({ "name": rule, "version": decision.revision });
    }
    actor.insert("authorizations".to_owned(), json!([authorization]));
    let host = decision.host.as_deref().unwrap_or_default();
    let path = decision.path.as_deref().or(decision.received.as_deref()).unwrap_or_default();
    let mut request = json!({
        "uid": decision.evaluation,
        "http_method": decision.method,
        "url": { "hostname": host, "path": path },
    });
    if let Some(query) = &decision.query {
        request["url"]["query_string"] = json!(query);
    }
    if let Some(agent) = &decision.user_agent {
        request["user_agent"] = json!(agent);
    }
    let source = match &decision.source {
        Some(source) if source.parse::<std::net::IpAddr>().is_ok() => json!({ "ip": source }),
        // Masked: no address any more.
        Some(source) => json!({ "name": source }),
        None => json!({ "name": "unknown" }),
    };
    let mut members = json!({
        "actor": actor,
        "api": { "operation": format!("{} {path}", decision.method), "request": { "uid": decision.evaluation } },
        "src_endpoint": source,
        "http_request": request,
        "action_id": action,
        "disposition_id": disposition,
        "status_detail": decision.reason,
    });
    if !host.is_empty() {
        members["dst_endpoint"] = json!({ "hostname": host });
    }
    if let Some(scope) = &decision.scope {
        members["resources"] = json!([{ "name": scope, "type": "scope" }]);
    }
    let severity = match decision.decision {
        DecisionWord::Allow if decision.privileged => 2,
        DecisionWord::Allow => 1,
        DecisionWord::Deny => 2,
    };
    Class { success: decision.outcome == Outcome::Pass, ..Class::new(6003, activity, severity, members) }
}

fn user(person: &Person) -> Value {
    let mut user = json!({ "uid": person.subject, "name": person.subject, "domain": person.issuer });
    if let Some(email) = &person.email {
        user["email_addr"] = json!(email);
    }
    user
}

fn by(name: &str) -> Value {
    json!({ "user": { "name": name } })
}

fn luigi() -> Value {
    json!({ "app_name": "Luigi" })
}

fn app() -> Value {
    json!({ "name": "luigi", "vendor_name": "Luigi", "version": env!("CARGO_PKG_VERSION") })
}

fn mode(mode: luigi_core::policy::model::Mode) -> &'static str {
    match mode {
        luigi_core::policy::model::Mode::Observe => "observe",
        luigi_core::policy::model::Mode::Enforce => "enforce",
    }
}

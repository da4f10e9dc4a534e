//! The reply for programs: a problem object (RFC 9457) that is also an AuthZEN denial.

use super::{Refusal, Remedy, Wanted, words};
use luigi_core::policy::model::Justification;
use serde::Serialize;
use serde_json::{Map, Value, json};

/// The object, as text.
pub(super) fn object(refusal: &Refusal) -> String {
    let mut context = Map::new();
    context.insert("evaluation_id".to_owned(), json!(refusal.evaluation));
    context.insert("evaluated_at".to_owned(), json!(refusal.at.to_string()));
    context.insert("reason".to_owned(), json!(refusal.reason.as_str()));
    match &refusal.remedy {
        Remedy::RequestAccess(wanted) => {
            context.insert("access_request".to_owned(), access_request(refusal, wanted));
        }
        Remedy::StepUp(login) => {
            let mut required = Map::new();
            if !login.acr_any.is_empty() {
                required.insert("acr_values".to_owned(), json!(login.acr_any));
            }
            if !login.amr_any.is_empty() {
                required.insert("amr_values".to_owned(), json!(login.amr_any));
            }
            if !login.amr_all.is_empty() {
                required.insert("amr_all_values".to_owned(), json!(login.amr_all));
            }
            if let Some(seconds) = login.max_age_seconds {
                required.insert("max_age".to_owned(), json!(seconds));
            }
            context.insert("login".to_owned(), Value::Object(required));
        }
        Remedy::None | Remedy::Authenticate | Remedy::NewCredential(_) | Remedy::Retry => {}
    }
    let problem = Problem {
        type_uri: format!("urn:luigi:denial:{}", refusal.reason.as_str()),
        title: words::title(refusal),
        status: refusal.status,
        detail: words::detail(refusal),
        decision: false,
        context,
    };
    // A map with string keys, strings and numbers always serialises.
    serde_json::to_string_pretty(&problem).map(|text| text + "\n").unwrap_or_default()
}

/// In the order in which people read it.
#[derive(Serialize)]
struct Problem {
    #[serde(rename = "type")]
    type_uri: String,
    title: &'static str,
    status: u16,
    detail: String,
    decision: bool,
    context: Map<String, Value>,
}

/// What to ask for. There is no `endpoint`: nothing takes access requests over HTTP; the template is what one shows an approver.
fn access_request(refusal: &Refusal, wanted: &[Wanted]) -> Value {
    let mut template = Map::new();
    if let Some(subject) = &refusal.subject {
        template.insert(
            "subject".to_owned(),
            json!({
                "type": subject.kind.as_deref().unwrap_or("identity"),
                "id": subject.subject,
                "properties": { "issuer": subject.issuer },
            }),
        );
    }
    if let Some(method) = &refusal.method {
        template.insert("action".to_owned(), json!({ "name": method }));
    }
    if let Some(place) = refusal.place() {
        template.insert(
            "resource".to_owned(),
            json!({ "type": "route", "id": place, "properties": { "host": refusal.host, "path": refusal.path } }),
        );
    }
    let approvals: Vec<_> = wanted
        .iter()
        .map(|wanted| {
            let mut approval = json!({
                "scope": wanted.scope,
                "approval": wanted.approval,
                "justification": match wanted.justification {
                    Justification::Required => "required",
                    Justification::Optional => "optional",
                },
                "duration_seconds": wanted.duration_seconds,
                "max_duration_seconds": wanted.max_duration_seconds,
            });
            if !wanted.captures.is_empty() {
                approval["captures"] = json!(wanted.captures);
            }
            approval
        })
        .collect();
    json!({ "template": template, "approvals": approvals })
}

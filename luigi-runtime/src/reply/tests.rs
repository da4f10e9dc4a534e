//! Replies as callers see them.

use super::*;

fn refusal(status: u16, reason: Reason, remedy: Remedy) -> Refusal {
    Refusal {
        status,
        reason,
        remedy,
        evaluation: "0123456789abcdef0000000000000001".to_owned(),
        at: Timestamp::from_unix_seconds(1_772_442_000),
        method: Some("POST".to_owned()),
        host: Some("admin.example.com".to_owned()),
        path: Some("/billing/refunds".to_owned()),
        subject: Some(Subject {
            issuer: "https://example.okta.com".to_owned(),
            subject: "00u1".to_owned(),
            email: Some("anna@example.com".to_owned()),
            kind: None,
        }),
    }
}

fn approvals() -> Remedy {
    let wanted = |approval: &str, duration_seconds, max_duration_seconds, justification| Wanted {
        scope: "billing".to_owned(),
        approval: approval.to_owned(),
        captures: BTreeMap::new(),
        justification,
        duration_seconds,
        max_duration_seconds,
    };
    Remedy::RequestAccess(vec![
        wanted("billing-leads", 1800, 14_400, Justification::Required),
        wanted("break-glass", 3600, 3600, Justification::Optional),
    ])
}

fn step_up() -> Remedy {
    Remedy::StepUp(Login {
        name: "fresh-mfa".to_owned(),
        acr_any: vec!["urn:example:gold".to_owned(), "ph\"r\\x\n".to_owned()],
        amr_any: vec!["mfa".to_owned(), "hwk".to_owned()],
        amr_all: Vec::new(),
        max_age_seconds: Some(900),
    })
}

/// One refusal of each kind, with a name for it.
fn kinds() -> Vec<(&'static str, Refusal)> {
    let anonymous = |mut refusal: Refusal| {
        refusal.subject = None;
        refusal
    };
    vec![
        ("authenticate", anonymous(refusal(401, Reason::NoRuleAllows, Remedy::Authenticate))),
        ("expired", anonymous(refusal(401, Reason::AllowRuleUnknown, Remedy::NewCredential(BadCredential::Expired)))),
        (
            "invalid",
            anonymous(refusal(
                401,
                Reason::AllowRuleUnknown,
                Remedy::NewCredential(BadCredential::Invalid(InvalidCredential::WrongAudience)),
            )),
        ),
        ("step-up", refusal(401, Reason::LoginRequired, step_up())),
        ("request-access", refusal(403, Reason::ApprovalRequired, approvals())),
        ("denied", refusal(403, Reason::DeniedByRule, Remedy::None)),
        ("schedule", refusal(403, Reason::ScheduleRequired, Remedy::None)),
        ("ambiguous", anonymous(refusal(400, Reason::AmbiguousTarget, Remedy::None))),
        ("deferred", anonymous(refusal(503, Reason::Deferred, Remedy::Retry))),
    ]
}

fn header<'a>(reply: &'a Reply, name: &str) -> Option<&'a str> {
    reply.headers.iter().find(|(held, _)| *held == name).map(|(_, value)| value.as_str())
}

const BROWSER: Option<&[u8]> = Some(b"text/html,*/*;q=0.8");

#[test]
fn every_reply_is_complete_and_cannot_be_cached() {
    for (name, refusal) in kinds() {
        for accept in [BROWSER, None] {
            let reply = refusal.render(accept);
            assert_eq!(reply.status, refusal.status, "{name}");
            assert_eq!(header(&reply, "cache-control"), Some("no-store"), "{name}");
            assert_eq!(header(&reply, "vary"), Some("accept"), "{name}");
            assert_eq!(header(&reply, "x-content-type-options"), Some("nosniff"), "{name}");
            assert_eq!(header(&reply, "www-authenticate").is_some(), reply.status == 401, "{name}");
            assert_eq!(header(&reply, "retry-after").is_some(), reply.status == 503, "{name}");
            assert!(reply.body.contains(&refusal.evaluation), "{name}");
            for (header, value) in &reply.headers {
                assert!(value.bytes().all(|b| matches!(b, b' '..=b'~')), "{name}: {header}: {value}");
            }
            let mut names: Vec<_> = reply.headers.iter().map(|(name, _)| *name).collect();
            names.sort_unstable();
            names.dedup();
            assert_eq!(names.len(), reply.headers.len(), "{name}");
        }
    }
}

#[test]
fn challenges() {
    let check = |kind: &str, expected: Option<&str>| {
        let (_, refusal) = kinds().into_iter().find(|(name, _)| *name == kind).unwrap();
        assert_eq!(header(&refusal.render(None), "www-authenticate"), expected, "{kind}");
    };
    check("authenticate", Some(r#"Bearer realm="admin.example.com""#));
    check(
        "expired",
        Some(r#"Bearer realm="admin.example.com", error="invalid_token", error_description="the token has expired""#),
    );
    check(
        "invalid",
        Some(
            r#"Bearer realm="admin.example.com", error="invalid_token", error_description="the token is meant for another service""#,
        ),
    );
    check(
        "step-up",
        Some(concat!(
            r#"Bearer realm="admin.example.com", error="insufficient_user_authentication", "#,
            r#"error_description="with one of mfa, hwk, at level one of urn:example:gold, ph?r?x?, at most 15 minutes ago", "#,
            r#"acr_values="urn:example:gold ph?r?x?", max_age="900""#
        )),
    );
    check("request-access", None);
    check("denied", None);
}

#[test]
fn a_program_is_told_what_to_ask_for() {
    let reply = refusal(403, Reason::ApprovalRequired, approvals()).render(Some(b"*/*"));
    assert_eq!(header(&reply, "content-type"), Some("application/problem+json"));
    let object: serde_json::Value = serde_json::from_str(&reply.body).unwrap();
    let expected = serde_json::json!({
        "type": "urn:luigi:denial:approval-required",
        "title": "This needs an approval",
        "status": 403,
        "detail": "You may do this once somebody has approved it.",
        "decision": false,
        "context": {
            "evaluation_id": "0123456789abcdef0000000000000001",
            "evaluated_at": "2026-03-02T09:00:00Z",
            "reason": "approval-required",
            "access_request": {
                "template": {
                    "subject": { "type": "identity", "id": "00u1", "properties": { "issuer": "https://example.okta.com" } },
                    "action": { "name": "POST" },
                    "resource": {
                        "type": "route",
                        "id": "admin.example.com/billing/refunds",
                        "properties": { "host": "admin.example.com", "path": "/billing/refunds" },
                    },
                },
                "approvals": [
                    {
                        "scope": "billing",
                        "approval": "billing-leads",
                        "justification": "required",
                        "duration_seconds": 1800,
                        "max_duration_seconds": 14_400,
                    },
                    {
                        "scope": "billing",
                        "approval": "break-glass",
                        "justification": "optional",
                        "duration_seconds": 3600,
                        "max_duration_seconds": 3600,
                    },
                ],
            },
        },
    });
    assert_eq!(object, expected);
    assert!(reply.body.starts_with("{\n  \"type\":"), "read from the top: {}", reply.body);
}

#[test]
fn the_page_says_what_would_help() {
    let check = |kind: &str, texts: &[&str]| {
        let (_, refusal) = kinds().into_iter().find(|(name, _)| *name == kind).unwrap();
        let reply = refusal.render(BROWSER);
        assert_eq!(header(&reply, "content-type"), Some("text/html; charset=utf-8"));
        for text in texts {
            assert!(reply.body.contains(text), "{kind}: no `{text}` in {}", reply.body);
        }
    };
    check("authenticate", &["<h1>Please log in</h1>", "POST admin.example.com/billing/refunds"]);
    check("step-up", &["at most 15 minutes ago", "mfa, hwk", "anna@example.com"]);
    check(
        "request-access",
        &[
            "<b>billing-leads</b>",
            "<code>billing</code>",
            "opens for 30 minutes, at most 4 hours; a justification is required",
        ],
    );
    check("denied", &["tell the people who run this service"]);
}

#[test]
fn hostile_names_stay_text() {
    let hostile = "</code><script>alert('x')</script>\"\r\nset-cookie: a=b\0\u{202e}<!--";
    let mut bad = refusal(401, Reason::LoginRequired, step_up());
    bad.method = Some(hostile.to_owned());
    bad.host = Some(hostile.to_owned());
    bad.path = Some(format!("/{hostile}{}", "x".repeat(20_000)));
    bad.subject = Some(Subject {
        issuer: hostile.to_owned(),
        subject: hostile.to_owned(),
        email: Some(hostile.to_owned()),
        kind: Some(hostile.to_owned()),
    });
    let reply = bad.render(BROWSER);
    for forbidden in ["<script", "alert('", "\r", "\0", "\u{202e}", "<!--"] {
        assert!(!reply.body.contains(forbidden), "{forbidden:?}");
    }
    assert!(reply.body.len() < 8_000, "{}", reply.body.len());
    for (name, value) in &reply.headers {
        assert!(value.bytes().all(|b| matches!(b, b' '..=b'~')), "{name}: {value}");
    }
    let challenge = header(&reply, "www-authenticate").unwrap();
    assert!(challenge.starts_with("Bearer realm=\"</code><script>alert('x')</script>???set-cookie"), "{challenge}");

    bad.remedy = approvals();
    let object: serde_json::Value = serde_json::from_str(&bad.render(None).body).unwrap();
    assert_eq!(object["context"]["access_request"]["template"]["subject"]["id"], hostile);
}

#[test]
fn the_content_security_policy_names_the_style_that_the_page_has() {
    let reply = refusal(403, Reason::DeniedByRule, Remedy::None).render(BROWSER);
    let style = reply.body.split_once("<style>").unwrap().1.split_once("</style>").unwrap().0;
    let digest = ring::digest::digest(&ring::digest::SHA256, style.as_bytes());
    let hash = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, digest);
    let policy = header(&reply, "content-security-policy").unwrap();
    assert!(policy.contains(&format!("style-src 'sha256-{hash}'")), "{policy}");
    assert!(policy.starts_with("default-src 'none';"), "{policy}");
    assert!(!reply.body.contains("style=") && !reply.body.contains("http://") && !reply.body.contains("https://"));
}

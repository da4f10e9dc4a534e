//! A panic in the middle of a decision, which only a test can ask for; and the frontend of a request.

use super::*;
use crate::numbers::luigi_status::LUIGI_STATUS_INTERNAL;
use crate::types::{luigi_engine, luigi_engine_options, luigi_text};
use std::mem::zeroed;

pub(super) fn fail_if_asked_to(target: &[u8]) {
    assert_ne!(target, b"/fail", "a test asked for this");
}

fn text(text: &str) -> luigi_text {
    pointers::shown(Some(text))
}

/// Decisions in force by a policy.
fn with_policy(policy: &str, then: impl FnOnce(luigi_context)) {
    let folder = tempfile::TempDir::new().unwrap();
    let path = folder.path().join("policy.toml");
    std::fs::write(&path, policy).unwrap();
    // SAFETY: all zeros are a value of the struct; the pointers lead to values of this function.
    unsafe {
        let options = luigi_engine_options {
            struct_size: size_of::<luigi_engine_options>(),
            policy: text(path.to_str().unwrap()),
            ..zeroed()
        };
        let (mut engine, mut context) = (luigi_engine::default(), luigi_context::default());
        let opened = crate::luigi_engine_open(&raw const options, &raw mut engine, std::ptr::null_mut());
        assert_eq!(opened, LUIGI_STATUS_OK);
        assert_eq!(crate::luigi_context_open(engine, &raw mut context), LUIGI_STATUS_OK);
        then(context);
        assert_eq!(crate::luigi_context_close(context), LUIGI_STATUS_OK);
        assert_eq!(crate::luigi_engine_close(engine), LUIGI_STATUS_OK);
    }
}

#[test]
fn a_panic_is_a_denial_and_the_next_decision_is_sound() {
    let policy = "schema = 1\n[scopes.open]\nhosts = \"any\"\npaths = [\"/**\"]\nmethods = \"read\"\n\
                  [[rules]]\nid = \"open\"\neffect = \"allow\"\nscopes = [\"open\"]\nsubject = \"anyone\"\n";
    // SAFETY: all zeros are a value of each of these structs; the pointers lead to values of this function.
    with_policy(policy, |context| unsafe {
        let mut decision = luigi_decision { struct_size: size_of::<luigi_decision>(), ..zeroed() };
        let mut decide = |target: &str| {
            let request = luigi_request {
                struct_size: size_of::<luigi_request>(),
                method: text("GET"),
                target: text(target),
                ..zeroed()
            };
            let status = luigi_decide(context, &raw const request, &raw mut decision);
            (status, decision.decision, decision.outcome, decision.reason, decision.rule[0])
        };
        let allowed = (LUIGI_STATUS_OK, 1, 1, luigi_reason::LUIGI_REASON_ALLOWED_BY_RULE as i32, 'o' as c_char);
        assert_eq!(decide("/"), allowed);
        assert_eq!(decide("/fail"), (LUIGI_STATUS_INTERNAL, 0, 0, 0, 0), "what was there before is gone");
        assert_eq!(decide("/"), allowed);
    });
}

#[test]
fn a_scope_is_at_its_frontends() {
    let policy = "schema = 1\n[scopes.open]\nhosts = \"any\"\npaths = [\"/**\"]\nmethods = \"read\"\nfrontends = [\"www\"]\n\
                  [[rules]]\nid = \"open\"\neffect = \"allow\"\nscopes = [\"open\"]\nsubject = \"anyone\"\n";
    // SAFETY: as above.
    with_policy(policy, |context| unsafe {
        for (frontend, reason) in [
            (text("www"), luigi_reason::LUIGI_REASON_ALLOWED_BY_RULE),
            (text("admin"), luigi_reason::LUIGI_REASON_NO_RULE_ALLOWS),
            (zeroed(), luigi_reason::LUIGI_REASON_FRONTEND_UNKNOWN),
        ] {
            let mut decision = luigi_decision { struct_size: size_of::<luigi_decision>(), ..zeroed() };
            let request = luigi_request {
                struct_size: size_of::<luigi_request>(),
                method: text("GET"),
                target: text("/"),
                frontend,
                ..zeroed()
            };
            assert_eq!(luigi_decide(context, &raw const request, &raw mut decision), LUIGI_STATUS_OK);
            assert_eq!(decision.reason, reason as i32);
        }
    });
}

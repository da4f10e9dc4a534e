//! The same corpus through the core and through the ABI: every test that stands in a policy of `examples/policies`.
//!
//! What cannot be said in C is left out and counted: grants, which come with a feed, actors of whom claims are told, and an invalid token
//! where the policy has no issuer.

use luigi_core::decide::{Decision, Evaluation};
use luigi_core::described::DescribedCertificate;
use luigi_core::identity::{Actor, Completeness, Email, Groups, Identity, Login};
use luigi_core::policy::captures::group_in_tokens;
use luigi_core::policy::model::{Policy, RuleId};
use luigi_core::policy::parse_everywhere;
use luigi_core::policy::test_case::{Expectation, TestCase, TestCredential, TestIdentity};
use luigi_core::policy_tests::run_each;
use luigi_core::snapshot::Snapshot;
use luigi_core::time::Timestamp;
use luigi_ffi::*;
use luigi_runtime::policy_files;
use std::ffi::{CStr, c_char};
use std::mem::zeroed;
use std::path::{Path, PathBuf};
use std::ptr::null_mut;

/// When tests take place that do not say when: no rule that asks for the time looks at it.
const SOME_TIME: Timestamp = Timestamp::from_unix_seconds(1_767_225_600);

#[test]
fn tests_of_policies_come_out_alike() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/policies");
    let mut policies: Vec<PathBuf> =
        std::fs::read_dir(folder).expect("the examples").map(|entry| entry.expect("an entry").path()).collect();
    policies.sort();
    let (mut alike, mut left_out) = (0, 0);
    for path in policies {
        let sources = policy_files::read(&path).expect("the example can be read");
        for (environment, parsed) in parse_everywhere(&sources).environments {
            let policy = parsed.policy.unwrap_or_else(|| panic!("{} has errors", path.display()));
            let c = C::open(&path, environment.as_deref());
            let snapshot = Snapshot::compile(policy).expect("the example compiles");
            let mut evaluations = Vec::new();
            run_each(&snapshot, &parsed.tests, |test, explanation| evaluations.push((test, explanation.evaluation)));
            for (test, evaluation) in evaluations {
                match c.decide(snapshot.policy(), test) {
                    Some(decision) => {
                        let what = format!("{}: {}", path.display(), test.name);
                        same(snapshot.policy(), &evaluation, test, &decision, &what);
                        alike += 1;
                    }
                    None => left_out += 1,
                }
            }
        }
    }
    println!("{alike} alike, {left_out} left out");
    assert!(alike > 140 && left_out * 20 < alike, "{alike} alike, {left_out} left out");
}

fn same(policy: &Policy, core: &Evaluation, test: &TestCase, c: &luigi_decision, what: &str) {
    let name = |rule: Option<RuleId>| rule.map_or("", |rule| policy.rules[rule].name.as_str());
    let reason = |number| text_of(luigi_reason_name(number));
    let Evaluation { decision, candidate, privileged, audit: _, tunnel_seconds: _ } = core;
    let answer = |decision: &Decision| {
        if decision.allows() { luigi_answer::LUIGI_ALLOW as i32 } else { luigi_answer::LUIGI_DENY as i32 }
    };
    assert_eq!((c.decision, reason(c.reason)), (answer(decision), decision.reason.as_str()), "{what}");
    assert_eq!(
        (name_of(&c.rule), name_of(&c.restricted_by)),
        (name(decision.rule), name(decision.restricted_by)),
        "{what}"
    );
    assert_eq!(name_of(&c.scope), decision.scope.map_or("", |scope| policy.scopes[scope].name.as_str()), "{what}");
    assert_eq!(
        (c.candidate_decision, reason(c.candidate_reason)),
        (answer(candidate), candidate.reason.as_str()),
        "{what}"
    );
    assert_eq!(name_of(&c.candidate_rule), name(candidate.rule), "{what}");
    assert_eq!(c.privileged != 0, *privileged, "{what}");
    // And what the author of the policy wrote down.
    let expected = match test.expect {
        Expectation::Allow | Expectation::Deny => luigi_advice::LUIGI_ADVICE_NONE,
        Expectation::Authenticate => luigi_advice::LUIGI_ADVICE_AUTHENTICATE,
        Expectation::StepUp => luigi_advice::LUIGI_ADVICE_STEP_UP,
        Expectation::RequestAccess => luigi_advice::LUIGI_ADVICE_REQUEST_ACCESS,
    };
    assert_eq!((c.decision == 1, c.advice), (test.expect == Expectation::Allow, expected as i32), "{what}");
}

fn text_of(name: *const c_char) -> &'static str {
    // SAFETY: the names of numbers live as long as the library.
    unsafe { CStr::from_ptr(name) }.to_str().expect("names are ASCII")
}

fn name_of(place: &[c_char]) -> &str {
    // SAFETY: a name of a decision ends with a NUL byte within its place.
    unsafe { CStr::from_ptr(place.as_ptr()) }.to_str().expect("names are UTF-8")
}

/// A text of Rust's for C.
fn text(text: &str) -> luigi_text {
    luigi_text { data: text.as_ptr().cast(), length: text.len() }
}

/// An engine with a context.
struct C {
    engine: luigi_engine,
    context: luigi_context,
}

impl Drop for C {
    fn drop(&mut self) {
        assert_eq!(luigi_context_close(self.context), luigi_status::LUIGI_STATUS_OK);
        assert_eq!(luigi_engine_close(self.engine), luigi_status::LUIGI_STATUS_OK);
    }
}

impl C {
    fn open(policy: &Path, environment: Option<&str>) -> Self {
        let (mut engine, mut context) = (luigi_engine::default(), luigi_context::default());
        // SAFETY: all zeros are a value of the struct; the pointers lead to values of this function.
        unsafe {
            let mut options: luigi_engine_options = zeroed();
            options.struct_size = size_of::<luigi_engine_options>();
            options.policy = text(policy.to_str().expect("a printable path"));
            options.mode = luigi_mode::LUIGI_MODE_ENFORCE as i32;
            if let Some(environment) = environment {
                options.environment = text(environment);
            }
            assert_eq!(
                luigi_engine_open(&raw const options, &raw mut engine, null_mut()),
                luigi_status::LUIGI_STATUS_OK
            );
            assert_eq!(luigi_context_open(engine, &raw mut context), luigi_status::LUIGI_STATUS_OK);
        }
        Self { engine, context }
    }

    /// What comes out of a test; `None` if it cannot be asked.
    fn decide(&self, policy: &Policy, test: &TestCase) -> Option<luigi_decision> {
        if !test.grants.is_empty() {
            return None;
        }
        let time = test.at.unwrap_or(SOME_TIME);
        // SAFETY: all zeros are a request.
        let mut request: luigi_request = unsafe { zeroed() };
        request.struct_size = size_of::<luigi_request>();
        request.method = text(&test.method);
        request.target = text(&test.target);
        request.host = test.host.as_deref().map_or(request.host, text);
        request.time = time.unix_seconds();
        let source = test.from.or(test.peer).map(|address| address.to_string());
        request.source = source.as_deref().map_or(request.source, text);
        // As a policy's tests have it: no upgrade unless a header is described.
        request.upgrade = luigi_upgrade::LUIGI_UPGRADE_NO as i32;

        let field = |name, value| luigi_field { name: text(name), value: text(value) };
        let headers: Option<Vec<luigi_field>> = test.facts.headers.as_ref().map(|headers| {
            headers.iter().flat_map(|(name, values)| values.iter().map(move |value| field(name, value))).collect()
        });
        if let Some(headers) = &headers {
            (request.headers, request.header_count) = (headers.as_ptr(), headers.len());
            request.upgrade = luigi_upgrade::LUIGI_UPGRADE_AS_HEADERS_SAY as i32;
        }
        let facts: Option<Vec<luigi_field>> =
            test.facts.facts.as_ref().map(|facts| facts.iter().map(|(name, value)| field(name, value)).collect());
        if let Some(facts) = &facts {
            (request.facts, request.fact_count) = (facts.as_ptr(), facts.len());
        }
        let certificate = test.facts.certificate.as_ref().map(Certificate::new);
        let certificate = certificate.as_ref().map(Certificate::for_c);
        if let Some(certificate) = &certificate {
            request.certificate = certificate;
        }

        let person = match &test.credential {
            TestCredential::Absent => None,
            TestCredential::Invalid => {
                request.authorization = text("Bearer invalid");
                None
            }
            // Whoever it was, the time of the identity is over.
            TestCredential::Expired => {
                let issuer = policy.issuers.iter().next()?.1.trust.url.as_str();
                Some(Identity::assert("corpus", issuer, "test", time).finish())
            }
            TestCredential::Identity(wanted) => Some(person(policy, wanted, time)?),
        };
        let identity = person.as_ref().map(assert_in_c);
        request.identity = identity.unwrap_or_default();

        // SAFETY: all zeros are a decision; the request leads to values of this function.
        let decision = unsafe {
            let mut decision: luigi_decision = zeroed();
            decision.struct_size = size_of::<luigi_decision>();
            let status = luigi_decide(self.context, &raw const request, &raw mut decision);
            assert_eq!(status, luigi_status::LUIGI_STATUS_OK, "{}", test.name);
            decision
        };
        if let Some(identity) = identity {
            assert_eq!(luigi_identity_close(identity), luigi_status::LUIGI_STATUS_OK);
        }
        Some(decision)
    }
}

/// The person of a test; `None` if an embedder cannot describe it.
fn person(policy: &Policy, wanted: &TestIdentity, time: Timestamp) -> Option<Identity> {
    let trust = &policy.issuers[wanted.issuer].trust;
    let groups = wanted.groups.iter().map(|group| {
        group_in_tokens(policy, &group.named(policy)).expect("a test's groups are those of its policy").into()
    });
    let login = wanted.login.map_or_else(Login::default, |id| {
        let required = &policy.logins[id];
        Login {
            auth_time: Some(time),
            acr: required.acr_any.first().map(|acr| acr.as_str().into()),
            amr: required.sufficient_amr(),
        }
    });
    let mut person = Identity::assert("corpus", &trust.url, &wanted.subject, time.plus_seconds(60))
        .groups(Groups::new(groups.collect(), Completeness::Complete))
        .claims(wanted.claims.clone())
        .login(login);
    if let Some(email) = &wanted.email {
        person = person.email(Email { address: email.as_str().into(), verified: Some(true) });
    }
    if let Some(kind) = wanted.kind.as_ref().or(trust.kind.as_ref()) {
        person = person.kind(kind);
    }
    if let Some(via) = &wanted.via {
        let subject = via.subject.as_deref().filter(|_| via.claims.is_empty())?;
        person = person.actor(Actor::new(&policy.issuers[via.issuer].trust.url, subject));
    }
    Some(person.with_token_claims(trust).finish())
}

/// The same person, as C says it.
fn assert_in_c(person: &Identity) -> luigi_identity {
    let texts = |names: &[Box<str>]| names.iter().map(|name| text(name)).collect::<Vec<_>>();
    let claims = serde_json::to_string(person.claims()).expect("claims are JSON");
    let groups = texts(person.groups().names());
    let amr = person.login().amr.as_deref().map(texts);
    // SAFETY: all zeros are a value of the struct; the pointers lead to values of this function.
    unsafe {
        let mut assertion: luigi_assertion = zeroed();
        assertion.struct_size = size_of::<luigi_assertion>();
        assertion.asserted_by = text("corpus");
        (assertion.issuer, assertion.subject) = (text(person.issuer()), text(person.subject()));
        assertion.expires_at = person.expires_at().unix_seconds();
        if let Some(email) = person.email() {
            (assertion.email, assertion.email_verified) = (text(&email.address), luigi_truth::LUIGI_TRUE as i32);
        }
        (assertion.groups, assertion.group_count) = (groups.as_ptr(), groups.len());
        assertion.kind = person.kind().map_or(assertion.kind, text);
        assertion.claims = text(&claims);
        assertion.auth_time = person.login().auth_time.map_or(0, Timestamp::unix_seconds);
        assertion.acr = person.login().acr.as_deref().map_or(assertion.acr, text);
        if let Some(amr) = &amr {
            (assertion.amr, assertion.amr_count) = (amr.as_ptr(), amr.len());
        }
        if let Some(actor) = person.actor() {
            assertion.actor_issuer = text(&actor.issuer);
            assertion.actor_subject = actor.subject.as_deref().map_or(assertion.actor_subject, text);
        }
        let mut identity = luigi_identity::default();
        let opened = luigi_identity_open(&raw const assertion, &raw mut identity, null_mut());
        assert_eq!(opened, luigi_status::LUIGI_STATUS_OK);
        identity
    }
}

/// A certificate of a test.
struct Certificate {
    state: luigi_certificate_state,
    subject_dn: String,
    fingerprint: String,
    der: Vec<u8>,
}

impl Certificate {
    fn new(described: &DescribedCertificate) -> Self {
        let empty = |state| Self { state, subject_dn: String::new(), fingerprint: String::new(), der: Vec::new() };
        match described {
            DescribedCertificate::Absent => empty(luigi_certificate_state::LUIGI_CERTIFICATE_ABSENT),
            DescribedCertificate::Unverified => empty(luigi_certificate_state::LUIGI_CERTIFICATE_UNVERIFIED),
            DescribedCertificate::Verified { subject_dn, fingerprint, names } => Self {
                state: luigi_certificate_state::LUIGI_CERTIFICATE_VERIFIED,
                subject_dn: subject_dn.clone().unwrap_or_default(),
                fingerprint: fingerprint.map_or_else(|| "0".repeat(64), |fingerprint| fingerprint.to_string()),
                der: der(names),
            },
        }
    }

    fn for_c(&self) -> luigi_certificate {
        let known = |value| {
            if self.state == luigi_certificate_state::LUIGI_CERTIFICATE_VERIFIED { value } else { NONE }
        };
        luigi_certificate {
            struct_size: size_of::<luigi_certificate>(),
            state: self.state as i32,
            subject_dn: known(text(&self.subject_dn)),
            fingerprint_sha256: known(text(&self.fingerprint)),
            der: known(luigi_text { data: self.der.as_ptr().cast(), length: self.der.len() }),
        }
    }
}

const NONE: luigi_text = luigi_text { data: std::ptr::null(), length: 0 };

/// A certificate in DER with nothing in it but these names.
fn der(names: &[u8]) -> Vec<u8> {
    let tagged = |tag: u8, content: &[u8]| {
        let mut bytes = vec![tag];
        match u8::try_from(content.len()) {
            Ok(length @ 0..0x80) => bytes.push(length),
            Ok(length) => bytes.extend([0x81, length]),
            Err(_) => {
                let length = u16::try_from(content.len()).expect("a short certificate");
                bytes.push(0x82);
                bytes.extend(length.to_be_bytes());
            }
        }
        bytes.extend_from_slice(content);
        bytes
    };
    if names.is_empty() {
        return tagged(0x30, &tagged(0x30, &[]));
    }
    let value = tagged(0x04, &tagged(0x30, names));
    let extension = tagged(0x30, &[b"\x06\x03\x55\x1d\x11".as_slice(), &value].concat());
    tagged(0x30, &tagged(0x30, &tagged(0xa3, &tagged(0x30, &extension))))
}

//! What the C ABI costs: the same decisions through `libluigi.so`, as C calls it, and through luigi-runtime, as Rust does.
//!
//! The library is opened as any program opens it, so that nothing is inlined. Both ways take turns over the same 1,024 requests, many rounds of each; the
//! fastest round of each way counts, since other load on the machine only ever adds. The Rust side copies out of the answer what stands in a `luigi_decision`,
//! names included. Prints Markdown.

use luigi_bench::{AUDIENCE, Call, ISSUER, NOW, PEOPLE, estate};
use luigi_core::identity::{Completeness, Groups, Identity, Login};
use luigi_ffi::{
    luigi_assertion, luigi_context, luigi_decision, luigi_engine, luigi_engine_options, luigi_error, luigi_identity,
    luigi_key_file, luigi_mode, luigi_request, luigi_status, luigi_text, luigi_upgrade,
};
use luigi_runtime::{Caller, Carried, Context, Engine, Facts, Mode, PolicyFileConfig};
use luigi_tests::tokens::{RsaKey, Signer, jwks};
use std::ffi::{CStr, CString, c_void};
use std::hint::black_box;
use std::mem::{transmute, zeroed};
use std::path::Path;
use std::time::{Duration, Instant};

const ROUNDS: usize = 300;

fn main() {
    // `cargo bench -- --test` wants to see that it runs.
    let rounds = if std::env::args().any(|word| word == "--test") { 2 } else { ROUNDS };
    let library = Library::open();
    let signer = Signer::rs256("k", RsaKey::First);
    println!("| rules | who asks | Rust | C | more |\n|---:|---|---:|---:|---:|");
    let sizes: &[usize] = if rounds == 2 { &[10] } else { &[10, 1_000, 10_000] };
    for &rules in sizes {
        let workload = estate(rules);
        let folder = tempfile::TempDir::new().expect("a temporary folder");
        let (policy, keys) = (folder.path().join("policy.toml"), folder.path().join("keys.json"));
        std::fs::write(&policy, &workload.policy).expect("our own folder");
        std::fs::write(&keys, jwks(&[&signer])).expect("our own folder");
        let tokens: Vec<String> =
            workload.people.iter().enumerate().map(|(n, groups)| token(&signer, n, groups)).collect();
        let rust = Rust::new(&policy, &keys, &workload.people);
        let c = C::new(&library, &policy, &keys, &workload.people);
        for (who, with_tokens) in [("an asserted identity", false), ("a token seen before", true)] {
            let tokens = with_tokens.then_some(&tokens[..]);
            let (rust, c) = measure(rounds, &rust, &c, &workload.calls, tokens);
            println!("| {rules} | {who} | {rust:.1} | {c:.1} | {:.1} |", c - rust);
        }
    }
}

/// Nanoseconds for a decision in Rust and through C.
fn measure(rounds: usize, rust: &Rust, c: &C<'_>, calls: &[Call], tokens: Option<&[String]>) -> (f64, f64) {
    let requests: Vec<luigi_request> = calls.iter().map(|call| c.request(call, tokens)).collect();
    let sources: Vec<String> = calls.iter().map(|call| call.source.to_string()).collect();
    let facts: Vec<(Caller<'_>, Facts<'_>)> =
        calls.iter().zip(&sources).map(|(call, source)| rust.facts(call, source, tokens)).collect();
    let (requests, _texts): (Vec<luigi_request>, Vec<&String>) = requests
        .into_iter()
        .zip(&sources)
        .map(|(request, source)| (luigi_request { source: text(source), ..request }, source))
        .unzip();
    let mut context = rust.engine.context();
    let mut best = [Duration::MAX; 2];
    // Both must come to the same, or there is nothing to compare.
    for ((caller, facts), request) in facts.iter().zip(&requests) {
        let mut decision = c.decision();
        c.decide(request, &mut decision);
        let answer = context.evaluate_for(*caller, facts, NOW);
        assert_eq!(decision.outcome, i32::from(answer.decision().allows()), "{facts:?}");
        assert_eq!(decision.http_status, i32::from(answer.status_code()), "{facts:?}");
    }
    let (mut decision, mut kept) = (c.decision(), Kept::default());
    for _ in 0..rounds {
        let start = Instant::now();
        for (caller, facts) in &facts {
            decide(&mut context, *black_box(caller), black_box(facts), &mut kept);
        }
        best[0] = best[0].min(start.elapsed());
        let start = Instant::now();
        for request in &requests {
            c.decide(black_box(request), &mut decision);
            black_box(&decision);
        }
        best[1] = best[1].min(start.elapsed());
    }
    let each = |time: Duration| time.as_secs_f64() * 1e9 / calls.len() as f64;
    (each(best[0]), each(best[1]))
}

/// What a caller in Rust keeps of an answer.
#[derive(Default)]
struct Kept {
    revision: String,
    rule: String,
    scope: String,
    candidate_rule: String,
}

#[inline(never)]
fn decide(context: &mut Context, caller: Caller<'_>, facts: &Facts<'_>, kept: &mut Kept) {
    let answer = context.evaluate_for(caller, facts, NOW);
    let (evaluation, advice) = (answer.evaluation(), answer.decision().advice.is_some());
    black_box((
        answer.outcome(),
        evaluation.decision.reason,
        evaluation.candidate.reason,
        evaluation.privileged,
        advice,
    ));
    black_box((answer.id(), answer.status_code(), answer.mode(), answer.detail(), answer.path_to_forward().is_some()));
    let keep = |place: &mut String, text: Option<&str>| {
        place.clear();
        place.push_str(text.unwrap_or_default());
    };
    keep(&mut kept.revision, Some(answer.version().revision()));
    keep(&mut kept.rule, answer.rule_name());
    keep(&mut kept.scope, answer.scope_name());
    keep(&mut kept.candidate_rule, answer.candidate_rule_name());
    black_box(kept);
}

/// The Rust side.
struct Rust {
    engine: Engine,
    people: Vec<Identity>,
}

impl Rust {
    fn new(policy: &Path, keys: &Path, people: &[Vec<String>]) -> Self {
        let config = PolicyFileConfig {
            path: policy.to_owned(),
            environment: None,
            jwks: vec![("login".to_owned(), keys.to_owned())],
            mode: Mode::Enforce,
            carried: Carried::Everything,
            spool: None,
        };
        let engine = Engine::open_policy_file(&config).expect("the policy of a workload is sound");
        let people = people.iter().enumerate().map(|(n, groups)| {
            let groups = groups.iter().map(|group| group.as_str().into()).collect();
            let login = Login { auth_time: Some(NOW), acr: None, amr: Some(vec!["mfa".into()]) };
            Identity::assert("benchmark", ISSUER, &format!("person-{n}"), NOW.plus_seconds(3600))
                .groups(Groups::new(groups, Completeness::Complete))
                .login(login)
                .finish()
        });
        let people = people.collect();
        Self { engine, people }
    }

    fn facts<'a>(&'a self, call: &'a Call, source: &'a str, tokens: Option<&'a [String]>) -> (Caller<'a>, Facts<'a>) {
        let mut facts = Facts {
            method: call.method.as_bytes(),
            target: call.target.as_bytes(),
            host: Some(call.host.as_bytes()),
            host_count: 1,
            upgrade_count: Some(0),
            source: Some(source.as_bytes()),
            ..Facts::default()
        };
        match (call.person, tokens) {
            (None, _) => (Caller::InFacts, facts),
            (Some(person), None) => (Caller::Asserted(&self.people[person]), facts),
            (Some(person), Some(tokens)) => {
                facts.authorization = Some(tokens[person].as_bytes());
                facts.authorization_count = 1;
                (Caller::InFacts, facts)
            }
        }
    }
}

fn token(signer: &Signer, person: usize, groups: &[String]) -> String {
    assert!(person < PEOPLE);
    let token = signer.token(&serde_json::json!({
        "iss": ISSUER, "aud": AUDIENCE, "sub": format!("person-{person}"), "groups": groups, "amr": ["mfa"],
        "iat": NOW.unix_seconds(), "auth_time": NOW.unix_seconds(), "exp": NOW.unix_seconds() + 3600,
    }));
    format!("Bearer {token}")
}

type Decide = unsafe extern "C" fn(luigi_context, *const luigi_request, *mut luigi_decision) -> luigi_status;

/// The shared library: the one that `make library` made, if `LUIGI_LIBRARY` names it.
struct Library(*mut c_void);

impl Library {
    fn open() -> Self {
        let path = std::env::var("LUIGI_LIBRARY").unwrap_or_else(|_| {
            let program = std::env::current_exe().expect("a benchmark is a file");
            let beside = program.with_file_name("libluigi_ffi.so");
            eprintln!("`LUIGI_LIBRARY` is not set: the library beside this program is not optimised as a whole");
            beside.to_str().expect("a printable path").to_owned()
        });
        let path = CString::new(path).expect("a path");
        // SAFETY: the library does nothing when it is loaded.
        let handle = unsafe { libc::dlopen(path.as_ptr(), libc::RTLD_NOW) };
        assert!(!handle.is_null(), "{path:?} cannot be loaded");
        Self(handle)
    }

    fn symbol(&self, name: &CStr) -> *mut c_void {
        // SAFETY: the handle is that of an open library.
        let symbol = unsafe { libc::dlsym(self.0, name.as_ptr()) };
        assert!(!symbol.is_null(), "{name:?}");
        symbol
    }
}

/// The C side.
struct C<'l> {
    context: luigi_context,
    people: Vec<luigi_identity>,
    decide: Decide,
    _library: &'l Library,
}

fn text(text: &str) -> luigi_text {
    luigi_text { data: text.as_ptr().cast(), length: text.len() }
}

impl<'l> C<'l> {
    fn new(library: &'l Library, policy: &Path, keys: &Path, people: &[Vec<String>]) -> Self {
        type Open =
            unsafe extern "C" fn(*const luigi_engine_options, *mut luigi_engine, *mut luigi_error) -> luigi_status;
        type OpenContext = unsafe extern "C" fn(luigi_engine, *mut luigi_context) -> luigi_status;
        type Assert =
            unsafe extern "C" fn(*const luigi_assertion, *mut luigi_identity, *mut luigi_error) -> luigi_status;
        // SAFETY: the functions are those of the header, all zeros are a value of each struct, and the pointers lead to values of this function.
        unsafe {
            let open: Open = transmute(library.symbol(c"luigi_engine_open"));
            let open_context: OpenContext = transmute(library.symbol(c"luigi_context_open"));
            let assert_identity: Assert = transmute(library.symbol(c"luigi_identity_open"));
            let decide: Decide = transmute(library.symbol(c"luigi_decide"));
            let path = |path: &Path| text(path.to_str().expect("a printable path").to_owned().leak());
            let keys = luigi_key_file { issuer: text("login"), path: path(keys) };
            let options = luigi_engine_options {
                struct_size: size_of::<luigi_engine_options>(),
                policy: path(policy),
                keys: &raw const keys,
                key_count: 1,
                mode: luigi_mode::LUIGI_MODE_ENFORCE as i32,
                ..zeroed()
            };
            let (mut engine, mut context) = (luigi_engine::default(), luigi_context::default());
            assert_eq!(open(&raw const options, &raw mut engine, std::ptr::null_mut()), luigi_status::LUIGI_STATUS_OK);
            assert_eq!(open_context(engine, &raw mut context), luigi_status::LUIGI_STATUS_OK);
            let amr = text("mfa");
            let people = people.iter().enumerate().map(|(n, groups)| {
                let groups: Vec<luigi_text> = groups.iter().map(|group| text(group)).collect();
                let subject = format!("person-{n}");
                let assertion = luigi_assertion {
                    struct_size: size_of::<luigi_assertion>(),
                    asserted_by: text("benchmark"),
                    issuer: text(ISSUER),
                    subject: text(&subject),
                    expires_at: NOW.unix_seconds() + 3600,
                    groups: groups.as_ptr(),
                    group_count: groups.len(),
                    auth_time: NOW.unix_seconds(),
                    amr: &raw const amr,
                    amr_count: 1,
                    ..zeroed()
                };
                let mut identity = luigi_identity::default();
                let status = assert_identity(&raw const assertion, &raw mut identity, std::ptr::null_mut());
                assert_eq!(status, luigi_status::LUIGI_STATUS_OK);
                identity
            });
            let people = people.collect();
            Self { context, people, decide, _library: library }
        }
    }

    fn request(&self, call: &Call, tokens: Option<&[String]>) -> luigi_request {
        // SAFETY: all zeros are a request.
        let mut request: luigi_request = unsafe { zeroed() };
        request.struct_size = size_of::<luigi_request>();
        (request.method, request.target, request.host) = (text(call.method), text(&call.target), text(&call.host));
        request.upgrade = luigi_upgrade::LUIGI_UPGRADE_NO as i32;
        request.time = NOW.unix_seconds();
        match (call.person, tokens) {
            (None, _) => {}
            (Some(person), None) => request.identity = self.people[person],
            (Some(person), Some(tokens)) => request.authorization = text(&tokens[person]),
        }
        request
    }

    /// One that is used again and again.
    fn decision(&self) -> luigi_decision {
        // SAFETY: all zeros are a decision.
        let mut decision: luigi_decision = unsafe { zeroed() };
        decision.struct_size = size_of::<luigi_decision>();
        decision
    }

    #[inline]
    fn decide(&self, request: &luigi_request, decision: &mut luigi_decision) {
        // SAFETY: request and decision are what they say.
        let status = unsafe { (self.decide)(self.context, request, decision) };
        assert_eq!(status, luigi_status::LUIGI_STATUS_OK);
    }
}

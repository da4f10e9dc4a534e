//! Sequences of calls of the C ABI: engines, contexts and identities that are opened, used, closed and used again, with any bytes, numbers, sizes and handles; on a policy file and on a
//! feed, which is published and spoilt meanwhile.
//!
//! An input is a list of calls, each a byte that says which and what it needs. The claims: a call is answered with a status that there is, and never
//! with a failure of Luigi's own; what is open works, what was closed is told so; a decision is Deny unless the call succeeded; and an engine follows what was published whole, and
//! keeps to it whatever becomes of the feed.

use super::feed::Folder;
use super::input::Input;
use luigi_ffi::luigi_status::{
    LUIGI_STATUS_BUFFER_TOO_SMALL, LUIGI_STATUS_CLOSED, LUIGI_STATUS_INTERNAL, LUIGI_STATUS_INVALID_ARGUMENT,
    LUIGI_STATUS_INVALID_HANDLE, LUIGI_STATUS_INVALID_UTF8, LUIGI_STATUS_NULL, LUIGI_STATUS_OK,
    LUIGI_STATUS_POLICY_ERRORS, LUIGI_STATUS_STRUCT_SIZE, LUIGI_STATUS_TOO_LONG, LUIGI_STATUS_UNUSABLE,
};
use luigi_ffi::*;
use luigi_runtime::{EvaluationId, Mode};
use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::ffi::{CStr, c_char, c_void};
use std::mem::zeroed;
use std::ptr::{null, null_mut};

const POLICY: &str = r#"
schema = 1
issuers.corp = { url = "https://login.example.com", audiences = ["shop"] }
groups.staff = "staff"
facts.country = { values = ["DE", "FR"] }
scopes.open = { hosts = "any", operations = ["GET /open"] }
scopes.staff = { hosts = ["a.test", "*.b.test"], paths = ["/staff/{name}/**"], methods = "any" }
[[rules]]
id = "open"
effect = "allow"
scopes = ["open"]
subject = "anyone"
unless = { headers = { x-team = ["red"] } }
[[rules]]
id = "staff"
effect = "allow"
scopes = ["staff"]
subject = { groups = ["staff"] }
require = { facts = { country = ["DE"] } }
"#;

/// What arguments are refused with.
const REFUSED: [luigi_status; 5] = [
    LUIGI_STATUS_NULL,
    LUIGI_STATUS_STRUCT_SIZE,
    LUIGI_STATUS_INVALID_ARGUMENT,
    LUIGI_STATUS_INVALID_UTF8,
    LUIGI_STATUS_TOO_LONG,
];

const MOMENT: i64 = 1_772_442_000;

thread_local! {
    /// How many records this thread was told of.
    static RECORDS: Cell<u32> = const { Cell::new(0) };
    static CALLED: RefCell<BTreeSet<&'static str>> = const { RefCell::new(BTreeSet::new()) };
}

/// The functions that this thread has called so far.
pub(crate) fn called() -> BTreeSet<&'static str> {
    CALLED.with_borrow(BTreeSet::clone)
}

/// Calls a function of the ABI and notes that it was called: a test wants to see each of them.
macro_rules! call {
    ($function:ident($($argument:expr),* $(,)?)) => {{
        CALLED.with_borrow_mut(|called| called.insert(stringify!($function)));
        $function($($argument),*)
    }};
}

pub(crate) fn run(bytes: &[u8]) {
    let mut world = World {
        input: Input(bytes),
        folder: Folder::new(POLICY),
        feed_is_whole: true,
        engines: Vec::new(),
        contexts: Vec::new(),
        identities: Vec::new(),
    };
    for _ in 0..64 {
        if world.input.0.is_empty() {
            break;
        }
        world.step();
    }
    world.end();
}

/// A handle and whether it is open, as it must be known to the library.
#[derive(Clone, Copy)]
struct Held<H> {
    handle: H,
    open: bool,
    /// The generation of the feed that it is known to have seen; 0 for what follows none.
    generation: u64,
}

impl<H> Held<H> {
    fn new(handle: H) -> Self {
        Self { handle, open: true, generation: 0 }
    }
}

struct World<'i> {
    input: Input<'i>,
    folder: Folder,
    /// Whether the feed is as it was published last.
    feed_is_whole: bool,
    engines: Vec<Held<luigi_engine>>,
    /// With the place of its engine.
    contexts: Vec<(Held<luigi_context>, usize)>,
    identities: Vec<Held<luigi_identity>>,
}

fn text(bytes: &[u8]) -> luigi_text {
    luigi_text { data: bytes.as_ptr().cast(), length: bytes.len() }
}

/// Polls an engine on a feed until nothing is left to do; the generation in force, whether a newer one was refused, and the mode.
fn polled(engine: luigi_engine) -> (u64, i32, i32) {
    // SAFETY: all zeros are a value of the struct; the pointer leads to it.
    unsafe {
        assert_eq!(
            told(call!(luigi_engine_poll(engine, luigi_poll::LUIGI_POLL_ALL as i32, null_mut()))),
            LUIGI_STATUS_OK
        );
        let mut statistics: luigi_statistics = zeroed();
        statistics.struct_size = size_of::<luigi_statistics>();
        assert_eq!(told(call!(luigi_engine_statistics(engine, &raw mut statistics))), LUIGI_STATUS_OK);
        (statistics.generation, statistics.refused_version, statistics.mode)
    }
}

/// Says what a call came to.
fn told(status: luigi_status) -> luigi_status {
    assert!((0..16).contains(&(status as i32)) && status != LUIGI_STATUS_INTERNAL, "{status:?}");
    status
}

/// Is told of a decision, and looks at all of it.
unsafe extern "C" fn record(_: *mut c_void, record: *const luigi_record) {
    // SAFETY: Luigi gives a whole record, and texts with as many bytes as they say.
    unsafe {
        let record = &*record;
        assert_eq!(record.struct_size, size_of::<luigi_record>());
        let decision = &*record.decision;
        assert!(matches!(decision.status, 0) || decision.status == LUIGI_STATUS_BUFFER_TOO_SMALL as i32);
        assert!(!record.method.data.is_null() && !record.target.data.is_null());
        for text in [record.host, record.path, record.source, record.issuer, record.subject, record.asserted_by] {
            assert!(!text.data.is_null() || text.length == 0);
            if !text.data.is_null() {
                assert!(std::str::from_utf8(std::slice::from_raw_parts(text.data.cast(), text.length)).is_ok());
            }
        }
    }
    RECORDS.set(RECORDS.get() + 1);
}

/// Is told a line.
unsafe extern "C" fn log(_: *mut c_void, level: i32, message: luigi_text) {
    // SAFETY: as above.
    let line = unsafe { std::slice::from_raw_parts(message.data.cast(), message.length) };
    assert!((1..=3).contains(&level) && std::str::from_utf8(line).is_ok_and(|line| !line.ends_with('\n')));
}

impl World<'_> {
    fn step(&mut self) {
        match self.input.byte() % 18 {
            0 => self.open_engine(),
            1 => self.close_engine(),
            2 | 3 => self.open_context(),
            4 => self.close_context(),
            5 => self.open_identity(),
            6 => self.close_identity(),
            7 => self.ask_engine(),
            8 => self.forge(),
            12 => self.follow(),
            13 => self.publish(),
            14 => self.spoil(),
            15 => self.record_response(),
            16 => self.check_policy(),
            17 => self.ask_library(),
            _ => self.decide(),
        }
    }

    fn open_engine(&mut self) {
        if self.engines.len() == 4 {
            return;
        }
        let how = self.input.byte();
        let nonsense = self.input.field();
        // SAFETY: all zeros are a value of each struct; the pointers lead to values of this function.
        unsafe {
            let mut options: luigi_engine_options = zeroed();
            options.struct_size = size_of::<luigi_engine_options>();
            options.log = Some(log);
            options.record = Some(record);
            let path = self.folder.policy();
            let path = path.to_str().expect("a printable path");
            options.policy = text(path.as_bytes());
            let sound = how.is_multiple_of(4);
            match how % 4 {
                0 => options.mode = i32::from(how / 4 % 3),
                1 => options.policy = text(nonsense),
                2 => options.environment = text(nonsense),
                _ => options.struct_size = nonsense.len(),
            }
            let mut handle = luigi_engine::default();
            let mut error: luigi_error = zeroed();
            error.struct_size = size_of::<luigi_error>();
            let status = told(call!(luigi_engine_open(&raw const options, &raw mut handle, &raw mut error)));
            assert_eq!(status == LUIGI_STATUS_OK, handle != luigi_engine::default());
            assert!(status == LUIGI_STATUS_OK || !sound, "{status:?}");
            assert_eq!((error.status, error.message.data.is_null()), (status as i32, status == LUIGI_STATUS_OK));
            assert_eq!(call!(luigi_error_free(&raw mut error)), LUIGI_STATUS_OK);
            if status == LUIGI_STATUS_OK {
                self.engines.push(Held::new(handle));
            }
        }
    }

    /// An engine on the feed.
    fn follow(&mut self) {
        if self.engines.len() == 4 {
            return;
        }
        let how = self.input.byte();
        let (feed, key) = (self.folder.feed(), self.folder.public_key());
        // SAFETY: all zeros are a value of the struct; the pointers lead to values of this function.
        unsafe {
            let mut options: luigi_engine_options = zeroed();
            options.struct_size = size_of::<luigi_engine_options>();
            options.log = Some(log);
            options.record = Some(record);
            options.feed = text(feed.as_os_str().as_encoded_bytes());
            let key = if how.is_multiple_of(8) { &feed } else { &key };
            options.public_key = text(key.as_os_str().as_encoded_bytes());
            options.stale_after_seconds = u32::from(how);
            let mut handle = luigi_engine::default();
            let status = told(call!(luigi_engine_open(&raw const options, &raw mut handle, null_mut())));
            let sound = self.feed_is_whole && self.folder.generation > 0 && !how.is_multiple_of(8);
            assert!(status == LUIGI_STATUS_OK || !sound, "{status:?}");
            assert!(matches!(status, LUIGI_STATUS_OK | LUIGI_STATUS_UNUSABLE), "{status:?}");
            if status == LUIGI_STATUS_OK {
                // It is of what was published last, or of what stood there before it was spoilt in a way that nobody sees.
                let generation = self.folder.generation;
                self.engines.push(Held { handle, open: true, generation });
            }
        }
    }

    /// The next version; whoever follows sees it.
    fn publish(&mut self) {
        let how = self.input.byte();
        self.folder.publish(how, if how & 2 == 0 { Mode::Enforce } else { Mode::Observe });
        self.feed_is_whole = true;
        for held in &mut self.engines {
            if held.open && held.generation > 0 {
                held.generation = self.folder.generation;
                assert_eq!(polled(held.handle), (self.folder.generation, 0, if how & 2 == 0 { 2 } else { 1 }));
            }
        }
    }

    /// Somebody changes the feed who may not: what is in force stays.
    fn spoil(&mut self) {
        let which = self.input.byte();
        if self.folder.spoil(which, &mut self.input) {
            self.feed_is_whole = false;
        }
        for held in self.engines.iter().filter(|held| held.open && held.generation > 0) {
            assert_eq!(polled(held.handle).0, held.generation);
        }
    }

    /// Any text as a policy, or any path: what is found agrees with what the call says of it.
    fn check_policy(&mut self) {
        let (how, content, name) = (self.input.byte(), self.input.field(), self.input.field());
        let file = match how % 4 {
            0 => self.folder.policy(),
            1 => self.folder.written(content),
            _ => std::path::PathBuf::new(),
        };
        // SAFETY: all zeros are a value of each struct; the pointers lead to values of this function.
        unsafe {
            let mut options: luigi_check_options = zeroed();
            options.struct_size = size_of::<luigi_check_options>();
            options.policy = if how % 4 < 2 { text(file.as_os_str().as_encoded_bytes()) } else { text(content) };
            options.format = i32::from(how >> 2 & 3);
            if how & 0x10 != 0 {
                options.environment = text(name);
            }
            let mut report: luigi_check_report = zeroed();
            report.struct_size = size_of::<luigi_check_report>();
            let mut error: luigi_error = zeroed();
            error.struct_size = size_of::<luigi_error>();
            match how >> 5 {
                6 => options.struct_size -= 1,
                7 => report.struct_size += 1,
                _ => {}
            }
            let status = told(call!(luigi_policy_check(&raw const options, &raw mut report, &raw mut error)));
            let read = matches!(status, LUIGI_STATUS_OK | LUIGI_STATUS_POLICY_ERRORS);
            assert_eq!(report.text.data.is_null(), !read, "{status:?}");
            assert_eq!(error.message.data.is_null(), status == LUIGI_STATUS_OK, "{status:?}");
            assert_eq!(error.diagnostics.data.is_null(), status != LUIGI_STATUS_POLICY_ERRORS, "{status:?}");
            if how == 0 {
                assert_eq!((status, report.errors), (LUIGI_STATUS_OK, 0));
            } else if read {
                assert_eq!(report.errors == 0, status == LUIGI_STATUS_OK);
            } else {
                assert!(REFUSED.contains(&status) || status == LUIGI_STATUS_UNUSABLE, "{status:?}");
            }
            assert_eq!(call!(luigi_string_free(&raw mut report.text)), LUIGI_STATUS_OK);
            assert_eq!(call!(luigi_error_free(&raw mut error)), LUIGI_STATUS_OK);
        }
    }

    /// What the library says of itself, of numbers and of evaluation ids.
    fn ask_library(&mut self) {
        let mut id = [0; 16];
        id.fill_with(|| self.input.byte());
        let number = i32::from_le_bytes([id[0], id[1], id[2], id[3]]);
        let mut digits = [1 as c_char; LUIGI_EVALUATION_ID_SIZE];
        // SAFETY: the pointers lead to values of this function; names live as long as the library.
        unsafe {
            assert_eq!(told(call!(luigi_evaluation_id_text(id.as_ptr(), digits.as_mut_ptr()))), LUIGI_STATUS_OK);
            let written = CStr::from_ptr(digits.as_ptr()).to_bytes();
            assert_eq!(EvaluationId::parse(written), Some(EvaluationId::from_bytes(id)));
            assert_eq!(told(call!(luigi_evaluation_id_text(null(), digits.as_mut_ptr()))), LUIGI_STATUS_NULL);
            for number in [number, number & 31] {
                for name in [call!(luigi_status_name(number)), call!(luigi_reason_name(number))] {
                    assert!(!CStr::from_ptr(name).is_empty());
                }
            }
            let version = format!("{LUIGI_VERSION_MAJOR}.{LUIGI_VERSION_MINOR}.{LUIGI_VERSION_PATCH}");
            assert_eq!(CStr::from_ptr(call!(luigi_version())).to_str(), Ok(version.as_str()));
        }
        assert_eq!(call!(luigi_abi_version()), LUIGI_ABI_VERSION);
        assert_eq!(call!(luigi_features()), LUIGI_FEATURE_POLICY_FILES | LUIGI_FEATURE_EXPLAIN);
    }

    /// Nothing is recorded here, and the call is answered all the same.
    fn record_response(&mut self) {
        let Some(which) = self.context() else { return };
        let (context, engine) = self.contexts[which];
        let status_code = i32::from(self.input.byte()) * 4;
        let backend = text(self.input.field());
        let id = [self.input.byte(); 16];
        // SAFETY: the pointers lead to values of this function.
        let status = told(unsafe { call!(luigi_record_response(context.handle, id.as_ptr(), status_code, backend)) });
        let expected = if !(100..600).contains(&status_code) {
            LUIGI_STATUS_INVALID_ARGUMENT
        } else if context.open && self.engines[engine].open {
            LUIGI_STATUS_OK
        } else {
            LUIGI_STATUS_CLOSED
        };
        assert_eq!(status, expected);
    }

    /// One of the engines, if there is any.
    fn engine(&mut self) -> Option<usize> {
        let which = usize::from(self.input.byte());
        which.checked_rem(self.engines.len())
    }

    fn close_engine(&mut self) {
        let Some(which) = self.engine() else { return };
        let Held { handle, open, .. } = self.engines[which];
        let status = told(call!(luigi_engine_close(handle)));
        assert_eq!(status, if open { LUIGI_STATUS_OK } else { LUIGI_STATUS_CLOSED });
        self.engines[which].open = false;
    }

    fn open_context(&mut self) {
        let Some(which) = self.engine() else { return };
        if self.contexts.len() == 8 {
            return;
        }
        let mut handle = luigi_context::default();
        // SAFETY: the pointer leads to a value of this function.
        let status = told(unsafe { call!(luigi_context_open(self.engines[which].handle, &raw mut handle)) });
        assert_eq!(status, if self.engines[which].open { LUIGI_STATUS_OK } else { LUIGI_STATUS_CLOSED });
        if status == LUIGI_STATUS_OK {
            self.contexts.push((Held::new(handle), which));
        }
    }

    fn context(&mut self) -> Option<usize> {
        let which = usize::from(self.input.byte());
        which.checked_rem(self.contexts.len())
    }

    fn close_context(&mut self) {
        let Some(which) = self.context() else { return };
        let Held { handle, open, .. } = self.contexts[which].0;
        let expected = if open { LUIGI_STATUS_OK } else { LUIGI_STATUS_CLOSED };
        assert_eq!(told(call!(luigi_context_refresh(handle))), expected);
        assert_eq!(told(call!(luigi_context_close(handle))), expected);
        self.contexts[which].0.open = false;
    }

    fn open_identity(&mut self) {
        if self.identities.len() == 8 {
            return;
        }
        let (how, subject, claims) = (self.input.byte(), self.input.field(), self.input.field());
        let groups = [text(b"staff"), text(self.input.field())];
        // SAFETY: all zeros are a value of the struct; the pointers lead to values of this function.
        unsafe {
            let mut assertion: luigi_assertion = zeroed();
            assertion.struct_size = size_of::<luigi_assertion>();
            (assertion.asserted_by, assertion.issuer) = (text(b"fuzz"), text(b"https://login.example.com"));
            assertion.subject = text(subject);
            assertion.expires_at = MOMENT + i64::from(how % 2);
            assertion.email_verified = i32::from(how >> 1 & 3);
            assertion.groups_cut_off = i32::from(how >> 3 & 1);
            (assertion.groups, assertion.group_count) = (groups.as_ptr(), usize::from(how >> 4 & 3).min(2));
            if how & 0x40 != 0 {
                assertion.claims = text(claims);
            }
            if how & 0x80 != 0 {
                assertion.actor_subject = text(claims);
            }
            let mut handle = luigi_identity::default();
            let status = told(call!(luigi_identity_open(&raw const assertion, &raw mut handle, null_mut())));
            assert_eq!(status == LUIGI_STATUS_OK, handle != luigi_identity::default());
            let expected = [LUIGI_STATUS_OK, LUIGI_STATUS_INVALID_ARGUMENT, LUIGI_STATUS_INVALID_UTF8];
            assert!(expected.contains(&status), "{status:?}");
            if status == LUIGI_STATUS_OK {
                self.identities.push(Held::new(handle));
            }
        }
    }

    fn identity(&mut self) -> Option<usize> {
        let which = usize::from(self.input.byte());
        which.checked_rem(self.identities.len())
    }

    fn close_identity(&mut self) {
        let Some(which) = self.identity() else { return };
        let Held { handle, open, .. } = self.identities[which];
        let expected = if open { LUIGI_STATUS_OK } else { LUIGI_STATUS_CLOSED };
        assert_eq!(told(call!(luigi_identity_close(handle))), expected);
        self.identities[which].open = false;
    }

    /// What an engine says of itself.
    fn ask_engine(&mut self) {
        let Some(which) = self.engine() else { return };
        let Held { handle, open, .. } = self.engines[which];
        let how = self.input.byte();
        let expected = if open { LUIGI_STATUS_OK } else { LUIGI_STATUS_CLOSED };
        // SAFETY: all zeros are a value of each struct; the pointers lead to values of this function.
        unsafe {
            let mut statistics: luigi_statistics = zeroed();
            statistics.struct_size = size_of::<luigi_statistics>();
            assert_eq!(told(call!(luigi_engine_statistics(handle, &raw mut statistics))), expected);
            assert_eq!(statistics.failures, 0);
            let mut string = luigi_string { data: null_mut(), length: 0, id: 0 };
            let status = told(call!(luigi_engine_status(handle, i32::from(how % 4), &raw mut string)));
            assert_eq!(status == LUIGI_STATUS_OK, open && matches!(how % 4, 1 | 2), "{status:?}");
            assert_eq!(string.data.is_null(), status != LUIGI_STATUS_OK);
            assert_eq!(call!(luigi_string_free(&raw mut string)), LUIGI_STATUS_OK);
            let status = told(call!(luigi_engine_poll(handle, i32::from(how % 3), null_mut())));
            assert_eq!(status == LUIGI_STATUS_OK, open && !how.is_multiple_of(3), "{status:?}");
            if how >= 0xf0 {
                assert_eq!(told(call!(luigi_engine_start_polling(handle, null_mut()))), expected);
                assert_eq!(told(call!(luigi_engine_stop_polling(handle))), expected);
            }
        }
    }

    /// Handles and strings that nobody was given.
    fn forge(&mut self) {
        let mut number = [0; 8];
        number.fill_with(|| self.input.byte());
        let bits = u64::from_le_bytes(number);
        let known = |id: u64| {
            self.engines.iter().any(|held| held.handle.id == id)
                || self.contexts.iter().any(|(held, _)| held.handle.id == id)
                || self.identities.iter().any(|held| held.handle.id == id)
        };
        let some = self.contexts.first().map_or(0, |(held, _)| held.handle.id);
        for id in [bits, some ^ bits, some ^ (1 << (bits % 64))] {
            if known(id) {
                continue;
            }
            for status in [
                call!(luigi_context_close(luigi_context { id })),
                call!(luigi_engine_close(luigi_engine { id })),
                call!(luigi_identity_close(luigi_identity { id })),
                call!(luigi_context_refresh(luigi_context { id })),
            ] {
                assert!(matches!(told(status), LUIGI_STATUS_INVALID_HANDLE | LUIGI_STATUS_CLOSED), "{status:?}");
            }
        }
        let data = std::ptr::without_provenance_mut(8 | usize::try_from(bits).unwrap_or(8));
        let mut string = luigi_string { data, length: 1, id: bits };
        // SAFETY: the string is looked up and not followed.
        let status = told(unsafe { call!(luigi_string_free(&raw mut string)) });
        assert!(matches!(status, LUIGI_STATUS_INVALID_HANDLE | LUIGI_STATUS_CLOSED), "{status:?}");
        let name = call!(luigi_status_name(i32::from_le_bytes([number[0], number[1], number[2], number[3]])));
        assert!(!name.is_null());
    }

    fn decide(&mut self) {
        let Some(which) = self.context() else { return };
        let (context, engine) = self.contexts[which];
        let (how, more) = (self.input.byte(), self.input.byte());
        let identity = if how & 1 != 0 { self.identity() } else { None };
        let identity = identity.map(|which| self.identities[which]);
        let methods: [&[u8]; 4] = [b"GET", b"POST", b"", self.input.field()];
        let targets: [&[u8]; 4] = [b"/open", b"/staff/ada/x?y", b"/%73taff/../open", self.input.field()];
        let (host, source, value) = (self.input.field(), self.input.field(), self.input.field());
        let names: [&[u8]; 4] = [b"X-Team", b"host", b"upgrade", b"Authorization"];
        let headers: Vec<luigi_field> = (0..usize::from(more & 3))
            .map(|n| luigi_field { name: text(names[(n + usize::from(more >> 6)) % 4]), value: text(value) })
            .collect();
        let facts = [luigi_field { name: text(b"country"), value: text(if more & 4 != 0 { b"DE" } else { value }) }];
        let certificate = luigi_certificate {
            struct_size: size_of::<luigi_certificate>(),
            state: i32::from(more >> 3 & 7),
            subject_dn: text(value),
            fingerprint_sha256: luigi_text { data: null(), length: 0 },
            der: text(value),
        };
        let mut path = [0 as c_char; 24];
        // SAFETY: all zeros are a value of each struct; the pointers lead to values of this function.
        unsafe {
            let mut request: luigi_request = zeroed();
            request.struct_size = size_of::<luigi_request>();
            request.method = text(methods[usize::from(how >> 1 & 3)]);
            request.target = text(targets[usize::from(how >> 3 & 3)]);
            (request.host, request.source) = (text(host), text(source));
            if how & 0x20 != 0 {
                (request.headers, request.header_count) = (headers.as_ptr(), headers.len());
                (request.facts, request.fact_count) = (facts.as_ptr(), 1);
            }
            if how & 0x40 != 0 {
                request.certificate = &raw const certificate;
                (request.path, request.path_size) = (path.as_mut_ptr(), path.len());
            }
            request.upgrade = i32::from(more >> 5 & 3);
            request.time = MOMENT;
            if let Some(identity) = identity {
                request.identity = identity.handle;
            }
            // Whatever is amiss with the sizes and lengths of C.
            let spoilt = how & 0x80 != 0;
            if spoilt {
                match more % 5 {
                    0 => request.struct_size ^= 1,
                    1 => request.header_count = usize::MAX,
                    2 => request.host.length = usize::MAX,
                    3 => request.method.data = null(),
                    _ => request.path_size = 1 << 40,
                }
                if more % 5 == 4 {
                    request.path = null_mut();
                }
            }

            let mut decisions: [luigi_decision; 2] = zeroed();
            for decision in &mut decisions {
                decision.struct_size = size_of::<luigi_decision>();
                (decision.decision, decision.outcome) = (1, 1);
            }
            let requests = [request, request];
            let before = RECORDS.get();
            let status = if more & 0x80 == 0 {
                told(call!(luigi_decide(context.handle, &raw const request, &raw mut decisions[0])))
            } else {
                told(call!(luigi_decide_many(context.handle, requests.as_ptr(), decisions.as_mut_ptr(), 2)))
            };
            let asked = &decisions[..if more & 0x80 == 0 { 1 } else { 2 }];
            let decided = |one: &&luigi_decision| {
                one.status == LUIGI_STATUS_OK as i32 || one.status == LUIGI_STATUS_BUFFER_TOO_SMALL as i32
            };
            assert_eq!((RECORDS.get() - before) as usize, asked.iter().filter(decided).count(), "{status:?}");
            let [decision, second] = &decisions;
            let open = context.open && self.engines[engine].open && identity.is_none_or(|identity| identity.open);
            if status == LUIGI_STATUS_OK {
                assert!(open && !spoilt, "a call that cannot succeed did");
                assert!(
                    (1..=21).contains(&decision.reason) && decision.status == 0 && decision.path_length < 24 + 1024
                );
                assert!(decision.outcome == 1 || decision.decision == 0 && decision.mode == 2);
                assert_eq!(decision.decision == 1, matches!(decision.reason, 1 | 2));
                assert!(decision.missing_count <= LUIGI_MAX_MISSING);
                if more & 0x80 != 0 {
                    assert_eq!((decision.reason, decision.outcome), (second.reason, second.outcome));
                }
            } else {
                assert_eq!((decision.decision, decision.outcome), (0, 0), "{status:?}");
                let expected = REFUSED.contains(&status) || status == LUIGI_STATUS_BUFFER_TOO_SMALL;
                assert!(expected || status == LUIGI_STATUS_CLOSED && !open, "{status:?}");
            }

            let mut string = luigi_string { data: null_mut(), length: 0, id: 0 };
            let explained =
                told(call!(luigi_explain(context.handle, &raw const request, i32::from(more % 3), &raw mut string)));
            assert_eq!(explained == LUIGI_STATUS_OK, !string.data.is_null());
            assert_eq!(call!(luigi_string_free(&raw mut string)), LUIGI_STATUS_OK);
            let mut reply: luigi_http_reply = zeroed();
            reply.struct_size = size_of::<luigi_http_reply>();
            let accept = text(value);
            let replied = told(call!(luigi_reply(
                context.handle,
                &raw const request,
                &raw const decisions[0],
                accept,
                &raw mut reply
            )));
            assert_eq!(replied == LUIGI_STATUS_OK, (400..600).contains(&reply.status), "{replied:?} {}", reply.status);
            assert_eq!(call!(luigi_http_reply_free(&raw mut reply)), LUIGI_STATUS_OK);
        }
    }

    /// What is open can be closed, once.
    fn end(self) {
        for (held, _) in self.contexts.iter().filter(|(held, _)| held.open) {
            assert_eq!(call!(luigi_context_close(held.handle)), LUIGI_STATUS_OK);
        }
        for held in self.engines.iter().filter(|held| held.open) {
            assert_eq!(call!(luigi_engine_close(held.handle)), LUIGI_STATUS_OK);
        }
        for held in self.identities.iter().filter(|held| held.open) {
            assert_eq!(call!(luigi_identity_close(held.handle)), LUIGI_STATUS_OK);
        }
    }
}

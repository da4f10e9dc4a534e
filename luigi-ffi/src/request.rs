//! From a `luigi_request` to what the runtime takes.

use crate::faults::{Fault, panic_at};
use crate::identity::IDENTITIES;
use crate::numbers::luigi_status::{self, LUIGI_STATUS_INVALID_ARGUMENT, LUIGI_STATUS_NULL};
use crate::numbers::{luigi_certificate_state, luigi_upgrade};
use crate::pointers::{self, Fields};
use crate::types::{luigi_certificate, luigi_identity, luigi_request};
use luigi_core::decide::{FactValue, HeaderLines};
use luigi_core::identity::{ClientCertificate, Fingerprint, SubjectAltNames, VerifiedCertificate};
use luigi_core::policy::model::FactKey;
use luigi_runtime::facts::{Malformed, is_method};
use luigi_runtime::{Caller, FactSource, Facts, Timestamp};

/// A request as it was read.
#[derive(Clone, Copy)]
pub(crate) struct Asked<'a> {
    /// The facts, or why they are malformed.
    pub(crate) facts: Result<&'a Facts<'a>, Malformed>,
    pub(crate) caller: Caller<'a>,
    pub(crate) time: Timestamp,
    pub(crate) method: &'a [u8],
    pub(crate) target: &'a [u8],
}

/// Reads a request and does something with it.
///
/// # Safety
/// The caller's promise about what `request` points to.
#[inline]
pub(crate) unsafe fn with_request<T>(
    request: &luigi_request,
    then: impl FnOnce(Asked<'_>) -> Result<T, luigi_status>,
) -> Result<T, luigi_status> {
    // SAFETY: passed on.
    let (method, target, host, source, authorization) = unsafe {
        (
            pointers::bytes(request.method)?.ok_or(LUIGI_STATUS_NULL)?,
            pointers::bytes(request.target)?.ok_or(LUIGI_STATUS_NULL)?,
            pointers::bytes(request.host)?,
            pointers::bytes(request.source)?,
            pointers::bytes(request.authorization)?,
        )
    };
    // PERF: most programs pass none of this; then nothing of it is looked into.
    let own = if Own::is_nothing(request) {
        Own::NOTHING
    } else {
        // SAFETY: passed on.
        unsafe { Own::read(request) }?
    };
    let mut facts = Facts {
        method,
        target,
        host,
        host_count: u32::from(host.is_some()),
        upgrade_count: None,
        source,
        authorization,
        authorization_count: u32::from(authorization.is_some()),
        source_of_more: Some(&own),
        ..Facts::default()
    };
    if let Some(headers) = own.headers {
        let mut upgrades = 0;
        for (name, value) in headers.iter() {
            // PERF: the length alone tells most names from these three.
            match name.len() {
                4 if name.eq_ignore_ascii_case(b"host") => {
                    facts.host = Some(value);
                    facts.host_count += 1;
                }
                13 if name.eq_ignore_ascii_case(b"authorization") => {
                    facts.authorization = Some(value);
                    facts.authorization_count += 1;
                }
                7 if name.eq_ignore_ascii_case(b"upgrade") => upgrades += 1,
                _ => {}
            }
        }
        facts.upgrade_count = Some(upgrades);
    }
    match request.upgrade {
        how if how == luigi_upgrade::LUIGI_UPGRADE_AS_HEADERS_SAY as i32 => {}
        how if how == luigi_upgrade::LUIGI_UPGRADE_NO as i32 => facts.upgrade_count = Some(0),
        how if how == luigi_upgrade::LUIGI_UPGRADE_YES as i32 => facts.upgrade_count = Some(1),
        _ => return Err(LUIGI_STATUS_INVALID_ARGUMENT),
    }
    let time = match request.time {
        0 => luigi_runtime::now(),
        seconds => Timestamp::from_unix_seconds(seconds),
    };
    let facts = if is_method(method) { Ok(&facts) } else { Err(Malformed::BadMethod) };
    let identity = match request.identity {
        luigi_identity { id: 0 } => None,
        luigi_identity { id } => Some(IDENTITIES.enter(id)?),
    };
    let caller = identity.as_deref().map_or(Caller::InFacts, Caller::Asserted);
    then(Asked { facts, caller, time, method, target })
}

/// What the embedder holds of a request, where it holds it.
#[derive(Debug)]
struct Own<'a> {
    headers: Option<Fields<'a>>,
    facts: Option<Fields<'a>>,
    certificate: ClientCertificate<'a>,
    frontend: Option<&'a [u8]>,
}

impl Own<'_> {
    const NOTHING: Self =
        Self { headers: None, facts: None, certificate: ClientCertificate::NotPassed, frontend: None };

    #[inline]
    fn is_nothing(request: &luigi_request) -> bool {
        let pointers = request.headers.addr() | request.facts.addr() | request.certificate.addr();
        let lengths = request.header_count | request.fact_count | request.frontend.length;
        pointers | lengths | request.frontend.data.addr() == 0
    }

    /// # Safety
    /// The caller's promise about what `request` points to.
    unsafe fn read(request: &luigi_request) -> Result<Self, luigi_status> {
        // SAFETY: passed on.
        unsafe {
            Ok(Self {
                headers: Fields::new(request.headers, request.header_count)?,
                facts: Fields::new(request.facts, request.fact_count)?,
                certificate: match pointers::optional_input(request.certificate)? {
                    None => ClientCertificate::NotPassed,
                    Some(certificate) => self::certificate(certificate)?,
                },
                frontend: pointers::bytes(request.frontend)?,
            })
        }
    }
}

/// # Safety
/// The caller's promise about the texts in it.
unsafe fn certificate<'a>(certificate: &luigi_certificate) -> Result<ClientCertificate<'a>, luigi_status> {
    // SAFETY: passed on.
    let (subject_dn, fingerprint, der) = unsafe {
        (
            pointers::text(certificate.subject_dn)?,
            pointers::bytes(certificate.fingerprint_sha256)?,
            pointers::bytes(certificate.der)?,
        )
    };
    match certificate.state {
        state if state == luigi_certificate_state::LUIGI_CERTIFICATE_ABSENT as i32 => Ok(ClientCertificate::Absent),
        state if state == luigi_certificate_state::LUIGI_CERTIFICATE_UNVERIFIED as i32 => {
            Ok(ClientCertificate::Unverified)
        }
        state if state == luigi_certificate_state::LUIGI_CERTIFICATE_VERIFIED as i32 => {
            let fingerprint_sha256 =
                fingerprint.map(|text| Fingerprint::parse(text).ok_or(LUIGI_STATUS_INVALID_ARGUMENT)).transpose()?;
            Ok(ClientCertificate::Verified(VerifiedCertificate {
                subject_dn,
                fingerprint_sha256,
                // What cannot be read makes the names unknown.
                names: der.and_then(SubjectAltNames::of_certificate),
            }))
        }
        _ => Err(LUIGI_STATUS_INVALID_ARGUMENT),
    }
}

impl FactSource for Own<'_> {
    fn value(&self, key: FactKey<'_>) -> FactValue<'_> {
        panic_at(Fault::Evaluation);
        let (fields, wanted) = match key {
            FactKey::Header(name) => (self.headers, name),
            FactKey::Named(name) => (self.facts, name),
            FactKey::Frontend => return self.frontend.map_or(FactValue::NotPassed, FactValue::One),
            FactKey::Certificate
            | FactKey::CertificateFingerprint
            | FactKey::CertificateNames
            | FactKey::CertificateSubject => return FactValue::NotPassed,
        };
        let Some(fields) = fields else { return FactValue::NotPassed };
        // Names of facts are in lower case in every policy, so that this is no more than they need.
        let mut values =
            fields.iter().filter(|(name, _)| name.eq_ignore_ascii_case(wanted.as_bytes())).map(|(_, value)| value);
        match values.next() {
            None => FactValue::Absent,
            Some(first) if values.all(|other| other == first) => FactValue::One(first),
            Some(_) => FactValue::Several,
        }
    }

    fn header_lines(&self, wanted: &str) -> Option<HeaderLines<'_>> {
        let mut lines = HeaderLines { count: 0, last: b"", before: b"" };
        for (_, value) in self.headers?.iter().filter(|(name, _)| name.eq_ignore_ascii_case(wanted.as_bytes())) {
            lines = HeaderLines { count: lines.count.saturating_add(1), last: value, before: lines.last };
        }
        Some(lines)
    }

    fn certificate(&self) -> ClientCertificate<'_> {
        self.certificate
    }
}

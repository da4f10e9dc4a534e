//! Tokens that were verified before, so that a signature costs once.
//!
//! One cache belongs to one thread. A token seen again is found by a seeded hash, compared in full, and judged by the time of the request and by
//! the trust of the moment; that path takes no lock and allocates nothing. Three things bound what strangers can make it do: tokens
//! that are not genuine never enter the table of those that are, the work on signatures per second is limited, and both tables have
//! fixed sizes.
//!
//! It deliberately knows nothing of rules: a new policy that trusts the same issuers and keys changes nothing here.

use super::claims::Validity;
use super::trust::{Basis, Trust, TrustId};
use super::verify::{CredentialError, Genuine};
use super::{Credential, Identity, InvalidCredential, MAX_TOKEN_BYTES};
use crate::time::Timestamp;
use ring::digest;
use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;

/// How many places share a hash; a full group gives up its least recently used token.
const WAYS: usize = 8;

/// How many refusals are remembered.
const REFUSALS: usize = 256;

/// How much of a token's end is hashed. It lies in the signature, which nobody without the key can choose; the whole token is compared.
const HASHED_BYTES: usize = 48;

/// The bounds of a [`TokenCache`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TokenCacheLimits {
    /// How many verified tokens are kept; rounded up to a power of two of at least 8.
    pub entries: usize,
    /// How many bytes they may take, roughly; at least enough for one token of the greatest length.
    pub bytes: usize,
    /// How many signatures are verified in one second; at least 1. A token seen before needs none.
    pub verifications_per_second: u32,
}

impl Default for TokenCacheLimits {
    /// 1,024 tokens in at most 8 MiB, and 2,000 verifications a second: about a tenth of one processor for RS256, and enough to
    /// take in all callers within seconds after a restart.
    fn default() -> Self {
        Self { entries: 1024, bytes: 8 * 1024 * 1024, verifications_per_second: 2000 }
    }
}

/// What happened so far; for status displays.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TokenCacheCounts {
    /// Tokens that were found.
    pub hits: u64,
    /// Signatures that were verified, whatever the result.
    pub verifications: u64,
    /// Tokens that had been refused before and were not verified again.
    pub refused_again: u64,
    /// Tokens that were not verified because the limit for the second was reached.
    pub deferred: u64,
    /// Tokens that made room for others.
    pub evictions: u64,
}

/// Verified tokens of one thread.
pub struct TokenCache {
    /// Seeded once per cache, so that nobody can choose tokens that share a group.
    seed: RandomState,
    /// `hashes[i]` belongs to `entries[i]`; apart, so that a group of hashes is one cache line.
    hashes: Vec<u64>,
    entries: Vec<Option<Box<Entry>>>,
    bytes: usize,
    limits: TokenCacheLimits,
    /// Where room is made next when the bytes run out.
    hand: usize,
    /// Counts uses; orders them.
    clock: u64,
    refusals: Vec<Option<Refusal>>,
    /// The trust that was last seen; holding it keeps its address from being used again.
    trust: Option<Arc<TrustId>>,
    /// Grows with each change of trust.
    epoch: u64,
    budget: Budget,
    counts: TokenCacheCounts,
}

#[derive(Debug)]
struct Entry {
    token: Box<[u8]>,
    identity: Identity,
    validity: Validity,
    basis: Basis,
    /// The epoch in which the basis was last seen to stand.
    epoch: u64,
    last_used: u64,
    cost: usize,
}

/// A token that cost a signature and made no identity. It holds for the trust of the moment and for a span of time.
#[derive(Clone, Copy, Debug)]
struct Refusal {
    /// Of its end, as of tokens that are held.
    hash: u64,
    /// SHA-256 of the token.
    digest: [u8; 32],
    error: CredentialError,
    from: Timestamp,
    until: Timestamp,
}

/// How many signatures may still be verified in this second.
#[derive(Debug)]
struct Budget {
    second: Timestamp,
    left: u32,
}

impl TokenCache {
    /// An empty cache.
    ///
    /// # Allocation
    /// The two tables; later one entry for each new token.
    #[must_use]
    pub fn new(limits: TokenCacheLimits) -> Self {
        let limits = TokenCacheLimits {
            entries: limits.entries.max(WAYS).next_power_of_two(),
            bytes: limits.bytes.max(cost(MAX_TOKEN_BYTES)),
            verifications_per_second: limits.verifications_per_second.max(1),
        };
        Self {
            seed: RandomState::new(),
            hashes: vec![0; limits.entries],
            entries: (0..limits.entries).map(|_| None).collect(),
            bytes: 0,
            limits,
            hand: 0,
            clock: 0,
            refusals: vec![None; REFUSALS],
            trust: None,
            epoch: 0,
            budget: Budget { second: Timestamp::from_unix_seconds(i64::MIN), left: limits.verifications_per_second },
            counts: TokenCacheCounts::default(),
        }
    }

    /// What `token` is worth at `now` under `trust`: never [`Credential::Absent`] or [`Credential::Ambiguous`].
    ///
    /// # Allocation
    /// None for a token that is held and still rests on `trust`.
    pub fn verify(&mut self, token: &[u8], trust: &Trust, now: Timestamp) -> Credential<'_> {
        if token.len() > MAX_TOKEN_BYTES {
            return Credential::Invalid(InvalidCredential::TooLong);
        }
        self.note_trust(trust);
        let hash = self.hash(token);
        let at = match self.find(hash, token, trust) {
            Some(at) => {
                self.counts.hits += 1;
                at
            }
            None => match self.verify_new(hash, token, trust, now) {
                Ok(Some(genuine)) => self.insert(hash, token, genuine, now),
                Ok(None) => return Credential::Deferred,
                Err(error) => return error.into(),
            },
        };
        self.clock += 1;
        let clock = self.clock;
        match &mut self.entries[at] {
            Some(entry) => {
                entry.last_used = clock;
                match entry.validity.check(now) {
                    Ok(()) => Credential::Verified(&entry.identity),
                    Err(error) => error.into(),
                }
            }
            // Not reachable; a credential that is not to be believed is the safe answer.
            None => Credential::Invalid(InvalidCredential::KeysUnavailable),
        }
    }

    /// How many tokens are held, valid or not.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.iter().flatten().count()
    }

    /// Whether no token is held.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What happened so far.
    #[must_use]
    pub fn counts(&self) -> TokenCacheCounts {
        self.counts
    }

    fn note_trust(&mut self, trust: &Trust) {
        if self.trust.as_ref().is_none_or(|seen| !Arc::ptr_eq(seen, trust.id())) {
            self.trust = Some(Arc::clone(trust.id()));
            self.epoch += 1;
            // A refusal may come of a key or audience that is no longer what it was.
            self.refusals.fill(None);
        }
    }

    fn hash(&self, token: &[u8]) -> u64 {
        self.seed.hash_one(&token[token.len().saturating_sub(HASHED_BYTES)..])
    }

    fn group(&self, hash: u64) -> std::ops::Range<usize> {
        #[allow(clippy::cast_possible_truncation, reason = "any bits of the hash will do")]
        let start = (hash as usize).wrapping_mul(WAYS) & (self.limits.entries - 1);
        start..start + WAYS
    }

    /// The place of a token that still rests on `trust`; one that does not is dropped.
    fn find(&mut self, hash: u64, token: &[u8], trust: &Trust) -> Option<usize> {
        let group = self.group(hash);
        let at = group.into_iter().find(|at| {
            self.hashes[*at] == hash && self.entries[*at].as_ref().is_some_and(|entry| *entry.token == *token)
        })?;
        let entry = self.entries[at].as_mut()?;
        if entry.epoch != self.epoch {
            if !trust.upholds(&entry.basis) {
                self.remove(at);
                return None;
            }
            entry.epoch = self.epoch;
        }
        Some(at)
    }

    /// Verifies a token that is not held; `None` if there is no more time for signatures in this second.
    fn verify_new(
        &mut self,
        hash: u64,
        token: &[u8],
        trust: &Trust,
        now: Timestamp,
    ) -> Result<Option<Genuine>, CredentialError> {
        // Whatever fails here fails cheaply, and costs nothing of the budget.
        let examined = trust.examine(token)?;
        #[allow(clippy::cast_possible_truncation, reason = "any bits of the hash will do")]
        let place = hash as usize % REFUSALS;
        // PERF: of tokens that nobody sent before, nothing is digested unless there is time for their signatures.
        let known = self.refusals[place].filter(|refusal| refusal.hash == hash && refusal.digest == sha256(token));
        if let Some(refusal) = known.filter(|refusal| refusal.from <= now && now < refusal.until) {
            self.counts.refused_again += 1;
            return Err(refusal.error);
        }
        if !self.budget.spend(now, self.limits.verifications_per_second) {
            self.counts.deferred += 1;
            return Ok(None);
        }
        self.counts.verifications += 1;
        let digest = sha256(token);
        let (from, until) = (Timestamp::from_unix_seconds(i64::MIN), Timestamp::from_unix_seconds(i64::MAX));
        let refusal = match examined.verify() {
            Err(reason) => Refusal { hash, digest, error: reason.into(), from, until },
            Ok(genuine) => match genuine.validity.check(now) {
                Ok(()) => return Ok(Some(genuine)),
                Err(error @ CredentialError::Expired) => {
                    Refusal { hash, digest, error, from: genuine.validity.until, until }
                }
                Err(error @ CredentialError::Invalid(_)) => {
                    Refusal { hash, digest, error, from, until: genuine.validity.from }
                }
            },
        };
        self.refusals[place] = Some(refusal);
        Err(refusal.error)
    }

    fn insert(&mut self, hash: u64, token: &[u8], genuine: Genuine, now: Timestamp) -> usize {
        let cost = cost(token.len());
        while self.bytes + cost > self.limits.bytes {
            self.hand = (self.hand + WAYS) & (self.limits.entries - 1);
            if let Some(at) = self.least_wanted(self.hand..self.hand + WAYS, now) {
                self.counts.evictions += 1;
                self.remove(at);
            }
        }
        let group = self.group(hash);
        let free = group.clone().find(|at| self.entries[*at].is_none());
        let at = match free.or_else(|| self.least_wanted(group.clone(), now)) {
            Some(at) => at,
            None => group.start,
        };
        if self.entries[at].is_some() {
            self.counts.evictions += 1;
            self.remove(at);
        }
        let Genuine { identity, validity, basis } = genuine;
        let (epoch, last_used) = (self.epoch, self.clock);
        self.hashes[at] = hash;
        self.entries[at] =
            Some(Box::new(Entry { token: token.into(), identity, validity, basis, epoch, last_used, cost }));
        self.bytes += cost;
        at
    }

    /// Of a group, a token that has expired, else the one that was not used for longest.
    fn least_wanted(&self, group: std::ops::Range<usize>, now: Timestamp) -> Option<usize> {
        group
            .filter_map(|at| self.entries[at].as_ref().map(|entry| (at, entry)))
            .min_by_key(|(_, entry)| (now < entry.validity.until, entry.last_used))
            .map(|(at, _)| at)
    }

    fn remove(&mut self, at: usize) {
        if let Some(entry) = self.entries[at].take() {
            self.bytes -= entry.cost;
            self.hashes[at] = 0;
        }
    }
}

/// Without the tokens: they are secrets of their holders.
impl fmt::Debug for TokenCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenCache")
            .field("tokens", &self.len())
            .field("bytes", &self.bytes)
            .field("limits", &self.limits)
            .field("counts", &self.counts)
            .finish_non_exhaustive()
    }
}

impl Budget {
    /// Whether one more signature may be verified at `now`. A clock that steps back begins a new second like any other.
    fn spend(&mut self, now: Timestamp, per_second: u32) -> bool {
        if now != self.second {
            *self = Self { second: now, left: per_second };
        }
        let spent = self.left.checked_sub(1);
        self.left = spent.unwrap_or(0);
        spent.is_some()
    }
}

impl From<CredentialError> for Credential<'_> {
    fn from(error: CredentialError) -> Self {
        match error {
            CredentialError::Expired => Self::Expired,
            CredentialError::Invalid(reason) => Self::Invalid(reason),
        }
    }
}

/// What a token of this length takes, roughly: itself, its claims as a tree, and the parts of the identity.
const fn cost(token_bytes: usize) -> usize {
    1024 + 6 * token_bytes
}

fn sha256(bytes: &[u8]) -> [u8; 32] {
    let mut hash = [0; 32];
    hash.copy_from_slice(digest::digest(&digest::SHA256, bytes).as_ref());
    hash
}

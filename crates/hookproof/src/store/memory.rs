//! The store of one process.

use std::sync::atomic::{AtomicU8, AtomicU32, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::{ClaimAnswer, Store, StoreError, Token};
use crate::{Command, Event};
use shard::{Bounds, Claimed, Shard};

mod finished;
mod index;
mod shard;

/// Claims in the memory of one process: for one process, for tests, and lost when the process ends.
///
/// It is bounded. When a claim finds it full, what has ended leaves first, then the completed keys that are older than
/// the minimum, oldest first; [`MemoryStore::evictions`] counts those, and an adapter warns when it rises. If there
/// is nothing that may leave, the claim fails with [`StoreError::Full`] and the delivery is refused with 503. A key
/// in flight never leaves.
///
/// The bound is divided evenly among locks, each for about 8,192 keys; keys spread by their hash, so the first one is
/// full when the whole is a few percent short of its bound, and "oldest" is the oldest under the same lock. A store of
/// at most 8,192 keys is exact. No step takes longer than reading the keys under one lock.
///
/// A completed key takes about 75 bytes; 1,000,000 keys are one event every 0.3 s for three days, or ten a second for
/// a day.
///
/// The steps take `now_ms`, since the core reads no clock: milliseconds of a clock that does not jump, starting at
/// Unix time, so that fences rise over a restart. [`MemoryStore::with_clock`] makes a [`Store`] of it.
///
/// ```
/// use hookproof::store::{ClaimAnswer, MemoryStore, Token};
///
/// let store = MemoryStore::new(100_000);
/// let (key, now) = ([7; 32], 1_700_000_000_000);
/// let first = store.claim(&key, &Token([1; 16]), &[0; 32], 10_000, now)?;
/// let second = store.claim(&key, &Token([2; 16]), &[0; 32], 10_000, now + 10_000)?;
/// let (ClaimAnswer::Claimed { fence: first }, ClaimAnswer::Claimed { fence: second }) = (first, second) else {
///     unreachable!("the lease had ended, so the second claim took over");
/// };
/// assert!(first < second);
/// assert!(!store.complete(&key, &Token([1; 16]), 60_000, now + 10_001), "the first one lost its lease");
/// # Ok::<(), hookproof::store::StoreError>(())
/// ```
#[derive(Debug)]
pub struct MemoryStore {
    shards: Box<[Padded]>,
    capacity: usize,
    minimum_ms: AtomicU64,
    evictions: AtomicU64,
    /// The process that used it first; 0 before that.
    process: AtomicU32,
    said: AtomicU8,
}

/// What [`MemoryStore::warning`] has said.
const SAID_EVICTED: u8 = 1;
const SAID_FORKED: u8 = 2;

/// A lock on its own cache lines, so that two threads do not wait for each other's line.
#[repr(align(128))]
struct Padded {
    shard: Mutex<Shard>,
    /// Its share of the capacity.
    capacity: usize,
}

impl core::fmt::Debug for Padded {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Shard")
    }
}

/// No receiver has said its minimum.
const UNSAID: u64 = u64::MAX;
const KEYS_PER_SHARD: usize = 8_192;
const MOST_SHARDS: usize = 65_536;

impl MemoryStore {
    /// How many keys a store holds if the user does not say.
    pub const DEFAULT_CAPACITY: usize = 1_000_000;

    /// How long a completed key stays at least if nobody says, in milliseconds: 24 hours, the hard minimum of a
    /// scheme without a timestamp.
    pub const DEFAULT_MINIMUM_MS: u64 = 24 * 60 * 60 * 1000;

    /// An empty store for at most `capacity` keys (at least 1), in flight and completed together.
    #[must_use]
    pub fn new(capacity: usize) -> Self {
        let capacity = capacity.clamp(1, MOST_SHARDS * finished::Finished::MOST);
        let shards = capacity.div_ceil(KEYS_PER_SHARD).next_power_of_two().min(MOST_SHARDS);
        Self {
            shards: (0..shards)
                .map(|n| Padded {
                    shard: Mutex::default(),
                    capacity: capacity / shards + usize::from(n < capacity % shards),
                })
                .collect(),
            capacity,
            minimum_ms: AtomicU64::new(UNSAID),
            evictions: AtomicU64::new(0),
            process: AtomicU32::new(0),
            said: AtomicU8::new(0),
        }
    }

    /// Sets how long a completed key stays at least, in milliseconds, even if the store is full.
    #[must_use]
    pub fn with_minimum(self, minimum_ms: u64) -> Self {
        self.minimum_ms.store(minimum_ms, Ordering::Relaxed);
        self
    }

    /// Takes note of a receiver's hard minimum, in milliseconds: the highest of those on this store counts, and
    /// [`MemoryStore::DEFAULT_MINIMUM_MS`] as long as nobody has said one.
    pub fn remember_at_least(&self, minimum_ms: u64) {
        let raised = |said: u64| if said == UNSAID { minimum_ms } else { said.max(minimum_ms) };
        // The closure always answers, so there is no error to look at.
        let _ = self.minimum_ms.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |said| Some(raised(said)));
    }

    /// This store as a [`Store`], on a clock that answers milliseconds.
    pub fn with_clock<C: Fn() -> u64 + Send + Sync>(self, clock: C) -> Clocked<C> {
        Clocked { store: self, clock }
    }

    /// [`Store::claim`] at `now_ms`.
    ///
    /// # Errors
    /// [`StoreError::Full`] if the key is new, the store is full and nothing in it may leave.
    pub fn claim(
        &self,
        key: &[u8; 32],
        token: &Token,
        body_hash: &[u8; 32],
        lease_ms: u64,
        now_ms: u64,
    ) -> Result<ClaimAnswer, StoreError> {
        let minimum_ms = match self.minimum_ms.load(Ordering::Relaxed) {
            UNSAID => Self::DEFAULT_MINIMUM_MS,
            said => said,
        };
        let (mut shard, capacity) = self.shard(key).ok_or(StoreError::Full)?;
        match shard.claim(key, token, body_hash, lease_ms, now_ms, Bounds { capacity, minimum_ms }) {
            Claimed::Answer(answer) => Ok(answer),
            Claimed::Evicted(answer) => {
                self.evictions.fetch_add(1, Ordering::Relaxed);
                Ok(answer)
            }
            Claimed::Full => Err(StoreError::Full),
        }
    }

    /// [`Store::complete`] at `now_ms`.
    #[must_use]
    pub fn complete(&self, key: &[u8; 32], token: &Token, retention_ms: u64, now_ms: u64) -> bool {
        self.shard(key).is_some_and(|(mut shard, _)| shard.complete(key, token, retention_ms, now_ms))
    }

    /// [`Store::release`].
    #[must_use]
    pub fn release(&self, key: &[u8; 32], token: &Token) -> bool {
        self.shard(key).is_some_and(|(mut shard, _)| shard.release(key, token))
    }

    /// [`Store::extend`] at `now_ms`.
    #[must_use]
    pub fn extend(&self, key: &[u8; 32], token: &Token, lease_ms: u64, now_ms: u64) -> bool {
        self.shard(key).is_some_and(|(mut shard, _)| shard.extend(key, token, lease_ms, now_ms))
    }

    /// [`Store::forget`] at `now_ms`.
    #[must_use]
    pub fn forget(&self, key: &[u8; 32], now_ms: u64) -> bool {
        self.shard(key).is_some_and(|(mut shard, _)| shard.forget(key, now_ms))
    }

    /// Does what a command of a [`Reception`](crate::Reception) asks of a store, and says what came of it.
    ///
    /// `None` where the command is the adapter's own: it asks for something else, or to wait first. It is so, too, where
    /// the store is full: an adapter that makes this claim by itself hears why.
    ///
    /// ```
    /// use hookproof::{Command, Message, Receiver, Request, Scheme, Secret, Signer, Verifier};
    /// use hookproof::store::{MemoryStore, Token};
    /// let (scheme, secret) = (Scheme::named("standard-webhooks")?, "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
    /// let message = Message::new("{}", 1_700_000_000).id("msg_1");
    /// let signed = Signer::new(scheme.clone(), Secret::new(secret)?)?.sign(&message)?;
    /// let receiver = Receiver::new(Verifier::new(scheme, Secret::new(secret)?)?, true)?;
    /// let delivery = receiver.verifier().verify(&Request::new(&signed.headers, "{}"), 1_700_000_000)?;
    ///
    /// let (store, now_ms) = (MemoryStore::default(), 1_700_000_000_000);
    /// let (mut reception, mut command) = receiver.begin(&delivery, "crm", Token([7; 16]), now_ms);
    /// while let Some(event) = store.carry_out(&command, now_ms) {
    ///     command = reception.step(event);
    /// }
    /// assert!(matches!(command, Command::Run { .. }), "the claim is made: the handler is the adapter's");
    /// # Ok::<(), hookproof::Error>(())
    /// ```
    #[must_use]
    pub fn carry_out(&self, command: &Command, now_ms: u64) -> Option<Event> {
        let held = match command {
            Command::Claim(it) => {
                let answer = self.claim(&it.key, &it.token, &it.body_hash, it.lease_ms, now_ms);
                return answer.ok().map(Event::Claimed);
            }
            Command::Complete { claim: it, delay_ms: 0 } => self.complete(&it.key, &it.token, it.retention_ms, now_ms),
            Command::Release(it) => self.release(&it.key, &it.token),
            _ => return None,
        };
        Some(Event::Settled { held })
    }

    /// How many keys are held, in flight and completed, the ended ones among them that nothing has met yet.
    #[must_use]
    pub fn len(&self) -> usize {
        self.shards.iter().map(|shard| lock(shard).len()).sum()
    }

    /// Whether no key is held.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many keys the store holds at most.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.capacity
    }

    /// How many completed keys had to leave before their retention ended, because the store was full. Above zero,
    /// a late copy of such a delivery runs again: give the store more room, or a shared one.
    #[must_use]
    pub fn evictions(&self) -> u64 {
        self.evictions.load(Ordering::Relaxed)
    }

    /// What the user should be told now; each thing once. `process` is the number of the process that asks.
    ///
    /// ```
    /// let store = hookproof::store::MemoryStore::new(10);
    /// assert_eq!(store.warning(100), None);
    /// assert!(store.warning(101).is_some_and(|warning| warning.contains("second process")), "after a fork");
    /// assert_eq!(store.warning(101), None);
    /// ```
    pub fn warning(&self, process: u32) -> Option<&'static str> {
        let first = self.process.compare_exchange(0, process, Ordering::Relaxed, Ordering::Relaxed);
        if first.is_err_and(|first| first != process) && self.says(SAID_FORKED) {
            return Some(
                "this memory store is used in a second process: each has a memory of its own, so a delivery may run once in each; use a shared store",
            );
        }
        if self.evictions() > 0 && self.says(SAID_EVICTED) {
            return Some(
                "the memory store was full and forgot completed deliveries before their time: late copies of them run again; give it more room, or use a shared store",
            );
        }
        None
    }

    /// Whether this was not said before.
    fn says(&self, what: u8) -> bool {
        self.said.load(Ordering::Relaxed) & what == 0 && self.said.fetch_or(what, Ordering::Relaxed) & what == 0
    }

    /// The shard of a key, and its share of the capacity.
    fn shard(&self, key: &[u8; 32]) -> Option<(MutexGuard<'_, Shard>, usize)> {
        let [a, b, ..] = *key;
        let padded = self.shards.get(usize::from(u16::from_le_bytes([a, b])) & (self.shards.len() - 1))?;
        Some((lock(padded), padded.capacity))
    }
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self::new(Self::DEFAULT_CAPACITY)
    }
}

// No step leaves a shard half changed, so a panic elsewhere on the same thread takes nothing away.
fn lock(shard: &Padded) -> MutexGuard<'_, Shard> {
    shard.shard.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A [`MemoryStore`] together with the clock that it reads.
#[derive(Debug)]
pub struct Clocked<C> {
    store: MemoryStore,
    clock: C,
}

impl<C> Clocked<C> {
    /// The store behind the clock, for [`MemoryStore::evictions`] and the like.
    #[must_use]
    pub fn store(&self) -> &MemoryStore {
        &self.store
    }
}

impl<C: Fn() -> u64 + Send + Sync> Store for Clocked<C> {
    fn remember_at_least(&self, minimum_ms: u64) {
        self.store.remember_at_least(minimum_ms);
    }

    fn claim(
        &self,
        key: &[u8; 32],
        token: &Token,
        body_hash: &[u8; 32],
        lease_ms: u64,
    ) -> Result<ClaimAnswer, StoreError> {
        self.store.claim(key, token, body_hash, lease_ms, (self.clock)())
    }

    fn complete(&self, key: &[u8; 32], token: &Token, retention_ms: u64) -> Result<bool, StoreError> {
        Ok(self.store.complete(key, token, retention_ms, (self.clock)()))
    }

    fn release(&self, key: &[u8; 32], token: &Token) -> Result<bool, StoreError> {
        Ok(self.store.release(key, token))
    }

    fn extend(&self, key: &[u8; 32], token: &Token, lease_ms: u64) -> Result<bool, StoreError> {
        Ok(self.store.extend(key, token, lease_ms, (self.clock)()))
    }

    fn forget(&self, key: &[u8; 32]) -> Result<bool, StoreError> {
        Ok(self.store.forget(key, (self.clock)()))
    }
}

#[cfg(test)]
mod tests;

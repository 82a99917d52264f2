//! Deduplication: the four atomic steps of a claim, and the texts that shared stores run.
//!
//! A claim goes `claim -> handler -> complete | release`. Each step is one atomic operation of the store, and every
//! step after the first compares the token, so that a worker whose lease was taken over can change nothing.
//!
//! ```text
//! absent ── claim ──▶ in flight (token, fence, lease) ── complete ──▶ done (body hash, until retention ends)
//!    ▲                      │        ▲      │
//!    └────── release ───────┘        └──────┘ extend; claim by another token once the lease has ended: fence rises
//! ```
//!
//! Four rules hold in every store of every language, and one contract suite checks them:
//!
//! 1. A claim that repeats the token of the claim in flight is the same claim: it gets the same fence and a new lease.
//!    A client that sends a command again after a broken connection therefore does not lock itself out.
//! 2. `complete`, `release` and `extend` answer `true` while the token is the newest one, also when the lease has
//!    ended but nobody has taken over: what no one else has begun, the late worker may still finish.
//! 3. The fence of a key only rises: over takeovers, over releases and over [`Store::forget`]. It starts at the
//!    store's clock in milliseconds, so that it rises over a restart of a store that forgets, too.
//! 4. The clock is the store's own; callers pass durations.

use alloc::string::String;
use core::fmt;

pub mod lua;
#[cfg(feature = "std")]
mod memory;
pub mod sql;

#[cfg(feature = "std")]
pub use memory::{Clocked, MemoryStore};

/// How long a store remembers the fence of a key that was released or forgotten, in milliseconds (24 hours).
///
/// After that a new claim starts at the store's clock again, which is higher unless the clock was set back.
pub const FENCE_RETENTION_MS: u64 = 24 * 60 * 60 * 1000;

/// Stands for the hash of a body that was not taken, because nobody asked to be told of another one (`conflict`). It
/// conflicts with none.
pub const UNKNOWN_BODY: [u8; 32] = [0; 32];

/// The four atomic steps of a claim, on one store.
///
/// Keys are the 32 bytes of a [`Key`](crate::Key), body hashes are SHA-256 or [`UNKNOWN_BODY`]; all durations are
/// milliseconds and relative to the store's own clock. A store is shared between threads.
///
/// # Errors
/// Every step fails with [`StoreError`] when the store cannot give an answer that holds. The delivery is then refused
/// with 503, because a handler never runs without a claim.
///
/// ```
/// # #[cfg(feature = "std")] {
/// use hookproof::store::{ClaimAnswer, MemoryStore, Store, Token};
///
/// let store = MemoryStore::new(1_000).with_clock(|| 1_700_000_000_000);
/// let (key, token, body_hash) = ([1; 32], Token([2; 16]), [3; 32]);
///
/// assert!(matches!(store.claim(&key, &token, &body_hash, 10_000)?, ClaimAnswer::Claimed { .. }));
/// assert_eq!(
///     store.claim(&key, &Token([9; 16]), &body_hash, 10_000)?,
///     ClaimAnswer::InFlight { remaining_ms: 10_000 },
/// );
/// assert!(store.complete(&key, &token, 60_000)?);
/// assert_eq!(store.claim(&key, &Token([9; 16]), &body_hash, 10_000)?, ClaimAnswer::Done { body_hash });
/// # }
/// # Ok::<(), hookproof::store::StoreError>(())
/// ```
pub trait Store: Send + Sync {
    /// What the store keeps apart: the user's endpoint or tenant. It goes into the key, so that two applications on
    /// one shared store do not swallow each other's events. Empty for a store that nobody else can reach.
    fn scope(&self) -> &str {
        ""
    }

    /// Takes note of how long a receiver needs completed keys at least, in milliseconds. For bounded stores, which may
    /// let a completed key leave only after that; others have nothing to do.
    fn remember_at_least(&self, minimum_ms: u64) {
        let _ = minimum_ms;
    }

    /// Takes `key` for `lease_ms`, unless it is done or in flight elsewhere.
    fn claim(
        &self,
        key: &[u8; 32],
        token: &Token,
        body_hash: &[u8; 32],
        lease_ms: u64,
    ) -> Result<ClaimAnswer, StoreError>;

    /// Marks the claim done for `retention_ms`; `false` if the token is no longer the newest one.
    fn complete(&self, key: &[u8; 32], token: &Token, retention_ms: u64) -> Result<bool, StoreError>;

    /// Frees the claim, so that the sender's next try runs; `false` if the token is no longer the newest one.
    fn release(&self, key: &[u8; 32], token: &Token) -> Result<bool, StoreError>;

    /// Lets the lease end `lease_ms` from now; `false` if the token is no longer the newest one.
    fn extend(&self, key: &[u8; 32], token: &Token, lease_ms: u64) -> Result<bool, StoreError>;

    /// Forgets that `key` is done, so that the same event runs once more; `false` if it was not done.
    ///
    /// A claim in flight is left alone: its lease ends by itself.
    fn forget(&self, key: &[u8; 32]) -> Result<bool, StoreError>;
}

/// What makes a claim one's own: 16 random bytes, drawn by the caller before the claim.
///
/// Drawn before, so that a claim whose answer was lost can be released by it.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Token(pub [u8; 16]);

impl fmt::Debug for Token {
    // A token in a log would let its reader settle somebody else's claim.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(..)")
    }
}

/// What [`Store::claim`] answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ClaimAnswer {
    /// The key is the caller's until the lease ends.
    Claimed {
        /// Higher than that of every earlier claim of this key; pass it to whatever must refuse a late worker.
        fence: u64,
    },
    /// The key was completed before, and its retention has not ended.
    Done {
        /// SHA-256 of the body that was completed, or [`UNKNOWN_BODY`].
        body_hash: [u8; 32],
    },
    /// Another token holds the key.
    InFlight {
        /// Until its lease ends, in milliseconds; at least 1.
        remaining_ms: u64,
    },
}

/// Why a store gave no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum StoreError {
    /// A bounded store holds nothing that may leave yet.
    Full,
    /// The store cannot be reached, is too slow, or answered what it should not; with its own words.
    Unavailable(String),
}

impl StoreError {
    /// The code of the public table under which an adapter reports this: `store_unavailable`.
    #[must_use]
    pub fn code(&self) -> &'static str {
        "store_unavailable"
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Full => f.write_str("the store is full of keys that may not leave yet"),
            Self::Unavailable(reason) => write!(f, "the store gave no answer: {reason}"),
        }
    }
}

impl core::error::Error for StoreError {}

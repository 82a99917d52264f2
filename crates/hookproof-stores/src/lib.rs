//! Where hookproof keeps claims in Rust services, one module for each database.
//!
//! A store takes the client or pool that the service already has, and a `scope`: the endpoint or tenant whose events
//! it keeps apart. The texts that a database runs are the core's, the same in every language, so that services in
//! several languages can share one store.
//!
//! | feature | store | shared by | `complete_in` |
//! |---|---|---|---|
//! | `redis` | [`redis::RedisStore`] | everybody who reaches the server | no |
//! | `postgres` | [`postgres::PostgresStore`] | everybody who reaches the server | yes |
//! | `sqlite` | [`sqlite::SqliteStore`] | the processes of one machine | yes |
//!
//! [`hookproof::store::MemoryStore`] is an [`AsyncStore`], too.
#![forbid(unsafe_code)]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod memory;
#[cfg(feature = "postgres")]
pub mod postgres;
#[cfg(feature = "redis")]
pub mod redis;
mod scope;
#[cfg(feature = "sqlite")]
pub mod sqlite;

use core::future::Future;

pub use hookproof::store::{ClaimAnswer, StoreError, Token};
pub use scope::{Scope, ScopeError};

/// The four atomic steps of a claim, on a store that is awaited; the rules are those of [`hookproof::store`].
///
/// # Errors
/// Every step fails with [`StoreError`] when the store cannot give an answer that holds. The delivery is then refused
/// with 503, because a handler never runs without a claim.
pub trait AsyncStore: Send + Sync {
    /// What the store keeps apart: the user's endpoint or tenant. It goes into the key.
    fn scope(&self) -> &str;

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
    ) -> impl Future<Output = Result<ClaimAnswer, StoreError>> + Send;

    /// Marks the claim done for `retention_ms`; `false` if the token is no longer the newest one.
    fn complete(
        &self,
        key: &[u8; 32],
        token: &Token,
        retention_ms: u64,
    ) -> impl Future<Output = Result<bool, StoreError>> + Send;

    /// Frees the claim, so that the sender's next try runs; `false` if the token is no longer the newest one.
    fn release(&self, key: &[u8; 32], token: &Token) -> impl Future<Output = Result<bool, StoreError>> + Send;

    /// Lets the lease end `lease_ms` from now; `false` if the token is no longer the newest one.
    fn extend(
        &self,
        key: &[u8; 32],
        token: &Token,
        lease_ms: u64,
    ) -> impl Future<Output = Result<bool, StoreError>> + Send;

    /// Forgets that `key` is done, so that the same event runs once more; `false` if it was not done.
    fn forget(&self, key: &[u8; 32]) -> impl Future<Output = Result<bool, StoreError>> + Send;
}

/// Why a claim could not be completed inside the caller's transaction.
#[derive(Debug)]
#[non_exhaustive]
pub enum CompleteError<E> {
    /// Another worker took the claim over, because its lease had ended: roll the transaction back.
    LeaseLost,
    /// The database failed.
    Database(E),
}

impl<E: core::fmt::Display> core::fmt::Display for CompleteError<E> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::LeaseLost => f.write_str("the lease ended and another worker took the delivery over"),
            Self::Database(error) => write!(f, "the database failed: {error}"),
        }
    }
}

impl<E: core::error::Error + 'static> core::error::Error for CompleteError<E> {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::LeaseLost => None,
            Self::Database(error) => Some(error),
        }
    }
}

#[cfg(any(feature = "redis", feature = "postgres", feature = "sqlite"))]
fn unavailable(error: impl core::fmt::Display) -> StoreError {
    StoreError::Unavailable(error.to_string())
}

/// Milliseconds as the databases take them.
#[cfg(any(feature = "postgres", feature = "sqlite"))]
fn signed(ms: u64) -> i64 {
    // Half of what fits, so that the database can add its clock to it.
    i64::try_from(ms).unwrap_or(i64::MAX).min(i64::MAX / 2)
}

#[cfg(any(feature = "postgres", feature = "sqlite"))]
fn unexpected(what: &str) -> StoreError {
    StoreError::Unavailable(format!("its answer has no {what}"))
}

/// The answer in a row of `CLAIM`.
#[cfg(any(feature = "postgres", feature = "sqlite"))]
fn answer(
    state: i64,
    fence: Option<i64>,
    body_hash: Option<Vec<u8>>,
    remaining_ms: Option<i64>,
) -> Result<ClaimAnswer, StoreError> {
    let positive = |value: Option<i64>| value.and_then(|value| u64::try_from(value).ok());
    match state {
        0 => positive(fence).map(|fence| ClaimAnswer::Claimed { fence }).ok_or_else(|| unexpected("fence")),
        2 => body_hash
            .and_then(|bytes| bytes.try_into().ok())
            .map(|body_hash| ClaimAnswer::Done { body_hash })
            .ok_or_else(|| unexpected("body hash")),
        _ => positive(remaining_ms)
            .map(|remaining_ms| ClaimAnswer::InFlight { remaining_ms })
            .ok_or_else(|| unexpected("remaining time")),
    }
}

use core::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::extract::{FromRequestParts, OptionalFromRequestParts};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use hookproof::Claiming;
use hookproof::store::{StoreError, Token};

use crate::erased::Erased;

/// What a handler may hold of its claim: an extractor.
///
/// The claim is renewed by itself while the handler runs. With a store in the service's own database, the effect and
/// the mark can commit together, so that the effect happens exactly once:
///
/// ```
/// # use hookproof_axum::{Claim, LeaseLost};
/// # struct Store; struct Transaction; struct Failed;
/// # impl Store { async fn complete_in(&self, _: &Transaction, _: &[u8; 32], _: &hookproof::store::Token, _: u64)
/// #     -> Result<(), Failed> { Ok(()) } }
/// async fn finish(claim: &Claim, store: &Store, transaction: &Transaction) -> Result<(), LeaseLost> {
///     store
///         .complete_in(transaction, claim.key(), claim.token(), claim.retention_ms())
///         .await
///         .map_err(|_| LeaseLost)
/// }
/// ```
#[derive(Clone)]
pub struct Claim {
    claiming: Claiming,
    fence: u64,
    store: Arc<dyn Erased>,
    /// The token was taken, which only a transaction needs.
    joined: Arc<AtomicBool>,
}

impl Claim {
    pub(crate) fn new(claiming: Claiming, fence: u64, store: Arc<dyn Erased>) -> Self {
        Self { claiming, fence, store, joined: Arc::default() }
    }

    pub(crate) fn is_joined(&self) -> bool {
        self.joined.load(Ordering::Acquire)
    }

    /// Higher than that of every earlier claim of this delivery: pass it to whatever must refuse a late worker.
    #[must_use]
    pub fn fence(&self) -> u64 {
        self.fence
    }

    /// What the store knows the delivery by, for `complete_in`.
    #[must_use]
    pub fn key(&self) -> &[u8; 32] {
        &self.claiming.key
    }

    /// What makes the claim one's own, for `complete_in`.
    ///
    /// Whoever takes it commits before the handler ends: the store is asked for the mark before a 2xx leaves, and a
    /// transaction that was rolled back makes it a 500, so that the sender tries again.
    #[must_use]
    pub fn token(&self) -> &Token {
        self.joined.store(true, Ordering::Release);
        &self.claiming.token
    }

    /// How long the key is kept once it is done, in milliseconds, for `complete_in`.
    #[must_use]
    pub fn retention_ms(&self) -> u64 {
        self.claiming.retention_ms
    }

    /// Renews the lease now; `false` if another worker has taken the delivery over.
    ///
    /// # Errors
    /// [`StoreError`] if the store gave no answer.
    pub async fn extend(&self) -> Result<bool, StoreError> {
        self.store.extend(&self.claiming.key, &self.claiming.token, self.claiming.lease_ms).await
    }
}

impl fmt::Debug for Claim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Claim").field("fence", &self.fence).finish_non_exhaustive()
    }
}

/// A handler wants a [`Claim`], and its receiver has no store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoClaim;

impl fmt::Display for NoClaim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("this delivery has no claim: give the receiver a store, or take `Option<Claim>`")
    }
}

impl core::error::Error for NoClaim {}

impl IntoResponse for NoClaim {
    fn into_response(self) -> Response {
        tracing::error!("{self}");
        StatusCode::INTERNAL_SERVER_ERROR.into_response()
    }
}

impl<S: Sync> FromRequestParts<S> for Claim {
    type Rejection = NoClaim;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, NoClaim> {
        parts.extensions.get::<Self>().cloned().ok_or(NoClaim)
    }
}

impl<S: Sync> OptionalFromRequestParts<S> for Claim {
    type Rejection = NoClaim;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Option<Self>, NoClaim> {
        Ok(parts.extensions.get::<Self>().cloned())
    }
}

/// The lease ended and another worker took the delivery over: what a handler answers after it has rolled back.
///
/// As a response it tells the layer so, and the sender gets 409 and tries again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LeaseLost;

impl fmt::Display for LeaseLost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the lease ended and another worker took the delivery over")
    }
}

impl core::error::Error for LeaseLost {}

impl IntoResponse for LeaseLost {
    fn into_response(self) -> Response {
        let mut response = StatusCode::CONFLICT.into_response();
        response.extensions_mut().insert(self);
        response
    }
}

//! Verified webhooks in axum.
//!
//! [`receive`] is a layer for one route: it reads the body up to the limit, verifies it, claims the delivery in the
//! store, runs the handler, and completes or releases by the status of its answer. The handler takes a [`Delivery`],
//! which only a verified request has, and if it likes the [`Claim`].
//!
//! ```
//! use axum::{Router, routing::post};
//! use hookproof::store::MemoryStore;
//! use hookproof::{Scheme, Secret, Verifier};
//! use hookproof_axum::{Delivery, Receiver, now_ms, receive};
//!
//! async fn on_delivery(delivery: Delivery) {
//!     println!("{:?} {:?}", delivery.event_type(), delivery.id());
//! }
//!
//! let verifier = Verifier::new(Scheme::named("agentbot")?, Secret::new("the secret")?)?;
//! let receiver = Receiver::new(verifier, MemoryStore::default().with_clock(now_ms))?;
//! let app: Router = Router::new().route("/webhooks/agentbot", post(on_delivery).layer(receive(receiver)));
//! # Ok::<(), hookproof::Error>(())
//! ```
//!
//! The store is any [`AsyncStore`]; those on Redis, PostgreSQL and SQLite are in `hookproof-stores`.
#![forbid(unsafe_code)]

mod claim;
mod delivery;
mod erased;
mod layer;
mod receiver;
mod reception;

pub use claim::{Claim, LeaseLost, NoClaim};
pub use delivery::{Delivery, NotVerified};
pub use hookproof_stores::AsyncStore;
pub use layer::{Receive, ReceiveService, receive};
pub use receiver::Receiver;

/// Milliseconds since 1970: the clock for a [`MemoryStore`](hookproof::store::MemoryStore).
///
/// ```
/// assert!(hookproof_axum::now_ms() > 1_700_000_000_000);
/// ```
#[must_use]
pub fn now_ms() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

//! The reference sender: it signs, delivers, retries and logs as five documented providers and Standard Webhooks do, and
//! misbehaves on request, so that a receiver can be built and proven against real behaviour.
//!
//! - [`Provider`] is data: envelope, headers, event types, retries, and what happens after the last failure.
//! - [`lane`] is the delivery state machine: pure, with time and random numbers as arguments.

mod duration;
mod error;
mod instant;
pub mod json_text;
pub mod lane;
mod policy;
pub mod provider;
mod rate_limit;
pub mod retry_after;
pub mod transport;

pub use duration::Span;
pub use error::Error;
pub use instant::rfc3339;
pub use policy::{Delays, GiveUp, NO_JITTER, Policy, RetryPolicy, StatusRules, Statuses};
pub use provider::Provider;
pub use rate_limit::RateLimit;

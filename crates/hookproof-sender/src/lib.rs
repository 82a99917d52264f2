//! The reference sender: it signs, delivers, retries and logs as five documented providers and Standard Webhooks do, and
//! misbehaves on request, so that a receiver can be built and proven against real behaviour.
//!
//! - [`Provider`] is data: envelope, headers, event types, retries, and what happens after the last failure.
//! - [`lane`] is the delivery state machine: pure, with time and random numbers as arguments.
//! - [`transport`] makes one attempt over real HTTP: guarded addresses, one deadline, bounded answers.
//! - [`Driver`] carries out what the machine commands, on the clock on the wall or on a virtual one.
//! - [`ai_teammate`] is the provider that is the other way round: a client, and a stand-in for its service.
//! - [`Fault`] is how a sender misbehaves, and [`scenario`] plays what every receiver has to survive.

pub mod ai_teammate;
mod driver;
mod duration;
mod endpoint;
mod error;
pub mod fault;
mod instant;
pub mod json_text;
pub mod lane;
mod policy;
pub mod provider;
mod random;
mod rate_limit;
pub mod retry_after;
pub mod scenario;
mod secret;
pub mod signing;
pub mod transport;

pub use driver::{Attempt, Clock, Driver, Notice, Published, SignedTime, wall_now};
pub use duration::Span;
pub use endpoint::{Endpoint, Message};
pub use error::Error;
pub use fault::Fault;
pub use instant::rfc3339;
pub use policy::{Delays, GiveUp, NO_JITTER, Policy, RetryPolicy, StatusRules, Statuses};
pub use provider::Provider;
pub use random::Randomness;
pub use rate_limit::RateLimit;
pub use secret::{SecretRing, SigningSecret};

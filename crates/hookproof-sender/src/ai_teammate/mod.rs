//! AI Teammate, which is the other way round: outside systems post messages to a URL that holds a token.
//!
//! [`Client`] is the outside system, with the error rules of the document; [`Platform`] stands in for the service, and
//! [`server`] puts it behind HTTP.

mod client;
mod platform;
#[cfg(feature = "platform")]
pub mod server;

pub(crate) use client::token;
pub use client::{CallFailed, Client, Reply, Why};
pub use platform::{Callback, Change, Created, Listed, Platform, Refused, WebhookId, cost};

/// Where a token stands in a URL: `/api/webhook/<token>`.
pub(crate) const PATH: &str = "/api/webhook/";

//! The core of hookproof: decides whether an incoming webhook is authentic, fresh and new.
//!
//! No I/O, no clock, no randomness: bytes and the time go in, a [`Delivery`] or one [`Error`] comes out. The Python,
//! Node and WebAssembly packages call this crate, which is why they give the same answer for the same bytes.
//!
//! ```
//! use hookproof::{Request, Scheme, Secret, Verifier};
//!
//! let secret = Secret::new("webhook_secret")?;
//! let verifier = Verifier::new(Scheme::named("agentbot")?, secret)?;
//! let headers = [("X-Agentbot-Signature", "t=1715968923,v1=00")];
//! let error = verifier.verify(&Request::new(&headers, "{}"), 1_715_968_923).unwrap_err();
//! assert_eq!((error.code(), error.status()), ("signature_malformed", 401));
//! # Ok::<(), hookproof::Error>(())
//! ```
#![cfg_attr(not(feature = "std"), no_std)]
#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic))]

extern crate alloc;

mod comparison;
mod content;
mod delivery;
mod digest;
mod encoding;
mod error;
mod explain;
mod form;
#[cfg(feature = "gzip")]
mod gzip;
mod handshake;
mod json;
mod key;
mod keyring;
mod options;
mod plan;
mod proof;
mod receive;
mod request;
mod scheme;
mod secret;
mod sign;
mod signature;
pub mod store;
mod stream;
mod timestamp;
mod url;
mod usual;
mod verdict;
mod verify;
mod wire;

pub use delivery::{Delivery, Item};
pub use error::{Error, ErrorKind};
pub use explain::{Confidence, Explanation};
pub use handshake::Reply;
pub use key::Key;
pub use options::{Identity, Options};
#[doc(hidden)]
pub use proof::Proof;
pub use receive::{Answer, Claiming, Command, Event, Outcome, OutcomeKind, Receiver, Reception};
pub use request::{Headers, Request};
pub use scheme::{Coverage, Evidence, Finding, Level, RateLimit, Retry, Scheme};
pub use secret::{Secret, Secrets};
pub use sign::{Message, Signed, Signer};
pub use stream::Stream;
pub use verify::Verifier;

//! The outside system.

use std::fmt;
use std::time::Duration;

use serde::Deserialize;
use serde_json::json;

use super::PATH;
use crate::lane::State;
use crate::transport::Transport;
use crate::{Attempt, Clock, Driver, Endpoint, Error, Provider, Randomness, SignedTime, SigningSecret, wall_now};

/// Calls an agent through its webhook's URL, and tries again where the document says that this helps.
///
/// 429 waits for what `Retry-After` asks, a minute at least. 5xx and broken connections back off 1, 2, 4, 8, 16 s.
/// 400, 402 and 404 are final. A call that timed out after bytes of it had left is not made again: it may have been
/// charged.
#[derive(Debug)]
pub struct Client {
    endpoint: Endpoint,
    transport: Transport,
    clock: Clock,
}

/// What an agent answers.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Reply {
    /// The agent's words.
    pub response: String,
    /// The conversation that they belong to.
    pub conversation_id: String,
    /// What the call cost.
    pub credits_used: u64,
}

/// A call without a reply.
#[derive(Clone, Debug)]
pub struct CallFailed {
    /// Why there is none.
    pub why: Why,
    /// Every attempt that was made.
    pub attempts: Vec<Attempt>,
}

/// Why a call has no reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Why {
    /// 400: the message is missing.
    MessageMissing,
    /// 402: the owner of the agent has no credits.
    NoCredits,
    /// 404: there is no such token.
    UnknownToken,
    /// Another status that ends a call.
    Answered(u16),
    /// The time was up after the request had left: the call may have been made, and charged.
    PerhapsCharged,
    /// All attempts failed.
    GaveUp,
    /// The answer is not a reply.
    Unreadable,
}

impl fmt::Display for CallFailed {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.why {
            Why::MessageMissing => formatter.write_str("400: the message is missing"),
            Why::NoCredits => formatter.write_str("402: the owner of the agent has no credits"),
            Why::UnknownToken => formatter.write_str("404: there is no such token"),
            Why::Answered(status) => write!(formatter, "{status}: the call cannot be made"),
            Why::PerhapsCharged => formatter
                .write_str("no answer in time: the call may have been made and charged, so it is not made again"),
            Why::GaveUp => write!(formatter, "no reply after {} attempts", self.attempts.len()),
            Why::Unreadable => formatter.write_str("the answer is not a reply"),
        }
    }
}

impl std::error::Error for CallFailed {}

impl Client {
    /// A client for the URL that the service showed when the webhook was made.
    ///
    /// # Errors
    /// If the URL may not be dialled, or holds no token.
    pub fn new(url: &str, transport: Transport) -> Result<Self, Error> {
        let target = transport.guard().target(url).map_err(|refusal| Error::invalid(refusal.to_string()))?;
        let endpoint = Endpoint::with_token(Provider::named("ai-teammate")?, target)?;
        Ok(Self { endpoint, transport, clock: Clock::Wall })
    }

    /// The same client on a virtual clock, whose waits take no time: for tests. An attempt may take `patience`.
    #[must_use]
    pub fn fast_forward(mut self, patience: Duration) -> Self {
        self.clock = Clock::Virtual { start: wall_now(), patience, signs: SignedTime::Wall };
        self
    }

    /// The token's prefix, for logs.
    pub fn token_prefix(&self) -> String {
        self.endpoint.secrets.newest().prefix()
    }

    /// Sends a message and waits for the agent's reply.
    ///
    /// # Errors
    /// [`CallFailed`], with every attempt. The token is in none of its texts.
    pub async fn call(&self, message: &str, user_id: Option<&str>) -> Result<Reply, CallFailed> {
        let mut data = json!({ "message": message });
        if let (Some(user_id), Some(fields)) = (user_id, data.as_object_mut()) {
            fields.insert("user_id".to_owned(), user_id.into());
        }
        let mut driver = Driver::new(self.endpoint.clone(), self.transport.clone(), self.clock.clone())
            .with_randomness(Randomness::Exact)
            .keeping_answers();
        let failed = |why, driver: &Driver| CallFailed { why, attempts: driver.attempts().to_vec() };
        let Ok(message) = self.endpoint.message("message", Some(&data), wall_now()) else {
            return Err(failed(Why::GaveUp, &driver));
        };
        let ticket = driver.publish_message(message);
        if driver.run().await.is_err() || driver.state(ticket) != Some(State::Delivered) {
            return Err(failed(why(driver.attempts()), &driver));
        }
        let reply = driver.answer(ticket).and_then(|answer| serde_json::from_slice(&answer.body).ok());
        reply.ok_or_else(|| failed(Why::Unreadable, &driver))
    }
}

fn why(attempts: &[Attempt]) -> Why {
    let Some(last) = attempts.last() else { return Why::GaveUp };
    match (last.status, last.failure) {
        (Some(400), _) => Why::MessageMissing,
        (Some(402), _) => Why::NoCredits,
        (Some(404), _) => Why::UnknownToken,
        (Some(status), _) if status != 429 && status < 500 => Why::Answered(status),
        (None, Some("timeout")) if last.sent => Why::PerhapsCharged,
        _ => Why::GaveUp,
    }
}

/// The token in the path of a webhook's URL.
pub(crate) fn token(path: &str) -> Result<SigningSecret, Error> {
    let token = path.split_once(PATH).map(|(_, rest)| rest.split(['/', '?']).next().unwrap_or_default());
    match token {
        Some(token) if !token.is_empty() => SigningSecret::new(token),
        _ => Err(Error::invalid(format!("the URL holds no token: it looks like https://ai-teammate.net{PATH}whk_..."))),
    }
}

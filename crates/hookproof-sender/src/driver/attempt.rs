//! The delivery log.

use serde::Serialize;

use super::Launch;
use crate::SecretRing;
use crate::endpoint::Message;
use crate::lane::{AttemptKind, Standing, State, Ticket};
use crate::transport::{Answer, Exchange, Failure};

/// How one attempt went: a line of the delivery log.
#[derive(Clone, Debug, Serialize)]
pub struct Attempt {
    /// Of which delivery.
    pub ticket: Ticket,
    /// The delivery's id.
    pub id: String,
    /// Its number within the delivery, from 1.
    pub number: u32,
    /// Why it was made.
    pub kind: AttemptKind,
    /// When it began, Unix milliseconds of the driver's clock.
    pub started: u64,
    /// When it ended.
    pub ended: u64,
    /// How long it took on the wall, milliseconds.
    pub took: u64,
    /// Whether bytes of the request had left.
    pub sent: bool,
    /// The answer's status; `None` if there was no whole answer.
    pub status: Option<u16>,
    /// Why there was none: [`Failure::code`].
    pub failure: Option<&'static str>,
    /// The same for people.
    pub reason: Option<String>,
    /// Where a redirect pointed. It was not followed.
    pub location: Option<String>,
    /// Whether a hookproof receiver said that it had this delivery before.
    pub duplicate: bool,
    /// The begin of the answer's body, as text.
    pub body: String,
}

/// What happened, for whoever watches.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "lowercase", tag = "notice")]
pub enum Notice {
    /// An attempt ended.
    Attempt(Attempt),
    /// A delivery came into a new state.
    Moved {
        /// Which delivery.
        ticket: Ticket,
        /// Its state now.
        state: State,
        /// When it goes on, Unix milliseconds.
        due: Option<u64>,
    },
    /// The endpoint's standing changed.
    Endpoint {
        /// What it is now.
        standing: Standing,
    },
}

/// How many characters of an answer's body the log keeps.
const EXCERPT: usize = 1_024;

pub(super) fn attempt(
    launch: &Launch,
    exchange: &Exchange,
    ended: u64,
    message: Option<&Message>,
    secrets: &SecretRing,
) -> Attempt {
    let answer = exchange.result.as_ref().ok();
    let failure = exchange.result.as_ref().err();
    Attempt {
        ticket: launch.ticket,
        id: message.map(|message| message.id.clone()).unwrap_or_default(),
        number: launch.number,
        kind: launch.kind,
        started: launch.started,
        ended,
        took: u64::try_from(exchange.took.as_millis()).unwrap_or(u64::MAX),
        sent: exchange.sent,
        status: answer.map(|answer| answer.status),
        failure: failure.map(Failure::code),
        reason: failure.map(ToString::to_string),
        location: answer
            .filter(|answer| matches!(answer.status, 300..=399))
            .and_then(|answer| answer.header("location"))
            .map(|location| secrets.redact(location)),
        duplicate: answer.is_some_and(Answer::is_duplicate),
        body: answer.map(|answer| excerpt(&answer.body, secrets)).unwrap_or_default(),
    }
}

/// The begin of a body, without our own secrets: a receiver may echo them.
fn excerpt(body: &[u8], secrets: &SecretRing) -> String {
    secrets.redact(&String::from_utf8_lossy(body)).chars().take(EXCERPT).collect()
}

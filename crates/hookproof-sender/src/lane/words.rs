//! What goes into the state machine and what comes out of it.

use serde::{Deserialize, Serialize};

use crate::Span;

/// The number of a delivery in its lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Ticket(pub u64);

/// Why an attempt is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum AttemptKind {
    /// The first attempt or a retry of the table.
    Automatic,
    /// Somebody asked for it after the delivery was in a final state.
    Manual,
    /// A test event: once, never retried, never counted.
    Test,
}

/// Where a delivery stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// An attempt is due at some time.
    Waiting,
    /// An attempt is under way.
    Running,
    /// The endpoint went off while an attempt was due; it goes on when the endpoint is enabled.
    Held,
    /// An attempt was answered with 2xx. Final.
    Delivered,
    /// Given up. Final.
    Failed,
    /// Published while the endpoint was off. Final.
    Skipped,
}

impl State {
    /// Whether nothing more happens unless somebody asks for it.
    pub const fn is_final(self) -> bool {
        matches!(self, Self::Delivered | Self::Failed | Self::Skipped)
    }
}

/// Whether an endpoint is given anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Standing {
    /// It is.
    Enabled,
    /// Its owner switched it off.
    Paused,
    /// The last retry of a delivery failed, and this provider disables the endpoint then.
    DisabledByFailures,
    /// It answered that it is gone (410), and this provider disables the endpoint then.
    DisabledByAnswer,
}

/// How an attempt ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// With a whole answer.
    Answered {
        /// The answer's status.
        status: u16,
        /// What its `Retry-After` asks for.
        retry_after: Option<Span>,
    },
    /// Without one.
    Broken {
        /// Whether the attempt's time was up.
        timeout: bool,
        /// Whether bytes of the request had left.
        sent: bool,
    },
}

/// What happens to a lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Input {
    /// A new delivery.
    Publish(Ticket),
    /// A test event: it runs at once, whatever the endpoint's standing.
    Test(Ticket),
    /// The time of a [`Command::WakeAt`] has come.
    Wake,
    /// An attempt that was commanded has ended.
    Ended(Ticket, Ended),
    /// One more attempt of a delivery in a final state, now.
    Retry(Ticket),
    /// A delivery in a final state starts over, with all its retries.
    Replay(Ticket),
    /// The endpoint is switched on. What was held goes on.
    Enable,
    /// The endpoint is switched off. What waits is held.
    Pause,
}

/// Why an input could not be followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Refusal {
    /// The lane knows no such delivery.
    Unknown,
    /// The lane has such a delivery already.
    Known,
    /// The delivery is not in a final state: it will be tried without being asked.
    NotFinal,
    /// The endpoint is off.
    EndpointOff,
}

/// What a driver has to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command {
    /// Make an attempt.
    Attempt {
        /// Of which delivery.
        ticket: Ticket,
        /// Its number, counted from 1 over all attempts of the delivery.
        number: u32,
        /// Why it is made.
        kind: AttemptKind,
        /// How long it may take.
        timeout: Span,
    },
    /// A delivery has come into a new state; `due` is when its next attempt is, Unix milliseconds.
    Moved {
        /// Which delivery.
        ticket: Ticket,
        /// Its state now.
        state: State,
        /// When it goes on: for [`State::Waiting`] and [`State::Held`].
        due: Option<u64>,
    },
    /// The endpoint's standing has changed.
    Turned(Standing),
    /// The input could not be followed.
    Refused(Ticket, Refusal),
    /// Step the lane with [`Input::Wake`] at this time, Unix milliseconds, if nothing else happens before. It replaces
    /// an earlier one.
    WakeAt(u64),
}

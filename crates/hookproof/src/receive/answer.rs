use alloc::{
    format,
    string::{String, ToString},
    vec::Vec,
};

use crate::{Delivery, Error, Reply};

/// What became of a request, in one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum OutcomeKind {
    /// It was fresh and the handler took it.
    Accepted,
    /// It had been taken before.
    Duplicate,
    /// Somebody else is at it.
    InFlight,
    /// It did not verify, or could not be claimed: the code says why.
    Refused,
    /// The handler failed, so the sender's retry will run it again.
    Failed,
    /// The claim was taken over while the handler ran.
    LostLease,
    /// The handler took it, but the store did not hear of it.
    CompleteFailed,
    /// A handshake was answered.
    Handshake,
}

impl OutcomeKind {
    /// The word, the same in every language.
    ///
    /// ```
    /// assert_eq!(hookproof::OutcomeKind::InFlight.as_str(), "in_flight");
    /// ```
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Duplicate => "duplicate",
            Self::InFlight => "in_flight",
            Self::Refused => "refused",
            Self::Failed => "failed",
            Self::LostLease => "lost_lease",
            Self::CompleteFailed => "complete_failed",
            Self::Handshake => "handshake",
        }
    }
}

/// What happened to one request, for logs and metrics: nothing in it is secret.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Outcome {
    /// In one word.
    pub kind: OutcomeKind,
    /// The status of the answer; 0 until it is known.
    pub status: u16,
    /// The scheme's id.
    pub scheme: String,
    /// Of a refusal, [`Error::code`].
    pub code: Option<&'static str>,
    /// Of a refusal, [`Error::message`], and of a handler whose transaction was not committed: for the developer, never
    /// for the outside.
    pub message: Option<String>,
    /// The delivery's id, signed or not.
    pub id: Option<String>,
    /// The event's name.
    pub event_type: Option<String>,
    /// The first eight hex digits of the dedup key.
    pub key_prefix: Option<String>,
    /// The name of the secret that matched.
    pub secret_name: Option<String>,
    /// The claim's fence; 0 without a claim.
    pub fence: u64,
}

impl Outcome {
    pub(super) fn of(kind: OutcomeKind, scheme: &str) -> Self {
        Self {
            kind,
            status: 0,
            scheme: scheme.to_string(),
            code: None,
            message: None,
            id: None,
            event_type: None,
            key_prefix: None,
            secret_name: None,
            fence: 0,
        }
    }

    /// Takes over what the delivery says of itself.
    #[doc(hidden)]
    pub fn name(&mut self, delivery: &Delivery<'_>) {
        self.id = delivery.id().map(|id| id.into_owned());
        self.event_type = delivery.event_type().map(|event| event.into_owned());
        self.secret_name = delivery.secret_name().map(String::from);
    }

    pub(super) fn refuse(&mut self, error: &Error) {
        self.kind = OutcomeKind::Refused;
        self.status = error.status();
        self.code = Some(error.code());
        self.message = Some(error.message().to_string());
    }
}

/// What goes back to the sender.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The status; `None`: the handler's own answer goes out as it is.
    pub status: Option<u16>,
    /// Headers, in lower case; added to the handler's own where `status` is `None`.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: String,
    /// What to log and to count.
    pub outcome: Outcome,
}

impl Answer {
    /// The answer to a request that is refused before there is a receiver for it.
    pub fn refusal(scheme: &str, error: &Error) -> Self {
        let mut outcome = Outcome::of(OutcomeKind::Refused, scheme);
        outcome.refuse(error);
        let retry_after = (error.status() == 503).then_some(super::LONGEST_WAIT);
        Self::refused(outcome, retry_after)
    }

    /// RFC 9457, with title and status and no code: one answer per status, so that an attacker learns nothing.
    pub(super) fn refused(outcome: Outcome, retry_after: Option<u64>) -> Self {
        let status = outcome.status;
        let title = match status {
            400 => "Bad Request",
            401 => "Unauthorized",
            404 => "Not Found",
            409 => "Conflict",
            413 => "Content Too Large",
            429 => "Too Many Requests",
            503 => "Service Unavailable",
            _ => "Internal Server Error",
        };
        let mut headers = Vec::from([("content-type".to_string(), "application/problem+json".to_string())]);
        headers.extend(retry_after.map(|seconds| ("retry-after".to_string(), seconds.to_string())));
        Self { status: Some(status), headers, body: format!(r#"{{"title":"{title}","status":{status}}}"#), outcome }
    }

    pub(super) fn handshake(scheme: &str, reply: Reply) -> Self {
        let mut outcome = Outcome::of(OutcomeKind::Handshake, scheme);
        outcome.status = reply.status;
        Self { status: Some(reply.status), headers: reply.headers, body: reply.body, outcome }
    }

    pub(super) fn duplicate(outcome: Outcome) -> Self {
        let headers = Vec::from([("hookproof-outcome".to_string(), outcome.kind.as_str().to_string())]);
        Self { status: Some(outcome.status), headers, body: String::new(), outcome }
    }

    pub(super) fn in_flight(outcome: Outcome, wait: u64) -> Self {
        let mut answer = Self::refused(outcome, Some(wait));
        answer.headers.push(("hookproof-outcome".to_string(), answer.outcome.kind.as_str().to_string()));
        answer
    }

    pub(super) fn failed(outcome: Outcome) -> Self {
        Self::refused(outcome, None)
    }

    pub(super) fn handlers_own(outcome: Outcome) -> Self {
        Self { status: None, headers: Vec::new(), body: String::new(), outcome }
    }
}

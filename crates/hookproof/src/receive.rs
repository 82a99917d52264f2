//! The receiving kernel: what to do with a request, step by step, without doing any of it.
//!
//! An adapter turns a request into a verification, hands the outcome over, and carries out one [`Command`] after the
//! other: store calls, the handler, an answer. Every status and every rule about claims is decided here, once.

mod answer;
mod limiter;

use alloc::{string::String, vec::Vec};
use core::{cell::LazyCell, fmt};

pub use answer::{Answer, Outcome, OutcomeKind};

use crate::{
    Delivery, Error, ErrorKind, Key, Reply, Verifier,
    store::{ClaimAnswer, Token, UNKNOWN_BODY},
};
use limiter::Limiter;

/// How often completing is tried before the claim is left to its lease.
const COMPLETE_TRIES: u32 = 3;
/// What is waited between those tries, in milliseconds: all of them fit into a second.
const COMPLETE_PAUSE_MS: u64 = 300;
/// The longest a sender is asked to wait for a claim in flight, in seconds.
const LONGEST_WAIT: u64 = 5;

/// What is said of a handler that took a delivery although its effect is gone.
const UNCOMMITTED: &str = "the handler answered 2xx, but the transaction with `complete_in` was not committed";

/// A verifier with rules for claims, and nothing that does I/O.
///
/// ```
/// use hookproof::{Command, Event, Message, Options, OutcomeKind, Receiver, Request, Scheme, Secret, Signer, Verifier};
/// use hookproof::store::{ClaimAnswer, Token};
///
/// let scheme = Scheme::named("agentbot")?;
/// let signed = Signer::new(scheme.clone(), Secret::new("s3cret")?)?.sign(&Message::new(b"{}", 1_700_000_000))?;
/// let receiver = Receiver::new(Verifier::new(scheme, Secret::new("s3cret")?)?, true)?;
/// let delivery = receiver.verifier().verify(&Request::new(&signed.headers, "{}"), 1_700_000_000)?;
///
/// let (mut reception, command) = receiver.begin(&delivery, "crm", Token([7; 16]), 0);
/// assert!(matches!(command, Command::Claim { .. }));
/// assert!(matches!(reception.step(Event::Claimed(ClaimAnswer::Claimed { fence: 1 })), Command::Run { .. }));
/// assert!(matches!(reception.step(Event::Handled { status: 204 }), Command::Complete { .. }));
/// let Command::Answer(answer) = reception.step(Event::Settled { held: true }) else { unreachable!() };
/// assert_eq!((answer.status, answer.outcome.kind), (None, OutcomeKind::Accepted));
/// # Ok::<(), hookproof::Error>(())
/// ```
pub struct Receiver {
    verifier: Verifier,
    deduplicates: bool,
    retention: u64,
    least_retention: u64,
    warnings: Vec<String>,
    limiter: Option<Limiter>,
}

/// What an adapter does next.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Command {
    /// Call the store's claim and answer with [`Event::Claimed`] or [`Event::StoreFailed`].
    Claim(Claiming),
    /// Run the handler. While it runs, extend the claim every `renew_every_ms` (0: there is no claim), for at most
    /// `renew_for_ms`. Answer with [`Event::Handled`], [`Event::Joined`], [`Event::Raised`] or [`Event::LeaseLost`].
    Run {
        /// The claim's fence; 0 without a claim.
        fence: u64,
        /// The claim to extend; `None` without one.
        claim: Option<Claiming>,
        /// How often, in milliseconds.
        renew_every_ms: u64,
        /// For how long, in milliseconds.
        renew_for_ms: u64,
    },
    /// Wait `delay_ms`, then complete. Answer with [`Event::Settled`] or [`Event::StoreFailed`].
    Complete {
        /// The claim.
        claim: Claiming,
        /// What to wait first, in milliseconds.
        delay_ms: u64,
    },
    /// Release. Answer with [`Event::Settled`] or [`Event::StoreFailed`].
    Release(Claiming),
    /// Answer the request: it is over.
    Answer(Answer),
}

/// A claim as a store takes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Claiming {
    /// What the store knows the delivery by.
    pub key: [u8; 32],
    /// What makes the claim one's own.
    pub token: Token,
    /// SHA-256 of the body, or [`UNKNOWN_BODY`] where conflicts are not asked for.
    pub body_hash: [u8; 32],
    /// How long the claim holds unless it is extended, in milliseconds.
    pub lease_ms: u64,
    /// How long the key is kept once it is done, in milliseconds.
    pub retention_ms: u64,
}

/// What came of the last command.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Event {
    /// The store's answer to a claim.
    Claimed(ClaimAnswer),
    /// The store gave no answer that holds.
    StoreFailed,
    /// The handler answered.
    Handled {
        /// With this status; 200 if it answered nothing.
        status: u16,
    },
    /// The handler answered, and completed the claim inside a transaction of its own. Only the store knows whether that
    /// was committed, so it is asked by one more claim with the same token.
    Joined {
        /// With this status; 200 if it answered nothing.
        status: u16,
    },
    /// The handler raised, or its answer broke off.
    Raised,
    /// The handler met its lost lease inside a transaction of its own, which has been rolled back.
    LeaseLost,
    /// The store's answer to completing or releasing.
    Settled {
        /// Whether the claim was still one's own.
        held: bool,
    },
}

impl Event {
    /// The event that a host reports by a word and a value, as engines do; `None` if there is no such event.
    ///
    /// `claimed` (with the fence), `done` (with the body's hash), `in_flight` (with the remaining milliseconds),
    /// `handled` and `joined` (with the status), `held`, `lost`, `raised`, `lease_lost`, `store_failed`.
    #[doc(hidden)]
    pub fn named(word: &str, number: Option<u64>, body_hash: Option<[u8; 32]>) -> Option<Self> {
        Some(match word {
            "claimed" => Self::Claimed(ClaimAnswer::Claimed { fence: number? }),
            "done" => Self::Claimed(ClaimAnswer::Done { body_hash: body_hash? }),
            "in_flight" => Self::Claimed(ClaimAnswer::InFlight { remaining_ms: number? }),
            "handled" => Self::Handled { status: u16::try_from(number?).ok()? },
            "joined" => Self::Joined { status: u16::try_from(number?).ok()? },
            "held" => Self::Settled { held: true },
            "lost" => Self::Settled { held: false },
            "raised" => Self::Raised,
            "lease_lost" => Self::LeaseLost,
            "store_failed" => Self::StoreFailed,
            _ => return None,
        })
    }
}

impl Receiver {
    /// A receiver with the verifier's options; `deduplicates` says whether there is a store.
    ///
    /// # Errors
    /// [`ErrorKind::OptionInvalid`] where retention or lease do not fit what the sender does.
    pub fn new(verifier: Verifier, deduplicates: bool) -> Result<Self, Error> {
        let options = verifier.options();
        let definition = verifier.inner().definition();
        let lease = options.lease_ms.div_ceil(1000);
        let least = definition.least_retention(verifier.tolerance(), lease);
        let default = definition.default_retention(verifier.tolerance(), lease);
        let retention = options.retention.unwrap_or(default);
        let mut warnings = verifier.warnings().to_vec();
        if deduplicates {
            if retention < least {
                let message = alloc::format!(
                    "`retention` is `{retention}`: at least {least} seconds are expected, or a request can be replayed once its key is gone"
                );
                return Err(Error::new(ErrorKind::OptionInvalid, message));
            }
            if retention < default {
                warnings.push(alloc::format!(
                    "`retention` is {retention} s, but the sender may retry, or a request be replayed, for {default} s"
                ));
            }
            let horizon =
                definition.retry.as_ref().filter(|retry| !retry.delays_ms.is_empty()).map(crate::Retry::horizon);
            if horizon.is_some_and(|horizon| lease >= horizon) {
                let message = alloc::format!(
                    "`lease` is {lease} s: it is not shorter than the time in which the sender retries, so every retry would meet it"
                );
                return Err(Error::new(ErrorKind::OptionInvalid, message));
            }
        }
        let limiter = options.rate_limit.or(definition.rate_limit).map(Limiter::new);
        Ok(Self { deduplicates, retention, least_retention: least, warnings, limiter, verifier })
    }

    /// The verifier.
    pub fn verifier(&self) -> &Verifier {
        &self.verifier
    }

    /// How long keys are kept, in seconds.
    pub fn retention(&self) -> u64 {
        self.retention
    }

    /// How long keys must be kept at least, in seconds: before that, a replay would run again. For a bounded store, which
    /// may forget a completed key only after it.
    pub fn least_retention(&self) -> u64 {
        self.least_retention
    }

    /// What a user should be told once, when the receiver is built.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// The answer to a request that is refused: the same for every refusal of one status.
    pub fn refuse(&self, error: &Error) -> Answer {
        Answer::refusal(self.scheme_id(), error)
    }

    /// The answer to a handshake.
    pub fn shake(&self, reply: Reply) -> Answer {
        Answer::handshake(self.scheme_id(), reply)
    }

    /// What to do with a delivery; `token` is 16 fresh random bytes, `now_ms` any clock that does not go back.
    pub fn begin(&self, delivery: &Delivery<'_>, scope: &str, token: Token, now_ms: u64) -> (Reception, Command) {
        let mut outcome = Outcome::of(OutcomeKind::Accepted, self.scheme_id());
        outcome.name(delivery);
        self.reception(delivery, scope, token, now_ms, outcome)
    }

    /// [`Self::begin`] with an outcome that says neither the id nor the event's type nor the secret's name: for a host
    /// that keeps the delivery, and reads them out of it only if somebody wants to know.
    #[doc(hidden)]
    pub fn begin_unread(
        &self,
        delivery: &Delivery<'_>,
        scope: &str,
        token: Token,
        now_ms: u64,
    ) -> (Reception, Command) {
        self.reception(delivery, scope, token, now_ms, Outcome::of(OutcomeKind::Accepted, self.scheme_id()))
    }

    fn reception(
        &self,
        delivery: &Delivery<'_>,
        scope: &str,
        token: Token,
        now_ms: u64,
        mut outcome: Outcome,
    ) -> (Reception, Command) {
        let options = self.verifier.options();
        let definition = self.verifier.inner().definition();
        let claim = if self.deduplicates { self.claiming(delivery, scope, token) } else { None };
        outcome.key_prefix = claim.map(|claim| Key(claim.key).prefix());
        let mut reception = Reception {
            claim,
            outcome,
            state: State::Claiming,
            conflict: options.conflict,
            max_handler_ms: options.max_handler_ms,
            duplicate_status: definition.answer.duplicate,
        };
        if let Some(wait_ms) = self.limiter.as_ref().and_then(|limiter| limiter.take(delivery.secret(), now_ms)) {
            let error = Error::fixed(ErrorKind::RateLimited, "more deliveries for one secret than the receiver takes");
            let command = reception.refused(&error, Some(wait_ms.div_ceil(1000)));
            return (reception, command);
        }
        let command = match claim {
            Some(claim) => Command::Claim(claim),
            None => reception.run(0),
        };
        (reception, command)
    }

    /// What is asked of the store; nothing, where nothing that is signed identifies the delivery.
    fn claiming(&self, delivery: &Delivery<'_>, scope: &str, token: Token) -> Option<Claiming> {
        let options = self.verifier.options();
        let body_hash = LazyCell::new(|| delivery.body_hash());
        let Key(key) = delivery.key_of(scope, || *body_hash)?;
        let body_hash = if options.conflict { *body_hash } else { UNKNOWN_BODY };
        let retention_ms = self.retention.saturating_mul(1000);
        Some(Claiming { key, token, body_hash, lease_ms: options.lease_ms, retention_ms })
    }

    fn scheme_id(&self) -> &str {
        self.verifier.scheme().id()
    }
}

impl fmt::Debug for Receiver {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Receiver({})", self.scheme_id())
    }
}

/// One delivery on its way through a receiver.
#[derive(Debug)]
pub struct Reception {
    claim: Option<Claiming>,
    outcome: Outcome,
    state: State,
    conflict: bool,
    max_handler_ms: u64,
    duplicate_status: u16,
}

#[derive(Debug)]
enum State {
    Claiming,
    /// A claim whose answer is unknown is being released.
    Unclaiming,
    Running,
    /// What the handler completed is being looked for.
    Confirming,
    Completing {
        tries: u32,
    },
    Releasing {
        raised: bool,
    },
    Over,
}

impl Reception {
    /// What has become of it so far: final with [`Command::Answer`].
    pub fn outcome(&self) -> &Outcome {
        &self.outcome
    }

    /// Takes what came of the last command and says what is next.
    ///
    /// An event that does not belong to the last command, which only a broken adapter sends, ends the reception with
    /// 500 and leaves the claim to its lease.
    pub fn step(&mut self, event: Event) -> Command {
        match (&self.state, event) {
            (State::Claiming, Event::Claimed(answer)) => self.claimed(answer),
            // The claim may have been taken although nobody heard the answer.
            (State::Claiming, Event::StoreFailed) => match self.claim {
                Some(claim) => {
                    self.state = State::Unclaiming;
                    Command::Release(claim)
                }
                None => self.broken(),
            },
            (State::Unclaiming, Event::Settled { .. } | Event::StoreFailed) => self.unavailable(),
            (State::Running, Event::Handled { status }) => {
                self.outcome.status = status;
                if (200..300).contains(&status) { self.complete(1) } else { self.release(false) }
            }
            (State::Running, Event::Joined { status }) => {
                self.outcome.status = status;
                match self.claim {
                    Some(claim) if (200..300).contains(&status) => {
                        self.state = State::Confirming;
                        Command::Claim(claim)
                    }
                    _ => self.release(false),
                }
            }
            (State::Confirming, Event::Claimed(ClaimAnswer::Done { .. })) => self.answer(OutcomeKind::Accepted),
            // It was rolled back, and the effect with it: after a 2xx the event would be lost.
            (State::Confirming, Event::Claimed(ClaimAnswer::Claimed { .. })) => {
                self.outcome.status = 500;
                self.outcome.message = Some(UNCOMMITTED.into());
                self.release(true)
            }
            // Another worker's, or the transaction is still open: the sender's next try finds out.
            (State::Confirming, Event::Claimed(ClaimAnswer::InFlight { .. })) => self.lease_lost(),
            (State::Confirming, Event::StoreFailed) => self.unavailable(),
            (State::Running, Event::Raised) => {
                self.outcome.status = 500;
                self.release(true)
            }
            // There is nothing to release: the claim is another worker's, which the sender's next try will find.
            (State::Running, Event::LeaseLost) => self.lease_lost(),
            (State::Completing { .. }, Event::Settled { held }) => {
                self.answer(if held { OutcomeKind::Accepted } else { OutcomeKind::LostLease })
            }
            (State::Completing { tries }, Event::StoreFailed) if *tries < COMPLETE_TRIES => {
                self.complete(tries.saturating_add(1))
            }
            // The effect is there, so the sender is told so; a copy that comes after the lease may run again.
            (State::Completing { .. }, Event::StoreFailed) => self.answer(OutcomeKind::CompleteFailed),
            (State::Releasing { raised }, Event::Settled { held }) => {
                let raised = *raised;
                self.failed(raised, if held { OutcomeKind::Failed } else { OutcomeKind::LostLease })
            }
            (State::Releasing { raised }, Event::StoreFailed) => {
                let raised = *raised;
                self.failed(raised, OutcomeKind::Failed)
            }
            _ => self.broken(),
        }
    }

    fn claimed(&mut self, answer: ClaimAnswer) -> Command {
        match answer {
            ClaimAnswer::Claimed { fence } => self.run(fence),
            ClaimAnswer::Done { body_hash } => {
                let other = |claim: Claiming| ![claim.body_hash, UNKNOWN_BODY].contains(&body_hash);
                if self.conflict && self.claim.is_some_and(other) {
                    let error = Error::fixed(ErrorKind::Conflict, "the same identity came with another body before");
                    return self.refused(&error, None);
                }
                self.state = State::Over;
                self.outcome.kind = OutcomeKind::Duplicate;
                self.outcome.status = self.duplicate_status;
                Command::Answer(Answer::duplicate(self.outcome.clone()))
            }
            ClaimAnswer::InFlight { remaining_ms } => {
                self.state = State::Over;
                self.outcome.kind = OutcomeKind::InFlight;
                self.outcome.status = 409;
                let wait = remaining_ms.div_ceil(1000).clamp(1, LONGEST_WAIT);
                Command::Answer(Answer::in_flight(self.outcome.clone(), wait))
            }
        }
    }

    fn run(&mut self, fence: u64) -> Command {
        self.state = State::Running;
        self.outcome.fence = fence;
        Command::Run {
            fence,
            claim: self.claim,
            renew_every_ms: self.claim.map_or(0, |claim| (claim.lease_ms / 3).max(1)),
            renew_for_ms: self.max_handler_ms,
        }
    }

    fn complete(&mut self, tries: u32) -> Command {
        match self.claim {
            Some(claim) => {
                self.state = State::Completing { tries };
                Command::Complete { claim, delay_ms: if tries > 1 { COMPLETE_PAUSE_MS } else { 0 } }
            }
            None => self.answer(OutcomeKind::Accepted),
        }
    }

    fn release(&mut self, raised: bool) -> Command {
        match self.claim {
            Some(claim) => {
                self.state = State::Releasing { raised };
                Command::Release(claim)
            }
            None => self.failed(raised, OutcomeKind::Failed),
        }
    }

    fn lease_lost(&mut self) -> Command {
        self.state = State::Over;
        self.outcome.kind = OutcomeKind::LostLease;
        self.outcome.status = 409;
        Command::Answer(Answer::in_flight(self.outcome.clone(), LONGEST_WAIT))
    }

    fn failed(&mut self, raised: bool, kind: OutcomeKind) -> Command {
        if raised {
            self.state = State::Over;
            self.outcome.kind = kind;
            return Command::Answer(Answer::failed(self.outcome.clone()));
        }
        self.answer(kind)
    }

    /// The handler's own answer goes out.
    fn answer(&mut self, kind: OutcomeKind) -> Command {
        self.state = State::Over;
        self.outcome.kind = kind;
        Command::Answer(Answer::handlers_own(self.outcome.clone()))
    }

    fn unavailable(&mut self) -> Command {
        let error = Error::fixed(ErrorKind::StoreUnavailable, "the store did not answer: the sender will try again");
        self.refused(&error, Some(LONGEST_WAIT))
    }

    fn refused(&mut self, error: &Error, retry_after: Option<u64>) -> Command {
        self.state = State::Over;
        self.outcome.refuse(error);
        Command::Answer(Answer::refused(self.outcome.clone(), retry_after))
    }

    fn broken(&mut self) -> Command {
        let error = Error::fixed(ErrorKind::InternalError, "the adapter reported what it was not asked for");
        self.refused(&error, None)
    }
}

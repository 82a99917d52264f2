use std::cell::RefCell;

use hookproof::{
    Answer, Command, Error, ErrorKind, Event, Outcome, Proof, Receiver, Reception,
    store::{ClaimAnswer, Token},
};

use crate::{
    json::{Json, object},
    memory::{sized, whole},
    table::{MEMORIES, RECEIVERS, RECEPTIONS, VERIFIERS},
    verifier::{Reading, judged, packed, seconds},
};

/// A receiver around a verifier, with the verifier's options.
pub fn receiver(verifier: u32, deduplicates: bool) -> Result<u32, Error> {
    let verifier = VERIFIERS.with_borrow(|table| table.get(verifier).cloned())?;
    let receiver = Receiver::new(verifier, deduplicates)?;
    Ok(RECEIVERS.with_borrow_mut(|table| table.insert(receiver)))
}

/// What a host has to know of a receiver: `{retention, least_retention, warnings}`.
pub fn about_receiver(receiver: u32) -> Result<String, Error> {
    on(receiver, |receiver| {
        object(&[
            ("retention", receiver.retention().into()),
            ("least_retention", receiver.least_retention().into()),
            ("warnings", Json::texts(receiver.warnings())),
        ])
    })
}

fn on<T>(receiver: u32, read: impl FnOnce(&Receiver) -> T) -> Result<T, Error> {
    RECEIVERS.with_borrow(|table| table.get(receiver).map(read))
}

/// A memory store that a reception uses without the host, on this side of the boundary, and the time on its clock.
#[derive(Clone, Copy, Debug)]
pub struct Beside {
    /// The store's number; negative if the host has another store, or none.
    pub store: f64,
    /// Milliseconds on the store's clock.
    pub now_ms: f64,
}

/// The numbers that stand for commands. What else belongs to one stands in the [`Note`].
mod command {
    pub(super) const CLAIM: f64 = 0.0;
    pub(super) const RUN: f64 = 1.0;
    pub(super) const COMPLETE: f64 = 2.0;
    pub(super) const RELEASE: f64 = 3.0;
    /// It is over: [`super::answer`] says how.
    pub(super) const ANSWER: f64 = 4.0;
    /// It is over, the delivery was accepted, and the handler's own answer goes out.
    pub(super) const ACCEPTED: f64 = 5.0;
}

/// What a command carries, as the host reads it: nine numbers, and the 32 bytes each of a key and a body's hash.
///
/// `proof, reception, fence, lease_ms, retention_ms, renew_every_ms, renew_for_ms, delay_ms, evictions`
pub struct Note<'a>(pub &'a mut [u8]);

impl Note<'_> {
    /// As many as there are.
    pub const BYTES: usize = 9 * 8 + 32 + 32;

    fn number(&mut self, place: usize, number: f64) {
        self.bytes(place * 8, &number.to_ne_bytes());
    }

    fn bytes(&mut self, at: usize, bytes: &[u8]) {
        if let Some(target) = at.checked_add(bytes.len()).and_then(|end| self.0.get_mut(at..end)) {
            target.copy_from_slice(bytes);
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "times and fences are far below 2^53")]
    fn write(&mut self, command: &Command) -> f64 {
        match command {
            Command::Claim(claim) => {
                self.number(3, claim.lease_ms as f64);
                self.number(4, claim.retention_ms as f64);
                self.bytes(72, &claim.key);
                self.bytes(104, &claim.body_hash);
                command::CLAIM
            }
            Command::Run { fence, claim, renew_every_ms, renew_for_ms } => {
                if let Some(claim) = claim {
                    self.write(&Command::Claim(*claim));
                }
                self.number(2, *fence as f64);
                self.number(5, *renew_every_ms as f64);
                self.number(6, *renew_for_ms as f64);
                command::RUN
            }
            Command::Complete { delay_ms, .. } => {
                self.number(7, *delay_ms as f64);
                command::COMPLETE
            }
            Command::Release(_) => command::RELEASE,
            _ => command::ANSWER,
        }
    }
}

thread_local! {
    /// How the last reception ended. It crosses only if somebody asks.
    static ANSWER: RefCell<Option<Answer>> = const { RefCell::new(None) };
}

fn over(answer: Answer) -> f64 {
    let accepted = answer.status.is_none() && answer.outcome.kind == hookproof::OutcomeKind::Accepted;
    ANSWER.set(Some(answer));
    if accepted { command::ACCEPTED } else { command::ANSWER }
}

/// The answer with which the last reception ended, as JSON.
pub fn answer() -> String {
    ANSWER.with_borrow(|answer| answer.as_ref().map_or_else(String::new, written))
}

/// Judges a request, and says what to do first as a number; [`answer`] says why if it is over already. Unless it was
/// refused, the note says what was proved.
///
/// `now_ms` is a clock that does not go back, `token` 16 fresh random bytes.
pub fn begin(
    receiver: u32,
    reading: Reading<'_>,
    scope: &str,
    token: &[u8],
    now_ms: f64,
    beside: Beside,
    mut note: Note<'_>,
) -> Result<f64, Error> {
    let token = Token(sized("token", token)?);
    note.number(0, -1.0);
    on(receiver, |receiver| {
        let begun = began(receiver, reading, now_ms, |proof, body| {
            note.number(0, packed(&proof));
            let delivery = receiver.verifier().deliver(proof, body);
            let (reception, command) = receiver.begin_unread(&delivery, scope, token, whole(now_ms));
            follow(reception, command, beside, &mut note)
        });
        begun.unwrap_or_else(|error| over(receiver.refuse(&error)))
    })
}

fn began(
    receiver: &Receiver,
    reading: Reading<'_>,
    now_ms: f64,
    read: impl FnOnce(Proof<'_>, &[u8]) -> f64,
) -> Result<f64, Error> {
    let (verifier, now) = (receiver.verifier(), seconds((now_ms / 1000.0).floor()));
    if let Some(reply) = verifier.handshake(&reading.request(), now)? {
        return Ok(over(receiver.shake(reply)));
    }
    judged(verifier, reading, now, read)
}

/// Keeps a reception for the host's next step, unless it is over.
fn follow(mut reception: Reception, command: Command, beside: Beside, note: &mut Note<'_>) -> f64 {
    match carried_out(&mut reception, command, beside, note) {
        Command::Answer(answer) => over(answer),
        command => {
            note.number(1, f64::from(RECEPTIONS.with_borrow_mut(|table| table.insert(reception))));
            note.write(&command)
        }
    }
}

/// Carries commands out on the store beside, if there is one, up to the first that is the host's.
fn carried_out(reception: &mut Reception, mut command: Command, beside: Beside, note: &mut Note<'_>) -> Command {
    if beside.store < 0.0 {
        return command;
    }
    MEMORIES.with_borrow(|table| {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it was a u32")]
        let Ok(store) = table.get(beside.store as u32) else { return command };
        // Of a store that refuses, the host hears from the store itself, when it asks again.
        while let Some(event) = store.carry_out(&command, whole(beside.now_ms)) {
            command = reception.step(event);
        }
        #[expect(clippy::cast_precision_loss, reason = "it is asked whether there are any")]
        note.number(8, store.evictions() as f64);
        command
    })
}

/// Tells a reception what came of its last command, and says what is next. After an answer the reception is gone.
///
/// `event` is 0 claimed (with the fence), 1 in flight (with the remaining milliseconds), 2 the store failed, 3 handled
/// (with the status), 4 raised, 5 the lease is lost, 6 held, 7 lost, 8 joined (with the status).
pub fn step(reception: u32, event: u8, number: f64, beside: Beside, note: Note<'_>) -> Result<f64, Error> {
    let event = match event {
        0 => Event::Claimed(ClaimAnswer::Claimed { fence: whole(number) }),
        1 => Event::Claimed(ClaimAnswer::InFlight { remaining_ms: whole(number) }),
        2 => Event::StoreFailed,
        3 => Event::Handled { status: u16::try_from(whole(number)).unwrap_or(500) },
        4 => Event::Raised,
        5 => Event::LeaseLost,
        6 => Event::Settled { held: true },
        7 => Event::Settled { held: false },
        8 => Event::Joined { status: u16::try_from(whole(number)).unwrap_or(500) },
        _ => return Err(Error::new(ErrorKind::InternalError, "the adapter reported an unknown event".to_owned())),
    };
    next(reception, event, beside, note)
}

/// Tells a reception that its key is done, by a delivery with this body.
pub fn step_done(reception: u32, body_hash: &[u8]) -> Result<f64, Error> {
    let event = Event::Claimed(ClaimAnswer::Done { body_hash: sized("body hash", body_hash)? });
    next(reception, event, Beside { store: -1.0, now_ms: 0.0 }, Note(&mut []))
}

fn next(reception: u32, event: Event, beside: Beside, mut note: Note<'_>) -> Result<f64, Error> {
    RECEPTIONS.with_borrow_mut(|table| {
        let kept = table.get_mut(reception)?;
        let first = kept.step(event);
        let command = carried_out(kept, first, beside, &mut note);
        Ok(match command {
            Command::Answer(answer) => {
                table.remove(reception);
                over(answer)
            }
            command => note.write(&command),
        })
    })
}

/// The answer to a request that is refused without judging it: its body was parsed, or there is no secret for it.
pub fn refuse(scheme: &str, code: &str, message: &str) -> String {
    let kind = ErrorKind::from_code(code).unwrap_or(ErrorKind::InternalError);
    written(&Answer::refusal(scheme, &Error::new(kind, message.to_owned())))
}

fn written(answer: &Answer) -> String {
    object(&[
        ("status", answer.status.map_or(Json::Null, Json::from)),
        ("headers", Json::pairs(&answer.headers)),
        ("body", (&answer.body).into()),
        ("outcome", Json::Written(outcome(&answer.outcome))),
    ])
}

/// What the host does not read out of the delivery by itself.
fn outcome(outcome: &Outcome) -> String {
    object(&[
        ("kind", outcome.kind.as_str().into()),
        ("status", outcome.status.into()),
        ("scheme", (&outcome.scheme).into()),
        ("code", Json::maybe(outcome.code)),
        ("message", Json::maybe(outcome.message.as_deref())),
        ("key_prefix", Json::maybe(outcome.key_prefix.as_deref())),
    ])
}

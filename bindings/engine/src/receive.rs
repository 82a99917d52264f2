use hookproof::{
    Answer, Command, Error, ErrorKind, Event, Outcome, Receiver,
    store::{ClaimAnswer, Token},
};
use serde_json::{Value, json};

use crate::{
    memory::{sized, whole},
    table::{RECEIVERS, RECEPTIONS, VERIFIERS},
    verifier::{Head, Reading, hex, judged, seconds},
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
        json!({
            "retention": receiver.retention(),
            "least_retention": receiver.least_retention(),
            "warnings": receiver.warnings(),
        })
        .to_string()
    })
}

fn on<T>(receiver: u32, read: impl FnOnce(&Receiver) -> T) -> Result<T, Error> {
    RECEIVERS.with_borrow(|table| table.get(receiver).map(read))
}

/// Judges a request and says what to do: `{command}`, and if it verified `{reception, proof, timestamp, outcome, command}`.
///
/// `now` is Unix seconds, `now_ms` a clock that does not go back, `token` 16 fresh random bytes.
pub fn begin(
    receiver: u32,
    reading: Reading<'_>,
    scope: &str,
    token: &[u8],
    now: f64,
    now_ms: f64,
) -> Result<String, Error> {
    let token = Token(sized("token", token)?);
    on(receiver, |receiver| match began(receiver, reading, scope, token, now, now_ms) {
        Ok(begun) => begun,
        Err(error) => json!({ "command": answer(&receiver.refuse(&error)) }),
    })
    .map(|begun| begun.to_string())
}

fn began(
    receiver: &Receiver,
    reading: Reading<'_>,
    scope: &str,
    token: Token,
    now: f64,
    now_ms: f64,
) -> Result<Value, Error> {
    let verifier = receiver.verifier();
    let head = Head::of(reading.head);
    if let Some(reply) = verifier.handshake(&head.request(reading.body), seconds(now))? {
        return Ok(json!({ "command": answer(&receiver.shake(reply)) }));
    }
    judged(verifier, reading, seconds(now), |delivery, proof| {
        let (reception, command) = receiver.begin(delivery, scope, token, whole(now_ms));
        let outcome = outcome(reception.outcome());
        let over = matches!(command, Command::Answer(_));
        let handle = (!over).then(|| RECEPTIONS.with_borrow_mut(|table| table.insert(reception)));
        let command = written(&command);
        json!({ "reception": handle, "proof": proof, "timestamp": delivery.timestamp(), "outcome": outcome, "command": command })
    })
}

/// Tells a reception what came of its last command, and says what is next. After an answer the reception is gone.
///
/// `event` is `claimed` (with the fence), `done` (with the body's hash, which may be unknown), `in_flight` (with the
/// remaining milliseconds), `store_failed`, `handled` (with the status), `raised`, `lease_lost`, `held` or
/// `lost`.
pub fn step(reception: u32, event: &str, number: f64, body_hash: &[u8]) -> Result<String, Error> {
    let event = match event {
        "claimed" => Event::Claimed(ClaimAnswer::Claimed { fence: whole(number) }),
        "done" => Event::Claimed(ClaimAnswer::Done { body_hash: sized("body hash", body_hash)? }),
        "in_flight" => Event::Claimed(ClaimAnswer::InFlight { remaining_ms: whole(number) }),
        "store_failed" => Event::StoreFailed,
        "handled" => Event::Handled { status: u16::try_from(whole(number)).unwrap_or(500) },
        "raised" => Event::Raised,
        "lease_lost" => Event::LeaseLost,
        "held" => Event::Settled { held: true },
        "lost" => Event::Settled { held: false },
        _ => return Err(Error::new(ErrorKind::InternalError, "the adapter reported an unknown event".to_owned())),
    };
    RECEPTIONS.with_borrow_mut(|table| {
        let command = table.get_mut(reception)?.step(event);
        if matches!(command, Command::Answer(_)) {
            table.remove(reception);
        }
        Ok(written(&command).to_string())
    })
}

/// The answer to a request that is refused without judging it: its body was parsed, or there is no secret for it.
pub fn refuse(scheme: &str, code: &str, message: &str) -> String {
    let kind = ErrorKind::from_code(code).unwrap_or(ErrorKind::InternalError);
    answer(&Answer::refusal(scheme, &Error::new(kind, message.to_owned()))).to_string()
}

fn written(command: &Command) -> Value {
    match command {
        Command::Claim(claim) => json!({
            "kind": "claim",
            "key": hex(&claim.key),
            "body_hash": hex(&claim.body_hash),
            "lease_ms": claim.lease_ms,
            "retention_ms": claim.retention_ms,
        }),
        Command::Run { fence, renew_every_ms, renew_for_ms, .. } => json!({
            "kind": "run",
            "fence": fence,
            "renew_every_ms": renew_every_ms,
            "renew_for_ms": renew_for_ms,
        }),
        Command::Complete { delay_ms, .. } => json!({ "kind": "complete", "delay_ms": delay_ms }),
        Command::Release(_) => json!({ "kind": "release" }),
        Command::Answer(one) => answer(one),
        _ => json!({ "kind": "unknown" }),
    }
}

fn answer(answer: &Answer) -> Value {
    json!({
        "kind": "answer",
        "status": answer.status,
        "headers": answer.headers,
        "body": answer.body,
        "outcome": outcome(&answer.outcome),
    })
}

fn outcome(outcome: &Outcome) -> Value {
    json!({
        "kind": outcome.kind.as_str(),
        "status": outcome.status,
        "scheme": outcome.scheme,
        "code": outcome.code,
        "message": outcome.message,
        "id": outcome.id,
        "event_type": outcome.event_type,
        "key_prefix": outcome.key_prefix,
        "secret_name": outcome.secret_name,
    })
}

use std::{borrow::Cow, cell::RefCell};

use hookproof::{Delivery, Error, ErrorKind, Headers, Options, Proof, Request, Secret, Verifier};
use serde_json::Value;

use crate::{
    about::scheme,
    json::{Json, List, object},
    proof::{pack, unpack},
    table::VERIFIERS,
};

/// What one call reads of a request.
#[derive(Clone, Copy)]
pub struct Reading<'a> {
    /// The body's bytes.
    pub body: &'a [u8],
    /// What stands before it.
    pub head: &'a Head<'a>,
}

impl<'a> Reading<'a> {
    pub(crate) fn request(self) -> Request<'a> {
        self.head.request(self.body)
    }
}

/// More headers than a scheme may read: the core refuses one that reads more than sixteen.
const MOST: usize = 16;

/// The lines of a head: the method, the URL, and the values of the verifier's header names in their order, which the host
/// has picked. What is absent is empty.
#[derive(Clone, Copy)]
pub struct Head<'a> {
    method: Option<&'a str>,
    url: Option<&'a str>,
    values: [&'a [u8]; MOST],
}

impl<'a> Head<'a> {
    /// The most lines that there can be.
    pub const LINES: usize = 2 + MOST;

    /// A head in one text, a line feed between its lines.
    pub fn of(head: &'a str) -> Self {
        head.split('\n').collect()
    }

    pub(crate) fn request<'r>(&'r self, body: &'r [u8]) -> Request<'r> {
        let request = Request::new(self, body);
        let request = self.method.map_or(request, |method| request.method(method));
        self.url.map_or(request, |url| request.url(url))
    }
}

impl<'a> FromIterator<&'a str> for Head<'a> {
    fn from_iter<I: IntoIterator<Item = &'a str>>(lines: I) -> Self {
        let mut lines = lines.into_iter();
        let mut next = || lines.next().filter(|line| !line.is_empty());
        let mut head = Self { method: next(), url: next(), values: [&[]; MOST] };
        head.values.iter_mut().zip(lines).for_each(|(value, line)| *value = line.as_bytes());
        head
    }
}

impl Headers for Head<'_> {
    fn value(&self, place: usize, _: &str) -> Option<Cow<'_, [u8]>> {
        self.values.get(place).map(|value| Cow::Borrowed(*value))
    }
}

/// A verifier. `secrets` is their bytes one after the other, and `parts` says of each `{length, name, not_before, not_after}`.
pub fn verifier(source: &str, secrets: &[u8], parts: &str, options: &str) -> Result<u32, Error> {
    let options = Options::from_value(&parsed(options)?)?;
    let verifier = Verifier::with_options(scheme(source)?, split(secrets, &parsed(parts)?)?, options)?;
    Ok(VERIFIERS.with_borrow_mut(|table| table.insert(verifier)))
}

pub(crate) fn parsed(json: &str) -> Result<Value, Error> {
    serde_json::from_str(json).map_err(|_| Error::new(ErrorKind::InternalError, "the engine got no JSON".to_owned()))
}

pub(crate) fn split(mut bytes: &[u8], parts: &Value) -> Result<Vec<Secret>, Error> {
    let parts = parts.as_array().map(Vec::as_slice).unwrap_or_default();
    parts
        .iter()
        .map(|part| {
            let number = |field: &str| part.get(field).and_then(Value::as_i64);
            let length = number("length").and_then(|length| usize::try_from(length).ok()).unwrap_or_default();
            let (one, rest) = bytes.split_at_checked(length).unwrap_or((bytes, &[]));
            bytes = rest;
            let secret = Secret::new(one)?.valid(number("not_before"), number("not_after"));
            Ok(match part.get("name").and_then(Value::as_str) {
                Some(name) => secret.named(name),
                None => secret,
            })
        })
        .collect()
}

/// What a host has to know of a verifier.
pub fn about(verifier: u32) -> Result<String, Error> {
    VERIFIERS.with_borrow(|table| {
        let verifier = table.get(verifier)?;
        Ok(object(&[
            ("scheme", verifier.scheme().id().into()),
            ("coverage", verifier.scheme().coverage().as_str().into()),
            ("header_names", Json::texts(verifier.header_names())),
            ("max_body", (verifier.max_body() as u64).into()),
            ("reads_url", Json::Flag(verifier.reads_url())),
            ("public_keys_only", Json::Flag(verifier.has_public_keys_only())),
            ("warnings", Json::texts(verifier.warnings())),
        ]))
    })
}

thread_local! {
    /// Why the last request was refused. A refusal crosses as a number; its text follows only if somebody asks.
    static REFUSAL: RefCell<Option<Error>> = const { RefCell::new(None) };
}

/// A proof as a number, which the other calls about this request take; or, below zero, why there is none: -1, less the
/// status and a thousand times the place in [`crate::errors`].
pub fn verify(verifier: u32, reading: Reading<'_>, now: f64) -> f64 {
    let verdict =
        VERIFIERS.with_borrow(|table| judged(table.get(verifier)?, reading, seconds(now), |proof, _| packed(&proof)));
    verdict.unwrap_or_else(|error| {
        let place = ErrorKind::ALL.iter().position(|kind| *kind == error.kind()).unwrap_or_default();
        #[expect(clippy::cast_precision_loss, reason = "there are a few dozen kinds")]
        let place = place as f64;
        let status = f64::from(error.status());
        REFUSAL.set(Some(error));
        -1.0 - status - 1000.0 * place
    })
}

/// Judges a request; `read` gets the proof, and the body that was signed.
pub(crate) fn judged<T>(
    verifier: &Verifier,
    reading: Reading<'_>,
    now: i64,
    read: impl FnOnce(Proof<'_>, &[u8]) -> T,
) -> Result<T, Error> {
    let decoded = verifier.decode(&reading.request())?;
    let body = decoded.as_deref().unwrap_or(reading.body);
    Ok(read(verifier.prove(&reading.head.request(body), now)?, body))
}

pub(crate) fn packed(proof: &Proof<'_>) -> f64 {
    pack(proof.secret(), proof.timestamp())
}

/// Why a request does not verify, as JSON `{cause, confidence, fix, steps}`; nothing if it does, or if its error already
/// says it all. The option `explain_failures` lets it try what commonly goes wrong.
pub fn explain(verifier: u32, reading: Reading<'_>, now: f64) -> Result<Option<String>, Error> {
    VERIFIERS.with_borrow(|table| {
        let verifier = table.get(verifier)?;
        Ok(verifier.explain(&reading.request(), seconds(now)).map(|why| {
            object(&[
                ("cause", (&why.cause).into()),
                ("confidence", why.confidence.as_str().into()),
                ("fix", (&why.fix).into()),
                ("steps", Json::texts(&why.steps)),
            ])
        }))
    })
}

/// Seconds from a host's number.
#[expect(clippy::cast_possible_truncation, reason = "a time beyond 64 bits is as far away as any")]
pub(crate) fn seconds(now: f64) -> i64 {
    now as i64
}

/// What is said about the last request that was refused.
pub fn refusal() -> String {
    REFUSAL.with_borrow(|error| error.as_ref().map_or_else(String::new, |error| error.message().to_owned()))
}

/// Puts together again what a proof is about, without another MAC.
pub(crate) fn recalled<T>(
    verifier: u32,
    reading: Reading<'_>,
    proof: f64,
    read: impl FnOnce(&Delivery<'_>) -> Result<T, Error>,
) -> Result<T, Error> {
    VERIFIERS.with_borrow(|table| {
        let verifier = table.get(verifier)?;
        let decoded = verifier.decode(&reading.request())?;
        let body = decoded.as_deref().unwrap_or(reading.body);
        let (secret, timestamp) = unpack(proof);
        let proof = verifier.recall(&reading.head.request(body), secret, timestamp)?;
        read(&verifier.deliver(proof, body))
    })
}

/// What the request says that `proof` is about, but for its event's type: `{id, timestamp, secret_name}`.
pub fn facts(verifier: u32, reading: Reading<'_>, proof: f64) -> Result<String, Error> {
    recalled(verifier, reading, proof, |delivery| {
        Ok(object(&[
            ("id", Json::maybe(delivery.id().as_deref())),
            ("timestamp", delivery.timestamp().map_or(Json::Null, Json::Number)),
            ("secret_name", Json::maybe(delivery.secret_name())),
        ]))
    })
}

/// The name of the event, which mostly stands in the body and is only looked for there if somebody asks.
pub fn event_type(verifier: u32, reading: Reading<'_>, proof: f64) -> Result<Option<String>, Error> {
    recalled(verifier, reading, proof, |delivery| Ok(delivery.event_type().map(Cow::into_owned)))
}

/// The dedup key in a scope, if anything that is signed identifies the delivery.
pub fn key(verifier: u32, reading: Reading<'_>, proof: f64, scope: &str) -> Result<Option<Vec<u8>>, Error> {
    recalled(verifier, reading, proof, |delivery| Ok(delivery.key(scope).map(|key| key.0.to_vec())))
}

/// The bytes that were signed, where they are not the body as it came: it was compressed.
pub fn body(verifier: u32, reading: Reading<'_>) -> Result<Option<Vec<u8>>, Error> {
    VERIFIERS.with_borrow(|table| table.get(verifier)?.decode(&reading.request()))
}

/// What the signature covers, where that is not the whole body.
pub fn signed(verifier: u32, reading: Reading<'_>, proof: f64) -> Result<Option<Vec<u8>>, Error> {
    recalled(verifier, reading, proof, |delivery| Ok(delivery.signed().map(<[u8]>::to_vec)))
}

/// The events of a batch: `[{id, json, key}, ...]`, the key in hexadecimal.
pub fn items(verifier: u32, reading: Reading<'_>, proof: f64, scope: &str) -> Result<String, Error> {
    recalled(verifier, reading, proof, |delivery| {
        let mut rows = List::default();
        for item in delivery.items(scope)? {
            let key = item.key().map_or(Json::Null, |key| Json::Written(hex(&key.0)));
            let fields = [("id", Json::maybe(item.id.as_deref())), ("json", (&item.json).into()), ("key", key)];
            rows.push(&Json::Written(object(&fields)));
        }
        Ok(rows.text())
    })
}

/// Bytes in answers: a text of hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    let mut text = String::from("\"");
    for byte in bytes {
        for half in [byte >> 4, byte & 15] {
            text.extend(char::from_digit(half.into(), 16));
        }
    }
    text.push('"');
    text
}

use alloc::{borrow::Cow, string::String, vec::Vec};
use core::fmt;
use serde_json::Value;

use crate::{
    Error, ErrorKind, Key, Verifier,
    digest::Hash,
    form,
    json::{self, Found},
    key::sized,
    proof::Proof,
    scheme::{definition::Coverage, source::Source},
    signature::is_name,
    wire::unreadable,
};

/// Proof that a request is authentic and fresh. Only [`Verifier::verify`] makes one.
///
/// ```
/// # use hookproof::{Request, Scheme, Secret, Signer, Message, Verifier};
/// # let scheme = Scheme::named("agentbot")?;
/// # let body = br#"{"event":"message.created"}"#;
/// # let signed = Signer::new(scheme.clone(), Secret::new("s3cret")?)?.sign(&Message::new(body, 1_700_000_000))?;
/// # let verifier = Verifier::new(scheme, Secret::new("s3cret")?)?;
/// let delivery = verifier.verify(&Request::new(&signed.headers, body), 1_700_000_000)?;
/// assert_eq!(delivery.provider(), "agentbot");
/// assert_eq!(delivery.event_type().as_deref(), Some("message.created"));
/// assert_eq!(delivery.timestamp(), Some(1_700_000_000));
/// assert_eq!(delivery.json()?["event"], "message.created");
/// # Ok::<(), hookproof::Error>(())
/// ```
#[derive(Clone)]
pub struct Delivery<'a> {
    verifier: Cow<'a, Verifier>,
    proof: Proof<'a>,
    body: Cow<'a, [u8]>,
}

const NOT_JSON: Error = Error::fixed(ErrorKind::BodyMalformed, "the body is not JSON");

/// One event of a batch.
#[derive(Clone, Debug, PartialEq)]
pub struct Item {
    /// The event's own id, where the provider gives one: several parts stand with blanks between them.
    pub id: Option<String>,
    /// The event as JSON text, exactly as it stands in the body.
    pub json: String,
    key: Option<Key>,
}

impl Item {
    /// The key of this event, from its id or else from its bytes; `None` where nothing that is signed identifies it.
    pub fn key(&self) -> Option<Key> {
        self.key
    }
}

impl<'a> Delivery<'a> {
    pub(crate) fn new(verifier: Cow<'a, Verifier>, proof: Proof<'a>, body: Cow<'a, [u8]>) -> Self {
        Self { verifier, proof, body }
    }

    /// The id of the scheme that verified it.
    pub fn provider(&self) -> &str {
        self.verifier.scheme().id()
    }

    /// The provider's id of this delivery, signed or not; `None` where there is none or it is not well formed.
    pub fn id(&self) -> Option<Cow<'_, str>> {
        self.named(self.proof.id.as_deref(), &self.verifier.inner().definition().delivery.id)
    }

    /// The name of the event; `None` where there is none.
    pub fn event_type(&self) -> Option<Cow<'_, str>> {
        self.named(self.proof.event.as_deref(), &self.verifier.inner().definition().delivery.event_type)
    }

    /// When it was signed, in Unix seconds; `None` where the scheme signs no time.
    pub fn timestamp(&self) -> Option<i64> {
        self.proof.timestamp
    }

    /// The name of the secret that matched; `None` where it has none.
    pub fn secret_name(&self) -> Option<&str> {
        self.verifier.inner().secret_name(self.proof.secret)
    }

    /// Which secret matched, in the order given: for engines, whose hosts keep it.
    #[doc(hidden)]
    pub fn secret(&self) -> usize {
        self.proof.secret
    }

    /// The bytes that were signed: decoded where the scheme signs the body before compression.
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    /// What the signature covers, where that is not the whole body.
    pub fn signed(&self) -> Option<&[u8]> {
        self.proof.signed.as_deref()
    }

    /// The body as JSON.
    ///
    /// # Errors
    /// [`ErrorKind::BodyMalformed`] where it is not JSON, or where the signature covers only part of it: then
    /// [`Delivery::unsigned_json`] reads it all the same.
    pub fn json(&self) -> Result<Value, Error> {
        self.whole()?;
        self.unsigned_json()
    }

    /// The body as the JSON text that [`Delivery::json`] and [`Delivery::unsigned_json`] read: for engines, whose hosts
    /// make objects of their own of it.
    ///
    /// # Errors
    /// As those two.
    #[doc(hidden)]
    pub fn json_text(&self, unsigned: bool) -> Result<&str, Error> {
        if !unsigned {
            self.whole()?;
        }
        core::str::from_utf8(&self.body).ok().filter(|text| json::is_json(text)).ok_or(NOT_JSON)
    }

    /// Whether the signature covers the whole body.
    fn whole(&self) -> Result<(), Error> {
        if self.verifier.inner().plan().coverage == Coverage::Partial {
            let message = "the signature covers only part of the body: `signed` is that part, and the rest must be asked for as unsigned";
            return Err(Error::fixed(ErrorKind::BodyMalformed, message));
        }
        Ok(())
    }

    /// The body as JSON, whether the signature covers it or not.
    ///
    /// # Errors
    /// [`ErrorKind::BodyMalformed`] where it is not JSON.
    pub fn unsigned_json(&self) -> Result<Value, Error> {
        serde_json::from_slice(&self.body).map_err(|_| NOT_JSON)
    }

    /// The events of a batch, each with a key of its own; one item for a provider that sends no batches.
    ///
    /// `scope` is the store's, as in [`Delivery::key`].
    ///
    /// # Errors
    /// [`ErrorKind::BodyMalformed`] where the body holds no such list.
    pub fn items(&self, scope: &str) -> Result<Vec<Item>, Error> {
        let rule = &self.verifier.inner().definition().delivery;
        let Some(items) = &rule.items else {
            let json = core::str::from_utf8(&self.body)
                .map_err(|_| Error::fixed(ErrorKind::BodyMalformed, "the body is not text"))?;
            return Ok(Vec::from([Item {
                id: self.id().map(Cow::into_owned),
                json: json.into(),
                key: self.key(scope),
            }]));
        };
        self.json_text(true)?;
        let found = json::find_each(&self.body, &items.each_element()).map_err(unreadable)?;
        let missing =
            || Error::fixed(ErrorKind::BodyMalformed, "the body is without the list of events that the provider sends");
        found
            .into_iter()
            .map(|found| {
                let item = found.ok_or_else(missing)?;
                let raw = item.raw().as_bytes();
                let mut parts = Vec::new();
                for pointer in &rule.item_id {
                    parts.push(
                        json::find(raw, pointer)
                            .map_err(unreadable)?
                            .and_then(Found::scalar)
                            .filter(|part| !part.is_empty()),
                    );
                }
                let parts: Option<Vec<_>> = parts.into_iter().collect();
                let id = parts.filter(|parts| !parts.is_empty()).map(|parts| parts.join(" "));
                let key = match &id {
                    Some(id) => Key::derive(self.provider(), scope, "item", id.as_bytes()),
                    None => Key::derive(self.provider(), scope, "item.body", Hash::Sha256.of(raw).as_bytes()),
                };
                Ok(Item { id, json: item.raw().into(), key: Some(key) })
            })
            .collect()
    }

    /// What a store knows this delivery by; `None` where nothing that is signed identifies it.
    ///
    /// `scope` is the store's: two applications on one store must not swallow each other's events.
    pub fn key(&self, scope: &str) -> Option<Key> {
        self.key_of(scope, || self.body_hash())
    }

    /// The same for who has the body's hash, or may never need it.
    pub(crate) fn key_of(&self, scope: &str, body_hash: impl FnOnce() -> [u8; 32]) -> Option<Key> {
        let identity = self.identity(body_hash);
        identity.map(|(kind, identity)| Key::derive(self.provider(), scope, kind, &identity))
    }

    /// SHA-256 of the body: tells whether the same identity came with another body.
    pub fn body_hash(&self) -> [u8; 32] {
        sized(Hash::Sha256.of(&self.body).as_bytes())
    }

    /// The same without borrowing from the request.
    pub fn into_owned(self) -> Delivery<'static> {
        let (verifier, body) = (Cow::Owned(self.verifier.into_owned()), Cow::Owned(self.body.into_owned()));
        Delivery { verifier, proof: self.proof.into_owned(), body }
    }

    /// The proof and the body that it is about, which [`Verifier::deliver`] puts together again.
    #[doc(hidden)]
    pub fn into_parts(self) -> (Proof<'a>, Cow<'a, [u8]>) {
        (self.proof, self.body)
    }

    /// What makes this delivery the same as another: an id that is signed, or the signed bytes themselves.
    ///
    /// An id that is only an unsigned header would let anybody who captured a request replay it under a new one.
    fn identity(&self, body_hash: impl FnOnce() -> [u8; 32]) -> Option<(&'static str, Vec<u8>)> {
        let inner = self.verifier.inner();
        if inner.plan().by_id
            && let Some(id) = self.id()
        {
            return Some(("id", id.into_owned().into_bytes()));
        }
        match (inner.plan().coverage, self.signed()) {
            (Coverage::None, _) => None,
            (Coverage::Partial, signed) => signed.map(|signed| ("signed", Hash::Sha256.of(signed).as_bytes().to_vec())),
            (Coverage::Body, _) if inner.definition().delivery.repeats => None,
            (Coverage::Body, _) => {
                let mut identity = body_hash().to_vec();
                let unsigned_event = self.proof.event.as_ref().filter(|_| inner.options.events.is_some());
                Some(match unsigned_event {
                    // Only of a closed list: otherwise every invented type would be a new identity.
                    Some(event) if inner.options.events.iter().flatten().any(|known| known.as_bytes() == &**event) => {
                        identity.extend_from_slice(event);
                        ("body.event", identity)
                    }
                    _ => ("body", identity),
                })
            }
        }
    }

    /// What the head says, or else the first of the sources in the body that names something.
    fn named<'s>(&'s self, in_head: Option<&'s [u8]>, sources: &[Source]) -> Option<Cow<'s, str>> {
        if let Some(name) = in_head {
            return text(Cow::Borrowed(name));
        }
        let mut names = sources.iter().filter_map(|source| match source {
            Source::Json(pointer) => json::find(&self.body, pointer).ok().flatten().and_then(Found::name),
            Source::Form(name) => form::value(&self.body, name).and_then(text),
            _ => None,
        });
        names.next().filter(|name| is_name(name.as_bytes()))
    }
}

fn text(bytes: Cow<'_, [u8]>) -> Option<Cow<'_, str>> {
    match bytes {
        Cow::Borrowed(bytes) => core::str::from_utf8(bytes).ok().map(Cow::Borrowed),
        Cow::Owned(bytes) => String::from_utf8(bytes).ok().map(Cow::Owned),
    }
}

impl fmt::Debug for Delivery<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Delivery")
            .field("provider", &self.provider())
            .field("id", &self.id())
            .field("timestamp", &self.timestamp())
            .field("body_bytes", &self.body.len())
            .finish_non_exhaustive()
    }
}

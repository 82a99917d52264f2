use alloc::{borrow::Cow, string::String, sync::Arc, vec::Vec};
use core::fmt;
use subtle::Choice;

use crate::{
    Delivery, Error, ErrorKind, Options, Scheme,
    digest::Hasher,
    json,
    keyring::{self, Key, Kind, MOST_SECRETS},
    options::Identity,
    request::Request,
    scheme::{
        definition::{Algorithm, Carrier, Coverage, Definition, SignatureRule},
        source::Source,
        template::What,
    },
    secret::Secrets,
    signature::{Candidates, Place, is_visible},
    url::Spelling,
    wire::{Content, Proven, Wire, unreadable},
};

/// A scheme with its secrets: decides whether a request is authentic and fresh. Immutable, cheap to clone, for any thread.
///
/// ```
/// use hookproof::{Request, Scheme, Secret, Verifier};
/// let secret = Secret::new("It's a Secret to Everybody")?;
/// let verifier = Verifier::new(Scheme::named("github")?, secret)?;
/// let headers = [("X-Hub-Signature-256", "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17")];
/// let delivery = verifier.verify(&Request::new(&headers, "Hello, World!"), 1_700_000_000)?;
/// assert_eq!(delivery.body(), b"Hello, World!");
/// # Ok::<(), hookproof::Error>(())
/// ```
#[derive(Clone)]
pub struct Verifier(Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) scheme: Scheme,
    pub(crate) options: Options,
    keys: Vec<Key>,
    warnings: Vec<String>,
    /// As they were given, only where failures are to be explained.
    pub(crate) secrets: Option<Secrets>,
    plan: Plan,
}

/// What follows from scheme and options, worked out once.
struct Plan {
    /// A request without a delivery id cannot be taken.
    needs_id: bool,
    /// Which bytes an id may have: visible ones that cannot move a boundary of what is signed.
    id_bytes: [bool; 256],
    places: Vec<Place>,
    /// The signature covers only part of the body.
    partial: bool,
    /// A challenge that a handshake would sign for anybody: no delivery may look like one.
    oracle: bool,
}

impl Plan {
    fn new(definition: &Definition, options: &Options, keys: &[Key]) -> Self {
        // Joined header lines bring a comma.
        let mut delimiters = Vec::from([b',']);
        for pair in definition.signatures.iter().flat_map(|rule| rule.content.0.windows(2)) {
            let [left, right] = pair else { continue };
            match (&left.what, &right.what) {
                (What::Id, What::Literal(text)) => delimiters.extend(text.as_bytes().first()),
                (What::Literal(text), What::Id) => delimiters.extend(text.as_bytes().last()),
                _ => {}
            }
        }
        Self {
            id_bytes: core::array::from_fn(|byte| {
                u8::try_from(byte).is_ok_and(|byte| byte.is_ascii_graphic() && !delimiters.contains(&byte))
            }),
            places: Place::all(definition, &options.config, |rule| keys.iter().any(|key| key.rule == rule)),
            needs_id: options.identity == Identity::Id || definition.id_is_content(),
            partial: definition.coverage() == Coverage::Partial,
            oracle: definition.handshakes.iter().any(|handshake| handshake.mac.is_some() && !handshake.signed),
        }
    }
}

const SIGNATURE_MISSING: Error = Error::fixed(ErrorKind::SignatureMissing, "the signature is absent or empty");
const TOKEN_MISSING: Error = Error::fixed(ErrorKind::TokenMissing, "the token is absent or empty");
const TOKEN_MISMATCH: Error = Error::fixed(ErrorKind::TokenMismatch, "the token is none of the configured ones");
const TIMESTAMP_MISSING: Error = Error::fixed(ErrorKind::TimestampMissing, "the timestamp is absent or empty");
const TIMESTAMP_MALFORMED: Error =
    Error::fixed(ErrorKind::TimestampMalformed, "the timestamp is not of the form that the provider sends");
const ID_MISSING: Error = Error::fixed(ErrorKind::IdMissing, "the delivery id is absent or empty");
const ID_MALFORMED: Error = Error::fixed(
    ErrorKind::IdMalformed,
    "the delivery id is not printable ASCII of 1 to 255 characters, or holds a delimiter",
);
const MISMATCH: Error = Error::fixed(
    ErrorKind::SignatureMismatch,
    "no signature matches: is it the secret of this endpoint, and is the body untouched, byte for byte?",
);

impl Verifier {
    /// A verifier with default options.
    ///
    /// # Errors
    /// `secret_*` where a secret is not what the scheme expects; [`ErrorKind::OptionInvalid`] where the scheme needs `config`
    /// or `allow_legacy`.
    pub fn new(scheme: Scheme, secrets: impl Into<Secrets>) -> Result<Self, Error> {
        Self::with_options(scheme, secrets, Options::default())
    }

    /// A verifier with options.
    ///
    /// # Errors
    /// As [`Verifier::new`], and [`ErrorKind::OptionInvalid`] where an option does not fit the scheme.
    pub fn with_options(scheme: Scheme, secrets: impl Into<Secrets>, options: Options) -> Result<Self, Error> {
        options.check(&scheme.0)?;
        let secrets = secrets.into();
        let (keys, warnings) = keyring::keys(&scheme.0, &secrets)?;
        let secrets = options.explain_failures.then_some(secrets);
        let plan = Plan::new(&scheme.0, &options, &keys);
        Ok(Self(Arc::new(Inner { scheme, options, keys, warnings, secrets, plan })))
    }

    pub(crate) fn inner(&self) -> &Inner {
        &self.0
    }

    /// The scheme.
    pub fn scheme(&self) -> &Scheme {
        &self.0.scheme
    }

    /// The options that it was built with.
    pub fn options(&self) -> &Options {
        &self.0.options
    }

    /// What a user should be told once, such as quotes around a secret.
    pub fn warnings(&self) -> &[String] {
        &self.0.warnings
    }

    /// The headers that are read, lower case, in the order in which [`Headers::value`](crate::Headers::value) is asked for them.
    pub fn header_names(&self) -> &[String] {
        &self.0.definition().slots.names
    }

    /// The most bytes that a body may have: an adapter stops reading there.
    pub fn max_body(&self) -> usize {
        self.0.options.max_body.unwrap_or(self.0.definition().max_body)
    }

    /// How far a signed time may be from `now`, in seconds.
    pub fn tolerance(&self) -> u64 {
        self.0.tolerance()
    }

    /// Decides whether a request is authentic and fresh; `now` is the Unix time in seconds.
    ///
    /// # Errors
    /// Any kind of the table that is not about configuration, and never anything else, whatever the request holds.
    pub fn verify<'a>(&'a self, request: &Request<'a>, now: i64) -> Result<Delivery<'a>, Error> {
        let decoded = self.decode(request)?;
        match decoded {
            None => {
                self.prove(request, now).map(|proof| Delivery::new(self.clone(), proof, Cow::Borrowed(request.body)))
            }
            Some(body) => {
                let proof = self.prove(&Request { body: &body, ..*request }, now)?.into_owned();
                Ok(Delivery::new(self.clone(), proof, Cow::Owned(body)))
            }
        }
    }

    /// The body as it is signed, where the scheme signs it as it was before compression.
    ///
    /// For engines, whose hosts keep the body: [`Verifier::verify`] does it itself.
    ///
    /// # Errors
    /// [`ErrorKind::BodyTooLarge`], [`ErrorKind::BodyMalformed`].
    #[doc(hidden)]
    pub fn decode(&self, request: &Request<'_>) -> Result<Option<Vec<u8>>, Error> {
        self.fits(request.body.len())?;
        if !self.0.definition().decoded {
            return Ok(None);
        }
        let wire = self.0.wire(request);
        match wire.named("content-encoding").map(<[u8]>::to_ascii_lowercase).as_deref() {
            None | Some(b"identity") => Ok(None),
            #[cfg(feature = "gzip")]
            Some(b"gzip") => crate::gzip::decode(request.body, self.max_body()).map(Some).ok_or(Error::fixed(
                ErrorKind::BodyMalformed,
                "the body is not gzip, or is over the limit once decoded",
            )),
            Some(_) => {
                Err(Error::fixed(ErrorKind::BodyMalformed, "the body is in a content encoding that is not known"))
            }
        }
    }

    /// Judges a request without keeping the body: for engines, whose hosts keep it.
    ///
    /// # Errors
    /// As [`Verifier::verify`].
    #[doc(hidden)]
    pub fn prove<'a>(&'a self, request: &Request<'a>, now: i64) -> Result<Proof<'a>, Error> {
        self.fits(request.body.len())?;
        let wire = self.0.wire(request);
        let mut candidates = Candidates::new();
        let head = self.0.open(&wire, &mut candidates)?;
        let proof = self.0.settle(&wire, head, &mut candidates, now, &Running::new());
        proof.map_err(|error| self.0.explained(error, request, now))
    }

    /// Puts a proof and the body that it is about together again.
    #[doc(hidden)]
    pub fn deliver<'a>(&self, proof: Proof<'a>, body: impl Into<Cow<'a, [u8]>>) -> Delivery<'a> {
        Delivery::new(self.clone(), proof, body.into())
    }

    /// The proof of a request that has been judged before, from what the host kept of it: its headers, and the two
    /// numbers that [`Proof::secret`] and [`Proof::timestamp`] gave.
    #[doc(hidden)]
    pub fn recall<'a>(
        &'a self,
        request: &Request<'a>,
        secret: usize,
        timestamp: Option<i64>,
    ) -> Result<Proof<'a>, Error> {
        let wire = self.0.wire(request);
        let mut head = self.0.open(&wire, &mut Candidates::new())?;
        self.0.complete(&wire, &mut head)?;
        let signed = self.0.signed(&wire, &head)?;
        Ok(Proof { id: head.id, event: self.0.event(&wire), timestamp, secret, signed })
    }

    /// That a body of this many bytes is within the limit: for adapters that know the length before they read.
    ///
    /// # Errors
    /// [`ErrorKind::BodyTooLarge`].
    pub fn fits(&self, length: usize) -> Result<(), Error> {
        if length > self.max_body() {
            return Err(Error::new(
                ErrorKind::BodyTooLarge,
                alloc::format!("the body is over the limit of {} bytes", self.max_body()),
            ));
        }
        Ok(())
    }
}

impl fmt::Debug for Verifier {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Verifier({})", self.0.scheme.id())
    }
}

/// That a request was judged, without its body. Only a verifier makes one.
#[doc(hidden)]
#[derive(Clone)]
pub struct Proof<'a> {
    pub(crate) id: Option<Cow<'a, str>>,
    pub(crate) event: Option<Cow<'a, str>>,
    pub(crate) timestamp: Option<i64>,
    pub(crate) secret: usize,
    pub(crate) signed: Option<Vec<u8>>,
}

impl Proof<'_> {
    /// Which secret matched, in the order given.
    pub fn secret(&self) -> usize {
        self.secret
    }

    /// The signed time in Unix seconds.
    pub fn timestamp(&self) -> Option<i64> {
        self.timestamp
    }

    /// The same without borrowing.
    pub fn into_owned(self) -> Proof<'static> {
        let owned = |text: Cow<'_, str>| Cow::Owned(text.into_owned());
        Proof {
            id: self.id.map(owned),
            event: self.event.map(owned),
            timestamp: self.timestamp,
            secret: self.secret,
            signed: self.signed,
        }
    }
}

/// What a request says of itself, judged against its grammar.
#[derive(Default)]
pub(crate) struct Head<'a> {
    id: Option<Cow<'a, str>>,
    timestamp: Option<(Cow<'a, [u8]>, i64)>,
}

impl Head<'_> {
    pub(crate) fn proven(&self) -> Proven<'_> {
        Proven {
            id: self.id.as_deref().unwrap_or_default().as_bytes(),
            timestamp: self.timestamp.as_ref().map(|(text, _)| text.as_ref()).unwrap_or_default(),
        }
    }
}

/// MAC states that have already seen everything in front of the body, and the body: one for each key of the one rule.
pub(crate) type Running = Vec<(usize, Hasher)>;

impl Inner {
    pub(crate) fn definition(&self) -> &Definition {
        &self.scheme.0
    }

    pub(crate) fn tolerance(&self) -> u64 {
        let rule = self.definition().timestamp.as_ref();
        let horizon = || self.definition().retry.as_ref().map_or(300, crate::Retry::horizon);
        self.options
            .tolerance
            .or(rule.map(|rule| rule.tolerance).filter(|tolerance| *tolerance > 0))
            .unwrap_or_else(horizon)
    }

    pub(crate) fn secret_name(&self, secret: usize) -> Option<&str> {
        self.keys.iter().find(|key| key.secret == secret).and_then(|key| key.name.as_deref())
    }

    pub(crate) fn wire<'a>(&'a self, request: &Request<'a>) -> Wire<'a> {
        Wire::new(self.definition(), &self.options, request)
    }

    fn explained(&self, error: Error, request: &Request<'_>, now: i64) -> Error {
        if self.secrets.is_none() || error.kind() != ErrorKind::SignatureMismatch {
            return error;
        }
        match self.explain(request, now) {
            Some(why) => Error::new(error.kind(), alloc::format!("no signature matches ({}): {}", why.cause, why.fix)),
            None => error,
        }
    }

    pub(crate) fn keys(&self) -> &[Key] {
        &self.keys
    }

    pub(crate) fn active_keys(&self, now: i64) -> impl Iterator<Item = &Key> {
        self.keys.iter().filter(move |key| key.window.holds(now))
    }

    /// Everything that can be judged before the body is there: what is missing first, then the grammar, both in the
    /// order id, timestamp, signature.
    pub(crate) fn open<'a>(&'a self, wire: &Wire<'a>, candidates: &mut Candidates) -> Result<Head<'a>, Error> {
        let definition = self.definition();
        let in_head = |sources: &[Source]| !sources.iter().any(Source::in_body);

        let id = self.lent(wire, &definition.delivery.id)?;
        if id.is_none() && self.plan.needs_id && in_head(&definition.delivery.id) {
            return Err(ID_MISSING);
        }
        let timestamp = match &definition.timestamp {
            // A label can only be looked for in a list that is there.
            Some(rule) if !rule.from.iter().any(|from| matches!(from, Source::Label(_) | Source::Position(_))) => {
                let timestamp = self.lent(wire, &rule.from)?;
                if timestamp.is_none() && in_head(&rule.from) {
                    return Err(TIMESTAMP_MISSING);
                }
                timestamp
            }
            _ => None,
        };
        let carried = wire.rules().filter(|(_, rule)| !in_body(rule));
        let mut absent = carried.clone().next().is_some();
        for (_, rule) in carried.clone() {
            absent = absent && wire.carried(rule)?.next().is_none();
        }
        if absent {
            return Err(self.nothing_carried(carried));
        }

        let mut head = Head::default();
        if let Some(id) = id {
            head.id = self.judged_id(id)?;
        }
        if let Some(timestamp) = timestamp {
            head.timestamp = Some(self.judged_timestamp(timestamp)?);
        }
        self.read_candidates(wire, false, candidates)?;
        if let Some(rule) = &definition.timestamp
            && head.timestamp.is_none()
            && in_head(&rule.from)
        {
            let timestamp = self.lent(wire, &rule.from)?.ok_or(TIMESTAMP_MISSING)?;
            head.timestamp = Some(self.judged_timestamp(timestamp)?);
        }
        Ok(head)
    }

    fn nothing_carried<'a>(&self, mut rules: impl Iterator<Item = (usize, &'a SignatureRule)>) -> Error {
        if rules.any(|(_, rule)| rule.algorithm.is_token()) {
            TOKEN_MISSING.with_status(self.definition().answer.unauthorized)
        } else {
            SIGNATURE_MISSING
        }
    }

    /// The first of the sources outside the body that has a value.
    fn lent<'a>(&self, wire: &Wire<'a>, sources: &'a [Source]) -> Result<Option<Cow<'a, [u8]>>, Error> {
        for source in sources.iter().filter(|source| !source.in_body()) {
            let value = match source {
                Source::Query(_) => wire.value(source)?.map(|value| Cow::Owned(value.into_owned())),
                _ => wire.lent(source).filter(|value| !value.is_empty()),
            };
            if value.is_some() {
                return Ok(value);
            }
        }
        Ok(None)
    }

    /// An id that is part of what is signed must not be able to move a boundary in it; one that binds nobody is
    /// simply not taken.
    fn judged_id<'a>(&self, id: Cow<'a, [u8]>) -> Result<Option<Cow<'a, str>>, Error> {
        let allowed = |byte: &u8| self.plan.id_bytes.get(usize::from(*byte)).copied().unwrap_or_default();
        let well_formed = id.len() <= 255 && id.iter().all(allowed);
        match text(id) {
            Some(id) if well_formed => Ok(Some(id)),
            _ if self.plan.needs_id => Err(ID_MALFORMED),
            _ => Ok(None),
        }
    }

    fn judged_timestamp<'a>(&self, timestamp: Cow<'a, [u8]>) -> Result<(Cow<'a, [u8]>, i64), Error> {
        let rule = self.definition().timestamp.as_ref();
        let seconds = rule.and_then(|rule| rule.unit.parse(&timestamp)).ok_or(TIMESTAMP_MALFORMED)?;
        Ok((timestamp, seconds))
    }

    /// Reads the signatures of each place once, for all rules that look there.
    fn read_candidates(&self, wire: &Wire<'_>, from_body: bool, candidates: &mut Candidates) -> Result<(), Error> {
        let mut any = false;
        for place in &self.plan.places {
            let rules = || place.entries.iter().filter_map(|entry| self.definition().signatures.get(entry.number));
            let Some(rule) = rules().find(|rule| wire.counts(rule)) else { continue };
            if in_body(rule) != from_body || per_item(rule) {
                continue;
            }
            any = true;
            for value in wire.carried(rule)? {
                candidates.read(&value, place, self.definition(), |rule| wire.counts(rule))?;
            }
        }
        if any { candidates.check() } else { Ok(()) }
    }

    /// What stands in the body: the id where it is needed, and the timestamp.
    fn complete<'a>(&'a self, wire: &Wire<'a>, head: &mut Head<'a>) -> Result<(), Error> {
        let definition = self.definition();
        let body_id = if head.id.is_none() && self.plan.needs_id {
            Some(wire.first(&definition.delivery.id)?.ok_or(ID_MISSING)?.into_owned())
        } else {
            None
        };
        let body_timestamp = match &definition.timestamp {
            Some(rule) if head.timestamp.is_none() => {
                Some(wire.first(&rule.from)?.ok_or(TIMESTAMP_MISSING)?.into_owned())
            }
            _ => None,
        };
        if let Some(id) = body_id {
            head.id = self.judged_id(Cow::Owned(id))?;
        }
        if let Some(timestamp) = body_timestamp {
            head.timestamp = Some(self.judged_timestamp(Cow::Owned(timestamp))?);
        }
        Ok(())
    }

    /// The rest, once the body is there: what stands in it, the signature, the window.
    pub(crate) fn settle<'a>(
        &'a self,
        wire: &Wire<'a>,
        mut head: Head<'a>,
        candidates: &mut Candidates,
        now: i64,
        running: &Running,
    ) -> Result<Proof<'a>, Error> {
        let definition = self.definition();
        self.complete(wire, &mut head)?;
        let in_body_rules = wire.rules().filter(|(_, rule)| in_body(rule) && !per_item(rule));
        if in_body_rules.clone().next().is_some() {
            let mut absent = true;
            for (_, rule) in in_body_rules.clone() {
                absent = absent && wire.carried(rule)?.next().is_none();
            }
            if absent {
                return Err(self.nothing_carried(in_body_rules));
            }
            self.read_candidates(wire, true, candidates)?;
        }

        let mut secret = None;
        for (number, rule) in wire.rules() {
            let found = if rule.algorithm.is_token() {
                self.match_token(wire, number, rule, now)?
            } else if let Some(items) = wire.items(rule)? {
                self.match_items(wire, number, rule, &items, head.proven(), now)?
            } else {
                self.match_content(wire, number, rule, head.proven(), candidates, now, running)?
            };
            secret = secret.or(found);
        }
        let Some(secret) = secret else {
            let token = wire.rules().all(|(_, rule)| rule.algorithm.is_token());
            return Err(if token { TOKEN_MISMATCH.with_status(definition.answer.unauthorized) } else { MISMATCH });
        };

        if let Some((_, timestamp)) = &head.timestamp {
            self.within_window(*timestamp, now)?;
        }
        for pointer in &definition.delivery.required {
            let found = json::find(wire.body, pointer).map_err(unreadable)?;
            if found.is_none_or(|found| matches!(found.raw(), "null" | "\"\"")) {
                return Err(Error::new(
                    ErrorKind::FieldMissing,
                    alloc::format!("the body is without `{}`", pointer.as_str()),
                ));
            }
        }
        let signed = self.signed(wire, &head)?;
        Ok(Proof {
            id: head.id,
            event: self.event(wire),
            timestamp: head.timestamp.map(|(_, seconds)| seconds),
            secret,
            signed,
        })
    }

    /// Judged after the signature, so that it is only ever said of an authentic request.
    fn within_window(&self, timestamp: i64, now: i64) -> Result<(), Error> {
        let tolerance = i64::try_from(self.tolerance()).unwrap_or(i64::MAX);
        let age = now.saturating_sub(timestamp);
        if age > tolerance {
            let message = alloc::format!("it was signed {age} s ago: the tolerance is {tolerance} s");
            return Err(Error::new(ErrorKind::TimestampTooOld, message));
        }
        if age < tolerance.saturating_neg() {
            let message =
                alloc::format!("it was signed {} s ahead: the tolerance is {tolerance} s", age.saturating_neg());
            return Err(Error::new(ErrorKind::TimestampTooNew, message));
        }
        Ok(())
    }

    fn active(&self, rule: usize, now: i64) -> impl Iterator<Item = &Key> + Clone {
        self.keys.iter().filter(move |key| key.rule == rule && key.window.holds(now)).take(MOST_SECRETS)
    }

    /// The token may be any of the configured ones, and where every item of a batch brings one, all of them must be.
    fn match_token(
        &self,
        wire: &Wire<'_>,
        number: usize,
        rule: &SignatureRule,
        now: i64,
    ) -> Result<Option<usize>, Error> {
        let missing = || TOKEN_MISSING.with_status(self.definition().answer.unauthorized);
        let mut secret = None;
        if let Some(items) = wire.items(rule)? {
            for item in &items {
                let token = item.signature.as_deref().filter(|token| !token.is_empty()).ok_or_else(missing)?;
                match self.token_of(number, rule, token.as_bytes(), now) {
                    Some(found) => secret = secret.or(Some(found)),
                    None => return Ok(None),
                }
            }
            return if items.is_empty() { Err(missing()) } else { Ok(secret) };
        }
        for value in wire.carried(rule)? {
            secret = secret.or(self.token_of(number, rule, &value, now));
        }
        Ok(secret)
    }

    /// Which secret this token is. Both sides are hashed first, so that not even a length is told.
    fn token_of(&self, number: usize, rule: &SignatureRule, value: &[u8], now: i64) -> Option<usize> {
        let digest = crate::digest::Hash::Sha256;
        let prefixed = || rule.prefixes.iter().find_map(|prefix| strip_prefix_ignoring_case(value, prefix.as_bytes()));
        let value = if rule.prefixes.is_empty() { value } else { prefixed()? };
        let candidate = match rule.algorithm {
            Algorithm::Basic => {
                let encoded = strip_prefix_ignoring_case(value, b"basic ")?;
                digest.of(&crate::encoding::Encoding::Base64.decode(encoded)?)
            }
            _ => digest.of(value),
        };
        self.active(number, now).fold(None, |secret, key| match &key.kind {
            Kind::Plain(token) if digest.of(token).matches(candidate.as_bytes(), &key.blind).into() => {
                secret.or(Some(key.secret))
            }
            _ => secret,
        })
    }

    /// Every item must verify with its own signature.
    fn match_items(
        &self,
        wire: &Wire<'_>,
        number: usize,
        rule: &SignatureRule,
        items: &[crate::wire::Item<'_>],
        proven: Proven<'_>,
        now: i64,
    ) -> Result<Option<usize>, Error> {
        if items.is_empty() {
            return Err(SIGNATURE_MISSING);
        }
        let mut secret = None;
        for item in items {
            let signature =
                item.signature.as_deref().filter(|signature| !signature.is_empty()).ok_or(SIGNATURE_MISSING)?;
            let mut candidates = Candidates::new();
            let place = self.plan.places.iter().find(|place| place.entries.iter().any(|entry| entry.number == number));
            if let Some(place) = place {
                candidates.read(signature.as_bytes(), place, self.definition(), |rule| wire.counts(rule))?;
            }
            candidates.check()?;
            let content = wire.content(rule, Spelling::AsIs, Some(item), proven)?;
            let found = self.compare(number, rule, &content, &candidates, now, &Running::new());
            secret = Some(found.ok_or(MISMATCH)?);
        }
        Ok(secret)
    }

    #[expect(clippy::too_many_arguments, reason = "the parts of one request, each of its own lifetime")]
    fn match_content(
        &self,
        wire: &Wire<'_>,
        number: usize,
        rule: &SignatureRule,
        proven: Proven<'_>,
        candidates: &Candidates,
        now: i64,
        running: &Running,
    ) -> Result<Option<usize>, Error> {
        if candidates.of_rule(number).next().is_none() {
            return Ok(None);
        }
        if wire.is_extended(rule) {
            return Err(Error::fixed(
                ErrorKind::BodyMalformed,
                "the body is not plain text, and a bare digest can be extended with such bytes",
            ));
        }
        let mut secret = None;
        for spelling in self.spellings(rule) {
            let content = wire.content(rule, *spelling, None, proven)?;
            let found = self.compare(number, rule, &content, candidates, now, running);
            if found.is_some() && self.is_challenge(&content) {
                return Err(Error::fixed(
                    ErrorKind::BodyMalformed,
                    "what is signed looks like the challenge of a handshake",
                ));
            }
            secret = secret.or(found);
        }
        if let (Some(_), Some(hash)) = (secret, &rule.body_hash) {
            let stated = wire.value(&hash.from)?;
            if stated.is_none() && wire.body.is_empty() {
                return Ok(secret);
            }
            let stated = stated.ok_or(Error::fixed(ErrorKind::HeaderMissing, "the hash of the body is absent"))?;
            let mut buffer = [0; 64];
            let stated = hash.encoding.decode_into(&stated, &mut buffer).unwrap_or_default();
            let computed = hash.hash.of(wire.body);
            let equal: bool = self.keys.first().is_some_and(|key| computed.matches(stated, &key.blind).into());
            if !equal {
                return Err(Error::fixed(ErrorKind::SignatureMismatch, "the body is not the one whose hash is signed"));
            }
        }
        Ok(secret)
    }

    pub(crate) fn spellings(&self, rule: &SignatureRule) -> &[Spelling] {
        if rule.content.any(|what| matches!(what, What::Url(_))) {
            &self.definition().spellings
        } else {
            &[Spelling::AsIs]
        }
    }

    /// Compares every key's signature with every candidate: which of them matches is not told by the time it takes.
    fn compare(
        &self,
        number: usize,
        rule: &SignatureRule,
        content: &Content<'_>,
        candidates: &Candidates,
        now: i64,
        running: &Running,
    ) -> Option<usize> {
        let mut secret = None;
        if matches!(rule.algorithm, Algorithm::Ed25519 | Algorithm::EcdsaP256) {
            let message = content.joined();
            for key in self.active(number, now) {
                if candidates
                    .of_rule(number)
                    .any(|candidate| is_signed_by(&key.kind, rule.der, &message, candidate.bytes()))
                {
                    secret = secret.or(Some(key.secret));
                }
            }
            return secret;
        }
        for key in self.active(number, now) {
            let started = running.iter().find(|(of, _)| *of == key.secret).map(|(_, hasher)| hasher.clone());
            let tag = match (started, &key.kind, rule.algorithm) {
                (Some(hasher), _, _) => content.tag(hasher, &[], content.after_body()),
                (None, Kind::Mac(keyed), _) => content.tag((**keyed).clone(), &[], 0),
                (None, Kind::Plain(plain), Algorithm::Digest(hash)) => content.tag(hash.start(), plain, 0),
                _ => continue,
            };
            let matched = candidates
                .of_rule(number)
                .fold(Choice::from(0), |matched, candidate| matched | tag.matches(candidate.bytes(), &key.blind));
            if matched.into() {
                secret = secret.or(Some(key.secret));
            }
        }
        secret
    }

    fn is_challenge(&self, content: &Content<'_>) -> bool {
        self.plan.oracle && {
            let content = content.joined();
            self.definition()
                .handshakes
                .iter()
                .any(|handshake| handshake.mac.is_some() && handshake.grammar.fits(&content))
        }
    }

    /// What the signature covers, where that is not the whole body.
    fn signed(&self, wire: &Wire<'_>, head: &Head<'_>) -> Result<Option<Vec<u8>>, Error> {
        if !self.plan.partial {
            return Ok(None);
        }
        let mut signed = Vec::new();
        for (_, rule) in wire.rules() {
            match wire.items(rule)? {
                Some(items) => {
                    for item in &items {
                        signed.extend(wire.content(rule, Spelling::AsIs, Some(item), head.proven())?.joined());
                        signed.push(b'\n');
                    }
                }
                None => signed.extend(wire.content(rule, Spelling::AsIs, None, head.proven())?.joined()),
            }
        }
        Ok(Some(signed))
    }

    /// The event type, where it stands outside the body.
    fn event<'a>(&'a self, wire: &Wire<'a>) -> Option<Cow<'a, str>> {
        let event = self.lent(wire, &self.definition().delivery.event_type).ok()??;
        if is_visible(&event) && event.len() <= 255 { text(event) } else { None }
    }
}

fn in_body(rule: &SignatureRule) -> bool {
    matches!(rule.carrier, Carrier::Form(_) | Carrier::Json(_))
}

fn per_item(rule: &SignatureRule) -> bool {
    matches!(&rule.carrier, Carrier::Json(pointer) if pointer.each())
}

#[cfg_attr(
    not(all(feature = "ed25519", feature = "ecdsa")),
    expect(unused_variables, reason = "without an algorithm its parameters are not used")
)]
fn is_signed_by(key: &Kind, der: bool, message: &[u8], signature: &[u8]) -> bool {
    match key {
        #[cfg(feature = "ed25519")]
        Kind::Ed25519(key) => {
            let signature = ed25519_dalek::Signature::from_slice(signature);
            // Strict: one message has one signature, and a key of small order has none.
            signature.is_ok_and(|signature| key.verify_strict(message, &signature).is_ok())
        }
        #[cfg(feature = "ecdsa")]
        Kind::EcdsaP256(key) => {
            use p256::ecdsa::{Signature, signature::Verifier as _};
            let signature = if der { Signature::from_der(signature) } else { Signature::from_slice(signature) };
            signature.is_ok_and(|signature| key.verify(message, &signature).is_ok())
        }
        Kind::Mac(_) | Kind::Plain(_) => false,
    }
}

fn strip_prefix_ignoring_case<'t>(text: &'t [u8], prefix: &[u8]) -> Option<&'t [u8]> {
    let (head, rest) = text.split_at_checked(prefix.len())?;
    head.eq_ignore_ascii_case(prefix).then_some(rest)
}

fn text(bytes: Cow<'_, [u8]>) -> Option<Cow<'_, str>> {
    match bytes {
        Cow::Borrowed(bytes) => core::str::from_utf8(bytes).ok().map(Cow::Borrowed),
        Cow::Owned(bytes) => String::from_utf8(bytes).ok().map(Cow::Owned),
    }
}

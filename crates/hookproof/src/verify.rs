use alloc::{borrow::Cow, string::String, sync::Arc, vec::Vec};
use core::fmt;

use crate::{
    Delivery, Error, ErrorKind, Options, Scheme,
    comparison::Running,
    keyring::{self, Key, Kind},
    plan::Plan,
    proof::Proof,
    request::Request,
    scheme::definition::Definition,
    secret::Secrets,
    signature::Candidates,
    wire::Wire,
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

    /// Whether every key is a public one, so that whoever reads them can forge nothing.
    ///
    /// ```
    /// use hookproof::{Scheme, Secret, Verifier};
    /// let secret = Secret::new("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")?;
    /// assert!(!Verifier::new(Scheme::named("standard-webhooks")?, secret)?.has_public_keys_only());
    /// # Ok::<(), hookproof::Error>(())
    /// ```
    pub fn has_public_keys_only(&self) -> bool {
        !self.0.keys.iter().any(|key| matches!(key.kind, Kind::Mac(_) | Kind::Plain(_)))
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

    /// Whether anything looks at the URL of a request, so that a host need not put one together for nothing.
    #[doc(hidden)]
    pub fn reads_url(&self) -> bool {
        self.0.definition().reads_url(self.0.options.handshake)
    }

    /// Decides whether a request is authentic and fresh; `now` is the Unix time in seconds.
    ///
    /// # Errors
    /// Any kind of the table that is not about configuration, and never anything else, whatever the request holds.
    pub fn verify<'a>(&'a self, request: &Request<'a>, now: i64) -> Result<Delivery<'a>, Error> {
        if let Some(body) = self.decode(request)? {
            let proof = self.prove(&Request { body: &body, ..*request }, now)?.into_owned();
            return Ok(self.deliver(proof, body));
        }
        Ok(self.deliver(self.prove(request, now)?, request.body))
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
        match wire.named("content-encoding").map(|value| value.to_ascii_lowercase()).as_deref() {
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
        let usual = self.0.plan.usual.as_ref().and_then(|usual| usual.judge(&self.0, request, now));
        match usual.unwrap_or_else(|| self.0.judge(request, now, &Running::new())) {
            Err(error) => Err(self.0.explained(error, request, now)),
            proof => proof,
        }
    }

    /// Puts a proof and the body that it is about together again.
    #[doc(hidden)]
    pub fn deliver<'a>(&'a self, proof: Proof<'a>, body: impl Into<Cow<'a, [u8]>>) -> Delivery<'a> {
        Delivery::new(Cow::Borrowed(self), proof, body.into())
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
                alloc::format!("the body is over the limit of {} bytes (`max_body`)", self.max_body()),
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

impl Inner {
    pub(crate) fn definition(&self) -> &Definition {
        &self.scheme.0
    }

    pub(crate) fn tolerance(&self) -> u64 {
        self.plan.tolerance
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

    pub(crate) fn plan(&self) -> &Plan {
        &self.plan
    }

    pub(crate) fn keys(&self) -> &[Key] {
        &self.keys
    }

    pub(crate) fn active_keys(&self, now: i64) -> impl Iterator<Item = &Key> {
        self.keys.iter().filter(move |key| key.window.holds(now))
    }
}

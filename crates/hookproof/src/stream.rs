use alloc::{
    borrow::{Cow, ToOwned},
    string::String,
    vec::Vec,
};
use core::fmt;

use crate::{
    Delivery, Error, Request, Verifier,
    comparison::Running,
    content::Content,
    keyring::Kind,
    scheme::{definition::Algorithm, template::What},
    signature::Candidates,
    url::Spelling,
};

/// A verification whose body arrives in pieces. Header errors come at the start, before any of it is read.
///
/// Where the body stands in what is signed as it is, the MAC is computed while it arrives; the bytes are kept too,
/// up to the limit, because a [`Delivery`] holds them.
///
/// ```
/// use hookproof::{Request, Scheme, Secret, Verifier};
/// let verifier = Verifier::new(Scheme::named("github")?, Secret::new("It's a Secret to Everybody")?)?;
/// let headers = [("X-Hub-Signature-256", "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17")];
/// let mut stream = verifier.start(&Request::new(&headers, ""))?;
/// stream.update(b"Hello, ")?;
/// stream.update(b"World!")?;
/// assert_eq!(stream.finish(1_700_000_000)?.body(), b"Hello, World!");
/// # Ok::<(), hookproof::Error>(())
/// ```
pub struct Stream {
    verifier: Verifier,
    headers: Vec<(String, Vec<u8>)>,
    method: Option<String>,
    url: Option<String>,
    body: Vec<u8>,
    running: Running,
}

impl Verifier {
    /// Starts a verification of a request whose body is still to come.
    ///
    /// # Errors
    /// What is missing or malformed in the headers.
    pub fn start(&self, request: &Request<'_>) -> Result<Stream, Error> {
        let request = Request { body: &[], ..*request };
        let inner = self.inner();
        let wire = inner.wire(&request);
        let head = inner.open(&wire, &mut Candidates::new())?;
        let mut running = Running::new();
        let mut rules = wire.rules();
        if let (Some((number, rule)), None) = (rules.next(), rules.next()) {
            let body_pieces = rule.content.0.iter().filter(|piece| piece.what == What::Body);
            let plain = body_pieces.clone().count() == 1
                && body_pieces.clone().all(|piece| piece.filters.is_empty())
                && !rule.content.any(|what| {
                    matches!(what, What::Value(source) if source.in_body()) || matches!(what, What::FormSorted { .. })
                })
                && !inner.definition().timestamp.iter().flat_map(|rule| &rule.from).any(|source| source.in_body());
            if plain && !inner.definition().decoded && inner.spellings(rule) == [Spelling::AsIs] {
                let mut content = Content::new();
                wire.fill(&mut content, rule, Spelling::AsIs, None, head.proven())?;
                for key in inner.keys().iter().filter(|key| key.rule == number) {
                    let (mut hasher, plain): (_, &[u8]) = match (&key.kind, rule.algorithm) {
                        (Kind::Mac(keyed), _) => ((**keyed).clone(), &[]),
                        (Kind::Plain(plain), Algorithm::Digest(hash)) => (hash.start(), plain),
                        _ => continue,
                    };
                    content.before_body(plain).into_iter().for_each(|part| hasher.update(part));
                    running.push((key.secret, hasher));
                }
            }
        }
        let headers = self
            .header_names()
            .iter()
            .enumerate()
            .filter_map(|(place, name)| Some((name.clone(), request.headers.value(place, name)?.into_owned())))
            .collect();
        Ok(Stream {
            verifier: self.clone(),
            headers,
            method: request.method.map(ToOwned::to_owned),
            url: request.url.map(ToOwned::to_owned),
            body: Vec::new(),
            running,
        })
    }
}

impl Stream {
    /// Takes the next piece of the body.
    ///
    /// # Errors
    /// [`ErrorKind::BodyTooLarge`](crate::ErrorKind::BodyTooLarge) as soon as the limit is passed: stop reading there.
    pub fn update(&mut self, chunk: &[u8]) -> Result<(), Error> {
        self.verifier.fits(self.body.len().saturating_add(chunk.len()))?;
        for (_, hasher) in &mut self.running {
            hasher.update(chunk);
        }
        self.body.extend_from_slice(chunk);
        Ok(())
    }

    /// Judges the request; `now` is the Unix time in seconds.
    ///
    /// # Errors
    /// As [`Verifier::verify`].
    pub fn finish(self, now: i64) -> Result<Delivery<'static>, Error> {
        let mut request = Request::new(&self.headers, &self.body);
        (request.method, request.url) = (self.method.as_deref(), self.url.as_deref());
        let decoded = self.verifier.decode(&request)?;
        if let Some(body) = &decoded {
            request.body = body;
        }
        let proof = self.verifier.inner().judge(&request, now, &self.running)?.into_owned();
        Ok(Delivery::new(Cow::Owned(self.verifier), proof, Cow::Owned(decoded.unwrap_or(self.body))))
    }
}

impl fmt::Debug for Stream {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Stream")
            .field("verifier", &self.verifier)
            .field("body_bytes", &self.body.len())
            .finish_non_exhaustive()
    }
}

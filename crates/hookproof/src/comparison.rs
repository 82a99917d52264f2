//! Which secret a request was signed with. Which of them matches is not told by the time it takes.

use alloc::vec::Vec;

use crate::{
    Error, ErrorKind,
    content::{Content, Proven},
    digest::{Hash, Hasher},
    encoding::Encoding,
    keyring::{Key, Kind},
    scheme::{
        definition::{Algorithm, SignatureRule},
        template::What,
    },
    signature::{Candidate, Candidates},
    url::Spelling,
    verify::Inner,
    wire::{Item, Wire},
};

const MISMATCH: Error = Error::fixed(
    ErrorKind::SignatureMismatch,
    "no signature matches: is it the secret of this endpoint, and is the body untouched, byte for byte?",
);
const URL_MISMATCH: Error = Error::fixed(
    ErrorKind::SignatureMismatch,
    "no signature matches: is it the secret of this endpoint, is `public_url` the address that the provider calls, and is the body untouched, byte for byte?",
);
const SIGNATURE_MISSING: Error =
    Error::fixed(ErrorKind::SignatureMissing, "the batch is empty, or an item of it is without its signature");
const TOKEN_MISSING: Error =
    Error::fixed(ErrorKind::TokenMissing, "the batch is empty, or an item of it is without its token");
const NOT_PLAIN: Error = Error::fixed(
    ErrorKind::BodyMalformed,
    "the body is not plain text, and a bare digest can be extended with such bytes",
);
const CHALLENGE: Error =
    Error::fixed(ErrorKind::BodyMalformed, "what is signed looks like the challenge of a handshake");
const NO_BODY_HASH: Error = Error::fixed(ErrorKind::HeaderMissing, "the hash of the body is absent");
const OTHER_BODY: Error = Error::fixed(ErrorKind::SignatureMismatch, "the body is not the one whose hash is signed");

/// MAC states that have already seen everything in front of the body, and the body: one for each key of the one rule.
pub(crate) type Running = Vec<(usize, Hasher)>;

/// One rule and one request.
pub(crate) struct Comparison<'c> {
    pub(crate) inner: &'c Inner,
    pub(crate) wire: &'c Wire<'c>,
    /// Which rule of the scheme.
    pub(crate) number: usize,
    pub(crate) rule: &'c SignatureRule,
    pub(crate) proven: Proven<'c>,
    pub(crate) now: i64,
}

impl Comparison<'_> {
    /// The secret that matches, if any does.
    pub(crate) fn secret(&self, candidates: &Candidates, running: &Running) -> Result<Option<usize>, Error> {
        let items = self.wire.items(self.rule)?;
        match (self.rule.algorithm.is_token(), items) {
            (true, Some(items)) => self.of_tokens(&items),
            (true, None) => self.of_token(),
            (false, Some(items)) => self.of_items(&items),
            (false, None) => self.of_content(candidates, running),
        }
    }

    fn active(&self) -> impl Iterator<Item = &Key> {
        self.inner.active_keys(self.now).filter(|key| key.rule == self.number)
    }

    /// The token may be any of the configured ones.
    fn of_token(&self) -> Result<Option<usize>, Error> {
        let mut secret = None;
        for value in self.wire.carried(self.rule)? {
            secret = secret.or(self.owner(&value));
        }
        Ok(secret)
    }

    /// Where every item of a batch brings one, all of them must be.
    fn of_tokens(&self, items: &[Item<'_>]) -> Result<Option<usize>, Error> {
        let missing = || self.inner.unauthorized(TOKEN_MISSING);
        let mut secret = None;
        for item in items {
            let token = item.signature.as_deref().filter(|token| !token.is_empty()).ok_or_else(missing)?;
            let Some(owner) = self.owner(token.as_bytes()) else { return Ok(None) };
            secret = secret.or(Some(owner));
        }
        if items.is_empty() { Err(missing()) } else { Ok(secret) }
    }

    /// Which secret this token is. Both sides are hashed first, so that not even a length is told.
    fn owner(&self, value: &[u8]) -> Option<usize> {
        let prefixes = &self.rule.prefixes;
        let prefixed = || prefixes.iter().find_map(|prefix| strip_prefix_ignoring_case(value, prefix.as_bytes()));
        let value = if prefixes.is_empty() { value } else { prefixed()? };
        let candidate = match self.rule.algorithm {
            Algorithm::Basic => {
                Hash::Sha256.of(&Encoding::Base64.decode(strip_prefix_ignoring_case(value, b"basic ")?)?)
            }
            _ => Hash::Sha256.of(value),
        };
        self.active().fold(None, |secret, key| match &key.kind {
            Kind::Plain(token) if Hash::Sha256.of(token).is_among([candidate.as_bytes()], &key.blind).into() => {
                secret.or(Some(key.secret))
            }
            _ => secret,
        })
    }

    /// Every item must verify with its own signature.
    fn of_items(&self, items: &[Item<'_>]) -> Result<Option<usize>, Error> {
        let place = self.inner.plan().place_of(self.number);
        let mut secret = Err(SIGNATURE_MISSING);
        for item in items {
            let signature =
                item.signature.as_deref().filter(|signature| !signature.is_empty()).ok_or(SIGNATURE_MISSING)?;
            let mut candidates = Candidates::new();
            if let Some(place) = place {
                candidates.read(signature.as_bytes(), place, self.rule, self.wire)?;
            }
            candidates.check()?;
            let mut content = Content::new();
            self.wire.fill(&mut content, self.rule, Spelling::AsIs, Some(item), self.proven)?;
            secret =
                Ok(Some(self.signer(&content, &candidates, &Running::new()).ok_or_else(|| self.inner.mismatch())?));
        }
        secret
    }

    fn of_content(&self, candidates: &Candidates, running: &Running) -> Result<Option<usize>, Error> {
        if candidates.of_rule(self.number).next().is_none() {
            return Ok(None);
        }
        if self.wire.is_extended(self.rule) {
            return Err(NOT_PLAIN);
        }
        let mut secret = None;
        for spelling in self.inner.spellings(self.rule) {
            let mut content = Content::new();
            self.wire.fill(&mut content, self.rule, *spelling, None, self.proven)?;
            let found = self.signer(&content, candidates, running);
            if found.is_some() && self.inner.is_challenge(&content) {
                return Err(CHALLENGE);
            }
            secret = secret.or(found);
        }
        if secret.is_some() {
            self.check_body_hash()?;
        }
        Ok(secret)
    }

    /// That the body is the one whose hash was signed in its place. Neither of the two hashes is a secret.
    fn check_body_hash(&self) -> Result<(), Error> {
        let Some(rule) = &self.rule.body_hash else { return Ok(()) };
        let stated = match self.wire.value(&rule.from)? {
            None if self.wire.body.is_empty() => return Ok(()),
            stated => stated.ok_or(NO_BODY_HASH)?,
        };
        let stated = rule.encoding.decode_into(&stated, &mut [0; 64]) == Some(rule.hash.of(self.wire.body).as_bytes());
        if stated { Ok(()) } else { Err(OTHER_BODY) }
    }

    /// The secret whose signature of this content is among the candidates.
    fn signer(&self, content: &Content<'_>, candidates: &Candidates, running: &Running) -> Option<usize> {
        let mut secret = None;
        if matches!(self.rule.algorithm, Algorithm::Ed25519 | Algorithm::EcdsaP256) {
            let message = content.joined(&[]);
            for key in self.active() {
                let mut candidates = candidates.of_rule(self.number);
                if candidates.any(|candidate| is_signed_by(&key.kind, self.rule.der, &message, candidate.bytes())) {
                    secret = secret.or(Some(key.secret));
                }
            }
            return secret;
        }
        for key in self.active() {
            let started = running.iter().find(|(of, _)| *of == key.secret);
            let tag = match (started, &key.kind, self.rule.algorithm) {
                (Some((_, hasher)), Kind::Mac(_), _) => hasher.tag(&content.after_body(&[])),
                (Some((_, hasher)), Kind::Plain(plain), _) => hasher.tag(&content.after_body(plain)),
                (None, Kind::Mac(keyed), _) => content.tag(keyed, &[]),
                (None, Kind::Plain(plain), Algorithm::Digest(hash)) => content.tag(&hash.start(), plain),
                _ => continue,
            };
            let candidates = candidates.of_rule(self.number).map(Candidate::bytes);
            if tag.is_among(candidates, &key.blind).into() {
                secret = secret.or(Some(key.secret));
            }
        }
        secret
    }
}

impl Inner {
    pub(crate) fn mismatch(&self) -> Error {
        if self.plan().needs_url { URL_MISMATCH } else { MISMATCH }
    }

    pub(crate) fn spellings(&self, rule: &SignatureRule) -> &[Spelling] {
        match &*self.definition().spellings {
            [_, _, ..] if !rule.content.any(|what| matches!(what, What::Url(_))) => &[Spelling::AsIs],
            spellings => spellings,
        }
    }

    fn is_challenge(&self, content: &Content<'_>) -> bool {
        self.plan().oracle && {
            let content = content.joined(&[]);
            let mut handshakes = self.definition().handshakes.iter();
            handshakes.any(|handshake| handshake.mac.is_some() && handshake.grammar.fits(&content))
        }
    }
}

#[cfg_attr(
    not(all(feature = "ed25519", feature = "ecdsa")),
    expect(unused_variables, reason = "without an algorithm its parameters are not used")
)]
#[inline(never)] // a WebAssembly host compiles what runs, and few schemes have public keys
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

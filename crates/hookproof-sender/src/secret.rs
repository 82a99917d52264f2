//! Signing secrets: shown in full once, a prefix afterwards, and two of them while a rotation overlaps.

use std::fmt;

use base64ct::{Base64, Encoding};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::provider::{Alphabet, SecretEncoding, SecretForm};
use crate::{Error, random};

/// A secret as the provider shows it. It wipes itself and prints as its prefix.
#[derive(Clone)]
pub struct SigningSecret(Zeroizing<String>);

impl SigningSecret {
    /// A secret from the text that the provider showed.
    ///
    /// # Errors
    /// If it is empty, or has white space around it: both are copying mistakes.
    pub fn new(text: impl Into<String>) -> Result<Self, Error> {
        let text = Zeroizing::new(text.into());
        if text.is_empty() {
            return Err(Error::invalid("the secret is empty: is its environment variable set?"));
        }
        if text.trim() != text.as_str() {
            return Err(Error::invalid("the secret has white space around it"));
        }
        Ok(Self(text))
    }

    /// A new secret in the provider's form, from [`SecretForm::bytes`] random bytes or more.
    pub fn generate(form: &SecretForm, random: &[u8]) -> Self {
        let used = random.get(..form.bytes).unwrap_or(random);
        let written = match form.encoding {
            SecretEncoding::Hex => used.iter().map(|byte| format!("{byte:02x}")).collect(),
            SecretEncoding::Base64 => Base64::encode_string(used),
            SecretEncoding::Base62 => Alphabet::Base62.text(used),
        };
        Self(Zeroizing::new(format!("{}{written}", form.prefix)))
    }

    /// A new secret in the provider's form, from the system's random numbers.
    ///
    /// # Errors
    /// If the system has none.
    pub fn fresh(form: &SecretForm) -> Result<Self, Error> {
        Ok(Self::generate(form, &random::bytes(form.bytes)?))
    }

    /// The whole text. Show it once, when the secret is made, and sign with it; anything else wants [`SigningSecret::prefix`].
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// Whether `given` is this secret. The time it takes tells nothing but whether the two are equally long.
    pub fn is(&self, given: &str) -> bool {
        self.0.as_bytes().ct_eq(given.as_bytes()).into()
    }

    /// Enough to tell secrets apart: the first characters, a quarter of the text at most and never more than ten.
    ///
    /// ```
    /// use hookproof_sender::SigningSecret;
    /// assert_eq!(SigningSecret::new("whk_0123456789abcdefghijklmnopqrstuvwxyz")?.prefix(), "whk_012345…");
    /// assert_eq!(SigningSecret::new("short")?.prefix(), "s…");
    /// # Ok::<(), hookproof_sender::Error>(())
    /// ```
    pub fn prefix(&self) -> String {
        let shown = (self.0.chars().count() / 4).min(10);
        self.0.chars().take(shown).chain(['…']).collect()
    }
}

impl fmt::Debug for SigningSecret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "SigningSecret({})", self.prefix())
    }
}

/// The secrets of an endpoint: the newest, and older ones until their overlap ends.
#[derive(Clone, Debug)]
pub struct SecretRing {
    newest: SigningSecret,
    /// Older ones and when each of them ends, Unix milliseconds; the newest of them first.
    older: Vec<(SigningSecret, u64)>,
}

impl SecretRing {
    /// A ring with one secret.
    pub const fn new(secret: SigningSecret) -> Self {
        Self { newest: secret, older: Vec::new() }
    }

    /// Puts a new secret in front; the one before counts until `until`, Unix milliseconds.
    pub fn rotate(&mut self, secret: SigningSecret, until: u64) {
        let before = std::mem::replace(&mut self.newest, secret);
        // A secret that is rotated out again keeps no longer life than it had.
        self.older.insert(0, (before, until));
    }

    /// The secret that signs.
    pub const fn newest(&self) -> &SigningSecret {
        &self.newest
    }

    /// A text in which each of the secrets, wherever it stands, is its prefix: receivers echo what they are sent.
    ///
    /// ```
    /// use hookproof_sender::{SecretRing, SigningSecret};
    /// let ring = SecretRing::new(SigningSecret::new("whk_0123456789abcdef")?);
    /// assert_eq!(ring.redact("no webhook whk_0123456789abcdef here"), "no webhook whk_0… here");
    /// # Ok::<(), hookproof_sender::Error>(())
    /// ```
    pub fn redact(&self, text: &str) -> String {
        let all = std::iter::once(&self.newest).chain(self.older.iter().map(|(secret, _)| secret));
        // A secret of a few characters would be found in every word.
        all.filter(|secret| secret.0.len() >= 8)
            .fold(text.to_owned(), |text, secret| text.replace(secret.reveal(), &secret.prefix()))
    }

    /// All secrets that count at `now`, Unix milliseconds, the newest first.
    ///
    /// ```
    /// use hookproof_sender::{SecretRing, SigningSecret};
    /// let mut ring = SecretRing::new(SigningSecret::new("the-old-secret-of-march")?);
    /// ring.rotate(SigningSecret::new("the-new-secret-of-april")?, 1_000);
    /// assert_eq!(ring.valid(999).count(), 2);
    /// assert_eq!(ring.valid(1_000).count(), 1);
    /// # Ok::<(), hookproof_sender::Error>(())
    /// ```
    pub fn valid(&self, now: u64) -> impl Iterator<Item = &SigningSecret> {
        std::iter::once(&self.newest)
            .chain(self.older.iter().filter(move |(_, until)| now < *until).map(|(secret, _)| secret))
    }
}

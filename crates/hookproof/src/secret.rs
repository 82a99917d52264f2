use alloc::{string::String, sync::Arc, vec::Vec};
use core::fmt;
use zeroize::Zeroizing;

use crate::{Error, ErrorKind};

/// Key material as the provider shows it, with an optional name and validity window.
///
/// It is wiped when dropped, prints as `Secret([redacted])` and cannot be compared. What it may look
/// like is the scheme's business, so most errors come when a [`Verifier`](crate::Verifier) is built.
///
/// ```
/// use hookproof::Secret;
/// let secret = Secret::new("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")?.named("2026-11").valid(None, Some(1_800_000_000));
/// assert_eq!(format!("{secret:?}"), "Secret([redacted])");
/// # Ok::<(), hookproof::Error>(())
/// ```
pub struct Secret {
    pub(crate) material: Zeroizing<Vec<u8>>,
    pub(crate) name: Option<Arc<str>>,
    pub(crate) window: Window,
}

/// When a secret counts, in Unix seconds, both ends inclusive.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Window {
    pub(crate) not_before: Option<i64>,
    pub(crate) not_after: Option<i64>,
}

impl Window {
    pub(crate) fn holds(self, now: i64) -> bool {
        self.not_before.is_none_or(|from| now >= from) && self.not_after.is_none_or(|until| now <= until)
    }
}

impl Secret {
    /// A secret from the text, or the bytes, that the provider shows.
    ///
    /// # Errors
    /// [`ErrorKind::SecretEmpty`] if there is nothing in it.
    pub fn new(material: impl Into<Vec<u8>>) -> Result<Self, Error> {
        let material = Zeroizing::new(material.into());
        if material.trim_ascii().is_empty() {
            return Err(Error::fixed(ErrorKind::SecretEmpty, "the secret is empty: is its environment variable set?"));
        }
        Ok(Self { material, name: None, window: Window::default() })
    }

    /// The name under which [`Delivery::secret_name`](crate::Delivery::secret_name) reports this secret.
    #[must_use]
    pub fn named(mut self, name: &str) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Lets the secret count only from `not_before` to `not_after`, Unix seconds, both inclusive.
    #[must_use]
    pub fn valid(mut self, not_before: Option<i64>, not_after: Option<i64>) -> Self {
        self.window = Window { not_before, not_after };
        self
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Secret([redacted])")
    }
}

/// One secret, or several of which any may match: that is rotation.
#[derive(Debug, Default)]
pub struct Secrets(pub(crate) Vec<Secret>);

impl Secrets {
    /// The same secrets once more, for trying them in another way.
    pub(crate) fn copied(&self) -> Self {
        let copied = |secret: &Secret| Secret {
            material: secret.material.clone(),
            name: secret.name.clone(),
            window: secret.window,
        };
        Self(self.0.iter().map(copied).collect())
    }
}

impl From<Secret> for Secrets {
    fn from(secret: Secret) -> Self {
        Self(Vec::from([secret]))
    }
}

impl From<Vec<Secret>> for Secrets {
    fn from(secrets: Vec<Secret>) -> Self {
        Self(secrets)
    }
}

impl<const N: usize> From<[Secret; N]> for Secrets {
    fn from(secrets: [Secret; N]) -> Self {
        Self(Vec::from(secrets))
    }
}

/// The likely cause of a secret that does not decode, found without showing any of it.
pub(crate) fn likely_cause(text: &str) -> Option<&'static str> {
    if text.starts_with("v1,whsec_") {
        return Some("it begins with `v1,`: leave that out");
    }
    if text.chars().any(|c| matches!(c, '\u{200b}'..='\u{200f}' | '\u{feff}' | '\u{a0}')) {
        return Some("an invisible character is in it: copy it again");
    }
    if text.starts_with(['"', '\'']) || text.ends_with(['"', '\'']) {
        return Some("it stands in quotes: leave them out");
    }
    if text.contains(char::is_whitespace) {
        return Some("there is white space in it: was it cut or joined when it was copied?");
    }
    if text.starts_with('$') || text.starts_with("process.env") || text.starts_with("os.environ") {
        return Some("it looks like the name of a variable instead of its value");
    }
    None
}

/// Quotes around a secret are legal in most schemes and wrong in all of them.
pub(crate) fn warning(material: &[u8], name: &str) -> Option<String> {
    let quoted = matches!((material.first(), material.last()), (Some(b'"'), Some(b'"')) | (Some(b'\''), Some(b'\'')));
    (quoted && material.len() > 1).then(|| alloc::format!("{name} stands in quotes, which count as part of it"))
}

use alloc::string::String;
use core::fmt;

use crate::{digest::Hash, encoding::Encoding};

/// What a store knows a delivery by: 32 bytes that tell nothing of the request.
///
/// SHA-256 over `hookproof.key.v1` and then, each behind its length as eight bytes in big-endian order: the scheme's
/// id, the scope, the kind of identity and the identity. `tests/vectors/keys.json` fixes it for all languages.
///
/// ```
/// use hookproof::Key;
/// let key = Key::derive("github", "crm", "id", b"evt_1");
/// assert_eq!(key.prefix().len(), 8);
/// assert_ne!(key, Key::derive("github", "", "id", b"evt_1"));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Key(pub [u8; 32]);

impl Key {
    /// The key of these four texts.
    ///
    /// `kind` is `id`, `body` (SHA-256 of the body), `body.event` (the same and the event type behind it),
    /// `signed` (SHA-256 of what is signed) or `item`.
    pub fn derive(scheme: &str, scope: &str, kind: &str, identity: &[u8]) -> Self {
        let mut hasher = Hash::Sha256.start();
        hasher.update(b"hookproof.key.v1");
        for part in [scheme.as_bytes(), scope.as_bytes(), kind.as_bytes(), identity] {
            hasher.update(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
            hasher.update(part);
        }
        Self(sized(hasher.tag(&[]).as_bytes()))
    }

    /// The first eight hex digits: enough to find a key in logs, too few to say what it was made from.
    pub fn prefix(&self) -> String {
        Encoding::Hex.encode(self.0.get(..4).unwrap_or_default())
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Key({}…)", self.prefix())
    }
}

/// A digest of 32 bytes as an array.
pub(crate) fn sized(digest: &[u8]) -> [u8; 32] {
    digest.try_into().unwrap_or_default()
}

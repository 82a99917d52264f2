//! Keys, prepared once: which secret is a key of which signature rule, and what it computes.

use alloc::{boxed::Box, format, string::String, sync::Arc, vec::Vec};
use zeroize::Zeroizing;

use crate::{
    Error, ErrorKind,
    digest::{Blind, Hasher},
    encoding::Encoding,
    scheme::definition::{Algorithm, Definition, KeyEncoding, KeyRule, SignatureRule},
    secret::{Secret, Secrets, Window, likely_cause, warning},
};

/// More keys than a rotation has; each costs one MAC over the body.
pub(crate) const MOST_SECRETS: usize = 8;

/// A secret as a key of one signature rule.
pub(crate) struct Key {
    /// Which rule of the scheme.
    pub(crate) rule: usize,
    /// Which secret, in the order given.
    pub(crate) secret: usize,
    pub(crate) name: Option<Arc<str>>,
    pub(crate) window: Window,
    pub(crate) kind: Kind,
    pub(crate) blind: Blind,
}

pub(crate) enum Kind {
    /// The HMAC state after the key.
    Mac(Box<Hasher>),
    /// The bytes that stand for `{secret}`, or the token itself.
    Plain(Zeroizing<Vec<u8>>),
    #[cfg(feature = "ed25519")]
    Ed25519(ed25519_dalek::VerifyingKey),
    #[cfg(feature = "ecdsa")]
    EcdsaP256(p256::ecdsa::VerifyingKey),
}

/// The keys of a verifier, and what its user should be told about them.
pub(crate) fn keys(definition: &Definition, secrets: &Secrets) -> Result<(Vec<Key>, Vec<String>), Error> {
    let Secrets(secrets) = secrets;
    if secrets.is_empty() {
        return Err(Error::fixed(ErrorKind::SecretMissing, "no secret was given: is its environment variable set?"));
    }
    if secrets.len() > MOST_SECRETS {
        let message = format!("{} secrets were given: at most {MOST_SECRETS} are taken", secrets.len());
        return Err(Error::new(ErrorKind::SecretTooMany, message));
    }
    let mut keys = Vec::new();
    let mut warnings = Vec::new();
    for (place, secret) in secrets.iter().enumerate() {
        let name = secret.name.as_deref().map_or_else(|| format!("secret {}", place.saturating_add(1)), String::from);
        warnings.extend(warning(&secret.material, &name));
        for rule in rules_for(definition, secret) {
            let signature = definition.signatures.get(rule).ok_or(INTERNAL)?;
            let material = material(&signature.key, secret).map_err(|error| error.context(&name))?;
            keys.push(Key {
                rule,
                secret: place,
                name: secret.name.clone(),
                window: secret.window,
                blind: Blind::new(&material),
                kind: kind(signature, material).map_err(|error| error.context(&name))?,
            });
        }
    }
    Ok((keys, warnings))
}

const INTERNAL: Error = Error::fixed(ErrorKind::InternalError, "a signature rule is missing");

/// The rules whose keys begin as this secret does; without such a prefix, the rules that ask for none.
///
/// That is what keeps a `whsec_` key from ever being tried as a public key, whatever a header says.
fn rules_for(definition: &Definition, secret: &Secret) -> Vec<usize> {
    let begins =
        |rule: &SignatureRule| rule.key.prefix.as_ref().map(|prefix| secret.material.starts_with(prefix.as_bytes()));
    let places = |wanted| {
        let rules = definition.signatures.iter().enumerate();
        rules.filter(move |(_, rule)| begins(rule) == wanted).map(|(place, _)| place).collect::<Vec<_>>()
    };
    let prefixed = places(Some(true));
    match (prefixed.is_empty(), places(None)) {
        (false, _) => prefixed,
        (true, plain) if !plain.is_empty() => plain,
        // Every rule asks for a prefix: the first one's error says so.
        (true, _) => Vec::from([0]),
    }
}

/// The key's bytes: without prefix, decoded, derived, and of a length that the scheme allows.
pub(crate) fn material(rule: &KeyRule, secret: &Secret) -> Result<Zeroizing<Vec<u8>>, Error> {
    let given: &[u8] = &secret.material;
    if given.trim_ascii().len() != given.len() {
        let message = "the secret begins or ends with white space: strip the line break that came with it";
        return Err(Error::fixed(ErrorKind::SecretMalformed, message));
    }
    for prefix in &rule.refuse_prefixes {
        if given.starts_with(prefix.as_bytes()) {
            let message =
                format!("the secret begins with `{prefix}`: that is a key of another kind, which does not belong here");
            return Err(Error::new(ErrorKind::SecretWrongKind, message));
        }
    }
    let text = match &rule.prefix {
        Some(prefix) => given.strip_prefix(prefix.as_bytes()).ok_or_else(|| {
            Error::new(
                ErrorKind::SecretWrongKind,
                format!("the secret does not begin with `{prefix}`, as a key of this scheme does"),
            )
        })?,
        None => rule.strip.iter().find_map(|prefix| given.strip_prefix(prefix.as_bytes())).unwrap_or(given),
    };
    if text.is_empty() {
        return Err(Error::fixed(ErrorKind::SecretEmpty, "the secret is only a prefix: nothing follows it"));
    }
    let normalized = rule.nfkd.then(|| nfkd(text)).transpose()?;
    let text = normalized.as_ref().map_or(text, |text| text.as_slice());
    let decoded = match rule.encoding {
        KeyEncoding::Utf8 => Some(text.to_vec()),
        KeyEncoding::Coded(encoding) => encoding.decode(text),
        KeyEncoding::Pem => pem(text),
        // Some dashboards show a public key as its raw bytes in hex or base64: `spki` takes DER alone.
        KeyEncoding::Spki => Encoding::Base64Lenient.decode(text),
    };
    let Some(decoded) = decoded.map(Zeroizing::new) else { return Err(malformed(rule, text)) };
    let key = match rule.derive {
        None => decoded,
        Some(derive) => {
            let tag = derive.hash.of(&decoded);
            let hex = derive.hex.then(|| Encoding::Hex.encode(tag.as_bytes()).into_bytes());
            Zeroizing::new(hex.unwrap_or_else(|| tag.as_bytes().to_vec()))
        }
    };
    if key.len() < rule.min {
        let message = format!("the secret is a key of {} bytes: at least {} are expected", key.len(), rule.min);
        return Err(Error::new(ErrorKind::SecretTooShort, message));
    }
    if key.len() > rule.max {
        let message = format!("the secret is a key of {} bytes: at most {} are expected", key.len(), rule.max);
        return Err(Error::new(ErrorKind::SecretTooLong, message));
    }
    Ok(key)
}

fn malformed(rule: &KeyRule, text: &[u8]) -> Error {
    let encoding = match rule.encoding {
        KeyEncoding::Utf8 => "text",
        KeyEncoding::Coded(Encoding::Hex | Encoding::HexUpper) => "hex",
        KeyEncoding::Coded(Encoding::Base64Url) => "base64url",
        KeyEncoding::Coded(_) => "base64",
        KeyEncoding::Pem => "PEM",
        KeyEncoding::Spki => "base64 of a DER public key",
    };
    let cause =
        core::str::from_utf8(text).ok().and_then(likely_cause).unwrap_or("was it cut, or is it of another provider?");
    Error::new(ErrorKind::SecretMalformed, format!("the secret is not {encoding}: {cause}"))
}

#[cfg(feature = "nfkd")]
fn nfkd(text: &[u8]) -> Result<Zeroizing<Vec<u8>>, Error> {
    use unicode_normalization::UnicodeNormalization as _;
    let text =
        core::str::from_utf8(text).map_err(|_| Error::fixed(ErrorKind::SecretMalformed, "the secret is not UTF-8"))?;
    Ok(Zeroizing::new(text.nfkd().collect::<String>().into_bytes()))
}

/// ASCII is its own NFKD; the tables for the rest are the host's, or the feature's.
#[cfg(not(feature = "nfkd"))]
fn nfkd(text: &[u8]) -> Result<Zeroizing<Vec<u8>>, Error> {
    if text.is_ascii() {
        return Ok(Zeroizing::new(text.to_vec()));
    }
    let message = "the secret is not ASCII: pass it normalised (NFKD), as this build has no Unicode tables";
    Err(Error::fixed(ErrorKind::SecretMalformed, message))
}

/// The DER inside a PEM public key.
fn pem(text: &[u8]) -> Option<Vec<u8>> {
    let text = core::str::from_utf8(text).ok()?;
    let inside = text.split_once("-----BEGIN PUBLIC KEY-----")?.1.split_once("-----END PUBLIC KEY-----")?.0;
    let base64: Vec<u8> = inside.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
    Encoding::Base64.decode(&base64)
}

fn kind(rule: &SignatureRule, key: Zeroizing<Vec<u8>>) -> Result<Kind, Error> {
    match rule.algorithm {
        Algorithm::Hmac(hash) => hash.keyed(&key).map(Box::new).map(Kind::Mac).ok_or(INTERNAL),
        Algorithm::Digest(_) | Algorithm::Token | Algorithm::Basic => Ok(Kind::Plain(key)),
        #[cfg(feature = "ed25519")]
        Algorithm::Ed25519 => ed25519(&key).map(Kind::Ed25519).ok_or_else(|| no_point("ed25519")),
        #[cfg(feature = "ecdsa")]
        Algorithm::EcdsaP256 => ecdsa(&key).map(Kind::EcdsaP256).ok_or_else(|| no_point("P-256")),
        #[cfg(not(all(feature = "ed25519", feature = "ecdsa")))]
        _ => Err(Error::fixed(ErrorKind::SchemeInvalid, "this build is without the algorithm that the scheme names")),
    }
}

#[cfg(any(feature = "ed25519", feature = "ecdsa"))]
fn no_point(curve: &str) -> Error {
    Error::new(ErrorKind::SecretMalformed, format!("the secret is not a public key of {curve}"))
}

/// A raw key of 32 bytes, or the same in its DER envelope (RFC 8410).
#[cfg(feature = "ed25519")]
#[inline(never)] // a WebAssembly host compiles what runs, and few schemes have public keys
fn ed25519(key: &[u8]) -> Option<ed25519_dalek::VerifyingKey> {
    const ENVELOPE: &[u8] = &[0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];
    let raw = key.strip_prefix(ENVELOPE).unwrap_or(key);
    let key = ed25519_dalek::VerifyingKey::from_bytes(raw.try_into().ok()?).ok()?;
    // A key of small order verifies signatures that nobody made.
    (!key.is_weak()).then_some(key)
}

/// A point, bare or in its DER envelope (RFC 5480).
#[cfg(feature = "ecdsa")]
#[inline(never)] // likewise
fn ecdsa(key: &[u8]) -> Option<p256::ecdsa::VerifyingKey> {
    const CURVE: &[u8] = b"\x30\x13\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07\x03";
    let point = match key {
        [0x30, outer, rest @ ..] if usize::from(*outer) == rest.len() => match rest.strip_prefix(CURVE)? {
            [inner, 0, point @ ..] if usize::from(*inner) == point.len().saturating_add(1) => point,
            _ => return None,
        },
        bare => bare,
    };
    p256::ecdsa::VerifyingKey::from_sec1_bytes(point).ok()
}

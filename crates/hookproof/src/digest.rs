use hmac::{Hmac, KeyInit, Mac};
use md5::Md5;
use sha1::Sha1;
use sha2::{Digest, Sha256, Sha384, Sha512, digest::FixedOutput};
use subtle::{Choice, ConstantTimeEq};

/// The longest digest here, SHA-512's, in bytes.
const LONGEST: usize = 64;

/// A hash function that a scheme may name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hash {
    Md5,
    Sha1,
    Sha256,
    Sha384,
    Sha512,
}

impl Hash {
    pub(crate) const fn size(self) -> usize {
        match self {
            Self::Md5 => 16,
            Self::Sha1 => 20,
            Self::Sha256 => 32,
            Self::Sha384 => 48,
            Self::Sha512 => 64,
        }
    }

    pub(crate) fn start(self) -> Hasher {
        match self {
            Self::Md5 => Hasher::Md5(Md5::new()),
            Self::Sha1 => Hasher::Sha1(Sha1::new()),
            Self::Sha256 => Hasher::Sha256(Sha256::new()),
            Self::Sha384 => Hasher::Sha384(Sha384::new()),
            Self::Sha512 => Hasher::Sha512(Sha512::new()),
        }
    }

    pub(crate) fn of(self, data: &[u8]) -> Tag {
        self.start().tag(&[data])
    }

    /// The HMAC state after the key: cloning it is what makes a verification cheap.
    pub(crate) fn keyed(self, key: &[u8]) -> Option<Hasher> {
        Some(match self {
            Self::Md5 => Hasher::HmacMd5(Hmac::new_from_slice(key).ok()?),
            Self::Sha1 => Hasher::HmacSha1(Hmac::new_from_slice(key).ok()?),
            Self::Sha256 => Hasher::HmacSha256(Hmac::new_from_slice(key).ok()?),
            Self::Sha384 => Hasher::HmacSha384(Hmac::new_from_slice(key).ok()?),
            Self::Sha512 => Hasher::HmacSha512(Hmac::new_from_slice(key).ok()?),
        })
    }
}

/// The running state of a digest or of a MAC.
#[derive(Clone)]
pub(crate) enum Hasher {
    Md5(Md5),
    Sha1(Sha1),
    Sha256(Sha256),
    Sha384(Sha384),
    Sha512(Sha512),
    HmacMd5(Hmac<Md5>),
    HmacSha1(Hmac<Sha1>),
    HmacSha256(Hmac<Sha256>),
    HmacSha384(Hmac<Sha384>),
    HmacSha512(Hmac<Sha512>),
}

macro_rules! each {
    ($hasher:expr, $plain:ident => $digest:expr, $keyed:ident => $mac:expr) => {
        match $hasher {
            Hasher::Md5($plain) => $digest,
            Hasher::Sha1($plain) => $digest,
            Hasher::Sha256($plain) => $digest,
            Hasher::Sha384($plain) => $digest,
            Hasher::Sha512($plain) => $digest,
            Hasher::HmacMd5($keyed) => $mac,
            Hasher::HmacSha1($keyed) => $mac,
            Hasher::HmacSha256($keyed) => $mac,
            Hasher::HmacSha384($keyed) => $mac,
            Hasher::HmacSha512($keyed) => $mac,
        }
    };
}

impl Hasher {
    pub(crate) fn update(&mut self, data: &[u8]) {
        each!(self, hasher => Digest::update(hasher, data), hasher => Mac::update(hasher, data));
    }

    /// The digest or MAC once these parts follow; the state itself stays as it is.
    pub(crate) fn tag(&self, parts: &[&[u8]]) -> Tag {
        macro_rules! tag {
            ($hasher:expr, $update:path) => {{
                let mut hasher = $hasher.clone();
                parts.iter().for_each(|part| $update(&mut hasher, part));
                Tag::new(&hasher.finalize_fixed())
            }};
        }
        each!(self, hasher => tag!(hasher, Digest::update), hasher => tag!(hasher, Mac::update))
    }
}

/// A computed digest or MAC. There is no `==`: an expected signature is only compared in constant time.
pub(crate) struct Tag {
    bytes: [u8; LONGEST],
    size: usize,
}

impl Tag {
    fn new(digest: &[u8]) -> Self {
        let mut tag = Self { bytes: [0; LONGEST], size: digest.len() };
        if let Some(bytes) = tag.bytes.get_mut(..digest.len()) {
            bytes.copy_from_slice(digest);
        }
        tag
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.size).unwrap_or_default()
    }

    /// Whether the candidate is this tag, in a time that depends on lengths alone.
    pub(crate) fn matches(&self, candidate: &[u8], blind: &Blind) -> Choice {
        let same_size = candidate.len() == self.size;
        Choice::from(u8::from(same_size)) & blind.is_zero(&difference(self.as_bytes(), candidate))
    }
}

/// Where two texts of one length differ: all zero if they do not.
fn difference(expected: &[u8], candidate: &[u8]) -> [u8; 32] {
    let mut difference = [0; 32];
    for (expected, candidate) in expected.chunks(32).zip(candidate.chunks(32)) {
        for ((difference, expected), candidate) in difference.iter_mut().zip(expected).zip(candidate) {
            *difference |= expected ^ candidate;
        }
    }
    difference
}

/// Tells whether a tag is the expected one so that timing tells nothing of it.
///
/// Native code gathers all that differs before it looks at any of it. On wasm nobody promises that a comparison stays
/// constant-time once the host has compiled it, so what differs first runs through HMAC under a key that the attacker
/// does not know: whatever leaks is then about values that he cannot choose.
pub(crate) struct Blind(#[cfg(target_family = "wasm")] Option<(Hasher, Tag)>);

impl Blind {
    /// A comparer whose key is derived from the secret.
    #[cfg_attr(not(target_family = "wasm"), expect(unused_variables, reason = "the key is only needed on wasm"))]
    pub(crate) fn new(secret: &[u8]) -> Self {
        #[cfg(target_family = "wasm")]
        {
            let keyed = |key: &[u8]| Hash::Sha256.keyed(key);
            let derived = keyed(secret).map(|hasher| hasher.tag(&[b"hookproof.blind.v1"]));
            let hasher = derived.and_then(|key| keyed(key.as_bytes()));
            Self(hasher.map(|hasher| {
                let zero = hasher.tag(&[&[0; 32]]);
                (hasher, zero)
            }))
        }
        #[cfg(not(target_family = "wasm"))]
        Self()
    }

    fn is_zero(&self, difference: &[u8; 32]) -> Choice {
        #[cfg(target_family = "wasm")]
        {
            let Some((hasher, zero)) = &self.0 else { return Choice::from(0) };
            hasher.tag(&[difference]).as_bytes().ct_eq(zero.as_bytes())
        }
        #[cfg(not(target_family = "wasm"))]
        {
            let any = difference.iter().fold(0, |any, byte| any | byte);
            core::hint::black_box(any).ct_eq(&0)
        }
    }
}

/// CRC-32 as in ISO 3309, which PayPal signs in decimal. Not a digest: it protects nothing by itself.
pub(crate) fn crc32(data: &[u8]) -> u32 {
    !data.iter().fold(!0u32, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| if crc & 1 == 1 { (crc >> 1) ^ 0xEDB8_8320 } else { crc >> 1 })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn crc32_of_the_check_string() {
        assert_eq!(crc32(b"123456789"), 0xCBF4_3926);
    }

    #[test]
    fn a_tag_matches_itself_and_nothing_shorter() {
        let tag = Hash::Sha256.of(b"x");
        let blind = Blind::new(b"key");
        assert!(bool::from(tag.matches(tag.as_bytes(), &blind)));
        assert!(!bool::from(tag.matches(&tag.as_bytes()[..31], &blind)));
        assert!(!bool::from(tag.matches(b"", &blind)));
        for (hash, place) in
            [(Hash::Sha256, 31), (Hash::Sha512, 0), (Hash::Sha512, 63), (Hash::Sha384, 32), (Hash::Sha1, 19)]
        {
            let tag = hash.of(b"x");
            let mut other = tag.as_bytes().to_vec();
            assert!(bool::from(tag.matches(&other, &blind)));
            other[place] ^= 64;
            assert!(!bool::from(tag.matches(&other, &blind)), "{hash:?}");
        }
    }
}

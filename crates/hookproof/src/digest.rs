//! Digests and MACs.

mod hmac_sha256;

use hmac::{
    Hmac, KeyInit,
    digest::{
        Output,
        block_api::{Buffer, CoreProxy, FixedOutputCore, UpdateCore},
    },
};
use md5::Md5;
use sha1::Sha1;
use sha2::{Sha256, Sha384, Sha512};
use subtle::{Choice, ConstantTimeEq};

use hmac_sha256::HmacSha256;

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
            Self::Md5 => Hasher::Md5(Running::new(Md5::default())),
            Self::Sha1 => Hasher::Sha1(Running::new(Sha1::default())),
            Self::Sha256 => Hasher::Sha256(Running::new(Sha256::default())),
            Self::Sha384 => Hasher::Sha384(Running::new(Sha384::default())),
            Self::Sha512 => Hasher::Sha512(Running::new(Sha512::default())),
        }
    }

    pub(crate) fn of(self, data: &[u8]) -> Tag {
        self.start().tag(&[data])
    }

    /// The HMAC state after the key: copying it is what makes a verification cheap.
    pub(crate) fn keyed(self, key: &[u8]) -> Option<Hasher> {
        Some(match self {
            Self::Md5 => Hasher::HmacMd5(Running::new(Hmac::new_from_slice(key).ok()?)),
            Self::Sha1 => Hasher::HmacSha1(Running::new(Hmac::new_from_slice(key).ok()?)),
            Self::Sha256 => Hasher::HmacSha256(HmacSha256::new(key)?),
            Self::Sha384 => Hasher::HmacSha384(Running::new(Hmac::new_from_slice(key).ok()?)),
            Self::Sha512 => Hasher::HmacSha512(Running::new(Hmac::new_from_slice(key).ok()?)),
        })
    }
}

/// The running state of a digest or of a MAC.
#[derive(Clone)]
pub(crate) enum Hasher {
    Md5(Running<Md5>),
    Sha1(Running<Sha1>),
    Sha256(Running<Sha256>),
    Sha384(Running<Sha384>),
    Sha512(Running<Sha512>),
    HmacMd5(Running<Hmac<Md5>>),
    HmacSha1(Running<Hmac<Sha1>>),
    HmacSha256(HmacSha256),
    HmacSha384(Running<Hmac<Sha384>>),
    HmacSha512(Running<Hmac<Sha512>>),
}

macro_rules! each {
    ($hasher:expr, $running:ident => $answer:expr) => {
        match $hasher {
            Hasher::Md5($running) => $answer,
            Hasher::Sha1($running) => $answer,
            Hasher::Sha256($running) => $answer,
            Hasher::Sha384($running) => $answer,
            Hasher::Sha512($running) => $answer,
            Hasher::HmacMd5($running) => $answer,
            Hasher::HmacSha1($running) => $answer,
            Hasher::HmacSha256($running) => $answer,
            Hasher::HmacSha384($running) => $answer,
            Hasher::HmacSha512($running) => $answer,
        }
    };
}

impl Hasher {
    pub(crate) fn update(&mut self, data: &[u8]) {
        each!(self, running => running.update(data));
    }

    /// The digest or MAC once these parts follow; the state itself stays as it is.
    pub(crate) fn tag(&self, parts: &[&[u8]]) -> Tag {
        each!(self, running => running.tag(parts))
    }
}

/// A hash function taken apart, so that continuing it copies no more than the state and what waits for a whole block.
pub(crate) struct Running<D: CoreProxy> {
    core: D::Core,
    waiting: Buffer<D::Core>,
}

impl<D: CoreProxy<Core: FixedOutputCore + Clone>> Running<D> {
    fn new(started: D) -> Self {
        let (core, waiting) = started.decompose();
        Self { core, waiting }
    }

    fn update(&mut self, data: &[u8]) {
        self.waiting.digest_blocks(data, |blocks| self.core.update_blocks(blocks));
    }

    fn tag(&self, parts: &[&[u8]]) -> Tag {
        let mut end = self.clone();
        parts.iter().for_each(|part| end.update(part));
        let mut digest = Output::<D::Core>::default();
        end.core.finalize_fixed_core(&mut end.waiting, &mut digest);
        Tag::new(&digest)
    }
}

impl<D: CoreProxy<Core: Clone>> Clone for Running<D> {
    fn clone(&self) -> Self {
        Self { core: self.core.clone(), waiting: Buffer::<D::Core>::new(self.waiting.get_data()) }
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

    /// Whether this tag is among the candidates, in a time that depends on their lengths and number alone.
    pub(crate) fn is_among<'c>(&self, candidates: impl IntoIterator<Item = &'c [u8]>, blind: &Blind) -> Choice {
        let candidates = candidates.into_iter().filter(|candidate| candidate.len() == self.size);
        candidates.fold(0, |found, candidate| found | blind.is_zero(difference(self.as_bytes(), candidate))).into()
    }
}

/// Which bits of two texts of one length differ anywhere: none if they are the same.
fn difference(expected: &[u8], candidate: &[u8]) -> u64 {
    let ((expected, tail), (candidate, other_tail)) = (expected.as_chunks(), candidate.as_chunks());
    let words =
        expected.iter().zip(candidate).map(|(one, other)| u64::from_ne_bytes(*one) ^ u64::from_ne_bytes(*other));
    let bytes = tail.iter().zip(other_tail).map(|(one, other)| u64::from(one ^ other));
    words.chain(bytes).fold(0, |any, bits| any | bits)
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
                let zero = hasher.tag(&[&[0; 8]]);
                (hasher, zero)
            }))
        }
        #[cfg(not(target_family = "wasm"))]
        Self()
    }

    /// 1 if all of it is zero, and else 0.
    fn is_zero(&self, difference: u64) -> u8 {
        #[cfg(target_family = "wasm")]
        {
            let Some((hasher, zero)) = &self.0 else { return 0 };
            hasher.tag(&[&difference.to_ne_bytes()]).as_bytes().ct_eq(zero.as_bytes()).unwrap_u8()
        }
        #[cfg(not(target_family = "wasm"))]
        {
            difference.ct_eq(&0).unwrap_u8()
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
        assert!(bool::from(tag.is_among([tag.as_bytes()], &blind)));
        assert!(!bool::from(tag.is_among([&tag.as_bytes()[..31]], &blind)));
        assert!(!bool::from(tag.is_among([&b""[..]], &blind)));
        for (hash, place) in
            [(Hash::Sha256, 31), (Hash::Sha512, 0), (Hash::Sha512, 63), (Hash::Sha384, 32), (Hash::Sha1, 19)]
        {
            let tag = hash.of(b"x");
            let mut other = tag.as_bytes().to_vec();
            assert!(bool::from(tag.is_among([&*other], &blind)));
            other[place] ^= 64;
            assert!(!bool::from(tag.is_among([&*other], &blind)), "{hash:?}");
        }
    }
}

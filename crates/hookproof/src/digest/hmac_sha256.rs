//! HMAC-SHA256, with which most schemes sign: a short message is compressed in one go, because what a hasher does around
//! so few blocks takes longer than two of them.

use hmac::{Hmac, KeyInit};
use sha2::{Sha256, block_api::compress256};
use zeroize::{Zeroize, Zeroizing};

use super::{Hash, Running, Tag};

/// The running state of a MAC.
#[derive(Clone)]
pub(crate) struct HmacSha256 {
    /// The key, as long as nothing has followed it.
    key: Option<Key>,
    running: Running<Hmac<Sha256>>,
}

impl HmacSha256 {
    pub(super) fn new(key: &[u8]) -> Option<Self> {
        Some(Self { key: Some(Key::new(key)), running: Running::new(Hmac::new_from_slice(key).ok()?) })
    }

    pub(super) fn update(&mut self, data: &[u8]) {
        self.key = None;
        self.running.update(data);
    }

    pub(super) fn tag(&self, parts: &[&[u8]]) -> Tag {
        let short = self.key.as_ref().and_then(|key| key.mac(parts));
        short.map_or_else(|| self.running.tag(parts), |mac| Tag::new(&mac))
    }
}

const BLOCK: usize = 64;
/// A KiB, and what is signed in front of it.
const BLOCKS: usize = 20;
/// Behind the message stand a mark and its length (FIPS 180-4, section 5.1.1).
const PADDING: usize = 9;

/// SHA-256 before its first block (FIPS 180-4, section 5.3.3).
const START: [u32; 8] =
    [0x6a09_e667, 0xbb67_ae85, 0x3c6e_f372, 0xa54f_f53a, 0x510e_527f, 0x9b05_688c, 0x1f83_d9ab, 0x5be0_cd19];

/// The inner and the outer hash of a key (RFC 2104), each after its first block.
#[derive(Clone)]
struct Key {
    inner: [u32; 8],
    outer: [u32; 8],
}

impl Key {
    fn new(key: &[u8]) -> Self {
        let digest = Hash::Sha256.of(key);
        let key = if key.len() > BLOCK { digest.as_bytes() } else { key };
        let mut block = Zeroizing::new([0; BLOCK]);
        block.iter_mut().zip(key).for_each(|(to, from)| *to = *from);
        let started = |pad| {
            let mut state = START;
            compress256(&mut state, &[block.map(|byte| byte ^ pad)]);
            state
        };
        Self { inner: started(0x36), outer: started(0x5c) }
    }

    /// The MAC of a message; `None` where that is not short.
    fn mac(&self, parts: &[&[u8]]) -> Option<[u8; 32]> {
        let mut blocks = [[0; BLOCK]; BLOCKS];
        let message = blocks.as_flattened_mut();
        let mut length = 0usize;
        for part in parts {
            let end = length.checked_add(part.len())?;
            message.get_mut(length..end)?.copy_from_slice(part);
            length = end;
        }
        let blocks = blocks.get_mut(..length.checked_add(PADDING)?.div_ceil(BLOCK))?;
        pad(blocks, length)?;
        let mut inner = self.inner;
        compress256(&mut inner, blocks);

        let mut last = [[0; BLOCK]];
        last.as_flattened_mut().iter_mut().zip(bytes(inner)).for_each(|(to, from)| *to = from);
        pad(&mut last, 32)?;
        let mut outer = self.outer;
        compress256(&mut outer, &last);
        Some(bytes(outer))
    }
}

impl Drop for Key {
    fn drop(&mut self) {
        self.inner.zeroize();
        self.outer.zeroize();
    }
}

/// Ends the blocks that hold a message of this many bytes, and that follow the one of the key.
fn pad(blocks: &mut [[u8; BLOCK]], length: usize) -> Option<()> {
    *blocks.as_flattened_mut().get_mut(length)? = 0x80;
    let bits = u64::try_from(length.checked_add(BLOCK)?.checked_mul(8)?).ok()?;
    *blocks.last_mut()?.last_chunk_mut()? = bits.to_be_bytes();
    Some(())
}

fn bytes(state: [u32; 8]) -> [u8; 32] {
    let mut bytes = [0; 32];
    bytes.as_chunks_mut().0.iter_mut().zip(state).for_each(|(to, word)| *to = word.to_be_bytes());
    bytes
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use hmac::Mac;
    use proptest::prelude::*;

    use super::*;

    fn others(key: &[u8], message: &[u8]) -> Vec<u8> {
        Hmac::<Sha256>::new_from_slice(key).unwrap().chain_update(message).finalize().into_bytes().to_vec()
    }

    #[test]
    fn every_length_is_as_others_have_it() {
        let message = vec![b'x'; BLOCKS * BLOCK + 1];
        for length in 0..message.len() {
            let message = &message[..length];
            let mac = HmacSha256::new(b"key").unwrap();
            assert_eq!(mac.tag(&[message]).as_bytes(), others(b"key", message), "{length}");
            let is_short = length <= BLOCKS * BLOCK - PADDING;
            assert_eq!(mac.key.unwrap().mac(&[message]).is_some(), is_short, "{length}");
        }
    }

    proptest! {
        #[test]
        fn keys_and_parts_are_as_others_have_them(
            key in prop::collection::vec(any::<u8>(), 0..200),
            parts in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..400), 0..6),
            fed in 0usize..6,
        ) {
            let mut mac = HmacSha256::new(&key).unwrap();
            let fed = fed.min(parts.len());
            parts[..fed].iter().for_each(|part| mac.update(part));
            let rest: Vec<&[u8]> = parts[fed..].iter().map(|part| &**part).collect();
            let tag = mac.tag(&rest);
            prop_assert_eq!(tag.as_bytes(), others(&key, &parts.concat()));
        }
    }
}

//! HMAC-SHA256 (RFC 2104) of a short message, its blocks compressed in one go: what a hasher does around so few of them
//! takes longer than one.

use sha2::block_api::compress256;
use zeroize::Zeroize;

use crate::digest::Hash;

const BLOCKS: usize = 19;
/// The longest message, in bytes: the last block ends in a mark and the length.
const MOST: usize = BLOCKS * 64 - 9;

/// SHA-256 before its first block (FIPS 180-4).
const START: [u32; 8] = [
    0x6a09_e667, 0xbb67_ae85, 0x3c6e_f372, 0xa54f_f53a, 0x510e_527f, 0x9b05_688c, 0x1f83_d9ab, 0x5be0_cd19,
];

/// A key: both hashes after their first block.
pub(crate) struct Short {
    inner: [u32; 8],
    outer: [u32; 8],
}

impl Short {
    pub(crate) fn new(key: &[u8]) -> Self {
        let mut block = [0; 64];
        let digest = Hash::Sha256.of(key);
        let key = if key.len() > 64 { digest.as_bytes() } else { key };
        block.iter_mut().zip(key).for_each(|(to, from)| *to = *from);
        let keyed = |pad: u8| {
            let mut state = START;
            compress256(&mut state, &[block.map(|byte| byte ^ pad)]);
            state
        };
        Self { inner: keyed(0x36), outer: keyed(0x5c) }
    }

    /// The MAC; `None` where the message is not short.
    pub(crate) fn mac(&self, parts: &[&[u8]]) -> Option<[u8; 32]> {
        let mut blocks = [[0u8; 64]; BLOCKS];
        let mut used = 0usize;
        let bytes = blocks.as_flattened_mut();
        for part in parts {
            let end = used.checked_add(part.len())?;
            bytes.get_mut(..MOST)?.get_mut(used..end)?.copy_from_slice(part);
            used = end;
        }
        *bytes.get_mut(used)? = 0x80;
        let count = (used + 9).div_ceil(64);
        let bits = (used as u64 + 64) * 8;
        let blocks = blocks.get_mut(..count)?;
        blocks.last_mut()?.last_chunk_mut::<8>()?.copy_from_slice(&bits.to_be_bytes());
        let mut inner = self.inner;
        compress256(&mut inner, blocks);
        let mut block = [0; 64];
        for (to, word) in block.as_chunks_mut::<4>().0.iter_mut().zip(inner) {
            *to = word.to_be_bytes();
        }
        (block[32], block[62]) = (0x80, 3);
        let mut outer = self.outer;
        compress256(&mut outer, &[block]);
        let mut mac = [0; 32];
        for (to, word) in mac.as_chunks_mut::<4>().0.iter_mut().zip(outer) {
            *to = word.to_be_bytes();
        }
        Some(mac)
    }
}

impl Drop for Short {
    fn drop(&mut self) {
        self.inner.zeroize();
        self.outer.zeroize();
    }
}

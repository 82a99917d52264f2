use alloc::vec::Vec;

/// The body as it was before gzip; `None` where it is not one whole gzip member or would be over the limit.
///
/// The header is RFC 1952's. The checksum is not judged: the signature is.
#[inline(never)] // a WebAssembly host compiles what runs, and few bodies are compressed
pub(crate) fn decode(body: &[u8], limit: usize) -> Option<Vec<u8>> {
    let [0x1f, 0x8b, 8, flags, _, _, _, _, _, _, rest @ ..] = body else { return None };
    let mut rest = rest;
    if flags & 0b100 != 0 {
        let [low, high, tail @ ..] = rest else { return None };
        rest = tail.get(usize::from(u16::from_le_bytes([*low, *high]))..)?;
    }
    for text in [0b1000, 0b1_0000] {
        if flags & text != 0 {
            rest = rest.get(rest.iter().position(|byte| *byte == 0)?.checked_add(1)?..)?;
        }
    }
    if flags & 0b10 != 0 {
        rest = rest.get(2..)?;
    }
    miniz_oxide::inflate::decompress_to_vec_with_limit(rest, limit).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_member_is_decoded_up_to_the_limit() {
        let mut member = alloc::vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];
        member.extend(miniz_oxide::deflate::compress_to_vec(&[b'a'; 1000], 6));
        assert_eq!(decode(&member, 1000).map(|body| body.len()), Some(1000));
        assert_eq!(decode(&member, 999), None);
        assert_eq!(decode(b"{}", 1000), None);
    }
}

//! The DER of an ECDSA signature (RFC 3279): a sequence of two integers.

use alloc::vec::Vec;

/// Both integers of a signature, each as 32 bytes. Strict: two integers have one DER.
pub(crate) fn decode(der: &[u8]) -> Option<[[u8; 32]; 2]> {
    let [0x30, length, rest @ ..] = der else { return None };
    let (r, rest) = integer(rest)?;
    let (s, rest) = integer(rest)?;
    (rest.is_empty() && usize::from(*length) == der.len().saturating_sub(2)).then_some([r, s])
}

fn integer(der: &[u8]) -> Option<([u8; 32], &[u8])> {
    let [0x02, length, rest @ ..] = der else { return None };
    let (bytes, rest) = rest.split_at_checked(usize::from(*length))?;
    // The highest bit is a sign. A zero stands in front of one that is none, and nowhere else.
    let bytes = match bytes {
        [0, bytes @ ..] if bytes.first()? >= &0x80 => bytes,
        [1..0x80, ..] => bytes,
        _ => return None,
    };
    let mut integer = [0; 32];
    integer.get_mut(32usize.checked_sub(bytes.len())?..)?.copy_from_slice(bytes);
    Some((integer, rest))
}

/// The DER of a signature, of which neither integer is zero.
#[cfg(feature = "signing")]
pub(crate) fn encode(integers: [[u8; 32]; 2]) -> Vec<u8> {
    let mut der = Vec::from([0x30, 0]);
    for integer in &integers {
        let zeros = integer.iter().take_while(|byte| **byte == 0).count();
        let bytes = integer.get(zeros..).unwrap_or_default();
        let sign: &[u8] = if bytes.first().is_some_and(|byte| *byte >= 0x80) { &[0] } else { &[] };
        der.extend([0x02, length(sign.len().saturating_add(bytes.len()))]);
        der.extend(sign.iter().chain(bytes));
    }
    let inside = length(der.len().saturating_sub(2));
    if let Some(length) = der.get_mut(1) {
        *length = inside;
    }
    der
}

/// At most 70, which is one byte.
#[cfg(feature = "signing")]
fn length(bytes: usize) -> u8 {
    u8::try_from(bytes).unwrap_or(u8::MAX)
}

#[cfg(all(test, feature = "signing"))]
mod tests {
    use p256::ecdsa::Signature;
    use proptest::prelude::*;

    use super::*;

    /// Both integers as another implementation reads them.
    fn others(der: &[u8]) -> Option<[[u8; 32]; 2]> {
        let (r, s) = Signature::from_der(der).ok()?.split_bytes();
        Some([r.into(), s.into()])
    }

    /// As a key's verification does, which takes no zero and nothing beyond the order of the curve.
    fn ours(der: &[u8]) -> Option<[[u8; 32]; 2]> {
        let [r, s] = decode(der)?;
        Signature::from_scalars(r, s).ok().map(|_| [r, s])
    }

    fn integer() -> impl Strategy<Value = [u8; 32]> {
        (any::<[u8; 32]>(), 0usize..33).prop_map(|(mut bytes, zeros)| {
            bytes[..zeros].fill(0);
            bytes
        })
    }

    proptest! {
        #[test]
        fn others_read_what_is_written(r in integer(), s in integer()) {
            if let Ok(signature) = Signature::from_scalars(r, s) {
                prop_assert_eq!(encode([r, s]), signature.to_der().as_bytes().to_vec());
                prop_assert_eq!(decode(&encode([r, s])), Some([r, s]));
            }
        }

        #[test]
        fn others_read_the_same(r in integer(), s in integer(), place in 0usize..76, byte in prop_oneof![any::<u8>(), 0u8..3, 0x7fu8..0x82], cut in 0usize..80) {
            let mut der = encode([r, s]);
            prop_assert_eq!(ours(&der), others(&der));
            if let Some(changed) = der.get_mut(place) {
                *changed = byte;
            }
            prop_assert_eq!(ours(&der), others(&der), "{:02x?}", der);
            der.insert(place.min(der.len()), byte);
            prop_assert_eq!(ours(&der), others(&der), "{:02x?}", der);
            der.truncate(cut);
            prop_assert_eq!(ours(&der), others(&der), "{:02x?}", der);
        }
    }
}

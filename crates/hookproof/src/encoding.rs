use alloc::{string::String, vec, vec::Vec};

/// How bytes stand in text. Decoding is strict: one value has one text, but for the case of hex.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Encoding {
    /// Either case.
    #[default]
    Hex,
    /// Upper case, for writing.
    HexUpper,
    /// Canonical and padded.
    Base64,
    /// The URL alphabet; padding may be missing.
    Base64Url,
    /// Either alphabet; padding may be missing.
    Base64Lenient,
    /// Base64 of the text in hex.
    Base64Hex,
}

impl Encoding {
    /// Decodes into the buffer; `None` where the text is not in this encoding or too long.
    pub(crate) fn decode_into<'b>(self, text: &[u8], buffer: &'b mut [u8]) -> Option<&'b [u8]> {
        let size = match self {
            Self::Hex | Self::HexUpper => from_hex(text, buffer)?,
            Self::Base64 => from_base64(text, URL, true, buffer)?,
            Self::Base64Url => from_base64(text, STANDARD, false, buffer)?,
            Self::Base64Lenient => from_base64(text, STANDARD | URL, false, buffer)?,
            Self::Base64Hex => {
                let mut hex = [0; 128];
                let hex = Self::Base64.decode_into(text, &mut hex)?;
                return Self::Hex.decode_into(hex, buffer);
            }
        };
        buffer.get(..size)
    }

    pub(crate) fn decode(self, text: &[u8]) -> Option<Vec<u8>> {
        let mut buffer = vec![0; text.len()];
        let size = self.decode_into(text, &mut buffer)?.len();
        buffer.truncate(size);
        Some(buffer)
    }

    pub(crate) fn encode(self, bytes: &[u8]) -> String {
        match self {
            Self::Hex => to_hex(bytes, b"0123456789abcdef"),
            Self::HexUpper => to_hex(bytes, b"0123456789ABCDEF"),
            Self::Base64 | Self::Base64Lenient => to_base64(bytes, ALPHABET),
            Self::Base64Url => to_base64(bytes, URL_ALPHABET),
            Self::Base64Hex => Self::Base64.encode(Self::Hex.encode(bytes).as_bytes()),
        }
    }
}

fn from_hex(text: &[u8], buffer: &mut [u8]) -> Option<usize> {
    let (pairs, []) = text.as_chunks() else { return None };
    let bytes = buffer.get_mut(..pairs.len())?;
    let mut valid = true;
    for (byte, [high, low]) in bytes.iter_mut().zip(pairs) {
        valid &= high.is_ascii_hexdigit() & low.is_ascii_hexdigit();
        // Letters have bit 6, and their values begin at 10 where their low bits begin at 1.
        let value = |digit: &u8| (digit & 15).wrapping_add((digit >> 6).wrapping_mul(9));
        *byte = value(high) << 4 | value(low);
    }
    valid.then_some(pairs.len())
}

fn to_hex(bytes: &[u8], digits: &[u8; 16]) -> String {
    let digit = |value: u8| digits.get(usize::from(value)).copied().map_or('0', char::from);
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const URL_ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// Which alphabet a symbol stands in, where it is not in both; what stands in neither has both bits.
const STANDARD: u32 = 1 << 30;
const URL: u32 = 1 << 31;

/// The six bits of each symbol where its place among four puts them, and the alphabet that only it is of.
static SYMBOLS: [[u32; 256]; 4] = [symbols(18), symbols(12), symbols(6), symbols(0)];

const fn symbols(shift: u32) -> [u32; 256] {
    let mut symbols = [STANDARD | URL; 256];
    let mut value = 0;
    while value < 64 {
        #[expect(clippy::indexing_slicing, clippy::cast_possible_truncation, reason = "below 64, and worked out once")]
        {
            let (standard, url) = (ALPHABET[value] as usize, URL_ALPHABET[value] as usize);
            symbols[standard] = (value as u32) << shift | if standard == url { 0 } else { STANDARD };
            symbols[url] = (value as u32) << shift | if standard == url { 0 } else { URL };
        }
        value += 1;
    }
    symbols
}

/// A text with symbols of every alphabet in `refused` is none.
fn from_base64(text: &[u8], refused: u32, padded: bool, buffer: &mut [u8]) -> Option<usize> {
    let symbols = text.strip_suffix(b"==").or(text.strip_suffix(b"=")).unwrap_or(text);
    let (padding, wanted) = (text.len().saturating_sub(symbols.len()), symbols.len().wrapping_neg() & 3);
    if wanted == 3 || padding > wanted || (padded && padding < wanted) {
        return None;
    }
    let bytes = buffer.get_mut(..symbols.len().checked_mul(3)? / 4)?;
    let size = bytes.len();
    let mut alphabets = 0;
    let mut three = |quad: [u8; 4]| {
        let places = SYMBOLS.iter().zip(quad);
        let bits = places.fold(0, |bits, (symbols, symbol)| bits | symbols.get(usize::from(symbol)).unwrap_or(&0));
        alphabets |= bits;
        let [_, triple @ ..] = bits.to_be_bytes();
        triple
    };
    let (quads, last) = symbols.as_chunks();
    let (triples, rest) = bytes.as_chunks_mut();
    for (triple, quad) in triples.iter_mut().zip(quads) {
        *triple = three(*quad);
    }
    // The last symbols are filled up with zeros: what they hold beyond whole bytes must be zero too.
    let mut quad = [b'A'; 4];
    quad.iter_mut().zip(last).for_each(|(to, from)| *to = *from);
    let triple = three(quad);
    let (kept, beyond) = triple.split_at_checked(rest.len())?;
    rest.copy_from_slice(kept);
    (alphabets & refused != refused && beyond.iter().all(|bits| *bits == 0)).then_some(size)
}

fn to_base64(bytes: &[u8], alphabet: &[u8; 64]) -> String {
    let symbol = |bits: u32| alphabet.get(bits as usize & 63).copied().map_or('=', char::from);
    let mut text = String::with_capacity(bytes.len().div_ceil(3).saturating_mul(4));
    for chunk in bytes.chunks(3) {
        let byte = |place: usize| u32::from(chunk.get(place).copied().unwrap_or_default());
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        let quad = [18, 12, 6, 0].map(|shift| symbol(bits >> shift));
        text.extend(quad.into_iter().take(chunk.len().saturating_add(1)));
        text.extend(core::iter::repeat_n('=', 3usize.saturating_sub(chunk.len())));
    }
    text
}

#[cfg(test)]
mod tests {
    use ::base64::{
        Engine as _, alphabet,
        engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
    };
    use proptest::prelude::*;

    use super::Encoding::*;

    #[test]
    fn hex_takes_either_case_and_nothing_else() {
        assert_eq!(Hex.decode(b"00fFAb"), Some([0, 255, 171].into()));
        for text in ["0", "0g", "00 ", "0x00"] {
            assert_eq!(Hex.decode(text.as_bytes()), None, "{text}");
        }
        for byte in 0..=255u8 {
            let text = [byte, b'0'];
            let value = char::from(byte).to_digit(16).map(|value| vec![u8::try_from(value * 16).unwrap()]);
            assert_eq!(Hex.decode(&text), value, "{byte}");
        }
        assert_eq!((Hex.encode(&[0, 255, 171]), HexUpper.encode(&[0xfa])), ("00ffab".into(), "FA".into()));
    }

    #[test]
    fn base64_is_canonical() {
        assert_eq!(Base64.decode(b"Zm8="), Some(b"fo".to_vec()));
        for text in ["Zm8", "Zm9=", "Zm8=\n", "Zm-_", "Z m8="] {
            assert_eq!(Base64.decode(text.as_bytes()), None, "{text}");
        }
        assert_eq!(Base64Lenient.decode(b"Zm8"), Some(b"fo".to_vec()));
        assert_eq!(Base64Lenient.decode(b"-_8="), Some([251, 255].into()));
        assert_eq!(Base64Lenient.decode(b"-/8="), None);
        assert_eq!(Base64Url.decode(b"-_8"), Some([251, 255].into()));
    }

    #[test]
    fn what_does_not_fit_is_not_written() {
        assert_eq!(Hex.decode_into(b"000000", &mut [0; 2]), None);
        assert_eq!(Base64.decode_into(b"Zm8v", &mut [0; 2]), None);
    }

    /// Another implementation of the same rules.
    fn peer(alphabet: &alphabet::Alphabet, padding: DecodePaddingMode) -> GeneralPurpose {
        GeneralPurpose::new(alphabet, GeneralPurposeConfig::new().with_decode_padding_mode(padding))
    }

    proptest! {
        #[test]
        fn base64_is_what_others_write(bytes in prop::collection::vec(any::<u8>(), 0..100)) {
            let text = Base64.encode(&bytes);
            prop_assert_eq!(&text, &peer(&alphabet::STANDARD, DecodePaddingMode::RequireCanonical).encode(&bytes));
            prop_assert_eq!(Base64.decode(text.as_bytes()), Some(bytes.clone()));
            let text = Base64Url.encode(&bytes);
            prop_assert_eq!(&text, &peer(&alphabet::URL_SAFE, DecodePaddingMode::Indifferent).encode(&bytes));
            prop_assert_eq!(Base64Url.decode(text.as_bytes()), Some(bytes.clone()));
            prop_assert_eq!(Hex.decode(Hex.encode(&bytes).as_bytes()), Some(bytes));
        }

        #[test]
        fn base64_is_what_others_read(text in "[AQgwZm9_/+-]{0,9}={0,3}[A=]?") {
            let text = text.as_bytes();
            let standard = peer(&alphabet::STANDARD, DecodePaddingMode::RequireCanonical).decode(text).ok();
            let plain = peer(&alphabet::STANDARD, DecodePaddingMode::Indifferent).decode(text).ok();
            let url = peer(&alphabet::URL_SAFE, DecodePaddingMode::Indifferent).decode(text).ok();
            prop_assert_eq!(Base64.decode(text), standard);
            prop_assert_eq!(Base64Lenient.decode(text), plain.or(url.clone()));
            prop_assert_eq!(Base64Url.decode(text), url);
        }
    }
}

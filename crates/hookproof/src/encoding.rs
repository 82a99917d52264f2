use alloc::{string::String, vec, vec::Vec};
use base64::{
    Engine as _,
    alphabet::{Alphabet, STANDARD, URL_SAFE},
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};

/// How bytes stand in text. Decoding is strict: one value has one text, but for the case of hex.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Encoding {
    /// Either case.
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
            Self::Hex | Self::HexUpper => {
                let size = text.len() / 2;
                hex::decode_to_slice(text, buffer.get_mut(..size)?).ok()?;
                size
            }
            Self::Base64 => BASE64.decode_slice(text, buffer).ok()?,
            Self::Base64Url => BASE64_URL.decode_slice(text, buffer).ok()?,
            Self::Base64Lenient => {
                let for_urls = text.iter().any(|byte| matches!(byte, b'-' | b'_'));
                let engine = if for_urls { &BASE64_URL } else { &BASE64_LENIENT };
                engine.decode_slice(text, buffer).ok()?
            }
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
            Self::Hex => hex::encode(bytes),
            Self::HexUpper => hex::encode_upper(bytes),
            Self::Base64 | Self::Base64Lenient => BASE64.encode(bytes),
            Self::Base64Url => BASE64_URL.encode(bytes),
            Self::Base64Hex => Self::Base64.encode(hex::encode(bytes).as_bytes()),
        }
    }
}

static BASE64: GeneralPurpose = engine(&STANDARD, DecodePaddingMode::RequireCanonical);
static BASE64_LENIENT: GeneralPurpose = engine(&STANDARD, DecodePaddingMode::Indifferent);
static BASE64_URL: GeneralPurpose = engine(&URL_SAFE, DecodePaddingMode::Indifferent);

const fn engine(alphabet: &Alphabet, padding: DecodePaddingMode) -> GeneralPurpose {
    GeneralPurpose::new(alphabet, GeneralPurposeConfig::new().with_decode_padding_mode(padding))
}

#[cfg(test)]
mod tests {
    use super::Encoding::*;

    #[test]
    fn hex_takes_either_case_and_nothing_else() {
        assert_eq!(Hex.decode(b"00fFAb"), Some([0, 255, 171].into()));
        for text in ["0", "0g", "00 ", "0x00"] {
            assert_eq!(Hex.decode(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn base64_is_canonical() {
        assert_eq!(Base64.decode(b"Zm8="), Some(b"fo".to_vec()));
        for text in ["Zm8", "Zm9=", "Zm8=\n", "Zm-_", "Z m8="] {
            assert_eq!(Base64.decode(text.as_bytes()), None, "{text}");
        }
        assert_eq!(Base64Lenient.decode(b"Zm8"), Some(b"fo".to_vec()));
        assert_eq!(Base64Lenient.decode(b"-_8="), Some([251, 255].into()));
        assert_eq!(Base64Url.decode(b"-_8"), Some([251, 255].into()));
    }
}

use alloc::{string::String, vec, vec::Vec};
use base64ct::{Base64, Base64Unpadded, Base64Url, Base64UrlUnpadded, Encoding as _};

/// How bytes stand in text. Decoding is strict and, as it is also used on keys, constant-time.
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
}

impl Encoding {
    /// Decodes into the buffer; `None` where the text is not in this encoding or too long.
    pub(crate) fn decode_into<'b>(self, text: &[u8], buffer: &'b mut [u8]) -> Option<&'b [u8]> {
        let unpadded = text.last() != Some(&b'=');
        match self {
            Self::Hex | Self::HexUpper => base16ct::mixed::decode(text, buffer).ok(),
            Self::Base64 => Base64::decode(text, buffer).ok(),
            Self::Base64Url if unpadded => Base64UrlUnpadded::decode(text, buffer).ok(),
            Self::Base64Url => Base64Url::decode(text, buffer).ok(),
            Self::Base64Lenient if text.iter().any(|byte| matches!(byte, b'-' | b'_')) => {
                Self::Base64Url.decode_into(text, buffer)
            }
            Self::Base64Lenient if unpadded => Base64Unpadded::decode(text, buffer).ok(),
            Self::Base64Lenient => Base64::decode(text, buffer).ok(),
        }
    }

    pub(crate) fn decode(self, text: &[u8]) -> Option<Vec<u8>> {
        let mut buffer = vec![0; text.len()];
        let size = self.decode_into(text, &mut buffer)?.len();
        buffer.truncate(size);
        Some(buffer)
    }

    pub(crate) fn encode(self, bytes: &[u8]) -> String {
        match self {
            Self::Hex => base16ct::lower::encode_string(bytes),
            Self::HexUpper => base16ct::upper::encode_string(bytes),
            Self::Base64 | Self::Base64Lenient => Base64::encode_string(bytes),
            Self::Base64Url => Base64Url::encode_string(bytes),
        }
    }
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

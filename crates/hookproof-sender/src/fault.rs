//! Misbehaviour on request: what a sender must never do and a receiver must survive.

use std::str::FromStr;

use crate::{Error, SigningSecret, error::shown};

/// One way in which a delivery is wrong, or unusual.
#[derive(Clone, Debug)]
pub enum Fault {
    /// One bit of the body is flipped after it was signed.
    TamperedBody,
    /// It is signed with a secret that nobody has.
    WrongSecret,
    /// The time that is signed is so many seconds off.
    TimeShift(i64),
    /// This header is left out; without a name the one that carries the signature.
    MissingHeader(Option<String>),
    /// Another id stands in the header that the signature does not cover.
    SwappedId,
    /// It is signed with this secret instead of the endpoint's: one that was rotated out.
    RotatedSecret(SigningSecret),
    /// The body is not UTF-8, and signed as it is.
    NotUtf8,
    /// So many requests with the same bytes at the same moment.
    Copies(u16),
}

/// The seconds of [`Fault::TimeShift`] for `old-timestamp` and `future-timestamp`: outside every default window.
pub const FAR_OFF: i64 = 3_600;

/// The names by which [`Fault`]s are asked for, and what each means.
pub const NAMES: &[(&str, &str)] = &[
    ("tampered-body", "flip one bit of the body after signing"),
    ("wrong-secret", "sign with a secret that nobody has"),
    ("old-timestamp", "sign a time one hour ago"),
    ("future-timestamp", "sign a time one hour ahead"),
    ("time-shift=SECONDS", "sign a time that many seconds off"),
    ("missing-header", "leave out the signature's header"),
    ("missing-header=NAME", "leave out that header"),
    ("swapped-id", "put another id into the header that is not signed"),
    ("rotated-secret=SECRET", "sign with that secret instead"),
    ("not-utf8", "send a body that is not UTF-8, signed as it is"),
    ("copies=N", "send N copies at the same moment"),
];

impl FromStr for Fault {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let (name, value) = text.split_once('=').map_or((text, None), |(name, value)| (name, Some(value)));
        Ok(match (name, value) {
            ("tampered-body", None) => Self::TamperedBody,
            ("wrong-secret", None) => Self::WrongSecret,
            ("old-timestamp", None) => Self::TimeShift(-FAR_OFF),
            ("future-timestamp", None) => Self::TimeShift(FAR_OFF),
            ("time-shift", Some(seconds)) => Self::TimeShift(
                seconds
                    .parse()
                    .map_err(|_| Error::invalid(format!("`{}` is not a number of seconds", shown(seconds))))?,
            ),
            ("missing-header", header) => Self::MissingHeader(header.map(str::to_owned)),
            ("swapped-id", None) => Self::SwappedId,
            ("rotated-secret", Some(secret)) => Self::RotatedSecret(SigningSecret::new(secret)?),
            ("not-utf8", None) => Self::NotUtf8,
            ("copies", Some(count)) => match count.parse() {
                Ok(count @ 1..=1_000) => Self::Copies(count),
                _ => {
                    return Err(Error::invalid(format!("`{}` is not a number of copies from 1 to 1000", shown(count))));
                }
            },
            _ => {
                let known: Vec<_> = NAMES.iter().map(|(name, _)| *name).collect();
                // What stands behind `=` may be a secret.
                return Err(Error::invalid(format!("`{}` is no fault: there are {}", shown(name), known.join(", "))));
            }
        })
    }
}

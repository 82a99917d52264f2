//! Lengths of time, in the words of provider files: `500ms`, `30s`, `5m`, `2h`, `1d`.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A length of time in whole milliseconds.
///
/// ```
/// use hookproof_sender::Span;
/// let span: Span = "2h".parse()?;
/// assert_eq!(span.milliseconds(), 7_200_000);
/// assert_eq!(span.to_string(), "2h");
/// # Ok::<(), hookproof_sender::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span(u64);

const UNITS: [(&str, u64); 5] = [("ms", 1), ("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000)];

impl Span {
    /// A span of this many milliseconds.
    pub const fn of_milliseconds(milliseconds: u64) -> Self {
        Self(milliseconds)
    }

    /// A span of this many seconds.
    pub const fn of_seconds(seconds: u64) -> Self {
        Self(seconds.saturating_mul(1_000))
    }

    /// The whole span in milliseconds.
    pub const fn milliseconds(self) -> u64 {
        self.0
    }
}

impl std::str::FromStr for Span {
    type Err = crate::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let refused = || {
            crate::Error::invalid(format!(
                "`{}` is not a duration such as `30s`, `5m` or `2h`",
                crate::error::shown(text)
            ))
        };
        let (digits, unit) =
            UNITS.iter().find_map(|(suffix, unit)| Some((text.strip_suffix(suffix)?, *unit))).ok_or_else(refused)?;
        if digits.is_empty() || digits.len() > 9 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(refused());
        }
        let count: u64 = digits.parse().map_err(|_| refused())?;
        Ok(Self(count.saturating_mul(unit)))
    }
}

impl fmt::Display for Span {
    /// Every unit that counts, hours first: `26h36m`, `1m30s`.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 == 0 {
            return formatter.write_str("0s");
        }
        let mut rest = self.0;
        for (suffix, unit) in [("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)] {
            let count = rest / unit;
            rest %= unit;
            if count > 0 {
                write!(formatter, "{count}{suffix}")?;
            }
        }
        Ok(())
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

impl Serialize for Span {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_every_unit_and_refuses_the_rest() {
        for (text, milliseconds) in
            [("250ms", 250), ("0s", 0), ("30s", 30_000), ("5m", 300_000), ("24h", 86_400_000), ("7d", 604_800_000)]
        {
            assert_eq!(text.parse::<Span>().unwrap().milliseconds(), milliseconds);
        }
        for text in ["", "5", "s", "-1s", "1.5s", " 1s", "1_0s", "9999999999s"] {
            assert!(text.parse::<Span>().is_err(), "{text}");
        }
    }

    #[test]
    fn prints_what_it_reads() {
        for text in ["0s", "30s", "1m30s", "26h36m", "250ms"] {
            let total: u64 = match text {
                "0s" => 0,
                "30s" => 30_000,
                "1m30s" => 90_000,
                "26h36m" => 95_760_000,
                _ => 250,
            };
            assert_eq!(Span(total).to_string(), text);
        }
    }
}

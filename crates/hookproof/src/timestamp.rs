/// How a provider writes a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unit {
    Seconds,
    Milliseconds,
    Microseconds,
    Rfc3339,
    /// The same, but a time without an offset is in UTC.
    Iso8601,
}

impl Unit {
    /// Unix seconds, floored; `None` outside the grammar. The text itself is what is signed.
    pub(crate) fn parse(self, text: &[u8]) -> Option<i64> {
        match self {
            Self::Seconds => digits(text, 12),
            Self::Milliseconds => Some(digits(text, 15)?.div_euclid(1_000)),
            Self::Microseconds => Some(digits(text, 18)?.div_euclid(1_000_000)),
            Self::Rfc3339 => rfc3339(text, false),
            Self::Iso8601 => rfc3339(text, true),
        }
    }

    /// A time of this unit for a whole Unix second.
    pub(crate) fn write(self, seconds: i64) -> alloc::string::String {
        match self {
            Self::Seconds => alloc::format!("{seconds}"),
            Self::Milliseconds => alloc::format!("{seconds}000"),
            Self::Microseconds => alloc::format!("{seconds}000000"),
            Self::Rfc3339 | Self::Iso8601 => {
                let (year, month, day) = civil(seconds.div_euclid(86_400));
                let second = seconds.rem_euclid(86_400);
                let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
                alloc::format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
            }
        }
    }
}

/// `0` or `[1-9][0-9]*`, at most `most` digits: no sign, space, exponent or underscore.
fn digits(text: &[u8], most: usize) -> Option<i64> {
    if text.is_empty() || text.len() > most || (text.len() > 1 && text.first() == Some(&b'0')) {
        return None;
    }
    // At most 18 digits overflow nothing.
    let (valid, number) = text.iter().fold((true, 0i64), |(valid, number), byte| {
        let digit = byte.wrapping_sub(b'0');
        (valid & (digit < 10), number.wrapping_mul(10).wrapping_add(i64::from(digit)))
    });
    valid.then_some(number)
}

/// `2026-11-21T10:00:00.123Z`, or an offset for the `Z`; up to nine digits of a fraction.
fn rfc3339(text: &[u8], zone_may_be_missing: bool) -> Option<i64> {
    let (date_time, rest) = text.split_at_checked(19)?;
    let field = |at: usize, len: usize| {
        let field = date_time.get(at..at.checked_add(len)?)?;
        field
            .iter()
            .all(u8::is_ascii_digit)
            .then(|| field.iter().fold(0i64, |n, d| n.wrapping_mul(10).wrapping_add(i64::from(d & 15))))
    };
    let marks = [(4, b'-'), (7, b'-'), (10, b'T'), (13, b':'), (16, b':')];
    if marks.iter().any(|(at, mark)| date_time.get(*at) != Some(mark)) {
        return None;
    }
    let (year, month, day) = (field(0, 4)?, field(5, 2)?, field(8, 2)?);
    let (hour, minute, second) = (field(11, 2)?, field(14, 2)?, field(17, 2)?);
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let month_days = match month {
        4 | 6 | 9 | 11 => 30,
        2 if leap => 29,
        2 => 28,
        1..=12 => 31,
        _ => return None,
    };
    if !(1..=month_days).contains(&day) || hour > 23 || minute > 59 || second > 60 {
        return None;
    }

    let zone = match rest.strip_prefix(b".") {
        Some(fraction) => {
            let end = fraction.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(fraction.len());
            if !(1..=9).contains(&end) {
                return None;
            }
            fraction.get(end..)?
        }
        None => rest,
    };
    let offset = match zone {
        b"Z" => 0,
        b"" if zone_may_be_missing => 0,
        [sign @ (b'+' | b'-'), h1, h2, b':', m1, m2] if [h1, h2, m1, m2].iter().all(|digit| digit.is_ascii_digit()) => {
            let pair = |high: &u8, low: &u8| i64::from(high & 15).wrapping_mul(10).wrapping_add(i64::from(low & 15));
            let (hours, minutes) = (pair(h1, h2), pair(m1, m2));
            if hours > 23 || minutes > 59 {
                return None;
            }
            let offset = hours.wrapping_mul(3600).wrapping_add(minutes.wrapping_mul(60));
            if *sign == b'+' { offset } else { -offset }
        }
        _ => return None,
    };
    days(year, month, day)
        .checked_mul(86_400)?
        .checked_add(hour.wrapping_mul(3600).wrapping_add(minute.wrapping_mul(60)).wrapping_add(second))?
        .checked_sub(offset)
}

/// Days from 1970-01-01, by counting years from March so that the leap day is last.
#[expect(clippy::arithmetic_side_effects, reason = "a year of four digits overflows nothing")]
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

/// The inverse of [`days`].
#[expect(clippy::arithmetic_side_effects, reason = "only called for times that were Unix seconds of our era")]
fn civil(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let of_era = days.rem_euclid(146_097);
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let shifted = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    (year + era * 400 + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_numbers_are_strict() {
        assert_eq!(Unit::Seconds.parse(b"1700000000"), Some(1_700_000_000));
        assert_eq!(Unit::Seconds.parse(b"0"), Some(0));
        assert_eq!(Unit::Milliseconds.parse(b"1700000000999"), Some(1_700_000_000));
        assert_eq!(Unit::Microseconds.parse(b"1700000000999999"), Some(1_700_000_000));
        for text in ["", "00", "01", "+1", "-1", " 1", "1_0", "1e3", "1.0", "1700000000000", "\u{661}"] {
            assert_eq!(Unit::Seconds.parse(text.as_bytes()), None, "{text:?}");
        }
    }

    #[test]
    fn rfc3339_is_strict() {
        let parse = |text: &str| Unit::Rfc3339.parse(text.as_bytes());
        assert_eq!(parse("2020-01-01T00:00:00-07:00"), Some(1_577_862_000));
        assert_eq!(parse("2021-02-19T23:47:00.8091512Z"), Some(1_613_778_420));
        assert_eq!(parse("1970-01-01T00:00:00Z"), Some(0));
        for text in [
            "2020-01-01",
            "2020-01-01t00:00:00Z",
            "2020-01-01T00:00:00z",
            "2020-01-01T00:00:00",
            "2020-02-30T00:00:00Z",
            "2020-01-01T24:00:00Z",
            "2020-01-01T00:00:00.Z",
            "2020-01-01T00:00:00.1234567890Z",
            "2020-01-01T00:00:00+0700",
            "2020-13-01T00:00:00Z",
            "2019-02-29T00:00:00Z",
            "+020-01-01T00:00:00Z",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_zone_may_be_missing_where_the_provider_leaves_it_out() {
        assert_eq!(Unit::Iso8601.parse(b"2024-03-27T15:42:29.551"), Some(1_711_554_149));
        assert_eq!(Unit::Iso8601.parse(b"2024-03-27T15:42:29Z"), Some(1_711_554_149));
        assert_eq!(Unit::Rfc3339.parse(b"2024-03-27T15:42:29.551"), None);
    }

    #[test]
    fn what_is_written_reads_back() {
        for unit in [Unit::Seconds, Unit::Milliseconds, Unit::Microseconds, Unit::Rfc3339] {
            for second in [1, 951_782_400, 951_868_800, 1_700_000_000, 4_102_444_799] {
                assert_eq!(unit.parse(unit.write(second).as_bytes()), Some(second), "{unit:?}");
            }
        }
    }
}

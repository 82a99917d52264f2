//! What a receiver asks for with `Retry-After`.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::Span;

/// The longest wait that a receiver may ask for: more would let it park a delivery for ever.
pub const LONGEST: Span = Span::of_seconds(86_400);

/// How long `Retry-After: value` asks to wait, at most [`LONGEST`]; `None` for anything that is not a number of
/// seconds or an HTTP date.
///
/// `date` is the answer's own `Date` header: a date is meant by the receiver's clock, so the wait is the difference of
/// the two, and only without a readable `Date` is it measured from `now` (Unix milliseconds).
///
/// ```
/// use hookproof_sender::{Span, retry_after};
/// assert_eq!(retry_after::wait("120", None, 0), Some(Span::of_seconds(120)));
/// assert_eq!(retry_after::wait("Sun, 06 Nov 1994 08:49:37 GMT", Some("Sun, 06 Nov 1994 08:49:07 GMT"), 0), Some(Span::of_seconds(30)));
/// assert_eq!(retry_after::wait("soon", None, 0), None);
/// ```
pub fn wait(value: &str, date: Option<&str>, now: u64) -> Option<Span> {
    let value = value.trim_matches([' ', '\t']);
    if value.is_empty() || value.len() > 64 {
        return None;
    }
    let milliseconds = if value.bytes().all(|byte| byte.is_ascii_digit()) {
        // More digits than fit are still a number: a very long wait.
        value.parse::<u64>().unwrap_or(u64::MAX).saturating_mul(1_000)
    } else {
        let until = milliseconds(httpdate::parse_http_date(value).ok()?);
        let from = date.and_then(|date| httpdate::parse_http_date(date).ok()).map_or(now, milliseconds);
        until.saturating_sub(from)
    };
    Some(Span::of_milliseconds(milliseconds).min(LONGEST))
}

fn milliseconds(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 784_111_747_000; // Sun, 06 Nov 1994 08:49:07 GMT

    #[test]
    fn seconds_and_the_three_forms_of_dates() {
        for (value, seconds) in [
            ("0", 0),
            ("1", 1),
            (" 60\t", 60),
            ("007", 7),
            ("86400", 86_400),
            ("86401", 86_400),
            ("99999999999999999999999999", 86_400),
            ("Sun, 06 Nov 1994 08:49:37 GMT", 30),
            ("Sunday, 06-Nov-94 08:49:37 GMT", 30),
            ("Sun Nov  6 08:49:37 1994", 30),
            ("Sun, 06 Nov 1994 08:49:00 GMT", 0),
            ("Fri, 31 Dec 9999 23:59:59 GMT", 86_400),
        ] {
            assert_eq!(wait(value, None, NOW), Some(Span::of_seconds(seconds)), "{value}");
        }
    }

    #[test]
    fn junk_is_no_wait() {
        for value in [
            "",
            " ",
            "-1",
            "+1",
            "1.5",
            "1e3",
            "0x10",
            "1 2",
            "1,2",
            "soon",
            "60s",
            "６０",
            "Sun, 06 Nov 1994 08:49:37 +0100",
            "1994-11-06T08:49:37Z",
            "NaN",
        ] {
            assert_eq!(wait(value, None, NOW), None, "{value}");
        }
        assert_eq!(wait(&"1".repeat(65), None, NOW), None);
    }

    #[test]
    fn a_date_is_meant_by_the_receivers_clock() {
        let (until, date) = ("Sun, 06 Nov 1994 08:49:37 GMT", "Sun, 06 Nov 1994 08:49:27 GMT");
        assert_eq!(wait(until, Some(date), 0), Some(Span::of_seconds(10)));
        assert_eq!(wait(until, Some("yesterday"), NOW), Some(Span::of_seconds(30)));
    }
}

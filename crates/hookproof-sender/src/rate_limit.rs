//! How many attempts an endpoint is given in a while.

use serde::{Deserialize, Serialize};

use crate::Span;

/// At most `limit` attempts in any stretch of `per`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RateLimit {
    /// Attempts that may start in one stretch; at least 1.
    pub limit: u32,
    /// The length of the stretch.
    pub per: Span,
}

/// The starts that still count against a [`RateLimit`].
///
/// A sliding window, not a bucket that is refilled: a receiver that counts "10 in a minute" sees at most 10 in every
/// minute, wherever its minute begins.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Window {
    starts: std::collections::VecDeque<u64>,
}

impl Window {
    /// When the next attempt may start, Unix milliseconds: `now`, or later.
    pub(crate) fn next(&mut self, limit: RateLimit, now: u64) -> u64 {
        let per = limit.per.milliseconds();
        while self.starts.front().is_some_and(|start| start.saturating_add(per) <= now) {
            self.starts.pop_front();
        }
        let full = self.starts.len() >= usize::try_from(limit.limit.max(1)).unwrap_or(usize::MAX);
        match self.starts.front() {
            Some(first) if full => first.saturating_add(per),
            _ => now,
        }
    }

    /// Counts an attempt that starts at `now`.
    pub(crate) fn count(&mut self, now: u64) {
        self.starts.push_back(now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_eleventh_waits_until_the_first_is_a_minute_old() {
        let limit = RateLimit { limit: 10, per: Span::of_seconds(60) };
        let mut window = Window::default();
        for start in 0..10 {
            let now = 1_000 + start * 100;
            assert_eq!(window.next(limit, now), now);
            window.count(now);
        }
        assert_eq!(window.next(limit, 2_000), 61_000);
        assert_eq!(window.next(limit, 61_000), 61_000);
        window.count(61_000);
        assert_eq!(window.next(limit, 61_000), 61_100);
    }
}

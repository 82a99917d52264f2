use alloc::collections::VecDeque;

use crate::{RateLimit, keyring::MOST_SECRETS};

/// How many deliveries each secret has brought lately: a sliding window, in this process.
pub(super) struct Limiter {
    rule: RateLimit,
    #[cfg(feature = "std")]
    recent: std::sync::Mutex<[VecDeque<u64>; MOST_SECRETS]>,
}

impl Limiter {
    pub(super) fn new(rule: RateLimit) -> Self {
        Self {
            rule,
            #[cfg(feature = "std")]
            recent: std::sync::Mutex::new([const { VecDeque::new() }; MOST_SECRETS]),
        }
    }

    /// Counts a delivery; `Some`: it is one too many, and this is when the next may come, in milliseconds.
    #[cfg(feature = "std")]
    pub(super) fn take(&self, secret: usize, now_ms: u64) -> Option<u64> {
        let mut recent = self.recent.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let recent = recent.get_mut(secret)?;
        while recent.front().is_some_and(|then| now_ms.saturating_sub(*then) >= self.rule.per_ms) {
            recent.pop_front();
        }
        if recent.len() < self.rule.limit as usize {
            recent.push_back(now_ms);
            return None;
        }
        // The provider tells its callers to wait out the whole time, so this does too.
        Some(self.rule.per_ms)
    }

    /// Without a mutex there is nothing to count in: the host limits.
    #[cfg(not(feature = "std"))]
    pub(super) fn take(&self, _: usize, _: u64) -> Option<u64> {
        let _ = (&self.rule, MOST_SECRETS, VecDeque::<u64>::new);
        None
    }
}

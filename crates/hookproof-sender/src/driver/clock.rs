//! How the time passes.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// How the time passes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Clock {
    /// As on the wall.
    Wall,
    /// From one due time to the next, at once. An attempt that is answered takes no virtual time, one that times out
    /// takes its whole timeout.
    Virtual {
        /// When it begins, Unix milliseconds.
        start: u64,
        /// How long an attempt may take on the wall before it counts as timed out.
        patience: Duration,
        /// Which time is signed: receivers that check it have a real clock, unless they too are given a virtual one.
        signs: SignedTime,
    },
}

/// Which time is signed under a virtual clock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SignedTime {
    /// The wall's: a receiver with a real clock accepts it.
    #[default]
    Wall,
    /// The virtual clock's.
    Virtual,
}

impl Clock {
    /// A virtual clock that begins now, with 250 ms of patience and the wall's time signed.
    pub fn virtual_from_now() -> Self {
        Self::Virtual { start: wall_now(), patience: Duration::from_millis(250), signs: SignedTime::Wall }
    }
}

/// The time on the wall, Unix milliseconds.
pub fn wall_now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

//! Random numbers: the system's for ids and secrets, a seeded sequence where a run has to be repeatable.

use crate::{Error, NO_JITTER};

/// So many bytes from the system.
pub(crate) fn bytes(count: usize) -> Result<Vec<u8>, Error> {
    let mut bytes = vec![0; count];
    getrandom::fill(&mut bytes)
        .map_err(|error| Error::invalid(format!("the system has no random numbers: {error}")))?;
    Ok(bytes)
}

/// Where the random numbers of the state machine come from. They only decide jitter.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Randomness {
    /// No jitter: every delay is exactly the table's.
    Exact,
    /// The same sequence for the same seed.
    Seeded(u64),
    /// The system's.
    #[default]
    System,
}

impl Randomness {
    pub(crate) fn draw(&mut self) -> u32 {
        match self {
            Self::Exact => NO_JITTER,
            // A failing system source means no jitter, not no delivery.
            Self::System => getrandom::u32().unwrap_or(NO_JITTER),
            Self::Seeded(state) => {
                // SplitMix64: one addition and two multiplications, even over all of u64.
                *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
                let mut mixed = *state;
                mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
                mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
                u32::try_from((mixed ^ (mixed >> 31)) >> 32).unwrap_or(NO_JITTER)
            }
        }
    }
}

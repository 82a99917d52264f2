//! When a sender tries again, and what it does when it gives up: numbers and rules, no clock.

use serde::{Deserialize, Serialize};

use crate::{Error, RateLimit, Span};

/// What is waited between the end of one attempt and the start of the next.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", tag = "strategy", deny_unknown_fields)]
pub enum Delays {
    /// One delay per retry, as a table in a document says.
    Table {
        /// The delay before the first retry, before the second, and so on.
        delays: Vec<Span>,
    },
    /// `first`, twice that, four times that, ...
    Exponential {
        /// The delay before the first retry.
        first: Span,
        /// How many retries there are.
        retries: u32,
    },
    /// `step`, two steps, three steps, ...
    Linear {
        /// The delay before the first retry and what each later one adds.
        step: Span,
        /// How many retries there are.
        retries: u32,
    },
}

impl Delays {
    /// The strategy's name, as users choose it: `table`, `exponential` or `linear`.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Table { .. } => "table",
            Self::Exponential { .. } => "exponential",
            Self::Linear { .. } => "linear",
        }
    }
}

/// When a failed delivery is tried again.
///
/// ```
/// use hookproof_sender::{Delays, RetryPolicy, Span};
/// let policy = RetryPolicy { delays: Delays::Linear { step: Span::of_seconds(5), retries: 3 }, jitter: 0.0 };
/// let waits: Vec<_> = (1..=4).map(|retry| policy.delay(retry, 0).map(Span::milliseconds)).collect();
/// assert_eq!(waits, [Some(5_000), Some(10_000), Some(15_000), None]);
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RetryPolicy {
    /// The delays.
    pub delays: Delays,
    /// The part of a delay by which it may be shorter or longer: 0.1 is 10 % either way. 0 where a document gives exact times.
    pub jitter: f64,
}

/// The middle of the random numbers: with it a delay is exactly what the table says.
pub const NO_JITTER: u32 = 1 << 31;

impl RetryPolicy {
    /// How many retries follow the first attempt.
    pub fn retries(&self) -> u32 {
        match &self.delays {
            Delays::Table { delays } => u32::try_from(delays.len()).unwrap_or(u32::MAX),
            Delays::Exponential { retries, .. } | Delays::Linear { retries, .. } => *retries,
        }
    }

    /// What is waited before retry number `retry`, the first being 1; `None` if there is none.
    ///
    /// `random` picks the place within the jitter: 0 is the shortest wait, [`NO_JITTER`] the exact one, `u32::MAX` the longest.
    pub fn delay(&self, retry: u32, random: u32) -> Option<Span> {
        if retry == 0 || retry > self.retries() {
            return None;
        }
        let exact = match &self.delays {
            Delays::Table { delays } => delays.get(usize::try_from(retry - 1).ok()?)?.milliseconds(),
            Delays::Exponential { first, .. } => first.milliseconds().saturating_mul(2_u64.saturating_pow(retry - 1)),
            Delays::Linear { step, .. } => step.milliseconds().saturating_mul(u64::from(retry)),
        };
        Some(Span::of_milliseconds(self.jittered(exact, random)))
    }

    fn jittered(&self, exact: u64, random: u32) -> u64 {
        let permille = permille(self.jitter);
        let reach = u128::from(exact) * permille / 1_000;
        let (low, high) = (u128::from(exact) - reach, reach * 2);
        let place = high * u128::from(random) / (u128::from(NO_JITTER) * 2);
        u64::try_from(low + place).unwrap_or(u64::MAX)
    }

    /// The exact starts of all attempts if each of them is answered at once: what a document's table adds up to.
    pub fn starts(&self) -> Vec<Span> {
        let mut at = 0_u64;
        let waits = (1..=self.retries()).map_while(|retry| self.delay(retry, NO_JITTER));
        std::iter::once(Span::default())
            .chain(waits.map(|wait| {
                at = at.saturating_add(wait.milliseconds());
                Span::of_milliseconds(at)
            }))
            .collect()
    }

    /// Another count, and where the delays follow a rule another rule, as G-Tateth lets its users configure.
    ///
    /// # Errors
    /// If the delays are a table: a document that gives exact times leaves nothing to choose.
    pub fn with_retries(mut self, count: u32) -> Result<Self, Error> {
        match &mut self.delays {
            Delays::Table { .. } => {
                return Err(Error::invalid("this provider's retries are a fixed table: their number cannot be set"));
            }
            Delays::Exponential { retries, .. } | Delays::Linear { retries, .. } => *retries = count.min(64),
        }
        Ok(self)
    }
}

/// A part between 0 and 1 in thousandths; anything else counts as the nearer end.
fn permille(part: f64) -> u128 {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "clamped to 0..=1000 first; NaN becomes 0"
    )]
    let rounded = (part * 1_000.0).round().clamp(0.0, 1_000.0) as u128;
    rounded
}

/// Which failed attempts are tried again.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct StatusRules {
    /// Statuses after which the delivery has failed for good, in ranges such as `400-428`.
    #[serde(rename = "final")]
    pub last: Vec<Statuses>,
    /// Statuses that also disable the endpoint.
    pub disable: Vec<u16>,
    /// Statuses after which the endpoint is given less for a while.
    pub slow: Vec<u16>,
    /// Whether `Retry-After` can make a wait longer.
    pub retry_after: bool,
    /// The least that is waited after a 429.
    pub rate_limited: Option<Span>,
    /// Whether a timeout that came after bytes of the request had left is the end: the work may have been done, and charged.
    pub timeout_after_sending_is_final: bool,
}

impl StatusRules {
    /// Whether an answer with this status ends the delivery.
    pub fn ends(&self, status: u16) -> bool {
        self.disable.contains(&status) || self.last.iter().any(|statuses| statuses.contain(status))
    }
}

/// One status, or a range of them with both ends: `"404"`, `"300-399"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Statuses {
    from: u16,
    to: u16,
}

impl Statuses {
    /// Whether `status` is one of them.
    pub const fn contain(self, status: u16) -> bool {
        self.from <= status && status <= self.to
    }
}

impl std::str::FromStr for Statuses {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let number = |text: &str| text.parse::<u16>().ok().filter(|status| (100..=599).contains(status));
        let (from, to) = text.split_once('-').unwrap_or((text, text));
        match (number(from), number(to)) {
            (Some(from), Some(to)) if from <= to => Ok(Self { from, to }),
            _ => {
                Err(Error::invalid(format!("`{}` is neither a status nor a range of them", crate::error::shown(text))))
            }
        }
    }
}

impl<'de> Deserialize<'de> for Statuses {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

impl Serialize for Statuses {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.from == self.to {
            serializer.collect_str(&self.from)
        } else {
            serializer.collect_str(&format_args!("{}-{}", self.from, self.to))
        }
    }
}

/// What happens when the last automatic attempt of a delivery fails.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum GiveUp {
    /// The delivery has failed; the endpoint goes on.
    #[default]
    Fail,
    /// The delivery has failed and the endpoint is disabled.
    DisableEndpoint,
}

/// Everything that the state machine needs to know of a provider.
#[derive(Clone, Debug, PartialEq)]
pub struct Policy {
    /// When a failed delivery is tried again.
    pub retry: RetryPolicy,
    /// How long one attempt may take from the first lookup to the last byte of the answer.
    pub timeout: Span,
    /// What certain statuses mean.
    pub statuses: StatusRules,
    /// What happens after the last failure.
    pub give_up: GiveUp,
    /// How many attempts the endpoint is given in a while; `None`: as many as there are.
    pub rate_limit: Option<RateLimit>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(delays: &[&str], jitter: f64) -> RetryPolicy {
        RetryPolicy {
            delays: Delays::Table { delays: delays.iter().map(|delay| delay.parse().unwrap()).collect() },
            jitter,
        }
    }

    #[test]
    fn tables_add_up() {
        let starts = |policy: RetryPolicy| policy.starts().iter().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(starts(table(&["1m", "5m", "30m", "2h", "24h"], 0.0)), ["0s", "1m", "6m", "36m", "2h36m", "26h36m"]);
        assert_eq!(
            starts(RetryPolicy { delays: Delays::Exponential { first: Span::of_seconds(2), retries: 3 }, jitter: 0.0 }),
            ["0s", "2s", "6s", "14s"]
        );
        assert_eq!(
            starts(RetryPolicy { delays: Delays::Linear { step: Span::of_seconds(5), retries: 3 }, jitter: 0.0 }),
            ["0s", "5s", "15s", "30s"]
        );
    }

    #[test]
    fn jitter_reaches_a_tenth_either_way_and_never_further() {
        let policy = table(&["1m"], 0.1);
        assert_eq!(policy.delay(1, 0), Some(Span::of_seconds(54)));
        assert_eq!(policy.delay(1, NO_JITTER), Some(Span::of_seconds(60)));
        assert_eq!(policy.delay(1, u32::MAX), Some(Span::of_milliseconds(65_999)));
        assert_eq!(table(&["1m"], 0.0).delay(1, u32::MAX), Some(Span::of_seconds(60)));
        assert_eq!(table(&["1m"], f64::NAN).delay(1, 0), Some(Span::of_seconds(60)));
    }

    #[test]
    fn huge_counts_do_not_overflow() {
        let policy =
            RetryPolicy { delays: Delays::Exponential { first: Span::of_seconds(2), retries: 200 }, jitter: 0.1 };
        assert!(policy.delay(200, u32::MAX).is_some());
        assert_eq!(policy.delay(201, 0), None);
        assert_eq!(policy.delay(0, 0), None);
    }
}

//! A proof as one number, which the host keeps and only the engine reads: the secret that matched, and the signed time.
//!
//! A JavaScript number holds 53 bits. Three are the secret (there are at most eight), the rest the time: timestamps
//! have at most 12 digits of seconds, and RFC 3339 reaches back to the year 0.

const SECRETS: f64 = 8.0;
const EPOCH: f64 = 2_199_023_255_552.0; // 2^41 seconds

pub(crate) fn pack(secret: usize, timestamp: Option<i64>) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "both are far below 2^53")]
    let (secret, time) = (secret as f64, timestamp.map_or(0.0, |timestamp| timestamp as f64 + EPOCH));
    time * SECRETS + secret
}

pub(crate) fn unpack(proof: f64) -> (usize, Option<i64>) {
    let time = (proof / SECRETS).floor();
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "what `pack` made is whole and in range"
    )]
    let (secret, timestamp) = ((proof - time * SECRETS) as usize, (time - EPOCH) as i64);
    (secret, (time > 0.0).then_some(timestamp))
}

#[cfg(test)]
mod tests {
    use super::{pack, unpack};

    #[test]
    fn a_proof_survives_being_a_number() {
        for secret in 0..8 {
            for timestamp in [None, Some(0), Some(-62_167_219_200), Some(1_700_000_000), Some(999_999_999_999)] {
                let proof = pack(secret, timestamp);
                assert!((0.0..9_007_199_254_740_992.0).contains(&proof));
                assert_eq!(unpack(proof), (secret, timestamp));
            }
        }
    }
}

//! One part of the memory store: what is in flight, what is done, and the steps between them.

use core::hash::{BuildHasherDefault, Hasher};
use std::collections::HashMap;
use std::collections::hash_map::Entry;

use super::finished::Finished;
use crate::store::{ClaimAnswer, Token};

struct Flight {
    token: Token,
    fence: u64,
    lease_until: u64,
    body_hash: [u8; 32],
}

#[derive(Default)]
pub(super) struct Shard {
    flights: HashMap<[u8; 32], Flight, BuildHasherDefault<KeyBytes>>,
    finished: Finished,
    /// One counter for all keys of the shard: it rises for each of them, and costs a released key no memory.
    fence: u64,
    /// No lease ends before this.
    earliest: u64,
}

/// What a claim meets in a shard.
pub(super) enum Claimed {
    Answer(ClaimAnswer),
    /// Answered after so many completed keys had to leave early.
    Evicted(ClaimAnswer),
    Full,
}

/// The bounds of a shard at the time of a claim.
#[derive(Clone, Copy)]
pub(super) struct Bounds {
    pub(super) capacity: usize,
    /// A completed key stays at least this long.
    pub(super) minimum_ms: u64,
}

impl Shard {
    pub(super) fn claim(
        &mut self,
        key: &[u8; 32],
        token: &Token,
        body_hash: &[u8; 32],
        lease_ms: u64,
        now: u64,
        bounds: Bounds,
    ) -> Claimed {
        // Two for each new one: what has ended goes faster than anything comes, and no call pays for all of it.
        self.finished.expire(now, 2);
        if let Some(body_hash) = self.finished.lookup(key, now) {
            return Claimed::Answer(ClaimAnswer::Done { body_hash });
        }
        let lease_until = now.saturating_add(lease_ms);
        if let Some(flight) = self.flights.get_mut(key) {
            let same = flight.token == *token;
            if !same && flight.lease_until > now {
                return Claimed::Answer(ClaimAnswer::InFlight { remaining_ms: flight.lease_until - now });
            }
            if !same {
                self.fence = self.fence.saturating_add(1).max(now);
                *flight = Flight { token: *token, fence: self.fence, lease_until, body_hash: *body_hash };
            }
            flight.lease_until = lease_until;
            self.earliest = self.earliest.min(lease_until);
            return Claimed::Answer(ClaimAnswer::Claimed { fence: flight.fence });
        }
        let evicted = match self.make_room(now, bounds) {
            Some(evicted) => evicted,
            None => return Claimed::Full,
        };
        self.fence = self.fence.saturating_add(1).max(now);
        self.earliest = if self.flights.is_empty() { lease_until } else { self.earliest.min(lease_until) };
        self.flights.insert(*key, Flight { token: *token, fence: self.fence, lease_until, body_hash: *body_hash });
        let answer = ClaimAnswer::Claimed { fence: self.fence };
        if evicted { Claimed::Evicted(answer) } else { Claimed::Answer(answer) }
    }

    pub(super) fn complete(&mut self, key: &[u8; 32], token: &Token, retention_ms: u64, now: u64) -> bool {
        let Some(flight) = self.take(key, token) else {
            return false;
        };
        self.finished.push(key, flight.body_hash, now, now.saturating_add(retention_ms));
        true
    }

    pub(super) fn release(&mut self, key: &[u8; 32], token: &Token) -> bool {
        self.take(key, token).is_some()
    }

    pub(super) fn extend(&mut self, key: &[u8; 32], token: &Token, lease_ms: u64, now: u64) -> bool {
        let Some(flight) = self.flights.get_mut(key).filter(|flight| flight.token == *token) else {
            return false;
        };
        flight.lease_until = now.saturating_add(lease_ms);
        self.earliest = self.earliest.min(flight.lease_until);
        true
    }

    pub(super) fn forget(&mut self, key: &[u8; 32], now: u64) -> bool {
        self.finished.forget(key, now)
    }

    pub(super) fn len(&self) -> usize {
        self.flights.len() + self.finished.len()
    }

    fn take(&mut self, key: &[u8; 32], token: &Token) -> Option<Flight> {
        match self.flights.entry(*key) {
            Entry::Occupied(flight) if flight.get().token == *token => Some(flight.remove()),
            _ => None,
        }
    }

    /// Room for one more key; whether a completed one had to leave early for it. `None` if there is none.
    fn make_room(&mut self, now: u64, bounds: Bounds) -> Option<bool> {
        if self.len() < bounds.capacity {
            return Some(false);
        }
        self.finished.sweep(now);
        if self.len() >= bounds.capacity && self.earliest <= now {
            // A lease that has ended is not in flight any more: its holder died, or will find the claim lost.
            self.flights.retain(|_, flight| flight.lease_until > now);
            self.earliest = self.flights.values().map(|flight| flight.lease_until).min().unwrap_or(u64::MAX);
        }
        if self.len() < bounds.capacity {
            return Some(false);
        }
        let before = now.checked_sub(bounds.minimum_ms)?;
        self.finished.evict(before).then_some(true)
    }
}

/// Takes eight bytes of a key as its hash: keys are SHA-256 outputs.
#[derive(Default)]
struct KeyBytes(u64);

impl Hasher for KeyBytes {
    fn write(&mut self, bytes: &[u8]) {
        // From the middle: the first bytes have chosen the shard and are alike here.
        if let Some(middle) = bytes.get(8..16).and_then(|middle| middle.try_into().ok()) {
            self.0 = u64::from_le_bytes(middle);
        }
    }

    fn write_usize(&mut self, _: usize) {
        // The length that arrays put before their bytes is the same for all keys.
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

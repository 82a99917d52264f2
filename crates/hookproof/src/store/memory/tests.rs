use std::collections::HashMap;

use proptest::prelude::*;

use super::*;
use crate::Claiming;

const NOW: u64 = 1_700_000_000_000;
const LEASE: u64 = 10_000;
const DAY: u64 = 24 * 60 * 60 * 1000;

fn key(n: u64) -> [u8; 32] {
    // Spread over all bytes, as a digest is, without a digest.
    let mut key = [0; 32];
    for (at, chunk) in key.chunks_mut(8).enumerate() {
        let mixed = (n + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(17 * at as u32 + 5);
        chunk.copy_from_slice(&mixed.wrapping_mul(0xD6E8_FEB8_6659_FD93).to_le_bytes());
    }
    key
}

fn token(n: u8) -> Token {
    Token([n; 16])
}

fn claim(store: &MemoryStore, n: u64, by: u8, now: u64) -> Result<ClaimAnswer, StoreError> {
    store.claim(&key(n), &token(by), &[by; 32], LEASE, now)
}

fn fence(answer: Result<ClaimAnswer, StoreError>) -> u64 {
    match answer {
        Ok(ClaimAnswer::Claimed { fence }) => fence,
        other => panic!("not claimed: {other:?}"),
    }
}

#[test]
fn a_late_worker_changes_nothing() {
    let store = MemoryStore::new(100);
    let first = fence(claim(&store, 1, 1, NOW));
    assert_eq!(claim(&store, 1, 2, NOW + LEASE - 1), Ok(ClaimAnswer::InFlight { remaining_ms: 1 }));
    let second = fence(claim(&store, 1, 2, NOW + LEASE));
    assert!(second > first);
    assert!(!store.complete(&key(1), &token(1), DAY, NOW + LEASE));
    assert!(!store.release(&key(1), &token(1)));
    assert!(!store.extend(&key(1), &token(1), LEASE, NOW + LEASE));
    assert!(store.complete(&key(1), &token(2), DAY, NOW + LEASE));
    assert_eq!(claim(&store, 1, 3, NOW + LEASE), Ok(ClaimAnswer::Done { body_hash: [2; 32] }));
    assert!(!store.release(&key(1), &token(2)), "what is done is nobody's claim");
}

#[test]
fn the_same_token_is_the_same_claim() {
    let store = MemoryStore::new(100);
    let first = fence(claim(&store, 1, 1, NOW));
    assert_eq!(fence(claim(&store, 1, 1, NOW + 5_000)), first);
    assert_eq!(claim(&store, 1, 2, NOW + LEASE), Ok(ClaimAnswer::InFlight { remaining_ms: 5_000 }));
}

#[test]
fn a_lease_that_ended_but_was_not_taken_over_can_still_be_settled() {
    let store = MemoryStore::new(100);
    fence(claim(&store, 1, 1, NOW));
    assert!(store.complete(&key(1), &token(1), DAY, NOW + 10 * LEASE));
}

#[test]
fn the_fence_rises_over_release_retention_and_forget() {
    let store = MemoryStore::new(100);
    let mut last = 0;
    for _ in 0..3 {
        let now = fence(claim(&store, 1, 1, NOW));
        assert!(now > last);
        last = now;
        assert!(store.release(&key(1), &token(1)));
    }
    fence(claim(&store, 1, 1, NOW));
    assert!(store.complete(&key(1), &token(1), 1_000, NOW));
    assert!(fence(claim(&store, 1, 2, NOW + 1_000)) > last);
    assert!(store.complete(&key(1), &token(2), 1_000, NOW + 1_000));
    assert!(store.forget(&key(1), NOW + 1_000));
    assert!(!store.forget(&key(1), NOW + 1_000));
    assert!(fence(claim(&store, 1, 2, NOW + 1_000)) > last + 1);
    assert!(!store.forget(&key(1), NOW + 1_000), "a claim in flight is left alone");
}

#[test]
fn full_of_what_may_not_leave_is_an_error() {
    let store = MemoryStore::new(3).with_minimum(5_000);
    for n in 0..3 {
        fence(claim(&store, n, 1, NOW));
    }
    assert_eq!(claim(&store, 3, 1, NOW), Err(StoreError::Full));
    assert!(matches!(claim(&store, 0, 2, NOW), Ok(ClaimAnswer::InFlight { .. })), "known keys are answered when full");
    assert!(store.complete(&key(0), &token(1), DAY, NOW));
    assert!(store.complete(&key(1), &token(1), DAY, NOW + 1));
    assert_eq!(claim(&store, 3, 1, NOW + 4_999), Err(StoreError::Full));
    assert_eq!((store.evictions(), store.warning(1)), (0, None));
    fence(claim(&store, 3, 1, NOW + 5_000));
    assert_eq!(store.evictions(), 1);
    assert!(store.warning(1).unwrap().contains("was full"));
    assert_eq!(store.warning(1), None);
    assert_eq!(claim(&store, 1, 1, NOW + 5_000), Ok(ClaimAnswer::Done { body_hash: [1; 32] }), "the older one left");
    assert_eq!(store.len(), 3);
    assert!(store.complete(&key(2), &token(1), DAY, NOW + 5_000), "a key in flight never leaves");
}

#[test]
fn the_highest_minimum_of_the_receivers_counts_and_a_day_without_any() {
    for (said, minimum) in [(vec![], DAY), (vec![600_000], 600_000), (vec![600_000, 900_000, 1], 900_000)] {
        let store = MemoryStore::new(1);
        said.into_iter().for_each(|minimum| store.remember_at_least(minimum));
        fence(claim(&store, 0, 1, NOW));
        assert!(store.complete(&key(0), &token(1), 7 * DAY, NOW));
        assert_eq!(claim(&store, 1, 1, NOW + minimum - 1), Err(StoreError::Full));
        fence(claim(&store, 1, 1, NOW + minimum));
    }
}

#[test]
fn ended_leases_and_ended_keys_leave_before_any_other() {
    let store = MemoryStore::new(3).with_minimum(0);
    fence(claim(&store, 0, 1, NOW));
    assert!(store.complete(&key(0), &token(1), DAY, NOW));
    fence(claim(&store, 1, 1, NOW));
    assert!(store.complete(&key(1), &token(1), 100, NOW));
    fence(claim(&store, 2, 1, NOW));
    fence(claim(&store, 3, 1, NOW + 100));
    assert!(matches!(claim(&store, 0, 1, NOW + 100), Ok(ClaimAnswer::Done { .. })));
    fence(claim(&store, 4, 1, NOW + LEASE));
    assert_eq!(store.evictions(), 0);
    assert!(!store.complete(&key(2), &token(1), DAY, NOW + LEASE), "its lease had ended, and the room was needed");
    assert!(store.complete(&key(3), &token(1), DAY, NOW + LEASE));
}

#[test]
fn times_at_the_end_of_the_range_do_not_overflow() {
    let store = MemoryStore::new(2);
    fence(store.claim(&key(1), &token(1), &[0; 32], u64::MAX, u64::MAX));
    assert!(store.extend(&key(1), &token(1), u64::MAX, u64::MAX));
    assert!(store.complete(&key(1), &token(1), u64::MAX, NOW));
    assert_eq!(claim(&store, 1, 2, NOW), Ok(ClaimAnswer::Done { body_hash: [0; 32] }));
    fence(store.claim(&key(2), &token(1), &[0; 32], 0, 0));
}

#[test]
fn many_threads_have_one_winner_for_each_key() {
    let store = MemoryStore::new(100_000);
    let wins = std::sync::atomic::AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for by in 1..=4 {
            let (store, wins) = (&store, &wins);
            scope.spawn(move || {
                for n in 0..20_000 {
                    if let Ok(ClaimAnswer::Claimed { .. }) = claim(store, n, by, NOW) {
                        wins.fetch_add(1, Ordering::Relaxed);
                        assert!(store.complete(&key(n), &token(by), DAY, NOW));
                    }
                }
            });
        }
    });
    assert_eq!(wins.into_inner(), 20_000);
    assert_eq!(store.len(), 20_000);
}

/// The rules of the store as plainly as they can be written, without bounds.
#[derive(Default)]
struct Model {
    keys: HashMap<u64, State>,
    fences: HashMap<u64, u64>,
}

enum State {
    Flight { by: u8, fence: u64, until: u64, body: u8 },
    Done { body: u8, until: u64 },
}

#[derive(Debug, Clone)]
enum Step {
    Claim(u64, u8, u64),
    Complete(u64, u8, u64),
    Release(u64, u8),
    Extend(u64, u8, u64),
    Forget(u64),
    Wait(u64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let key = 0..6_u64;
    let by = 0..3_u8;
    let ms = 1..40_u64;
    let step = prop_oneof![
        4 => (key.clone(), by.clone(), ms.clone()).prop_map(|(k, b, m)| Step::Claim(k, b, m)),
        2 => (key.clone(), by.clone(), ms.clone()).prop_map(|(k, b, m)| Step::Complete(k, b, m)),
        1 => (key.clone(), by.clone()).prop_map(|(k, b)| Step::Release(k, b)),
        1 => (key.clone(), by, ms.clone()).prop_map(|(k, b, m)| Step::Extend(k, b, m)),
        1 => key.prop_map(Step::Forget),
        2 => ms.prop_map(Step::Wait),
    ];
    proptest::collection::vec(step, 1..200)
}

#[test]
fn commands_are_carried_out() {
    let claiming =
        |n| Claiming { key: key(n), token: token(1), body_hash: [1; 32], lease_ms: LEASE, retention_ms: DAY };
    let (store, claim) = (MemoryStore::new(1), claiming(1));
    let claimed = store.carry_out(&Command::Claim(claim), 0);
    assert!(matches!(claimed, Some(Event::Claimed(ClaimAnswer::Claimed { .. }))));
    assert!(store.carry_out(&Command::Claim(claiming(2)), 0).is_none(), "the store is full");
    let waiting = store.carry_out(&Command::Complete { claim, delay_ms: 5 }, 0);
    assert!(waiting.is_none(), "waiting is the adapter's");
    let completed = store.carry_out(&Command::Complete { claim, delay_ms: 0 }, 0);
    assert!(matches!(completed, Some(Event::Settled { held: true })));
    let again = store.carry_out(&Command::Claim(claim), 1);
    assert!(matches!(again, Some(Event::Claimed(ClaimAnswer::Done { .. }))));
    let released = store.carry_out(&Command::Release(claim), 1);
    assert!(matches!(released, Some(Event::Settled { held: false })), "what is done is not released");
    let run = Command::Run { fence: 1, claim: Some(claim), renew_every_ms: 0, renew_for_ms: 0 };
    assert!(store.carry_out(&run, 1).is_none(), "the handler is the adapter's");
}

proptest! {
    #[test]
    fn every_run_of_steps_answers_as_the_model(steps in steps()) {
        let store = MemoryStore::new(1_000);
        let mut model = Model::default();
        let mut now = NOW;
        for step in steps {
            match step {
                Step::Wait(ms) => now += ms,
                Step::Claim(k, by, lease) => {
                    let answer = store.claim(&key(k), &token(by), &[by; 32], lease, now).unwrap();
                    match model.keys.get_mut(&k) {
                        Some(State::Done { body, until }) if *until > now => {
                            prop_assert_eq!(answer, ClaimAnswer::Done { body_hash: [*body; 32] });
                        }
                        Some(State::Flight { by: holder, until, .. }) if *holder != by && *until > now => {
                            prop_assert_eq!(answer, ClaimAnswer::InFlight { remaining_ms: *until - now });
                        }
                        Some(State::Flight { by: holder, until, fence, .. }) if *holder == by => {
                            *until = now + lease;
                            prop_assert_eq!(answer, ClaimAnswer::Claimed { fence: *fence });
                        }
                        _ => {
                            let fence = fence(Ok(answer));
                            let last = model.fences.insert(k, fence).unwrap_or(0);
                            prop_assert!(fence > last, "{fence} after {last}");
                            model.keys.insert(k, State::Flight { by, fence, until: now + lease, body: by });
                        }
                    }
                }
                Step::Complete(k, by, retention) => {
                    let held = match model.keys.get(&k) {
                        Some(State::Flight { by: holder, body, .. }) if *holder == by => {
                            let body = *body;
                            model.keys.insert(k, State::Done { body, until: now + retention });
                            true
                        }
                        _ => false,
                    };
                    prop_assert_eq!(store.complete(&key(k), &token(by), retention, now), held);
                }
                Step::Release(k, by) => {
                    let held = matches!(model.keys.get(&k), Some(State::Flight { by: holder, .. }) if *holder == by);
                    if held { model.keys.remove(&k); }
                    prop_assert_eq!(store.release(&key(k), &token(by)), held);
                }
                Step::Extend(k, by, lease) => {
                    let held = match model.keys.get_mut(&k) {
                        Some(State::Flight { by: holder, until, .. }) if *holder == by => { *until = now + lease; true }
                        _ => false,
                    };
                    prop_assert_eq!(store.extend(&key(k), &token(by), lease, now), held);
                }
                Step::Forget(k) => {
                    let was = match model.keys.get(&k) {
                        Some(State::Done { until, .. }) => { let live = *until > now; model.keys.remove(&k); live }
                        _ => false,
                    };
                    prop_assert_eq!(store.forget(&key(k), now), was);
                }
            }
        }
    }

    #[test]
    fn a_bounded_store_stays_within_its_bound_and_keeps_what_it_must(
        steps in proptest::collection::vec((0..40_u64, 0..3_u8, 0..30_u64), 1..400),
    ) {
        let (capacity, minimum) = (8, 20);
        let store = MemoryStore::new(capacity).with_minimum(minimum);
        let mut done: HashMap<u64, (u64, u64)> = HashMap::new();
        let mut flights: HashMap<u64, (u8, u64)> = HashMap::new();
        let mut now = NOW;
        for (k, action, ms) in steps {
            now += ms / 10;
            match store.claim(&key(k), &token(9), &[0; 32], ms + 1, now) {
                Ok(ClaimAnswer::Claimed { .. }) => {
                    if let Some((since, until)) = done.get(&k) {
                        prop_assert!(*until <= now || since + minimum <= now, "a completed key left too early");
                    }
                    done.remove(&k);
                    flights.insert(k, (9, now + ms + 1));
                    if action == 0 {
                        prop_assert!(store.complete(&key(k), &token(9), 50, now));
                        flights.remove(&k);
                        done.insert(k, (now, now + 50));
                    } else if action == 1 {
                        prop_assert!(store.release(&key(k), &token(9)));
                        flights.remove(&k);
                    }
                }
                Ok(ClaimAnswer::Done { .. }) => prop_assert!(done.get(&k).is_some_and(|(_, until)| *until > now)),
                Ok(ClaimAnswer::InFlight { .. }) => prop_assert!(false, "the token was always the same"),
                Err(_) => {
                    let held = done.values().filter(|(since, until)| *until > now && since + minimum > now).count()
                        + flights.values().filter(|(_, until)| *until > now).count();
                    prop_assert_eq!(held, capacity, "refused although something could leave");
                }
            }
            for (k, (by, until)) in &flights {
                if *until > now {
                    prop_assert!(store.extend(&key(*k), &token(*by), *until - now, now), "a key in flight left");
                }
            }
            prop_assert!(store.len() <= capacity);
        }
    }
}

//! The memory store up to 1,000,000 keys beside a `Mutex<HashMap>`, on two threads and on one: time, memory, pauses.
//!
//! Only ratios within one run count: `cargo bench -p hookproof --bench memory_store`. Ends with 1 if a bar is missed: at
//! most a quarter of the map's time on two threads, 80 bytes for a completed key, no pause over a millisecond.
#![allow(missing_docs, clippy::unwrap_used, clippy::indexing_slicing, clippy::print_stdout, reason = "a bench")]
#![allow(unsafe_code, reason = "an allocator that counts")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::collections::HashMap;
use std::hint::black_box;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};

use hookproof::store::{ClaimAnswer, MemoryStore, Token};

const KEYS: u64 = 1_000_000;
const NOW: u64 = 1_700_000_000_000;
const LEASE: u64 = 10_000;
const DAY: u64 = 24 * 60 * 60 * 1000;
const ROUNDS: usize = 9;

struct Counting;

static LIVE: AtomicUsize = AtomicUsize::new(0);

// SAFETY: hands everything on to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        LIVE.fetch_add(layout.size(), Relaxed);
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        LIVE.fetch_sub(layout.size(), Relaxed);
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Spread like a digest, without the time of one.
fn key(n: u64) -> [u8; 32] {
    let mut key = [0; 32];
    let mut seed = n;
    for chunk in key.chunks_mut(8) {
        seed = seed.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = seed.wrapping_mul(0xD6E8_FEB8_6659_FD93);
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        chunk.copy_from_slice(&(mixed ^ (mixed >> 31)).to_le_bytes());
    }
    key
}

/// One delivery on its way: claim, complete.
trait Dedup: Sync {
    fn delivery(&self, key: &[u8; 32]);
}

impl Dedup for MemoryStore {
    fn delivery(&self, key: &[u8; 32]) {
        let token = Token([7; 16]);
        assert!(matches!(self.claim(key, &token, key, LEASE, NOW), Ok(ClaimAnswer::Claimed { .. })));
        assert!(self.complete(key, &token, DAY, NOW));
    }
}

/// What one would write first: the same facts of a key, one lock, one map.
enum State {
    Flight { token: [u8; 16], fence: u64, until: u64, body_hash: [u8; 32] },
    Done { body_hash: [u8; 32], until: u64 },
}

#[derive(Default)]
struct Plain(Mutex<HashMap<[u8; 32], State>>);

impl Dedup for Plain {
    fn delivery(&self, key: &[u8; 32]) {
        let token = [7; 16];
        {
            let mut keys = self.0.lock().unwrap();
            let free = match keys.get(key) {
                None => true,
                Some(State::Flight { until, fence, .. }) => black_box(*fence) > 0 && *until <= NOW,
                Some(State::Done { until, .. }) => *until <= NOW,
            };
            assert!(free);
            keys.insert(*key, State::Flight { token, fence: 1, until: NOW + LEASE, body_hash: *key });
        }
        let mut keys = self.0.lock().unwrap();
        match keys.get_mut(key) {
            Some(state @ State::Flight { .. }) => {
                if let State::Flight { token: held, body_hash, .. } = state {
                    assert!(*held == token);
                    *state = State::Done { body_hash: *body_hash, until: NOW + DAY };
                }
            }
            Some(State::Done { body_hash, .. }) => assert!(black_box(body_hash).is_empty()),
            None => unreachable!(),
        }
    }
}

struct Figures {
    ns: f64,
    bytes: f64,
}

/// All keys through `dedup`, on so many threads.
fn fill(dedup: &impl Dedup, threads: u64) -> Figures {
    let before = LIVE.load(Relaxed);
    let began = Instant::now();
    std::thread::scope(|scope| {
        for thread in 0..threads {
            scope.spawn(move || (thread..KEYS).step_by(threads as usize).for_each(|n| dedup.delivery(&key(n))));
        }
    });
    let took = began.elapsed();
    Figures { ns: took.as_nanos() as f64 / KEYS as f64, bytes: (LIVE.load(Relaxed) - before) as f64 / KEYS as f64 }
}

/// The longest single delivery. The keys are the same in every round, so what the store itself makes long is long in
/// each of them, and what interrupts the machine is not: of each delivery the shortest time counts.
fn pause<D: Dedup>(make: impl Fn() -> D) -> Duration {
    let mut shortest = vec![Duration::MAX; KEYS as usize];
    for _ in 0..ROUNDS {
        let dedup = make();
        for (n, shortest) in shortest.iter_mut().enumerate() {
            let key = key(n as u64);
            let began = Instant::now();
            dedup.delivery(&key);
            *shortest = (*shortest).min(began.elapsed());
        }
    }
    shortest.into_iter().max().unwrap()
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn main() {
    let mut good = true;
    let mut judge = |what: &str, value: f64, bar: f64| {
        let over = value > bar;
        good &= !over;
        println!("  {what}: {value:.2} (bar {bar}){}", if over { "  OVER" } else { "" });
    };
    for threads in [2, 1] {
        let (mut store, mut map, mut ratios, mut bytes) = (Vec::new(), Vec::new(), Vec::new(), 0.0_f64);
        for _ in 0..ROUNDS {
            let figures = fill(&MemoryStore::new(2 * KEYS as usize), threads);
            let beside = fill(&Plain::default(), threads).ns;
            bytes = bytes.max(figures.bytes);
            // Of two neighbours in time, since the machine is not equally busy all along.
            ratios.push(figures.ns / beside);
            store.push(figures.ns);
            map.push(beside);
        }
        let (store, map, ratio) = (median(store), median(map), median(ratios));
        println!("{threads} threads, claim and complete up to {KEYS} keys: {store:.0} ns, Mutex<HashMap> {map:.0} ns");
        if threads == 2 {
            judge("time of the map's", ratio, 0.25);
            judge("bytes for a completed key", bytes, 80.0);
        } else {
            println!("  time of the map's: {ratio:.2}");
        }
    }
    let store = pause(|| MemoryStore::new(2 * KEYS as usize));
    let map = pause(Plain::default);
    println!("longest delivery: {store:?}, Mutex<HashMap> {map:?}");
    judge("milliseconds of the longest", store.as_secs_f64() * 1000.0, 1.0);
    std::process::exit(i32::from(!good));
}

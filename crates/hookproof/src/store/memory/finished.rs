//! The completed keys of one shard, in the order in which they were completed.

use super::index::Index;

/// 64 bytes for a completed key, and about nine more in the index.
struct Record {
    /// The second half of the key. The first half chose the shard; 128 bits are left to tell keys apart, and a
    /// sender who wanted two of them to meet would have to sign 2^64 chosen deliveries.
    tail: [u8; 16],
    body_hash: [u8; 32],
    since: Instant,
    until: Instant,
    older: u16,
    /// Of a record that is not in use: the next one that is not.
    newer: u16,
}

/// Milliseconds in six bytes: enough until the year 10889, and two bytes a key less than a `u64`.
#[derive(Clone, Copy)]
struct Instant([u8; 6]);

impl Instant {
    const LAST: u64 = (1 << 48) - 1;

    fn at(ms: u64) -> Self {
        let [a, b, c, d, e, f, ..] = ms.min(Self::LAST).to_le_bytes();
        Self([a, b, c, d, e, f])
    }

    fn ms(self) -> u64 {
        let Self([a, b, c, d, e, f]) = self;
        u64::from_le_bytes([a, b, c, d, e, f, 0, 0])
    }
}

/// No position.
const NONE: u16 = u16::MAX;

/// Records are allocated in blocks, so that none is copied when there is no more room: 16 KiB each, since an allocator
/// that is asked for less asks the system for every page by itself.
const BLOCK: usize = 256;

pub(super) struct Finished {
    blocks: Vec<Vec<Record>>,
    index: Index,
    oldest: u16,
    newest: u16,
    unused: u16,
    len: usize,
    /// No record ends before this.
    earliest: u64,
}

impl Default for Finished {
    fn default() -> Self {
        Self {
            blocks: Vec::new(),
            index: Index::default(),
            oldest: NONE,
            newest: NONE,
            unused: NONE,
            len: 0,
            earliest: u64::MAX,
        }
    }
}

impl Finished {
    /// How many records one shard can hold: a position has 16 bits, and one of them means none.
    pub(super) const MOST: usize = NONE as usize;

    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// The body hash of a key that is done at `now`. One that has ended leaves here.
    pub(super) fn lookup(&mut self, key: &[u8; 32], now: u64) -> Option<[u8; 32]> {
        let position = self.position(key)?;
        let record = self.record(position)?;
        if record.until.ms() > now {
            return Some(record.body_hash);
        }
        self.remove(position);
        None
    }

    /// Adds a key that is not there.
    pub(super) fn push(&mut self, key: &[u8; 32], body_hash: [u8; 32], since: u64, until: u64) {
        let tail = tail(key);
        let record = Record {
            tail,
            body_hash,
            since: Instant::at(since),
            until: Instant::at(until),
            older: self.newest,
            newer: NONE,
        };
        let Some(position) = self.place(record) else {
            return;
        };
        match self.record_mut(self.newest) {
            Some(newest) => newest.newer = position,
            None => self.oldest = position,
        }
        self.newest = position;
        self.index.insert(tag(&tail), position);
        self.len += 1;
        self.earliest = self.earliest.min(until);
    }

    /// Takes a key out; whether it was there, and not ended at `now`.
    pub(super) fn forget(&mut self, key: &[u8; 32], now: u64) -> bool {
        let Some(position) = self.position(key) else {
            return false;
        };
        let held = self.record(position).is_some_and(|record| record.until.ms() > now);
        self.remove(position);
        held
    }

    /// Lets at most `most` of the oldest leave, as long as they have ended.
    pub(super) fn expire(&mut self, now: u64, most: usize) {
        if self.earliest > now {
            return;
        }
        for _ in 0..most {
            match self.record(self.oldest) {
                Some(record) if record.until.ms() <= now => self.remove(self.oldest),
                _ => return,
            }
        }
    }

    /// Lets all leave that have ended, wherever they stand; reads the whole shard, but only if there is one.
    pub(super) fn sweep(&mut self, now: u64) {
        if self.earliest > now {
            return;
        }
        self.earliest = u64::MAX;
        let mut position = self.oldest;
        while let Some(record) = self.record(position) {
            let (until, newer) = (record.until.ms(), record.newer);
            if until <= now {
                self.remove(position);
            } else {
                self.earliest = self.earliest.min(until);
            }
            position = newer;
        }
    }

    /// Lets the oldest leave if it was completed at or before `before`.
    pub(super) fn evict(&mut self, before: u64) -> bool {
        match self.record(self.oldest) {
            Some(record) if record.since.ms() <= before => {
                self.remove(self.oldest);
                true
            }
            _ => false,
        }
    }

    fn position(&self, key: &[u8; 32]) -> Option<u16> {
        let tail = tail(key);
        self.index.find(tag(&tail), |position| self.record(position).is_some_and(|record| record.tail == tail))
    }

    fn remove(&mut self, position: u16) {
        let unused = self.unused;
        let Some(record) = self.record_mut(position) else {
            return;
        };
        let (tag, older, newer) = (tag(&record.tail), record.older, record.newer);
        record.newer = unused;
        self.unused = position;
        match self.record_mut(older) {
            Some(record) => record.newer = newer,
            None => self.oldest = newer,
        }
        match self.record_mut(newer) {
            Some(record) => record.older = older,
            None => self.newest = older,
        }
        self.index.remove(tag, position);
        self.len -= 1;
    }

    /// Writes a record where there is room for one.
    fn place(&mut self, record: Record) -> Option<u16> {
        if let Some(place) = self.record_mut(self.unused) {
            let next = core::mem::replace(place, record).newer;
            return Some(core::mem::replace(&mut self.unused, next));
        }
        if self.blocks.last().is_none_or(|block| block.len() == BLOCK) {
            self.blocks.push(Vec::with_capacity(BLOCK));
        }
        let full = self.blocks.len() - 1;
        let block = self.blocks.last_mut()?;
        let position = u16::try_from(full * BLOCK + block.len()).ok().filter(|position| *position != NONE)?;
        block.push(record);
        Some(position)
    }

    fn record(&self, position: u16) -> Option<&Record> {
        self.blocks.get(usize::from(position) / BLOCK)?.get(usize::from(position) % BLOCK)
    }

    fn record_mut(&mut self, position: u16) -> Option<&mut Record> {
        self.blocks.get_mut(usize::from(position) / BLOCK)?.get_mut(usize::from(position) % BLOCK)
    }
}

fn tail(key: &[u8; 32]) -> [u8; 16] {
    let (_, tail) = key.split_at(16);
    tail.try_into().unwrap_or_default()
}

/// A key is a SHA-256 output: its own bytes are the hash.
fn tag(tail: &[u8; 16]) -> u16 {
    let [a, b, ..] = *tail;
    u16::from_le_bytes([a, b])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_one_cache_line() {
        assert_eq!(size_of::<Record>(), 64);
    }

    #[test]
    fn the_oldest_leaves_first_and_only_past_the_minimum() {
        let mut finished = Finished::default();
        for n in 0..10_u8 {
            finished.push(&[n; 32], [n; 32], u64::from(n), 100);
        }
        assert!(finished.evict(1));
        assert!(finished.evict(1));
        assert!(!finished.evict(1));
        assert_eq!(finished.lookup(&[1; 32], 50), None);
        assert_eq!(finished.lookup(&[2; 32], 50), Some([2; 32]));
        assert_eq!(finished.len(), 8);
    }

    #[test]
    fn what_has_ended_leaves_wherever_it_stands() {
        let mut finished = Finished::default();
        for n in 0..200_u8 {
            finished.push(&[n; 32], [n; 32], 0, if n % 2 == 0 { 10 } else { 20 });
        }
        finished.expire(9, 2);
        assert_eq!(finished.len(), 200);
        finished.sweep(10);
        assert_eq!(finished.len(), 100);
        assert_eq!(finished.lookup(&[1; 32], 19), Some([1; 32]));
        assert_eq!(finished.lookup(&[1; 32], 20), None);
        finished.sweep(20);
        assert_eq!(finished.len(), 0);
        assert!(!finished.evict(u64::MAX));
    }
}

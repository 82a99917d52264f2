//! Where the record of a tag stands: open addressing over slots of four bytes.

/// Positions of records by 16-bit tags; several records may share a tag.
///
/// A slot is the position plus one in the upper half and the tag in the lower; zero is an empty slot. The tag also
/// says where a slot belongs, so growing and removing never touch the records, and a lookup touches only those whose
/// whole tag fits: at 8,192 records in one of eight lookups.
#[derive(Default)]
pub(super) struct Index {
    slots: Vec<u32>,
    used: usize,
}

const FEWEST_SLOTS: usize = 16;

impl Index {
    /// The first position under `tag` for which `fits` answers true.
    pub(super) fn find(&self, tag: u16, mut fits: impl FnMut(u16) -> bool) -> Option<u16> {
        let mut at = self.home(tag);
        while let Some((seen, position)) = self.read(at) {
            if seen == tag && fits(position) {
                return Some(position);
            }
            at = self.after(at);
        }
        None
    }

    /// Adds a position; the caller has made sure that it is not there.
    pub(super) fn insert(&mut self, tag: u16, position: u16) {
        // Three quarters full: a lookup that finds nothing still reads about one cache line.
        if (self.used + 1) * 4 > self.slots.len() * 3 {
            self.grow();
        }
        self.used += 1;
        self.put(tag, position);
    }

    /// Takes a position out, and moves back what stood behind it only because of it.
    pub(super) fn remove(&mut self, tag: u16, position: u16) {
        let mut hole = self.home(tag);
        loop {
            match self.read(hole) {
                None => return,
                Some(slot) if slot == (tag, position) => break,
                Some(_) => hole = self.after(hole),
            }
        }
        self.used -= 1;
        let mut at = self.after(hole);
        while let Some((seen, moved)) = self.read(at) {
            let home = self.home(seen);
            // The distance from its home, around the end of the table, says whether the hole lies on its way.
            if self.distance(home, at) >= self.distance(hole, at) {
                self.write(hole, slot(seen, moved));
                hole = at;
            }
            at = self.after(at);
        }
        self.write(hole, 0);
    }

    fn grow(&mut self) {
        let larger = vec![0; (self.slots.len() * 2).max(FEWEST_SLOTS)];
        for slot in core::mem::replace(&mut self.slots, larger) {
            if let Some((tag, position)) = parts(slot) {
                self.put(tag, position);
            }
        }
    }

    fn put(&mut self, tag: u16, position: u16) {
        let mut at = self.home(tag);
        while self.read(at).is_some() {
            at = self.after(at);
        }
        self.write(at, slot(tag, position));
    }

    fn mask(&self) -> usize {
        self.slots.len().wrapping_sub(1)
    }

    fn home(&self, tag: u16) -> usize {
        usize::from(tag) & self.mask()
    }

    fn after(&self, at: usize) -> usize {
        (at + 1) & self.mask()
    }

    fn distance(&self, from: usize, to: usize) -> usize {
        to.wrapping_sub(from) & self.mask()
    }

    fn read(&self, at: usize) -> Option<(u16, u16)> {
        parts(*self.slots.get(at)?)
    }

    fn write(&mut self, at: usize, slot: u32) {
        if let Some(place) = self.slots.get_mut(at) {
            *place = slot;
        }
    }
}

fn slot(tag: u16, position: u16) -> u32 {
    ((u32::from(position) + 1) << 16) | u32::from(tag)
}

#[expect(clippy::cast_possible_truncation, reason = "the two halves of a slot are 16 bits each")]
fn parts(slot: u32) -> Option<(u16, u16)> {
    let position = (slot >> 16).checked_sub(1)?;
    Some((slot as u16, position as u16))
}

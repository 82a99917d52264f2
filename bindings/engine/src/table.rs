use std::cell::RefCell;

use hookproof::{Error, ErrorKind, Receiver, Reception, Stream, Verifier, store::MemoryStore};

/// Objects of one kind, known outside by a number. Numbers are used again.
pub(crate) struct Table<T> {
    slots: Vec<Option<T>>,
    free: Vec<u32>,
}

impl<T> Table<T> {
    const fn new() -> Self {
        Self { slots: Vec::new(), free: Vec::new() }
    }

    pub(crate) fn insert(&mut self, object: T) -> u32 {
        if let Some(handle) = self.free.pop()
            && let Some(slot) = self.slots.get_mut(handle as usize)
        {
            *slot = Some(object);
            return handle;
        }
        self.slots.push(Some(object));
        u32::try_from(self.slots.len()).unwrap_or(u32::MAX).saturating_sub(1)
    }

    pub(crate) fn get(&self, handle: u32) -> Result<&T, Error> {
        self.slots.get(handle as usize).and_then(Option::as_ref).ok_or_else(unknown)
    }

    pub(crate) fn get_mut(&mut self, handle: u32) -> Result<&mut T, Error> {
        self.slots.get_mut(handle as usize).and_then(Option::as_mut).ok_or_else(unknown)
    }

    pub(crate) fn remove(&mut self, handle: u32) -> Option<T> {
        let object = self.slots.get_mut(handle as usize)?.take();
        if object.is_some() {
            self.free.push(handle);
        }
        object
    }
}

fn unknown() -> Error {
    Error::new(ErrorKind::InternalError, "the engine has no such object".to_owned())
}

// One engine per thread: a worker thread has its own, as it has its own objects.
thread_local! {
    pub(crate) static VERIFIERS: RefCell<Table<Verifier>> = const { RefCell::new(Table::new()) };
    pub(crate) static STREAMS: RefCell<Table<Stream>> = const { RefCell::new(Table::new()) };
    pub(crate) static RECEIVERS: RefCell<Table<Receiver>> = const { RefCell::new(Table::new()) };
    pub(crate) static RECEPTIONS: RefCell<Table<Reception>> = const { RefCell::new(Table::new()) };
    pub(crate) static MEMORIES: RefCell<Table<MemoryStore>> = const { RefCell::new(Table::new()) };
}

/// The kinds of objects that a host drops, by the numbers under which it knows them.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    /// 0: a verifier.
    Verifier,
    /// 1: a receiver.
    Receiver,
    /// 2: a reception that was given up before its answer.
    Reception,
    /// 3: a memory store.
    Memory,
    /// 4: a verification that was given up before its body was whole.
    Stream,
}

impl Kind {
    pub(crate) fn from_number(number: u8) -> Option<Self> {
        [Self::Verifier, Self::Receiver, Self::Reception, Self::Memory, Self::Stream].get(usize::from(number)).copied()
    }

    pub(crate) fn forget(self, handle: u32) {
        match self {
            Self::Verifier => drop(VERIFIERS.with_borrow_mut(|table| table.remove(handle))),
            Self::Receiver => drop(RECEIVERS.with_borrow_mut(|table| table.remove(handle))),
            Self::Reception => drop(RECEPTIONS.with_borrow_mut(|table| table.remove(handle))),
            Self::Memory => drop(MEMORIES.with_borrow_mut(|table| table.remove(handle))),
            Self::Stream => drop(STREAMS.with_borrow_mut(|table| table.remove(handle))),
        }
    }
}

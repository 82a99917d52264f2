//! A small HTTP/1.1 receiver that keeps what came as it came: the case and order of header names, every byte of the body.

mod forward;
mod script;
mod wire;

pub(crate) use forward::forward;
pub(crate) use script::Script;
pub(crate) use wire::{Received, serve};

/// What a request is answered with.
#[derive(Clone, Debug)]
pub(crate) enum Turn {
    Answer(Given),
    /// Nothing, until the other side gives up.
    Timeout,
    /// The connection is closed with RST.
    Reset,
}

/// An answer.
#[derive(Clone, Debug)]
pub(crate) struct Given {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, Vec<u8>)>,
    pub(crate) body: Vec<u8>,
}

impl Turn {
    /// What it is in a word.
    pub(crate) fn name(&self) -> String {
        match self {
            Self::Answer(given) => given.status.to_string(),
            Self::Timeout => "timeout".to_owned(),
            Self::Reset => "reset".to_owned(),
        }
    }
}

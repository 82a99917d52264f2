use alloc::{
    string::{String, ToString},
    vec::Vec,
};

use crate::json::Pointer;

/// The headers that a scheme reads, lower case, each once: their places are what the engines answer by.
#[derive(Clone, Debug, Default)]
pub(crate) struct Slots {
    /// Lower case, for looking up.
    pub(crate) names: Vec<String>,
    /// In the provider's own case, for sending.
    pub(crate) spelled: Vec<String>,
}

/// More headers than any provider sends for its signature.
pub(crate) const MOST_SLOTS: usize = 16;

impl Slots {
    pub(crate) fn place(&mut self, name: &str) -> usize {
        self.names.iter().position(|known| known.eq_ignore_ascii_case(name)).unwrap_or_else(|| {
            self.names.push(name.to_ascii_lowercase());
            self.spelled.push(name.into());
            self.names.len().saturating_sub(1)
        })
    }
}

/// Where a value is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// A header, by its place among [`Slots`].
    Header(usize),
    Query(String),
    Form(String),
    Json(Pointer),
    /// An element of the signature's list, by its label.
    Label(String),
    /// An element of the signature's list, by its place.
    Position(usize),
}

impl Source {
    pub(crate) fn parse(text: &str, slots: &mut Slots) -> Option<Self> {
        let (kind, name) = text.split_once(':')?;
        match kind {
            "json" => Pointer::parse(name).map(Self::Json),
            _ if name.is_empty() => None,
            "header" if is_header_name(name) => Some(Self::Header(slots.place(name))),
            "query" => Some(Self::Query(name.to_string())),
            "form" => Some(Self::Form(name.to_string())),
            "label" => Some(Self::Label(name.to_string())),
            "position" => name.parse().ok().map(Self::Position),
            _ => None,
        }
    }

    /// Whether it can only be read once the body is there.
    pub(crate) fn in_body(&self) -> bool {
        matches!(self, Self::Form(_) | Self::Json(_))
    }
}

pub(crate) fn is_header_name(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'))
}

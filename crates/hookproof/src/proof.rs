use alloc::{borrow::Cow, vec::Vec};

use crate::{content::Proven, wire::Value};

/// That a request was judged, without its body. Only a verifier makes one.
#[doc(hidden)]
#[derive(Clone)]
pub struct Proof<'a> {
    /// Visible ASCII, as the event is.
    pub(crate) id: Option<Value<'a>>,
    pub(crate) event: Option<Value<'a>>,
    pub(crate) timestamp: Option<i64>,
    pub(crate) secret: usize,
    pub(crate) signed: Option<Vec<u8>>,
}

impl Proof<'_> {
    /// Which secret matched, in the order given.
    pub fn secret(&self) -> usize {
        self.secret
    }

    /// The signed time in Unix seconds.
    pub fn timestamp(&self) -> Option<i64> {
        self.timestamp
    }

    /// The same without borrowing.
    pub fn into_owned(self) -> Proof<'static> {
        let owned = |text: Value<'_>| Cow::Owned(text.into_owned());
        Proof {
            id: self.id.map(owned),
            event: self.event.map(owned),
            timestamp: self.timestamp,
            secret: self.secret,
            signed: self.signed,
        }
    }
}

/// What a request says of itself, judged against its grammar.
#[derive(Default)]
pub(crate) struct Head<'a> {
    pub(crate) id: Option<Value<'a>>,
    pub(crate) timestamp: Option<(Value<'a>, i64)>,
}

impl Head<'_> {
    pub(crate) fn proven(&self) -> Proven<'_> {
        Proven {
            id: self.id.as_deref().unwrap_or_default(),
            timestamp: self.timestamp.as_ref().map(|(text, _)| text.as_ref()).unwrap_or_default(),
        }
    }
}

use alloc::vec::Vec;

use crate::{
    Options, Retry,
    keyring::Key,
    options::Identity,
    scheme::{
        definition::{Coverage, Definition},
        template::What,
    },
    signature::Place,
    usual::Usual,
    verdict::{in_body, per_item},
};

/// What follows from scheme and options, worked out once.
pub(crate) struct Plan {
    /// A request without a delivery id cannot be taken.
    pub(crate) needs_id: bool,
    /// Which bytes an id may have: visible ones that cannot move a boundary of what is signed.
    id_bytes: [bool; 256],
    pub(crate) places: Vec<Place>,
    /// There are signatures in the body, apart from those of a batch's items.
    pub(crate) in_body: bool,
    /// How far a signed time may be from the receiver's, in seconds.
    pub(crate) tolerance: u64,
    /// What the signature covers.
    pub(crate) coverage: Coverage,
    /// The id is what makes a delivery the same as another.
    pub(crate) by_id: bool,
    /// Something of the URL is signed, or carries the signature.
    pub(crate) needs_url: bool,
    /// A challenge that a handshake would sign for anybody: no delivery may look like one.
    pub(crate) oracle: bool,
    /// How most requests are judged, if the scheme is one that allows it.
    pub(crate) usual: Option<Usual>,
}

impl Plan {
    pub(crate) fn new(definition: &Definition, options: &Options, keys: &[Key]) -> Self {
        // Joined header lines bring a comma.
        let mut delimiters = Vec::from([b',']);
        for pair in definition.signatures.iter().flat_map(|rule| rule.content.0.windows(2)) {
            let [left, right] = pair else { continue };
            match (&left.what, &right.what) {
                (What::Id, What::Literal(text)) => delimiters.extend(text.as_bytes().first()),
                (What::Literal(text), What::Id) => delimiters.extend(text.as_bytes().last()),
                _ => {}
            }
        }
        let mut plan = Self {
            id_bytes: core::array::from_fn(|byte| {
                u8::try_from(byte).is_ok_and(|byte| byte.is_ascii_graphic() && !delimiters.contains(&byte))
            }),
            places: Place::all(definition, &options.config, |rule| keys.iter().any(|key| key.rule == rule)),
            in_body: definition.signatures.iter().any(|rule| in_body(rule) && !per_item(rule)),
            needs_id: options.identity == Identity::Id || definition.id_is_content(),
            tolerance: tolerance(definition, options),
            coverage: definition.coverage(),
            by_id: match options.identity {
                Identity::Id => true,
                Identity::Auto => definition.id_is_signed(),
                Identity::Body => false,
            },
            needs_url: definition.needs_url(),
            oracle: definition.handshakes.iter().any(|handshake| handshake.mac.is_some() && !handshake.signed),
            usual: None,
        };
        plan.usual = Usual::new(definition, &plan, keys);
        plan
    }

    /// Where the signatures of a rule stand.
    pub(crate) fn place_of(&self, rule: usize) -> Option<&Place> {
        self.places.iter().find(|place| place.entries.iter().any(|entry| entry.number == rule))
    }

    /// Whether these bytes may be an id.
    pub(crate) fn is_id(&self, id: &[u8]) -> bool {
        let allowed = |byte: &u8| self.id_bytes.get(usize::from(*byte)).copied().unwrap_or_default();
        id.len() <= 255 && id.iter().fold(true, |all, byte| all & allowed(byte))
    }
}

fn tolerance(definition: &Definition, options: &Options) -> u64 {
    let of_scheme = definition.timestamp.as_ref().map(|rule| rule.tolerance).filter(|tolerance| *tolerance > 0);
    let horizon = || definition.retry.as_ref().map_or(300, Retry::horizon);
    options.tolerance.or(of_scheme).unwrap_or_else(horizon)
}

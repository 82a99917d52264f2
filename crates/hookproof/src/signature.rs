//! The signature header: read strictly and as a whole.

use alloc::{collections::BTreeMap, string::String, vec::Vec};

use crate::{
    Error, ErrorKind,
    scheme::{
        definition::{Definition, Position, SignatureRule},
        source::Source,
    },
    wire::Wire,
};

/// More elements than a rotation ever needs; a longer list is an attack on the time it takes to compare.
pub(crate) const MOST_CANDIDATES: usize = 16;

/// The most bytes of a signature header.
const LONGEST_HEADER: usize = 8192;

/// The longest signature, ECDSA's in DER, in bytes.
const LONGEST: usize = 72;

/// Signatures that decoded, each for one rule of the scheme.
pub(crate) struct Candidates {
    list: [Option<Candidate>; MOST_CANDIDATES],
    count: usize,
    /// Elements whose version the scheme and the keys accept, decoded or not.
    known: usize,
}

#[derive(Clone, Copy)]
pub(crate) struct Candidate {
    rule: u8,
    size: u8,
    bytes: [u8; LONGEST],
}

impl Candidate {
    pub(crate) fn bytes(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.size)).unwrap_or_default()
    }
}

pub(crate) const MALFORMED: Error =
    Error::fixed(ErrorKind::SignatureMalformed, "the signature is not of the form that the provider sends");
const UNDECODABLE: Error = Error::fixed(ErrorKind::SignatureMalformed, "no signature decodes to the right length");
const TOO_MANY: Error = Error::fixed(ErrorKind::SignatureTooMany, "there are more than 16 signatures");
const UNSUPPORTED: Error = Error::fixed(
    ErrorKind::SignatureUnsupported,
    "there are signatures, but none of a version that the scheme and the secrets accept",
);

impl Candidates {
    pub(crate) const fn new() -> Self {
        Self { list: [None; MOST_CANDIDATES], count: 0, known: 0 }
    }

    pub(crate) fn of_rule(&self, rule: usize) -> impl Iterator<Item = &Candidate> {
        self.list.iter().map_while(Option::as_ref).filter(move |candidate| usize::from(candidate.rule) == rule)
    }

    /// Reads one value for those rules of its place that count for this request.
    /// The elements are of the shape that the first of them gives.
    pub(crate) fn read(
        &mut self,
        value: &[u8],
        place: &Place,
        shape: &SignatureRule,
        wire: &Wire<'_>,
    ) -> Result<(), Error> {
        match self.read_list(value, place, shape, wire) {
            // Whatever else is wrong.
            Err(_) if elements(value, &shape.separators).nth(place.most()).is_some() => Err(TOO_MANY),
            read => read,
        }
    }

    fn read_list(&mut self, value: &[u8], place: &Place, shape: &SignatureRule, wire: &Wire<'_>) -> Result<(), Error> {
        if value.len() > LONGEST_HEADER {
            return Err(MALFORMED);
        }
        for (at, element) in elements(value, &shape.separators).enumerate() {
            if at == place.most() {
                return Err(TOO_MANY);
            }
            self.read_element(element, at, value, place, shape, wire)?;
        }
        Ok(())
    }

    fn read_element(
        &mut self,
        element: &[u8],
        at: usize,
        value: &[u8],
        place: &Place,
        shape: &SignatureRule,
        wire: &Wire<'_>,
    ) -> Result<(), Error> {
        let mut well_formed = false;
        if let Some(joiner) = shape.joiner {
            let (label, payload) = split(element, joiner, place.longest_label).ok_or(MALFORMED)?;
            if place.times.iter().any(|time| time.as_bytes() == label) {
                let repeated =
                    |(other, text): (&[u8], &[u8])| other == label && (shape.separators.len() == 1 || text != payload);
                let mut before = elements(value, &shape.separators).take(at);
                well_formed =
                    is_visible(payload) && !before.any(|other| split(other, joiner, 16).is_some_and(repeated));
            } else {
                for (entry, rule) in place.rules(wire) {
                    if entry.labels.iter().any(|known| known.as_bytes() == label) {
                        well_formed |= self.push(payload, entry, rule)?;
                    }
                }
                well_formed = well_formed || is_payload(payload);
            }
        } else {
            let rest = if shape.positions.is_empty() { Position::Signature } else { Position::Ignore };
            match shape.positions.get(at).copied().unwrap_or(rest) {
                Position::Signature => {
                    for (entry, rule) in place.rules(wire) {
                        self.push(element, entry, rule)?;
                    }
                    well_formed = true;
                }
                Position::Timestamp | Position::Ignore => well_formed = is_visible(element),
            }
        }
        if well_formed { Ok(()) } else { Err(MALFORMED) }
    }

    /// Whether it is a signature of this rule; one that is not for a key that is there, or does not decode, is skipped.
    fn push(&mut self, text: &[u8], entry: &Entry, rule: &SignatureRule) -> Result<bool, Error> {
        let Some(text) = without_prefix(text, &rule.prefixes) else {
            // `sha1=...` where `sha256=...` is signed is another version; what has no version is malformed.
            let other = split(text, b'=', 16).is_some_and(|(_, payload)| is_payload(payload));
            return if other { Ok(false) } else { Err(MALFORMED) };
        };
        if !entry.has_key {
            return Ok(false);
        }
        self.known = self.known.saturating_add(1);
        let slot = self.list.get_mut(self.count).ok_or(TOO_MANY)?;
        let mut bytes = [0; LONGEST];
        let size = rule.encoding.decode_into(text, &mut bytes).map_or(0, <[u8]>::len);
        if size == 0 || rule.algorithm.size(rule.der).is_some_and(|expected| expected != size) {
            return Ok(false);
        }
        let rule = u8::try_from(entry.number).unwrap_or(u8::MAX);
        *slot = Some(Candidate { rule, size: u8::try_from(size).unwrap_or_default(), bytes });
        self.count = self.count.saturating_add(1);
        Ok(true)
    }

    /// That there is something to compare with.
    pub(crate) fn check(&self) -> Result<(), Error> {
        match (self.count, self.known) {
            (0, 0) => Err(UNSUPPORTED),
            (0, _) => Err(UNDECODABLE),
            _ => Ok(()),
        }
    }
}

/// A place in requests where signatures stand, and the rules that look there.
pub(crate) struct Place {
    pub(crate) entries: Vec<Entry>,
    /// Labels that carry a time.
    times: Vec<String>,
    longest_label: usize,
}

pub(crate) struct Entry {
    /// Which rule of the scheme.
    pub(crate) number: usize,
    /// The rule's labels, configured ones resolved.
    labels: Vec<String>,
    /// Whether a secret is a key of this rule; otherwise its versions are not accepted.
    has_key: bool,
}

impl Place {
    /// The most elements of a list.
    fn most(&self) -> usize {
        MOST_CANDIDATES.saturating_add(self.times.len())
    }

    /// Whether a label is that of this rule alone, and names no time.
    pub(crate) fn is_only_label(&self, rule: usize, label: &str) -> bool {
        let mut others = self.entries.iter().filter(|entry| entry.number != rule);
        self.times.is_empty() && !others.any(|other| other.labels.iter().any(|known| known == label))
    }

    /// Its rules that count for a request.
    pub(crate) fn rules<'p>(&'p self, wire: &'p Wire<'_>) -> impl Iterator<Item = (&'p Entry, &'p SignatureRule)> {
        self.entries.iter().filter_map(|entry| {
            let rule = wire.definition.signatures.get(entry.number)?;
            wire.counts(rule).then_some((entry, rule))
        })
    }

    /// Every place of a scheme once, tokens left out.
    pub(crate) fn all(
        definition: &Definition,
        config: &BTreeMap<String, String>,
        has_key: impl Fn(usize) -> bool,
    ) -> Vec<Self> {
        let rule_of = |place: &Self| place.entries.first().and_then(|entry| definition.signatures.get(entry.number));
        let times = definition.timestamp.iter().flat_map(|rule| &rule.from).filter_map(|from| match from {
            Source::Label(label) => Some(label.clone()),
            _ => None,
        });
        let mut places: Vec<Self> = Vec::new();
        for (number, rule) in definition.signatures.iter().enumerate().filter(|(_, rule)| !rule.algorithm.is_token()) {
            let labels = rule.labels.iter().map(|label| resolved(label, config).into()).collect();
            let entry = Entry { number, labels, has_key: has_key(number) };
            let same = places.iter_mut().find(|place| rule_of(place).is_some_and(|other| other.same_place(rule)));
            match same {
                Some(place) => place.entries.push(entry),
                // A configured label is an account's name, which may be longer than a version.
                None => places.push(Self {
                    longest_label: if rule.labels.iter().any(|label| label.starts_with('{')) { 64 } else { 16 },
                    entries: Vec::from([entry]),
                    times: times.clone().collect(),
                }),
            }
        }
        places
    }
}

/// The elements of a list; blanks after `,` and `;` are skipped, as joined header lines bring them.
pub(crate) fn elements<'v, 's>(value: &'v [u8], separators: &'s [u8]) -> Elements<'v, 's> {
    Elements { rest: Some(value), separators }
}

pub(crate) struct Elements<'v, 's> {
    rest: Option<&'v [u8]>,
    separators: &'s [u8],
}

impl<'v> Iterator for Elements<'v, '_> {
    type Item = &'v [u8];

    fn next(&mut self) -> Option<&'v [u8]> {
        let rest = self.rest?;
        let end = match self.separators {
            [] => None,
            [one] => position(rest, *one),
            several => rest.iter().position(|byte| several.contains(byte)),
        };
        let (element, rest) = match end.and_then(|end| rest.split_at_checked(end)) {
            Some((element, rest)) => (element, rest.get(1..)),
            None => (rest, None),
        };
        self.rest = rest;
        Some(if matches!(self.separators, [b',' | b';']) { trim_start(element) } else { element })
    }
}

/// Where a byte first stands. It is looked for in eight at a time: a header may be long, and nothing is proven yet.
fn position(text: &[u8], byte: u8) -> Option<usize> {
    const ONES: u64 = u64::from_ne_bytes([1; 8]);
    let (words, rest) = text.as_chunks();
    let in_word = |word: &[u8; 8]| {
        let word = u64::from_le_bytes(*word) ^ u64::from_ne_bytes([byte; 8]);
        // The high bit of the lowest zero byte; above it there may be others.
        let zeros = word.wrapping_sub(ONES) & !word & (ONES << 7);
        (zeros != 0).then(|| zeros.trailing_zeros() as usize >> 3)
    };
    let whole = words.iter().enumerate().find_map(|(place, word)| Some(place << 3 | in_word(word)?));
    whole.or_else(|| rest.iter().position(|other| *other == byte).map(|at| (words.len() << 3).saturating_add(at)))
}

/// The value of the element with this label.
pub(crate) fn labelled<'v>(value: &'v [u8], rule: &SignatureRule, label: &str) -> Option<&'v [u8]> {
    let joiner = rule.joiner?;
    elements(value, &rule.separators)
        .filter_map(|element| split(element, joiner, 16))
        .find(|(name, _)| *name == label.as_bytes())
        .map(|(_, value)| value)
}

/// A label that is written `{config:x}` is a value that the user configured.
pub(crate) fn resolved<'l>(label: &'l str, config: &'l BTreeMap<String, String>) -> &'l str {
    match label.strip_prefix("{config:").and_then(|name| name.strip_suffix('}')) {
        Some(name) => config.get(name).map_or("", String::as_str),
        None => label,
    }
}

/// A label of letters, digits and `_`, and what follows the joiner.
fn split(element: &[u8], joiner: u8, most: usize) -> Option<(&[u8], &[u8])> {
    let at = element.iter().take(most.saturating_add(1)).position(|byte| *byte == joiner)?;
    let (label, rest) = element.split_at_checked(at)?;
    let well_formed = at > 0 && label.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'_');
    well_formed.then_some((label, rest.get(1..)?))
}

fn without_prefix<'t>(text: &'t [u8], prefixes: &[String]) -> Option<&'t [u8]> {
    if prefixes.is_empty() {
        return Some(text);
    }
    prefixes.iter().find_map(|prefix| text.strip_prefix(prefix.as_bytes()))
}

fn trim_start(text: &[u8]) -> &[u8] {
    let blanks = text.iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
    text.get(blanks..).unwrap_or_default()
}

const PAYLOAD: u8 = 1;
const VISIBLE: u8 = 2;

/// Which bytes may stand in a signature, and which are printable without being blank.
const CLASSES: [u8; 256] = {
    let mut classes = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        #[expect(clippy::cast_possible_truncation, clippy::indexing_slicing, reason = "below 256")]
        {
            let text = byte as u8;
            let payload = text.is_ascii_alphanumeric() || matches!(text, b'+' | b'/' | b'=' | b'_' | b'-');
            classes[byte] = (payload as u8 * PAYLOAD) | (text.is_ascii_graphic() as u8 * VISIBLE);
        }
        byte += 1;
    }
    classes
};

fn all_in(text: &[u8], class: u8) -> bool {
    text.iter().fold(class, |classes, byte| classes & CLASSES.get(usize::from(*byte)).copied().unwrap_or_default())
        == class
}

pub(crate) fn is_payload(text: &[u8]) -> bool {
    !text.is_empty() && all_in(text, PAYLOAD)
}

/// Printable ASCII without blanks.
pub(crate) fn is_visible(text: &[u8]) -> bool {
    !text.is_empty() && all_in(text, VISIBLE)
}

/// Whether these bytes may be an id or the name of an event.
pub(crate) fn is_name(text: &[u8]) -> bool {
    text.len() <= 255 && is_visible(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_byte_is_found_where_it_first_stands() {
        for length in 0..40 {
            for at in 0..=length {
                let mut text = vec![b'a'; length];
                text.iter_mut().skip(at).step_by(3).for_each(|byte| *byte = b',');
                // Neighbours of the byte that is looked for must not be taken for it.
                text.iter_mut().take(at).for_each(|byte| *byte = b',' + 1);
                assert_eq!(position(&text, b','), (at < length).then_some(at), "{at} of {length}");
            }
        }
        assert_eq!(position(&[0x80, 0xff, 0, 1], 1), Some(3));
    }

    #[test]
    fn elements_are_what_stands_between() {
        let list = |value: &'static str, separators: &'static [u8]| {
            elements(value.as_bytes(), separators).map(|element| str::from_utf8(element).unwrap()).collect::<Vec<_>>()
        };
        assert_eq!(list("a,b, \tc,", b","), ["a", "b", "c", ""]);
        assert_eq!(list("a b", b" "), ["a", "b"]);
        assert_eq!(list("a; b&c", b";&"), ["a", " b", "c"]);
        assert_eq!(list("a,b", b""), ["a,b"]);
        assert_eq!(list("", b","), [""]);
    }
}

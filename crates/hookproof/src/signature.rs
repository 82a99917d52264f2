//! The signature header: read strictly and as a whole.

use alloc::{collections::BTreeMap, string::String, vec::Vec};

use crate::{
    Error, ErrorKind,
    scheme::{
        definition::{Definition, Position, SignatureRule},
        source::Source,
    },
};

/// More elements than a rotation ever needs; a longer list is an attack on the time it takes to compare.
pub(crate) const MOST_CANDIDATES: usize = 16;

/// The most bytes of a signature header.
const LONGEST_HEADER: usize = 8192;

/// The longest signature, ECDSA's in DER, in bytes.
const LONGEST: usize = 72;

/// Signatures that decoded, each for one rule of the scheme.
pub(crate) struct Candidates {
    list: [Candidate; MOST_CANDIDATES],
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
        Self { list: [Candidate { rule: 0, size: 0, bytes: [0; LONGEST] }; MOST_CANDIDATES], count: 0, known: 0 }
    }

    pub(crate) fn of_rule(&self, rule: usize) -> impl Iterator<Item = &Candidate> {
        self.list.iter().take(self.count).filter(move |candidate| usize::from(candidate.rule) == rule)
    }

    /// Reads one value for those rules of its place that count for this request.
    pub(crate) fn read(
        &mut self,
        value: &[u8],
        place: &Place,
        definition: &Definition,
        counts: impl Fn(&SignatureRule) -> bool,
    ) -> Result<(), Error> {
        let rule_of = |entry: &Entry| definition.signatures.get(entry.number).filter(|rule| counts(rule));
        let entries = || place.entries.iter().filter_map(|entry| Some((entry, rule_of(entry)?)));
        let Some((_, shape)) = entries().next() else { return Ok(()) };
        if count(value, &shape.separators) > MOST_CANDIDATES.saturating_add(place.times.len()) {
            return Err(TOO_MANY);
        }
        if value.len() > LONGEST_HEADER {
            return Err(MALFORMED);
        }
        for (at, element) in elements(value, &shape.separators).enumerate() {
            let Some(joiner) = shape.joiner else {
                let rest = if shape.positions.is_empty() { Position::Signature } else { Position::Ignore };
                match shape.positions.get(at).copied().unwrap_or(rest) {
                    Position::Signature => entries().try_for_each(|(entry, rule)| self.push(element, entry, rule))?,
                    Position::Timestamp | Position::Ignore if is_visible(element) => {}
                    Position::Timestamp | Position::Ignore => return Err(MALFORMED),
                }
                continue;
            };
            let (label, payload) = split(element, joiner, place.longest_label).ok_or(MALFORMED)?;
            if place.times.iter().any(|time| time.as_bytes() == label) {
                let repeated =
                    |(other, text): (&[u8], &[u8])| other == label && (shape.separators.len() == 1 || text != payload);
                let others = elements(value, &shape.separators).enumerate().filter(|(other, _)| *other != at);
                if !is_visible(payload) || others.filter_map(|(_, other)| split(other, joiner, 16)).any(repeated) {
                    return Err(MALFORMED);
                }
            } else if !is_payload(payload) {
                return Err(MALFORMED);
            } else {
                let mut labelled =
                    entries().filter(|(entry, _)| entry.labels.iter().any(|known| known.as_bytes() == label));
                labelled.try_for_each(|(entry, rule)| self.push(payload, entry, rule))?;
            }
        }
        Ok(())
    }

    fn push(&mut self, text: &[u8], entry: &Entry, rule: &SignatureRule) -> Result<(), Error> {
        let Some(text) = without_prefix(text, &rule.prefixes) else {
            // `sha1=...` where `sha256=...` is signed is another version; what has no version is malformed.
            let other = split(text, b'=', 16).is_some_and(|(_, payload)| is_payload(payload));
            return if other { Ok(()) } else { Err(MALFORMED) };
        };
        if !entry.has_key {
            return Ok(());
        }
        self.known = self.known.saturating_add(1);
        let slot = self.list.get_mut(self.count).ok_or(TOO_MANY)?;
        let Some(size) = rule.encoding.decode_into(text, &mut slot.bytes).map(<[u8]>::len) else { return Ok(()) };
        if size > 0 && rule.algorithm.size(rule.der).is_none_or(|expected| expected == size) {
            slot.rule = u8::try_from(entry.number).unwrap_or(u8::MAX);
            slot.size = u8::try_from(size).unwrap_or_default();
            self.count = self.count.saturating_add(1);
        }
        Ok(())
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

/// How many elements there are.
fn count(value: &[u8], separators: &[u8]) -> usize {
    let separators = match separators {
        // One comparison a byte is what the compiler makes fast: a header may be long, and nothing is proven yet.
        [one] => value.iter().filter(|byte| *byte == one).count(),
        several => value.iter().filter(|byte| several.contains(byte)).count(),
    };
    separators.saturating_add(1)
}

/// The elements of a list; blanks after `,` and `;` are skipped, as joined header lines bring them.
pub(crate) fn elements<'v>(value: &'v [u8], separators: &[u8]) -> impl Iterator<Item = &'v [u8]> {
    let skip = matches!(separators, [b',' | b';']);
    let (first, others) = separators.split_first().map_or((None, &[][..]), |(first, others)| (Some(*first), others));
    value
        .split(move |byte| Some(*byte) == first || (!others.is_empty() && others.contains(byte)))
        .map(move |element| if skip { trim_start(element) } else { element })
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
    let at = element.iter().position(|byte| *byte == joiner)?;
    let label = element.get(..at)?;
    let well_formed =
        (1..=most).contains(&at) && label.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'_');
    well_formed.then_some((label, element.get(at.checked_add(1)?..)?))
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

fn is_payload(text: &[u8]) -> bool {
    !text.is_empty() && all_in(text, PAYLOAD)
}

/// Printable ASCII without blanks.
pub(crate) fn is_visible(text: &[u8]) -> bool {
    !text.is_empty() && all_in(text, VISIBLE)
}

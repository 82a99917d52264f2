//! The signature header: read strictly and as a whole.

use alloc::{collections::BTreeMap, string::String};

use crate::{
    Error, ErrorKind,
    scheme::definition::{Position, SignatureRule},
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

    /// Reads one value. `rules` are the rules of this place, each with its number and whether there is a key for it;
    /// `times` are labels that carry something else than a signature.
    pub(crate) fn read<'r>(
        &mut self,
        value: &[u8],
        rules: impl Iterator<Item = (usize, &'r SignatureRule, bool)> + Clone,
        times: &[&str],
        config: &BTreeMap<String, String>,
    ) -> Result<(), Error> {
        let Some((_, shape, _)) = rules.clone().next() else { return Ok(()) };
        let most = MOST_CANDIDATES.saturating_add(times.len());
        if elements(value, shape.separator).nth(most).is_some() {
            return Err(TOO_MANY);
        }
        if value.len() > LONGEST_HEADER {
            return Err(MALFORMED);
        }
        for (place, element) in elements(value, shape.separator).enumerate() {
            let Some(joiner) = shape.joiner else {
                let position = shape.positions.get(place).copied();
                match position.unwrap_or(if shape.positions.is_empty() {
                    Position::Signature
                } else {
                    Position::Ignore
                }) {
                    Position::Signature => self.push(element, rules.clone())?,
                    Position::Timestamp | Position::Ignore if is_visible(element) => {}
                    Position::Timestamp | Position::Ignore => return Err(MALFORMED),
                }
                continue;
            };
            let configured = rules.clone().any(|(_, rule, _)| rule.labels.iter().any(|label| label.starts_with('{')));
            let (label, payload) = split(element, joiner, if configured { 64 } else { 16 }).ok_or(MALFORMED)?;
            if times.iter().any(|time| time.as_bytes() == label) {
                let twice = elements(value, shape.separator)
                    .filter(|other| split(other, joiner, 16).is_some_and(|(other, _)| other == label))
                    .nth(1);
                if twice.is_some() || !is_visible(payload) {
                    return Err(MALFORMED);
                }
            } else if payload.is_empty() || !payload.iter().all(|byte| is_payload(*byte)) {
                return Err(MALFORMED);
            } else {
                let labelled = rules
                    .clone()
                    .filter(|(_, rule, _)| rule.labels.iter().any(|known| resolved(known, config).as_bytes() == label));
                self.push(payload, labelled)?;
            }
        }
        Ok(())
    }

    fn push<'r>(
        &mut self,
        text: &[u8],
        rules: impl Iterator<Item = (usize, &'r SignatureRule, bool)>,
    ) -> Result<(), Error> {
        for (number, rule, has_key) in rules {
            let Some(text) = without_prefix(text, &rule.prefixes) else {
                // `sha1=...` where `sha256=...` is signed is another version; what has no version is malformed.
                let other = split(text, b'=', 16)
                    .is_some_and(|(_, payload)| !payload.is_empty() && payload.iter().all(|byte| is_payload(*byte)));
                if other { continue } else { return Err(MALFORMED) }
            };
            if !has_key {
                continue;
            }
            self.known = self.known.saturating_add(1);
            let mut candidate =
                Candidate { rule: u8::try_from(number).unwrap_or(u8::MAX), size: 0, bytes: [0; LONGEST] };
            let Some(size) = rule.encoding.decode_into(text, &mut candidate.bytes).map(<[u8]>::len) else { continue };
            if rule.algorithm.size(rule.der).is_some_and(|expected| expected != size) || size == 0 {
                continue;
            }
            candidate.size = u8::try_from(size).unwrap_or_default();
            let slot = self.list.get_mut(self.count).ok_or(TOO_MANY)?;
            *slot = candidate;
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

/// The elements of a list; blanks after `,` and `;` are skipped, as joined header lines bring them.
pub(crate) fn elements(value: &[u8], separator: Option<u8>) -> impl Iterator<Item = &[u8]> {
    let skip = matches!(separator, Some(b',' | b';'));
    value
        .split(move |byte| Some(*byte) == separator)
        .map(move |element| if skip { trim_start(element) } else { element })
}

/// The value of the element with this label.
pub(crate) fn labelled<'v>(value: &'v [u8], rule: &SignatureRule, label: &str) -> Option<&'v [u8]> {
    let joiner = rule.joiner?;
    elements(value, rule.separator)
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

fn is_payload(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=' | b'_' | b'-')
}

/// Printable ASCII without blanks.
pub(crate) fn is_visible(text: &[u8]) -> bool {
    !text.is_empty() && text.iter().all(u8::is_ascii_graphic)
}

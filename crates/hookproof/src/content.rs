//! What is signed: the bytes that a MAC runs over.

use alloc::{borrow::Cow, format, string::String, vec::Vec};

use crate::{
    Error, ErrorKind,
    digest::{Hasher, Tag},
    form,
    scheme::{
        definition::SignatureRule,
        describe,
        source::Source,
        template::{Filter, Piece, UrlPart, What},
    },
    url::{Spelling, sorted_query},
    wire::{Item, NO_URL, Value, Wire, bytes},
};

const NO_METHOD: Error =
    Error::fixed(ErrorKind::RequestIncomplete, "the scheme signs the method, which was not given: pass `method`");

/// The texts that were judged before the content is put together.
#[derive(Clone, Copy, Default)]
pub(crate) struct Proven<'a> {
    pub(crate) id: &'a [u8],
    pub(crate) timestamp: &'a [u8],
}

/// What is signed. The body, which may be long, stays where it is, and of the key no copy is made.
pub(crate) struct Content<'a> {
    body: &'a [u8],
    /// Where in the text the body stands: at its end, unless it was met before.
    body_at: Option<usize>,
    /// The text, as long as it is short: then it needs no allocation.
    short: [u8; 128],
    used: usize,
    /// The text, once it is longer.
    long: Vec<u8>,
    /// Where in the text the key stands, in front of the body and behind it.
    keys: [Vec<usize>; 2],
}

impl<'a> Content<'a> {
    pub(crate) const fn new() -> Self {
        Self { body: &[], body_at: None, short: [0; 128], used: 0, long: Vec::new(), keys: [Vec::new(), Vec::new()] }
    }

    /// The digest or MAC of all of it.
    pub(crate) fn tag(&self, hasher: &Hasher, key: &[u8]) -> Tag {
        let [front, behind] = &self.keys;
        if front.is_empty() && behind.is_empty() {
            let (before, after) = self.sides();
            return hasher.tag(&[before, self.body, after]);
        }
        hasher.tag(&self.parts(key))
    }

    /// What stands in front of the body.
    pub(crate) fn before_body<'p>(&'p self, key: &'p [u8]) -> Vec<&'p [u8]> {
        let ((before, _), [keys, _]) = (self.sides(), &self.keys);
        with_key(before, keys, key)
    }

    /// What stands behind the body.
    pub(crate) fn after_body<'p>(&'p self, key: &'p [u8]) -> Vec<&'p [u8]> {
        let ((_, after), [_, keys]) = (self.sides(), &self.keys);
        with_key(after, keys, key)
    }

    /// All of it in one piece, for algorithms that need it so and for showing it.
    pub(crate) fn joined(&self, key: &[u8]) -> Vec<u8> {
        self.parts(key).concat()
    }

    fn parts<'p>(&'p self, key: &'p [u8]) -> Vec<&'p [u8]> {
        [&*self.before_body(key), &[self.body], &self.after_body(key)].concat()
    }

    fn sides(&self) -> (&[u8], &[u8]) {
        let text = self.text();
        self.body_at.and_then(|at| text.split_at_checked(at)).unwrap_or((text, &[]))
    }

    fn text(&self) -> &[u8] {
        if self.long.is_empty() { self.short.get(..self.used).unwrap_or_default() } else { &self.long }
    }

    #[inline]
    fn push(&mut self, bytes: &[u8]) {
        let end = self.used.saturating_add(bytes.len());
        match self.short.get_mut(self.used..end) {
            Some(free) if self.long.is_empty() => {
                free.copy_from_slice(bytes);
                self.used = end;
            }
            _ => self.push_long(bytes),
        }
    }

    #[cold]
    fn push_long(&mut self, bytes: &[u8]) {
        if self.long.is_empty() {
            self.long.extend_from_slice(self.short.get(..self.used).unwrap_or_default());
        }
        self.long.extend_from_slice(bytes);
    }

    fn push_body(&mut self, body: &'a [u8]) {
        (self.body, self.body_at) = (body, Some(self.text().len()));
    }

    fn push_key(&mut self) {
        let at = self.text().len().saturating_sub(self.body_at.unwrap_or_default());
        let [front, behind] = &mut self.keys;
        if self.body_at.is_none() { front.push(at) } else { behind.push(at) }
    }
}

/// A text, with the key at these places of it.
fn with_key<'p>(mut text: &'p [u8], places: &[usize], key: &'p [u8]) -> Vec<&'p [u8]> {
    let (mut parts, mut from) = (Vec::new(), 0usize);
    for at in places {
        let (part, rest) = text.split_at_checked(at.saturating_sub(from)).unwrap_or((text, &[]));
        parts.extend([part, key]);
        (text, from) = (rest, *at);
    }
    parts.push(text);
    parts
}

impl<'a> Wire<'a> {
    /// Adds what a rule signs; `item` is the place that `*` stands for.
    pub(crate) fn fill(
        &self,
        content: &mut Content<'a>,
        rule: &SignatureRule,
        spelling: Spelling,
        item: Option<&Item<'_>>,
        proven: Proven<'_>,
    ) -> Result<(), Error> {
        for (place, piece) in rule.content.0.iter().enumerate() {
            match &piece.what {
                What::Literal(literal) => content.push(literal.as_bytes()),
                What::Secret => content.push_key(),
                What::Id if piece.filters.is_empty() => content.push(proven.id),
                What::Timestamp if piece.filters.is_empty() => content.push(proven.timestamp),
                What::Body if piece.filters.is_empty() && content.body_at.is_none() => content.push_body(self.body),
                _ => {
                    let value = self.piece(piece, place, spelling, item, proven)?;
                    content.push(&piece.filters.iter().fold(value, |value, filter| filtered(value, *filter)));
                }
            }
        }
        Ok(())
    }

    /// What a rule signs, in one piece; `key` is what is shown for the secret.
    pub(crate) fn signed_bytes(
        &self,
        rule: &SignatureRule,
        spelling: Spelling,
        item: Option<&Item<'_>>,
        proven: Proven<'_>,
        key: &[u8],
    ) -> Result<Vec<u8>, Error> {
        let mut content = Content::new();
        self.fill(&mut content, rule, spelling, item, proven)?;
        Ok(content.joined(key))
    }

    /// What stands for a placeholder.
    fn piece<'s>(
        &'s self,
        piece: &Piece,
        place: usize,
        spelling: Spelling,
        item: Option<&'s Item<'_>>,
        proven: Proven<'s>,
    ) -> Result<Value<'s>, Error> {
        Ok(match &piece.what {
            What::Id => Cow::Borrowed(proven.id),
            What::Timestamp => Cow::Borrowed(proven.timestamp),
            What::Body => Cow::Borrowed(self.body),
            What::Method => Cow::Borrowed(self.method.ok_or(NO_METHOD)?.as_bytes()),
            What::Url(part) => self.url_part(*part, spelling)?,
            What::FormSorted { unique } => Cow::Owned(form::sorted(self.body, *unique)),
            What::Config(name) => Cow::Borrowed(self.config.get(name).map_or(&b""[..], |value| value.as_bytes())),
            What::Value(source) => {
                let value = match source {
                    Source::Json(pointer) if pointer.each() => item.and_then(|item| item.value(place)).map(bytes),
                    _ => self.present(source)?,
                };
                match value {
                    Some(value) => value,
                    None if piece.optional => Cow::Borrowed(&[]),
                    None => return Err(self.absent(source)),
                }
            }
            _ => Cow::Borrowed(&[]),
        })
    }

    fn absent(&self, source: &Source) -> Error {
        let kind = match source {
            Source::Header(_) => ErrorKind::HeaderMissing,
            _ => ErrorKind::BodyMalformed,
        };
        let message = format!("what the scheme signs is absent: {}", describe::source(self.definition, source));
        Error::new(kind, message)
    }

    fn url_part(&self, part: UrlPart, spelling: Spelling) -> Result<Value<'_>, Error> {
        let url = self.url().ok_or(NO_URL)?;
        if matches!(part, UrlPart::Whole | UrlPart::NoQuery | UrlPart::Host) && !url.is_absolute() {
            return Err(NO_URL);
        }
        Ok(match part {
            UrlPart::Whole => match url.spelled(spelling) {
                Cow::Borrowed(_) if spelling == Spelling::AsIs => Cow::Borrowed(url.as_str().as_bytes()),
                spelled => Cow::Owned(spelled.into_owned().into_bytes()),
            },
            UrlPart::NoQuery => Cow::Borrowed(url.no_query().as_bytes()),
            UrlPart::Target => Cow::Borrowed(url.target().as_bytes()),
            UrlPart::Path => Cow::Borrowed(url.path().as_bytes()),
            UrlPart::Host => Cow::Borrowed(url.host().as_bytes()),
        })
    }
}

fn filtered(value: Value<'_>, filter: Filter) -> Value<'_> {
    match filter {
        Filter::Digest(hash) => Cow::Owned(hash.of(&value).as_bytes().to_vec()),
        Filter::Crc32 => Cow::Owned(crate::digest::crc32(&value).to_be_bytes().to_vec()),
        Filter::Encode(encoding) => Cow::Owned(encoding.encode(&value).into_bytes()),
        // Only a checksum of four bytes is ever signed in decimal.
        Filter::Decimal => {
            let number = value.iter().take(8).fold(0u64, |number, byte| number << 8 | u64::from(*byte));
            Cow::Owned(format!("{number}").into_bytes())
        }
        Filter::Lower => Cow::Owned(value.to_ascii_lowercase()),
        Filter::Upper => Cow::Owned(value.to_ascii_uppercase()),
        Filter::Trim => match value {
            Cow::Borrowed(value) => Cow::Borrowed(value.trim_ascii()),
            Cow::Owned(value) => Cow::Owned(value.trim_ascii().to_vec()),
        },
        Filter::QuerySorted => {
            let text = String::from_utf8_lossy(&value);
            Cow::Owned(
                match text.split_once('?') {
                    Some((path, query)) => format!("{path}?{}", sorted_query(query)),
                    None => text.into_owned(),
                }
                .into_bytes(),
            )
        }
        Filter::Decoded => Cow::Owned(form::percent_decode(&value, true).into_owned()),
    }
}

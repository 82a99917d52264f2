//! What is signed: the bytes that a MAC runs over.

use alloc::{borrow::Cow, string::String, vec::Vec};

use crate::{
    Error, ErrorKind,
    digest::{Hasher, Tag},
    form,
    scheme::{
        definition::SignatureRule,
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

/// What is signed. The body, which may be long, stays where it is.
pub(crate) struct Content<'a> {
    before: Text,
    body: &'a [u8],
    after: Text,
}

impl Content<'_> {
    /// Feeds what stands in front of the body.
    pub(crate) fn before_body(&self, hasher: &mut Hasher, key: &[u8]) {
        self.before.parts(key, |part| hasher.update(part));
    }

    /// The digest or MAC once the body was fed.
    pub(crate) fn after_body(&self, mut hasher: Hasher, key: &[u8]) -> Tag {
        self.after.parts(key, |part| hasher.update(part));
        hasher.finish()
    }

    /// The digest or MAC of all of it.
    pub(crate) fn tag(&self, mut hasher: Hasher, key: &[u8]) -> Tag {
        self.before_body(&mut hasher, key);
        hasher.update(self.body);
        self.after_body(hasher, key)
    }

    /// All of it in one piece, for algorithms that need it so and for showing it.
    pub(crate) fn joined(&self, key: &[u8]) -> Vec<u8> {
        let mut joined = Vec::new();
        self.before.parts(key, |part| joined.extend_from_slice(part));
        joined.extend_from_slice(self.body);
        self.after.parts(key, |part| joined.extend_from_slice(part));
        joined
    }
}

/// Text that is mostly short, and then needs no allocation.
struct Text {
    short: [u8; 128],
    used: usize,
    /// All of it, once it is longer.
    long: Vec<u8>,
    /// Where the key stands, of which no copy is made.
    keys: Vec<usize>,
}

impl Text {
    const fn new() -> Self {
        Self { short: [0; 128], used: 0, long: Vec::new(), keys: Vec::new() }
    }

    fn as_bytes(&self) -> &[u8] {
        if self.long.is_empty() { self.short.get(..self.used).unwrap_or_default() } else { &self.long }
    }

    fn push(&mut self, bytes: &[u8]) {
        let end = self.used.saturating_add(bytes.len());
        match self.short.get_mut(self.used..end) {
            Some(free) if self.long.is_empty() => {
                free.copy_from_slice(bytes);
                self.used = end;
            }
            _ => {
                if self.long.is_empty() {
                    self.long.extend_from_slice(self.short.get(..self.used).unwrap_or_default());
                }
                self.long.extend_from_slice(bytes);
            }
        }
    }

    fn parts(&self, key: &[u8], mut take: impl FnMut(&[u8])) {
        let text = self.as_bytes();
        let mut from = 0;
        for at in &self.keys {
            take(text.get(from..*at).unwrap_or_default());
            take(key);
            from = *at;
        }
        take(text.get(from..).unwrap_or_default());
    }
}

impl<'a> Wire<'a> {
    /// What a rule signs; `item` is the place that `*` stands for.
    pub(crate) fn content(
        &self,
        rule: &SignatureRule,
        spelling: Spelling,
        item: Option<&Item<'_>>,
        proven: Proven<'_>,
    ) -> Result<Content<'a>, Error> {
        let mut content = Content { before: Text::new(), body: &[], after: Text::new() };
        let mut text = &mut content.before;
        for (place, piece) in rule.content.0.iter().enumerate() {
            match &piece.what {
                What::Literal(literal) => text.push(literal.as_bytes()),
                What::Secret => text.keys.push(text.as_bytes().len()),
                What::Body if content.body.is_empty() && piece.filters.is_empty() => {
                    content.body = self.body;
                    text = &mut content.after;
                }
                _ => text.push(&self.piece(piece, place, spelling, item, proven)?),
            }
        }
        Ok(content)
    }

    fn piece<'s>(
        &'s self,
        piece: &Piece,
        place: usize,
        spelling: Spelling,
        item: Option<&'s Item<'_>>,
        proven: Proven<'s>,
    ) -> Result<Value<'s>, Error> {
        let value = match &piece.what {
            What::Body => Cow::Borrowed(self.body),
            What::Timestamp => Cow::Borrowed(proven.timestamp),
            What::Id => Cow::Borrowed(proven.id),
            What::Method => Cow::Borrowed(self.method.ok_or(NO_METHOD)?.as_bytes()),
            What::Url(part) => self.url_part(*part, spelling)?,
            What::FormSorted { unique } => Cow::Owned(form::sorted(self.body, *unique)),
            What::Config(name) => Cow::Borrowed(self.config.get(name).map_or(&b""[..], |value| value.as_bytes())),
            What::Value(Source::Json(pointer)) if pointer.each() => match item.and_then(|item| item.value(place)) {
                Some(value) => bytes(value),
                None => absent(piece, false)?,
            },
            What::Value(source) => match self.present(source)? {
                Some(value) => value,
                None => absent(piece, matches!(source, Source::Header(_)))?,
            },
            What::Literal(_) | What::Secret | What::Token | What::Mac => Cow::Borrowed(&b""[..]),
        };
        piece.filters.iter().try_fold(value, |value, filter| filtered(value, *filter))
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

fn absent(piece: &Piece, header: bool) -> Result<Value<'static>, Error> {
    match (piece.optional, header) {
        (true, _) => Ok(Cow::Borrowed(&b""[..])),
        (false, true) => {
            Err(Error::fixed(ErrorKind::HeaderMissing, "a header that the scheme signs is absent or empty"))
        }
        (false, false) => Err(Error::fixed(ErrorKind::BodyMalformed, "a value that the scheme signs is absent")),
    }
}

fn filtered(value: Value<'_>, filter: Filter) -> Result<Value<'_>, Error> {
    Ok(match filter {
        Filter::Digest(hash) => Cow::Owned(hash.of(&value).as_bytes().to_vec()),
        Filter::Crc32 => Cow::Owned(crate::digest::crc32(&value).to_be_bytes().to_vec()),
        Filter::Encode(encoding) => Cow::Owned(encoding.encode(&value).into_bytes()),
        // Only a checksum of four bytes is ever signed in decimal.
        Filter::Decimal => {
            let number = value.iter().take(8).fold(0u64, |number, byte| number << 8 | u64::from(*byte));
            Cow::Owned(alloc::format!("{number}").into_bytes())
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
                    Some((path, query)) => alloc::format!("{path}?{}", sorted_query(query)),
                    None => text.into_owned(),
                }
                .into_bytes(),
            )
        }
        Filter::Decoded => Cow::Owned(form::percent_decode(&value, true).into_owned()),
    })
}

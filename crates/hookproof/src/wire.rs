//! A request as the core sees it, and the values that a scheme finds in it.

use alloc::{borrow::Cow, collections::BTreeMap, string::String, vec::Vec};

use crate::{
    Error, ErrorKind, Options, Request,
    digest::{Hasher, Tag},
    form,
    json::{self, Found, Unreadable},
    request,
    scheme::{
        definition::{Algorithm, Carrier, Definition, SignatureRule},
        source::{MOST_SLOTS, Source},
        template::{Filter, MOST_PIECES, Piece, UrlPart, What},
    },
    signature,
    url::{Spelling, Url, sorted_query},
};

pub(crate) type Value<'a> = Cow<'a, [u8]>;

pub(crate) const REPEATED: Error =
    Error::fixed(ErrorKind::SignatureMalformed, "a signed value stands behind a key that stands twice in the body");
const NOT_JSON: Error =
    Error::fixed(ErrorKind::BodyMalformed, "the body is not JSON, in which the scheme looks for what is signed");
const NO_URL: Error = Error::fixed(
    ErrorKind::RequestIncomplete,
    "the scheme signs the URL, which was not given in full: pass `url`, or set `public_url` to the address that the provider calls",
);
const NO_METHOD: Error =
    Error::fixed(ErrorKind::RequestIncomplete, "the scheme signs the method, which was not given: pass `method`");

/// The headers that a scheme reads, in the order of its slots, trimmed; empty ones are absent.
pub(crate) struct Wire<'a> {
    pub(crate) definition: &'a Definition,
    pub(crate) config: &'a BTreeMap<String, String>,
    pub(crate) slots: [Option<Value<'a>>; MOST_SLOTS],
    pub(crate) method: Option<&'a str>,
    pub(crate) url: Option<Cow<'a, str>>,
    pub(crate) body: &'a [u8],
}

impl<'a> Wire<'a> {
    pub(crate) fn new(definition: &'a Definition, options: &'a Options, request: &Request<'a>) -> Self {
        let mut slots = [const { None }; MOST_SLOTS];
        for (place, (slot, name)) in slots.iter_mut().zip(&definition.slots.names).enumerate() {
            *slot = request.headers.value(place, name).map(trimmed).filter(|value| !value.is_empty());
        }
        let url = request::url(options.public_url.as_deref(), request.url);
        Self { definition, config: &options.config, slots, method: request.method, url, body: request.body }
    }

    pub(crate) fn header(&self, slot: usize) -> Option<&[u8]> {
        self.slots.get(slot).and_then(Option::as_deref)
    }

    /// A header by its name, for the few that the core itself knows.
    pub(crate) fn named(&self, name: &str) -> Option<&[u8]> {
        self.definition.slots.names.iter().position(|slot| slot == name).and_then(|slot| self.header(slot))
    }

    pub(crate) fn url(&self) -> Option<Url<'_>> {
        self.url.as_deref().map(Url::new)
    }

    /// The value of the first source that has one.
    pub(crate) fn first(&self, sources: &[Source]) -> Result<Option<Value<'_>>, Error> {
        for source in sources {
            if let Some(value) = self.value(source)? {
                return Ok(Some(value));
            }
        }
        Ok(None)
    }

    /// The value there; empty ones are absent.
    pub(crate) fn value(&self, source: &Source) -> Result<Option<Value<'_>>, Error> {
        Ok(self.present(source)?.filter(|value| !value.is_empty()))
    }

    /// The value there, which may be empty.
    fn present(&self, source: &Source) -> Result<Option<Value<'_>>, Error> {
        Ok(match source {
            Source::Header(slot) => self.header(*slot).map(Cow::Borrowed),
            Source::Query(name) => self.url().and_then(|url| url.parameter(name)),
            Source::Form(name) => form::value(self.body, name),
            Source::Json(pointer) => match json::find(self.body, pointer).map_err(unreadable)? {
                Some(found) => found.scalar().map(bytes),
                None => None,
            },
            Source::Label(_) | Source::Position(_) => self.lent(source),
        })
    }

    /// The same for what stands in headers, borrowed from the request itself where its lines were not joined.
    pub(crate) fn lent(&self, source: &Source) -> Option<Value<'a>> {
        let (slot, rule) = match source {
            Source::Header(slot) => return self.slots.get(*slot).cloned().flatten(),
            _ => self.list()?,
        };
        fn element<'v>(source: &Source, rule: &SignatureRule, value: &'v [u8]) -> Option<&'v [u8]> {
            match source {
                Source::Label(label) => signature::labelled(value, rule, label),
                Source::Position(place) => signature::elements(value, &rule.separators).nth(*place),
                _ => None,
            }
        }
        match self.slots.get(slot)?.as_ref()? {
            Cow::Borrowed(value) => element(source, rule, value).map(Cow::Borrowed),
            Cow::Owned(value) => element(source, rule, value).map(|value| Cow::Owned(value.to_vec())),
        }
    }

    /// The signature header that carries labels and positions.
    fn list(&self) -> Option<(usize, &'a SignatureRule)> {
        self.definition.signatures.iter().find_map(|rule| match &rule.carrier {
            Carrier::Headers(headers) => {
                headers.iter().flatten().find(|slot| self.header(**slot).is_some()).map(|slot| (*slot, rule))
            }
            _ => None,
        })
    }

    /// Every value that may carry a signature of this rule, of which any may match.
    pub(crate) fn carried<'s>(&'s self, rule: &'s SignatureRule) -> Result<impl Iterator<Item = Value<'s>>, Error> {
        let headers: &[_] = match &rule.carrier {
            Carrier::Headers(headers) => headers,
            _ => &[],
        };
        let elsewhere = match &rule.carrier {
            Carrier::Headers(_) => None,
            Carrier::Query(name) => self.url().and_then(|url| url.parameter(name)),
            Carrier::Path(template) => self.url().ok_or(NO_URL)?.path_token(template),
            Carrier::Form(name) => form::value(self.body, name),
            Carrier::Json(pointer) => {
                json::find(self.body, pointer).map_err(unreadable)?.and_then(Found::scalar).map(bytes)
            }
        };
        let in_headers = headers.iter().filter_map(|names| names.iter().find_map(|slot| self.header(*slot)));
        Ok(in_headers.map(Cow::Borrowed).chain(elsewhere.filter(|value| !value.is_empty())))
    }

    /// The pieces of what a rule signs, ready to be fed to a MAC: `item` is the place that `*` stands for.
    pub(crate) fn content<'s>(
        &'s self,
        rule: &'s SignatureRule,
        spelling: Spelling,
        item: Option<&'s Item<'s>>,
        proven: Proven<'s>,
    ) -> Result<Content<'s>, Error> {
        let mut content = Content::default();
        for (place, piece) in rule.content.0.iter().enumerate() {
            let segment = match &piece.what {
                What::Secret => Segment::Key,
                _ => Segment::Bytes(self.piece(piece, place, spelling, item, proven)?),
            };
            if piece.what == What::Body {
                content.body_at = Some(place);
            }
            content.push(segment);
        }
        Ok(content)
    }

    fn piece<'s>(
        &'s self,
        piece: &'s Piece,
        place: usize,
        spelling: Spelling,
        item: Option<&'s Item<'s>>,
        proven: Proven<'s>,
    ) -> Result<Value<'s>, Error> {
        let value = match &piece.what {
            What::Literal(text) => Cow::Borrowed(text.as_bytes()),
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
            What::Secret | What::Token | What::Mac => Cow::Borrowed(&b""[..]),
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

    /// The rules that count for this request.
    pub(crate) fn rules(&self) -> impl Iterator<Item = (usize, &'a SignatureRule)> + Clone {
        self.definition.signatures.iter().enumerate().filter(|(_, rule)| self.counts(rule))
    }

    /// Whether a rule counts for this request's content type: one that names it, or else one that names none.
    pub(crate) fn counts(&self, rule: &SignatureRule) -> bool {
        if !self.definition.by_content_type {
            return true;
        }
        let Some(wanted) = &rule.content_type else {
            return !self.definition.signatures.iter().any(|rule| rule.content_type.is_some() && self.counts(rule));
        };
        let media = self.named("content-type").and_then(|value| value.split(|byte| *byte == b';').next());
        media.is_some_and(|media| media.trim_ascii().eq_ignore_ascii_case(wanted.as_bytes()))
    }

    /// For signatures per item: each item's signature and signed values, found in one pass per pointer.
    pub(crate) fn items(&self, rule: &SignatureRule) -> Result<Option<Vec<Item<'_>>>, Error> {
        /// More than any provider batches; it bounds the work before anything is proven.
        const MOST_ITEMS: usize = 1000;
        let Carrier::Json(pointer) = &rule.carrier else { return Ok(None) };
        if !pointer.each() {
            return Ok(None);
        }
        let signatures = json::find_each(self.body, pointer).map_err(unreadable)?;
        if signatures.len() > MOST_ITEMS {
            return Err(Error::fixed(ErrorKind::BodyMalformed, "the batch has more than 1,000 items"));
        }
        let mut items: Vec<Item<'_>> = signatures
            .into_iter()
            .map(|found| Item { signature: found.and_then(Found::scalar), values: Vec::new() })
            .collect();
        for (place, piece) in rule.content.0.iter().enumerate() {
            if let What::Value(Source::Json(pointer)) = &piece.what
                && pointer.each()
            {
                let values = json::find_each(self.body, pointer).map_err(unreadable)?;
                for (item, found) in items.iter_mut().zip(values) {
                    item.values.push((place, found.and_then(Found::scalar)));
                }
            }
        }
        Ok(Some(items))
    }

    /// Whether a rule's digest would let somebody extend the body.
    pub(crate) fn is_extended(&self, rule: &SignatureRule) -> bool {
        matches!(rule.algorithm, Algorithm::Digest(_))
            && (self.body.contains(&0) || core::str::from_utf8(self.body).is_err())
    }
}

/// One item of a batch that is signed item by item.
pub(crate) struct Item<'a> {
    pub(crate) signature: Option<Cow<'a, str>>,
    values: Vec<(usize, Option<Cow<'a, str>>)>,
}

impl Item<'_> {
    fn value(&self, place: usize) -> Option<Cow<'_, str>> {
        self.values.iter().find(|(at, _)| *at == place).and_then(|(_, value)| value.as_deref()).map(Cow::Borrowed)
    }
}

/// The texts that were judged before the content is put together.
#[derive(Clone, Copy, Default)]
pub(crate) struct Proven<'a> {
    pub(crate) id: &'a [u8],
    pub(crate) timestamp: &'a [u8],
}

/// What is signed, as borrowed pieces.
pub(crate) struct Content<'a> {
    segments: [Segment<'a>; MOST_PIECES],
    count: usize,
    body_at: Option<usize>,
}

#[derive(Clone)]
pub(crate) enum Segment<'a> {
    Bytes(Value<'a>),
    /// The key of whichever secret is tried.
    Key,
}

impl Segment<'_> {
    fn feed(&self, hasher: &mut Hasher, key: &[u8]) {
        hasher.update(match self {
            Self::Bytes(bytes) => bytes,
            Self::Key => key,
        });
    }
}

impl Default for Content<'_> {
    fn default() -> Self {
        Self { segments: [const { Segment::Key }; MOST_PIECES], count: 0, body_at: None }
    }
}

impl<'a> Content<'a> {
    fn push(&mut self, segment: Segment<'a>) {
        if let Some(slot) = self.segments.get_mut(self.count) {
            *slot = segment;
            self.count = self.count.saturating_add(1);
        }
    }

    pub(crate) fn segments(&self) -> &[Segment<'a>] {
        self.segments.get(..self.count).unwrap_or_default()
    }

    /// The first segment behind the body.
    pub(crate) fn after_body(&self) -> usize {
        self.body_at.map_or(self.count, |at| at.saturating_add(1))
    }

    /// The state that has seen everything in front of the body.
    pub(crate) fn before_body(&self, mut hasher: Hasher, key: &[u8]) -> Hasher {
        for segment in self.segments().iter().take(self.body_at.unwrap_or(self.count)) {
            segment.feed(&mut hasher, key);
        }
        hasher
    }

    /// The digest or MAC of the segments from this one on.
    pub(crate) fn tag(&self, mut hasher: Hasher, key: &[u8], from: usize) -> Tag {
        for segment in self.segments().iter().skip(from) {
            segment.feed(&mut hasher, key);
        }
        hasher.finish()
    }

    /// All of it in one piece, for algorithms that need it so and for showing it.
    pub(crate) fn joined(&self) -> Vec<u8> {
        let mut joined = Vec::new();
        for segment in self.segments() {
            if let Segment::Bytes(bytes) = segment {
                joined.extend_from_slice(bytes);
            }
        }
        joined
    }
}

pub(crate) fn unreadable(why: Unreadable) -> Error {
    match why {
        Unreadable::NotJson => NOT_JSON,
        Unreadable::Repeated => REPEATED,
    }
}

fn bytes(text: Cow<'_, str>) -> Value<'_> {
    match text {
        Cow::Borrowed(text) => Cow::Borrowed(text.as_bytes()),
        Cow::Owned(text) => Cow::Owned(text.into_bytes()),
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

/// Without blanks and tabs at both ends: runtimes differ in whether they strip them.
fn trimmed(value: Cow<'_, [u8]>) -> Cow<'_, [u8]> {
    fn trim(value: &[u8]) -> &[u8] {
        let is_text = |byte: &u8| !matches!(byte, b' ' | b'\t');
        let from = value.iter().position(is_text).unwrap_or(value.len());
        let to = value.iter().rposition(is_text).map_or(from, |last| last.saturating_add(1));
        value.get(from..to).unwrap_or_default()
    }
    match value {
        Cow::Borrowed(value) => Cow::Borrowed(trim(value)),
        Cow::Owned(value) => Cow::Owned(trim(&value).to_vec()),
    }
}

//! A request as the core sees it, and the values that a scheme finds in it.

use alloc::{borrow::Cow, collections::BTreeMap, string::String, vec::Vec};

use crate::{
    Error, ErrorKind, Headers, Options, Request, form,
    json::{self, Found, Pointer, Unreadable},
    request,
    scheme::{
        definition::{Algorithm, Carrier, Definition, SignatureRule},
        source::Source,
        template::What,
    },
    signature,
    url::Url,
};

pub(crate) type Value<'a> = Cow<'a, [u8]>;

pub(crate) const REPEATED: Error =
    Error::fixed(ErrorKind::SignatureMalformed, "a signed value stands behind a key that stands twice in the body");
const NOT_JSON: Error =
    Error::fixed(ErrorKind::BodyMalformed, "the body is not JSON, in which the scheme looks for what is signed");
pub(crate) const NO_URL: Error = Error::fixed(
    ErrorKind::RequestIncomplete,
    "the scheme signs the URL, which was not given in full: pass `url`, or set `public_url` to the address that the provider calls",
);

/// A request as a scheme reads it.
pub(crate) struct Wire<'a> {
    pub(crate) definition: &'a Definition,
    pub(crate) config: &'a BTreeMap<String, String>,
    pub(crate) body: &'a [u8],
    headers: &'a dyn Headers,
    pub(crate) method: Option<&'a str>,
    url: Option<Cow<'a, str>>,
}

impl<'a> Wire<'a> {
    pub(crate) fn new(definition: &'a Definition, options: &'a Options, request: &Request<'a>) -> Self {
        let Request { headers, body, method, url } = *request;
        let url = request::url(options.public_url.as_deref(), url);
        Self { definition, config: &options.config, body, headers, method, url }
    }

    /// The header of a slot, trimmed; empty ones are absent.
    #[inline]
    pub(crate) fn header(&self, slot: usize) -> Option<Value<'a>> {
        let name = self.definition.slots.names.get(slot)?;
        trimmed(self.headers.value(slot, name)?)
    }

    /// A header by its name, for the few that the core itself knows.
    pub(crate) fn named(&self, name: &str) -> Option<Value<'a>> {
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
    pub(crate) fn present(&self, source: &Source) -> Result<Option<Value<'_>>, Error> {
        Ok(match source {
            Source::Query(name) => self.url().and_then(|url| url.parameter(name)),
            Source::Form(name) => form::value(self.body, name),
            Source::Json(pointer) => match json::find(self.body, pointer).map_err(unreadable)? {
                Some(found) => found.scalar().map(bytes),
                None => None,
            },
            Source::Header(slot) => self.header(*slot),
            Source::Label(_) | Source::Position(_) => self.in_list(source),
        })
    }

    /// The first of the sources outside the body that has a value, borrowed from the request where it can be.
    pub(crate) fn lent(&self, sources: &[Source]) -> Option<Value<'a>> {
        sources.iter().find_map(|source| match source {
            Source::Header(slot) => self.header(*slot),
            Source::Label(_) | Source::Position(_) => self.in_list(source).filter(|value| !value.is_empty()),
            Source::Query(name) => {
                let value = self.url()?.parameter(name).filter(|value| !value.is_empty())?;
                Some(Cow::Owned(value.into_owned()))
            }
            Source::Form(_) | Source::Json(_) => None,
        })
    }

    /// An element of the signature's list.
    fn in_list(&self, source: &Source) -> Option<Value<'a>> {
        fn element<'v>(source: &Source, rule: &SignatureRule, value: &'v [u8]) -> Option<&'v [u8]> {
            match source {
                Source::Label(label) => signature::labelled(value, rule, label),
                Source::Position(place) => signature::elements(value, &rule.separators).nth(*place),
                _ => None,
            }
        }
        let (list, rule) = self.list()?;
        match list {
            Cow::Borrowed(list) => element(source, rule, list).map(Cow::Borrowed),
            Cow::Owned(list) => element(source, rule, &list).map(|value| Cow::Owned(value.to_vec())),
        }
    }

    /// The signature header that carries labels and positions.
    fn list(&self) -> Option<(Value<'a>, &'a SignatureRule)> {
        self.definition.signatures.iter().find_map(|rule| match &rule.carrier {
            Carrier::Headers(headers) => {
                headers.iter().flatten().find_map(|slot| self.header(*slot)).map(|list| (list, rule))
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
        Ok(in_headers.chain(elsewhere.filter(|value| !value.is_empty())))
    }

    /// The rules that count for this request.
    pub(crate) fn rules(&self) -> impl Iterator<Item = (usize, &'a SignatureRule)> + Clone {
        self.definition.signatures.iter().enumerate().filter(|(_, rule)| self.counts(rule))
    }

    /// Whether a rule counts for this request's content type: one that names it, or else one that names none.
    #[inline]
    pub(crate) fn counts(&self, rule: &SignatureRule) -> bool {
        !self.definition.by_content_type || self.is_of_content_type(rule)
    }

    fn is_of_content_type(&self, rule: &SignatureRule) -> bool {
        let Some(wanted) = &rule.content_type else {
            return !self.definition.signatures.iter().any(|rule| rule.content_type.is_some() && self.counts(rule));
        };
        let given = self.named("content-type");
        let media = given.as_deref().and_then(|value| value.split(|byte| *byte == b';').next());
        media.is_some_and(|media| media.trim_ascii().eq_ignore_ascii_case(wanted.as_bytes()))
    }

    /// For signatures per item: each item's signature and signed values.
    #[inline]
    pub(crate) fn items(&self, rule: &SignatureRule) -> Result<Option<Vec<Item<'_>>>, Error> {
        match &rule.carrier {
            Carrier::Json(pointer) if pointer.each() => self.items_at(pointer, rule).map(Some),
            _ => Ok(None),
        }
    }

    /// They are found in one pass per pointer.
    fn items_at(&self, pointer: &Pointer, rule: &SignatureRule) -> Result<Vec<Item<'_>>, Error> {
        /// More than any provider batches; it bounds the work before anything is proven.
        const MOST_ITEMS: usize = 1000;
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
        Ok(items)
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
    pub(crate) fn value(&self, place: usize) -> Option<Cow<'_, str>> {
        self.values.iter().find(|(at, _)| *at == place).and_then(|(_, value)| value.as_deref()).map(Cow::Borrowed)
    }
}

pub(crate) fn unreadable(why: Unreadable) -> Error {
    match why {
        Unreadable::NotJson => NOT_JSON,
        Unreadable::Repeated => REPEATED,
    }
}

pub(crate) fn bytes(text: Cow<'_, str>) -> Value<'_> {
    match text {
        Cow::Borrowed(text) => Cow::Borrowed(text.as_bytes()),
        Cow::Owned(text) => Cow::Owned(text.into_bytes()),
    }
}

/// Without blanks and tabs at both ends, which runtimes differ in stripping; nothing is left of what is empty.
#[inline]
fn trimmed(value: Value<'_>) -> Option<Value<'_>> {
    match &*value {
        [] => None,
        [b' ' | b'\t', ..] | [.., b' ' | b'\t'] => {
            let trimmed = match value {
                Cow::Borrowed(value) => Cow::Borrowed(trim(value)),
                Cow::Owned(value) => Cow::Owned(trim(&value).to_vec()),
            };
            (!trimmed.is_empty()).then_some(trimmed)
        }
        _ => Some(value),
    }
}

fn trim(value: &[u8]) -> &[u8] {
    let is_text = |byte: &u8| !matches!(byte, b' ' | b'\t');
    let from = value.iter().position(is_text).unwrap_or(value.len());
    let to = value.iter().rposition(is_text).map_or(from, |last| last.saturating_add(1));
    value.get(from..to).unwrap_or_default()
}

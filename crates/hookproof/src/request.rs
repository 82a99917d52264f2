use alloc::{borrow::Cow, vec::Vec};

/// Where a verifier finds headers: any list of pairs, an `http::HeaderMap` (feature `http`), or a host's own object.
pub trait Headers {
    /// The value of a header, several lines of one name joined with `, `; `None` where there is none.
    ///
    /// `name` is lower case. `place` is its position in [`Verifier::header_names`](crate::Verifier::header_names), so
    /// that a host which has already picked the values in that order can answer without looking at the name.
    fn value(&self, place: usize, name: &str) -> Option<Cow<'_, [u8]>>;
}

impl<N: AsRef<str>, V: AsRef<[u8]>> Headers for [(N, V)] {
    fn value(&self, _: usize, name: &str) -> Option<Cow<'_, [u8]>> {
        joined(
            self.iter()
                .filter(|(header, _)| header.as_ref().eq_ignore_ascii_case(name))
                .map(|(_, value)| value.as_ref()),
        )
    }
}

impl<N: AsRef<str>, V: AsRef<[u8]>, const C: usize> Headers for [(N, V); C] {
    fn value(&self, place: usize, name: &str) -> Option<Cow<'_, [u8]>> {
        self.as_slice().value(place, name)
    }
}

impl<N: AsRef<str>, V: AsRef<[u8]>> Headers for Vec<(N, V)> {
    fn value(&self, place: usize, name: &str) -> Option<Cow<'_, [u8]>> {
        self.as_slice().value(place, name)
    }
}

impl<H: Headers + ?Sized> Headers for &H {
    fn value(&self, place: usize, name: &str) -> Option<Cow<'_, [u8]>> {
        (**self).value(place, name)
    }
}

#[cfg(feature = "http")]
impl Headers for http::HeaderMap {
    fn value(&self, _: usize, name: &str) -> Option<Cow<'_, [u8]>> {
        joined(self.get_all(name).iter().map(http::HeaderValue::as_bytes))
    }
}

/// Several lines of one name are one value (RFC 9110, section 5.3).
fn joined<'v>(mut lines: impl Iterator<Item = &'v [u8]>) -> Option<Cow<'v, [u8]>> {
    let mut value = Cow::Borrowed(lines.next()?);
    for line in lines {
        let value = value.to_mut();
        value.extend_from_slice(b", ");
        value.extend_from_slice(line);
    }
    Some(value)
}

/// One incoming request, borrowed: headers and the body exactly as it came over the wire.
///
/// ```
/// use hookproof::Request;
/// let headers = [("Webhook-Id", "msg_1")];
/// let request = Request::new(&headers, b"{}").method("POST").url("https://example.com/hook?x=1");
/// assert_eq!(request.body(), b"{}");
/// ```
#[derive(Clone, Copy)]
pub struct Request<'a> {
    pub(crate) headers: &'a dyn Headers,
    pub(crate) body: &'a [u8],
    pub(crate) method: Option<&'a str>,
    pub(crate) url: Option<&'a str>,
}

impl<'a> Request<'a> {
    /// A request with these headers and this body.
    pub fn new(headers: &'a dyn Headers, body: &'a (impl AsRef<[u8]> + ?Sized)) -> Self {
        Self { headers, body: body.as_ref(), method: None, url: None }
    }

    /// The method, which some schemes sign.
    #[must_use]
    pub fn method(mut self, method: &'a str) -> Self {
        self.method = Some(method);
        self
    }

    /// The URL, which some schemes sign: absolute, or path and query where `public_url` gives the rest.
    #[must_use]
    pub fn url(mut self, url: &'a str) -> Self {
        self.url = Some(url);
        self
    }

    /// The body.
    pub fn body(&self) -> &'a [u8] {
        self.body
    }
}

impl core::fmt::Debug for Request<'_> {
    fn fmt(&self, formatter: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        formatter
            .debug_struct("Request")
            .field("method", &self.method)
            .field("body_bytes", &self.body.len())
            .finish_non_exhaustive()
    }
}

/// The URL that the scheme judges: the user's public one, completed by what was requested.
pub(crate) fn url<'a>(public_url: Option<&str>, requested: Option<&'a str>) -> Option<Cow<'a, str>> {
    match public_url {
        Some(public) => Some(Cow::Owned(crate::url::public(public, requested))),
        None => requested.map(Cow::Borrowed),
    }
}

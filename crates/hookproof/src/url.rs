use alloc::{borrow::Cow, format, string::String, vec::Vec};

use crate::form;

/// The parts of the URL that a request came to: absolute, or a path where the host is unknown.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Url<'a> {
    text: &'a str,
    /// Where the path begins: behind the authority, or at once.
    path_at: usize,
}

/// Which spelling of the URL is signed: some providers drop the port, some write the default one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Spelling {
    AsIs,
    WithoutPort,
    DefaultPort,
}

impl<'a> Url<'a> {
    pub(crate) fn new(text: &'a str) -> Self {
        let text = text.split('#').next().unwrap_or_default();
        let path_at = match text.find("://") {
            Some(colon) => {
                let authority = colon.saturating_add(3);
                let rest = text.get(authority..).unwrap_or_default();
                authority.saturating_add(rest.find(['/', '?']).unwrap_or(rest.len()))
            }
            None => 0,
        };
        Self { text, path_at }
    }

    pub(crate) fn is_absolute(self) -> bool {
        self.path_at > 0
    }

    pub(crate) fn as_str(self) -> &'a str {
        self.text
    }

    pub(crate) fn no_query(self) -> &'a str {
        self.text.split('?').next().unwrap_or_default()
    }

    /// Path and query.
    pub(crate) fn target(self) -> &'a str {
        self.text.get(self.path_at..).unwrap_or_default()
    }

    pub(crate) fn path(self) -> &'a str {
        self.target().split('?').next().unwrap_or_default()
    }

    pub(crate) fn query(self) -> &'a str {
        self.target().split_once('?').map_or("", |(_, query)| query)
    }

    pub(crate) fn host(self) -> &'a str {
        let origin = self.text.get(..self.path_at).unwrap_or_default();
        let authority = origin.split_once("://").map_or("", |(_, authority)| authority);
        authority.rsplit_once('@').map_or(authority, |(_, host)| host)
    }

    /// A parameter of the query, percent-decoded.
    pub(crate) fn parameter(self, name: &str) -> Option<Cow<'a, [u8]>> {
        form::value(self.query().as_bytes(), name)
    }

    /// What stands in a path template's place of `{token}`.
    pub(crate) fn path_token(self, template: &str) -> Option<Cow<'a, [u8]>> {
        let (before, after) = template.split_once("{token}")?;
        // A service behind a proxy may be mounted below another path.
        let at = self.path().rfind(before)?.checked_add(before.len())?;
        let rest = self.path().get(at..)?.strip_suffix(after)?;
        (!rest.is_empty() && !rest.contains('/')).then(|| form::percent_decode(rest.as_bytes(), false))
    }

    pub(crate) fn spelled(self, spelling: Spelling) -> Cow<'a, str> {
        let Some((scheme, rest)) = self.text.split_once("://") else { return Cow::Borrowed(self.text) };
        let split = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, target) = rest.split_at(split);
        let bracket = authority.rfind(']').unwrap_or(0);
        let colon = authority.rfind(':').filter(|colon| *colon > bracket);
        let host = colon.map_or(authority, |colon| authority.get(..colon).unwrap_or_default());
        let default_port = if scheme.eq_ignore_ascii_case("http") { 80 } else { 443 };
        match spelling {
            Spelling::AsIs => Cow::Borrowed(self.text),
            Spelling::WithoutPort if colon.is_none() => Cow::Borrowed(self.text),
            Spelling::DefaultPort if colon.is_some() => Cow::Borrowed(self.text),
            Spelling::WithoutPort => Cow::Owned(format!("{scheme}://{host}{target}")),
            Spelling::DefaultPort => Cow::Owned(format!("{scheme}://{host}:{default_port}{target}")),
        }
    }
}

/// The user's `public_url` with the target of the request: what the provider was told to call.
pub(crate) fn public(public_url: &str, requested: Option<&str>) -> String {
    let public = Url::new(public_url);
    // A public URL with a path is the whole address; an origin is completed by what was requested.
    if !matches!(public.path(), "" | "/") || !public.query().is_empty() {
        let query = requested.map(Url::new).map_or("", Url::query);
        return if public.query().is_empty() && !query.is_empty() {
            format!("{}?{query}", public.as_str())
        } else {
            public.as_str().into()
        };
    }
    let target = requested.map_or("", |requested| Url::new(requested).target());
    format!("{}{target}", public.as_str().trim_end_matches('/'))
}

/// A query with its parameters in order of their names.
pub(crate) fn sorted_query(query: &str) -> String {
    let mut parts: Vec<&str> = query.split('&').filter(|part| !part.is_empty()).collect();
    parts.sort_unstable();
    parts.join("&")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_of_a_port() {
        let spell = |url, spelling| Url::new(url).spelled(spelling).into_owned();
        assert_eq!(spell("https://a.test:1234/x?y=1", Spelling::WithoutPort), "https://a.test/x?y=1");
        assert_eq!(spell("https://a.test/x", Spelling::DefaultPort), "https://a.test:443/x");
        assert_eq!(spell("http://a.test?x", Spelling::DefaultPort), "http://a.test:80?x");
        assert_eq!(spell("http://[::1]/x", Spelling::DefaultPort), "http://[::1]:80/x");
        assert_eq!(spell("https://a.test/x", Spelling::WithoutPort), "https://a.test/x");
    }

    #[test]
    fn parts() {
        let url = Url::new("https://u:p@a.test:8/x/whk_1?q=a%20b#f");
        assert_eq!((url.host(), url.path(), url.query()), ("a.test:8", "/x/whk_1", "q=a%20b"));
        assert_eq!(url.parameter("q").as_deref(), Some(&b"a b"[..]));
        assert_eq!(url.path_token("/x/{token}").as_deref(), Some(&b"whk_1"[..]));
        assert_eq!(url.path_token("/y/{token}"), None);
    }

    #[test]
    fn a_public_origin_takes_the_requested_target() {
        assert_eq!(public("https://a.test", Some("http://10.0.0.1:80/x?y=1")), "https://a.test/x?y=1");
        assert_eq!(public("https://a.test/hook", Some("/x?y=1")), "https://a.test/hook?y=1");
        assert_eq!(public("https://a.test/hook", None), "https://a.test/hook");
    }
}

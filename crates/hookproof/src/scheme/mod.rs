//! Schemes: how providers sign, as data.

pub(crate) mod definition;
pub(crate) mod describe;
pub(crate) mod fields;
mod lint;
mod parse;
mod preview;
pub(crate) mod source;
pub(crate) mod template;

use alloc::{format, string::String, sync::Arc, vec::Vec};
use core::fmt;
use serde_json::Value;

pub use definition::{Coverage, Evidence, RateLimit, Retry};
pub use lint::{Finding, Level};

use crate::{Error, ErrorKind, error::shown};
use definition::Definition;

pub(crate) use parse::rate_limit;

/// Every built-in scheme as compact JSON, made from `schemes/*.toml` when this crate is built.
static BUILT_IN: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/builtin.rs"));

/// How one provider signs: built in, or a file, dict or object of the user's own.
///
/// Cloning is cheap. The grammar is in `docs/schemes.md`.
///
/// ```
/// use hookproof::{Coverage, Scheme};
/// let scheme = Scheme::named("agentbot")?;
/// assert_eq!(scheme.title(), "Agentbot");
/// assert_eq!(scheme.coverage(), Coverage::Body);
/// assert!(!scheme.id_is_signed());
/// # Ok::<(), hookproof::Error>(())
/// ```
#[derive(Clone)]
pub struct Scheme(pub(crate) Arc<Definition>);

impl Scheme {
    /// The built-in scheme with this id.
    ///
    /// # Errors
    /// [`ErrorKind::SchemeUnknown`], with the closest name there is.
    pub fn named(id: &str) -> Result<Self, Error> {
        if let Some((_, json)) = BUILT_IN.iter().find(|(name, _)| *name == id) {
            return Self::from_json(json);
        }
        let hint = match fields::closest(id, &mut Self::names()) {
            Some(close) => format!("did you mean `{close}`?"),
            None => "`hookproof providers` lists them, and `Scheme.from_file` reads your own".into(),
        };
        Err(Error::new(ErrorKind::SchemeUnknown, format!("no scheme is called `{}`: {hint}", shown(id))))
    }

    /// The ids of all built-in schemes, in alphabetical order.
    ///
    /// ```
    /// assert!(hookproof::Scheme::names().any(|name| name == "stripe"));
    /// ```
    pub fn names() -> impl Iterator<Item = &'static str> {
        BUILT_IN.iter().map(|(name, _)| *name)
    }

    /// A scheme from JSON text.
    ///
    /// # Errors
    /// [`ErrorKind::SchemeInvalid`], which names the field, its value and what is allowed.
    ///
    /// ```
    /// let error = hookproof::Scheme::from_json(r#"{"id": "acme", "signature": {"algorithm": "hmac-sha3"}}"#).unwrap_err();
    /// assert!(error.message().starts_with("scheme `acme`: `signature.algorithm` is `hmac-sha3`: allowed are `hmac-sha256`"));
    /// ```
    pub fn from_json(text: &str) -> Result<Self, Error> {
        let value = serde_json::from_str(text).map_err(|error| {
            let place = format!("line {}, column {}", error.line(), error.column());
            Error::new(ErrorKind::SchemeInvalid, format!("the scheme is not JSON: {place}"))
        })?;
        Self::from_value(&value)
    }

    /// A scheme from a structure of the same shape as a file.
    ///
    /// # Errors
    /// [`ErrorKind::SchemeInvalid`], which names the field, its value and what is allowed.
    pub fn from_value(value: &Value) -> Result<Self, Error> {
        parse::definition(value).map(|definition| Self(Arc::new(definition)))
    }

    /// A scheme from the text of a TOML file.
    ///
    /// # Errors
    /// [`ErrorKind::SchemeInvalid`], which names the field, its value and what is allowed, or the line that is not TOML.
    #[cfg(feature = "toml")]
    pub fn from_toml(text: &str) -> Result<Self, Error> {
        let value: Value = toml::from_str(text).map_err(|error| {
            let line = error.span().map_or(1, |span| text.get(..span.start).unwrap_or_default().lines().count().max(1));
            Error::new(ErrorKind::SchemeInvalid, format!("line {line} is not TOML: {}", error.message()))
        })?;
        Self::from_value(&value)
    }

    /// The id: part of every dedup key.
    pub fn id(&self) -> &str {
        &self.0.id
    }

    /// The provider's name.
    pub fn title(&self) -> &str {
        &self.0.title
    }

    /// Where the format comes from: a URL, or a document's name.
    pub fn docs(&self) -> &str {
        &self.0.docs
    }

    /// One sentence that a user should know; may be empty.
    pub fn note(&self) -> &str {
        &self.0.note
    }

    /// Where the vectors come from.
    pub fn evidence(&self) -> Evidence {
        self.0.evidence
    }

    /// Whether something of the format is assumed, as the provider's documentation does not say it.
    pub fn is_assumed(&self) -> bool {
        self.0.assumed
    }

    /// How much of a request the signature covers.
    pub fn coverage(&self) -> Coverage {
        self.0.coverage()
    }

    /// Whether the delivery id is covered by the signature: only then is it an identity.
    pub fn id_is_signed(&self) -> bool {
        self.0.id_is_signed()
    }

    /// Whether it is a bare digest, which needs `allow_legacy`.
    pub fn is_legacy(&self) -> bool {
        self.0.is_legacy()
    }

    /// Whether a time is signed, in which a request must arrive.
    pub fn is_timed(&self) -> bool {
        self.0.timestamp.is_some()
    }

    /// What the sender does after a failed attempt, where it is documented.
    pub fn retry(&self) -> Option<&Retry> {
        self.0.retry.as_ref()
    }

    /// How many deliveries one token may bring, where the provider says so.
    pub fn rate_limit(&self) -> Option<RateLimit> {
        self.0.rate_limit
    }

    /// Names of the values that a user must give as `config`.
    pub fn config_names(&self) -> impl Iterator<Item = &str> {
        self.0.config.iter().map(String::as_str)
    }

    /// Whether the provider proves an endpoint with a handshake.
    pub fn has_handshake(&self) -> bool {
        !self.0.handshakes.is_empty()
    }

    /// Whether requests must come with their URL.
    pub fn needs_url(&self) -> bool {
        self.0.needs_url()
    }

    /// The HTTP methods of those handshakes.
    pub fn handshake_methods(&self) -> impl Iterator<Item = &str> {
        self.0.handshakes.iter().map(|handshake| handshake.method.as_str())
    }

    /// Whether secrets are brought to NFKD first, which a host with Unicode tables of its own may do.
    pub fn normalizes(&self) -> bool {
        self.0.signatures.iter().any(|rule| rule.key.nfkd)
    }

    /// The headers that the scheme reads, in the provider's own case.
    pub fn headers(&self) -> &[String] {
        &self.0.slots.spelled
    }

    /// What is wrong or weak in this scheme: see `hookproof scheme lint`.
    pub fn lint(&self) -> Vec<Finding> {
        lint::findings(&self.0)
    }

    /// What somebody who captured one request could still change, one sentence each.
    ///
    /// ```
    /// let sentences = hookproof::Scheme::named("github")?.exposure();
    /// assert!(sentences.iter().any(|sentence| sentence.contains("header x-github-delivery")));
    /// # Ok::<(), hookproof::Error>(())
    /// ```
    pub fn exposure(&self) -> Vec<String> {
        describe::exposure(&self.0)
    }
}

impl fmt::Debug for Scheme {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Scheme({})", self.id())
    }
}

use alloc::{collections::BTreeMap, format, string::String, vec::Vec};
use serde_json::Value;

use crate::{
    Error, ErrorKind,
    scheme::{
        RateLimit,
        definition::Definition,
        fields::{Fields, Problem},
        rate_limit,
        template::What,
    },
    url::Url,
};

/// What identifies a delivery for dedup.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Identity {
    /// The id if the signature covers it, otherwise SHA-256 of the signed body.
    #[default]
    Auto,
    /// The id, whether it is signed or not: for a user who knows why that is safe.
    Id,
    /// SHA-256 of the signed body.
    Body,
}

/// Every option that is data, the same set with the same defaults in every language.
///
/// ```
/// use hookproof::Options;
/// let options = Options { tolerance: Some(60), ..Options::default() };
/// assert_eq!(options.lease_ms, 10_000);
/// assert_eq!(options.max_handler_ms, 15 * 60 * 1000);
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Options {
    /// How old or how far ahead a signed time may be: 1 to 86,400 seconds. Default: the scheme's, mostly 300.
    pub tolerance: Option<u64>,
    /// The most bytes that a body may have. Default: the scheme's, mostly 1 MiB.
    pub max_body: Option<usize>,
    /// The address that the provider calls, where a proxy hides it: an origin, or a whole URL.
    pub public_url: Option<String>,
    /// Values that the scheme needs besides the secret.
    pub config: BTreeMap<String, String>,
    /// Takes a scheme whose signature is a bare digest.
    pub allow_legacy: bool,
    /// What identifies a delivery.
    pub identity: Identity,
    /// The closed list of event types that are expected: an unsigned type then counts towards the identity.
    pub events: Option<Vec<String>>,
    /// How long a dedup key is kept, in seconds. Default: the sender's retry horizon and a margin.
    pub retention: Option<u64>,
    /// How long a claim holds unless it is renewed, in milliseconds.
    pub lease_ms: u64,
    /// How long a handler's claim is renewed, in milliseconds.
    pub max_handler_ms: u64,
    /// Answers 409 when the same identity comes with another body.
    pub conflict: bool,
    /// Answers the provider's handshakes.
    pub handshake: bool,
    /// Says in the error's message why a signature does not match, as far as trying out tells: see
    /// [`Verifier::explain`](crate::Verifier::explain).
    pub explain_failures: bool,
    /// How many deliveries one secret may bring. Default: the scheme's, mostly none.
    pub rate_limit: Option<RateLimit>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            tolerance: None,
            max_body: None,
            public_url: None,
            config: BTreeMap::new(),
            allow_legacy: false,
            identity: Identity::Auto,
            events: None,
            retention: None,
            lease_ms: 10_000,
            max_handler_ms: 15 * 60 * 1000,
            conflict: false,
            handshake: false,
            explain_failures: false,
            rate_limit: None,
        }
    }
}

impl Options {
    /// The names of all options, as they are written in JSON, TOML and Python; JavaScript writes them in camel case.
    pub const NAMES: &[&str] = &[
        "tolerance",
        "max_body",
        "public_url",
        "config",
        "allow_legacy",
        "identity",
        "events",
        "retention",
        "lease",
        "max_handler",
        "conflict",
        "handshake",
        "explain_failures",
        "rate_limit",
    ];

    /// Options from a structure: `lease` and `max_handler` are seconds there, of which a fraction counts.
    ///
    /// # Errors
    /// [`ErrorKind::OptionInvalid`], which names the option, its value and what is allowed.
    ///
    /// ```
    /// use hookproof::Options;
    /// let options = Options::from_value(&serde_json::json!({ "tolerance": 60, "lease": 2.5 }))?;
    /// assert_eq!((options.tolerance, options.lease_ms), (Some(60), 2_500));
    /// let error = Options::from_value(&serde_json::json!({ "tolerence": 60 })).unwrap_err();
    /// assert_eq!(error.to_string(), "`tolerence` is unknown: did you mean `tolerance`?");
    /// # Ok::<(), hookproof::Error>(())
    /// ```
    pub fn from_value(value: &Value) -> Result<Self, Error> {
        let problem = Problem::new(ErrorKind::OptionInvalid);
        let mut fields = Fields::of(&problem, String::new(), value);
        let default = Self::default();
        let identities = [("auto", Identity::Auto), ("id", Identity::Id), ("body", Identity::Body)];
        let closed = fields.has("events");
        let options = Self {
            tolerance: fields.whole("tolerance", 1, 86_400),
            max_body: fields.whole("max_body", 1, 1 << 40).and_then(|bytes| usize::try_from(bytes).ok()),
            public_url: fields.text("public_url").map(String::from),
            config: fields.pairs("config").into_iter().map(|(name, text)| (name.into(), text.into())).collect(),
            allow_legacy: fields.flag("allow_legacy").unwrap_or(false),
            identity: fields.choice("identity", &identities).unwrap_or_default(),
            events: Some(fields.words("events")).filter(|_| closed),
            retention: fields.whole("retention", 1, 366 * 86_400),
            lease_ms: seconds(&mut fields, "lease").unwrap_or(default.lease_ms),
            max_handler_ms: seconds(&mut fields, "max_handler").unwrap_or(default.max_handler_ms),
            conflict: fields.flag("conflict").unwrap_or(false),
            handshake: fields.flag("handshake").unwrap_or(false),
            explain_failures: fields.flag("explain_failures").unwrap_or(false),
            rate_limit: fields.table("rate_limit").map(rate_limit),
        };
        fields.end();
        problem.or(options)
    }

    /// What only the scheme can tell, for a verifier.
    pub(crate) fn check(&self, definition: &Definition) -> Result<(), Error> {
        let wrong = |message: String| Err(Error::new(ErrorKind::OptionInvalid, message));
        if self.tolerance.is_some_and(|tolerance| !(1..=86_400).contains(&tolerance)) {
            return wrong(format!(
                "`tolerance` is `{}`: a whole number of seconds from 1 to 86400 is expected",
                self.tolerance.unwrap_or(0)
            ));
        }
        if let Some(url) = &self.public_url {
            let absolute = Url::new(url).is_absolute() && (url.starts_with("https://") || url.starts_with("http://"));
            if !absolute || Url::new(url).host().is_empty() {
                return wrong(format!(
                    "`public_url` is `{}`: an address such as `https://example.com` is expected",
                    crate::error::shown(url)
                ));
            }
        }
        for name in &definition.config {
            let signed = definition.signatures.iter().any(|rule| {
                rule.content.any(|what| matches!(what, What::Config(used) if used == name))
                    || rule.labels.iter().any(|label| {
                        label.strip_prefix("{config:").and_then(|label| label.strip_suffix('}')) == Some(name)
                    })
            });
            // What only a handshake needs is not asked of a user who answers none.
            if (signed || self.handshake) && !self.config.contains_key(name) {
                return wrong(format!("`config` is without `{name}`, which `{}` needs", definition.id));
            }
        }
        for name in self.config.keys() {
            if !definition.config.contains(name) {
                return wrong(format!(
                    "`config.{}` is unknown: `{}` takes `{}`",
                    crate::error::shown(name),
                    definition.id,
                    definition.config.join("`, `")
                ));
            }
        }
        if definition.is_legacy() && !self.allow_legacy {
            return wrong(format!(
                "`{}` signs with a bare digest, which is weak: `allow_legacy` takes it all the same",
                definition.id
            ));
        }
        if self.identity == Identity::Id && definition.delivery.id.is_empty() {
            return wrong(format!("`identity` is `id`: `{}` has no delivery id", definition.id));
        }
        Ok(())
    }
}

/// Milliseconds from seconds.
fn seconds(fields: &mut Fields<'_>, field: &'static str) -> Option<u64> {
    let seconds = fields.number(field)?;
    let allowed = (0.001..=86_400.0).contains(&seconds);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "at most 86,400,000")]
    let milliseconds = allowed.then_some((seconds * 1000.0) as u64);
    fields.expect(field, milliseconds, "seconds from 0.001 to 86400 are expected")
}

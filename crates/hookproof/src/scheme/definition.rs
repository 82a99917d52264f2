//! A scheme as it is used: every text of the file parsed into what it means.

use alloc::{string::String, vec::Vec};

use super::{
    source::{Slots, Source},
    template::{Template, UrlPart, What},
};
use crate::{digest::Hash, encoding::Encoding, json::Pointer, timestamp::Unit, url::Spelling};

#[derive(Debug, Default)]
pub(crate) struct Definition {
    pub(crate) id: String,
    pub(crate) title: String,
    pub(crate) docs: String,
    pub(crate) note: String,
    pub(crate) evidence: Evidence,
    pub(crate) assumed: bool,
    pub(crate) max_body: usize,
    pub(crate) decoded: bool,
    pub(crate) spellings: Vec<Spelling>,
    pub(crate) config: Vec<String>,
    pub(crate) signatures: Vec<SignatureRule>,
    /// Some rules count only for a content type.
    pub(crate) by_content_type: bool,
    pub(crate) timestamp: Option<TimestampRule>,
    pub(crate) delivery: DeliveryRule,
    pub(crate) retry: Option<Retry>,
    pub(crate) answer: AnswerRule,
    pub(crate) rate_limit: Option<RateLimit>,
    pub(crate) handshakes: Vec<Handshake>,
    pub(crate) slots: Slots,
}

/// Where the vectors of a scheme come from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Evidence {
    /// The provider published them: only such a scheme is called verified.
    Published,
    /// Another project's tests hold them.
    ThirdParty,
    /// They were computed from the provider's document.
    Computed,
    /// There are none.
    #[default]
    None,
}

impl Evidence {
    /// The word for it, as it stands in a scheme file.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Published => "published",
            Self::ThirdParty => "third-party",
            Self::Computed => "computed",
            Self::None => "none",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Algorithm {
    Hmac(Hash),
    Digest(Hash),
    Ed25519,
    EcdsaP256,
    Token,
    Basic,
}

impl Default for Algorithm {
    fn default() -> Self {
        Self::Hmac(Hash::Sha256)
    }
}

impl Algorithm {
    /// Bytes of a signature; `None` where they vary.
    pub(crate) fn size(self, der: bool) -> Option<usize> {
        match self {
            Self::Hmac(hash) | Self::Digest(hash) => Some(hash.size()),
            Self::Ed25519 => Some(64),
            Self::EcdsaP256 if der => None,
            Self::EcdsaP256 => Some(64),
            Self::Token | Self::Basic => None,
        }
    }

    pub(crate) fn is_token(self) -> bool {
        matches!(self, Self::Token | Self::Basic)
    }
}

/// Where signatures stand in a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Carrier {
    /// Headers of which any may match; each is a list of names of which the first present counts.
    Headers(Vec<Vec<usize>>),
    Query(String),
    Path(String),
    Form(String),
    Json(Pointer),
}

#[derive(Debug)]
pub(crate) struct SignatureRule {
    pub(crate) algorithm: Algorithm,
    pub(crate) carrier: Carrier,
    /// Any of them separates; none: there is one bare value.
    pub(crate) separators: Vec<u8>,
    pub(crate) joiner: Option<u8>,
    pub(crate) labels: Vec<String>,
    pub(crate) positions: Vec<Position>,
    pub(crate) prefixes: Vec<String>,
    pub(crate) encoding: Encoding,
    pub(crate) der: bool,
    pub(crate) content: Template,
    pub(crate) content_type: Option<String>,
    pub(crate) body_hash: Option<BodyHash>,
    pub(crate) key: KeyRule,
}

impl SignatureRule {
    pub(crate) fn same_place(&self, other: &Self) -> bool {
        self.carrier == other.carrier && self.separators == other.separators && self.joiner == other.joiner
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Position {
    Timestamp,
    Signature,
    Ignore,
}

#[derive(Debug)]
pub(crate) struct BodyHash {
    pub(crate) from: Source,
    pub(crate) hash: Hash,
    pub(crate) encoding: Encoding,
}

#[derive(Clone, Debug)]
pub(crate) struct KeyRule {
    pub(crate) encoding: KeyEncoding,
    pub(crate) strip: Vec<String>,
    pub(crate) prefix: Option<String>,
    pub(crate) derive: Option<Derive>,
    pub(crate) nfkd: bool,
    pub(crate) min: usize,
    pub(crate) max: usize,
    pub(crate) refuse_prefixes: Vec<String>,
}

impl Default for KeyRule {
    fn default() -> Self {
        Self {
            encoding: KeyEncoding::Utf8,
            strip: Vec::new(),
            prefix: None,
            derive: None,
            nfkd: false,
            min: 1,
            max: 4096,
            refuse_prefixes: Vec::new(),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum KeyEncoding {
    Utf8,
    Coded(Encoding),
    Pem,
    Spki,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Derive {
    pub(crate) hash: Hash,
    pub(crate) hex: bool,
}

#[derive(Debug)]
pub(crate) struct TimestampRule {
    pub(crate) from: Vec<Source>,
    pub(crate) unit: Unit,
    pub(crate) of_event: bool,
    /// Seconds.
    pub(crate) tolerance: u64,
}

#[derive(Debug, Default)]
pub(crate) struct DeliveryRule {
    pub(crate) id: Vec<Source>,
    pub(crate) event_type: Vec<Source>,
    pub(crate) items: Option<Pointer>,
    /// Together they identify an item.
    pub(crate) item_id: Vec<Pointer>,
    /// Different events may have the same body.
    pub(crate) repeats: bool,
    pub(crate) required: Vec<Pointer>,
}

/// What the sender does after a failed attempt.
#[derive(Clone, Debug, PartialEq)]
pub struct Retry {
    /// What it waits before each further attempt, in milliseconds; empty: it does not retry.
    pub delays_ms: Vec<u64>,
    /// A part of the delay, either way: 0.1 is ten percent.
    pub jitter: f64,
    /// How long it waits for an answer, in milliseconds.
    pub timeout_ms: u64,
    /// How long after the first attempt the last may come, in milliseconds, where only that is documented; 0 otherwise.
    pub horizon_ms: u64,
    /// Whether the provider says how it retries at all.
    pub is_documented: bool,
}

impl Retry {
    /// From the first attempt to the end of the last, at the longest, in seconds.
    ///
    /// ```
    /// use hookproof::Scheme;
    /// let retry = Scheme::named("get-a-team")?.retry().cloned().unwrap();
    /// assert_eq!(retry.horizon(), (60 + 300 + 1800 + 7200 + 86_400) + 6 * 30);
    /// # Ok::<(), hookproof::Error>(())
    /// ```
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "durations are below a year each"
    )]
    pub fn horizon(&self) -> u64 {
        let delays = self.delays_ms.iter().fold(0u64, |sum, delay| sum.saturating_add(*delay));
        let attempts = self.delays_ms.len().saturating_add(1) as u64;
        let waiting = (delays as f64 * (1.0 + self.jitter)) as u64;
        waiting.saturating_add(attempts.saturating_mul(self.timeout_ms)).max(self.horizon_ms).div_ceil(1000)
    }
}

#[derive(Debug)]
pub(crate) struct AnswerRule {
    pub(crate) duplicate: u16,
    pub(crate) unauthorized: u16,
}

impl Default for AnswerRule {
    fn default() -> Self {
        Self { duplicate: 200, unauthorized: 401 }
    }
}

/// How many deliveries one token may bring.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateLimit {
    /// Deliveries.
    pub limit: u32,
    /// In this many milliseconds.
    pub per_ms: u64,
}

#[derive(Debug)]
pub(crate) struct Handshake {
    pub(crate) method: String,
    pub(crate) signed: bool,
    /// Sources and the text that each must have; `None`: present.
    pub(crate) when: Vec<(Source, Option<String>)>,
    /// Sources that must equal a configured value.
    pub(crate) equals: Vec<(Source, String)>,
    pub(crate) token: Option<Source>,
    pub(crate) grammar: Grammar,
    pub(crate) mac: Option<HandshakeMac>,
    pub(crate) answer: Template,
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, Template)>,
}

/// What a challenge may look like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Grammar {
    Token,
    Hex,
    Text,
}

impl Grammar {
    pub(crate) fn fits(self, text: &[u8]) -> bool {
        let (most, allowed): (usize, fn(&u8) -> bool) = match self {
            Self::Token => (64, |byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')),
            Self::Hex => (64, |byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')),
            Self::Text => (1024, |byte| {
                (b' '..=b'~').contains(byte) && !matches!(byte, b'<' | b'>' | b'&' | b'"' | b'\'' | b'\\')
            }),
        };
        !text.is_empty() && text.len() <= most && text.iter().all(allowed)
    }
}

#[derive(Debug)]
pub(crate) struct HandshakeMac {
    pub(crate) hash: Hash,
    pub(crate) encoding: Encoding,
    pub(crate) content: Template,
}

/// How much of a request the signature covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Coverage {
    /// Nothing: a token shows who sends, not what was sent.
    None,
    /// A part of the body.
    Partial,
    /// The whole body.
    Body,
}

impl Coverage {
    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Partial => "partial",
            Self::Body => "body",
        }
    }
}

impl SignatureRule {
    pub(crate) fn coverage(&self) -> Coverage {
        if self.algorithm.is_token() {
            return Coverage::None;
        }
        let whole = self.content.any(|what| matches!(what, What::Body | What::FormSorted { .. }));
        let elsewhere = self.body_hash.as_ref().is_some_and(|hash| self.covers(&hash.from));
        if whole || elsewhere {
            Coverage::Body
        } else if self.content.0.is_empty() {
            Coverage::None
        } else {
            Coverage::Partial
        }
    }

    /// Whether the signature covers the value that is read there.
    pub(crate) fn covers(&self, source: &Source) -> bool {
        if self.content.has(&What::Value(source.clone())) {
            return true;
        }
        match source {
            Source::Query(_) => self.content.any(|what| matches!(what, What::Url(UrlPart::Whole | UrlPart::Target))),
            Source::Form(_) | Source::Json(_) => {
                !self.algorithm.is_token()
                    && self.content.any(|what| matches!(what, What::Body | What::FormSorted { .. }))
            }
            Source::Header(_) | Source::Label(_) | Source::Position(_) => false,
        }
    }
}

impl Definition {
    pub(crate) fn coverage(&self) -> Coverage {
        self.signatures.iter().map(SignatureRule::coverage).min().unwrap_or(Coverage::None)
    }

    /// Whether the delivery id is covered by every signature that may authenticate a request.
    pub(crate) fn id_is_signed(&self) -> bool {
        let id = &self.delivery.id;
        !id.is_empty()
            && self.signatures.iter().all(|rule| {
                rule.content.has(&What::Id)
                    || (rule.coverage() == Coverage::Body
                        && id.iter().all(|source| matches!(source, Source::Json(_) | Source::Form(_))))
                    || id.iter().all(|source| rule.covers(source))
            })
    }

    /// Whether the signed content holds the id in its own place, so that a request without it cannot verify.
    pub(crate) fn id_is_content(&self) -> bool {
        self.signatures.iter().any(|rule| {
            rule.content.has(&What::Id) || self.delivery.id.iter().any(|id| rule.content.has(&What::Value(id.clone())))
        })
    }

    pub(crate) fn is_legacy(&self) -> bool {
        self.signatures.iter().any(|rule| matches!(rule.algorithm, Algorithm::Digest(_)))
    }

    /// Whether anything of the request's URL is signed, or carries the signature.
    pub(crate) fn needs_url(&self) -> bool {
        self.signatures.iter().any(|rule| {
            rule.content.any(|what| matches!(what, What::Url(_) | What::Value(Source::Query(_))))
                || matches!(rule.carrier, Carrier::Query(_) | Carrier::Path(_))
        })
    }

    /// Whether anything of the request's URL is looked at, be it signed or not.
    pub(crate) fn reads_url(&self, handshake: bool) -> bool {
        let mut sources = self.timestamp.iter().flat_map(|rule| &rule.from);
        let mut hashes = self.signatures.iter().filter_map(|rule| rule.body_hash.as_ref().map(|hash| &hash.from));
        let mut named = self.delivery.id.iter().chain(&self.delivery.event_type);
        let in_query = |source: &Source| matches!(source, Source::Query(_));
        self.needs_url()
            || (handshake && !self.handshakes.is_empty())
            || sources.any(in_query)
            || hashes.any(in_query)
            || named.any(in_query)
    }

    /// The fewest seconds that a dedup key must be kept: nothing else stops a replay for that long.
    pub(crate) fn least_retention(&self, tolerance: u64, lease: u64) -> u64 {
        if self.timestamp.is_some() { tolerance.saturating_mul(2).saturating_add(lease) } else { 24 * 3600 }
    }

    /// How long a dedup key is kept unless the user says otherwise, in seconds.
    pub(crate) fn default_retention(&self, tolerance: u64, lease: u64) -> u64 {
        let week = 7 * 24 * 3600;
        let horizon = match &self.retry {
            // The margin covers the clock of the sender and an attempt that is started late.
            Some(retry) if self.timestamp.is_some() && retry.is_documented => retry.horizon().saturating_add(3600),
            Some(retry) => retry.horizon().saturating_add(3600).max(week),
            None => week,
        };
        horizon.max(self.least_retention(tolerance, lease))
    }
}

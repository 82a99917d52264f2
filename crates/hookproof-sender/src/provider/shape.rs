//! The shape of a provider file.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::error::shown;
use crate::{Delays, Error, GiveUp, RateLimit, Span, StatusRules};

/// How one provider sends: its envelope, headers, event types, retries, and what it does when it gives up.
///
/// How it signs is not here: that is the scheme of the same name, which the receiver verifies with too.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Provider {
    /// The id of the scheme that signs, and the provider's own.
    pub scheme: String,
    /// The document that all of this is taken from.
    pub document: String,
    /// What the document does not say and is decided here.
    pub assumed: Vec<String>,
    /// The body.
    pub envelope: Envelope,
    /// What a new id looks like.
    pub id: IdForm,
    /// The headers.
    pub wire: Wire,
    /// What a new secret looks like.
    pub secret: SecretForm,
    /// The retries.
    pub retry: Retry,
    /// What certain statuses mean.
    pub statuses: StatusRules,
    /// What happens after the last failure.
    pub after: After,
    /// The test event.
    pub test: Test,
    /// How many attempts one endpoint is given in a while.
    #[serde(default)]
    pub rate_limit: Option<RateLimit>,
    /// Every type of event that there is.
    pub events: Vec<Event>,
}

/// The fields of the body, in order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Envelope {
    /// The fields.
    pub fields: Vec<Field>,
    /// Values that a user may set, with their defaults.
    pub settings: BTreeMap<String, String>,
}

/// One field of the body.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Field {
    /// Its name.
    pub name: String,
    /// What stands in it.
    pub value: FieldValue,
}

/// What stands in a field of the body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FieldValue {
    /// `id`: the message's id.
    Id,
    /// `type`: the event type.
    Type,
    /// `time`: when the event was published, RFC 3339.
    Time,
    /// `data`: the event's data.
    Data,
    /// `data:NAME`: one member of the event's data; the field is left out where it is absent.
    Member(String),
    /// `setting:NAME`: a value that the user may set.
    Setting(String),
}

impl std::str::FromStr for FieldValue {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        Ok(match (text, text.split_once(':')) {
            ("id", _) => Self::Id,
            ("type", _) => Self::Type,
            ("time", _) => Self::Time,
            ("data", _) => Self::Data,
            (_, Some(("data", name))) => Self::Member(name.to_owned()),
            (_, Some(("setting", name))) => Self::Setting(name.to_owned()),
            _ => {
                return Err(Error::invalid(format!(
                    "`{}` is no value of a field: use id, type, time, data, data:NAME or setting:NAME",
                    shown(text)
                )));
            }
        })
    }
}

impl std::fmt::Display for FieldValue {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Id => formatter.write_str("id"),
            Self::Type => formatter.write_str("type"),
            Self::Time => formatter.write_str("time"),
            Self::Data => formatter.write_str("data"),
            Self::Member(name) => write!(formatter, "data:{name}"),
            Self::Setting(name) => write!(formatter, "setting:{name}"),
        }
    }
}

impl<'de> Deserialize<'de> for FieldValue {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

impl Serialize for FieldValue {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// What a message's id looks like: a prefix and so many random characters.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IdForm {
    /// What stands in front.
    pub prefix: String,
    /// The characters that are drawn from.
    pub alphabet: Alphabet,
    /// How many are drawn.
    pub length: usize,
}

/// Characters that ids and tokens are made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Alphabet {
    /// Digits and both cases of letters.
    Base62,
    /// Lower-case hexadecimal digits.
    Hex,
}

impl Alphabet {
    /// `length` characters, one for each random byte; a few characters are likelier by a 256th.
    pub fn text(self, random: &[u8]) -> String {
        let characters: &[u8] = match self {
            Self::Base62 => b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz",
            Self::Hex => b"0123456789abcdef",
        };
        random
            .iter()
            .filter_map(|byte| characters.get(usize::from(*byte) % characters.len()))
            .map(|byte| char::from(*byte))
            .collect()
    }
}

/// The headers of a delivery, in the document's case and order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wire {
    /// The headers.
    pub headers: Vec<HeaderField>,
    /// Which secrets sign while two of them count.
    pub several_secrets: SeveralSecrets,
}

/// One header of a delivery.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HeaderField {
    /// Its name, in the case that goes on the wire.
    pub name: String,
    /// Its value: a text with `{id}` and `{type}`, or `{signed}` where the scheme gives it.
    pub value: String,
}

/// Which secrets sign while a rotation overlaps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SeveralSecrets {
    /// The newest alone: the header has room for one signature.
    Newest,
    /// All of them: the header is a list.
    All,
}

/// What a new secret looks like.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SecretForm {
    /// What stands in front.
    pub prefix: String,
    /// How the random bytes are written.
    pub encoding: SecretEncoding,
    /// How many random bytes there are.
    pub bytes: usize,
}

/// How the random bytes of a secret are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SecretEncoding {
    /// Lower-case hexadecimal digits, two for a byte.
    Hex,
    /// Standard base64 with padding.
    Base64,
    /// One letter or digit for a byte.
    Base62,
}

/// When failed deliveries are tried again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Retry {
    /// What the provider offers, its default first.
    pub strategies: Vec<Delays>,
    /// See [`RetryPolicy::jitter`](crate::RetryPolicy::jitter).
    pub jitter: f64,
    /// See [`Policy::timeout`](crate::Policy::timeout).
    pub timeout: Span,
}

/// What happens after the last failure.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct After {
    /// To the delivery and its endpoint.
    pub give_up: GiveUp,
    /// The same for people, in one line.
    pub says: String,
}

/// The test event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Test {
    /// Its type.
    #[serde(rename = "type")]
    pub event_type: String,
}

/// One type of event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Event {
    /// The name of the type.
    #[serde(rename = "type")]
    pub event_type: String,
    /// When it is sent, in the document's words.
    pub description: String,
    /// Data as JSON text: the document's own example where there is one.
    pub sample: String,
}

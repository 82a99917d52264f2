//! What a provider sends, when and how often: one data file each, all of the same shape.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{
    Delays, Error, GiveUp, Policy, RateLimit, RetryPolicy, Span, StatusRules, error::shown, instant::rfc3339, json_text,
};

macro_rules! built_in {
    ($($id:literal),* $(,)?) => {
        const FILES: &[(&str, &str)] = &[$(($id, include_str!(concat!("../providers/", $id, ".toml"))),)*];
    };
}

built_in!["get-a-team", "g-tateth", "ai-teammate", "my-gpt-assistants", "agentbot", "standard-webhooks"];

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
    /// See [`RetryPolicy::jitter`].
    pub jitter: f64,
    /// See [`Policy::timeout`].
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

impl Provider {
    /// The built-in provider with this id.
    ///
    /// # Errors
    /// If there is none: the message lists those that there are.
    pub fn named(id: &str) -> Result<Self, Error> {
        let (_, text) = FILES.iter().find(|(known, _)| *known == id).ok_or_else(|| {
            Error::invalid(format!(
                "no provider is called `{}`: there are {}",
                shown(id),
                Self::names().collect::<Vec<_>>().join(", ")
            ))
        })?;
        Self::from_toml(text)
    }

    /// The ids of the built-in providers.
    pub fn names() -> impl Iterator<Item = &'static str> {
        FILES.iter().map(|(id, _)| *id)
    }

    /// A provider of one's own, in the shape of the built-in files.
    ///
    /// # Errors
    /// If a field is unknown, missing or of the wrong form, if no event is listed, or if a sample is not JSON.
    pub fn from_toml(text: &str) -> Result<Self, Error> {
        let provider: Self = toml::from_str(text)
            .map_err(|error| Error::invalid(format!("this is no provider file: {}", error.message())))?;
        for event in &provider.events {
            let sample: Value = serde_json::from_str(&event.sample).map_err(|error| {
                Error::invalid(format!("the sample of `{}` is not JSON: {error}", event.event_type))
            })?;
            if json_text::print(&sample) != event.sample {
                return Err(Error::invalid(format!(
                    "the sample of `{}` is not what JSON.stringify prints",
                    event.event_type
                )));
            }
        }
        provider.event(&provider.test.event_type)?;
        if provider.retry.strategies.is_empty() {
            return Err(Error::invalid(
                "`retry.strategies` is empty: a table without delays says that nothing is retried",
            ));
        }
        Ok(provider)
    }

    /// The event type of this name.
    ///
    /// # Errors
    /// If the provider does not send it: the message lists what it sends.
    pub fn event(&self, event_type: &str) -> Result<&Event, Error> {
        self.events.iter().find(|event| event.event_type == event_type).ok_or_else(|| {
            let known: Vec<_> = self.events.iter().map(|event| event.event_type.as_str()).collect();
            Error::invalid(format!("{} sends no `{}`: it sends {}", self.scheme, shown(event_type), known.join(", ")))
        })
    }

    /// Whether it signs at all; where it does not, the secret is the token in the URL.
    pub fn signs(&self) -> bool {
        self.wire.headers.iter().any(|field| field.value == "{signed}")
    }

    /// The rules for the state machine, with the provider's default retries.
    pub fn policy(&self) -> Policy {
        let delays = self.retry.strategies.first().cloned().unwrap_or(Delays::Table { delays: Vec::new() });
        Policy {
            retry: RetryPolicy { delays, jitter: self.retry.jitter },
            timeout: self.retry.timeout,
            statuses: self.statuses.clone(),
            give_up: self.after.give_up,
            rate_limit: self.rate_limit,
        }
    }

    /// The rules with another strategy of the provider's: `linear` instead of `exponential`.
    ///
    /// # Errors
    /// If the provider does not offer it.
    pub fn policy_with(&self, strategy: &str) -> Result<Policy, Error> {
        let delays =
            self.retry.strategies.iter().find(|delays| delays.name() == strategy).cloned().ok_or_else(|| {
                let offered: Vec<_> = self.retry.strategies.iter().map(Delays::name).collect();
                Error::invalid(format!(
                    "{} offers no strategy `{}`: it offers {}",
                    self.scheme,
                    shown(strategy),
                    offered.join(", ")
                ))
            })?;
        let mut policy = self.policy();
        policy.retry.delays = delays;
        Ok(policy)
    }

    /// A new id, from [`IdForm::length`] random bytes or more.
    pub fn new_id(&self, random: &[u8]) -> String {
        let used = random.get(..self.id.length).unwrap_or(random);
        format!("{}{}", self.id.prefix, self.id.alphabet.text(used))
    }

    /// The body of an event: compact JSON that survives `JSON.parse` and `JSON.stringify` unchanged.
    ///
    /// `data` is the sample if none is given; `published` is in Unix milliseconds.
    ///
    /// # Errors
    /// If the provider does not send this type, or a setting is unknown.
    pub fn body(
        &self,
        event_type: &str,
        data: Option<&Value>,
        id: &str,
        published: u64,
        settings: &BTreeMap<String, String>,
    ) -> Result<Vec<u8>, Error> {
        if let Some(unknown) = settings.keys().find(|name| !self.envelope.settings.contains_key(*name)) {
            return Err(Error::invalid(format!("{} has no setting `{}`", self.scheme, shown(unknown))));
        }
        let event = self.event(event_type)?;
        let sample;
        let data = if let Some(data) = data {
            data
        } else {
            sample = serde_json::from_str(&event.sample).map_err(|error| Error::invalid(error.to_string()))?;
            &sample
        };
        let mut fields = Map::new();
        for field in &self.envelope.fields {
            let value = match &field.value {
                FieldValue::Id => id.into(),
                FieldValue::Type => event_type.into(),
                FieldValue::Time => rfc3339(published).into(),
                FieldValue::Data => data.clone(),
                FieldValue::Member(name) => match data.get(name) {
                    Some(value) => value.clone(),
                    None => continue,
                },
                FieldValue::Setting(name) => settings
                    .get(name)
                    .or_else(|| self.envelope.settings.get(name))
                    .map_or(Value::Null, |value| value.as_str().into()),
            };
            fields.insert(field.name.clone(), value);
        }
        Ok(json_text::print(&Value::Object(fields)).into_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_is_read_and_named_after_its_scheme() {
        for id in Provider::names() {
            assert_eq!(Provider::named(id).unwrap().scheme, id);
        }
    }

    #[test]
    fn bodies_are_the_documents_examples() {
        let body = |id: &str, event_type: &str, message: &str, published: u64| {
            String::from_utf8(
                Provider::named(id).unwrap().body(event_type, None, message, published, &BTreeMap::new()).unwrap(),
            )
            .unwrap()
        };
        assert_eq!(
            body("get-a-team", "message.created", "evt_abc123", 1_705_314_600_000),
            r#"{"id":"evt_abc123","type":"message.created","created_at":"2024-01-15T10:30:00Z","data":{"conversation_id":"conv_123","message":{"id":"msg_456","content":"Hello!","role":"user"}}}"#
        );
        assert_eq!(
            body("my-gpt-assistants", "conversation.created", "evt_abc123", 1_705_314_600_000),
            r#"{"id":"evt_abc123","type":"conversation.created","timestamp":"2024-01-15T10:30:00Z","data":{"conversationId":"conv_123456","botId":"bot_789","metadata":{}}}"#
        );
        assert_eq!(
            body("agentbot", "message.created", "unused", 1_779_021_296_000),
            r#"{"event":"message.created","timestamp":"2026-05-17T12:34:56Z","site_id":"site_abc","data":{"conversation_id":"conv_xyz","message_id":"msg_123","sender_type":"visitor","body":"Hi, what's your pricing?","visitor_email":null,"visitor_name":null}}"#
        );
        assert_eq!(
            body("ai-teammate", "message", "unused", 0),
            r#"{"message":"Summarize today's sales report","user_id":"external-user-123"}"#
        );
        assert_eq!(
            body("g-tateth", "call.answered", "evt_1", 0),
            r#"{"id":"evt_1","type":"call.answered","timestamp":"1970-01-01T00:00:00Z","data":{"call_id":"call_987","agent_id":"agt_789"}}"#
        );
    }

    #[test]
    fn event_types_are_the_documents() {
        let types = |id: &str| {
            Provider::named(id).unwrap().events.into_iter().map(|event| event.event_type).collect::<Vec<_>>()
        };
        assert_eq!(
            types("get-a-team"),
            [
                "conversation.created",
                "conversation.closed",
                "message.created",
                "employee.created",
                "employee.updated",
                "employee.deleted"
            ]
        );
        assert_eq!(
            types("g-tateth"),
            [
                "conversation.created",
                "conversation.updated",
                "conversation.assigned",
                "conversation.closed",
                "customer.created",
                "customer.updated",
                "message.sent",
                "message.received",
                "user.created",
                "call.initiated",
                "call.ringing",
                "call.answered",
                "call.completed",
                "call.failed",
                "call.recording.available"
            ]
        );
        assert_eq!(
            types("my-gpt-assistants"),
            [
                "conversation.created",
                "conversation.updated",
                "conversation.completed",
                "message.created",
                "message.updated",
                "message.deleted",
                "bot.updated",
                "bot.published",
                "bot.disabled"
            ]
        );
        assert_eq!(
            types("agentbot"),
            [
                "conversation.created",
                "conversation.closed",
                "message.created",
                "conversation.needs_human",
                "ticket.created",
                "ticket.updated"
            ]
        );
    }

    #[test]
    fn tables_are_those_of_the_specification() {
        let starts =
            |policy: Policy| policy.retry.starts().iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
        let default = |id: &str| starts(Provider::named(id).unwrap().policy());
        assert_eq!(default("get-a-team"), "0s 1m 6m 36m 2h36m 26h36m");
        assert_eq!(default("g-tateth"), "0s 2s 6s 14s");
        assert_eq!(starts(Provider::named("g-tateth").unwrap().policy_with("linear").unwrap()), "0s 5s 15s 30s");
        assert_eq!(default("ai-teammate"), "0s 1s 3s 7s 15s 31s");
        assert_eq!(default("my-gpt-assistants"), "0s 5m 35m 2h35m 10h35m");
        assert_eq!(default("agentbot"), "0s 1m 6m 36m 3h36m");
        assert_eq!(
            default("standard-webhooks"),
            "0s 5s 5m5s 35m5s 2h35m5s 7h35m5s 17h35m5s 31h35m5s 51h35m5s 75h35m5s"
        );
    }

    #[test]
    fn unknown_names_are_named() {
        assert!(Provider::named("get-a-tem").unwrap_err().to_string().contains("`get-a-tem`"));
        let provider = Provider::named("agentbot").unwrap();
        assert!(
            provider
                .event("message.deleted")
                .unwrap_err()
                .to_string()
                .starts_with("agentbot sends no `message.deleted`")
        );
        assert!(provider.policy_with("linear").is_err());
        let settings = BTreeMap::from([("tenant".to_owned(), "x".to_owned())]);
        assert!(provider.body("message.created", None, "x", 0, &settings).is_err());
    }
}

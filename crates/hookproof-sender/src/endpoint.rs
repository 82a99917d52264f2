//! Who is sent what: an endpoint and the messages for it.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::transport::Target;
use crate::{Error, Policy, Provider, SecretRing, random};

/// Where a provider sends to, what it sends there, and with which secrets.
#[derive(Clone, Debug)]
pub struct Endpoint {
    /// The provider that sends.
    pub provider: Provider,
    /// Its rules, which a user may have configured.
    pub policy: Policy,
    /// Where it sends to.
    pub target: Target,
    /// What it signs with.
    pub secrets: SecretRing,
    /// The event types that are sent; `None`: all of them.
    pub subscribed: Option<BTreeSet<String>>,
    /// See [`Envelope::settings`](crate::provider::Envelope::settings).
    pub settings: BTreeMap<String, String>,
}

/// What is sent: the same bytes and the same id in every attempt.
#[derive(Clone, PartialEq, Eq)]
pub struct Message {
    /// The id, in a header or in the body, as the provider has it.
    pub id: String,
    /// The event type.
    pub event_type: String,
    /// The body.
    pub body: Vec<u8>,
}

impl std::fmt::Debug for Message {
    /// Without the body: it is a customer's.
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Message")
            .field("id", &self.id)
            .field("event_type", &self.event_type)
            .field("body_bytes", &self.body.len())
            .finish()
    }
}

impl Endpoint {
    /// An endpoint that is sent every event, by the provider's default rules.
    pub fn new(provider: Provider, target: Target, secrets: SecretRing) -> Self {
        let policy = provider.policy();
        Self { provider, policy, target, secrets, subscribed: None, settings: BTreeMap::new() }
    }

    /// An endpoint of a provider that signs nothing: the secret is the token in the URL.
    ///
    /// # Errors
    /// If the URL holds no token.
    pub fn with_token(provider: Provider, target: Target) -> Result<Self, Error> {
        let token = crate::ai_teammate::token(target.path())?;
        Ok(Self::new(provider, target, SecretRing::new(token)))
    }

    /// The URL for people and logs: a token in it is shown as its prefix.
    pub fn shown_url(&self) -> String {
        self.secrets.redact(self.target.url())
    }

    /// Whether events of this type are sent.
    ///
    /// # Errors
    /// If the provider has no such type at all.
    pub fn wants(&self, event_type: &str) -> Result<bool, Error> {
        self.provider.event(event_type)?;
        Ok(self.subscribed.as_ref().is_none_or(|types| types.contains(event_type)))
    }

    /// A new message with a new id. `data` is the built-in sample if none is given; `published` is in Unix milliseconds.
    ///
    /// # Errors
    /// If the provider has no such type, or a setting is unknown.
    pub fn message(&self, event_type: &str, data: Option<&Value>, published: u64) -> Result<Message, Error> {
        let id = self.new_id()?;
        let body = self.provider.body(event_type, data, &id, published, &self.settings)?;
        Ok(Message { id, event_type: event_type.to_owned(), body })
    }

    /// A message whose body is given: bytes that no provider would write, to see what a receiver does with them.
    ///
    /// # Errors
    /// If the system has no random numbers.
    pub fn raw_message(&self, event_type: &str, body: Vec<u8>) -> Result<Message, Error> {
        Ok(Message { id: self.new_id()?, event_type: event_type.to_owned(), body })
    }

    /// A fresh id in the provider's form.
    ///
    /// # Errors
    /// If the system has no random numbers.
    pub fn new_id(&self) -> Result<String, Error> {
        Ok(self.provider.new_id(&random::bytes(self.provider.id.length)?))
    }
}

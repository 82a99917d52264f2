//! What a provider sends, when and how often: one data file each, all of the same shape.

mod shape;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use serde_json::{Map, Value};

pub use shape::{
    After, Alphabet, Envelope, Event, Field, FieldValue, HeaderField, IdForm, Provider, Retry, SecretEncoding,
    SecretForm, SeveralSecrets, Test, Wire,
};

use crate::{Delays, Error, Policy, RetryPolicy, error::shown, instant::rfc3339, json_text};

macro_rules! built_in {
    ($($id:literal),* $(,)?) => {
        const FILES: &[(&str, &str)] = &[$(($id, include_str!(concat!("../../providers/", $id, ".toml"))),)*];
    };
}

built_in!["get-a-team", "g-tateth", "ai-teammate", "my-gpt-assistants", "agentbot", "standard-webhooks"];

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

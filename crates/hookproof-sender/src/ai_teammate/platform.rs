//! The service, without HTTP: webhooks, tokens, credits and limits. Time and random numbers are arguments.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use hookproof::{ErrorKind, Request, Scheme, Secret, Verifier};

use super::PATH;
use crate::rate_limit::Window;
use crate::{Error, Provider, RateLimit, SigningSecret, Span, rfc3339};

/// A webhook's id: `wh_...`.
pub type WebhookId = String;

/// The service's state.
#[derive(Debug)]
pub struct Platform {
    webhooks: BTreeMap<WebhookId, Webhook>,
    credits: u64,
    base: String,
    counter: u64,
}

#[derive(Debug)]
struct Webhook {
    agent_id: String,
    name: String,
    outgoing_url: Option<String>,
    token_prefix: String,
    /// What the SDK verifies a message with. It holds the only copy of the token.
    verifier: Verifier,
    is_active: bool,
    created_at: u64,
    last_used_at: Option<u64>,
    window: Window,
}

/// What is answered when a webhook is made or its token is drawn anew: the only time that the token is shown.
#[derive(Clone, Serialize)]
#[expect(missing_docs, reason = "the fields are the document's")]
pub struct Created {
    pub id: WebhookId,
    pub agent_id: String,
    pub name: String,
    pub token: String,
    pub webhook_url: String,
    pub is_active: bool,
    pub created_at: String,
}

/// A webhook in a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[expect(missing_docs, reason = "the fields are the document's")]
pub struct Listed {
    pub id: WebhookId,
    pub name: String,
    pub token_prefix: String,
    pub is_active: bool,
    pub created_at: String,
    pub last_used_at: Option<String>,
}

/// What may be changed of a webhook.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Change {
    /// A new name.
    pub name: Option<String>,
    /// A new address for callbacks; `null` ends them.
    #[serde(default, deserialize_with = "given")]
    pub outgoing_url: Option<Option<String>>,
    /// Whether it takes messages.
    pub is_active: Option<bool>,
}

/// A field that is there, and `null` perhaps, is something else than one that is not there.
fn given<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Option<String>>, D::Error> {
    Option::<String>::deserialize(deserializer).map(Some)
}

/// What goes to a webhook's outgoing URL once a message is answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Callback {
    /// Where to.
    pub url: String,
    /// The body, JSON.
    pub body: String,
}

/// Why a message is not answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// 400: no `message`, or the body is not JSON.
    MessageMissing,
    /// 402: the owner has no credits.
    NoCredits,
    /// 404: the token is unknown, or its webhook inactive. The two look alike.
    UnknownToken,
    /// 429: more than ten messages in a minute.
    RateLimited,
}

impl Refused {
    /// The status that says so.
    pub const fn status(self) -> u16 {
        match self {
            Self::MessageMissing => 400,
            Self::NoCredits => 402,
            Self::UnknownToken => 404,
            Self::RateLimited => 429,
        }
    }

    /// The document's words for it.
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::MessageMissing => "Missing message field",
            Self::NoCredits => "Insufficient credits",
            Self::UnknownToken => "Invalid token",
            Self::RateLimited => "Rate limited",
        }
    }
}

const LIMIT: RateLimit = RateLimit { limit: 10, per: Span::of_seconds(60) };

#[derive(Deserialize)]
struct Incoming {
    message: String,
    #[serde(default)]
    user_id: Option<String>,
}

#[derive(Serialize)]
struct Outgoing<'a> {
    response: &'a str,
    conversation_id: &'a str,
    credits_used: u64,
}

#[derive(Serialize)]
struct CallbackBody<'a> {
    webhook_id: &'a str,
    conversation_id: &'a str,
    user_id: Option<&'a str>,
    message: &'a str,
    response: &'a str,
    credits_used: u64,
}

impl Platform {
    /// A service under this base URL, whose one owner has so many credits.
    pub fn new(base: &str, credits: u64) -> Self {
        Self { webhooks: BTreeMap::new(), credits, base: base.trim_end_matches('/').to_owned(), counter: 0 }
    }

    /// What the owner has left.
    pub const fn credits(&self) -> u64 {
        self.credits
    }

    /// Adds to what the owner has.
    pub const fn top_up(&mut self, credits: u64) {
        self.credits = self.credits.saturating_add(credits);
    }

    /// Makes a webhook. `now` is in Unix milliseconds.
    ///
    /// # Errors
    /// If the system has no random numbers.
    pub fn create(
        &mut self,
        agent_id: &str,
        name: &str,
        outgoing_url: Option<String>,
        now: u64,
    ) -> Result<Created, Error> {
        let token = fresh_token()?;
        self.counter += 1;
        let id = format!("wh_{:06x}", self.counter);
        let webhook = Webhook {
            agent_id: agent_id.to_owned(),
            name: name.to_owned(),
            outgoing_url,
            token_prefix: prefix(&token),
            verifier: verifier(&token)?,
            is_active: true,
            created_at: now,
            last_used_at: None,
            window: Window::default(),
        };
        let created = self.created(&id, &webhook, &token);
        self.webhooks.insert(id, webhook);
        Ok(created)
    }

    /// The webhooks of an agent, in the order in which they were made.
    pub fn list(&self, agent_id: &str) -> Vec<Listed> {
        self.webhooks
            .iter()
            .filter(|(_, webhook)| webhook.agent_id == agent_id)
            .map(|(id, webhook)| listed(id, webhook))
            .collect()
    }

    /// Changes a webhook; `None` if there is none of that id.
    pub fn update(&mut self, id: &str, change: Change) -> Option<Listed> {
        let webhook = self.webhooks.get_mut(id)?;
        if let Some(name) = change.name {
            webhook.name = name;
        }
        if let Some(outgoing_url) = change.outgoing_url {
            webhook.outgoing_url = outgoing_url;
        }
        if let Some(is_active) = change.is_active {
            webhook.is_active = is_active;
        }
        Some(listed(id, webhook))
    }

    /// Deletes a webhook; says whether there was one.
    pub fn delete(&mut self, id: &str) -> bool {
        self.webhooks.remove(id).is_some()
    }

    /// Draws a new token. The old one is unknown from this moment on. `None` if there is no such webhook.
    ///
    /// # Errors
    /// If the system has no random numbers.
    pub fn regenerate(&mut self, id: &str) -> Result<Option<Created>, Error> {
        let token = fresh_token()?;
        let Some(webhook) = self.webhooks.get_mut(id) else { return Ok(None) };
        webhook.verifier = verifier(&token)?;
        webhook.token_prefix = prefix(&token);
        Ok(self.webhooks.get(id).map(|webhook| self.created(id, webhook, &token)))
    }

    /// Takes a message at `/api/webhook/<token>`: the answer's JSON, and what is to be called back.
    ///
    /// The agent repeats what it was told. A token is taken to be four bytes of text.
    ///
    /// # Errors
    /// [`Refused`].
    pub fn message(&mut self, token: &str, body: &[u8], now: u64) -> Result<(String, Option<Callback>), Refused> {
        let path = format!("{PATH}{token}");
        let headers: [(&str, &str); 0] = [];
        let request = Request::new(&headers, body).method("POST").url(&path);
        let seconds = i64::try_from(now / 1_000).unwrap_or(i64::MAX);
        // All of them are asked, so that the time does not tell which webhook was meant.
        let mut found = Err(Refused::UnknownToken);
        for (id, webhook) in &mut self.webhooks {
            let verdict = webhook.verifier.verify(&request, seconds).map(drop);
            match verdict.map_err(|error| error.kind()) {
                Ok(()) if webhook.is_active => found = Ok((id.clone(), webhook)),
                Err(ErrorKind::FieldMissing | ErrorKind::BodyMalformed) if webhook.is_active => {
                    found = Err(Refused::MessageMissing)
                }
                _ => {}
            }
        }
        let (id, webhook) = found?;
        let incoming: Incoming = serde_json::from_slice(body).map_err(|_| Refused::MessageMissing)?;
        if incoming.message.is_empty() {
            return Err(Refused::MessageMissing);
        }
        if webhook.window.next(LIMIT, now) > now {
            return Err(Refused::RateLimited);
        }
        webhook.window.count(now);
        if self.credits == 0 {
            return Err(Refused::NoCredits);
        }
        webhook.last_used_at = Some(now);
        self.counter += 1;
        let response = format!("You said: {}", incoming.message);
        let conversation_id = format!("conv_{:06x}", self.counter);
        let credits_used = cost(tokens(&incoming.message), tokens(&response));
        self.credits = self.credits.saturating_sub(credits_used);
        let callback = webhook.outgoing_url.clone().map(|url| Callback {
            url,
            body: json(&CallbackBody {
                webhook_id: &id,
                conversation_id: &conversation_id,
                user_id: incoming.user_id.as_deref(),
                message: &incoming.message,
                response: &response,
                credits_used,
            }),
        });
        Ok((json(&Outgoing { response: &response, conversation_id: &conversation_id, credits_used }), callback))
    }

    fn created(&self, id: &str, webhook: &Webhook, token: &SigningSecret) -> Created {
        Created {
            id: id.to_owned(),
            agent_id: webhook.agent_id.clone(),
            name: webhook.name.clone(),
            token: token.reveal().to_owned(),
            webhook_url: format!("{}{PATH}{}", self.base, token.reveal()),
            is_active: webhook.is_active,
            created_at: rfc3339(webhook.created_at),
        }
    }
}

/// What a message costs: a hundredth of the tokens, where those of the answer count three times; rounded up, at least 1.
///
/// ```
/// use hookproof_sender::ai_teammate::cost;
/// assert_eq!((cost(0, 0), cost(100, 0), cost(101, 0), cost(50, 50)), (1, 1, 2, 2));
/// ```
pub const fn cost(input_tokens: u64, output_tokens: u64) -> u64 {
    let weighted = input_tokens.saturating_add(output_tokens.saturating_mul(3));
    let credits = weighted.div_ceil(100);
    if credits == 0 { 1 } else { credits }
}

fn tokens(text: &str) -> u64 {
    u64::try_from(text.len().div_ceil(4)).unwrap_or(u64::MAX)
}

fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

fn fresh_token() -> Result<SigningSecret, Error> {
    SigningSecret::fresh(&Provider::named("ai-teammate")?.secret)
}

fn verifier(token: &SigningSecret) -> Result<Verifier, Error> {
    let build = || Verifier::new(Scheme::named("ai-teammate")?, Secret::new(token.reveal())?);
    build().map_err(|error: hookproof::Error| Error::invalid(error.to_string()))
}

/// `whk_xxxx...`, as the document shows it.
fn prefix(token: &SigningSecret) -> String {
    token.reveal().chars().take(8).chain("...".chars()).collect()
}

fn listed(id: &str, webhook: &Webhook) -> Listed {
    Listed {
        id: id.to_owned(),
        name: webhook.name.clone(),
        token_prefix: webhook.token_prefix.clone(),
        is_active: webhook.is_active,
        created_at: rfc3339(webhook.created_at),
        last_used_at: webhook.last_used_at.map(rfc3339),
    }
}

//! What every receiver has to survive, played over real HTTP against one of them.

use std::time::Duration;

use serde::Serialize;
use serde_json::{Value, json};

use hookproof::Scheme;

use crate::endpoint::{Endpoint, Message};
use crate::transport::{Request, Transport};
use crate::{
    Clock, Driver, Error, Fault, Provider, Randomness, SecretRing, SignedTime, SigningSecret, fault, signing, wall_now,
};

/// A receiver under test.
#[derive(Clone, Debug)]
pub struct Subject {
    /// The provider that is played.
    pub provider: String,
    /// The secret that the receiver knows.
    pub secret: SigningSecret,
    /// Another one that it still knows: it was rotated out.
    pub old_secret: SigningSecret,
    /// Where deliveries go.
    pub url: String,
    /// Where `{"<provider>:<effect>": count}` can be had.
    pub effects_url: String,
}

/// One thing that can happen to a receiver.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "`Scenario::title` says what each of them is")]
pub enum Scenario {
    Good,
    Again,
    SignedAnew,
    Tampered,
    WrongSecret,
    OldTimestamp,
    FutureTimestamp,
    MissingHeader,
    SwappedId,
    RotatedSecret,
    NotUtf8,
    RetryAfterFailure,
    Copies,
}

/// How many copies [`Scenario::Copies`] sends at the same moment.
const COPIES: u16 = 20;

/// How long a receiver may take; a busy machine with three of them needs more than a moment.
const PATIENCE: Duration = Duration::from_secs(20);

impl Scenario {
    /// All of them, in the order in which they are played.
    pub const ALL: [Self; 13] = [
        Self::Good,
        Self::Again,
        Self::SignedAnew,
        Self::Tampered,
        Self::WrongSecret,
        Self::OldTimestamp,
        Self::FutureTimestamp,
        Self::MissingHeader,
        Self::SwappedId,
        Self::RotatedSecret,
        Self::NotUtf8,
        Self::RetryAfterFailure,
        Self::Copies,
    ];

    /// What it is, in a few words.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Good => "a good delivery",
            Self::Again => "the same again",
            Self::SignedAnew => "the same event signed anew",
            Self::Tampered => "a tampered body",
            Self::WrongSecret => "a wrong secret",
            Self::OldTimestamp => "an old timestamp",
            Self::FutureTimestamp => "a future timestamp",
            Self::MissingHeader => "a missing header",
            Self::SwappedId => "the unsigned delivery id swapped",
            Self::RotatedSecret => "a rotated secret",
            Self::NotUtf8 => "a body that is not UTF-8",
            Self::RetryAfterFailure => "a retry after the handler failed",
            Self::Copies => "20 copies at once",
        }
    }

    /// Whether it makes sense for a scheme: only a signed time can be old, only an unsigned id swapped.
    pub fn applies(self, scheme: &Scheme) -> bool {
        match self {
            Self::OldTimestamp | Self::FutureTimestamp => scheme.is_timed(),
            Self::SwappedId => !scheme.id_is_signed(),
            _ => true,
        }
    }

    /// What the answers have to be, one for each request.
    const fn expected(self) -> &'static [Expected] {
        use Expected::{Duplicate, Failed, Fresh, FreshOrBusy, Refused};
        match self {
            Self::Good | Self::RotatedSecret | Self::NotUtf8 => &[Fresh],
            Self::Again | Self::SignedAnew | Self::SwappedId => &[Fresh, Duplicate],
            Self::Tampered | Self::WrongSecret | Self::OldTimestamp | Self::FutureTimestamp | Self::MissingHeader => {
                &[Refused]
            }
            Self::RetryAfterFailure => &[Failed, Fresh],
            Self::Copies => &[FreshOrBusy],
        }
    }

    /// How often the handler must take effect.
    pub const fn effects(self) -> u64 {
        match self.expected() {
            [Expected::Refused] => 0,
            _ => 1,
        }
    }

    /// The expectation in words: `2xx, then duplicate`.
    pub fn expectation(self) -> String {
        self.expected().iter().map(|expected| expected.words()).collect::<Vec<_>>().join(", then ")
    }
}

#[derive(Clone, Copy)]
enum Expected {
    Fresh,
    Duplicate,
    Refused,
    Failed,
    FreshOrBusy,
}

impl Expected {
    const fn words(self) -> &'static str {
        match self {
            Self::Fresh => "2xx",
            Self::Duplicate => "duplicate",
            Self::Refused => "401",
            Self::Failed => "500",
            Self::FreshOrBusy => "2xx or 409",
        }
    }

    fn fits(self, seen: &Seen) -> bool {
        match (self, seen.status) {
            (Self::Fresh, Some(200..=299)) => !seen.duplicate,
            (Self::Duplicate, Some(200)) => seen.duplicate,
            (Self::Refused, Some(401)) | (Self::Failed, Some(500)) | (Self::FreshOrBusy, Some(200..=299 | 409)) => true,
            _ => false,
        }
    }
}

/// What one request was answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Seen {
    /// The status; `None` if there was no whole answer.
    pub status: Option<u16>,
    /// Whether the answer calls it a duplicate.
    pub duplicate: bool,
    /// Why there was no answer.
    pub failure: Option<String>,
}

/// What came of one scenario.
#[derive(Clone, Debug, Serialize)]
pub struct Verdict {
    /// The provider that was played.
    pub provider: String,
    /// What was played.
    pub scenario: Scenario,
    /// The answers, in the order of the requests.
    pub seen: Vec<Seen>,
    /// How often the handler took effect; `None` if the receiver did not say.
    pub effects: Option<u64>,
    /// Whether answers and effects are as expected.
    pub right: bool,
}

impl Verdict {
    /// The answers in few characters: `200, 200 dup`, `1x 204, 19x 200 dup`.
    pub fn answers(&self) -> String {
        let word = |seen: &Seen| match (seen.status, &seen.failure) {
            (Some(status), _) if seen.duplicate => format!("{status} dup"),
            (Some(status), _) => status.to_string(),
            (None, Some(failure)) => failure.clone(),
            (None, None) => "-".to_owned(),
        };
        let mut groups: Vec<(String, usize)> = Vec::new();
        for seen in &self.seen {
            let word = word(seen);
            match groups.iter_mut().find(|(known, _)| *known == word).filter(|_| self.seen.len() > 3) {
                Some((_, count)) => *count += 1,
                None => groups.push((word, 1)),
            }
        }
        groups.sort();
        let texts: Vec<_> = if self.seen.len() > 3 {
            groups.into_iter().map(|(word, count)| format!("{count}x {word}")).collect()
        } else {
            self.seen.iter().map(word).collect()
        };
        texts.join(", ")
    }
}

/// Plays every scenario that applies, one after the other, and hands each verdict to `told` as it comes.
///
/// Effects are counted as what the receiver's total for this provider grew by: whatever an effect is called, it is seen.
///
/// # Errors
/// If the URL may not be dialled or the secret does not fit the scheme. What the receiver does is never an error.
pub async fn play(
    transport: &Transport,
    subject: &Subject,
    mut told: impl FnMut(&Verdict),
) -> Result<Vec<Verdict>, Error> {
    let scheme = Scheme::named(&subject.provider).map_err(|error| Error::invalid(error.to_string()))?;
    let target = transport.guard().target(&subject.url).map_err(|refusal| Error::invalid(refusal.to_string()))?;
    let endpoint = Endpoint::new(Provider::named(&subject.provider)?, target, SecretRing::new(subject.secret.clone()));
    let stage = Stage { transport, subject, endpoint };
    let mut verdicts = Vec::new();
    for scenario in Scenario::ALL.into_iter().filter(|scenario| scenario.applies(&scheme)) {
        let before = stage.effects().await?;
        let seen = stage.act(scenario).await?;
        let after = stage.effects().await?;
        let effects = before.zip(after).map(|(before, after)| after.saturating_sub(before));
        let verdict = Verdict {
            provider: subject.provider.clone(),
            scenario,
            right: right(scenario, &seen, effects),
            seen,
            effects,
        };
        told(&verdict);
        verdicts.push(verdict);
    }
    Ok(verdicts)
}

fn right(scenario: Scenario, seen: &[Seen], effects: Option<u64>) -> bool {
    let expected = scenario.expected();
    let answers = match (scenario, expected) {
        (Scenario::Copies, [expected]) => {
            seen.iter().all(|seen| expected.fits(seen))
                && seen.iter().filter(|seen| Expected::Fresh.fits(seen)).count() == 1
        }
        (Scenario::MissingHeader, [expected]) => !seen.is_empty() && seen.iter().all(|seen| expected.fits(seen)),
        _ => seen.len() == expected.len() && expected.iter().zip(seen).all(|(expected, seen)| expected.fits(seen)),
    };
    answers && effects == Some(scenario.effects())
}

struct Stage<'a> {
    transport: &'a Transport,
    subject: &'a Subject,
    endpoint: Endpoint,
}

impl Stage<'_> {
    async fn act(&self, scenario: Scenario) -> Result<Vec<Seen>, Error> {
        let message = self.message(scenario)?;
        let faults: Vec<Vec<Fault>> = match scenario {
            Scenario::RetryAfterFailure => return self.retry_after_failure(message).await,
            Scenario::Copies => return self.copies(&message).await,
            Scenario::MissingHeader => {
                self.signed_headers(&message)?.into_iter().map(|name| vec![Fault::MissingHeader(Some(name))]).collect()
            }
            Scenario::Good => vec![vec![]],
            Scenario::Again => {
                let request = self.request(&message, &[])?;
                return Ok(vec![self.send(&request).await, self.send(&request).await]);
            }
            // A second later: the signature is another one where a time is signed.
            Scenario::SignedAnew => vec![vec![], vec![Fault::TimeShift(1)]],
            Scenario::Tampered => vec![vec![Fault::TamperedBody]],
            Scenario::WrongSecret => vec![vec![Fault::WrongSecret]],
            Scenario::OldTimestamp => vec![vec![Fault::TimeShift(-fault::FAR_OFF)]],
            Scenario::FutureTimestamp => vec![vec![Fault::TimeShift(fault::FAR_OFF)]],
            Scenario::SwappedId => vec![vec![], vec![Fault::SwappedId]],
            Scenario::RotatedSecret => vec![vec![Fault::RotatedSecret(self.subject.old_secret.clone())]],
            Scenario::NotUtf8 => vec![vec![Fault::NotUtf8]],
        };
        let mut seen = Vec::new();
        for faults in faults {
            seen.push(self.send(&self.request(&message, &faults)?).await);
        }
        Ok(seen)
    }

    /// A fresh event; the same sample under a fresh id would be a duplicate where the identity is the body's hash.
    fn message(&self, scenario: Scenario) -> Result<Message, Error> {
        let mut data = json!({ "hookproof_demo": "count" });
        if scenario == Scenario::RetryAfterFailure {
            data = json!({ "hookproof_demo": "fail-once" });
        }
        if let Value::Object(fields) = &mut data {
            fields.insert("nonce".to_owned(), self.endpoint.new_id()?.into());
        }
        self.endpoint.message(&self.endpoint.provider.test.event_type, Some(&data), wall_now())
    }

    fn request(&self, message: &Message, faults: &[Fault]) -> Result<Request, Error> {
        let now = i64::try_from(wall_now() / 1_000).unwrap_or_default();
        signing::request(&self.endpoint, message, now, faults)
    }

    async fn send(&self, request: &Request) -> Seen {
        seen(self.transport.send(request, PATIENCE).await.result)
    }

    async fn copies(&self, message: &Message) -> Result<Vec<Seen>, Error> {
        let request = self.request(message, &[])?;
        let mut copies = tokio::task::JoinSet::new();
        for _ in 0..COPIES {
            let (transport, request) = (self.transport.clone(), request.clone());
            copies.spawn(async move { seen(transport.send(&request, PATIENCE).await.result) });
        }
        Ok(copies.join_all().await)
    }

    /// The provider's own retry, a minute or five later on a virtual clock.
    async fn retry_after_failure(&self, message: Message) -> Result<Vec<Seen>, Error> {
        let clock = Clock::Virtual { start: wall_now(), patience: PATIENCE, signs: SignedTime::Wall };
        let mut driver =
            Driver::new(self.endpoint.clone(), self.transport.clone(), clock).with_randomness(Randomness::Exact);
        driver.publish_message(message);
        driver.run().await?;
        let attempts = driver.attempts().iter();
        Ok(attempts
            .map(|attempt| Seen {
                status: attempt.status,
                duplicate: attempt.duplicate,
                failure: attempt.failure.map(str::to_owned),
            })
            .collect())
    }

    /// The headers without which nothing verifies.
    fn signed_headers(&self, message: &Message) -> Result<Vec<String>, Error> {
        let request = self.request(message, &[])?;
        let fields = self.endpoint.provider.wire.headers.iter().filter(|field| field.value == "{signed}");
        Ok(fields.map(|field| field.name.clone()).filter(|name| request.header(name).is_some()).collect())
    }

    async fn effects(&self) -> Result<Option<u64>, Error> {
        let target = self
            .transport
            .guard()
            .target(&self.subject.effects_url)
            .map_err(|refusal| Error::invalid(refusal.to_string()))?;
        let Ok(answer) = self.transport.send(&Request::get(target), PATIENCE).await.result else { return Ok(None) };
        let Ok(Value::Object(counts)) = serde_json::from_slice(&answer.body) else { return Ok(None) };
        let own = format!("{}:", self.subject.provider);
        Ok(Some(counts.iter().filter(|(name, _)| name.starts_with(&own)).filter_map(|(_, count)| count.as_u64()).sum()))
    }
}

fn seen(result: Result<crate::transport::Answer, crate::transport::Failure>) -> Seen {
    match result {
        Ok(answer) => Seen { status: Some(answer.status), duplicate: answer.is_duplicate(), failure: None },
        Err(failure) => Seen { status: None, duplicate: false, failure: Some(failure.code().to_owned()) },
    }
}

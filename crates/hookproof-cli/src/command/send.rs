//! `hookproof send`

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use hookproof_sender::lane::{AttemptKind, Standing, State, Ticket};
use hookproof_sender::transport::{Guard, Transport};
use hookproof_sender::{
    Attempt, Clock, Driver, Endpoint, Error, Fault, Message, Notice, Provider, Randomness, SecretRing, SignedTime,
    Span, rfc3339, signing, wall_now,
};
use serde_json::{Value, json};

use crate::command::{block_on, sign::curl};
use crate::console::{Paint, harmless, mention, progress, progress_ends, say, say_json};
use crate::delivery_log::Record;
use crate::failure::{Answer, Failure};
use crate::input::{self, SecretSource};

/// Sends an event as a provider does.
///
/// One attempt is made, and its result is the exit code, unless `--fast-forward` or `--follow` asks for the retries too.
#[derive(Args, Debug)]
pub(crate) struct Send {
    #[command(flatten)]
    to: To,
    /// The event's type; the provider's test event if nothing is said
    #[arg(long, value_name = "TYPE")]
    event: Option<String>,
    /// The event's data, a JSON file; `-` is standard input; a built-in sample if nothing is said
    #[arg(long, value_name = "FILE", conflicts_with = "body_file")]
    data: Option<PathBuf>,
    /// The whole body, byte for byte, instead of the provider's envelope; `-` is standard input
    #[arg(long, value_name = "FILE")]
    body_file: Option<PathBuf>,
    /// A value of the envelope, as NAME=VALUE
    #[arg(long = "set", value_name = "NAME=VALUE", value_parser = input::setting)]
    settings: Vec<(String, String)>,
    /// So many events, one after the other, each with its own id and the time of its own second
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    repeat: u32,
    /// Retry by the provider's table on a virtual clock, which jumps from one due time to the next
    #[arg(long, conflicts_with = "follow")]
    fast_forward: bool,
    /// Retry by the provider's table on the clock on the wall: this may take days
    #[arg(long)]
    follow: bool,
    /// No jitter: every delay is exactly the table's
    #[arg(long)]
    exact: bool,
    /// The provider's strategy, where it offers several
    #[arg(long, value_name = "NAME")]
    strategy: Option<String>,
    /// How many retries there are, where the provider lets its users choose
    #[arg(long, value_name = "N")]
    retries: Option<u32>,
    /// How long an attempt may take on the wall under --fast-forward before it counts as timed out
    #[arg(long, value_name = "DURATION", default_value = "250ms")]
    patience: Span,
    /// Sign the virtual clock's time under --fast-forward: for a receiver whose clock is virtual too
    #[arg(long, requires = "fast_forward")]
    virtual_time: bool,
    /// Misbehave: tampered-body, wrong-secret, old-timestamp, future-timestamp, time-shift=S, missing-header[=NAME], swapped-id, rotated-secret=SECRET, not-utf8, copies=N
    #[arg(long = "fault", value_name = "FAULT")]
    faults: Vec<Fault>,
    /// Add the deliveries to this log, from which `retry` sends them once more
    #[arg(long, value_name = "FILE")]
    log: Option<PathBuf>,
    /// Print the request as a curl command instead of sending it
    #[arg(long)]
    dry_run: bool,
    /// Print JSON: one object with every attempt
    #[arg(long)]
    json: bool,
    /// No colours
    #[arg(long)]
    plain: bool,
}

/// Who sends, and where to.
#[derive(Args, Debug)]
pub(crate) struct To {
    /// The provider: get-a-team, g-tateth, ai-teammate, my-gpt-assistants, agentbot, standard-webhooks
    #[arg(long, value_name = "NAME")]
    pub(crate) provider: String,
    /// Where to: HTTPS, or HTTP on this machine
    pub(crate) url: String,
    #[command(flatten)]
    pub(crate) secret: SecretSource,
}

impl To {
    pub(crate) fn endpoint(&self) -> Result<Endpoint, Failure> {
        let provider = Provider::named(&self.provider)?;
        let target = Guard::with_loopback().target(&self.url)?;
        if !provider.signs() {
            return Ok(Endpoint::with_token(provider, target)?);
        }
        Ok(Endpoint::new(provider, target, SecretRing::new(self.secret.read()?)))
    }
}

/// The transport of the command line: its user types the URL in, so the own machine is allowed.
pub(crate) fn transport() -> Result<Transport, Failure> {
    Ok(Transport::new(Guard::with_loopback())?)
}

impl Send {
    pub(crate) fn run(self) -> Result<Answer, Failure> {
        let endpoint = self.endpoint()?;
        let messages = self.messages(&endpoint)?;
        if self.dry_run {
            return self.print(&endpoint, &messages);
        }
        block_on(self.send(endpoint, messages))
    }

    fn endpoint(&self) -> Result<Endpoint, Failure> {
        let mut endpoint = self.to.endpoint()?;
        if let Some(strategy) = &self.strategy {
            endpoint.policy = endpoint.provider.policy_with(strategy)?;
        }
        if let Some(count) = self.retries {
            endpoint.policy.retry = endpoint.policy.retry.with_retries(count)?;
        }
        endpoint.settings = self.settings.iter().cloned().collect::<BTreeMap<_, _>>();
        Ok(endpoint)
    }

    fn messages(&self, endpoint: &Endpoint) -> Result<Vec<Message>, Failure> {
        let event = self.event.as_deref().unwrap_or(&endpoint.provider.test.event_type);
        let data: Option<Value> = match &self.data {
            Some(path) => Some(serde_json::from_slice(&input::bytes_of(path)?)?),
            None => None,
        };
        let body = self.body_file.as_ref().map(input::bytes_of).transpose()?;
        let now = wall_now();
        // A second apart and the last one now: where a provider's body holds no id, two events of one sample and one
        // second would be the same bytes, which is the same event to every receiver.
        let one = |later: u32| match &body {
            Some(body) => endpoint.raw_message(event, body.clone()),
            None => endpoint.message(event, data.as_ref(), now.saturating_sub(u64::from(later) * 1_000)),
        };
        Ok((0..self.repeat).rev().map(one).collect::<Result<_, Error>>()?)
    }

    fn print(&self, endpoint: &Endpoint, messages: &[Message]) -> Result<Answer, Failure> {
        for message in messages {
            let request = signing::request(endpoint, message, input::now(), &self.faults)?;
            say(curl(request.method.name(), request.target.url(), &request.headers, &request.body))?;
        }
        Ok(Answer::Yes)
    }

    fn copies(&self) -> u16 {
        self.faults.iter().map(|fault| if let Fault::Copies(count) = fault { *count } else { 1 }).max().unwrap_or(1)
    }

    async fn send(self, mut endpoint: Endpoint, messages: Vec<Message>) -> Result<Answer, Failure> {
        if !self.fast_forward && !self.follow {
            endpoint.policy.retry = hookproof_sender::RetryPolicy {
                delays: hookproof_sender::Delays::Table { delays: Vec::new() },
                jitter: 0.0,
            };
        }
        let start = wall_now();
        let clock = if self.fast_forward {
            Clock::Virtual {
                start,
                patience: Duration::from_millis(self.patience.milliseconds()),
                signs: if self.virtual_time { SignedTime::Virtual } else { SignedTime::Wall },
            }
        } else {
            Clock::Wall
        };
        let randomness = if self.exact { Randomness::Exact } else { Randomness::System };
        let paint = Paint::new(self.plain);
        let (quiet, fast_forward) = (self.json, self.fast_forward);
        let mut driver = Driver::new(endpoint, transport()?, clock)
            .with_faults(self.faults.clone())
            .with_randomness(randomness)
            .watched(move |notice| {
                if !quiet {
                    // A closed pipe ends the program when the result is printed.
                    let _ = tell(notice, start, fast_forward, paint);
                }
            });
        let mut tickets = Vec::new();
        let total = messages.len();
        for (message, place) in messages.into_iter().zip(1..) {
            if quiet && total > 1 {
                progress(format_args!("event {place} of {total}"));
            }
            for _ in 0..self.copies() {
                tickets.push(driver.publish_message(message.clone()));
            }
            if self.copies() > 1 || self.repeat > 1 {
                driver.run().await?;
            }
        }
        driver.run().await?;
        progress_ends();
        if let Some(path) = &self.log {
            for record in tickets.iter().filter_map(|ticket| Record::of(&driver, *ticket)) {
                record.append(path)?;
            }
        }
        let arrived = tickets.iter().filter(|ticket| driver.state(**ticket) == Some(State::Delivered)).count();
        if self.json {
            say_json(&report(&driver, &tickets, start))?;
        } else if tickets.len() > 1 {
            say(format_args!("{arrived} of {} arrived", tickets.len()))?;
        }
        Ok(Answer::from(arrived == tickets.len()))
    }
}

/// What a driver's log holds, for scripts. Times are milliseconds after the start.
pub(crate) fn report(driver: &Driver, tickets: &[Ticket], start: u64) -> Value {
    let deliveries: Vec<_> = tickets
        .iter()
        .map(|ticket| {
            let attempts: Vec<_> = driver.attempts().iter().filter(|attempt| attempt.ticket == *ticket).collect();
            json!({
                "id": driver.message(*ticket).map(|message| message.id.as_str()),
                "event_type": driver.message(*ticket).map(|message| message.event_type.as_str()),
                "state": driver.state(*ticket),
                "attempts": attempts.iter().map(|attempt| json!({
                    "number": attempt.number,
                    "kind": attempt.kind,
                    "at_ms": attempt.started.saturating_sub(start),
                    "ended_ms": attempt.ended.saturating_sub(start),
                    "took_ms": attempt.took,
                    "status": attempt.status,
                    "failure": attempt.failure,
                    "reason": attempt.reason,
                    "location": attempt.location,
                    "duplicate": attempt.duplicate,
                    "body": attempt.body,
                })).collect::<Vec<_>>(),
            })
        })
        .collect();
    json!({ "provider": driver.endpoint().provider.scheme, "url": driver.endpoint().shown_url(), "endpoint": driver.standing(), "deliveries": deliveries })
}

fn tell(notice: &Notice, start: u64, fast_forward: bool, paint: Paint) -> Result<(), Failure> {
    match notice {
        Notice::Attempt(attempt) => say(line(attempt, start, fast_forward, paint)),
        Notice::Moved { state: State::Waiting, due: Some(due), .. } if !fast_forward => {
            mention(paint.faint(&format!("next attempt at {}", rfc3339(*due))));
            Ok(())
        }
        Notice::Moved { state: State::Failed, .. } => say(paint.red("failed")),
        Notice::Moved { state: State::Held, .. } => say("held"),
        Notice::Moved { .. } | Notice::Endpoint { standing: Standing::Enabled } => Ok(()),
        Notice::Endpoint { standing } => say(paint.red(match standing {
            Standing::DisabledByFailures => "the endpoint is disabled: the last retry failed",
            Standing::DisabledByAnswer => "the endpoint is disabled: it answered that it is gone",
            _ => "the endpoint is off",
        })),
    }
}

pub(crate) fn line(attempt: &Attempt, start: u64, with_time: bool, paint: Paint) -> String {
    let at = if with_time {
        format!("+{:<10} ", Span::of_milliseconds(attempt.started.saturating_sub(start)).to_string())
    } else {
        String::new()
    };
    let kind = match attempt.kind {
        AttemptKind::Automatic => "",
        AttemptKind::Manual => " manual",
        AttemptKind::Test => " test",
    };
    let result = match (attempt.status, &attempt.reason) {
        (Some(status @ 200..=299), _) if attempt.duplicate => paint.green(&format!("{status} duplicate")),
        (Some(status @ 200..=299), _) => paint.green(&status.to_string()),
        (Some(status), _) => {
            let place =
                attempt.location.as_ref().map(|location| format!(" to {} (not followed)", harmless(location, 80)));
            paint.red(&format!("{status}{}", place.unwrap_or_default()))
        }
        (None, reason) => paint.red(&harmless(reason.as_deref().unwrap_or_default(), 160)),
    };
    let body = attempt.body.trim();
    let body = if body.is_empty() { String::new() } else { paint.faint(&format!("  {}", harmless(body, 80))) };
    format!("{at}attempt {}{kind}  {}  {result}  {} ms{body}", attempt.number, attempt.id, attempt.took)
}

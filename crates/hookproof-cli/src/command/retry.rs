//! `hookproof retry`

use std::path::PathBuf;

use clap::Args;
use hookproof_sender::lane::State;
use hookproof_sender::transport::Guard;
use hookproof_sender::{Clock, Driver, Endpoint, Provider, SecretRing, wall_now};

use crate::command::block_on;
use crate::command::send::{line, report, transport};
use crate::console::{Paint, say, say_json};
use crate::delivery_log::{self, Record};
use crate::failure::{Answer, Failure};
use crate::input::SecretSource;

/// Sends deliveries of a log once more by hand: same ids and bytes, signed afresh.
///
/// Without an id: every delivery that has failed. The log is the one that `send --log` wrote; the attempt is added to it.
#[derive(Args, Debug)]
pub(crate) struct Retry {
    /// The deliveries' ids
    ids: Vec<String>,
    /// The log
    #[arg(long, value_name = "FILE")]
    log: PathBuf,
    /// Send to this URL instead of the log's: needed where the URL holds a token, which a log does not keep
    #[arg(long)]
    url: Option<String>,
    #[command(flatten)]
    secret: SecretSource,
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// No colours
    #[arg(long)]
    plain: bool,
}

impl Retry {
    pub(crate) fn run(self) -> Result<Answer, Failure> {
        let records = delivery_log::read(&self.log)?;
        if let Some(unknown) = self.ids.iter().find(|id| !records.iter().any(|record| record.id == **id)) {
            return Err(Failure::new(format!("{} holds no delivery `{unknown}`", self.log.display())));
        }
        let chosen = records.into_iter().filter(|record| {
            if self.ids.is_empty() { record.state == State::Failed } else { self.ids.contains(&record.id) }
        });
        let chosen: Vec<Record> = chosen.collect();
        if chosen.is_empty() {
            say("nothing has failed")?;
            return Ok(Answer::Yes);
        }
        let mut reports = Vec::new();
        let mut arrived = true;
        for record in &chosen {
            let (report, delivered) = block_on(self.once(record))?;
            reports.push(report);
            arrived &= delivered;
        }
        if self.json {
            say_json(&reports)?;
        }
        Ok(Answer::from(arrived))
    }

    async fn once(&self, record: &Record) -> Result<(serde_json::Value, bool), Failure> {
        let provider = Provider::named(&record.provider)?;
        let target = Guard::with_loopback().target(self.url.as_deref().unwrap_or(&record.url))?;
        let endpoint = if provider.signs() {
            Endpoint::new(provider, target, SecretRing::new(self.secret.read()?))
        } else if self.url.is_none() {
            return Err(Failure::new("the log does not keep the token in the URL: give --url"));
        } else {
            Endpoint::with_token(provider, target)?
        };
        let start = wall_now();
        let mut driver = Driver::new(endpoint, transport()?, Clock::Wall);
        let ticket = driver.restore(record.message()?, record.state, record.attempts);
        driver.retry(ticket).map_err(|refusal| Failure::new(format!("{} is not retried: {refusal:?}", record.id)))?;
        driver.run().await?;
        if !self.json {
            for attempt in driver.attempts() {
                say(line(attempt, start, false, Paint::new(self.plain)))?;
            }
        }
        let delivered = driver.attempts().iter().any(|attempt| matches!(attempt.status, Some(200..=299)));
        if let Some(record) = Record::of(&driver, ticket) {
            record.append(&self.log)?;
        }
        Ok((report(&driver, &[ticket], start), delivered))
    }
}

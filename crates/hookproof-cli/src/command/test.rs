//! `hookproof test`

use clap::Args;
use hookproof_sender::lane::State;
use hookproof_sender::{Clock, Driver, wall_now};

use crate::command::block_on;
use crate::command::send::{To, line, report, transport};
use crate::console::{Paint, say, say_json};
use crate::failure::{Answer, Failure};

/// Sends the provider's test event, once: it is never retried.
#[derive(Args, Debug)]
pub(crate) struct Test {
    #[command(flatten)]
    to: To,
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// No colours
    #[arg(long)]
    plain: bool,
}

impl Test {
    pub(crate) fn run(self) -> Result<Answer, Failure> {
        let endpoint = self.to.endpoint()?;
        block_on(async {
            let start = wall_now();
            let mut driver = Driver::new(endpoint, transport()?, Clock::Wall);
            let ticket = driver.test()?;
            driver.run().await?;
            if self.json {
                say_json(&report(&driver, &[ticket], start))?;
            } else {
                for attempt in driver.attempts() {
                    say(line(attempt, start, false, Paint::new(self.plain)))?;
                }
            }
            Ok(Answer::from(driver.state(ticket) == Some(State::Delivered)))
        })
    }
}

//! `hookproof verify`

use clap::Args;
use hookproof::{Secret, Verifier};
use serde_json::json;

use crate::arriving::Case;
use crate::console::{mention, say, say_json};
use crate::failure::{Answer, Failure};
use crate::input;

#[derive(Args, Debug)]
pub(crate) struct Verify {
    #[command(flatten)]
    case: Case,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Verify {
    pub(crate) fn run(self) -> Result<Answer, Failure> {
        let case = self.case;
        let secret = Secret::new(case.secret.read()?.reveal())?;
        let body = case.body.read()?;
        let verifier = Verifier::with_options(input::scheme(&case.provider)?, secret, case.around.options()?)?;
        for warning in verifier.warnings() {
            mention(format_args!("warning: {warning}"));
        }
        let delivery = match verifier.verify(&case.around.request(&body), case.now()) {
            Ok(delivery) => delivery,
            Err(error) => {
                let (code, status, message) = (error.code(), error.status(), error.message());
                if self.json {
                    say_json(&json!({ "authentic": false, "code": code, "status": status, "message": message }))?;
                } else {
                    say(format_args!("refused: {code}: {message}"))?;
                }
                return Ok(Answer::No);
            }
        };
        let (provider, timestamp) = (delivery.provider(), delivery.timestamp());
        let (id, event_type) = (delivery.id(), delivery.event_type());
        if self.json {
            say_json(
                &json!({ "authentic": true, "provider": provider, "id": id, "event_type": event_type, "timestamp": timestamp }),
            )?;
        } else {
            say(format_args!("authentic: {provider}"))?;
            for (name, value) in [("id", id), ("event type", event_type)] {
                if let Some(value) = value {
                    say(format_args!("{name}: {value}"))?;
                }
            }
            if let Some(timestamp) = timestamp {
                say(format_args!("signed at: {timestamp}"))?;
            }
        }
        Ok(Answer::Yes)
    }
}

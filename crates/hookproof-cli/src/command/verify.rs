//! `hookproof verify`

use clap::Args;
use hookproof::{Request, Secret, Verifier};
use serde_json::json;

use crate::command::sign::options;
use crate::console::{mention, say, say_json};
use crate::failure::{Answer, Failure};
use crate::input::{self, BodySource, SecretSource};

#[derive(Args, Debug)]
pub(crate) struct Verify {
    /// The provider (`hookproof providers` lists them), or a scheme file of your own
    provider: String,
    #[command(flatten)]
    secret: SecretSource,
    #[command(flatten)]
    body: BodySource,
    /// A header of the request, as `Name: value`
    #[arg(long = "header", short = 'H', value_name = "HEADER", value_parser = input::header)]
    headers: Vec<(String, String)>,
    /// The URL that was called, which some schemes sign
    #[arg(long)]
    url: Option<String>,
    /// The method, which some schemes sign
    #[arg(long, default_value = "POST")]
    method: String,
    /// The time to judge at, Unix seconds; now if nothing is said
    #[arg(long, value_name = "SECONDS", allow_negative_numbers = true)]
    now: Option<i64>,
    /// A value that the scheme wants configured, as NAME=VALUE
    #[arg(long = "config", value_name = "NAME=VALUE", value_parser = input::setting)]
    config: Vec<(String, String)>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Verify {
    pub(crate) fn run(self) -> Result<Answer, Failure> {
        let scheme = input::scheme(&self.provider)?;
        let body = self.body.read()?;
        let verifier =
            Verifier::with_options(scheme, Secret::new(self.secret.read()?.reveal())?, options(&self.config)?)?;
        for warning in verifier.warnings() {
            mention(format_args!("warning: {warning}"));
        }
        let mut request = Request::new(&self.headers, &body).method(&self.method);
        if let Some(url) = &self.url {
            request = request.url(url);
        }
        match verifier.verify(&request, self.now.unwrap_or_else(input::now)) {
            Ok(delivery) => {
                if self.json {
                    say_json(&json!({
                        "authentic": true, "provider": delivery.provider(), "id": delivery.id(),
                        "event_type": delivery.event_type(), "timestamp": delivery.timestamp(),
                    }))?;
                } else {
                    say(format_args!("authentic: {}", delivery.provider()))?;
                    for (name, value) in [("id", delivery.id()), ("event type", delivery.event_type())] {
                        if let Some(value) = value {
                            say(format_args!("{name}: {value}"))?;
                        }
                    }
                    if let Some(timestamp) = delivery.timestamp() {
                        say(format_args!("signed at: {timestamp}"))?;
                    }
                }
                Ok(Answer::Yes)
            }
            Err(error) => {
                if self.json {
                    say_json(&json!({
                        "authentic": false, "code": error.code(), "status": error.status(), "message": error.message(),
                    }))?;
                } else {
                    say(format_args!("refused: {}: {error}", error.code()))?;
                }
                Ok(Answer::No)
            }
        }
    }
}

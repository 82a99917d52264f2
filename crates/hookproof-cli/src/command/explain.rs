//! `hookproof explain`

use clap::Args;
use hookproof::{Confidence, Options, Secret, Verifier};
use serde_json::json;

use crate::arriving::Case;
use crate::console::{say, say_json};
use crate::failure::{Answer, Failure};
use crate::input;

/// Says why a request does not verify: tries what commonly goes wrong and tells which of it makes the signature match.
#[derive(Args, Debug)]
pub(crate) struct Explain {
    #[command(flatten)]
    case: Case,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Explain {
    pub(crate) fn run(self) -> Result<Answer, Failure> {
        let case = self.case;
        let secret = Secret::new(case.secret.read()?.reveal())?;
        let body = case.body.read()?;
        let options = Options { explain_failures: true, ..case.around.options()? };
        let verifier = Verifier::with_options(input::scheme(&case.provider)?, secret, options)?;
        let (request, now) = (case.around.request(&body), case.now());
        let Err(error) = verifier.verify(&request, now) else {
            if self.json {
                say_json(&json!({ "authentic": true }))?;
            } else {
                say("authentic: there is nothing to explain")?;
            }
            return Ok(Answer::Yes);
        };
        let explanation = verifier.explain(&request, now);
        if self.json {
            let explained = explanation.map(|found| {
                let certain = found.confidence == Confidence::Certain;
                json!({ "cause": found.cause, "certain": certain, "fix": found.fix, "steps": found.steps })
            });
            say_json(
                &json!({ "authentic": false, "code": error.code(), "message": error.message(), "explanation": explained }),
            )?;
            return Ok(Answer::No);
        }
        say(format_args!("refused: {}: {error}", error.code()))?;
        if let Some(found) = explanation {
            let sure = if found.confidence == Confidence::Certain { "cause" } else { "probable cause" };
            say(format_args!("{sure}: {}", found.cause))?;
            say(format_args!("fix: {}", found.fix))?;
            for step in found.steps {
                say(format_args!("  - {step}"))?;
            }
        }
        Ok(Answer::No)
    }
}

//! `hookproof scheme`

use clap::{Args, Subcommand};
use hookproof::Level;
use serde_json::json;

use crate::arriving::Around;
use crate::console::{say, say_json};
use crate::failure::{Answer, Failure};
use crate::input::{self, BodySource};

#[derive(Args, Debug)]
pub(crate) struct SchemeCommand {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Say what is wrong or weak in a scheme; exit code 1 if something is wrong
    Lint(Lint),
}

/// Given a sample request (a body and what stands around it), it also shows the exact bytes that are signed.
#[derive(Args, Debug)]
struct Lint {
    /// A scheme file (.toml or .json), or a built-in provider
    scheme: String,
    #[command(flatten)]
    body: BodySource,
    #[command(flatten)]
    around: Around,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl SchemeCommand {
    pub(crate) fn run(self) -> Result<Answer, Failure> {
        let Verb::Lint(lint) = self.verb;
        lint.run()
    }
}

impl Lint {
    fn run(self) -> Result<Answer, Failure> {
        let scheme = input::scheme(&self.scheme)?;
        let findings = scheme.lint();
        let signed: Vec<String> = if self.body.is_given() {
            let body = self.body.read()?;
            let signed = scheme.signed_bytes(&self.around.request(&body), &self.around.options()?)?;
            // Each byte is to be seen: a line break that is signed is no line break on the screen.
            signed.iter().map(|bytes| bytes.escape_ascii().to_string()).collect()
        } else {
            Vec::new()
        };
        let word = |level| match level {
            Level::Note => "note",
            Level::Warning => "warning",
            Level::Error => "error",
        };
        if self.json {
            let rows: Vec<_> = findings
                .iter()
                .map(
                    |finding| json!({ "level": word(finding.level), "name": finding.name, "message": finding.message }),
                )
                .collect();
            say_json(&json!({ "scheme": scheme.id(), "findings": rows, "signed": signed }))?;
        } else {
            for finding in &findings {
                say(format_args!("{}: {}: {}", word(finding.level), finding.name, finding.message))?;
            }
            if findings.is_empty() {
                say(format_args!("{}: nothing to say", scheme.id()))?;
            }
            for bytes in signed {
                say(format_args!("signed: {bytes}"))?;
            }
        }
        Ok(Answer::from(!findings.iter().any(|finding| finding.level == Level::Error)))
    }
}

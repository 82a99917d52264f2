//! `hookproof scheme`

use clap::{Args, Subcommand};
use hookproof::Level;
use serde_json::json;

use crate::console::{say, say_json};
use crate::failure::{Answer, Failure};
use crate::input;

#[derive(Args, Debug)]
pub(crate) struct SchemeCommand {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Say what is wrong or weak in a scheme; exit code 1 if something is wrong
    Lint {
        /// A scheme file (.toml or .json), or a built-in provider
        scheme: String,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}

impl SchemeCommand {
    pub(crate) fn run(self) -> Result<Answer, Failure> {
        let Verb::Lint { scheme, json } = self.verb;
        let scheme = input::scheme(&scheme)?;
        let findings = scheme.lint();
        let word = |level| match level {
            Level::Note => "note",
            Level::Warning => "warning",
            Level::Error => "error",
        };
        if json {
            let rows: Vec<_> = findings
                .iter()
                .map(
                    |finding| json!({ "level": word(finding.level), "name": finding.name, "message": finding.message }),
                )
                .collect();
            say_json(&rows)?;
        } else {
            for finding in &findings {
                say(format_args!("{}: {}: {}", word(finding.level), finding.name, finding.message))?;
            }
            if findings.is_empty() {
                say(format_args!("{}: nothing to say", scheme.id()))?;
            }
        }
        Ok(Answer::from(!findings.iter().any(|finding| finding.level == Level::Error)))
    }
}

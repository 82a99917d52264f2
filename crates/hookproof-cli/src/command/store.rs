//! `hookproof store`

mod forget;

use clap::{Args, Subcommand};
use hookproof::store::sql;

use crate::console::say;
use crate::failure::{Answer, Failure};

#[derive(Args, Debug)]
pub(crate) struct Store {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Print the statement that creates the table of a store, for a migration
    Sql {
        /// postgres or sqlite
        dialect: String,
        /// All statements, not only the one that creates the table
        #[arg(long)]
        all: bool,
    },
    /// Let one completed event run once more when its sender sends it again
    Forget(Box<forget::Forget>),
}

impl Store {
    pub(crate) fn run(self) -> Result<Answer, Failure> {
        match self.verb {
            Verb::Sql { dialect, all } => print(&dialect, all),
            Verb::Forget(command) => command.run(),
        }
    }
}

fn print(dialect: &str, all: bool) -> Result<Answer, Failure> {
    let prefix = format!("{dialect}.");
    let mut texts = sql::TEXTS.iter().filter_map(|(name, text)| Some((name.strip_prefix(&prefix)?, text))).peekable();
    if texts.peek().is_none() || dialect == "redis" {
        return Err(Failure::new(format!("there is no store `{dialect}` with SQL: there are postgres, sqlite")));
    }
    for (name, text) in texts.filter(|(name, _)| all || *name == "create") {
        if all {
            say(format_args!("-- {name}"))?;
        }
        say(format_args!("{};", text.trim().trim_end_matches(';')))?;
    }
    Ok(Answer::Yes)
}

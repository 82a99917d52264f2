//! The `hookproof` program.
//!
//! Exit codes: 0 done, 1 the answer is no (a delivery failed, a signature does not verify), 2 it was asked wrongly.

mod arriving;
mod command;
mod console;
mod delivery_log;
mod failure;
mod input;
mod listener;
mod table;

use std::process::ExitCode;

use clap::Parser;

/// Signs, verifies, sends and proves webhooks.
#[derive(Debug, Parser)]
#[command(name = "hookproof", version, max_term_width = 120)]
struct Arguments {
    #[command(subcommand)]
    command: command::Command,
}

fn main() -> ExitCode {
    match Arguments::parse().command.run() {
        Ok(answer) => answer.exit_code(),
        // A reader that has seen enough (`| head`) is no failure.
        Err(failure) if failure.is_closed_pipe() => ExitCode::SUCCESS,
        Err(failure) => {
            console::complain(&failure);
            ExitCode::from(2)
        }
    }
}

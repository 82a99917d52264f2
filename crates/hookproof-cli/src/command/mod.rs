//! One file for each subcommand.

mod demo;
mod explain;
mod keygen;
mod listen;
mod mock;
mod providers;
mod retry;
mod scheme;
mod send;
mod sign;
mod store;
mod test;
mod verify;

use clap::Subcommand;

use crate::failure::{Answer, Failure};

/// What the program can do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// List the providers, or tell what is known of one
    Providers(providers::Providers),
    /// Sign a body as a provider does and print the headers
    Sign(sign::Sign),
    /// Say whether a request is authentic
    Verify(verify::Verify),
    /// Say why a request does not verify
    Explain(explain::Explain),
    /// Send an event as a provider does, with its retries
    Send(send::Send),
    /// Send a provider's test event, once
    Test(test::Test),
    /// Send deliveries of a log once more
    Retry(retry::Retry),
    /// Show what is sent here, and answer by a script
    Listen(listen::Listen),
    /// Stand in for a service
    Mock(mock::Mock),
    /// Play what every receiver has to survive against running receivers, and print one table
    Demo(demo::Demo),
    /// Work on scheme files
    Scheme(scheme::SchemeCommand),
    /// What a store needs
    Store(store::Store),
    /// Make a new secret
    Keygen(keygen::Keygen),
}

impl Command {
    pub(crate) fn run(self) -> Result<Answer, Failure> {
        match self {
            Self::Providers(command) => command.run(),
            Self::Sign(command) => command.run(),
            Self::Verify(command) => command.run(),
            Self::Explain(command) => command.run(),
            Self::Send(command) => command.run(),
            Self::Test(command) => command.run(),
            Self::Retry(command) => command.run(),
            Self::Listen(command) => command.run(),
            Self::Mock(command) => command.run(),
            Self::Demo(command) => command.run(),
            Self::Scheme(command) => command.run(),
            Self::Store(command) => command.run(),
            Self::Keygen(command) => command.run(),
        }
    }
}

/// Runs something that waits for the network.
fn block_on<T>(work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?.block_on(work)
}

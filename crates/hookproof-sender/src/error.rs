//! What can be wrong with what a user of the sender asks for.

use std::fmt;

/// Why the sender cannot do what it was asked for: a wrong option, provider, URL or secret.
///
/// What goes wrong on the network is no error of the sender: it is a [`Failure`](crate::transport::Failure)
/// in the attempt's record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    message: String,
}

impl Error {
    /// Something that the user said and that cannot be used; the message names it.
    pub fn invalid(message: impl Into<String>) -> Self {
        Self { message: message.into() }
    }

    /// Says where the error came from, in front of the message.
    #[must_use]
    pub fn context(self, place: &str) -> Self {
        Self { message: format!("{place}: {}", self.message) }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.message)
    }
}

impl std::error::Error for Error {}

/// Input that a message may show: at most 60 characters, with nothing that could forge a log line.
pub(crate) fn shown(input: &str) -> String {
    let mut text: String = input.chars().take(60).flat_map(char::escape_debug).collect();
    if input.chars().nth(60).is_some() {
        text.push('…');
    }
    text
}

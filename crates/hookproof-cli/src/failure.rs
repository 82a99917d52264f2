//! Why a command could not do what it was asked.

use std::fmt;

/// One line for the person at the keyboard.
#[derive(Debug)]
pub(crate) struct Failure {
    message: String,
    closed_pipe: bool,
}

impl Failure {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), closed_pipe: false }
    }

    pub(crate) fn is_closed_pipe(&self) -> bool {
        self.closed_pipe
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.message)
    }
}

impl From<hookproof_sender::Error> for Failure {
    fn from(error: hookproof_sender::Error) -> Self {
        Self::new(error.to_string())
    }
}

impl From<hookproof_sender::transport::Refusal> for Failure {
    fn from(refusal: hookproof_sender::transport::Refusal) -> Self {
        Self::new(refusal.to_string())
    }
}

impl From<hookproof::Error> for Failure {
    fn from(error: hookproof::Error) -> Self {
        Self::new(format!("{} ({})", error, error.code()))
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Self { closed_pipe: error.kind() == std::io::ErrorKind::BrokenPipe, message: error.to_string() }
    }
}

impl From<serde_json::Error> for Failure {
    fn from(error: serde_json::Error) -> Self {
        if error.io_error_kind() == Some(std::io::ErrorKind::BrokenPipe) {
            return Self { closed_pipe: true, message: error.to_string() };
        }
        Self::new(format!("this is not JSON: {error}"))
    }
}

/// What a command found out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    Yes,
    No,
}

impl Answer {
    pub(crate) fn exit_code(self) -> std::process::ExitCode {
        match self {
            Self::Yes => std::process::ExitCode::SUCCESS,
            Self::No => std::process::ExitCode::FAILURE,
        }
    }
}

impl From<bool> for Answer {
    fn from(yes: bool) -> Self {
        if yes { Self::Yes } else { Self::No }
    }
}

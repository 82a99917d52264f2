//! What is printed, and how it looks.

use std::fmt::Display;
use std::io::{IsTerminal, Write, stderr, stdout};

use crate::failure::Failure;

/// The last words of a command that could not do what it was asked.
pub(crate) fn complain(message: impl Display) {
    // Nobody is left to be told if this fails.
    let _ = writeln!(stderr(), "hookproof: {message}");
}

/// A line of the result.
pub(crate) fn say(line: impl Display) -> Result<(), Failure> {
    Ok(writeln!(stdout(), "{line}")?)
}

/// A line about the progress: on standard error, so that a result can be piped on.
pub(crate) fn mention(line: impl Display) {
    let _ = writeln!(stderr(), "{line}");
}

/// A line that the next one replaces; nothing where nobody watches.
pub(crate) fn progress(line: impl Display) {
    let mut out = stderr();
    if out.is_terminal() {
        let _ = write!(out, "\r\x1b[2K{line}");
        let _ = out.flush();
    }
}

/// Takes the last progress line away.
pub(crate) fn progress_ends() {
    progress("");
}

/// JSON, indented.
pub(crate) fn say_json(value: &impl serde::Serialize) -> Result<(), Failure> {
    say(serde_json::to_string_pretty(value)?)
}

/// Colours, where somebody sees them and wants them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Paint(bool);

impl Paint {
    pub(crate) fn new(plain: bool) -> Self {
        Self(!plain && stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none())
    }

    pub(crate) fn green(self, text: &str) -> String {
        self.with("32", text)
    }

    pub(crate) fn red(self, text: &str) -> String {
        self.with("31", text)
    }

    pub(crate) fn bold(self, text: &str) -> String {
        self.with("1", text)
    }

    pub(crate) fn faint(self, text: &str) -> String {
        self.with("2", text)
    }

    fn with(self, code: &str, text: &str) -> String {
        if self.0 { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }
}

/// Text of somebody else's, safe for a terminal: nothing that moves the cursor or forges a line.
pub(crate) fn harmless(text: &str, limit: usize) -> String {
    let mut shown: String = text.chars().take(limit).map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect();
    if text.chars().nth(limit).is_some() {
        shown.push('…');
    }
    shown
}

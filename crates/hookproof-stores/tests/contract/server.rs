//! A database server of the test's own.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};

/// Runs until it is dropped.
pub(crate) struct Server {
    process: Child,
    url: String,
}

impl Server {
    pub(crate) fn start(kind: &str) -> Self {
        let serve = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/stores/serve");
        let mut process = Command::new(serve).arg(kind).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut url = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut url).unwrap();
        assert!(!url.is_empty(), "{kind} did not start");
        Self { process, url: url.trim().to_owned() }
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // The end of its input stops it.
        drop(self.process.stdin.take());
        let _ = self.process.wait();
    }
}

//! The file that `send --log` writes and `retry` reads: a line of JSON for each delivery. The last line of an id counts.

use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::path::Path;

use hookproof_sender::lane::{State, Ticket};
use hookproof_sender::{Driver, Message};
use serde::{Deserialize, Serialize};

use crate::failure::Failure;

/// What has to be known to send a delivery once more, and how it stands. Secrets are not in it, and a URL with a token
/// in it only with the token's prefix.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Record {
    pub(crate) id: String,
    pub(crate) provider: String,
    pub(crate) url: String,
    pub(crate) event_type: String,
    /// The body's bytes in hexadecimal digits: a body need not be text.
    body: String,
    pub(crate) state: State,
    pub(crate) attempts: u32,
}

impl Record {
    pub(crate) fn of(driver: &Driver, ticket: Ticket) -> Option<Self> {
        let message = driver.message(ticket)?;
        let attempts =
            driver.attempts().iter().filter(|attempt| attempt.ticket == ticket).map(|attempt| attempt.number);
        Some(Self {
            id: message.id.clone(),
            provider: driver.endpoint().provider.scheme.clone(),
            url: driver.endpoint().shown_url(),
            event_type: message.event_type.clone(),
            body: message.body.iter().map(|byte| format!("{byte:02x}")).collect(),
            state: driver.state(ticket)?,
            attempts: attempts.max().unwrap_or_default(),
        })
    }

    pub(crate) fn message(&self) -> Result<Message, Failure> {
        let digits = self.body.as_bytes().chunks(2).map(|pair| std::str::from_utf8(pair).unwrap_or_default());
        let body = digits.map(|pair| u8::from_str_radix(pair, 16)).collect::<Result<_, _>>();
        let body = body.map_err(|_| Failure::new(format!("the log's body of {} is damaged", self.id)))?;
        Ok(Message { id: self.id.clone(), event_type: self.event_type.clone(), body })
    }

    pub(crate) fn append(&self, path: &Path) -> Result<(), Failure> {
        let at = |error: std::io::Error| Failure::new(format!("{}: {error}", path.display()));
        let mut line = serde_json::to_string(self)?;
        line.push('\n');
        let mut file = OpenOptions::new().create(true).append(true).open(path).map_err(at)?;
        file.write_all(line.as_bytes()).map_err(at)
    }
}

/// The latest record of each delivery, in the order in which they were first written.
pub(crate) fn read(path: &Path) -> Result<Vec<Record>, Failure> {
    let at = |what: String| Failure::new(format!("{}: {what}", path.display()));
    let file = File::open(path).map_err(|error| at(error.to_string()))?;
    let mut records: Vec<Record> = Vec::new();
    for (line, number) in BufReader::new(file).lines().zip(1..) {
        let line = line?;
        let record: Record = serde_json::from_str(&line).map_err(|error| at(format!("line {number}: {error}")))?;
        match records.iter_mut().find(|known| known.id == record.id) {
            Some(known) => *known = record,
            None => records.push(record),
        }
    }
    Ok(records)
}

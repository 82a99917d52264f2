//! The vectors as they stand in their files.

use std::collections::BTreeMap;
use std::path::Path;

use base64ct::{Base64, Encoding};
use serde::Deserialize;
use serde_json::Value;

/// Where the time does not matter, the runners agree on this one.
pub(crate) const SOME_TIME: i64 = 1_700_000_000;

/// A signature that somebody else made.
#[derive(Deserialize)]
pub(crate) struct Published {
    pub(crate) id: String,
    pub(crate) provider: String,
    pub(crate) secret: String,
    headers: BTreeMap<String, String>,
    pub(crate) method: Option<String>,
    pub(crate) url: Option<String>,
    body_utf8: Option<String>,
    body_b64: Option<String>,
    body_repeat: Option<Repeat>,
    timestamp_now: Option<i64>,
    pub(crate) challenge: Option<Challenge>,
}

#[derive(Deserialize)]
struct Repeat {
    byte: char,
    count: usize,
}

/// A handshake, and the answer that proves the endpoint.
#[derive(Deserialize)]
pub(crate) struct Challenge {
    pub(crate) query: String,
    pub(crate) response: Option<String>,
    pub(crate) response_json: Option<Value>,
}

impl Published {
    pub(crate) fn now(&self) -> i64 {
        self.timestamp_now.unwrap_or(SOME_TIME)
    }

    pub(crate) fn headers(&self) -> Vec<(String, Vec<u8>)> {
        self.headers.iter().map(|(name, value)| (name.clone(), value.clone().into_bytes())).collect()
    }

    pub(crate) fn body(&self) -> Result<Vec<u8>, Broken> {
        match (&self.body_utf8, &self.body_b64, &self.body_repeat) {
            (Some(text), None, None) => Ok(text.clone().into_bytes()),
            (None, Some(text), None) => Ok(Base64::decode_vec(text)?),
            (None, None, Some(Repeat { byte, count })) => Ok(byte.to_string().repeat(*count).into_bytes()),
            (None, None, None) => Ok(Vec::new()),
            _ => Err("a record has one body".into()),
        }
    }
}

/// A hostile request to a `standard-webhooks` endpoint.
#[derive(Deserialize)]
pub(crate) struct Hostile {
    pub(crate) n: u32,
    pub(crate) config: Config,
    headers: Vec<(String, String)>,
    body_b64: Option<String>,
    body: Option<Length>,
    pub(crate) binding_value: Option<BindingValue>,
}

/// How the endpoint is set up.
#[derive(Deserialize)]
pub(crate) struct Config {
    pub(crate) secrets: Vec<Option<String>>,
    pub(crate) tolerance_s: Value,
    pub(crate) now: i64,
    pub(crate) max_body_bytes: Option<u64>,
}

#[derive(Deserialize)]
struct Length {
    repeat_byte: String,
    length: usize,
}

/// A value of a host language that stands where bytes or a text would.
#[derive(Deserialize)]
pub(crate) struct BindingValue {
    pub(crate) r#where: String,
    pub(crate) js: String,
}

impl Hostile {
    /// The headers as they were on the wire: each character of a value is one byte.
    pub(crate) fn headers(&self) -> Result<Vec<(String, Vec<u8>)>, Broken> {
        let bytes = |value: &String| value.chars().map(u8::try_from).collect::<Result<Vec<_>, _>>();
        self.headers.iter().map(|(name, value)| Ok((name.clone(), bytes(value)?))).collect()
    }

    pub(crate) fn body(&self) -> Result<Vec<u8>, Broken> {
        match (&self.body_b64, &self.body) {
            (Some(text), None) => Ok(Base64::decode_vec(text)?),
            (None, Some(Length { repeat_byte, length })) => Ok(vec![u8::from_str_radix(repeat_byte, 16)?; *length]),
            _ => Err("a case has one body".into()),
        }
    }
}

/// The files of vectors themselves are not as they should be.
pub(crate) type Broken = Box<dyn std::error::Error>;

pub(crate) fn published(vectors: &Path) -> Result<Vec<Published>, Broken> {
    let mut records: Vec<Published> = read(&vectors.join("published.json"))?;
    records.append(&mut read(&vectors.join("found.json"))?);
    Ok(records)
}

/// What the records of a provider need as `config`.
pub(crate) fn configs(vectors: &Path) -> Result<BTreeMap<String, Value>, Broken> {
    read(&vectors.join("config.json"))
}

pub(crate) fn hostile(vectors: &Path) -> Result<Vec<Hostile>, Broken> {
    #[derive(Deserialize)]
    struct File {
        cases: Vec<Hostile>,
    }
    Ok(read::<File>(&vectors.join("hostile.json"))?.cases)
}

fn read<T: for<'de> Deserialize<'de>>(path: &Path) -> Result<T, Broken> {
    Ok(serde_json::from_slice(&std::fs::read(path)?)?)
}

//! What several commands take: a scheme, a secret, a body.

use std::fs;
use std::io::{Read, stdin};
use std::path::PathBuf;

use clap::Args;
use hookproof::Scheme;
use hookproof_sender::SigningSecret;

use crate::failure::Failure;

/// Where the secret comes from. Without any of these it is `HOOKPROOF_SECRET` of the environment.
#[derive(Args, Debug)]
pub(crate) struct SecretSource {
    /// The secret itself; other users of this machine can see it while the program runs
    #[arg(long, value_name = "TEXT", group = "secret_source")]
    secret: Option<String>,
    /// The environment variable that holds the secret
    #[arg(long, value_name = "NAME", group = "secret_source")]
    secret_env: Option<String>,
    /// The file that holds the secret; a line break at its end does not count
    #[arg(long, value_name = "FILE", group = "secret_source")]
    secret_file: Option<PathBuf>,
}

impl SecretSource {
    pub(crate) fn read(&self) -> Result<SigningSecret, Failure> {
        if let Some(text) = &self.secret {
            return Ok(SigningSecret::new(text.clone())?);
        }
        if let Some(path) = &self.secret_file {
            let text =
                fs::read_to_string(path).map_err(|error| Failure::new(format!("{}: {error}", path.display())))?;
            return Ok(SigningSecret::new(text.trim_end_matches(['\r', '\n']))?);
        }
        let name = self.secret_env.as_deref().unwrap_or("HOOKPROOF_SECRET");
        let text = std::env::var(name).map_err(|_| {
            Failure::new(format!(
                "no secret: give --secret, --secret-file or --secret-env, or set {name} in the environment"
            ))
        })?;
        Ok(SigningSecret::new(text)?)
    }
}

/// The body: from the command line, from a file, or from standard input.
#[derive(Args, Debug)]
pub(crate) struct BodySource {
    /// The body as text
    #[arg(long, value_name = "TEXT", group = "body_source")]
    body: Option<String>,
    /// The file that holds the body, byte for byte; `-` is standard input
    #[arg(long, value_name = "FILE", group = "body_source")]
    body_file: Option<PathBuf>,
}

impl BodySource {
    pub(crate) fn is_given(&self) -> bool {
        self.body.is_some() || self.body_file.is_some()
    }

    pub(crate) fn read(&self) -> Result<Vec<u8>, Failure> {
        match (&self.body, &self.body_file) {
            (Some(text), _) => Ok(text.clone().into_bytes()),
            (None, Some(path)) => bytes_of(path),
            (None, None) => Err(Failure::new("no body: give --body or --body-file (`-` is standard input)")),
        }
    }
}

/// A file's bytes; `-` is standard input.
pub(crate) fn bytes_of(path: &PathBuf) -> Result<Vec<u8>, Failure> {
    if path.as_os_str() == "-" {
        let mut bytes = Vec::new();
        stdin().read_to_end(&mut bytes)?;
        return Ok(bytes);
    }
    fs::read(path).map_err(|error| Failure::new(format!("{}: {error}", path.display())))
}

/// A scheme by its id, or one's own from a file where the name ends in `.toml` or `.json`.
pub(crate) fn scheme(name: &str) -> Result<Scheme, Failure> {
    let read = || fs::read_to_string(name).map_err(|error| Failure::new(format!("{name}: {error}")));
    let at = |error: hookproof::Error| Failure::from(error.context(name));
    if name.ends_with(".toml") {
        return Scheme::from_toml(&read()?).map_err(at);
    }
    if name.ends_with(".json") {
        return Scheme::from_json(&read()?).map_err(at);
    }
    Ok(Scheme::named(name)?)
}

/// `Name: value`, as curl takes it.
pub(crate) fn header(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once(':').ok_or("a header is written `Name: value`")?;
    Ok((name.trim().to_owned(), value.trim().to_owned()))
}

/// `NAME=VALUE`.
pub(crate) fn setting(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("a setting is written `NAME=VALUE`")?;
    Ok((name.to_owned(), value.to_owned()))
}

/// The time on the wall in whole Unix seconds.
pub(crate) fn now() -> i64 {
    i64::try_from(hookproof_sender::wall_now() / 1_000).unwrap_or(i64::MAX)
}

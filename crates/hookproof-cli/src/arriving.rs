//! A request that came from a provider, put together from arguments.

use clap::Args;
use hookproof::{Options, Request};
use serde_json::json;

use crate::failure::Failure;
use crate::input::{self, BodySource};

/// Everything of a request that a scheme can sign, but the body.
#[derive(Args, Debug)]
pub(crate) struct Around {
    /// A header of the request, as `Name: value`
    #[arg(long = "header", short = 'H', value_name = "HEADER", value_parser = input::header)]
    pub(crate) headers: Vec<(String, String)>,
    /// The URL that is called, which some schemes sign
    #[arg(long)]
    pub(crate) url: Option<String>,
    /// The method, which some schemes sign
    #[arg(long, default_value = "POST")]
    pub(crate) method: String,
    /// A value that the scheme wants configured, as NAME=VALUE
    #[arg(long = "config", value_name = "NAME=VALUE", value_parser = input::setting)]
    config: Vec<(String, String)>,
}

impl Around {
    /// The request with this body.
    pub(crate) fn request<'a>(&'a self, body: &'a [u8]) -> Request<'a> {
        let request = Request::new(&self.headers, body).method(&self.method);
        match &self.url {
            Some(url) => request.url(url),
            None => request,
        }
    }

    /// The options that hold what a scheme wants configured.
    pub(crate) fn options(&self) -> Result<Options, Failure> {
        let config: serde_json::Map<_, _> =
            self.config.iter().map(|(name, value)| (name.clone(), value.clone().into())).collect();
        if config.is_empty() {
            return Ok(Options::default());
        }
        Ok(Options::from_value(&json!({ "config": config }))?)
    }
}

/// A whole request and what it is judged with.
#[derive(Args, Debug)]
pub(crate) struct Case {
    /// The provider (`hookproof providers` lists them), or a scheme file of your own
    pub(crate) provider: String,
    #[command(flatten)]
    pub(crate) secret: input::SecretSource,
    #[command(flatten)]
    pub(crate) body: BodySource,
    #[command(flatten)]
    pub(crate) around: Around,
    /// The time to judge at, Unix seconds; now if nothing is said
    #[arg(long, value_name = "SECONDS", allow_negative_numbers = true)]
    now: Option<i64>,
}

impl Case {
    pub(crate) fn now(&self) -> i64 {
        self.now.unwrap_or_else(input::now)
    }
}

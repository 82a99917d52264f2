//! `hookproof sign`

use clap::Args;
use hookproof::{Message, Secret, Signer};
use serde_json::json;

use crate::arriving::Around;
use crate::console::{say, say_json};
use crate::failure::{Answer, Failure};
use crate::input::{self, BodySource, SecretSource};

#[derive(Args, Debug)]
pub(crate) struct Sign {
    /// The provider (`hookproof providers` lists them), or a scheme file of your own
    provider: String,
    #[command(flatten)]
    secret: SecretSource,
    #[command(flatten)]
    body: BodySource,
    /// The delivery's id, where it travels in a header
    #[arg(long)]
    id: Option<String>,
    /// The event's name, where it travels in a header
    #[arg(long, value_name = "TYPE")]
    event: Option<String>,
    /// The time to sign, Unix seconds; now if nothing is said
    #[arg(long, value_name = "SECONDS", allow_negative_numbers = true)]
    timestamp: Option<i64>,
    #[command(flatten)]
    around: Around,
    /// Print a curl command that sends the request
    #[arg(long)]
    curl: bool,
    /// Print JSON
    #[arg(long, conflicts_with = "curl")]
    json: bool,
}

impl Sign {
    pub(crate) fn run(self) -> Result<Answer, Failure> {
        let scheme = input::scheme(&self.provider)?;
        let body = self.body.read()?;
        let around = self.around;
        let options = around.options()?;
        let secret = Secret::new(self.secret.read()?.reveal())?;
        let signer = Signer::with_options(scheme, secret, options)?;
        let mut message = Message::new(&body, self.timestamp.unwrap_or_else(input::now))
            .method(&around.method)
            .headers(&around.headers);
        if let Some(id) = &self.id {
            message = message.id(id);
        }
        if let Some(event) = &self.event {
            message = message.event_type(event);
        }
        if let Some(url) = &around.url {
            message = message.url(url);
        }
        let signed = signer.sign(&message)?;
        let url = signed.url.clone().or(around.url);
        if self.json {
            let headers: serde_json::Map<_, _> =
                signed.headers.into_iter().map(|(name, value)| (name, value.into())).collect();
            say_json(&json!({ "headers": headers, "url": url, "signature": signed.signature }))?;
        } else if self.curl {
            let mut headers = vec![("Content-Type".to_owned(), "application/json".to_owned())];
            headers.retain(|(name, _)| !around.headers.iter().any(|(given, _)| given.eq_ignore_ascii_case(name)));
            headers.extend(around.headers);
            headers.extend(signed.headers);
            say(curl(&around.method, url.as_deref().unwrap_or("http://127.0.0.1:8000/"), &headers, &body))?;
        } else {
            for (name, value) in &signed.headers {
                say(format_args!("{name}: {value}"))?;
            }
            if let Some(url) = signed.url {
                say(url)?;
            }
        }
        Ok(Answer::Yes)
    }
}

/// A command for a POSIX shell that sends exactly these bytes.
pub(crate) fn curl(method: &str, url: &str, headers: &[(String, String)], body: &[u8]) -> String {
    let mut command = format!("curl -X {} {}", quoted(method), quoted(url));
    for (name, value) in headers {
        command.push_str(" \\\n  -H ");
        command.push_str(&quoted(&format!("{name}: {value}")));
    }
    match std::str::from_utf8(body) {
        // A leading `@` would name a file, so the text goes in with --data-raw.
        Ok(text) if !text.contains('\0') => {
            command.push_str(" \\\n  --data-raw ");
            command.push_str(&quoted(text));
            command
        }
        _ => {
            let escaped: String = body.iter().map(|byte| format!("\\{byte:03o}")).collect();
            format!("printf '{escaped}' | {command} \\\n  --data-binary @-")
        }
    }
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

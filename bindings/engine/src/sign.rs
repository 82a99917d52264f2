use hookproof::{Error, ErrorKind, Message, Options, Signer};
use serde_json::Value;

use crate::{
    about::scheme,
    json::{Json, object},
    verifier::{parsed, split},
};

/// Signs as the provider does: `{headers, url, signature}`.
///
/// The secret comes as in [`crate::verifier`]; `message` is `{timestamp, id, event_type, method, url, headers}`.
pub fn sign(
    source: &str,
    secret: &[u8],
    parts: &str,
    options: &str,
    body: &[u8],
    message: &str,
) -> Result<String, Error> {
    let mut secrets = split(secret, &parsed(parts)?)?;
    let Some(secret) = secrets.pop().filter(|_| secrets.is_empty()) else {
        return Err(Error::new(ErrorKind::SecretTooMany, "a signer takes one secret".to_owned()));
    };
    let signer = Signer::with_options(scheme(source)?, secret, Options::from_value(&parsed(options)?)?)?;
    let parts = parsed(message)?;
    let text = |field: &str| parts.get(field).and_then(Value::as_str);
    let headers = pairs(parts.get("headers"));
    let mut message =
        Message::new(body, parts.get("timestamp").and_then(Value::as_i64).unwrap_or_default()).headers(&headers);
    if let Some(id) = text("id") {
        message = message.id(id);
    }
    if let Some(event_type) = text("event_type") {
        message = message.event_type(event_type);
    }
    if let Some(method) = text("method") {
        message = message.method(method);
    }
    if let Some(url) = text("url") {
        message = message.url(url);
    }
    let signed = signer.sign(&message)?;
    Ok(object(&[
        ("headers", Json::pairs(&signed.headers)),
        ("url", Json::maybe(signed.url.as_deref())),
        ("signature", (&signed.signature).into()),
    ]))
}

fn pairs(list: Option<&Value>) -> Vec<(String, String)> {
    let list = list.and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let pair = |pair: &Value| Some((pair.get(0)?.as_str()?.to_owned(), pair.get(1)?.as_str()?.to_owned()));
    list.iter().filter_map(pair).collect()
}

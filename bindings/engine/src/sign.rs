use hookproof::{Error, ErrorKind, Message, Options, Signer, json::Value};

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
    let signer = Signer::with_options(scheme(source)?, secret, Options::from_json(options)?)?;
    let parts = parsed(message)?;
    let text = |field: &str| parts.get(field).and_then(Value::text);
    let headers = pairs(parts.get("headers"));
    let mut message =
        Message::new(body, parts.get("timestamp").and_then(Value::whole).unwrap_or_default()).headers(&headers);
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

fn pairs(list: Option<&Value<'_>>) -> Vec<(String, String)> {
    let mut pairs = Vec::new();
    for pair in list.map(Value::list).unwrap_or_default() {
        if let [Value::Text(name), Value::Text(text)] = pair.list() {
            pairs.push((name.as_ref().into(), text.as_ref().into()));
        }
    }
    pairs
}

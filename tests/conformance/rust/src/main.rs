//! Plays every vector against the core and prints one answer per line: see `tests/conformance/README.md`.
#![expect(clippy::print_stdout, reason = "its output is what it is for")]

#[cfg(test)]
mod mutations;
mod record;

use std::path::Path;

use hookproof::{Error, Options, Request, Scheme, Secret, Verifier};
use serde_json::{Value, json};

use record::{BindingValue, Broken, Challenge, Hostile, Published};

const OK: &str = "ok";

fn main() -> Result<(), Broken> {
    let vectors = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../vectors");
    let configs = record::configs(&vectors)?;
    let mut ran = 0;
    let mut answer = |id: &str, code: &str| {
        println!("{}", json!({ "id": id, "code": code }));
        ran += 1;
    };
    for record in record::published(&vectors)? {
        if !Scheme::names().any(|name| name == record.provider) {
            continue;
        }
        answer(&record.id, &play_published(&record, configs.get(&record.provider))?);
    }
    for case in record::hostile(&vectors)? {
        answer(&format!("hostile-{}", case.n), &play_hostile(&case)?);
    }
    println!("ran {ran}");
    Ok(())
}

fn play_published(record: &Published, config: Option<&Value>) -> Result<String, Broken> {
    let body = record.body()?;
    let mut options = json!({ "allow_legacy": true, "handshake": record.challenge.is_some() });
    if let (Some(options), Some(config)) = (options.as_object_mut(), config) {
        options.insert("config".into(), config.clone());
    }
    let verifier = || -> Result<Verifier, Error> {
        let scheme = Scheme::named(&record.provider)?;
        Verifier::with_options(scheme, Secret::new(record.secret.as_str())?, Options::from_value(&options)?)
    };
    if let Some(challenge) = &record.challenge {
        return Ok(verifier().and_then(|verifier| play_challenge(&verifier, challenge)).unwrap_or_else(said));
    }
    let verify = || -> Result<(), Error> {
        let headers = record.headers();
        let mut request = Request::new(&headers, &body);
        if let Some(method) = &record.method {
            request = request.method(method);
        }
        if let Some(url) = &record.url {
            request = request.url(url);
        }
        verifier()?.verify(&request, record.now()).map(drop)
    };
    Ok(verify().map_or_else(said, |()| OK.into()))
}

fn play_challenge(verifier: &Verifier, challenge: &Challenge) -> Result<String, Error> {
    let url = format!("https://example.com/webhook?{}", challenge.query);
    let headers: [(&str, &str); 0] = [];
    let request = Request::new(&headers, "").method("GET").url(&url);
    let Some(reply) = verifier.handshake(&request, record::SOME_TIME)? else {
        return Ok("broken: not taken for a handshake".into());
    };
    let right = match &challenge.response_json {
        Some(json) => serde_json::from_str::<Value>(&reply.body).is_ok_and(|answered| answered == *json),
        None => challenge.response.as_deref() == Some(reply.body.as_str()),
    };
    Ok(if right { "challenge".into() } else { format!("broken: answered {}", reply.body) })
}

fn play_hostile(case: &Hostile) -> Result<String, Broken> {
    let mut headers = case.headers()?;
    if let Some(value) = &case.binding_value
        && !express(value, &mut headers)
    {
        return Ok("n/a".into());
    }
    let body = case.body()?;
    let mut options = json!({ "tolerance": case.config.tolerance_s });
    if let (Some(options), Some(limit)) = (options.as_object_mut(), case.config.max_body_bytes) {
        options.insert("max_body".into(), limit.into());
    }
    let verify = || -> Result<(), Error> {
        let scheme = Scheme::named("standard-webhooks")?;
        // a secret that was never set has no other form here than to be left out
        let secrets = case.config.secrets.iter().flatten();
        let secrets = secrets.map(|secret| Secret::new(secret.as_str())).collect::<Result<Vec<_>, _>>()?;
        let verifier = Verifier::with_options(scheme, secrets, Options::from_value(&options)?)?;
        verifier.verify(&Request::new(&headers, &body), case.config.now).map(drop)
    };
    Ok(verify().map_or_else(said, |()| OK.into()))
}

/// What is printed of an error.
fn said(error: Error) -> String {
    error.code().to_owned()
}

/// Puts into the headers what a host language would pass; false where Rust's types leave no way to say it.
fn express(value: &BindingValue, headers: &mut Vec<(String, Vec<u8>)>) -> bool {
    const SIGNATURE: &str = "webhook-signature";
    match (value.r#where.as_str(), value.js.as_str()) {
        // text is its UTF-8, a view is a slice
        ("body", "string" | "new Uint8Array(buf, 8, n)") => {}
        // a list of values is several lines of one name
        ("headers['webhook-signature']", "[GOOD]") => {}
        ("headers['webhook-signature']", "[GOOD, GOOD]") => {
            let lines: Vec<_> = headers.iter().filter(|(name, _)| name == SIGNATURE).cloned().collect();
            headers.extend(lines);
        }
        ("headers['webhook-signature']", "null and undefined") => {
            headers.retain(|(name, _)| name != SIGNATURE);
        }
        ("headers['webhook-id']", "'msg_\\ud800'") => {
            for (_, id) in headers.iter_mut().filter(|(name, _)| name == "webhook-id") {
                *id = b"msg_\xed\xa0\x80".to_vec();
            }
        }
        _ => return false,
    }
    true
}

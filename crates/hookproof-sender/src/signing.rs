//! From a message to the request that carries it: signed, headers in the document's case and order, faults included.

use hookproof::{Scheme, Secret, Signer};

use crate::endpoint::{Endpoint, Message};
use crate::provider::SeveralSecrets;
use crate::transport::{Method, Request};
use crate::{Error, Fault, SigningSecret, random};

const USER_AGENT: &str = concat!("hookproof/", env!("CARGO_PKG_VERSION"));

/// The request of one attempt, signed at `now` (Unix seconds).
///
/// # Errors
/// If a secret is not of the scheme's form, or a fault cannot be had with this provider.
pub fn request(endpoint: &Endpoint, message: &Message, now: i64, faults: &[Fault]) -> Result<Request, Error> {
    let scheme = Scheme::named(&endpoint.provider.scheme).map_err(|error| Error::invalid(error.to_string()))?;
    let mut body = message.body.clone();
    if faults.iter().any(|fault| matches!(fault, Fault::NotUtf8)) {
        // A well-formed body with one byte that begins no UTF-8 sequence.
        body.push(0xff);
    }
    let shift: i64 = faults.iter().map(|fault| if let Fault::TimeShift(seconds) = fault { *seconds } else { 0 }).sum();
    let at = now.saturating_add(shift);
    let secrets = secrets(endpoint, now, faults)?;
    let signed =
        if endpoint.provider.signs() { sign(&scheme, &secrets, endpoint, message, &body, at)? } else { Vec::new() };
    let mut headers = vec![("User-Agent".to_owned(), USER_AGENT.to_owned())];
    headers.extend(compose(endpoint, message, signed));
    let mut request = Request { method: Method::Post, target: endpoint.target.clone(), headers, body };
    for fault in faults {
        distort(&mut request, &scheme, endpoint, message, fault)?;
    }
    Ok(request)
}

fn secrets(endpoint: &Endpoint, now: i64, faults: &[Fault]) -> Result<Vec<SigningSecret>, Error> {
    for fault in faults {
        match fault {
            Fault::WrongSecret => {
                return Ok(vec![SigningSecret::generate(
                    &endpoint.provider.secret,
                    &random::bytes(endpoint.provider.secret.bytes)?,
                )]);
            }
            Fault::RotatedSecret(secret) => return Ok(vec![secret.clone()]),
            _ => {}
        }
    }
    let now = u64::try_from(now).unwrap_or_default().saturating_mul(1_000);
    Ok(match endpoint.provider.wire.several_secrets {
        SeveralSecrets::Newest => vec![endpoint.secrets.newest().clone()],
        SeveralSecrets::All => endpoint.secrets.valid(now).cloned().collect(),
    })
}

/// Signs with each secret. Where the values differ, the header is a list and holds all of them.
fn sign(
    scheme: &Scheme,
    secrets: &[SigningSecret],
    endpoint: &Endpoint,
    message: &Message,
    body: &[u8],
    at: i64,
) -> Result<Vec<(String, String)>, Error> {
    let mut all: Vec<(String, String)> = Vec::new();
    for secret in secrets {
        let failed = |error: hookproof::Error| Error::invalid(error.to_string());
        let signer = Signer::new(scheme.clone(), Secret::new(secret.reveal()).map_err(failed)?).map_err(failed)?;
        let content = hookproof::Message::new(body, at)
            .id(&message.id)
            .event_type(&message.event_type)
            .url(endpoint.target.url());
        for (name, value) in signer.sign(&content).map_err(failed)?.headers {
            match all.iter_mut().find(|(known, _)| *known == name) {
                None => all.push((name, value)),
                Some((_, known)) if *known == value => {}
                Some((_, known)) => {
                    known.push(' ');
                    known.push_str(&value);
                }
            }
        }
    }
    Ok(all)
}

/// The provider's headers in its order; what the scheme gives beyond them comes last.
fn compose(endpoint: &Endpoint, message: &Message, mut signed: Vec<(String, String)>) -> Vec<(String, String)> {
    let mut headers = Vec::new();
    for field in &endpoint.provider.wire.headers {
        let given =
            signed.iter().position(|(name, _)| name.eq_ignore_ascii_case(&field.name)).map(|at| signed.remove(at).1);
        let value = match (field.value.as_str(), given) {
            ("{signed}", Some(value)) => value,
            ("{signed}", None) => continue,
            (template, _) => template.replace("{id}", &message.id).replace("{type}", &message.event_type),
        };
        headers.push((field.name.clone(), value));
    }
    headers.append(&mut signed);
    headers
}

fn distort(
    request: &mut Request,
    scheme: &Scheme,
    endpoint: &Endpoint,
    message: &Message,
    fault: &Fault,
) -> Result<(), Error> {
    match fault {
        Fault::TamperedBody => {
            // In the middle: within the data, so that the JSON usually stays JSON.
            let middle = request.body.len() / 2;
            match request.body.get_mut(middle) {
                Some(byte) => *byte ^= 1,
                None => request.body.push(b' '),
            }
        }
        Fault::MissingHeader(name) => {
            let name = name.clone().map_or_else(|| signature_header(endpoint, scheme), Ok)?;
            if request.header(&name).is_none() {
                return Err(Error::invalid(format!(
                    "{} sends no header `{}`",
                    scheme.id(),
                    crate::error::shown(&name)
                )));
            }
            request.headers.retain(|(known, _)| !known.eq_ignore_ascii_case(&name));
        }
        Fault::SwappedId => {
            if scheme.id_is_signed() {
                return Err(Error::invalid(format!(
                    "{} signs its delivery id: another one is a tampered request",
                    scheme.id()
                )));
            }
            let other = endpoint.new_id()?;
            let (_, value) = request
                .headers
                .iter_mut()
                .find(|(_, value)| *value == message.id)
                .ok_or_else(|| Error::invalid(format!("{} sends its id in no header", scheme.id())))?;
            *value = other;
        }
        Fault::WrongSecret | Fault::TimeShift(_) | Fault::RotatedSecret(_) | Fault::NotUtf8 | Fault::Copies(_) => {}
    }
    Ok(())
}

/// The header that carries the signature: by its name, which every document gives it.
fn signature_header(endpoint: &Endpoint, scheme: &Scheme) -> Result<String, Error> {
    let mut names = endpoint.provider.wire.headers.iter().map(|field| &field.name);
    names
        .rfind(|name| name.to_ascii_lowercase().ends_with("signature"))
        .cloned()
        .ok_or_else(|| Error::invalid(format!("{} sends no signature", scheme.id())))
}

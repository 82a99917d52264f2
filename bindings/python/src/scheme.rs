use hookproof::{Error, ErrorKind, Message, Options, Scheme as Core, Secret, Signer};
use pyo3::prelude::*;

use crate::{guarded, raised};

/// How one provider signs; the package's `Scheme` reads files and dicts for it.
#[pyclass(frozen, subclass, module = "hookproof._engine")]
pub(crate) struct Scheme(pub(crate) Core);

/// A secret as the package hands it over: material, name, not before, not after.
pub(crate) type Given = (Vec<u8>, Option<String>, Option<i64>, Option<i64>);
/// A message: timestamp, id, event type, method, URL, further headers.
type Parts<'a> = (i64, Option<&'a str>, Option<&'a str>, &'a str, Option<&'a str>, Pairs);
type Pairs = Vec<(String, String)>;

#[pymethods]
impl Scheme {
    /// `format` is `name`, `json` or `toml`.
    #[new]
    fn new(source: &str, format: &str) -> PyResult<Self> {
        let read = match format {
            "name" => Core::named,
            "json" => Core::from_json,
            _ => Core::from_toml,
        };
        guarded(|| read(source).map(Self).map_err(raised))
    }

    /// Id, title, docs, note, evidence and coverage; what is not covered; the methods of handshakes.
    fn facts(&self) -> ([&str; 6], Vec<String>, Vec<&str>) {
        let Self(core) = self;
        let (evidence, coverage) = (core.evidence().as_str(), core.coverage().as_str());
        let texts = [core.id(), core.title(), core.docs(), core.note(), evidence, coverage];
        (texts, core.exposure(), core.handshake_methods().collect())
    }
}

pub(crate) fn secret((material, name, not_before, not_after): Given) -> PyResult<Secret> {
    let secret = Secret::new(material).map_err(raised)?.valid(not_before, not_after);
    Ok(name.iter().fold(secret, |secret, name| secret.named(name)))
}

pub(crate) fn options(json: &str) -> PyResult<Options> {
    let invalid =
        |_| raised(Error::new(ErrorKind::OptionInvalid, "an option holds text that is not Unicode".to_owned()));
    Options::from_value(&serde_json::from_str(json).map_err(invalid)?).map_err(raised)
}

/// Signs as the provider does: headers, the URL if something is added to it, and the signature by itself.
#[pyfunction]
pub(crate) fn sign(
    scheme: &Scheme,
    given: Given,
    json: &str,
    body: &[u8],
    parts: Parts<'_>,
) -> PyResult<(Pairs, Option<String>, String)> {
    let (timestamp, id, event_type, method, url, headers) = parts;
    guarded(|| {
        let message = Message::new(body, timestamp).method(method).headers(&headers);
        let message = id.map_or(message, |id| message.id(id));
        let message = event_type.map_or(message, |event_type| message.event_type(event_type));
        let message = url.map_or(message, |url| message.url(url));
        let signer = Signer::with_options(scheme.0.clone(), secret(given)?, options(json)?).map_err(raised)?;
        let signed = signer.sign(&message).map_err(raised)?;
        Ok((signed.headers, signed.url, signed.signature))
    })
}

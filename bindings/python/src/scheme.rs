use std::collections::HashMap;

use hookproof::{Error, ErrorKind, Message, Options, Scheme as Core, Secret, Signer};
use pyo3::prelude::*;

use crate::{guarded, raised};

/// How one provider signs; the package's `Scheme` reads files and dicts for it.
#[pyclass(frozen, subclass, module = "hookproof._engine")]
pub(crate) struct Scheme(pub(crate) Core);

/// A secret as the package hands it over: material, name, not before, not after.
pub(crate) type Given = (Vec<u8>, Option<String>, Option<i64>, Option<i64>);

#[pymethods]
impl Scheme {
    /// `format` is `name`, `json` or `toml`; `place` is put in front of an error's message.
    #[new]
    #[pyo3(signature = (source, format, place = None))]
    fn new(source: &str, format: &str, place: Option<&str>) -> PyResult<Self> {
        guarded(|| {
            let scheme = match format {
                "name" => Core::named(source),
                "json" => Core::from_json(source),
                _ => Core::from_toml(source),
            };
            let placed = |error: Error| place.map_or_else(|| error.clone(), |place| error.clone().context(place));
            scheme.map(Self).map_err(|error| raised(placed(error)))
        })
    }

    #[staticmethod]
    fn names() -> Vec<&'static str> {
        Core::names().collect()
    }

    #[getter]
    fn id(&self) -> &str {
        self.0.id()
    }

    fn facts(&self) -> HashMap<&str, String> {
        let (evidence, coverage) = (self.0.evidence().as_str(), self.0.coverage().as_str());
        let texts = [("title", self.0.title()), ("docs", self.0.docs()), ("note", self.0.note())];
        let words = texts.into_iter().chain([("evidence", evidence), ("coverage", coverage)]);
        words.map(|(name, text)| (name, text.to_owned())).collect()
    }

    fn exposure(&self) -> Vec<String> {
        self.0.exposure()
    }

    fn handshake_methods(&self) -> Vec<&str> {
        self.0.handshake_methods().collect()
    }
}

pub(crate) fn secret((material, name, not_before, not_after): Given) -> PyResult<Secret> {
    let secret = Secret::new(material).map_err(raised)?.valid(not_before, not_after);
    Ok(match name {
        Some(name) => secret.named(&name),
        None => secret,
    })
}

pub(crate) fn options(json: &str) -> PyResult<Options> {
    let invalid = |_| crate::error(ErrorKind::OptionInvalid, "an option holds text that is not Unicode".to_owned());
    Options::from_value(&serde_json::from_str(json).map_err(invalid)?).map_err(raised)
}

/// Signs as the provider does: headers, the URL if something is added to it, and the signature by itself.
#[pyfunction]
#[expect(clippy::too_many_arguments, reason = "the parts of a message, in one call instead of an object")]
pub(crate) fn sign(
    scheme: &Scheme,
    given: Given,
    json: &str,
    body: &[u8],
    timestamp: i64,
    id: Option<&str>,
    event_type: Option<&str>,
    method: &str,
    url: Option<&str>,
    headers: Vec<(String, String)>,
) -> PyResult<(Vec<(String, String)>, Option<String>, String)> {
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

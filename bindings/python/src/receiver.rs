use std::time::Instant;

use hookproof::store::Token;
use hookproof::{Answer, Command, Error, ErrorKind, Event, Receiver, Reception as CoreReception};
use pyo3::prelude::*;

use crate::delivery::Delivery;
use crate::verifier::Verifier;
use crate::{guarded, input, raised};

/// The core's receiving kernel around a verifier.
#[pyclass(frozen)]
pub(crate) struct Kernel {
    core: Receiver,
    verifier: Py<Verifier>,
    started: Instant,
    #[pyo3(get)]
    warnings: Vec<String>,
    /// How long a bounded store must keep a completed key at least, in seconds.
    #[pyo3(get)]
    least_retention: u64,
}

/// A request: body, headers, method and URL.
type Parts<'py> = (Bound<'py, PyAny>, Bound<'py, PyAny>, Option<Bound<'py, PyAny>>, Option<Bound<'py, PyAny>>);
type Begun<'py> = PyResult<(Bound<'py, PyAny>, Option<Delivery>, Option<Reception>)>;
type Told<'py> = PyResult<Bound<'py, PyAny>>;

#[pymethods]
impl Kernel {
    #[new]
    fn new(verifier: Py<Verifier>, deduplicates: bool) -> PyResult<Self> {
        let core = guarded(|| Receiver::new(verifier.get().core.clone(), deduplicates).map_err(raised))?;
        let (warnings, least_retention) = (core.warnings().to_vec(), core.least_retention());
        Ok(Self { core, verifier, warnings, least_retention, started: Instant::now() })
    }

    /// Judges a request: what is next, and if it is a delivery, that and its reception.
    fn begin<'py>(&self, request: Parts<'py>, now: i64, scope: &str, token: [u8; 16]) -> Begun<'py> {
        let ((body, headers, method, url), verifier) = (request, self.verifier.get());
        let py = body.py();
        guarded(|| {
            let (head, body) = (verifier.head(&headers, method.as_ref(), url.as_ref())?, input::body(&body)?);
            let judged = match self.core.verifier().handshake(&head.with(body.as_bytes()), now) {
                Ok(None) => verifier.judge(&head, &body, now).map_err(|error| self.core.refuse(&error)),
                Ok(Some(reply)) => Err(self.core.shake(reply)),
                Err(error) => Err(self.core.refuse(&error)),
            };
            match judged {
                Err(answer) => Ok((told(py, Command::Answer(answer))?, None, None)),
                Ok(delivery) => {
                    let now_ms = u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX);
                    let (reception, command) = self.core.begin(&delivery.core(py), scope, Token(token), now_ms);
                    Ok((told(py, command)?, Some(delivery), Some(Reception(reception))))
                }
            }
        })
    }
}

/// The answer to a request that is refused without judging it: its body is gone, or there is no secret for it.
#[pyfunction]
pub(crate) fn refuse<'py>(py: Python<'py>, scheme: &str, code: &str, message: String) -> Told<'py> {
    let kind = ErrorKind::from_code(code).unwrap_or(ErrorKind::InternalError);
    told(py, Command::Answer(Answer::refusal(scheme, &Error::new(kind, message))))
}

/// One delivery on its way through a receiver.
#[pyclass]
pub(crate) struct Reception(CoreReception);

#[pymethods]
impl Reception {
    /// Takes what came of the last command, in one word and a value, and says what is next.
    #[pyo3(signature = (word, value = None))]
    fn step<'py>(&mut self, py: Python<'py>, word: &str, value: Option<Bound<'py, PyAny>>) -> Told<'py> {
        let number = value.as_ref().and_then(|value| value.extract().ok());
        let body_hash = value.as_ref().and_then(|value| value.extract().ok());
        let wrong = || raised(Error::new(ErrorKind::StoreUnavailable, format!("`{word}` came with a wrong value")));
        let event = Event::named(word, number, body_hash).ok_or_else(wrong)?;
        guarded(|| told(py, self.0.step(event)))
    }
}

/// A command as a tuple that begins with its name.
fn told(py: Python<'_>, command: Command) -> Told<'_> {
    let tuple = match command {
        Command::Claim(it) => ("claim", it.key, it.body_hash, it.lease_ms, it.retention_ms).into_pyobject(py),
        Command::Run { fence, renew_every_ms, renew_for_ms, .. } => {
            ("run", fence, renew_every_ms, renew_for_ms).into_pyobject(py)
        }
        Command::Complete { delay_ms, .. } => ("complete", delay_ms).into_pyobject(py),
        Command::Answer(Answer { status, headers, body, outcome: of }) => {
            let code = (of.kind.as_str(), of.status, of.scheme, of.code, of.message);
            let outcome = (code, of.id, of.event_type, of.key_prefix, of.secret_name, of.fence);
            ("answer", status, headers, body, outcome).into_pyobject(py)
        }
        _ => ("release",).into_pyobject(py),
    };
    Ok(tuple?.into_any())
}

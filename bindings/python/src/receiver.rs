use std::time::Instant;

use hookproof::store::{ClaimAnswer, Token};
use hookproof::{
    Answer, Command, Error, ErrorKind, Event, Outcome as CoreOutcome, Receiver, Reception as CoreReception,
};
use pyo3::prelude::*;

use crate::delivery::Delivery;
use crate::verifier::{Object, Verifier};
use crate::{error, guarded, input, raised};

/// The core's receiving kernel around a verifier.
#[pyclass(frozen)]
pub(crate) struct Kernel {
    core: Receiver,
    verifier: Py<Verifier>,
    started: Instant,
}

type Told<'py> = PyResult<Bound<'py, PyAny>>;

#[pymethods]
impl Kernel {
    #[new]
    fn new(verifier: Py<Verifier>, deduplicates: bool) -> PyResult<Self> {
        let core = guarded(|| Receiver::new(verifier.get().core.clone(), deduplicates).map_err(raised))?;
        Ok(Self { core, verifier, started: Instant::now() })
    }

    #[getter]
    fn verifier(&self, py: Python<'_>) -> Py<Verifier> {
        self.verifier.clone_ref(py)
    }

    #[getter]
    fn retention(&self) -> u64 {
        self.core.retention()
    }

    #[getter]
    fn warnings(&self) -> Vec<String> {
        self.core.warnings().to_vec()
    }

    /// Judges a request: what is next, and if it is a delivery, that and its reception.
    #[expect(clippy::too_many_arguments, reason = "the parts of a request, in one call instead of an object")]
    fn begin<'py>(
        &self,
        body: Object<'_, 'py>,
        headers: Object<'_, 'py>,
        method: Option<Object<'_, 'py>>,
        url: Option<Object<'_, 'py>>,
        now: i64,
        scope: &str,
        token: [u8; 16],
    ) -> PyResult<(Bound<'py, PyAny>, Option<Delivery>, Option<Reception>)> {
        let (py, verifier) = (body.py(), self.verifier.get());
        guarded(|| {
            let (head, body) = (verifier.head(headers, method, url)?, input::body(body)?);
            let answer = match self.core.verifier().handshake(&head.with(body.as_bytes()), now) {
                Ok(None) => match verifier.judge(&head, &body, now) {
                    Ok(delivery) => {
                        let elapsed = u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX);
                        let (reception, command) = self.core.begin(&delivery.core(py), scope, Token(token), elapsed);
                        return Ok((told(py, command)?, Some(delivery), Some(Reception(reception))));
                    }
                    Err(error) => self.core.refuse(&error),
                },
                Ok(Some(reply)) => self.core.shake(reply),
                Err(error) => self.core.refuse(&error),
            };
            Ok((told(py, Command::Answer(answer))?, None, None))
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
    #[pyo3(signature = (event, value = None))]
    fn step<'py>(&mut self, py: Python<'py>, event: &str, value: Option<Object<'_, 'py>>) -> Told<'py> {
        let wrong =
            || error(ErrorKind::StoreUnavailable, format!("the store answered `{event}` with what it should not"));
        let value = || value.ok_or_else(wrong);
        let event = match event {
            "claimed" => Event::Claimed(ClaimAnswer::Claimed { fence: value()?.extract().map_err(|_| wrong())? }),
            "done" => Event::Claimed(ClaimAnswer::Done { body_hash: value()?.extract().map_err(|_| wrong())? }),
            "in_flight" => {
                Event::Claimed(ClaimAnswer::InFlight { remaining_ms: value()?.extract().map_err(|_| wrong())? })
            }
            "handled" => Event::Handled { status: value()?.extract().map_err(|_| wrong())? },
            "settled" => Event::Settled { held: value()?.is_truthy()? },
            "raised" => Event::Raised,
            "lease_lost" => Event::LeaseLost,
            "store_failed" => Event::StoreFailed,
            _ => return Err(wrong()),
        };
        guarded(|| told(py, self.0.step(event)))
    }
}

/// A command as a tuple that begins with its name.
fn told(py: Python<'_>, command: Command) -> Told<'_> {
    Ok(match command {
        Command::Claim(claim) => {
            ("claim", claim.key, claim.body_hash, claim.lease_ms, claim.retention_ms).into_pyobject(py)?.into_any()
        }
        Command::Run { fence, renew_every_ms, renew_for_ms, .. } => {
            ("run", fence, renew_every_ms, renew_for_ms).into_pyobject(py)?.into_any()
        }
        Command::Complete { delay_ms, .. } => ("complete", delay_ms).into_pyobject(py)?.into_any(),
        Command::Answer(answer) => {
            let outcome = Outcome::of(answer.outcome);
            ("answer", answer.status, answer.headers, answer.body, outcome).into_pyobject(py)?.into_any()
        }
        _ => ("release",).into_pyobject(py)?.into_any(),
    })
}

/// What happened to one request. Holds neither a secret nor a body.
#[pyclass(get_all, module = "hookproof")]
pub(crate) struct Outcome {
    kind: &'static str,
    status: u16,
    scheme: String,
    code: Option<&'static str>,
    message: Option<String>,
    id: Option<String>,
    event_type: Option<String>,
    key_prefix: Option<String>,
    secret_name: Option<String>,
    fence: u64,
    #[pyo3(set)]
    duration_ms: f64,
}

impl Outcome {
    fn of(core: CoreOutcome) -> Self {
        let CoreOutcome { status, scheme, code, message, id, event_type, key_prefix, secret_name, fence, .. } = core;
        let kind = core.kind.as_str();
        Self { kind, status, scheme, code, message, id, event_type, key_prefix, secret_name, fence, duration_ms: 0.0 }
    }
}

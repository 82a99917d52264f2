use std::time::{Duration, Instant};

use hookproof::store::Token;
use hookproof::{Answer, Command, Error, ErrorKind, Event, Outcome, Receiver, Reception as CoreReception};
use pyo3::prelude::*;

use crate::delivery::Delivery;
use crate::store::MemoryStore;
use crate::verifier::Verifier;
use crate::{guarded, input, raised};

/// The core's receiving kernel around a verifier.
#[pyclass(frozen)]
pub(crate) struct Kernel {
    core: Receiver,
    verifier: Py<Verifier>,
    /// A store that answers at once, so that its steps need no host.
    memory: Option<Py<MemoryStore>>,
    started: Instant,
    #[pyo3(get)]
    warnings: Vec<String>,
    /// How long a bounded store must keep a completed key at least, in seconds.
    #[pyo3(get)]
    least_retention: u64,
    /// Whether requests must come with their URL.
    #[pyo3(get)]
    reads_url: bool,
}

/// A request: body, headers, method and URL.
type Parts<'py> = (Bound<'py, PyAny>, Bound<'py, PyAny>, Option<Bound<'py, PyAny>>, Option<Bound<'py, PyAny>>);
type Begun<'py> = PyResult<(Bound<'py, PyAny>, Option<Py<Delivery>>, Option<Reception>)>;
type Next<'py> = PyResult<Bound<'py, PyAny>>;

#[pymethods]
impl Kernel {
    #[new]
    #[pyo3(signature = (verifier, deduplicates, memory = None))]
    fn new(verifier: Py<Verifier>, deduplicates: bool, memory: Option<Py<MemoryStore>>) -> PyResult<Self> {
        let core = guarded(|| Receiver::new(verifier.get().core.clone(), deduplicates).map_err(raised))?;
        let (warnings, least_retention) = (core.warnings().to_vec(), core.least_retention());
        let reads_url = core.verifier().reads_url();
        Ok(Self { core, verifier, memory, warnings, least_retention, reads_url, started: Instant::now() })
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
                Err(answer) => Ok((answered(py, answer, None)?, None, None)),
                Ok(delivery) => {
                    let now_ms = u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX);
                    let (core, command) = self.core.begin_unread(&delivery.core(py), scope, Token(token), now_ms);
                    let delivery = Py::new(py, delivery)?;
                    let memory = self.memory.as_ref().map(|store| store.clone_ref(py));
                    let mut reception = Reception { core, delivery: delivery.clone_ref(py), memory };
                    Ok((reception.next(py, command)?, Some(delivery), Some(reception)))
                }
            }
        })
    }
}

/// The answer to a request that is refused without judging it: its body is gone, or there is no secret for it.
#[pyfunction]
pub(crate) fn refuse<'py>(py: Python<'py>, scheme: &str, code: &str, message: String) -> Next<'py> {
    let kind = ErrorKind::from_code(code).unwrap_or(ErrorKind::InternalError);
    answered(py, Answer::refusal(scheme, &Error::new(kind, message)), None)
}

/// One delivery on its way through a receiver.
#[pyclass]
pub(crate) struct Reception {
    core: CoreReception,
    delivery: Py<Delivery>,
    memory: Option<Py<MemoryStore>>,
}

#[pymethods]
impl Reception {
    /// Takes what came of the last command, in one word and a value, and says what is next.
    #[pyo3(signature = (word, value = None))]
    fn step<'py>(&mut self, py: Python<'py>, word: &str, value: Option<Bound<'py, PyAny>>) -> Next<'py> {
        let number = value.as_ref().and_then(|value| value.extract().ok());
        let body_hash = value.as_ref().filter(|_| number.is_none()).and_then(|value| value.extract().ok());
        let wrong = || raised(Error::new(ErrorKind::StoreUnavailable, format!("`{word}` came with a wrong value")));
        let event = Event::named(word, number, body_hash).ok_or_else(wrong)?;
        guarded(|| {
            let command = self.core.step(event);
            self.next(py, command)
        })
    }
}

impl Reception {
    /// What the host does next, as a tuple that begins with its name: for a step of the store, its arguments and what to
    /// wait before follow. The steps of a store in memory are taken before the host hears of them.
    fn next<'py>(&mut self, py: Python<'py>, mut command: Command) -> Next<'py> {
        let memory = self.memory.as_ref().map(|store| store.get());
        while let Some(event) = memory.and_then(|store| store.carry_out(&command)) {
            command = self.core.step(event);
        }
        let tuple = match command {
            Command::Claim(it) => ("claim", (it.key, it.token.0, it.body_hash, it.lease_ms), 0.0).into_pyobject(py),
            Command::Run { fence, claim, renew_every_ms, renew_for_ms } => {
                let held = claim.map(|it| (it.key, it.token.0, it.lease_ms, it.retention_ms, fence));
                let renewal = (seconds(renew_every_ms), seconds(renew_for_ms));
                ("run", held, renewal, memory.and_then(MemoryStore::warning)).into_pyobject(py)
            }
            Command::Complete { claim: it, delay_ms } => {
                ("complete", (it.key, it.token.0, it.retention_ms), seconds(delay_ms)).into_pyobject(py)
            }
            Command::Release(it) => ("release", (it.key, it.token.0), 0.0).into_pyobject(py),
            Command::Answer(answer) => return answered(py, answer, Some(&self.delivery)),
            _ => return Err(raised(Error::new(ErrorKind::InternalError, "a command is not known".to_owned()))),
        };
        Ok(tuple?.into_any())
    }
}

fn seconds(ms: u64) -> f64 {
    Duration::from_millis(ms).as_secs_f64()
}

/// The last command of all.
fn answered<'py>(py: Python<'py>, answer: Answer, delivery: Option<&Py<Delivery>>) -> Next<'py> {
    let Answer { status, headers, body, outcome } = answer;
    let told = Told { outcome, delivery: delivery.map(|delivery| delivery.clone_ref(py)) };
    Ok(("answer", status, headers, body, told).into_pyobject(py)?.into_any())
}

/// What happened, for whoever wants to know: only then it is made into Python's objects.
#[pyclass(frozen)]
pub(crate) struct Told {
    outcome: Outcome,
    delivery: Option<Py<Delivery>>,
}

type Verdict<'a> = (&'static str, u16, &'a str, Option<&'static str>, Option<&'a str>);
type Facts<'a> = (Verdict<'a>, Option<String>, Option<String>, Option<&'a str>, Option<String>, u64);

#[pymethods]
impl Told {
    #[getter]
    fn kind(&self) -> &'static str {
        self.outcome.kind.as_str()
    }

    #[getter]
    fn code(&self) -> Option<&'static str> {
        self.outcome.code
    }

    fn facts(&self, py: Python<'_>) -> PyResult<Facts<'_>> {
        guarded(|| {
            let Outcome { kind, status, scheme, code, message, key_prefix, fence, .. } = &self.outcome;
            let mut named = self.outcome.clone();
            if let Some(delivery) = &self.delivery {
                named.name(&delivery.get().core(py));
            }
            let verdict = (kind.as_str(), *status, scheme.as_str(), *code, message.as_deref());
            Ok((verdict, named.id, named.event_type, key_prefix.as_deref(), named.secret_name, *fence))
        })
    }
}

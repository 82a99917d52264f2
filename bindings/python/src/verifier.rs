use std::time::{SystemTime, UNIX_EPOCH};

use hookproof::{Error, ErrorKind, Proof, Request, Stream as CoreStream, Verifier as Core};
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedStr;
use pyo3::types::PyBytes;

use crate::delivery::Delivery;
use crate::input::{self, Names, Picked};
use crate::scheme::{Given, Scheme, options, secret};
use crate::{error, guarded, raised};

/// From this size on other threads may run meanwhile. Where another thread is busy, handing the interpreter over costs
/// about as much as a MAC over 1 MiB.
const RELEASE_ABOVE: usize = 1 << 20;

/// A scheme with its secrets; the package's `Verifier` takes what users write for it.
#[pyclass(frozen, subclass, module = "hookproof._engine")]
pub(crate) struct Verifier {
    pub(crate) core: Core,
    names: Names,
}

pub(crate) type Object<'a, 'py> = &'a Bound<'py, PyAny>;

/// All of a request but its body, kept alive without the interpreter.
pub(crate) struct Head {
    headers: Picked,
    method: Option<PyBackedStr>,
    url: Option<PyBackedStr>,
}

impl Head {
    pub(crate) fn with<'a>(&'a self, body: &'a [u8]) -> Request<'a> {
        let request = Request::new(&self.headers, body);
        let request = self.method.as_deref().map_or(request, |method| request.method(method));
        self.url.as_deref().map_or(request, |url| request.url(url))
    }
}

impl Verifier {
    pub(crate) fn head(&self, headers: Object, method: Option<Object>, url: Option<Object>) -> PyResult<Head> {
        let headers = self.names.pick(headers)?;
        Ok(Head { headers, method: input::text("method", method)?, url: input::text("url", url)? })
    }

    pub(crate) fn judge(&self, head: &Head, body: &Bound<'_, PyBytes>, now: i64) -> Result<Delivery, Error> {
        let (py, bytes) = (body.py(), body.as_bytes());
        let judge = || -> Result<(Proof<'static>, Option<Vec<u8>>), Error> {
            let decoded = self.core.decode(&head.with(bytes))?;
            let signed = head.with(decoded.as_deref().unwrap_or(bytes));
            Ok((self.core.prove(&signed, now)?.into_owned(), decoded))
        };
        let (proof, decoded) = if bytes.len() > RELEASE_ABOVE { py.detach(judge)? } else { judge()? };
        let body = decoded.map_or_else(|| body.clone(), |decoded| PyBytes::new(py, &decoded));
        Ok(Delivery::new(self.core.clone(), proof, body))
    }
}

#[pymethods]
impl Verifier {
    #[new]
    #[pyo3(signature = (scheme, secrets, json))]
    fn new(py: Python<'_>, scheme: &Scheme, secrets: Vec<Given>, json: &str) -> PyResult<Self> {
        guarded(|| {
            let secrets = secrets.into_iter().map(secret).collect::<PyResult<Vec<_>>>()?;
            let core = Core::with_options(scheme.0.clone(), secrets, options(json)?).map_err(raised)?;
            let names = Names::new(py, core.header_names());
            Ok(Self { core, names })
        })
    }

    #[pyo3(signature = (body, headers, *, method = None, url = None, now = None))]
    fn verify<'py>(
        &self,
        body: Object<'_, 'py>,
        headers: Object<'_, 'py>,
        method: Option<Object<'_, 'py>>,
        url: Option<Object<'_, 'py>>,
        now: Option<Object<'_, 'py>>,
    ) -> PyResult<Delivery> {
        guarded(|| {
            let head = self.head(headers, method, url)?;
            self.judge(&head, &input::body(body)?, seconds(now)?).map_err(raised)
        })
    }

    /// Judges the headers of a request whose body is still to come.
    #[pyo3(signature = (headers, *, method = None, url = None))]
    fn start(&self, headers: Object, method: Option<Object>, url: Option<Object>) -> PyResult<Stream> {
        guarded(|| {
            let core = self.core.start(&self.head(headers, method, url)?.with(&[])).map_err(raised)?;
            Ok(Stream { core: Some(core), verifier: self.core.clone() })
        })
    }

    #[getter]
    fn max_body(&self) -> usize {
        self.core.max_body()
    }

    #[getter]
    fn tolerance(&self) -> u64 {
        self.core.tolerance()
    }

    #[getter]
    fn header_names(&self) -> Vec<String> {
        self.core.header_names().to_vec()
    }

    #[getter]
    fn warnings(&self) -> Vec<String> {
        self.core.warnings().to_vec()
    }
}

/// Whole Unix seconds, or the clock's.
fn seconds(now: Option<Object>) -> PyResult<i64> {
    let Some(now) = now else {
        let clock = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |past| past.as_secs());
        return Ok(i64::try_from(clock).unwrap_or(i64::MAX));
    };
    let fractional = || "`now` is not whole Unix seconds, as `int(time.time())` gives them".to_owned();
    now.extract().map_err(|_| error(ErrorKind::RequestIncomplete, fractional()))
}

/// A verification whose body arrives in pieces.
#[pyclass(module = "hookproof")]
pub(crate) struct Stream {
    core: Option<CoreStream>,
    verifier: Core,
}

#[pymethods]
impl Stream {
    fn update(&mut self, chunk: Object) -> PyResult<()> {
        guarded(|| {
            let core = self.core.as_mut().ok_or_else(finished)?;
            core.update(input::body(chunk)?.as_bytes()).map_err(raised)
        })
    }

    #[pyo3(signature = (*, now = None))]
    fn finish(&mut self, py: Python<'_>, now: Option<Object>) -> PyResult<Delivery> {
        guarded(|| {
            let now = seconds(now)?;
            let (proof, body) = self.core.take().ok_or_else(finished)?.finish(now).map_err(raised)?.into_parts();
            Ok(Delivery::new(self.verifier.clone(), proof, PyBytes::new(py, &body)))
        })
    }
}

fn finished() -> PyErr {
    error(ErrorKind::BodyNotRaw, "the stream is finished: start a new one for each request".to_owned())
}

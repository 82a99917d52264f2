use std::time::{SystemTime, UNIX_EPOCH};

use hookproof::{Error, Proof, Request, Verifier as Core};
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedStr;
use pyo3::types::PyBytes;

use crate::delivery::Delivery;
use crate::explanation::Explanation;
use crate::input::{self, Names, Object, Picked};
use crate::scheme::{self, Scheme};
use crate::{guarded, raised};

/// From this size on other threads may run meanwhile. Where another thread is busy, handing the interpreter over costs
/// about as much as a MAC over 1 MiB.
const RELEASE_ABOVE: usize = 1 << 20;

pub(crate) type Given<'a, 'py> = Option<Object<'a, 'py>>;

/// A scheme with its secrets; the package's `Verifier` takes what users write for it.
#[pyclass(frozen, subclass, module = "hookproof._engine")]
pub(crate) struct Verifier {
    pub(crate) core: Core,
    names: Names,
}

/// All of a request but its body, kept alive without the interpreter.
pub(crate) struct Head(Picked, Option<PyBackedStr>, Option<PyBackedStr>);

impl Head {
    pub(crate) fn with<'a>(&'a self, body: &'a [u8]) -> Request<'a> {
        let Self(headers, method, url) = self;
        let request = Request::new(headers, body);
        let request = method.as_deref().map_or(request, |method| request.method(method));
        url.as_deref().map_or(request, |url| request.url(url))
    }
}

impl Verifier {
    pub(crate) fn head(&self, headers: Object, method: Given, url: Given) -> PyResult<Head> {
        let text = |value: Given| value.map(|value| value.extract().or_else(|_| input::rare(value, "text")?.extract()));
        Ok(Head(self.names.pick(headers)?, text(method).transpose()?, text(url).transpose()?))
    }

    /// Judges a request, which the delivery then keeps; `meet` gets the proof, and the body that it is about. The inner
    /// error is the verdict.
    pub(crate) fn judge<'py, T>(
        slf: &Bound<'py, Self>,
        head: Head,
        body: Bound<'py, PyBytes>,
        now: i64,
        meet: impl FnOnce(Proof<'_>, &[u8]) -> T,
    ) -> Result<(PyResult<Bound<'py, Delivery>>, T), Error> {
        let (py, core, bytes) = (slf.py(), &slf.get().core, body.as_bytes());
        let decoded = core.decode(&head.with(bytes))?;
        let body = decoded.map_or_else(|| body.clone(), |decoded| PyBytes::new(py, &decoded));
        let bytes = body.as_bytes();
        let prove = || core.prove(&head.with(bytes), now);
        let proof = if bytes.len() > RELEASE_ABOVE { py.detach(prove)? } else { prove()? };
        let (secret, timestamp) = (proof.secret(), proof.timestamp());
        let met = meet(proof, bytes);
        let delivery = Delivery { verifier: slf.clone().unbind(), head, secret, timestamp, body: body.unbind() };
        Ok((Bound::new(py, delivery), met))
    }
}

/// The time that was given, or the clock's.
pub(crate) fn seconds(now: Given) -> PyResult<i64> {
    match now {
        Some(now) => now.extract().or_else(|_| input::rare(now, "seconds")?.extract()),
        None => Ok(SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |past| past.as_secs().cast_signed())),
    }
}

#[pymethods]
impl Verifier {
    #[new]
    fn new(py: Python<'_>, scheme: &Scheme, secrets: Vec<scheme::Given>, json: &str) -> PyResult<Self> {
        guarded(|| {
            let secrets = secrets.into_iter().map(scheme::secret).collect::<PyResult<Vec<_>>>()?;
            let core = Core::with_options(scheme.0.clone(), secrets, scheme::options(json)?).map_err(raised)?;
            let names = Names::new(py, core.header_names());
            Ok(Self { core, names })
        })
    }

    #[pyo3(signature = (body, headers, *, method = None, url = None, now = None))]
    fn verify<'py>(
        slf: &Bound<'py, Self>,
        body: Object<'_, 'py>,
        headers: Object,
        method: Given,
        url: Given,
        now: Given,
    ) -> PyResult<Bound<'py, Delivery>> {
        guarded(|| {
            let (head, body) = (slf.get().head(headers, method, url)?, input::body(body)?);
            let judged = Self::judge(slf, head, body, seconds(now)?, |_, _| ());
            judged.map_err(raised)?.0
        })
    }

    /// Why this request does not verify; `None` if it does, or if the error already says it all.
    ///
    /// With `explain_failures=True`, what commonly goes wrong is tried, and what makes the signature match is the cause;
    /// without, there is only a guess. For the developer, never for the outside.
    #[pyo3(signature = (body, headers, *, method = None, url = None, now = None))]
    fn explain(
        &self,
        body: Object,
        headers: Object,
        method: Given,
        url: Given,
        now: Given,
    ) -> PyResult<Option<Explanation>> {
        guarded(|| {
            let (head, body) = (self.head(headers, method, url)?, input::body(body)?);
            Ok(self.core.explain(&head.with(body.as_bytes()), seconds(now)?).map(Explanation::from))
        })
    }

    /// Judges the headers of a request whose body is still to come.
    fn check(&self, headers: Object, method: Given, url: Given) -> PyResult<()> {
        guarded(|| self.core.start(&self.head(headers, method, url)?.with(&[])).map(drop).map_err(raised))
    }

    /// The limit of the body in bytes, the tolerance in seconds, the headers that are read, and warnings.
    fn facts(&self) -> (usize, u64, &[String], &[String]) {
        (self.core.max_body(), self.core.tolerance(), self.core.header_names(), self.core.warnings())
    }
}

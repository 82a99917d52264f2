use hookproof::Explanation as Core;
use pyo3::prelude::*;

/// Why a request does not verify, for the developer who has to mend it; never for the outside.
#[pyclass(frozen, get_all, module = "hookproof")]
pub(crate) struct Explanation {
    /// The cause in one word, such as `body_reserialized` or `secret_encoding`.
    cause: &'static str,
    /// `certain`: the signature matches once the cause is undone. `guess`: nothing that was tried matches.
    confidence: &'static str,
    /// What to change, in one sentence.
    fix: &'static str,
    /// What was tried, or what to look at next, in order.
    steps: Vec<String>,
}

impl From<Core> for Explanation {
    fn from(Core { cause, confidence, fix, steps }: Core) -> Self {
        Self { cause, confidence: confidence.as_str(), fix, steps }
    }
}

#[pymethods]
impl Explanation {
    fn __repr__(&self) -> String {
        format!("<Explanation {} ({}): {}>", self.cause, self.confidence, self.fix)
    }
}

//! What Python users pass, as what the core takes. Dicts, pairs and bytes are read here; whatever is rarer, the package
//! turns into one of these.

use std::borrow::Cow;

use hookproof::Headers;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedStr;
use pyo3::types::{PyBytes, PyDict, PyList, PyString};
use smallvec::SmallVec;

/// The values of the headers that a verifier reads, in its order, kept alive without the interpreter. Nearly every
/// provider has three at most.
pub(crate) struct Picked(SmallVec<[Option<PyBackedStr>; 3]>);

impl Headers for Picked {
    fn value(&self, place: usize, _: &str) -> Option<Cow<'_, [u8]>> {
        self.0.get(place)?.as_ref().map(|line| Cow::Borrowed(line.as_bytes()))
    }
}

pub(crate) type Object<'a, 'py> = &'a Bound<'py, PyAny>;

/// The headers that a verifier reads, each under its name and under the one that it has in a WSGI environ.
pub(crate) struct Names(Vec<Name>);

struct Name {
    text: String,
    plain: Py<PyString>,
    environ: Py<PyString>,
}

impl Names {
    pub(crate) fn new(py: Python<'_>, names: &[String]) -> Self {
        let environ = |name: &String| match name.to_ascii_uppercase().replace('-', "_").as_str() {
            name @ ("CONTENT_TYPE" | "CONTENT_LENGTH") => PyString::intern(py, name).unbind(),
            name => PyString::intern(py, &format!("HTTP_{name}")).unbind(),
        };
        let name = |name: &String| Name {
            text: name.clone(),
            plain: PyString::intern(py, name).unbind(),
            environ: environ(name),
        };
        Self(names.iter().map(name).collect())
    }

    /// Reads each header once.
    pub(crate) fn pick(&self, headers: Object) -> PyResult<Picked> {
        let py = headers.py();
        let Ok(dict) = headers.cast_exact::<PyDict>() else {
            let plain = rare(headers, "plain")?;
            let Ok(pairs) = plain.cast::<PyList>() else { return self.pick(&plain) };
            let mut picked: SmallVec<_> = self.0.iter().map(|_| None).collect();
            for pair in pairs {
                let (name, value) = pair.extract::<(Bound<'_, PyAny>, Bound<'_, PyAny>)>()?;
                self.take(&name, &value, &mut picked, 0)?;
            }
            return Ok(Picked(picked));
        };
        let is_environ = dict.contains(intern!(py, "REQUEST_METHOD"))?;
        let mut picked = SmallVec::new();
        // A bit for each header that is there under its very name.
        let mut known = 0u64;
        for (place, name) in self.0.iter().enumerate() {
            let found = dict.get_item(if is_environ { &name.environ } else { &name.plain }.bind(py))?;
            known |= u64::from(found.is_some()) << (place & 63);
            picked.push(found.map_or(Ok(None), |value| line(&value))?);
        }
        if (known.count_ones() as usize) < self.0.len() && !is_environ {
            // The others may be spelled in another case. One spelling of one header counts, not both.
            dict.iter().try_for_each(|(name, value)| self.take(&name, &value, &mut picked, known))?;
        }
        Ok(Picked(picked))
    }

    /// Takes a header under a name in any case, unless it is known already.
    fn take(&self, name: Object, value: Object, picked: &mut [Option<PyBackedStr>], known: u64) -> PyResult<()> {
        let Ok(name) = name.cast::<PyString>() else { return rare(name, "name").map(drop) };
        let same = |name: &str| self.0.iter().position(|wanted| wanted.text.eq_ignore_ascii_case(name));
        let place = name.to_str().ok().and_then(same).filter(|place| known >> (place & 63) & 1 == 0);
        place.and_then(|place| picked.get_mut(place)).map_or(Ok(()), |slot| add(slot, value))
    }
}

/// The value of a header; `None` is absent.
fn line(value: Object) -> PyResult<Option<PyBackedStr>> {
    value.extract().or_else(|_| rare(value, "value")?.extract())
}

/// Adds a line to what is known of a header: several are one value, joined as HTTP joins them.
fn add(slot: &mut Option<PyBackedStr>, value: Object) -> PyResult<()> {
    let line = line(value)?;
    if let (Some(before), Some(line)) = (&slot, &line) {
        *slot = Some(PyString::new(value.py(), &format!("{before}, {line}")).try_into()?);
    } else if line.is_some() {
        *slot = line;
    }
    Ok(())
}

/// The body as immutable bytes, borrowed if it is that already.
pub(crate) fn body<'py>(body: Object<'_, 'py>) -> PyResult<Bound<'py, PyBytes>> {
    body.cast::<PyBytes>().cloned().or_else(|_| Ok(rare(body, "body")?.cast_into()?))
}

/// A value of a shape that is not read here: the package makes one of it that is, or raises the error that says why not.
pub(crate) fn rare<'py>(given: Object<'_, 'py>, what: &str) -> PyResult<Bound<'py, PyAny>> {
    given.py().import("hookproof._input")?.call_method1(what, (given,))
}

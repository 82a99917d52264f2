//! What Python users pass, as what the core takes. Dicts, pairs and bytes are read here; whatever is rarer, the package
//! turns into one of these.

use std::borrow::Cow;

use hookproof::Headers;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedStr;
use pyo3::types::{PyBytes, PyDict, PyList, PyString};

/// The values of the headers that a verifier reads, in its order, kept alive without the interpreter.
pub(crate) struct Picked(Vec<Option<PyBackedStr>>);

impl Headers for Picked {
    fn value(&self, place: usize, _: &str) -> Option<Cow<'_, [u8]>> {
        self.0.get(place)?.as_ref().map(|line| Cow::Borrowed(line.as_bytes()))
    }
}

pub(crate) type Object<'a, 'py> = &'a Bound<'py, PyAny>;

/// The headers that a verifier reads.
pub(crate) struct Names {
    /// Each under its name and under the one that it has in a WSGI environ.
    names: Vec<(String, Py<PyString>)>,
    /// A bit for each length that a name has: most headers of a request are told from these by their length alone.
    lengths: u64,
}

impl Names {
    pub(crate) fn new(py: Python<'_>, names: &[String]) -> Self {
        let environ = |name: &String| match name.to_ascii_uppercase().replace('-', "_").as_str() {
            name @ ("CONTENT_TYPE" | "CONTENT_LENGTH") => PyString::intern(py, name).unbind(),
            name => PyString::intern(py, &format!("HTTP_{name}")).unbind(),
        };
        Self {
            names: names.iter().map(|name| (name.clone(), environ(name))).collect(),
            lengths: names.iter().fold(0, |lengths, name| lengths | length_bit(name)),
        }
    }

    /// Reads each header once.
    pub(crate) fn pick(&self, headers: Object) -> PyResult<Picked> {
        let mut picked: Vec<Option<PyBackedStr>> = self.names.iter().map(|_| None).collect();
        match headers.cast_exact::<PyDict>() {
            Ok(dict) if dict.contains(intern!(dict.py(), "REQUEST_METHOD"))? => {
                for ((_, name), slot) in self.names.iter().zip(&mut picked) {
                    if let Some(value) = dict.get_item(name.bind(dict.py()))? {
                        add(slot, &value)?;
                    }
                }
            }
            Ok(dict) => dict.iter().try_for_each(|(name, value)| self.take(&name, &value, &mut picked))?,
            Err(_) => {
                let plain = rare(headers, "plain")?;
                let Ok(pairs) = plain.cast::<PyList>() else { return self.pick(&plain) };
                for pair in pairs {
                    let (name, value) = pair.extract::<(Bound<'_, PyAny>, Bound<'_, PyAny>)>()?;
                    self.take(&name, &value, &mut picked)?;
                }
            }
        }
        Ok(Picked(picked))
    }

    fn take(&self, name: Object, value: Object, picked: &mut [Option<PyBackedStr>]) -> PyResult<()> {
        let Ok(name) = name.cast::<PyString>() else { return rare(name, "name").map(drop) };
        let Ok(name) = name.to_str() else { return Ok(()) };
        if self.lengths & length_bit(name) == 0 {
            return Ok(());
        }
        let wanted = self.names.iter().position(|(wanted, _)| wanted.eq_ignore_ascii_case(name));
        wanted.and_then(|place| picked.get_mut(place)).map_or(Ok(()), |slot| add(slot, value))
    }
}

fn length_bit(name: &str) -> u64 {
    1 << (name.len() & 63)
}

/// Adds a line to what is known of a header: several are one value, joined as HTTP joins them.
fn add(slot: &mut Option<PyBackedStr>, value: Object) -> PyResult<()> {
    let line: Option<PyBackedStr> = value.extract().or_else(|_| rare(value, "value")?.extract())?;
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

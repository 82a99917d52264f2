//! What Python users pass, as what the core takes.

use std::borrow::Cow;

use hookproof::{ErrorKind, Headers};
use pyo3::exceptions::PyException;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedStr;
use pyo3::types::{PyByteArray, PyBytes, PyDict, PyList, PyMemoryView, PyString, PyTuple};

use crate::error;

/// One header's value, kept alive without the interpreter.
enum Line {
    Text(PyBackedStr),
    Bytes(Vec<u8>),
}

impl Line {
    fn bytes(&self) -> &[u8] {
        match self {
            Self::Text(text) => text.as_bytes(),
            Self::Bytes(bytes) => bytes,
        }
    }
}

/// The headers that a verifier reads, each under its name and under the one that it has in a WSGI environ.
pub(crate) struct Names(Vec<(String, Py<PyString>)>);

/// The values of `Names`, in the same order.
pub(crate) struct Picked(Vec<Option<Line>>);

impl Headers for Picked {
    fn value(&self, place: usize, _: &str) -> Option<Cow<'_, [u8]>> {
        self.0.get(place)?.as_ref().map(|line| Cow::Borrowed(line.bytes()))
    }
}

impl Names {
    pub(crate) fn new(py: Python<'_>, names: &[String]) -> Self {
        let environ = |name: &String| match name.to_ascii_uppercase().replace('-', "_").as_str() {
            name @ ("CONTENT_TYPE" | "CONTENT_LENGTH") => PyString::intern(py, name).unbind(),
            name => PyString::intern(py, &format!("HTTP_{name}")).unbind(),
        };
        Self(names.iter().map(|name| (name.clone(), environ(name))).collect())
    }

    /// Reads each header once, from whatever the frameworks call headers.
    pub(crate) fn pick(&self, headers: &Bound<'_, PyAny>) -> PyResult<Picked> {
        let mut picked = Picked(self.0.iter().map(|_| None).collect());
        let found = match headers.cast::<PyDict>() {
            Ok(dict) => self.from_dict(dict, &mut picked),
            Err(_) => self.from_object(headers, &mut picked),
        };
        match found {
            Ok(()) => Ok(picked),
            Err(failure) if failure.is_instance_of::<crate::VerificationError>(headers.py()) => Err(failure),
            // A mapping of the caller's own failed: its exception is not ours to let out of a verification.
            Err(failure) if failure.is_instance_of::<PyException>(headers.py()) => {
                let kind = failure.get_type(headers.py()).name()?;
                Err(unsupported(format!("the headers could not be read: reading them raised `{kind}`")))
            }
            Err(interrupt) => Err(interrupt),
        }
    }

    fn from_dict(&self, dict: &Bound<'_, PyDict>, picked: &mut Picked) -> PyResult<()> {
        if !dict.contains(intern!(dict.py(), "REQUEST_METHOD"))? {
            return dict.iter().try_for_each(|(name, value)| self.take(&name, &value, picked));
        }
        for ((_, name), slot) in self.0.iter().zip(&mut picked.0) {
            if let Some(value) = dict.get_item(name.bind(dict.py()))? {
                add(slot, &value)?;
            }
        }
        Ok(())
    }

    fn from_object(&self, headers: &Bound<'_, PyAny>, picked: &mut Picked) -> PyResult<()> {
        let py = headers.py();
        // werkzeug's headers of a request are a view of the environ, which is quicker to read
        if let Some(Ok(environ)) = headers.getattr_opt(intern!(py, "environ"))?.map(Bound::cast_into::<PyDict>) {
            return self.from_dict(&environ, picked);
        }
        let pairs = match headers.getattr_opt(intern!(py, "items"))? {
            Some(items) => items.call0()?,
            None if headers.is_instance_of::<PyList>() || headers.is_instance_of::<PyTuple>() => headers.clone(),
            None => {
                let kind = headers.get_type().name()?;
                let wanted = "pass the request's headers: a mapping, a list of pairs or a WSGI environ";
                return Err(unsupported(format!("the headers are a `{kind}`: {wanted}")));
            }
        };
        for pair in pairs.try_iter()? {
            let (name, value) = pair?.extract::<(Bound<'_, PyAny>, Bound<'_, PyAny>)>()?;
            self.take(&name, &value, picked)?;
        }
        Ok(())
    }

    fn take(&self, name: &Bound<'_, PyAny>, value: &Bound<'_, PyAny>, picked: &mut Picked) -> PyResult<()> {
        let same = |name: &[u8]| self.0.iter().position(|(wanted, _)| wanted.as_bytes().eq_ignore_ascii_case(name));
        let place = if let Ok(name) = name.cast::<PyString>() {
            name.to_str().ok().and_then(|name| same(name.as_bytes()))
        } else if let Ok(name) = name.cast::<PyBytes>() {
            same(name.as_bytes())
        } else {
            return Err(unsupported(format!(
                "the name of a header is a `{}`: text is expected",
                name.get_type().name()?
            )));
        };
        match place.and_then(|place| picked.0.get_mut(place)) {
            Some(slot) => add(slot, value),
            None => Ok(()),
        }
    }
}

/// Adds one line, or a list of lines, to what is known of a header. `None` is absent.
fn add(slot: &mut Option<Line>, value: &Bound<'_, PyAny>) -> PyResult<()> {
    let line = if let Ok(text) = value.cast::<PyString>() {
        // A lone surrogate stands for a byte that is not ASCII, which is all that the core needs to know of it.
        PyBackedStr::try_from(text.clone()).map_or_else(|_| Line::Bytes(vec![0xff]), Line::Text)
    } else if let Ok(bytes) = value.cast::<PyBytes>() {
        Line::Bytes(bytes.as_bytes().to_vec())
    } else if value.is_none() {
        return Ok(());
    } else if value.is_instance_of::<PyList>() || value.is_instance_of::<PyTuple>() {
        return value.try_iter()?.try_for_each(|line| match line? {
            nested if nested.is_instance_of::<PyList>() || nested.is_instance_of::<PyTuple>() => {
                Err(unreadable(&nested))
            }
            line => add(slot, &line),
        });
    } else {
        return Err(unreadable(value));
    };
    *slot = Some(match slot.take() {
        None => line,
        Some(before) => Line::Bytes([before.bytes(), line.bytes()].join(&b", "[..])),
    });
    Ok(())
}

fn unreadable(value: &Bound<'_, PyAny>) -> PyErr {
    let kind = value.get_type().name().map_or_else(|_| "object".to_owned(), |name| name.to_string());
    unsupported(format!("the value of a header is a `{kind}`: text is expected, as it came over the wire"))
}

fn unsupported(message: String) -> PyErr {
    error(ErrorKind::HeadersUnsupported, message)
}

/// The body as immutable bytes: borrowed if it is that already, otherwise copied once.
pub(crate) fn body<'py>(body: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyBytes>> {
    let py = body.py();
    let not_raw = |why: &str| error(ErrorKind::BodyNotRaw, format!("the body is {why}"));
    if let Ok(bytes) = body.cast::<PyBytes>() {
        return Ok(bytes.clone());
    }
    if let Ok(bytes) = body.cast::<PyByteArray>() {
        return Ok(PyBytes::new(py, &bytes.to_vec()));
    }
    if let Ok(text) = body.cast::<PyString>() {
        return text.encode_utf8().map_err(|_| not_raw("text that has no UTF-8: pass the bytes of the request"));
    }
    let view = PyMemoryView::from(body).ok();
    let Some(view) = view.filter(|view| view.getattr("itemsize").is_ok_and(|size| size.eq(1).unwrap_or(false))) else {
        let kind = body.get_type().name()?;
        return Err(not_raw(&format!(
            "a `{kind}`: pass the bytes as they came, before anything parses them: `request.get_data()` in Flask, \
             `await request.body()` in FastAPI, `request.body` in Django"
        )));
    };
    let bytes = view.call_method0("tobytes").map_err(|_| not_raw("a memoryview that cannot be read"))?;
    Ok(bytes.cast_into::<PyBytes>()?)
}

/// Text that some schemes sign besides the body.
pub(crate) fn text(name: &str, value: Option<&Bound<'_, PyAny>>) -> PyResult<Option<PyBackedStr>> {
    let Some(value) = value else { return Ok(None) };
    let incomplete =
        || error(ErrorKind::RequestIncomplete, format!("`{name}` is not text: pass it as it was requested"));
    value.extract().map(Some).map_err(|_| incomplete())
}

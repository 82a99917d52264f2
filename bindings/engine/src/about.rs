use hookproof::{Error, ErrorKind, Scheme};

use crate::json::{Json, List, object};

/// `[[code, status, is_configuration], ...]`, in the order of the numbers that `verify` answers with.
pub fn errors() -> String {
    let mut rows = List::default();
    for kind in ErrorKind::ALL {
        let mut row = List::default();
        row.push(&kind.code().into());
        row.push(&kind.status().into());
        row.push(&Json::Flag(kind.is_configuration()));
        rows.push(&row.end());
    }
    rows.text()
}

/// The ids of the built-in schemes.
pub fn schemes() -> Vec<String> {
    Scheme::names().map(str::to_owned).collect()
}

/// What a scheme is; `source` is a built-in id, or a scheme as JSON.
pub fn describe(source: &str) -> Result<String, Error> {
    let scheme = scheme(source)?;
    Ok(object(&[
        ("id", scheme.id().into()),
        ("title", scheme.title().into()),
        ("docs", scheme.docs().into()),
        ("note", scheme.note().into()),
        ("evidence", scheme.evidence().as_str().into()),
        ("assumed", Json::Flag(scheme.is_assumed())),
        ("coverage", scheme.coverage().as_str().into()),
        ("normalizes", Json::Flag(scheme.normalizes())),
        ("handshake_methods", Json::texts(scheme.handshake_methods())),
        ("headers", Json::texts(scheme.headers())),
        ("exposure", Json::texts(scheme.exposure())),
    ]))
}

pub(crate) fn scheme(source: &str) -> Result<Scheme, Error> {
    if source.trim_start().starts_with('{') { Scheme::from_json(source) } else { Scheme::named(source) }
}

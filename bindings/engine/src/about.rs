use hookproof::{Coverage, Error, ErrorKind, Evidence, Scheme};
use serde_json::json;

/// `[[code, status, is_configuration], ...]`, in the order of the numbers that `verify` answers with.
pub fn errors() -> String {
    let rows = ErrorKind::ALL.iter().map(|kind| json!([kind.code(), kind.status(), kind.is_configuration()]));
    rows.collect::<serde_json::Value>().to_string()
}

/// The ids of the built-in schemes.
pub fn schemes() -> Vec<String> {
    Scheme::names().map(str::to_owned).collect()
}

/// The texts that the stores run, as JSON by name: `redis.script`, `postgres.claim`, `sqlite.complete`, ...
pub fn store_texts() -> String {
    let texts = hookproof::store::sql::TEXTS.iter();
    texts.map(|(name, text)| ((*name).to_owned(), json!(text))).collect::<serde_json::Value>().to_string()
}

/// What a scheme is; `source` is a built-in id, or a scheme as JSON.
pub fn describe(source: &str) -> Result<String, Error> {
    let scheme = scheme(source)?;
    let evidence = match scheme.evidence() {
        Evidence::Published => "published",
        Evidence::ThirdParty => "third-party",
        Evidence::Computed => "computed",
        Evidence::None => "none",
    };
    Ok(json!({
        "id": scheme.id(),
        "title": scheme.title(),
        "docs": scheme.docs(),
        "note": scheme.note(),
        "evidence": evidence,
        "assumed": scheme.is_assumed(),
        "coverage": coverage(&scheme),
        "normalizes": scheme.normalizes(),
        "handshake_methods": scheme.handshake_methods().collect::<Vec<_>>(),
        "headers": scheme.headers(),
        "exposure": scheme.exposure(),
    })
    .to_string())
}

pub(crate) fn coverage(scheme: &Scheme) -> &'static str {
    match scheme.coverage() {
        Coverage::Body => "body",
        Coverage::Partial => "partial",
        Coverage::None => "none",
    }
}

pub(crate) fn scheme(source: &str) -> Result<Scheme, Error> {
    if source.trim_start().starts_with('{') { Scheme::from_json(source) } else { Scheme::named(source) }
}

//! A scheme in words: what a user should know before trusting it.

use alloc::{
    format,
    string::{String, ToString},
    vec::Vec,
};

use super::{
    definition::{Algorithm, Carrier, Coverage, Definition},
    source::Source,
};

pub(crate) fn source(definition: &Definition, source: &Source) -> String {
    match source {
        Source::Header(slot) => format!("header {}", definition.slots.names.get(*slot).map_or("", String::as_str)),
        Source::Query(name) => format!("query parameter {name}"),
        Source::Form(name) => format!("form field {name}"),
        Source::Json(pointer) => format!("JSON value {}", pointer.as_str()),
        Source::Label(name) => format!("element {name} of the signature"),
        Source::Position(place) => format!("element {place} of the signature"),
    }
}

/// Where a value is looked for.
pub(crate) fn sources(definition: &Definition, sources: &[Source]) -> String {
    let places: Vec<_> = sources.iter().map(|place| source(definition, place)).collect();
    places.join(" or ")
}

/// Where a signature or a token is looked for.
pub(crate) fn carrier(definition: &Definition, carrier: &Carrier) -> String {
    let elsewhere = match carrier {
        Carrier::Headers(headers) => {
            let headers: Vec<_> = headers.iter().flatten().map(|slot| Source::Header(*slot)).collect();
            return sources(definition, &headers);
        }
        Carrier::Path(template) => return format!("path {template}"),
        Carrier::Query(name) => Source::Query(name.clone()),
        Carrier::Form(name) => Source::Form(name.clone()),
        Carrier::Json(pointer) => Source::Json(pointer.clone()),
    };
    source(definition, &elsewhere)
}

pub(crate) fn exposure(definition: &Definition) -> Vec<String> {
    let mut sentences = Vec::new();
    match definition.coverage() {
        Coverage::Body => sentences.push("the body cannot be changed: all of it is signed".to_string()),
        Coverage::Partial => sentences
            .push("everything in the body that is not signed can be changed: only `signed` is proven".to_string()),
        Coverage::None => {
            sentences.push("everything can be changed: the token shows who knows it, not what was sent".to_string())
        }
    }
    let unsigned = |from: &Source| !definition.signatures.iter().all(|rule| rule.covers(from));
    let body = definition.coverage() == Coverage::Body;
    if !definition.id_is_signed() {
        for from in &definition.delivery.id {
            sentences.push(format!(
                "the delivery id ({}) can be changed, so it is not the identity",
                source(definition, from)
            ));
        }
    }
    for from in &definition.delivery.event_type {
        if unsigned(from) && !(body && from.in_body()) {
            sentences.push(format!("the event type ({}) can be changed", source(definition, from)));
        }
    }
    sentences.push(match &definition.timestamp {
        Some(rule) => format!("it can be sent again unchanged for {} s, which dedup stops", rule.tolerance),
        None => "it can be sent again unchanged at any time: only dedup stops that, for as long as keys are kept"
            .to_string(),
    });
    if definition.is_legacy() {
        sentences.push(
            "the signature is a bare digest, which can be extended: bodies that are not plain text are refused"
                .to_string(),
        );
    }
    if definition.signatures.iter().any(|rule| matches!(rule.algorithm, Algorithm::Token | Algorithm::Basic)) {
        sentences.push("the token itself is in the request: whoever sees one request can send others".to_string());
    }
    sentences
}

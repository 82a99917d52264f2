//! Weaknesses that the grammar allows, because providers have them.

use alloc::{
    format,
    string::{String, ToString},
    vec::Vec,
};

use super::{
    definition::{Algorithm, Coverage, Definition, SignatureRule},
    template::{Filter, Piece, What},
};
use crate::timestamp::Unit;

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// Worth knowing.
    Note,
    /// A weakness of the provider's format that a user cannot mend.
    Warning,
    /// A mistake in the scheme.
    Error,
}

/// One thing that the linter found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// How bad it is.
    pub level: Level,
    /// What it is called: `ambiguous`, `legacy`, `unequal-variants`, ...
    pub name: &'static str,
    /// What it means.
    pub message: String,
}

pub(crate) fn findings(definition: &Definition) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut add = |level, name, message: String| findings.push(Finding { level, name, message });
    for rule in &definition.signatures {
        if let Some((left, right)) = ambiguous(definition, rule) {
            let message = format!(
                "bytes can move between {left} and {right} under the same signature: put a literal between them"
            );
            add(Level::Warning, "ambiguous", message);
        }
        if matches!(rule.algorithm, Algorithm::Digest(_)) {
            let message =
                "a digest over the secret can be extended by anyone: use HMAC, or `allow_legacy` where you cannot";
            add(Level::Warning, "legacy", message.to_string());
        }
        if rule.algorithm.is_token() {
            add(
                Level::Note,
                "token",
                "a token does not cover the body: there is no dedup unless an id is named".to_string(),
            );
        }
    }
    // A request chooses among these itself, so the weakest of them is what counts.
    let first = definition.signatures.first();
    let strength = |rule: &SignatureRule| (rule.coverage(), rule.content.has(&What::Timestamp));
    if definition.signatures.iter().any(|rule| first.is_some_and(|first| strength(first) != strength(rule))) {
        let message = "its signatures do not cover the same, and the request chooses: split them into schemes with ids of their own";
        add(Level::Error, "unequal-variants", message.to_string());
    }
    if definition.coverage() == Coverage::Partial {
        add(Level::Warning, "partial", "the signature covers only part of the body: use `delivery.signed`".to_string());
    }
    if definition.timestamp.is_none() {
        add(Level::Note, "untimed", "no time is signed: only dedup stops a replay".to_string());
    }
    if !definition.delivery.id.is_empty() && !definition.id_is_signed() {
        add(
            Level::Note,
            "unsigned-id",
            "the delivery id is not signed: the identity is a hash of the body".to_string(),
        );
    }
    if definition.docs.is_empty() {
        add(Level::Note, "no-docs", "`docs` does not say where the format comes from".to_string());
    }
    findings
}

/// The first two neighbours between which bytes can move.
fn ambiguous(definition: &Definition, rule: &SignatureRule) -> Option<(String, String)> {
    let varies = |piece: &Piece| !matches!(piece.what, What::Literal(_) | What::Secret | What::Config(_));
    rule.content.0.windows(2).find_map(|pair| match pair {
        [left, right] if varies(left) && varies(right) && !fixed(definition, left) && !fixed(definition, right) => {
            Some((named(left), named(right)))
        }
        _ => None,
    })
}

/// Whether a piece has a form of its own that says where it ends.
fn fixed(definition: &Definition, piece: &Piece) -> bool {
    if piece.filters.iter().any(|filter| matches!(filter, Filter::Digest(_))) {
        return true;
    }
    match piece.what {
        // Its last character is a `Z` or an offset of fixed length, and its first a digit of four.
        What::Timestamp => definition.timestamp.as_ref().is_some_and(|rule| matches!(rule.unit, Unit::Rfc3339)),
        // Upper-case letters in front of `http` or `/`.
        What::Method => true,
        _ => false,
    }
}

fn named(piece: &Piece) -> String {
    match &piece.what {
        What::Body => "{body}".into(),
        What::Timestamp => "{timestamp}".into(),
        What::Id => "{id}".into(),
        What::Url(_) => "{url}".into(),
        What::FormSorted { .. } => "{form_sorted}".into(),
        What::Value(_) => "a value of the request".into(),
        _ => "a placeholder".into(),
    }
}

use alloc::{
    format,
    string::{String, ToString},
    vec::Vec,
};

use super::source::{Slots, Source};
use crate::{digest::Hash, encoding::Encoding};

/// More pieces than any provider signs; it bounds the work of one verification.
pub(crate) const MOST_PIECES: usize = 16;

/// What is signed: literals and placeholders, in order.
#[derive(Clone, Debug, Default)]
pub(crate) struct Template(pub(crate) Vec<Piece>);

#[derive(Clone, Debug)]
pub(crate) struct Piece {
    pub(crate) what: What,
    pub(crate) optional: bool,
    pub(crate) filters: Vec<Filter>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum What {
    Literal(String),
    Body,
    Timestamp,
    Id,
    Method,
    Url(UrlPart),
    Value(Source),
    FormSorted {
        unique: bool,
    },
    Secret,
    Config(String),
    /// Of a handshake: the challenge.
    Token,
    /// Of a handshake: the MAC of its content.
    Mac,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum UrlPart {
    Whole,
    NoQuery,
    Target,
    Path,
    Host,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Filter {
    Digest(Hash),
    Crc32,
    Encode(Encoding),
    Decimal,
    Lower,
    Upper,
    Trim,
    QuerySorted,
    Decoded,
}

const FILTERS: &[(&str, Filter)] = &[
    ("sha256", Filter::Digest(Hash::Sha256)),
    ("sha1", Filter::Digest(Hash::Sha1)),
    ("sha512", Filter::Digest(Hash::Sha512)),
    ("md5", Filter::Digest(Hash::Md5)),
    ("crc32", Filter::Crc32),
    ("hex", Filter::Encode(Encoding::Hex)),
    ("HEX", Filter::Encode(Encoding::HexUpper)),
    ("base64", Filter::Encode(Encoding::Base64)),
    ("decimal", Filter::Decimal),
    ("lower", Filter::Lower),
    ("upper", Filter::Upper),
    ("trim", Filter::Trim),
    ("query_sorted", Filter::QuerySorted),
    ("decoded", Filter::Decoded),
];

impl Template {
    /// The template of this text; the error says what is wrong with it.
    pub(crate) fn parse(text: &str, slots: &mut Slots) -> Result<Self, String> {
        let mut pieces: Vec<Piece> = Vec::new();
        let mut literal = String::new();
        let mut rest = text;
        while let Some(at) = rest.find(['{', '}']) {
            let (before, from) = rest.split_at(at);
            literal.push_str(before);
            if let Some(after) = from.strip_prefix("{{") {
                literal.push('{');
                rest = after;
            } else if let Some(after) = from.strip_prefix("}}") {
                literal.push('}');
                rest = after;
            } else {
                let (inside, after) = from
                    .strip_prefix('{')
                    .and_then(|from| from.split_once('}'))
                    .ok_or("a brace stands alone: write `{{` or `}}` for a literal one")?;
                push_literal(&mut pieces, &mut literal);
                pieces.push(placeholder(inside, slots)?);
                rest = after;
            }
        }
        literal.push_str(rest);
        push_literal(&mut pieces, &mut literal);
        if pieces.len() > MOST_PIECES {
            return Err(format!("it has more than {MOST_PIECES} parts"));
        }
        Ok(Self(pieces))
    }

    pub(crate) fn has(&self, what: &What) -> bool {
        self.0.iter().any(|piece| piece.what == *what)
    }

    pub(crate) fn any(&self, test: impl Fn(&What) -> bool) -> bool {
        self.0.iter().any(|piece| test(&piece.what))
    }
}

fn push_literal(pieces: &mut Vec<Piece>, literal: &mut String) {
    if !literal.is_empty() {
        pieces.push(Piece { what: What::Literal(core::mem::take(literal)), optional: false, filters: Vec::new() });
    }
}

fn placeholder(inside: &str, slots: &mut Slots) -> Result<Piece, String> {
    let mut parts = inside.split('|');
    let name = parts.next().unwrap_or_default();
    let (name, optional) = name.strip_suffix('?').map_or((name, false), |name| (name, true));
    let mut filters = Vec::new();
    for filter in parts {
        let known = FILTERS.iter().find(|(word, _)| *word == filter);
        let (_, filter) = known.ok_or_else(|| {
            let allowed: Vec<_> = FILTERS.iter().map(|(word, _)| *word).collect();
            format!("the filter `{filter}` is unknown: allowed are {}", allowed.join(", "))
        })?;
        filters.push(*filter);
    }
    let what = match name {
        "body" => What::Body,
        "timestamp" => What::Timestamp,
        "id" => What::Id,
        "method" => What::Method,
        "url" => What::Url(UrlPart::Whole),
        "url.no_query" => What::Url(UrlPart::NoQuery),
        "path" => What::Url(UrlPart::Target),
        "path.no_query" => What::Url(UrlPart::Path),
        "host" => What::Url(UrlPart::Host),
        "form_sorted" => What::FormSorted { unique: false },
        "form_sorted_unique" => What::FormSorted { unique: true },
        "secret" => What::Secret,
        "token" => What::Token,
        "mac" => What::Mac,
        _ => match name.strip_prefix("config:") {
            Some(config) => What::Config(config.to_string()),
            None => What::Value(Source::parse(name, slots).ok_or_else(|| {
                format!(
                    "the placeholder `{{{name}}}` is unknown: allowed are body, timestamp, id, method, url, url.no_query, path, \
                     path.no_query, host, header:x, query:x, form:x, json:/p, label:x, position:N, form_sorted, \
                     form_sorted_unique, secret, config:x"
                )
            })?),
        },
    };
    Ok(Piece { what, optional, filters })
}

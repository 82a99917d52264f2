//! From a file's structure to a [`Definition`].

use alloc::{
    format,
    string::{String, ToString},
    vec::Vec,
};
use serde_json::Value;

use super::{
    definition::{
        Algorithm, AnswerRule, BodyHash, Carrier, Coverage, Definition, DeliveryRule, Derive, Evidence, Grammar,
        Handshake, HandshakeMac, KeyEncoding, KeyRule, Position, RateLimit, Retry, SignatureRule, TimestampRule,
    },
    fields::{Fields, duration},
    source::{MOST_SLOTS, Slots, Source, is_header_name},
    template::{Template, What},
};
use crate::{
    Error, ErrorKind, digest::Hash, encoding::Encoding, error::shown, json::Pointer, timestamp::Unit, url::Spelling,
};

const ALGORITHMS: &[(&str, Algorithm)] = &[
    ("hmac-sha256", Algorithm::Hmac(Hash::Sha256)),
    ("hmac-sha1", Algorithm::Hmac(Hash::Sha1)),
    ("hmac-sha384", Algorithm::Hmac(Hash::Sha384)),
    ("hmac-sha512", Algorithm::Hmac(Hash::Sha512)),
    ("hmac-md5", Algorithm::Hmac(Hash::Md5)),
    ("ed25519", Algorithm::Ed25519),
    ("ecdsa-p256-sha256", Algorithm::EcdsaP256),
    ("sha256", Algorithm::Digest(Hash::Sha256)),
    ("sha1", Algorithm::Digest(Hash::Sha1)),
    ("sha512", Algorithm::Digest(Hash::Sha512)),
    ("md5", Algorithm::Digest(Hash::Md5)),
    ("token", Algorithm::Token),
    ("basic", Algorithm::Basic),
];
const HASHES: &[(&str, Hash)] = &[
    ("sha256", Hash::Sha256),
    ("sha1", Hash::Sha1),
    ("sha384", Hash::Sha384),
    ("sha512", Hash::Sha512),
    ("md5", Hash::Md5),
];
const ENCODINGS: &[(&str, Encoding)] = &[
    ("hex", Encoding::Hex),
    ("base64", Encoding::Base64),
    ("base64url", Encoding::Base64Url),
    ("base64-hex", Encoding::Base64Hex),
];
const KEY_ENCODINGS: &[(&str, KeyEncoding)] = &[
    ("utf8", KeyEncoding::Utf8),
    ("hex", KeyEncoding::Coded(Encoding::Hex)),
    ("base64", KeyEncoding::Coded(Encoding::Base64)),
    ("base64-lenient", KeyEncoding::Coded(Encoding::Base64Lenient)),
    ("base64url", KeyEncoding::Coded(Encoding::Base64Url)),
    ("pem", KeyEncoding::Pem),
    ("spki", KeyEncoding::Spki),
];
const DERIVES: &[(&str, Derive)] = &[
    ("sha1", Derive { hash: Hash::Sha1, hex: false }),
    ("sha256", Derive { hash: Hash::Sha256, hex: false }),
    ("sha256-hex", Derive { hash: Hash::Sha256, hex: true }),
    ("md5-hex", Derive { hash: Hash::Md5, hex: true }),
];
const UNITS: &[(&str, Unit)] = &[
    ("s", Unit::Seconds),
    ("ms", Unit::Milliseconds),
    ("us", Unit::Microseconds),
    ("rfc3339", Unit::Rfc3339),
    ("iso8601", Unit::Iso8601),
];
const SPELLINGS: &[(&str, Spelling)] =
    &[("as-is", Spelling::AsIs), ("without-port", Spelling::WithoutPort), ("default-port", Spelling::DefaultPort)];
const EVIDENCE: &[(&str, Evidence)] = &[
    ("published", Evidence::Published),
    ("third-party", Evidence::ThirdParty),
    ("computed", Evidence::Computed),
    ("none", Evidence::None),
];
const POSITIONS: &[(&str, Position)] =
    &[("timestamp", Position::Timestamp), ("signature", Position::Signature), ("ignore", Position::Ignore)];
const GRAMMARS: &[(&str, Grammar)] = &[("token", Grammar::Token), ("hex", Grammar::Hex), ("text", Grammar::Text)];
const METHODS: &[(&str, &str)] = &[("GET", "GET"), ("POST", "POST"), ("HEAD", "HEAD")];

/// A mebibyte: what a body may have where the provider documents no other limit.
const DEFAULT_MAX_BODY: usize = 1 << 20;

pub(crate) fn definition(value: &Value) -> Result<Definition, Error> {
    let mut fields = Fields::of(ErrorKind::SchemeInvalid, "", value)?;
    let id = fields.required("id")?;
    let well_formed =
        id.len() <= 64 && id.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
    if !well_formed {
        return Err(fields.invalid("id", "at most 64 lower-case letters, digits and `-` are expected"));
    }
    read(fields, id).map_err(|error| error.context(&format!("scheme `{id}`")))
}

fn read(mut fields: Fields<'_>, id: &str) -> Result<Definition, Error> {
    let mut slots = Slots::default();
    let title = fields.text("title")?.unwrap_or(id).to_string();
    let docs = fields.text("docs")?.unwrap_or_default().to_string();
    let evidence = fields.choice("evidence", EVIDENCE)?.unwrap_or(Evidence::None);
    let assumed = fields.choice("provenance", &[("documented", false), ("assumed", true)])?.unwrap_or(false);
    let note = fields.text("note")?.unwrap_or_default().to_string();
    let max_body = fields.size("max_body")?.unwrap_or(DEFAULT_MAX_BODY);
    let decoded = fields.choice("body", &[("wire", false), ("decoded", true)])?.unwrap_or(false);
    if decoded {
        slots.place("content-encoding");
    }
    let mut spellings = Vec::new();
    for spelling in fields.texts("url")? {
        spellings.push(fields.pick("url", spelling, SPELLINGS)?);
    }
    if spellings.is_empty() {
        spellings.push(Spelling::AsIs);
    }
    let config: Vec<String> = fields.texts("config")?.into_iter().map(String::from).collect();

    let keys = match fields.table("secret")? {
        Some(table) => key_rule(table)?,
        None => KeyRule::default(),
    };
    let mut signatures = Vec::new();
    for table in fields.tables("signature")? {
        signatures.push(signature_rule(table, &keys, &mut slots)?);
    }
    if signatures.is_empty() || signatures.len() > 8 {
        return Err(fields.invalid("signature", "one table, or up to 8, is expected"));
    }
    let timestamp = fields.table("timestamp")?.map(|table| timestamp_rule(table, &mut slots)).transpose()?;
    let delivery = match fields.table("delivery")? {
        Some(table) => delivery_rule(table, &mut slots)?,
        None => DeliveryRule::default(),
    };
    let retry = fields.table("retry")?.map(retry).transpose()?;
    let answer = answer_rule(fields.table("answer")?)?;
    let rate_limit = fields.table("rate_limit")?.map(rate_limit).transpose()?;
    let mut handshakes = Vec::new();
    for table in fields.tables("handshake")? {
        handshakes.push(handshake(table, &mut slots)?);
    }
    let by_content_type = signatures.iter().any(|rule| rule.content_type.is_some());
    if by_content_type {
        slots.place("content-type");
    }
    if slots.names.len() > MOST_SLOTS {
        return Err(Error::new(ErrorKind::SchemeInvalid, format!("it reads more than {MOST_SLOTS} headers")));
    }
    fields.end()?;

    let definition = Definition {
        id: id.to_string(),
        title,
        docs,
        note,
        evidence,
        assumed,
        max_body,
        decoded,
        spellings,
        config,
        signatures,
        by_content_type,
        timestamp,
        delivery,
        retry,
        answer,
        rate_limit,
        handshakes,
        slots,
    };
    check(&definition)?;
    Ok(definition)
}

/// What only the whole scheme can tell.
fn check(definition: &Definition) -> Result<(), Error> {
    let wrong = |message: String| Err(Error::new(ErrorKind::SchemeInvalid, message));
    let uses = |what: &What| definition.signatures.iter().any(|rule| rule.content.has(what));
    if uses(&What::Timestamp) && definition.timestamp.is_none() {
        return wrong("`signature.content` signs `{timestamp}`: a table `timestamp` says where it stands".into());
    }
    if uses(&What::Id) && definition.delivery.id.is_empty() {
        return wrong("`signature.content` signs `{id}`: `delivery.id` says where it stands".into());
    }
    if let Some(rule) = &definition.timestamp {
        let signed = definition.signatures.iter().all(|signature| {
            signature.content.has(&What::Timestamp)
                || rule.from.iter().all(|source| {
                    signature.covers(source) || (source.in_body() && signature.coverage() == Coverage::Body)
                })
        });
        if !signed {
            return wrong(
                "`timestamp.from` is not covered by `signature.content`: an unsigned time checks nothing".into(),
            );
        }
        if rule.of_event && rule.tolerance == 0 && definition.retry.is_none() {
            return wrong(
                "`timestamp.of` is `event`: `timestamp.tolerance` or `retry` says how old an event may be".into(),
            );
        }
    }
    for piece in definition.signatures.iter().flat_map(|rule| &rule.content.0) {
        match &piece.what {
            What::Config(name) if !definition.config.contains(name) => {
                return wrong(format!(
                    "`signature.content` holds `{{config:{}}}`: `config` lists such names",
                    shown(name)
                ));
            }
            What::Token | What::Mac => return wrong("`signature.content` holds a placeholder of handshakes".into()),
            _ => {}
        }
    }
    for mac in definition.handshakes.iter().filter_map(|handshake| handshake.mac.as_ref()) {
        if !definition.signatures.iter().any(|rule| rule.algorithm == Algorithm::Hmac(mac.hash)) {
            return wrong(
                "`handshake.mac.algorithm` is none that the scheme signs with: the same key is used for both".into(),
            );
        }
    }
    Ok(())
}

fn signature_rule(mut fields: Fields<'_>, keys: &KeyRule, slots: &mut Slots) -> Result<SignatureRule, Error> {
    let algorithm = match fields.choice("algorithm", ALGORITHMS)? {
        Some(algorithm) => algorithm,
        None => return Err(fields.invalid("algorithm", "an algorithm such as `hmac-sha256` is expected")),
    };
    let carrier = carrier(&mut fields, slots)?;
    let mut separators = Vec::new();
    for text in fields.texts("separator")? {
        match text.as_bytes() {
            &[byte] if byte.is_ascii() => separators.push(byte),
            _ => return Err(fields.invalid("separator", "one character, or a list of them, is expected")),
        }
    }
    let joiner = single(&mut fields, "joiner")?;
    let labels: Vec<String> = fields.texts("labels")?.into_iter().map(String::from).collect();
    let mut positions = Vec::new();
    for position in fields.texts("positions")? {
        positions.push(fields.pick("positions", position, POSITIONS)?);
    }
    if joiner.is_some() && labels.is_empty() {
        return Err(fields.invalid("labels", "with `joiner`, the labels of signatures are expected"));
    }
    if joiner.is_none() && !labels.is_empty() {
        return Err(fields.invalid("joiner", "with `labels`, what stands between label and value is expected"));
    }
    if separators.is_empty() && (joiner.is_some() || !positions.is_empty()) {
        return Err(
            fields.invalid("separator", "with `joiner` or `positions`, what stands between elements is expected")
        );
    }
    let prefixes: Vec<String> = fields.texts("prefix")?.into_iter().map(String::from).collect();
    let encoding = fields.choice("encoding", ENCODINGS)?.unwrap_or(Encoding::Hex);
    let der = fields.choice("format", &[("der", true), ("raw", false)])?.unwrap_or(true);
    let content = match fields.text("content")? {
        None if algorithm.is_token() => Template::default(),
        Some(_) if algorithm.is_token() => return Err(fields.invalid("content", "a token signs nothing: leave it out")),
        text => Template::parse(text.unwrap_or("{body}"), slots).map_err(|wrong| fields.invalid("content", &wrong))?,
    };
    if !algorithm.is_token()
        && content.0.iter().all(|piece| matches!(piece.what, What::Literal(_) | What::Secret | What::Config(_)))
    {
        return Err(fields.invalid("content", "it signs nothing of a request"));
    }
    if content.has(&What::Secret) != matches!(algorithm, Algorithm::Digest(_)) {
        return Err(fields.invalid("content", "`{secret}` stands in the content of bare digests, and only there"));
    }
    let content_type = fields.text("content_type")?.map(str::to_ascii_lowercase);
    let body_hash = fields.table("body_hash")?.map(|table| body_hash(table, slots)).transpose()?;
    let key = match fields.table("secret")? {
        Some(table) => key_rule(table)?,
        None => keys.clone(),
    };
    fields.end()?;
    Ok(SignatureRule {
        algorithm,
        carrier,
        separators,
        joiner,
        labels,
        positions,
        prefixes,
        encoding,
        der,
        content,
        content_type,
        body_hash,
        key,
    })
}

fn carrier(fields: &mut Fields<'_>, slots: &mut Slots) -> Result<Carrier, Error> {
    const PLACES: [&str; 6] = ["header", "headers", "query", "path", "form", "json"];
    if PLACES.iter().filter(|place| fields.has(place)).count() != 1 {
        return Err(
            fields.invalid("header", "exactly one of `header`, `headers`, `query`, `path`, `form`, `json` is expected")
        );
    }
    let header = fields.text("header")?;
    let aliases = fields.texts("aliases")?;
    let headers = fields.texts("headers")?;
    let query = fields.text("query")?;
    let path = fields.text("path")?;
    let form = fields.text("form")?;
    let json = fields.text("json")?;
    let mut place = |name: &str| slots.place(name);
    for name in header.iter().chain(&aliases).chain(&headers) {
        if !is_header_name(&name.replacen("{n}", "1", 1)) {
            return Err(
                fields.invalid(if header.is_some() { "header" } else { "headers" }, "names of headers are expected")
            );
        }
    }
    if let Some(header) = header {
        if header.contains("{n}") {
            return Ok(Carrier::Headers(
                (1..=10).map(|n| Vec::from([place(&header.replace("{n}", &n.to_string()))])).collect(),
            ));
        }
        let same: Vec<usize> = core::iter::once(header).chain(aliases).map(place).collect();
        return Ok(Carrier::Headers(Vec::from([same])));
    }
    if !headers.is_empty() {
        return Ok(Carrier::Headers(headers.into_iter().map(|name| Vec::from([place(name)])).collect()));
    }
    if let Some(query) = query {
        return Ok(Carrier::Query(query.into()));
    }
    if let Some(path) = path {
        if !path.contains("{token}") {
            return Err(fields.invalid("path", "a template with `{token}` is expected"));
        }
        return Ok(Carrier::Path(path.into()));
    }
    if let Some(form) = form {
        return Ok(Carrier::Form(form.into()));
    }
    match json.and_then(Pointer::parse) {
        Some(pointer) => Ok(Carrier::Json(pointer)),
        None => Err(fields.invalid("json", "a pointer such as `/signature` is expected")),
    }
}

/// A separator or joiner: one character of ASCII.
fn single(fields: &mut Fields<'_>, field: &'static str) -> Result<Option<u8>, Error> {
    match fields.text(field)?.map(str::as_bytes) {
        None => Ok(None),
        Some(&[byte]) if byte.is_ascii() => Ok(Some(byte)),
        Some(_) => Err(fields.invalid(field, "one character is expected")),
    }
}

fn body_hash(mut fields: Fields<'_>, slots: &mut Slots) -> Result<BodyHash, Error> {
    let from = fields.required("from")?;
    let from = Source::parse(from, slots)
        .ok_or_else(|| fields.invalid("from", "a source such as `query:bodySHA256` is expected"))?;
    let hash = fields.choice("algorithm", HASHES)?.unwrap_or(Hash::Sha256);
    let encoding = fields.choice("encoding", ENCODINGS)?.unwrap_or(Encoding::Hex);
    fields.end()?;
    Ok(BodyHash { from, hash, encoding })
}

impl Default for KeyRule {
    fn default() -> Self {
        Self {
            encoding: KeyEncoding::Utf8,
            strip: Vec::new(),
            prefix: None,
            derive: None,
            nfkd: false,
            min: 1,
            max: 4096,
            refuse_prefixes: Vec::new(),
        }
    }
}

fn key_rule(mut fields: Fields<'_>) -> Result<KeyRule, Error> {
    let texts = |texts: Vec<&str>| texts.into_iter().map(String::from).collect();
    let rule = KeyRule {
        encoding: fields.choice("encoding", KEY_ENCODINGS)?.unwrap_or(KeyEncoding::Utf8),
        strip: texts(fields.texts("strip")?),
        prefix: fields.text("prefix")?.map(String::from),
        derive: fields.choice("derive", DERIVES)?,
        nfkd: fields.choice("normalize", &[("nfkd", true)])?.unwrap_or(false),
        min: usize::try_from(fields.whole("min", 1, 4096)?.unwrap_or(1)).unwrap_or(1),
        max: usize::try_from(fields.whole("max", 1, 65_536)?.unwrap_or(4096)).unwrap_or(4096),
        refuse_prefixes: texts(fields.texts("refuse_prefixes")?),
    };
    if rule.min > rule.max {
        return Err(fields.invalid("min", "at most `max` is expected"));
    }
    fields.end()?;
    Ok(rule)
}

fn sources(fields: &mut Fields<'_>, field: &'static str, slots: &mut Slots) -> Result<Vec<Source>, Error> {
    let mut sources = Vec::new();
    for text in fields.texts(field)? {
        let source =
            Source::parse(text, slots).filter(|source| !matches!(source, Source::Json(pointer) if pointer.each()));
        sources.push(source.ok_or_else(|| {
            fields.invalid(
                field,
                "a source is expected: `header:x`, `query:x`, `form:x`, `json:/p`, `label:x` or `position:N`",
            )
        })?);
    }
    Ok(sources)
}

fn timestamp_rule(mut fields: Fields<'_>, slots: &mut Slots) -> Result<TimestampRule, Error> {
    let from = sources(&mut fields, "from", slots)?;
    if from.is_empty() {
        return Err(fields.invalid("from", "a source such as `label:t` is expected"));
    }
    let unit = fields.choice("unit", UNITS)?.unwrap_or(Unit::Seconds);
    let of_event = fields.choice("of", &[("attempt", false), ("event", true)])?.unwrap_or(false);
    let default = if of_event { 0 } else { 300_000 };
    let given = fields.duration("tolerance")?;
    let tolerance = given.unwrap_or(default);
    if given == Some(0) || tolerance % 1000 != 0 {
        return Err(fields.invalid("tolerance", "whole seconds above zero are expected"));
    }
    fields.end()?;
    Ok(TimestampRule { from, unit, of_event, tolerance: tolerance.div_euclid(1000) })
}

fn delivery_rule(mut fields: Fields<'_>, slots: &mut Slots) -> Result<DeliveryRule, Error> {
    let id = sources(&mut fields, "id", slots)?;
    let event_type = sources(&mut fields, "event_type", slots)?;
    let pointer = |fields: &mut Fields<'_>, field| -> Result<Option<Pointer>, Error> {
        let Some(text) = fields.text(field)? else { return Ok(None) };
        Pointer::parse(text).map(Some).ok_or_else(|| fields.invalid(field, "a pointer such as `/events` is expected"))
    };
    let items = pointer(&mut fields, "items")?;
    let mut item_id = Vec::new();
    for text in fields.texts("item_id")? {
        item_id.push(
            Pointer::parse(text).ok_or_else(|| fields.invalid("item_id", "pointers such as `/id` are expected"))?,
        );
    }
    let repeats = fields.flag("repeats")?.unwrap_or(false);
    let mut required = Vec::new();
    for text in fields.texts("required")? {
        required.push(
            Pointer::parse(text)
                .ok_or_else(|| fields.invalid("required", "pointers such as `/message` are expected"))?,
        );
    }
    fields.end()?;
    Ok(DeliveryRule { id, event_type, items, item_id, repeats, required })
}

fn retry(mut fields: Fields<'_>) -> Result<Retry, Error> {
    let is_documented = fields.has("delays") || fields.has("horizon");
    let mut delays_ms = Vec::new();
    for text in fields.texts("delays")? {
        delays_ms.push(duration(text).ok_or_else(|| fields.invalid("delays", "durations such as `5m` are expected"))?);
    }
    let jitter = fields.number("jitter")?.unwrap_or(0.0);
    if !(0.0..=1.0).contains(&jitter) {
        return Err(fields.invalid("jitter", "a part from 0 to 1 is expected"));
    }
    let timeout_ms = fields.duration("timeout")?.unwrap_or(30_000);
    let horizon_ms = fields.duration("horizon")?.unwrap_or(0);
    fields.end()?;
    Ok(Retry { delays_ms, jitter, timeout_ms, horizon_ms, is_documented })
}

fn answer_rule(fields: Option<Fields<'_>>) -> Result<AnswerRule, Error> {
    let Some(mut fields) = fields else { return Ok(AnswerRule { duplicate: 200, unauthorized: 401 }) };
    let status = |number: Option<u64>, default| number.and_then(|number| u16::try_from(number).ok()).unwrap_or(default);
    let rule = AnswerRule {
        duplicate: status(fields.whole("duplicate", 200, 299)?, 200),
        unauthorized: status(fields.whole("unauthorized", 400, 499)?, 401),
    };
    fields.end()?;
    Ok(rule)
}

pub(crate) fn rate_limit(mut fields: Fields<'_>) -> Result<RateLimit, Error> {
    let limit = fields.whole("limit", 1, 1_000_000)?.and_then(|limit| u32::try_from(limit).ok());
    let per = fields.duration("per")?;
    let (Some(limit), Some(per_ms)) = (limit, per) else {
        return Err(fields.invalid(
            if limit.is_none() { "limit" } else { "per" },
            "`limit`, a number, and `per`, a duration, are expected",
        ));
    };
    if per_ms == 0 {
        return Err(fields.invalid("per", "a duration above zero is expected"));
    }
    fields.end()?;
    Ok(RateLimit { limit, per_ms })
}

fn handshake(mut fields: Fields<'_>, slots: &mut Slots) -> Result<Handshake, Error> {
    let source = |fields: &Fields<'_>, field: &str, text: &str, slots: &mut Slots| {
        Source::parse(text, slots)
            .ok_or_else(|| fields.invalid(field, "sources such as `query:challenge` are expected"))
    };
    let method = fields.choice("method", METHODS)?.unwrap_or("POST").to_string();
    let signed = fields.flag("signed")?.unwrap_or(method == "POST");
    let mut when = Vec::new();
    for (from, text) in fields.pairs("when")? {
        when.push((source(&fields, "when", from, slots)?, (text != "*").then(|| text.to_string())));
    }
    let mut equals = Vec::new();
    for (from, name) in fields.pairs("equals")? {
        let Some(name) = name.strip_prefix("config:") else {
            return Err(fields.invalid("equals", "configured values such as `config:verify_token` are expected"));
        };
        equals.push((source(&fields, "equals", from, slots)?, name.to_string()));
    }
    let token = match fields.text("token")? {
        Some(text) => Some(source(&fields, "token", text, slots)?),
        None => None,
    };
    let grammar = fields.choice("grammar", GRAMMARS)?.unwrap_or(Grammar::Token);
    let mac = fields.table("mac")?.map(|table| handshake_mac(table, slots)).transpose()?;
    if mac.is_some() && grammar == Grammar::Text {
        return Err(fields.invalid(
            "grammar",
            "with `mac`, `token` or `hex` is expected: anything wider would sign what others choose",
        ));
    }
    let template = |fields: &Fields<'_>, field: &str, text: &str, slots: &mut Slots| {
        let template = Template::parse(text, slots).map_err(|wrong| fields.invalid(field, &wrong))?;
        let known = |what: &What| matches!(what, What::Literal(_) | What::Token | What::Mac | What::Config(_));
        if template.0.iter().all(|piece| known(&piece.what)) {
            Ok(template)
        } else {
            Err(fields.invalid(field, "allowed are `{token}`, `{mac}` and `{config:x}`"))
        }
    };
    let answer = fields.text("answer")?.unwrap_or("{token}");
    let answer = template(&fields, "answer", answer, slots)?;
    let status = fields.whole("status", 200, 299)?.and_then(|status| u16::try_from(status).ok()).unwrap_or(200);
    let mut headers = Vec::new();
    for (name, text) in fields.pairs("headers")? {
        if !is_header_name(name) {
            return Err(fields.invalid("headers", "names of headers are expected"));
        }
        headers.push((name.to_string(), template(&fields, "headers", text, slots)?));
    }
    fields.end()?;
    Ok(Handshake { method, signed, when, equals, token, grammar, mac, answer, status, headers })
}

fn handshake_mac(mut fields: Fields<'_>, slots: &mut Slots) -> Result<HandshakeMac, Error> {
    let hash = match fields.choice("algorithm", ALGORITHMS)? {
        Some(Algorithm::Hmac(hash)) => hash,
        _ => return Err(fields.invalid("algorithm", "one of the `hmac-` algorithms is expected")),
    };
    let encoding = fields.choice("encoding", ENCODINGS)?.unwrap_or(Encoding::Hex);
    let text = fields.text("content")?.unwrap_or("{token}");
    let content = Template::parse(text, slots).map_err(|wrong| fields.invalid("content", &wrong))?;
    fields.end()?;
    Ok(HandshakeMac { hash, encoding, content })
}

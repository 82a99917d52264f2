//! From a file's structure to a [`Definition`].
//!
//! What few schemes have is read in functions that are not inlined: a WebAssembly host compiles a function when it first
//! runs, with everything in it.

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
    fields::{Fields, Problem, duration},
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
    let problem = Problem::new(ErrorKind::SchemeInvalid);
    let mut fields = Fields::of(&problem, String::new(), value);
    let id = fields.required("id");
    let letters = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    if id.len() > 64 || !id.bytes().all(letters) {
        fields.wrong("id", "at most 64 lower-case letters, digits and `-` are expected");
        return problem.or(Definition::default());
    }
    let definition = read(fields, id);
    check(&definition, &problem);
    problem.or(definition).map_err(|error| if id.is_empty() { error } else { error.context(&format!("scheme `{id}`")) })
}

fn read(mut fields: Fields<'_>, id: &str) -> Definition {
    let mut slots = Slots::default();
    let title = fields.text("title").unwrap_or(id).into();
    let docs = fields.text("docs").unwrap_or_default().into();
    let evidence = fields.choice("evidence", EVIDENCE).unwrap_or_default();
    let assumed = fields.choice("provenance", &[("documented", false), ("assumed", true)]).unwrap_or(false);
    let note = fields.text("note").unwrap_or_default().into();
    let max_body = fields.size("max_body").unwrap_or(DEFAULT_MAX_BODY);
    let decoded = fields.choice("body", &[("wire", false), ("decoded", true)]).unwrap_or(false);
    if decoded {
        slots.place("content-encoding");
    }
    let mut spellings = Vec::new();
    for spelling in fields.texts("url") {
        spellings.extend(fields.pick("url", spelling, SPELLINGS));
    }
    if spellings.is_empty() {
        spellings.push(Spelling::AsIs);
    }
    let config = fields.words("config");

    let keys = fields.table("secret").map(key_rule).unwrap_or_default();
    let mut signatures = Vec::new();
    for table in fields.tables("signature") {
        signatures.push(signature_rule(table, &keys, &mut slots));
    }
    if signatures.is_empty() || signatures.len() > 8 {
        fields.wrong("signature", "one table, or up to 8, is expected");
    }
    let timestamp = fields.table("timestamp").map(|table| timestamp_rule(table, &mut slots));
    let delivery = fields.table("delivery").map(|table| delivery_rule(table, &mut slots)).unwrap_or_default();
    let retry = fields.table("retry").map(retry);
    let answer = fields.table("answer").map(answer_rule).unwrap_or_default();
    let rate_limit = fields.table("rate_limit").map(rate_limit);
    let mut handshakes = Vec::new();
    for table in fields.tables("handshake") {
        handshakes.push(handshake(table, &mut slots));
    }
    let by_content_type = signatures.iter().any(|rule| rule.content_type.is_some());
    if by_content_type {
        slots.place("content-type");
    }
    fields.end();
    Definition {
        id: id.into(),
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
    }
}

/// What only the whole scheme can tell.
fn check(definition: &Definition, problem: &Problem) {
    if definition.slots.names.len() > MOST_SLOTS {
        problem.say(format!("it reads more than {MOST_SLOTS} headers"));
    }
    let uses = |what: &What| definition.signatures.iter().any(|rule| rule.content.has(what));
    if uses(&What::Timestamp) && definition.timestamp.is_none() {
        problem.say("`signature.content` signs `{timestamp}`: a table `timestamp` says where it stands".into());
    }
    if uses(&What::Id) && definition.delivery.id.is_empty() {
        problem.say("`signature.content` signs `{id}`: `delivery.id` says where it stands".into());
    }
    if let Some(rule) = &definition.timestamp {
        let signed = definition.signatures.iter().all(|signature| {
            signature.content.has(&What::Timestamp)
                || rule.from.iter().all(|source| {
                    signature.covers(source) || (source.in_body() && signature.coverage() == Coverage::Body)
                })
        });
        if !signed {
            problem
                .say("`timestamp.from` is not covered by `signature.content`: an unsigned time checks nothing".into());
        }
        if rule.of_event && rule.tolerance == 0 && definition.retry.is_none() {
            problem
                .say("`timestamp.of` is `event`: `timestamp.tolerance` or `retry` says how old an event may be".into());
        }
    }
    for piece in definition.signatures.iter().flat_map(|rule| &rule.content.0) {
        match &piece.what {
            What::Config(name) if !definition.config.contains(name) => {
                problem
                    .say(format!("`signature.content` holds `{{config:{}}}`: `config` lists such names", shown(name)));
            }
            What::Token | What::Mac => problem.say("`signature.content` holds a placeholder of handshakes".into()),
            _ => {}
        }
    }
    for mac in definition.handshakes.iter().filter_map(|handshake| handshake.mac.as_ref()) {
        if !definition.signatures.iter().any(|rule| rule.algorithm == Algorithm::Hmac(mac.hash)) {
            problem.say(
                "`handshake.mac.algorithm` is none that the scheme signs with: the same key is used for both".into(),
            );
        }
    }
}

fn signature_rule(mut fields: Fields<'_>, keys: &KeyRule, slots: &mut Slots) -> SignatureRule {
    let algorithm = fields.choice("algorithm", ALGORITHMS);
    let algorithm =
        fields.expect("algorithm", algorithm, "an algorithm such as `hmac-sha256` is expected").unwrap_or_default();
    let carrier = carrier(&mut fields, slots);
    let mut separators = Vec::new();
    for text in fields.texts("separator") {
        separators.extend(fields.expect("separator", single(text), "one character, or a list of them, is expected"));
    }
    let joiner = fields.text("joiner");
    let joiner = joiner.and_then(|text| fields.expect("joiner", single(text), "one character is expected"));
    let labels = fields.words("labels");
    let mut positions = Vec::new();
    for position in fields.texts("positions") {
        positions.extend(fields.pick("positions", position, POSITIONS));
    }
    if joiner.is_some() && labels.is_empty() {
        fields.wrong("labels", "with `joiner`, the labels of signatures are expected");
    }
    if joiner.is_none() && !labels.is_empty() {
        fields.wrong("joiner", "with `labels`, what stands between label and value is expected");
    }
    if separators.is_empty() && (joiner.is_some() || !positions.is_empty()) {
        fields.wrong("separator", "with `joiner` or `positions`, what stands between elements is expected");
    }
    let prefixes = fields.words("prefix");
    let encoding = fields.choice("encoding", ENCODINGS).unwrap_or_default();
    let der = fields.choice("format", &[("der", true), ("raw", false)]).unwrap_or(true);
    let content = fields.text("content");
    if algorithm.is_token() && content.is_some() {
        fields.wrong("content", "a token signs nothing: leave it out");
    }
    let content = if algorithm.is_token() {
        Template::default()
    } else {
        template(&fields, "content", content.unwrap_or("{body}"), slots)
    };
    if !algorithm.is_token()
        && content.0.iter().all(|piece| matches!(piece.what, What::Literal(_) | What::Secret | What::Config(_)))
    {
        fields.wrong("content", "it signs nothing of a request");
    }
    if content.has(&What::Secret) != matches!(algorithm, Algorithm::Digest(_)) {
        fields.wrong("content", "`{secret}` stands in the content of bare digests, and only there");
    }
    let content_type = fields.text("content_type").map(str::to_ascii_lowercase);
    let body_hash = fields.table("body_hash").and_then(|table| body_hash(table, slots));
    let key = fields.table("secret").map_or_else(|| keys.clone(), key_rule);
    fields.end();
    SignatureRule {
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
    }
}

fn carrier(fields: &mut Fields<'_>, slots: &mut Slots) -> Carrier {
    const PLACES: [&str; 6] = ["header", "headers", "query", "path", "form", "json"];
    if PLACES.iter().filter(|place| fields.has(place)).count() != 1 {
        fields.wrong("header", "exactly one of `header`, `headers`, `query`, `path`, `form`, `json` is expected");
    }
    let header = fields.text("header");
    let aliases = fields.texts("aliases");
    let headers = fields.texts("headers");
    let query = fields.text("query");
    let path = fields.text("path");
    let form = fields.text("form");
    let json = fields.text("json");
    for name in header.iter().chain(&aliases).chain(&headers) {
        if !is_header_name(&name.replacen("{n}", "1", 1)) {
            fields.wrong(if header.is_some() { "header" } else { "headers" }, "names of headers are expected");
        }
    }
    if let Some(query) = query {
        return Carrier::Query(query.into());
    }
    if let Some(path) = path {
        if !path.contains("{token}") {
            fields.wrong("path", "a template with `{token}` is expected");
        }
        return Carrier::Path(path.into());
    }
    if let Some(form) = form {
        return Carrier::Form(form.into());
    }
    if let Some(json) = json {
        return Carrier::Json(pointer(fields, "json", json));
    }
    let mut places: Vec<Vec<usize>> = headers.into_iter().map(|name| Vec::from([slots.place(name)])).collect();
    match header {
        Some(header) if header.contains("{n}") => {
            for n in 1..=10 {
                places.push(Vec::from([slots.place(&header.replace("{n}", &n.to_string()))]));
            }
        }
        Some(header) => {
            places.push(core::iter::once(header).chain(aliases).map(|name| slots.place(name)).collect());
        }
        None => {}
    }
    Carrier::Headers(places)
}

/// A separator or joiner: one character of ASCII.
fn single(text: &str) -> Option<u8> {
    match text.as_bytes() {
        &[byte] if byte.is_ascii() => Some(byte),
        _ => None,
    }
}

fn pointer(fields: &Fields<'_>, field: &str, text: &str) -> Pointer {
    fields.expect(field, Pointer::parse(text), "a pointer such as `/id` is expected").unwrap_or_default()
}

fn template(fields: &Fields<'_>, field: &str, text: &str, slots: &mut Slots) -> Template {
    Template::parse(text, slots).unwrap_or_else(|wrong| {
        fields.wrong(field, &wrong);
        Template::default()
    })
}

fn source(fields: &Fields<'_>, field: &str, text: &str, slots: &mut Slots) -> Option<Source> {
    let allowed = "a source is expected: `header:x`, `query:x`, `form:x`, `json:/p`, `label:x` or `position:N`";
    fields.expect(field, Source::parse(text, slots), allowed)
}

fn sources(fields: &mut Fields<'_>, field: &'static str, slots: &mut Slots) -> Vec<Source> {
    let mut sources = Vec::new();
    for text in fields.texts(field) {
        let source = source(fields, field, text, slots);
        if matches!(&source, Some(Source::Json(pointer)) if pointer.each()) {
            fields.wrong(field, "a pointer without `*` is expected");
        }
        sources.extend(source);
    }
    sources
}

#[inline(never)]
fn body_hash(mut fields: Fields<'_>, slots: &mut Slots) -> Option<BodyHash> {
    let from = fields.required("from");
    let from = source(&fields, "from", from, slots);
    let hash = fields.choice("algorithm", HASHES).unwrap_or(Hash::Sha256);
    let encoding = fields.choice("encoding", ENCODINGS).unwrap_or_default();
    fields.end();
    Some(BodyHash { from: from?, hash, encoding })
}

fn key_rule(mut fields: Fields<'_>) -> KeyRule {
    let size = |number: Option<u64>, default| number.and_then(|number| usize::try_from(number).ok()).unwrap_or(default);
    let rule = KeyRule {
        encoding: fields.choice("encoding", KEY_ENCODINGS).unwrap_or(KeyEncoding::Utf8),
        strip: fields.words("strip"),
        prefix: fields.text("prefix").map(String::from),
        derive: fields.choice("derive", DERIVES),
        nfkd: fields.choice("normalize", &[("nfkd", true)]).unwrap_or(false),
        min: size(fields.whole("min", 1, 4096), 1),
        max: size(fields.whole("max", 1, 65_536), 4096),
        refuse_prefixes: fields.words("refuse_prefixes"),
    };
    if rule.min > rule.max {
        fields.wrong("min", "at most `max` is expected");
    }
    fields.end();
    rule
}

fn timestamp_rule(mut fields: Fields<'_>, slots: &mut Slots) -> TimestampRule {
    let from = sources(&mut fields, "from", slots);
    if from.is_empty() {
        fields.wrong("from", "a source such as `label:t` is expected");
    }
    let unit = fields.choice("unit", UNITS).unwrap_or(Unit::Seconds);
    let of_event = fields.choice("of", &[("attempt", false), ("event", true)]).unwrap_or(false);
    let default = if of_event { 0 } else { 300_000 };
    let given = fields.duration("tolerance");
    let tolerance = given.unwrap_or(default);
    if given == Some(0) || !tolerance.is_multiple_of(1000) {
        fields.wrong("tolerance", "whole seconds above zero are expected");
    }
    fields.end();
    TimestampRule { from, unit, of_event, tolerance: tolerance.div_euclid(1000) }
}

fn delivery_rule(mut fields: Fields<'_>, slots: &mut Slots) -> DeliveryRule {
    let id = sources(&mut fields, "id", slots);
    let event_type = sources(&mut fields, "event_type", slots);
    let items = fields.text("items").map(|text| pointer(&fields, "items", text));
    let mut pointers = |field| {
        let texts = fields.texts(field);
        texts.into_iter().map(|text| pointer(&fields, field, text)).collect()
    };
    let (item_id, required) = (pointers("item_id"), pointers("required"));
    let repeats = fields.flag("repeats").unwrap_or(false);
    fields.end();
    DeliveryRule { id, event_type, items, item_id, repeats, required }
}

fn retry(mut fields: Fields<'_>) -> Retry {
    let is_documented = fields.has("delays") || fields.has("horizon");
    let mut delays_ms = Vec::new();
    for text in fields.texts("delays") {
        delays_ms.extend(fields.expect("delays", duration(text), "durations such as `5m` are expected"));
    }
    let jitter = fields.number("jitter").unwrap_or(0.0);
    if !(0.0..=1.0).contains(&jitter) {
        fields.wrong("jitter", "a part from 0 to 1 is expected");
    }
    let timeout_ms = fields.duration("timeout").unwrap_or(30_000);
    let horizon_ms = fields.duration("horizon").unwrap_or(0);
    fields.end();
    Retry { delays_ms, jitter, timeout_ms, horizon_ms, is_documented }
}

fn status(fields: &mut Fields<'_>, field: &'static str, from: u64, to: u64) -> Option<u16> {
    fields.whole(field, from, to).and_then(|status| u16::try_from(status).ok())
}

#[inline(never)]
fn answer_rule(mut fields: Fields<'_>) -> AnswerRule {
    let default = AnswerRule::default();
    let rule = AnswerRule {
        duplicate: status(&mut fields, "duplicate", 200, 299).unwrap_or(default.duplicate),
        unauthorized: status(&mut fields, "unauthorized", 400, 499).unwrap_or(default.unauthorized),
    };
    fields.end();
    rule
}

#[inline(never)]
pub(crate) fn rate_limit(mut fields: Fields<'_>) -> RateLimit {
    let limit = fields.whole("limit", 1, 1_000_000).and_then(|limit| u32::try_from(limit).ok());
    let per_ms = fields.duration("per").filter(|per_ms| *per_ms > 0);
    if limit.is_none() || per_ms.is_none() {
        let missing = if limit.is_none() { "limit" } else { "per" };
        fields.wrong(missing, "`limit`, a number, and `per`, a duration, are expected");
    }
    fields.end();
    RateLimit { limit: limit.unwrap_or_default(), per_ms: per_ms.unwrap_or_default() }
}

#[inline(never)]
fn handshake(mut fields: Fields<'_>, slots: &mut Slots) -> Handshake {
    let method: String = fields.choice("method", METHODS).unwrap_or("POST").into();
    let signed = fields.flag("signed").unwrap_or(method == "POST");
    let mut when = Vec::new();
    for (from, text) in fields.pairs("when") {
        let text = (text != "*").then(|| text.to_string());
        when.extend(source(&fields, "when", from, slots).map(|from| (from, text)));
    }
    let mut equals = Vec::new();
    for (from, name) in fields.pairs("equals") {
        let name = name.strip_prefix("config:");
        let name = fields.expect("equals", name, "configured values such as `config:verify_token` are expected");
        equals.extend(source(&fields, "equals", from, slots).zip(name.map(String::from)));
    }
    let token = fields.text("token").and_then(|text| source(&fields, "token", text, slots));
    let grammar = fields.choice("grammar", GRAMMARS).unwrap_or(Grammar::Token);
    let mac = fields.table("mac").map(|table| handshake_mac(table, slots));
    if mac.is_some() && grammar == Grammar::Text {
        fields
            .wrong("grammar", "with `mac`, `token` or `hex` is expected: anything wider would sign what others choose");
    }
    let answer = fields.text("answer").unwrap_or("{token}");
    let answer = answering(&fields, "answer", answer, slots);
    let status = status(&mut fields, "status", 200, 299).unwrap_or(200);
    let mut headers = Vec::new();
    for (name, text) in fields.pairs("headers") {
        if !is_header_name(name) {
            fields.wrong("headers", "names of headers are expected");
        }
        headers.push((name.to_string(), answering(&fields, "headers", text, slots)));
    }
    fields.end();
    Handshake { method, signed, when, equals, token, grammar, mac, answer, status, headers }
}

/// A template of an answer, which knows nothing of the request but its challenge.
fn answering(fields: &Fields<'_>, field: &str, text: &str, slots: &mut Slots) -> Template {
    let template = template(fields, field, text, slots);
    let known = |what: &What| matches!(what, What::Literal(_) | What::Token | What::Mac | What::Config(_));
    if !template.0.iter().all(|piece| known(&piece.what)) {
        fields.wrong(field, "allowed are `{token}`, `{mac}` and `{config:x}`");
    }
    template
}

fn handshake_mac(mut fields: Fields<'_>, slots: &mut Slots) -> HandshakeMac {
    let hash = match fields.choice("algorithm", ALGORITHMS) {
        Some(Algorithm::Hmac(hash)) => Some(hash),
        _ => None,
    };
    let hash = fields.expect("algorithm", hash, "one of the `hmac-` algorithms is expected").unwrap_or(Hash::Sha256);
    let encoding = fields.choice("encoding", ENCODINGS).unwrap_or_default();
    let content = fields.text("content").unwrap_or("{token}");
    let content = template(&fields, "content", content, slots);
    fields.end();
    HandshakeMac { hash, encoding, content }
}

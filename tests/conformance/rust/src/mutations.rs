//! What is done to every valid record, and the refusal that must come of it.

use std::path::Path;

use base64ct::{Base64, Base64UrlUnpadded, Encoding as _};
use hookproof::{Coverage, ErrorKind, Options, Request, Scheme, Secret, Verifier};
use serde_json::json;

use crate::record::{self, Published};

/// A record with the verifier that takes it.
struct Case {
    record: Published,
    verifier: Verifier,
    headers: Vec<(String, Vec<u8>)>,
    body: Vec<u8>,
}

impl Case {
    fn play(&self, headers: &[(String, Vec<u8>)], body: &[u8]) -> Result<(), ErrorKind> {
        let mut request = Request::new(&headers, body).method(self.record.method.as_deref().unwrap_or("POST"));
        if let Some(url) = &self.record.url {
            request = request.url(url);
        }
        self.verifier.verify(&request, self.record.now()).map(drop).map_err(|error| error.kind())
    }

    /// The place of the header that carries the signature: the one whose change is a mismatch.
    fn signature(&self) -> Option<usize> {
        (0..self.headers.len()).find(|place| {
            let mut headers = self.headers.clone();
            headers.remove(*place);
            self.play(&headers, &self.body) == Err(ErrorKind::SignatureMissing)
        })
    }
}

fn verifier(record: &Published, secret: &str) -> Result<Verifier, hookproof::Error> {
    let vectors = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../vectors");
    let configs = record::configs(&vectors).expect("config.json");
    let mut options = json!({ "allow_legacy": true });
    if let Some(config) = configs.get(&record.provider) {
        options["config"] = config.clone();
    }
    Verifier::with_options(Scheme::named(&record.provider)?, Secret::new(secret)?, Options::from_value(&options)?)
}

/// The records that verify, which is what mutations start from.
fn cases() -> Vec<Case> {
    let vectors = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../vectors");
    let mut cases = Vec::new();
    for record in record::published(&vectors).expect("vectors") {
        let verifier = verifier(&record, &record.secret).expect("a verifier");
        let (headers, body) = (record.headers(), record.body().expect("a body"));
        let case = Case { record, verifier, headers, body };
        if case.record.challenge.is_none() && case.play(&case.headers, &case.body).is_ok() {
            cases.push(case);
        }
    }
    assert!(cases.len() >= 60, "{}", cases.len());
    cases
}

/// Where the decoded signature stands in a header's text: the longest run of its encoding.
fn runs(text: &str) -> Vec<(usize, usize)> {
    let mut runs = Vec::new();
    let mut start = 0;
    let end_of = |byte: u8| !(byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'-' | b'_'));
    for (at, byte) in text.bytes().chain([b' ']).enumerate() {
        if end_of(byte) {
            if at - start >= 26 {
                runs.push((start, at));
            }
            start = at + 1;
        }
    }
    runs
}

#[test]
fn another_secret_is_refused() {
    for case in cases() {
        // The same kind of secret with one letter changed, so that it still decodes.
        let swapped: Vec<String> = (0..case.record.secret.len())
            .filter(|at| case.record.secret.as_bytes()[*at].is_ascii_digit())
            .map(|at| {
                let mut secret = case.record.secret.clone().into_bytes();
                secret[at] = if secret[at] == b'1' { b'2' } else { b'1' };
                String::from_utf8(secret).expect("ASCII")
            })
            .chain([format!("{}x", case.record.secret), case.record.secret.replace('e', "f")])
            .filter(|secret| *secret != case.record.secret)
            .collect();
        let others: Vec<_> = swapped.iter().filter_map(|secret| verifier(&case.record, secret).ok()).collect();
        if case.verifier.scheme().id() == "sendgrid" {
            continue; // a public key with a letter changed is mostly no point
        }
        assert!(!others.is_empty(), "{}", case.record.id);
        for other in others {
            let other = Case {
                record: record_again(&case),
                verifier: other,
                headers: case.headers.clone(),
                body: case.body.clone(),
            };
            let result = other.play(&other.headers, &other.body);
            assert!(
                matches!(result, Err(ErrorKind::SignatureMismatch | ErrorKind::TokenMismatch)),
                "{}: {result:?}",
                case.record.id
            );
        }
    }
}

fn record_again(case: &Case) -> Published {
    let vectors = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../vectors");
    let records = record::published(&vectors).expect("vectors");
    records.into_iter().find(|record| record.id == case.record.id).expect("the record")
}

#[test]
fn every_flipped_bit_of_the_signature_is_refused_and_hex_has_any_case() {
    let mut flipped = 0;
    let mut respelled = 0;
    for case in cases() {
        // A large body shows nothing here that a small one does not.
        let Some(place) = case.signature().filter(|_| case.body.len() < 100_000) else { continue };
        let text = String::from_utf8(case.headers[place].1.clone()).expect("ASCII");
        let mut only = false;
        for (from, to) in runs(&text) {
            let run = &text[from..to];
            let padding = text[to..].bytes().take_while(|byte| *byte == b'=').count();
            let hex = run.len().is_multiple_of(2) && run.bytes().all(|byte| byte.is_ascii_hexdigit());
            let padded = &text[from..to + padding];
            let for_urls = Base64::decode_vec(padded).is_err();
            let decoded = if hex {
                (0..run.len() / 2).map(|at| u8::from_str_radix(&run[2 * at..2 * at + 2], 16).expect("hex")).collect()
            } else {
                match Base64::decode_vec(padded).or_else(|_| Base64UrlUnpadded::decode_vec(run)) {
                    Ok(decoded) => decoded,
                    Err(_) => continue,
                }
            };
            let encode = |bytes: &[u8]| match (hex, for_urls) {
                (true, _) => bytes.iter().map(|byte| format!("{byte:02x}")).collect(),
                (false, true) => Base64UrlUnpadded::encode_string(bytes),
                (false, false) => Base64::encode_string(bytes),
            };
            let put = |replaced: &str| {
                let mut headers = case.headers.clone();
                headers[place].1 = format!("{}{replaced}{}", &text[..from], &text[to + padding..]).into_bytes();
                headers
            };
            if hex {
                assert_eq!(case.play(&put(&run.to_uppercase()), &case.body), Ok(()), "{}", case.record.id);
                respelled += 1;
            }
            // Of several candidates only one is the right one: the others may change as they like.
            let mut broken = decoded.clone();
            broken[0] ^= 1;
            if case.play(&put(&encode(&broken)), &case.body).is_ok() {
                continue;
            }
            only = true;
            for bit in 0..decoded.len() * 8 {
                let mut changed: Vec<u8> = decoded.clone();
                changed[bit / 8] ^= 1 << (bit % 8);
                let result = case.play(&put(&encode(&changed)), &case.body);
                assert!(
                    matches!(result, Err(ErrorKind::SignatureMismatch | ErrorKind::SignatureMalformed)),
                    "{} bit {bit}: {result:?}",
                    case.record.id
                );
                flipped += 1;
            }
        }
        assert!(only, "{}: no signature was found in `{text}`", case.record.id);
    }
    assert!(flipped > 5_000 && respelled > 10, "{flipped} {respelled}");
}

#[test]
fn changed_bytes_that_are_covered_are_refused() {
    for case in cases() {
        if case.verifier.scheme().coverage() != Coverage::Body || case.body.is_empty() {
            continue;
        }
        for at in [0, case.body.len() / 3, case.body.len() / 2, case.body.len() - 1] {
            let mut body = case.body.clone();
            body[at] ^= 1;
            let result = case.play(&case.headers, &body);
            assert!(
                matches!(
                    result,
                    Err(ErrorKind::SignatureMismatch | ErrorKind::BodyMalformed | ErrorKind::SignatureMissing)
                ),
                "{} at {at}: {result:?}",
                case.record.id
            );
        }
    }
}

#[test]
fn a_dropped_header_is_told_by_its_own_code() {
    for case in cases() {
        let mut told = 0;
        for place in 0..case.headers.len() {
            let mut headers = case.headers.clone();
            let (name, _) = headers.remove(place);
            match case.play(&headers, &case.body) {
                // Not every header of a record takes part.
                Ok(()) => {}
                Err(kind) => {
                    let missing = [
                        ErrorKind::SignatureMissing,
                        ErrorKind::TimestampMissing,
                        ErrorKind::IdMissing,
                        ErrorKind::HeaderMissing,
                        ErrorKind::TokenMissing,
                    ];
                    // Of Box's two signatures the other one is still there, for another key.
                    let other_is_left = case.record.provider == "box" && kind == ErrorKind::SignatureMismatch;
                    // Without its content type a form is judged as something else.
                    let judged_otherwise = name.eq_ignore_ascii_case("content-type");
                    assert!(
                        missing.contains(&kind) || judged_otherwise || other_is_left,
                        "{} without {name}: {kind:?}",
                        case.record.id
                    );
                    told += 1;
                }
            }
        }
        let in_headers = !matches!(case.verifier.scheme().id(), "mailgun" | "adyen" | "braintree");
        assert!(told > 0 || !in_headers, "{}", case.record.id);
    }
}

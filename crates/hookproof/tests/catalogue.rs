//! Every built-in scheme, judged by rules that hold for all of them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

use std::collections::BTreeMap;

use hookproof::{Coverage, ErrorKind, Message, Options, Request, Scheme, Secret, Signed, Signer, Verifier};

const NOW: i64 = 1_700_000_000;
const ID: &str = "8e03978e-40d5-43e8-bc93-6894a57f9324";
const URL: &str = "https://example.com/hooks/in?tenant=7";
/// An ed25519 and a P-256 key pair, made for these tests alone.
const ED25519: (&str, &str) = (
    "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
    "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
);

/// A body in which every pointer and form field that a scheme of the catalogue asks for is found.
fn body(scheme: &Scheme) -> Option<Vec<u8>> {
    match scheme.id() {
        // What is signed stands in the body itself: these have tests of their own below.
        "adyen" | "mailgun" | "braintree" | "microsoft-graph" => None,
        _ => Some(br#"{"id":"evt_1","type":"thing.created","event":"thing.created","message":"hi","timestamp":1700000000,"data":{"id":1},"passcode":"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw","webhookTimestamp":1700000000000}"#
        .to_vec()),
    }
}

/// The secrets of both sides: the signer's, then the verifier's.
fn secrets(scheme: &Scheme) -> [String; 2] {
    let same = |text: &str| [text.to_owned(), text.to_owned()];
    let attempts = [
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff",
        "user:password",
    ];
    for text in attempts {
        if Verifier::with_options(scheme.clone(), Secret::new(text).unwrap(), options(scheme)).is_ok()
            && !is_public(scheme)
        {
            return same(text);
        }
    }
    let base64 = |hex: &str| {
        let bytes: Vec<u8> = (0..32).map(|at| u8::from_str_radix(&hex[2 * at..2 * at + 2], 16).unwrap()).collect();
        standard_base64(&bytes)
    };
    for public in [ED25519.1.to_owned(), base64(ED25519.1)] {
        if Verifier::with_options(scheme.clone(), Secret::new(public.clone()).unwrap(), options(scheme)).is_ok() {
            return [ED25519.0.to_owned(), public];
        }
    }
    p256_pair()
}

fn is_public(scheme: &Scheme) -> bool {
    // A signer with a shared secret and a verifier with the same one are what MACs are; public keys refuse this text.
    scheme.id() == "discord"
}

fn p256_pair() -> [String; 2] {
    use p256::pkcs8::EncodePublicKey as _;
    let key = p256::ecdsa::SigningKey::from_slice(&[7; 32]).unwrap();
    let der = key.verifying_key().to_public_key_der().unwrap();
    [standard_base64(&[7; 32]), standard_base64(der.as_bytes())]
}

fn standard_base64(bytes: &[u8]) -> String {
    base64::Engine::encode(&base64::prelude::BASE64_STANDARD, bytes)
}

fn options(scheme: &Scheme) -> Options {
    let config: BTreeMap<_, _> = scheme.config_names().map(|name| (name.to_owned(), "configured".to_owned())).collect();
    Options { allow_legacy: true, config, ..Options::default() }
}

struct Case {
    scheme: Scheme,
    verifier: Verifier,
    signer: Signer,
    body: Vec<u8>,
}

impl Case {
    fn sign(&self, body: &[u8], now: i64, id: &str) -> Signed {
        let url = if self.scheme.id() == "ai-teammate" { "https://example.com" } else { URL };
        self.signer
            .sign(&Message::new(body, now).id(id).event_type("thing.created").url(url))
            .unwrap_or_else(|error| panic!("{}: {error}", self.scheme.id()))
    }

    fn verify(
        &self,
        headers: &[(String, String)],
        url: Option<&str>,
        body: &[u8],
    ) -> Result<Option<hookproof::Key>, ErrorKind> {
        let request = Request::new(&headers, body).method("POST").url(url.unwrap_or(URL));
        self.verifier.verify(&request, NOW).map(|delivery| delivery.key("scope")).map_err(|error| error.kind())
    }
}

fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for name in Scheme::names() {
        let scheme = Scheme::named(name).unwrap();
        let Some(body) = body(&scheme) else { continue };
        let [private, public] = secrets(&scheme);
        let verifier = Verifier::with_options(scheme.clone(), Secret::new(public).unwrap(), options(&scheme))
            .unwrap_or_else(|error| panic!("{name}: {error}"));
        let signer = Signer::with_options(scheme.clone(), Secret::new(private).unwrap(), options(&scheme))
            .unwrap_or_else(|error| panic!("{name}: {error}"));
        cases.push(Case { scheme, verifier, signer, body });
    }
    cases
}

#[test]
fn every_scheme_is_there_and_says_where_it_comes_from() {
    let names: Vec<_> = Scheme::names().collect();
    assert!(names.len() >= 45, "{}", names.len());
    for name in names {
        let scheme = Scheme::named(name).unwrap();
        assert!(!scheme.docs().is_empty() && !scheme.title().is_empty(), "{name}");
        let errors: Vec<_> =
            scheme.lint().into_iter().filter(|finding| finding.level == hookproof::Level::Error).collect();
        assert_eq!(errors, [], "{name}");
        assert!(!scheme.exposure().is_empty(), "{name}");
    }
}

#[test]
fn what_a_signer_signs_a_verifier_takes() {
    let mut failures = Vec::new();
    let cases = cases();
    for case in &cases {
        let signed = case.sign(&case.body, NOW, ID);
        if let Err(kind) = case.verify(&signed.headers, signed.url.as_deref(), &case.body) {
            failures.push(format!("{}: {kind:?} {signed:?}", case.scheme.id()));
        }
    }
    assert!(failures.is_empty(), "{failures:#?}");
    assert!(cases.len() > 40);
}

#[test]
fn a_changed_body_or_another_secret_is_refused() {
    for case in cases() {
        let signed = case.sign(&case.body, NOW, ID);
        if case.scheme.coverage() == Coverage::Body {
            for at in [0, case.body.len() / 2, case.body.len() - 1] {
                for bit in 0..8 {
                    let mut body = case.body.clone();
                    body[at] ^= 1 << bit;
                    let result = case.verify(&signed.headers, signed.url.as_deref(), &body);
                    assert!(
                        matches!(
                            result,
                            Err(ErrorKind::SignatureMismatch
                                | ErrorKind::BodyMalformed
                                | ErrorKind::TimestampMissing
                                | ErrorKind::TimestampMalformed)
                        ),
                        "{}: {result:?}",
                        case.scheme.id()
                    );
                }
            }
        }
        let mut stranger = Case { signer: case.signer, ..case };
        let [_, public] = secrets(&stranger.scheme);
        let other = if public.contains("MfKQ") { public.replace("MfKQ", "MfKR") } else { continue };
        stranger.verifier =
            Verifier::with_options(stranger.scheme.clone(), Secret::new(other).unwrap(), options(&stranger.scheme))
                .unwrap();
        let result = stranger.verify(&signed.headers, signed.url.as_deref(), &stranger.body);
        assert!(
            matches!(result, Err(ErrorKind::SignatureMismatch | ErrorKind::TokenMismatch)),
            "{}: {result:?}",
            stranger.scheme.id()
        );
    }
}

#[test]
fn a_dropped_header_has_its_code_and_case_and_order_do_not_matter() {
    for case in cases() {
        let signed = case.sign(&case.body, NOW, ID);
        let mut shuffled: Vec<_> =
            signed.headers.iter().map(|(name, value)| (name.to_ascii_uppercase(), format!(" {value}\t"))).collect();
        shuffled.reverse();
        assert!(case.verify(&shuffled, signed.url.as_deref(), &case.body).is_ok(), "{}", case.scheme.id());
        if signed.url.is_none() && !signed.headers.is_empty() {
            let without = &signed.headers[1..];
            let result = case.verify(without, None, &case.body);
            let missing = matches!(
                result,
                Err(ErrorKind::SignatureMissing | ErrorKind::TokenMissing | ErrorKind::TimestampMissing)
            );
            assert!(missing, "{}: {result:?}", case.scheme.id());
        }
    }
}

#[test]
fn an_unsigned_id_is_never_an_identity() {
    for case in cases() {
        let (first, second) =
            (case.sign(&case.body, NOW, ID), case.sign(&case.body, NOW, "00000000-0000-4000-8000-000000000000"));
        let key = |signed: &Signed| case.verify(&signed.headers, signed.url.as_deref(), &case.body).unwrap();
        let (first, second) = (key(&first), key(&second));
        if case.scheme.coverage() == Coverage::None {
            assert_eq!(first, None, "{}", case.scheme.id());
        } else if !case.scheme.id_is_signed() {
            assert_eq!(first, second, "{}", case.scheme.id());
        }
    }
}

/// Asks each handshake to sign a challenge, and plays the answer back as the signature of a delivery.
#[test]
fn no_answer_to_a_handshake_is_a_signature() {
    let mut played = 0;
    for case in cases().into_iter().filter(|case| case.scheme.has_handshake()) {
        let [_, public] = secrets(&case.scheme);
        let options = Options { handshake: true, ..options(&case.scheme) };
        let verifier = Verifier::with_options(case.scheme.clone(), Secret::new(public).unwrap(), options).unwrap();
        for token in ["0123456789abcdef", "uzwcfYtzr9"] {
            for parameter in ["crc_token", "bt_challenge", "challenge", "hub.challenge"] {
                let url = format!(
                    "https://example.com/hook?{parameter}={token}&hub.mode=subscribe&hub.verify_token=configured"
                );
                let none: [(&str, &str); 0] = [];
                let Ok(Some(reply)) = verifier.handshake(&Request::new(&none, "").method("GET").url(&url), NOW) else {
                    continue;
                };
                played += 1;
                let signature = reply.body.trim_start_matches(r#"{"response_token":""#).trim_end_matches(r#""}"#);
                let signed = case.sign(token.as_bytes(), NOW, ID);
                let mut forged = signed.headers.clone();
                assert!(
                    case.verify(&signed.headers, signed.url.as_deref(), token.as_bytes()).is_err()
                        || reply.body == token,
                    "{}",
                    case.scheme.id()
                );
                for answer in [signature, signature.rsplit('|').next().unwrap()] {
                    forged[0].1 = answer.to_owned();
                    assert!(case.verify(&forged, None, token.as_bytes()).is_err(), "{}: {answer}", case.scheme.id());
                }
            }
        }
    }
    assert!(played > 0);
}

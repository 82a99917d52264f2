//! What holds for every input.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

use hookproof::{ErrorKind, Message, Options, Request, Scheme, Secret, Signer, Verifier};
use proptest::prelude::*;

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const NOW: i64 = 1_700_000_000;

fn standard() -> (Verifier, Signer) {
    let scheme = Scheme::named("standard-webhooks").unwrap();
    let secret = || Secret::new(SECRET).unwrap();
    (Verifier::new(scheme.clone(), secret()).unwrap(), Signer::new(scheme, secret()).unwrap())
}

fn id() -> impl Strategy<Value = String> {
    "[!-+\\--/-~&&[^.]]{1,255}"
}

proptest! {
    #[test]
    fn what_is_signed_verifies(id in id(), timestamp in 1_699_999_700i64..=1_700_000_300, body in prop::collection::vec(any::<u8>(), 0..2000)) {
        let (verifier, signer) = standard();
        let signed = signer.sign(&Message::new(&body, timestamp).id(&id)).unwrap();
        let delivery = verifier.verify(&Request::new(&signed.headers, &body), NOW).unwrap();
        prop_assert_eq!(delivery.id().unwrap(), id.as_str());
        prop_assert_eq!(delivery.body(), &body);
        prop_assert_eq!(delivery.timestamp(), Some(timestamp));
    }

    #[test]
    fn a_flipped_bit_is_refused(body in prop::collection::vec(any::<u8>(), 1..200), place in any::<prop::sample::Index>(), bit in 0u8..8) {
        let (verifier, signer) = standard();
        let signed = signer.sign(&Message::new(&body, NOW).id("msg_1")).unwrap();
        let mut changed = body.clone();
        changed[place.index(body.len())] ^= 1 << bit;
        let error = verifier.verify(&Request::new(&signed.headers, &changed), NOW).unwrap_err();
        prop_assert_eq!(error.kind(), ErrorKind::SignatureMismatch);
    }

    #[test]
    fn one_mac_has_one_text(place in 3usize..47, other in any::<u8>()) {
        let (verifier, signer) = standard();
        let mut signed = signer.sign(&Message::new(b"{}", NOW).id("msg_1")).unwrap();
        let mut text = signed.headers[0].1.clone().into_bytes();
        prop_assume!(text[place] != other);
        text[place] = other;
        // Only what is no text at all, or ends in a blank that is trimmed, is left out.
        prop_assume!(!(place == 46 && matches!(other, b' ' | b'\t')));
        let headers: Vec<(String, Vec<u8>)> = signed.headers.drain(..).enumerate().map(|(at, (name, value))| (name, if at == 0 { text.clone() } else { value.into_bytes() })).collect();
        let result = verifier.verify(&Request::new(&headers, b"{}"), NOW);
        prop_assert!(result.is_err());
    }

    #[test]
    fn the_window_is_inclusive_for_every_now(now in any::<i64>()) {
        let (verifier, signer) = standard();
        let signed = signer.sign(&Message::new(b"{}", NOW).id("msg_1")).unwrap();
        let result = verifier.verify(&Request::new(&signed.headers, b"{}"), now);
        let age = i128::from(now) - i128::from(NOW);
        match result {
            Ok(_) => prop_assert!(age.abs() <= 300),
            Err(error) if age > 300 => prop_assert_eq!(error.kind(), ErrorKind::TimestampTooOld),
            Err(error) => prop_assert_eq!(error.kind(), ErrorKind::TimestampTooNew),
        }
    }

    #[test]
    fn rotation_never_refuses_what_one_secret_takes(others in 0usize..7, at in 0usize..7) {
        let (_, signer) = standard();
        let mut secrets: Vec<Secret> = (0..others).map(|n| Secret::new(format!("whsec_{}", "AAEC".repeat(6 + n))).unwrap()).collect();
        secrets.insert(at.min(others), Secret::new(SECRET).unwrap().named("mine"));
        let verifier = Verifier::new(Scheme::named("standard-webhooks").unwrap(), secrets).unwrap();
        let signed = signer.sign(&Message::new(b"{}", NOW).id("msg_1")).unwrap();
        let delivery = verifier.verify(&Request::new(&signed.headers, b"{}"), NOW).unwrap();
        prop_assert_eq!(delivery.secret_name(), Some("mine"));
    }

    #[test]
    fn a_stream_says_what_verify_says(body in prop::collection::vec(any::<u8>(), 0..300), cut in any::<prop::sample::Index>(), honest in any::<bool>(), scheme in prop::sample::select(&["standard-webhooks", "stripe", "github", "box", "slack", "mailgun", "hubspot-v1", "cloudinary"][..])) {
        let scheme = Scheme::named(scheme).unwrap();
        let options = Options { allow_legacy: true, ..Options::default() };
        let secret = || Secret::new(SECRET).unwrap();
        let verifier = Verifier::with_options(scheme.clone(), secret(), options).unwrap();
        let headers = match Signer::new(scheme, secret()).unwrap().sign(&Message::new(&body, NOW).id("msg_1").url("https://a.test/")) {
            Ok(signed) => signed.headers,
            Err(_) => Vec::new(),
        };
        let mut sent = body.clone();
        if !honest { sent.push(b' '); }
        let request = Request::new(&headers, &sent);
        let whole = verifier.verify(&request, NOW).map(|delivery| delivery.key("")).map_err(|error| error.kind());
        let (first, second) = sent.split_at(cut.index(sent.len() + 1));
        let streamed = verifier.start(&request).and_then(|mut stream| {
            stream.update(first)?;
            stream.update(second)?;
            stream.finish(NOW)
        });
        prop_assert_eq!(streamed.map(|delivery| delivery.key("")).map_err(|error| error.kind()), whole);
    }
}

fn wild_headers() -> impl Strategy<Value = Vec<(String, Vec<u8>)>> {
    let name = prop::sample::select(
        &[
            "webhook-id",
            "webhook-timestamp",
            "webhook-signature",
            "stripe-signature",
            "x-twilio-signature",
            "content-type",
            "content-encoding",
            "x-hub-signature-256",
            "paddle-signature",
            "x-agentbot-signature",
            "authorization",
            "x-hubspot-signature",
            "hmacsignature",
        ][..],
    );
    let value = prop_oneof![
        prop::collection::vec(any::<u8>(), 0..80),
        "(t=[0-9]{1,13},)?v1[,=][A-Za-z0-9+/=_ ,-]{0,100}".prop_map(String::into_bytes),
        "sha256=[0-9a-fA-F]{60,66}".prop_map(String::into_bytes),
        "[0-9]{1,14}".prop_map(String::into_bytes),
        Just(b"application/json".to_vec()),
        Just(b"gzip".to_vec()),
    ];
    prop::collection::vec((name.prop_map(String::from), value), 0..8)
}

fn wild_body() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        prop::collection::vec(any::<u8>(), 0..300),
        "\\PC{0,60}".prop_map(String::into_bytes),
        r#"\{("(id|type|signature|event|data)":("[a-z0-9\\\\]{0,9}"|[0-9]{1,20}|\{\}|\[\]|null),?){0,6}\}?"#
            .prop_map(String::into_bytes),
        "([a-z]{1,4}=[%a-f0-9+]{0,6}&?){0,6}".prop_map(String::into_bytes),
        (1usize..3000).prop_map(|depth| b"[".repeat(depth)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// Hostile input gives a code from the table and nothing else, for every built-in scheme.
    #[test]
    fn verify_is_total(headers in wild_headers(), body in wild_body(), url in "(https?://)?[a-z0-9.:/?&=%@\\[\\]#-]{0,40}", now in any::<i64>(), pick in any::<prop::sample::Index>()) {
        let names: Vec<_> = Scheme::names().collect();
        let scheme = Scheme::named(names[pick.index(names.len())]).unwrap();
        let config = scheme.config_names().map(|name| (name.to_owned(), "x".to_owned())).collect();
        let options = Options { allow_legacy: true, handshake: true, config, ..Options::default() };
        for secret in [SECRET, "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"] {
            let Ok(verifier) = Verifier::with_options(scheme.clone(), Secret::new(secret).unwrap(), options.clone()) else { continue };
            let request = Request::new(&headers, &body).method("POST").url(&url);
            if let Err(error) = verifier.verify(&request, now) {
                prop_assert!(!error.kind().is_configuration());
                prop_assert!(!error.message().contains(secret));
            }
            let _ = verifier.handshake(&request, now);
            let _ = verifier.start(&request).and_then(|mut stream| { stream.update(&body)?; stream.finish(now) });
        }
    }

    /// Whatever stands in a scheme file, reading it gives a scheme or says what is wrong.
    #[test]
    fn the_scheme_parser_is_total(
        field in prop::sample::select(&["id", "algorithm", "header", "content", "separator", "joiner", "labels", "prefix", "json", "path", "from", "tolerance", "min", "delays", "when"][..]),
        value in prop_oneof![Just("null".to_owned()), Just("{}".to_owned()), Just("[1]".to_owned()), "-?[0-9]{1,20}", "\"[ -!#-\\[\\]-~]{0,30}\"", "\"\\{[a-z_:.|/]{0,20}\\}\""],
        table in prop::sample::select(&["", "signature", "secret", "timestamp", "delivery", "retry", "handshake"][..]),
    ) {
        let mut scheme = serde_json::json!({ "id": "acme", "signature": { "algorithm": "hmac-sha256", "header": "X-Acme" } });
        let value: serde_json::Value = serde_json::from_str(&value).unwrap_or_default();
        if table.is_empty() { scheme[field] = value } else { scheme[table][field] = value }
        if let Err(error) = Scheme::from_value(&scheme) {
            prop_assert_eq!(error.kind(), ErrorKind::SchemeInvalid);
            prop_assert!(error.message().contains('`'), "{}", error);
        }
    }

    #[test]
    fn wild_json_is_no_scheme(text in "\\PC{0,200}") {
        prop_assert!(Scheme::from_json(&text).is_err());
    }
}

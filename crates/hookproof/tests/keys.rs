//! The dedup keys that `tests/vectors/keys.json` fixes for all languages.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

use hookproof::{Key, Options, Request, Scheme, Secret, Verifier};
use serde_json::Value;

fn vectors() -> Value {
    serde_json::from_str(include_str!("../../../tests/vectors/keys.json")).unwrap()
}

fn hex(text: &Value) -> Vec<u8> {
    let text = text.as_str().unwrap();
    (0..text.len() / 2).map(|at| u8::from_str_radix(&text[2 * at..2 * at + 2], 16).unwrap()).collect()
}

#[test]
fn derivations() {
    let vectors = vectors();
    let rows = vectors["derivations"].as_array().unwrap();
    assert!(rows.len() >= 10);
    for row in rows {
        let text = |field: &str| row[field].as_str().unwrap();
        let key = Key::derive(text("scheme"), text("scope"), text("kind"), &hex(&row["identity_hex"]));
        assert_eq!(key.0.to_vec(), hex(&row["key_hex"]), "{}", row["id"]);
    }
}

#[test]
fn deliveries() {
    let vectors = vectors();
    for row in vectors["deliveries"].as_array().unwrap() {
        let text = |field: &str| row[field].as_str().unwrap();
        let headers: Vec<(&str, &str)> = row["headers"]
            .as_array()
            .unwrap()
            .iter()
            .map(|pair| (pair[0].as_str().unwrap(), pair[1].as_str().unwrap()))
            .collect();
        let options = Options::from_value(&row["options"]).unwrap();
        let verifier = Verifier::with_options(
            Scheme::named(text("scheme")).unwrap(),
            Secret::new(text("secret")).unwrap(),
            options,
        )
        .unwrap();
        let request = Request::new(&headers, text("body_utf8"));
        let key = verifier.verify(&request, row["now"].as_i64().unwrap()).unwrap().key(text("scope")).unwrap();
        assert_eq!(key.0.to_vec(), hex(&row["key_hex"]), "{}", row["id"]);
    }
}

//! Plays the cases.

use core::time::Duration;
use std::collections::HashMap;
use std::sync::Arc;

use hookproof_stores::{AsyncStore, ClaimAnswer, Token};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

pub(crate) fn digest(name: &str) -> [u8; 32] {
    Sha256::digest(name).into()
}

pub(crate) fn token(name: &str) -> Token {
    let mut token = [0; 16];
    token.copy_from_slice(&digest(name)[..16]);
    Token(token)
}

/// Plays every case on `store`; `remote` says whether an answer of it can be lost on its way.
pub(crate) async fn play(store: &impl AsyncStore, remote: bool) {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/stores/contract.json");
    let file: Value = serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
    let mut played = 0;
    for case in file["cases"].as_array().unwrap() {
        if case["remote"] == true && !remote {
            continue;
        }
        let name = case["name"].as_str().unwrap();
        let mut fences = HashMap::new();
        for step in case["steps"].as_array().unwrap() {
            play_step(store, name, step, &mut fences).await;
        }
        played += 1;
    }
    assert!(played >= 14, "only {played} cases");
}

async fn play_step(store: &impl AsyncStore, case: &str, step: &Value, fences: &mut HashMap<String, u64>) {
    let at = || format!("{case}: {step}");
    let text = |n: usize| step[n].as_str().unwrap();
    let key = || digest(&format!("{case} {}", text(1)));
    let ms = |n: usize| step[n].as_u64().unwrap();
    match text(0) {
        "wait" => tokio::time::sleep(Duration::from_millis(ms(1))).await,
        "claim" => {
            let answer = store.claim(&key(), &token(text(2)), &digest(text(2)), ms(3)).await.unwrap();
            let last = fences.get(text(1)).copied().unwrap_or(0);
            match (text(4), answer) {
                ("claimed", ClaimAnswer::Claimed { fence }) => {
                    assert!(fence > last, "{}: fence {fence} after {last}", at());
                    fences.insert(text(1).to_owned(), fence);
                }
                ("same", ClaimAnswer::Claimed { fence }) => assert_eq!(fence, last, "{}", at()),
                ("in_flight", ClaimAnswer::InFlight { remaining_ms }) => {
                    assert!((1..=86_400_000).contains(&remaining_ms), "{}: {remaining_ms}", at());
                }
                (done, ClaimAnswer::Done { body_hash }) => {
                    assert_eq!(Some(body_hash), done.strip_prefix("done ").map(digest), "{}", at());
                }
                (_, answer) => panic!("{}: {answer:?}", at()),
            }
        }
        "complete" => assert_eq!(store.complete(&key(), &token(text(2)), ms(3)).await.unwrap(), step[4], "{}", at()),
        "release" => assert_eq!(store.release(&key(), &token(text(2))).await.unwrap(), step[3], "{}", at()),
        "extend" => assert_eq!(store.extend(&key(), &token(text(2)), ms(3)).await.unwrap(), step[4], "{}", at()),
        "forget" => assert_eq!(store.forget(&key()).await.unwrap(), step[2], "{}", at()),
        "race" => {
            let (key, lease) = (key(), ms(3));
            let start = Arc::new(tokio::sync::Barrier::new(usize::try_from(ms(2)).unwrap()));
            let mut claimed = 0;
            let claims = (0..ms(2)).map(|n| {
                let (start, key) = (Arc::clone(&start), key);
                async move {
                    start.wait().await;
                    store.claim(&key, &token(&format!("racer {n}")), &[0; 32], lease).await.unwrap()
                }
            });
            for answer in futures_util::future::join_all(claims).await {
                match answer {
                    ClaimAnswer::Claimed { .. } => claimed += 1,
                    ClaimAnswer::InFlight { .. } => {}
                    answer => panic!("{}: {answer:?}", at()),
                }
            }
            assert_eq!(claimed, 1, "{}", at());
        }
        other => panic!("no operation `{other}`"),
    }
}

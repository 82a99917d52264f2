//! The WebAssembly engine: the same free functions as the native one.
//!
//! Each one is the function of the same name in `hookproof_engine`. A panic is a trap here, after which the instance is
//! in no known state: the package makes a new one, and builds its objects in it anew.
#![allow(missing_docs, reason = "documented in `hookproof_engine`")]
#![allow(clippy::needless_pass_by_value, reason = "what JavaScript passes is converted into owned values")]
#![allow(clippy::too_many_arguments, reason = "flat values cross faster than objects")]

use hookproof_engine::{self as engine, Beside, Head, Note, Reading};
use wasm_bindgen::{JsValue, prelude::wasm_bindgen};

type Result<T> = core::result::Result<T, JsValue>;

/// `code message`: an object with two properties would take more code than the functions themselves.
fn thrown(error: engine::Error) -> JsValue {
    JsValue::from_str(&format!("{} {error}", error.code()))
}

#[wasm_bindgen]
pub fn errors() -> String {
    engine::errors()
}

#[wasm_bindgen]
pub fn schemes() -> Vec<String> {
    engine::schemes()
}

#[wasm_bindgen]
pub fn describe(source: &str) -> Result<String> {
    engine::describe(source).map_err(thrown)
}

#[wasm_bindgen]
pub fn verifier(source: &str, secrets: &[u8], parts: &str, options: &str) -> Result<u32> {
    engine::verifier(source, secrets, parts, options).map_err(thrown)
}

#[wasm_bindgen]
pub fn about(verifier: u32) -> Result<String> {
    engine::about(verifier).map_err(thrown)
}

#[wasm_bindgen(js_name = dropHandle)]
pub fn drop_handle(kind: u8, handle: u32) {
    engine::drop_handle(kind, handle);
}

#[wasm_bindgen(js_name = verifyHead)]
pub fn verify(verifier: u32, body: &[u8], now: f64, head: &str) -> f64 {
    engine::verify(verifier, Reading { body, head: &Head::of(head) }, now)
}

#[wasm_bindgen]
pub fn refusal() -> String {
    engine::refusal()
}

#[wasm_bindgen]
pub fn explain(verifier: u32, body: &[u8], head: &str, now: f64) -> Result<Option<String>> {
    engine::explain(verifier, Reading { body, head: &Head::of(head) }, now).map_err(thrown)
}

#[wasm_bindgen]
pub fn facts(verifier: u32, body: &[u8], head: &str, proof: f64) -> Result<String> {
    engine::facts(verifier, Reading { body, head: &Head::of(head) }, proof).map_err(thrown)
}

#[wasm_bindgen(js_name = eventType)]
pub fn event_type(verifier: u32, body: &[u8], head: &str, proof: f64) -> Result<Option<String>> {
    engine::event_type(verifier, Reading { body, head: &Head::of(head) }, proof).map_err(thrown)
}

#[wasm_bindgen]
pub fn key(verifier: u32, body: &[u8], head: &str, proof: f64, scope: &str) -> Result<Option<Vec<u8>>> {
    engine::key(verifier, Reading { body, head: &Head::of(head) }, proof, scope).map_err(thrown)
}

#[wasm_bindgen]
pub fn body(verifier: u32, body: &[u8], head: &str) -> Result<Option<Vec<u8>>> {
    engine::body(verifier, Reading { body, head: &Head::of(head) }).map_err(thrown)
}

#[wasm_bindgen]
pub fn signed(verifier: u32, body: &[u8], head: &str, proof: f64) -> Result<Option<Vec<u8>>> {
    engine::signed(verifier, Reading { body, head: &Head::of(head) }, proof).map_err(thrown)
}

#[wasm_bindgen]
pub fn items(verifier: u32, body: &[u8], head: &str, proof: f64, scope: &str) -> Result<String> {
    engine::items(verifier, Reading { body, head: &Head::of(head) }, proof, scope).map_err(thrown)
}

#[wasm_bindgen]
pub fn sign(source: &str, secret: &[u8], parts: &str, options: &str, body: &[u8], message: &str) -> Result<String> {
    engine::sign(source, secret, parts, options, body, message).map_err(thrown)
}

#[wasm_bindgen]
pub fn receiver(verifier: u32, deduplicates: bool) -> Result<u32> {
    engine::receiver(verifier, deduplicates).map_err(thrown)
}

#[wasm_bindgen(js_name = aboutReceiver)]
pub fn about_receiver(receiver: u32) -> Result<String> {
    engine::about_receiver(receiver).map_err(thrown)
}

#[wasm_bindgen(js_name = beginHead)]
pub fn begin(
    receiver: u32,
    body: &[u8],
    scope: &str,
    token: &[u8],
    now_ms: f64,
    store: f64,
    store_ms: f64,
    note: &mut [u8],
    head: &str,
) -> Result<f64> {
    let beside = Beside { store, now_ms: store_ms };
    engine::begin(receiver, Reading { body, head: &Head::of(head) }, scope, token, now_ms, beside, Note(note))
        .map_err(thrown)
}

#[wasm_bindgen]
pub fn step(reception: u32, event: u8, number: f64, store: f64, store_ms: f64, note: &mut [u8]) -> Result<f64> {
    engine::step(reception, event, number, Beside { store, now_ms: store_ms }, Note(note)).map_err(thrown)
}

#[wasm_bindgen(js_name = stepDone)]
pub fn step_done(reception: u32, body_hash: &[u8]) -> Result<f64> {
    engine::step_done(reception, body_hash).map_err(thrown)
}

#[wasm_bindgen]
pub fn answer() -> String {
    engine::answer()
}

#[wasm_bindgen]
pub fn refuse(scheme: &str, code: &str, message: &str) -> String {
    engine::refuse(scheme, code, message)
}

#[wasm_bindgen(js_name = memoryStore)]
pub fn memory_store(capacity: u32) -> u32 {
    engine::memory_store(capacity)
}

#[wasm_bindgen(js_name = memoryClaim)]
pub fn memory_claim(
    store: u32,
    key: &[u8],
    token: &[u8],
    body_hash: &[u8],
    lease_ms: f64,
    now_ms: f64,
) -> Result<String> {
    engine::memory_claim(store, key, token, body_hash, lease_ms, now_ms).map_err(thrown)
}

#[wasm_bindgen(js_name = memoryComplete)]
pub fn memory_complete(store: u32, key: &[u8], token: &[u8], retention_ms: f64, now_ms: f64) -> Result<bool> {
    engine::memory_complete(store, key, token, retention_ms, now_ms).map_err(thrown)
}

#[wasm_bindgen(js_name = memoryRelease)]
pub fn memory_release(store: u32, key: &[u8], token: &[u8]) -> Result<bool> {
    engine::memory_release(store, key, token).map_err(thrown)
}

#[wasm_bindgen(js_name = memoryExtend)]
pub fn memory_extend(store: u32, key: &[u8], token: &[u8], lease_ms: f64, now_ms: f64) -> Result<bool> {
    engine::memory_extend(store, key, token, lease_ms, now_ms).map_err(thrown)
}

#[wasm_bindgen(js_name = memoryRememberAtLeast)]
pub fn memory_remember_at_least(store: u32, minimum_ms: f64) -> Result<()> {
    engine::memory_remember_at_least(store, minimum_ms).map_err(thrown)
}

#[wasm_bindgen(js_name = memoryWarning)]
pub fn memory_warning(store: u32, process: u32) -> Result<String> {
    engine::memory_warning(store, process).map_err(thrown)
}

#[wasm_bindgen(js_name = memoryForget)]
pub fn memory_forget(store: u32, key: &[u8], now_ms: f64) -> Result<bool> {
    engine::memory_forget(store, key, now_ms).map_err(thrown)
}

#[wasm_bindgen(js_name = panicOnPurpose)]
pub fn panic_on_purpose() {
    engine::panic_on_purpose();
}

#[wasm_bindgen]
pub fn start(verifier: u32, head: &str) -> Result<u32> {
    engine::start(verifier, head).map_err(thrown)
}

#[wasm_bindgen]
pub fn update(stream: u32, chunk: &[u8]) -> Result<()> {
    engine::update(stream, chunk).map_err(thrown)
}

#[wasm_bindgen]
pub fn finish(stream: u32, now: f64) -> Result<f64> {
    engine::finish(stream, now).map_err(thrown)
}

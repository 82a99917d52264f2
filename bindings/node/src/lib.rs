//! The native engine: free functions, since a call on a class costs more than a small verification.
//!
//! Each one is the function of the same name in `hookproof_engine`, and catches a panic: JavaScript then gets an error
//! without a code of the core's, which the package reports as `internal_error`.
#![allow(missing_docs, reason = "documented in `hookproof_engine`")]
#![allow(clippy::needless_pass_by_value, reason = "what JavaScript passes is converted into owned values")]
#![allow(clippy::too_many_arguments, reason = "flat values cross faster than objects")]

use hookproof_engine::{self as engine, Head, Reading};
use napi::bindgen_prelude::Buffer;
use napi_derive::napi;

mod request;

/// The code of the core's error is the `code` of JavaScript's.
pub struct Code(&'static str);

impl AsRef<str> for Code {
    fn as_ref(&self) -> &str {
        self.0
    }
}

type Result<T> = core::result::Result<T, napi::Error<Code>>;

fn thrown(error: engine::Error) -> napi::Error<Code> {
    napi::Error::new(Code(error.code()), error.message())
}

#[napi(catch_unwind)]
pub fn errors() -> String {
    engine::errors()
}

#[napi(catch_unwind)]
pub fn schemes() -> Vec<String> {
    engine::schemes()
}

#[napi(catch_unwind)]
pub fn describe(source: String) -> Result<String> {
    engine::describe(&source).map_err(thrown)
}

#[napi(catch_unwind)]
pub fn verifier(source: String, secrets: &[u8], parts: String, options: String) -> Result<u32> {
    engine::verifier(&source, secrets, &parts, &options).map_err(thrown)
}

#[napi(catch_unwind)]
pub fn about(verifier: u32) -> Result<String> {
    engine::about(verifier).map_err(thrown)
}

#[napi(catch_unwind)]
pub fn drop_handle(kind: u8, handle: u32) {
    engine::drop_handle(kind, handle);
}

#[napi(catch_unwind)]
pub fn refusal() -> String {
    engine::refusal()
}

#[napi(catch_unwind)]
pub fn explain(verifier: u32, body: &[u8], head: String, now: f64) -> Result<Option<String>> {
    engine::explain(verifier, Reading { body, head: &Head::of(&head) }, now).map_err(thrown)
}

#[napi(catch_unwind)]
pub fn facts(verifier: u32, body: &[u8], head: String, proof: f64) -> Result<String> {
    engine::facts(verifier, Reading { body, head: &Head::of(&head) }, proof).map_err(thrown)
}

#[napi(catch_unwind)]
pub fn event_type(verifier: u32, body: &[u8], head: String, proof: f64) -> Result<Option<String>> {
    engine::event_type(verifier, Reading { body, head: &Head::of(&head) }, proof).map_err(thrown)
}

#[napi(catch_unwind)]
pub fn key(verifier: u32, body: &[u8], head: String, proof: f64, scope: String) -> Result<Option<Buffer>> {
    Ok(engine::key(verifier, Reading { body, head: &Head::of(&head) }, proof, &scope)
        .map_err(thrown)?
        .map(Buffer::from))
}

#[napi(catch_unwind)]
pub fn body(verifier: u32, body: &[u8], head: String) -> Result<Option<Buffer>> {
    Ok(engine::body(verifier, Reading { body, head: &Head::of(&head) }).map_err(thrown)?.map(Buffer::from))
}

#[napi(catch_unwind)]
pub fn signed(verifier: u32, body: &[u8], head: String, proof: f64) -> Result<Option<Buffer>> {
    Ok(engine::signed(verifier, Reading { body, head: &Head::of(&head) }, proof).map_err(thrown)?.map(Buffer::from))
}

#[napi(catch_unwind)]
pub fn items(verifier: u32, body: &[u8], head: String, proof: f64, scope: String) -> Result<String> {
    engine::items(verifier, Reading { body, head: &Head::of(&head) }, proof, &scope).map_err(thrown)
}

#[napi(catch_unwind)]
pub fn sign(
    source: String,
    secret: &[u8],
    parts: String,
    options: String,
    body: &[u8],
    message: String,
) -> Result<String> {
    engine::sign(&source, secret, &parts, &options, body, &message).map_err(thrown)
}

#[napi(catch_unwind)]
pub fn receiver(verifier: u32, deduplicates: bool) -> Result<u32> {
    engine::receiver(verifier, deduplicates).map_err(thrown)
}

#[napi(catch_unwind)]
pub fn about_receiver(receiver: u32) -> Result<String> {
    engine::about_receiver(receiver).map_err(thrown)
}

#[napi(catch_unwind)]
pub fn step_done(reception: u32, body_hash: &[u8]) -> Result<f64> {
    engine::step_done(reception, body_hash).map_err(thrown)
}

#[napi(catch_unwind)]
pub fn answer() -> String {
    engine::answer()
}

#[napi(catch_unwind)]
pub fn refuse(scheme: String, code: String, message: String) -> String {
    engine::refuse(&scheme, &code, &message)
}

#[napi(catch_unwind)]
pub fn memory_store(capacity: u32) -> u32 {
    engine::memory_store(capacity)
}

#[napi(catch_unwind)]
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

#[napi(catch_unwind)]
pub fn memory_complete(store: u32, key: &[u8], token: &[u8], retention_ms: f64, now_ms: f64) -> Result<bool> {
    engine::memory_complete(store, key, token, retention_ms, now_ms).map_err(thrown)
}

#[napi(catch_unwind)]
pub fn memory_release(store: u32, key: &[u8], token: &[u8]) -> Result<bool> {
    engine::memory_release(store, key, token).map_err(thrown)
}

#[napi(catch_unwind)]
pub fn memory_extend(store: u32, key: &[u8], token: &[u8], lease_ms: f64, now_ms: f64) -> Result<bool> {
    engine::memory_extend(store, key, token, lease_ms, now_ms).map_err(thrown)
}

#[napi(catch_unwind)]
pub fn memory_remember_at_least(store: u32, minimum_ms: f64) -> Result<()> {
    engine::memory_remember_at_least(store, minimum_ms).map_err(thrown)
}

#[napi(catch_unwind)]
pub fn memory_warning(store: u32, process: u32) -> Result<String> {
    engine::memory_warning(store, process).map_err(thrown)
}

#[napi(catch_unwind)]
pub fn memory_forget(store: u32, key: &[u8], now_ms: f64) -> Result<bool> {
    engine::memory_forget(store, key, now_ms).map_err(thrown)
}

#[napi(catch_unwind)]
pub fn panic_on_purpose() {
    engine::panic_on_purpose();
}

#[napi(catch_unwind)]
pub fn start(verifier: u32, head: String) -> Result<u32> {
    engine::start(verifier, &head).map_err(thrown)
}

#[napi(catch_unwind)]
pub fn update(stream: u32, chunk: &[u8]) -> Result<()> {
    engine::update(stream, chunk).map_err(thrown)
}

#[napi(catch_unwind)]
pub fn finish(stream: u32, now: f64) -> Result<f64> {
    engine::finish(stream, now).map_err(thrown)
}

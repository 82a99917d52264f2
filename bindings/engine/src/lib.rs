//! What the two JavaScript engines share: the core behind flat calls of numbers, texts and bytes.
//!
//! `bindings/node` and `bindings/wasm` differ in how a value crosses the boundary, and in nothing else. Objects stay
//! here, in one table per kind and thread, and are known outside by a number; structured answers are JSON.

mod about;
mod json;
mod memory;
mod proof;
mod receive;
mod sign;
mod stream;
mod table;
mod verifier;

pub use about::{describe, errors, schemes};
pub use hookproof::Error;
pub use memory::{
    memory_claim, memory_complete, memory_extend, memory_forget, memory_release, memory_remember_at_least,
    memory_store, memory_warning,
};
pub use receive::{Beside, Note, about_receiver, answer, begin, receiver, refuse, step, step_done};
pub use sign::sign;
pub use stream::{finish, start, update};
pub use table::Kind;
pub use verifier::{
    Head, Reading, about, body, event_type, explain, facts, items, key, refusal, signed, verifier, verify,
};

/// Forgets an object, once nothing outside knows its number any more.
pub fn drop_handle(kind: u8, handle: u32) {
    if let Some(kind) = Kind::from_number(kind) {
        kind.forget(handle);
    }
}

/// Panics, in silence. That a panic ends neither the process nor the engine is tested with it.
pub fn panic_on_purpose() {
    std::panic::resume_unwind(Box::new("on purpose"));
}

use hookproof::{
    Error, ErrorKind,
    store::{ClaimAnswer, MemoryStore, Token},
};

use crate::{
    json::{Json, object},
    table::MEMORIES,
    verifier::hex,
};

/// A memory store for at most `capacity` keys; 0 means the default.
pub fn memory_store(capacity: u32) -> u32 {
    let store = if capacity == 0 { MemoryStore::default() } else { MemoryStore::new(capacity as usize) };
    MEMORIES.with_borrow_mut(|table| table.insert(store))
}

fn on<T>(store: u32, step: impl FnOnce(&MemoryStore) -> Result<T, Error>) -> Result<T, Error> {
    MEMORIES.with_borrow(|table| step(table.get(store)?))
}

pub(crate) fn sized<const N: usize>(what: &str, bytes: &[u8]) -> Result<[u8; N], Error> {
    bytes.try_into().map_err(|_| Error::new(ErrorKind::InternalError, format!("the {what} is not {N} bytes")))
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "saturates, which is what a wrong clock deserves"
)]
pub(crate) fn whole(ms: f64) -> u64 {
    ms as u64
}

/// `{kind: "claimed", fence}`, `{kind: "done", body_hash}` or `{kind: "in_flight", remaining_ms}`.
pub fn memory_claim(
    store: u32,
    key: &[u8],
    token: &[u8],
    body_hash: &[u8],
    lease_ms: f64,
    now_ms: f64,
) -> Result<String, Error> {
    on(store, |store| {
        let token = Token(sized("token", token)?);
        let (key, body_hash) = (sized("key", key)?, sized("body hash", body_hash)?);
        let answer = store.claim(&key, &token, &body_hash, whole(lease_ms), whole(now_ms));
        let answer = answer.map_err(|error| Error::new(ErrorKind::StoreUnavailable, error.to_string()))?;
        let (kind, fields) = match answer {
            ClaimAnswer::Claimed { fence } => ("claimed", ("fence", fence.into())),
            ClaimAnswer::Done { body_hash } => ("done", ("body_hash", Json::Written(hex(&body_hash)))),
            ClaimAnswer::InFlight { remaining_ms } => ("in_flight", ("remaining_ms", remaining_ms.into())),
            _ => ("unknown", ("is", Json::Null)),
        };
        Ok(object(&[("kind", kind.into()), fields]))
    })
}

/// Takes note of how long a receiver needs completed keys at least.
pub fn memory_remember_at_least(store: u32, minimum_ms: f64) -> Result<(), Error> {
    on(store, |store| {
        store.remember_at_least(whole(minimum_ms));
        Ok(())
    })
}

/// What the user should be told now; each thing once, and nothing is an empty text.
pub fn memory_warning(store: u32, process: u32) -> Result<String, Error> {
    on(store, |store| Ok(store.warning(process).unwrap_or_default().to_owned()))
}

/// Whether the claim was still the token's, which is now done for `retention_ms`.
pub fn memory_complete(store: u32, key: &[u8], token: &[u8], retention_ms: f64, now_ms: f64) -> Result<bool, Error> {
    on(store, |store| {
        Ok(store.complete(&sized("key", key)?, &Token(sized("token", token)?), whole(retention_ms), whole(now_ms)))
    })
}

/// Whether the claim was still the token's, and is free now.
pub fn memory_release(store: u32, key: &[u8], token: &[u8]) -> Result<bool, Error> {
    on(store, |store| Ok(store.release(&sized("key", key)?, &Token(sized("token", token)?))))
}

/// Whether the claim is still the token's, and lasts `lease_ms` from now.
pub fn memory_extend(store: u32, key: &[u8], token: &[u8], lease_ms: f64, now_ms: f64) -> Result<bool, Error> {
    on(store, |store| {
        Ok(store.extend(&sized("key", key)?, &Token(sized("token", token)?), whole(lease_ms), whole(now_ms)))
    })
}

/// Whether the key was done, and is forgotten now.
pub fn memory_forget(store: u32, key: &[u8], now_ms: f64) -> Result<bool, Error> {
    on(store, |store| Ok(store.forget(&sized("key", key)?, whole(now_ms))))
}

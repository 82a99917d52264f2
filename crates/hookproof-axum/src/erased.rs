//! A store of any kind behind one pointer, so that receivers of different stores are one type.

use core::future::Future;
use core::pin::Pin;

use hookproof::store::{ClaimAnswer, StoreError, Token};
use hookproof_stores::AsyncStore;

pub(crate) type Answered<'a, T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send + 'a>>;

pub(crate) trait Erased: Send + Sync {
    fn scope(&self) -> &str;
    fn remember_at_least(&self, minimum_ms: u64);
    fn claim<'a>(
        &'a self,
        key: &'a [u8; 32],
        token: &'a Token,
        body_hash: &'a [u8; 32],
        lease_ms: u64,
    ) -> Answered<'a, ClaimAnswer>;
    fn complete<'a>(&'a self, key: &'a [u8; 32], token: &'a Token, retention_ms: u64) -> Answered<'a, bool>;
    fn release<'a>(&'a self, key: &'a [u8; 32], token: &'a Token) -> Answered<'a, bool>;
    fn extend<'a>(&'a self, key: &'a [u8; 32], token: &'a Token, lease_ms: u64) -> Answered<'a, bool>;
}

impl<S: AsyncStore> Erased for S {
    fn scope(&self) -> &str {
        AsyncStore::scope(self)
    }

    fn remember_at_least(&self, minimum_ms: u64) {
        AsyncStore::remember_at_least(self, minimum_ms);
    }

    fn claim<'a>(
        &'a self,
        key: &'a [u8; 32],
        token: &'a Token,
        body_hash: &'a [u8; 32],
        lease_ms: u64,
    ) -> Answered<'a, ClaimAnswer> {
        Box::pin(AsyncStore::claim(self, key, token, body_hash, lease_ms))
    }

    fn complete<'a>(&'a self, key: &'a [u8; 32], token: &'a Token, retention_ms: u64) -> Answered<'a, bool> {
        Box::pin(AsyncStore::complete(self, key, token, retention_ms))
    }

    fn release<'a>(&'a self, key: &'a [u8; 32], token: &'a Token) -> Answered<'a, bool> {
        Box::pin(AsyncStore::release(self, key, token))
    }

    fn extend<'a>(&'a self, key: &'a [u8; 32], token: &'a Token, lease_ms: u64) -> Answered<'a, bool> {
        Box::pin(AsyncStore::extend(self, key, token, lease_ms))
    }
}

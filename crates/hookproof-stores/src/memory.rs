//! The core's memory store, for services that await their store.

use hookproof::store::{ClaimAnswer, Clocked, Store, StoreError, Token};

use crate::AsyncStore;

// Never waits: each step is done when it is called.
impl<C: Fn() -> u64 + Send + Sync> AsyncStore for Clocked<C> {
    fn scope(&self) -> &str {
        Store::scope(self)
    }

    fn remember_at_least(&self, minimum_ms: u64) {
        Store::remember_at_least(self, minimum_ms);
    }

    async fn claim(
        &self,
        key: &[u8; 32],
        token: &Token,
        body_hash: &[u8; 32],
        lease_ms: u64,
    ) -> Result<ClaimAnswer, StoreError> {
        Store::claim(self, key, token, body_hash, lease_ms)
    }

    async fn complete(&self, key: &[u8; 32], token: &Token, retention_ms: u64) -> Result<bool, StoreError> {
        Store::complete(self, key, token, retention_ms)
    }

    async fn release(&self, key: &[u8; 32], token: &Token) -> Result<bool, StoreError> {
        Store::release(self, key, token)
    }

    async fn extend(&self, key: &[u8; 32], token: &Token, lease_ms: u64) -> Result<bool, StoreError> {
        Store::extend(self, key, token, lease_ms)
    }

    async fn forget(&self, key: &[u8; 32]) -> Result<bool, StoreError> {
        Store::forget(self, key)
    }
}

//! Claims in PostgreSQL: one statement for each step, on the database's clock.

use core::error::Error as _;

use deadpool_postgres::{Pool, PoolError, Transaction};
use hookproof::store::sql::postgres as texts;
use tokio_postgres::error::SqlState;
use tokio_postgres::types::ToSql;

use crate::{AsyncStore, ClaimAnswer, CompleteError, Scope, StoreError, Token, answer, signed, unavailable};

/// How often a claim is run again because another one committed while it ran.
const RACES: usize = 4;

/// What is said of a row that a transaction holds: nobody knows when it ends.
const LOCKED: ClaimAnswer = ClaimAnswer::InFlight { remaining_ms: 1000 };

/// Claims in PostgreSQL, through a pool of `deadpool-postgres`; its statements are prepared once for each connection.
///
/// With [`PostgresStore::complete_in`] the effect and the mark commit together, so the effect happens exactly once.
#[derive(Clone)]
pub struct PostgresStore {
    pool: Pool,
    scope: Scope,
}

impl PostgresStore {
    /// A store on `pool`.
    #[must_use]
    pub fn new(pool: Pool, scope: Scope) -> Self {
        Self { pool, scope }
    }

    /// Makes the table, if it is not there.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub async fn create(&self) -> Result<(), StoreError> {
        self.pool.get().await.map_err(away)?.batch_execute(texts::CREATE).await.map_err(said)
    }

    /// Deletes at most `limit` rows that have ended, and answers how many; fewer than `limit`: none is left.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub async fn purge(&self, limit: u32) -> Result<u64, StoreError> {
        self.change(texts::PURGE, &[&i64::from(limit)]).await
    }

    /// Completes the claim inside the caller's transaction.
    ///
    /// # Errors
    /// [`CompleteError::LeaseLost`] from a statement that failed, so that the transaction can only roll back;
    /// [`CompleteError::Database`] if the database fails.
    pub async fn complete_in(
        &self,
        transaction: &Transaction<'_>,
        key: &[u8; 32],
        token: &Token,
        retention_ms: u64,
    ) -> Result<(), CompleteError<tokio_postgres::Error>> {
        let run = async {
            let statement = transaction.prepare_cached(texts::COMPLETE_IN).await?;
            transaction.query(&statement, &[&key.as_slice(), &token.0.as_slice(), &signed(retention_ms)]).await
        };
        match run.await {
            Ok(_) => Ok(()),
            Err(error) if error.code() == Some(&SqlState::INVALID_TEXT_REPRESENTATION) => Err(CompleteError::LeaseLost),
            Err(error) => Err(CompleteError::Database(error)),
        }
    }

    async fn change(&self, text: &str, values: &[&(dyn ToSql + Sync)]) -> Result<u64, StoreError> {
        let client = self.pool.get().await.map_err(away)?;
        let statement = client.prepare_cached(text).await.map_err(said)?;
        client.execute(&statement, values).await.map_err(said)
    }
}

impl core::fmt::Debug for PostgresStore {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("PostgresStore").field("scope", &self.scope).finish_non_exhaustive()
    }
}

impl AsyncStore for PostgresStore {
    fn scope(&self) -> &str {
        self.scope.as_str()
    }

    async fn claim(
        &self,
        key: &[u8; 32],
        token: &Token,
        body_hash: &[u8; 32],
        lease_ms: u64,
    ) -> Result<ClaimAnswer, StoreError> {
        let client = self.pool.get().await.map_err(away)?;
        let statement = client.prepare_cached(texts::CLAIM).await.map_err(said)?;
        let (key, token, body_hash) = (key.as_slice(), token.0.as_slice(), body_hash.as_slice());
        let (lease_ms, scope) = (signed(lease_ms), self.scope.as_str());
        for _ in 0..RACES {
            match client.query_opt(&statement, &[&key, &token, &body_hash, &lease_ms, &scope]).await {
                Ok(Some(row)) => {
                    let state: i16 = row.try_get(0).map_err(said)?;
                    return answer(
                        i64::from(state),
                        row.try_get(1).map_err(said)?,
                        row.try_get(2).map_err(said)?,
                        row.try_get(3).map_err(said)?,
                    );
                }
                Ok(None) => {}
                Err(error) if error.code() == Some(&SqlState::LOCK_NOT_AVAILABLE) => break,
                Err(error) => return Err(said(error)),
            }
        }
        Ok(LOCKED)
    }

    async fn complete(&self, key: &[u8; 32], token: &Token, retention_ms: u64) -> Result<bool, StoreError> {
        let changed =
            self.change(texts::COMPLETE, &[&key.as_slice(), &token.0.as_slice(), &signed(retention_ms)]).await?;
        Ok(changed == 1)
    }

    async fn release(&self, key: &[u8; 32], token: &Token) -> Result<bool, StoreError> {
        Ok(self.change(texts::RELEASE, &[&key.as_slice(), &token.0.as_slice()]).await? == 1)
    }

    async fn extend(&self, key: &[u8; 32], token: &Token, lease_ms: u64) -> Result<bool, StoreError> {
        let changed = self.change(texts::EXTEND, &[&key.as_slice(), &token.0.as_slice(), &signed(lease_ms)]).await?;
        Ok(changed == 1)
    }

    async fn forget(&self, key: &[u8; 32]) -> Result<bool, StoreError> {
        Ok(self.change(texts::FORGET, &[&key.as_slice()]).await? == 1)
    }
}

/// Why the pool has no connection, with the causes behind it: `tokio-postgres` keeps the address's refusal to itself.
fn away(error: PoolError) -> StoreError {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let said = error.to_string();
        if !text.contains(&said) {
            text = format!("{text}: {said}");
        }
        cause = error.source();
    }
    unavailable(text)
}

/// The database's own words; `tokio-postgres` says only "db error" by itself.
fn said(error: tokio_postgres::Error) -> StoreError {
    match error.as_db_error() {
        Some(database) => unavailable(format_args!("{}: {}", database.code().code(), database.message())),
        None => unavailable(error),
    }
}

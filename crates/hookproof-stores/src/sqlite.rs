//! Claims in an SQLite file, for the processes of one machine.

use core::time::Duration;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use hookproof::store::sql::sqlite as texts;
use rusqlite::{Connection, OptionalExtension, Params, Transaction, params};

use crate::{
    AsyncStore, ClaimAnswer, CompleteError, Scope, StoreError, Token, answer, signed, unavailable, unexpected,
};

/// How long a step waits for another process that is writing.
const TIMEOUT: Duration = Duration::from_secs(2);

/// Claims in an SQLite file, on tokio's blocking threads.
///
/// The file is opened in WAL mode with `synchronous=FULL`, and the table is made: what was answered survives a crash
/// of the machine. It must be on a local disk; SQLite's locks do not hold on network file systems.
///
/// With [`SqliteStore::complete_in`], on a connection of the service to the same file, the effect and the mark commit
/// together, so the effect happens exactly once.
#[derive(Clone)]
pub struct SqliteStore {
    // One connection and a lock: SQLite has one writer at a time, and its own waiting is not fair, so that of thirty
    // threads the last would give up.
    connection: Arc<Mutex<Connection>>,
    path: PathBuf,
    scope: Scope,
}

impl SqliteStore {
    /// Opens the file, or makes it.
    ///
    /// # Errors
    /// What SQLite says of the file.
    pub fn open(path: impl AsRef<Path>, scope: Scope) -> Result<Self, rusqlite::Error> {
        let connection = Connection::open(&path)?;
        connection.busy_timeout(TIMEOUT)?;
        use_wal(&connection)?;
        connection.pragma_update(None, "synchronous", "FULL")?;
        connection.execute_batch(texts::CREATE)?;
        Ok(Self { connection: Arc::new(Mutex::new(connection)), path: path.as_ref().to_owned(), scope })
    }

    /// Deletes at most `limit` rows that have ended, and answers how many; fewer than `limit`: none is left.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub async fn purge(&self, limit: u32) -> Result<usize, StoreError> {
        self.run(move |connection| change(connection, texts::PURGE, params![limit])).await
    }

    /// Completes the claim inside the caller's transaction on the same file.
    ///
    /// # Errors
    /// [`CompleteError::LeaseLost`] from a statement that failed: roll the transaction back.
    /// [`CompleteError::Database`] if the database fails.
    pub fn complete_in(
        &self,
        transaction: &Transaction<'_>,
        key: &[u8; 32],
        token: &Token,
        retention_ms: u64,
    ) -> Result<(), CompleteError<rusqlite::Error>> {
        match change(transaction, texts::COMPLETE_IN, params![key, token.0, signed(retention_ms)]) {
            Ok(_) => Ok(()),
            Err(error) if error.to_string().contains("malformed JSON") => Err(CompleteError::LeaseLost),
            Err(error) => Err(CompleteError::Database(error)),
        }
    }

    async fn run<T: Send + 'static>(
        &self,
        step: impl FnOnce(&Connection) -> Result<T, rusqlite::Error> + Send + 'static,
    ) -> Result<T, StoreError> {
        let connection = Arc::clone(&self.connection);
        let done = tokio::task::spawn_blocking(move || {
            // A step that panicked has left no statement open: it is dropped before the lock.
            step(&connection.lock().unwrap_or_else(PoisonError::into_inner))
        });
        done.await.map_err(unavailable)?.map_err(unavailable)
    }
}

impl core::fmt::Debug for SqliteStore {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("SqliteStore").field("path", &self.path).field("scope", &self.scope).finish()
    }
}

impl AsyncStore for SqliteStore {
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
        let (key, token, body_hash, scope) = (*key, token.0, *body_hash, self.scope.clone());
        let row = self.run(move |connection| {
            connection
                .prepare_cached(texts::CLAIM)?
                .query_row(params![key, token, body_hash, signed(lease_ms), scope.as_str()], |row| {
                    Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
                })
                .optional()
        });
        let (state, fence, body_hash, remaining_ms) = row.await?.ok_or_else(|| unexpected("row"))?;
        answer(state, fence, body_hash, remaining_ms)
    }

    async fn complete(&self, key: &[u8; 32], token: &Token, retention_ms: u64) -> Result<bool, StoreError> {
        let (key, token) = (*key, token.0);
        let step = move |connection: &Connection| {
            change(connection, texts::COMPLETE, params![key, token, signed(retention_ms)])
        };
        Ok(self.run(step).await? == 1)
    }

    async fn release(&self, key: &[u8; 32], token: &Token) -> Result<bool, StoreError> {
        let (key, token) = (*key, token.0);
        Ok(self.run(move |connection| change(connection, texts::RELEASE, params![key, token])).await? == 1)
    }

    async fn extend(&self, key: &[u8; 32], token: &Token, lease_ms: u64) -> Result<bool, StoreError> {
        let (key, token) = (*key, token.0);
        let step =
            move |connection: &Connection| change(connection, texts::EXTEND, params![key, token, signed(lease_ms)]);
        Ok(self.run(step).await? == 1)
    }

    async fn forget(&self, key: &[u8; 32]) -> Result<bool, StoreError> {
        let key = *key;
        Ok(self.run(move |connection| change(connection, texts::FORGET, params![key])).await? == 1)
    }
}

/// Two processes that switch a new file at the same time do not wait for each other: SQLite says `locked` at once.
fn use_wal(connection: &Connection) -> Result<(), rusqlite::Error> {
    let until = Instant::now() + TIMEOUT;
    loop {
        match connection.pragma_update(None, "journal_mode", "WAL") {
            Err(_) if Instant::now() < until => std::thread::sleep(Duration::from_millis(10)),
            done => return done,
        }
    }
}

fn change(connection: &Connection, text: &str, values: impl Params) -> Result<usize, rusqlite::Error> {
    connection.prepare_cached(text)?.execute(values)
}

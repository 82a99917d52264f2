//! `tests/stores/contract.json` on every store of this crate.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

mod case;
mod server;

use std::time::{SystemTime, UNIX_EPOCH};

use deadpool_postgres::{Manager, Pool, Runtime};
use hookproof::store::{MemoryStore, StoreError, Token};
use hookproof_stores::postgres::PostgresStore;
use hookproof_stores::redis::RedisStore;
use hookproof_stores::sqlite::SqliteStore;
use hookproof_stores::{AsyncStore, ClaimAnswer, CompleteError, Scope};

use case::{digest, play, token};
use server::Server;

fn scope() -> Scope {
    Scope::new("contract").unwrap()
}

fn now_ms() -> u64 {
    u64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis()).unwrap()
}

fn pool(url: &str) -> Pool {
    let manager = Manager::new(url.parse().unwrap(), deadpool_postgres::tokio_postgres::NoTls);
    Pool::builder(manager).max_size(16).runtime(Runtime::Tokio1).build().unwrap()
}

async fn redis_connection(url: &str) -> redis::aio::MultiplexedConnection {
    redis::Client::open(url).unwrap().get_multiplexed_async_connection().await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn memory() {
    play(&MemoryStore::new(10_000).with_clock(now_ms), false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn redis_store() {
    let server = Server::start("redis");
    play(&RedisStore::new(redis_connection(server.url()).await, scope()), true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn postgres_store() {
    let server = Server::start("postgres");
    let store = PostgresStore::new(pool(server.url()), scope());
    store.create().await.unwrap();
    store.create().await.unwrap();
    play(&store, true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sqlite_store() {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(folder.path().join("claims.db"), scope()).unwrap();
    play(&store, true).await;
}

#[tokio::test]
async fn redis_that_is_away_is_an_error_and_not_an_answer() {
    let server = Server::start("redis");
    let store = RedisStore::new(redis_connection(server.url()).await, scope());
    drop(server);
    let answer = store.claim(&digest("k"), &token("a"), &digest("a"), 1_000).await;
    assert!(matches!(answer, Err(StoreError::Unavailable(_))), "{answer:?}");
}

#[tokio::test]
async fn a_script_that_the_server_has_forgotten_is_sent_again() {
    let server = Server::start("redis");
    let mut connection = redis_connection(server.url()).await;
    let store = RedisStore::new(connection.clone(), scope());
    assert!(matches!(
        store.claim(&digest("k"), &token("a"), &digest("a"), 1_000).await,
        Ok(ClaimAnswer::Claimed { .. })
    ));
    redis::cmd("SCRIPT").arg("FLUSH").query_async::<()>(&mut connection).await.unwrap();
    assert_eq!(store.complete(&digest("k"), &token("a"), 1_000).await, Ok(true));
}

#[tokio::test]
async fn postgres_commits_the_effect_and_the_mark_together_or_neither() {
    let server = Server::start("postgres");
    let pool = pool(server.url());
    let store = PostgresStore::new(pool.clone(), scope());
    store.create().await.unwrap();
    let mut client = pool.get().await.unwrap();
    client.batch_execute("CREATE TABLE effects (by text)").await.unwrap();
    let key = digest("k");

    assert!(matches!(store.claim(&key, &token("a"), &digest("a"), 1).await, Ok(ClaimAnswer::Claimed { .. })));
    tokio::time::sleep(core::time::Duration::from_millis(20)).await;
    assert!(matches!(store.claim(&key, &token("b"), &digest("b"), 60_000).await, Ok(ClaimAnswer::Claimed { .. })));

    for (by, held) in [("a", false), ("b", true), ("b", false)] {
        let transaction = client.transaction().await.unwrap();
        transaction.execute("INSERT INTO effects VALUES ($1)", &[&by]).await.unwrap();
        match store.complete_in(&transaction, &key, &token(by), 60_000).await {
            Ok(()) => transaction.commit().await.unwrap(),
            Err(CompleteError::LeaseLost) => {
                assert!(!held, "{by} lost its lease");
                // Committing what has failed is a rollback.
                transaction.commit().await.unwrap();
            }
            Err(error) => panic!("{error}"),
        }
    }
    let effects: Vec<String> =
        client.query("SELECT by FROM effects", &[]).await.unwrap().iter().map(|row| row.get(0)).collect();
    assert_eq!(effects, ["b"]);
    let answer = store.claim(&key, &token("c"), &digest("c"), 1_000).await;
    assert_eq!(answer, Ok(ClaimAnswer::Done { body_hash: digest("b") }));
}

#[tokio::test]
async fn a_row_that_a_transaction_completes_is_in_flight_for_others() {
    let server = Server::start("postgres");
    let pool = pool(server.url());
    let store = PostgresStore::new(pool.clone(), scope());
    store.create().await.unwrap();
    let key = digest("k");
    assert!(matches!(store.claim(&key, &token("a"), &digest("a"), 1).await, Ok(ClaimAnswer::Claimed { .. })));
    let mut client = pool.get().await.unwrap();
    let transaction = client.transaction().await.unwrap();
    store.complete_in(&transaction, &key, &token("a"), 60_000).await.unwrap();
    let answer = store.claim(&key, &token("b"), &digest("b"), 1_000).await;
    assert_eq!(answer, Ok(ClaimAnswer::InFlight { remaining_ms: 1_000 }));
    transaction.commit().await.unwrap();
    let answer = store.claim(&key, &token("b"), &digest("b"), 1_000).await;
    assert_eq!(answer, Ok(ClaimAnswer::Done { body_hash: digest("a") }));
}

#[tokio::test]
async fn sqlite_commits_the_effect_and_the_mark_together_or_neither() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("claims.db");
    let store = SqliteStore::open(&path, scope()).unwrap();
    let mut own = rusqlite::Connection::open(&path).unwrap();
    own.execute_batch("CREATE TABLE effects (by TEXT)").unwrap();
    let key = digest("k");
    assert!(matches!(store.claim(&key, &token("a"), &digest("a"), 1).await, Ok(ClaimAnswer::Claimed { .. })));
    tokio::time::sleep(core::time::Duration::from_millis(20)).await;
    assert!(matches!(store.claim(&key, &token("b"), &digest("b"), 60_000).await, Ok(ClaimAnswer::Claimed { .. })));
    for (by, held) in [("a", false), ("b", true), ("b", false)] {
        let transaction = own.transaction().unwrap();
        transaction.execute("INSERT INTO effects VALUES (?1)", [by]).unwrap();
        match store.complete_in(&transaction, &key, &token(by), 60_000) {
            Ok(()) => transaction.commit().unwrap(),
            Err(CompleteError::LeaseLost) => assert!(!held, "{by} lost its lease"),
            Err(error) => panic!("{error}"),
        }
    }
    let effects: Vec<String> = own
        .prepare("SELECT by FROM effects")
        .unwrap()
        .query_map([], |row| row.get(0))
        .unwrap()
        .map(Result::unwrap)
        .collect();
    assert_eq!(effects, ["b"]);
}

#[tokio::test]
async fn purge_deletes_what_has_ended_and_no_more_than_it_is_told() {
    let server = Server::start("postgres");
    let folder = tempfile::tempdir().unwrap();
    let postgres = PostgresStore::new(pool(server.url()), scope());
    postgres.create().await.unwrap();
    let sqlite = SqliteStore::open(folder.path().join("claims.db"), scope()).unwrap();
    async fn fill(store: &impl AsyncStore) {
        for n in 0..5 {
            let key = digest(&format!("ended {n}"));
            store.claim(&key, &Token([1; 16]), &key, 1_000).await.unwrap();
            store.complete(&key, &Token([1; 16]), 1).await.unwrap();
        }
        store.claim(&digest("in flight"), &Token([1; 16]), &[0; 32], 1).await.unwrap();
        store.claim(&digest("done"), &Token([1; 16]), &[0; 32], 1).await.unwrap();
        store.complete(&digest("done"), &Token([1; 16]), 60_000).await.unwrap();
    }
    fill(&postgres).await;
    fill(&sqlite).await;
    tokio::time::sleep(core::time::Duration::from_millis(20)).await;
    for expected in [3, 2, 0] {
        assert_eq!(postgres.purge(3).await, Ok(expected));
        assert_eq!(sqlite.purge(3).await, Ok(usize::try_from(expected).unwrap()));
    }
    assert_eq!(postgres.complete(&digest("in flight"), &Token([1; 16]), 1_000).await, Ok(true));
    assert_eq!(sqlite.complete(&digest("in flight"), &Token([1; 16]), 1_000).await, Ok(true));
}

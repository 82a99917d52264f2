//! `hookproof store forget`, on the servers that people run.

#![allow(missing_docs, clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests may fail loudly")]

#[path = "../../hookproof-stores/tests/contract/server.rs"]
mod server;

use std::process::Command;

use deadpool_postgres::{Manager, Pool, tokio_postgres};
use hookproof::Key;
use hookproof_stores::postgres::PostgresStore;
use hookproof_stores::redis::RedisStore;
use hookproof_stores::sqlite::SqliteStore;
use hookproof_stores::{AsyncStore, ClaimAnswer, Scope, Token};
use sha2::{Digest as _, Sha256};

use server::Server;

const LONG: u64 = 60_000;

/// Exit code, what it found, what it complains of.
fn forget(arguments: &[&str]) -> (i32, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hookproof"));
    let output = command.args(["store", "forget"]).args(arguments).env_remove("HOOKPROOF_STORE").output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

fn scope() -> Scope {
    Scope::new("crm").unwrap()
}

fn hex(key: Key) -> String {
    key.0.iter().map(|byte| format!("{byte:02x}")).collect()
}

async fn claim(store: &impl AsyncStore, key: Key, by: u8) -> ClaimAnswer {
    store.claim(&key.0, &Token([by; 16]), &[by; 32], LONG).await.unwrap()
}

/// Every way to name an event, on one store.
async fn play(store: &impl AsyncStore, url: &str) {
    let body = br#"{"event":"message.created"}"#;
    let digest = Sha256::digest(body).to_vec();
    let with_event = [&digest[..], b"push"].concat();
    let text = str::from_utf8(body).unwrap();
    let derive = |scheme: &str, kind: &str, identity: &[u8]| Key::derive(scheme, "crm", kind, identity);
    let named = derive("standard-webhooks", "id", b"msg_whole");
    let whole = hex(named);
    let events: [(Key, &[&str]); 6] = [
        (named, &["--key", &whole]),
        (derive("standard-webhooks", "id", b"msg_1"), &["--provider", "standard-webhooks", "--id", "msg_1"]),
        (derive("agentbot", "body", &digest), &["--provider", "agentbot", "--body", text]),
        (
            derive("github", "body.event", &with_event),
            &["--provider", "github", "--body", text, "--event-type", "push"],
        ),
        (derive("hubspot-v3", "item", b"7"), &["--provider", "hubspot-v3", "--item", "7"]),
        (
            Key::derive("stripe", "crm\nshop 1", "id", b"evt_1"),
            &["--provider", "stripe", "--tenant", "shop 1", "--id", "evt_1"],
        ),
    ];
    for (key, event) in events {
        let arguments = [&[url, "--scope", "crm"], event].concat();
        assert!(matches!(claim(store, key, 1).await, ClaimAnswer::Claimed { .. }));
        let (code, out, _) = forget(&arguments);
        assert_eq!(code, 1, "{event:?} is in flight: {out}");
        assert!(store.complete(&key.0, &Token([1; 16]), LONG).await.unwrap(), "{event:?} was left alone");
        assert!(matches!(claim(store, key, 2).await, ClaimAnswer::Done { .. }));

        let (code, out, complaint) = forget(&arguments);
        assert_eq!((code, complaint.as_str()), (0, ""), "{event:?}: {out}");
        assert!(out.starts_with(&format!("forgot `{}`", key.prefix())) && out.lines().count() == 1, "{out}");
        assert!(matches!(claim(store, key, 3).await, ClaimAnswer::Claimed { .. }), "{event:?} runs again");
        assert!(store.release(&key.0, &Token([3; 16])).await.unwrap());
        let (code, out, _) = forget(&arguments);
        assert_eq!((code, out.lines().count()), (1, 1), "{event:?} is forgotten already: {out}");
    }
}

#[tokio::test]
async fn an_event_on_redis_runs_once_more() {
    let server = Server::start("redis");
    let client = redis::Client::open(server.url()).unwrap();
    play(&RedisStore::new(client.get_multiplexed_async_connection().await.unwrap(), scope()), server.url()).await;
}

#[tokio::test]
async fn an_event_in_postgres_runs_once_more() {
    let server = Server::start("postgres");
    let manager = Manager::new(server.url().parse().unwrap(), tokio_postgres::NoTls);
    let store = PostgresStore::new(Pool::builder(manager).build().unwrap(), scope());
    let (code, _, complaint) = forget(&[server.url(), "--scope", "crm", "--key", &"0".repeat(64)]);
    assert_eq!((code, complaint.lines().count()), (2, 1), "{complaint}");
    assert!(complaint.contains("hookproof_claims"), "there is no table yet: {complaint}");
    store.create().await.unwrap();
    play(&store, server.url()).await;
}

#[tokio::test]
async fn an_event_in_an_sqlite_file_runs_once_more() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("claims.db");
    let store = SqliteStore::open(&path, scope()).unwrap();
    play(&store, path.to_str().unwrap()).await;
}

#[test]
fn wrong_questions_end_with_2_and_one_line() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("mistyped.db");
    let file = path.to_str().unwrap();
    let other = folder.path().join("other.db");
    rusqlite::Connection::open(&other).unwrap().execute_batch("CREATE TABLE accounts (id TEXT)").unwrap();
    let key = "0".repeat(64);
    let by_id = ["--provider", "stripe", "--id", "evt_1"];
    for (store, scope, event, word) in [
        (file, "crm", &["--key", &key][..], "unable to open"),
        (other.to_str().unwrap(), "crm", &by_id, "no table `hookproof_claims`"),
        (file, "", &by_id, "`scope` names"),
        (file, "crm", &["--key", "431099b7"], "64 hex digits"),
        (file, "crm", &["--key", &"é".repeat(32)], "64 hex digits"),
        (file, "crm", &["--key", &"0".repeat(65)], "64 hex digits"),
        (file, "crm", &["--provider", "strpie", "--id", "evt_1"], "`stripe`"),
        (file, "crm", &["--provider", "stripe"], "no event"),
        (file, "crm", &["--provider", "mailgun", "--body", "{}"], "does not cover the body"),
        ("mysql://root:s3cret@localhost/", "crm", &by_id, "redis://"),
        ("redis://:s3cret@127.0.0.1:1/", "crm", &by_id, "refused"),
        ("redis://:s3cret@127.0.0.1:port/", "crm", &by_id, "Redis URL"),
        ("rediss://:s3cret@127.0.0.1:1/", "crm", &by_id, "TLS"),
        ("postgres://root:s3cret@127.0.0.1:1/app", "crm", &by_id, "refused"),
        ("postgres://root:s3cret@127.0.0.1:port/app", "crm", &by_id, "connection string"),
        ("postgres://root:s3cret@127.0.0.1:1/app?sslmode=require", "crm", &by_id, "refused"),
    ] {
        let (code, out, complaint) = forget(&[&[store, "--scope", scope], event].concat());
        assert_eq!((code, out.as_str(), complaint.lines().count()), (2, "", 1), "{store} {event:?}: {complaint}");
        assert!(complaint.contains(word) && !complaint.contains("s3cret"), "{store} {event:?}: {complaint}");
    }
    assert!(!path.exists(), "a mistyped path makes no file");
    let (code, _, complaint) = forget(&["--scope", "crm", "--key", &key]);
    assert_eq!((code, complaint.contains("HOOKPROOF_STORE")), (2, true), "{complaint}");
    for usage in [&["--scope", "crm"][..], &["--key", &key], &["--scope", "crm", "--id", "evt_1"]] {
        let (code, out, complaint) = forget(usage);
        assert_eq!((code, out.as_str()), (2, ""), "{complaint}");
    }
}

#[test]
fn what_was_not_found_may_have_another_key() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("claims.db");
    SqliteStore::open(&path, scope()).unwrap();
    for (event, word) in [
        (&["--provider", "agentbot", "--id", "d1"][..], "known by its body"),
        (&["--provider", "standard-webhooks", "--body", "{}"], "known by --id"),
    ] {
        let (code, out, hint) = forget(&[&[path.to_str().unwrap(), "--scope", "crm"], event].concat());
        assert_eq!((code, hint.contains(word)), (1, true), "{out}{hint}");
    }
}

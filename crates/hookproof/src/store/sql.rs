//! The statements that PostgreSQL and SQLite run, for every language.
//!
//! One statement for each operation, on the database's own clock. Parameters stand in the same order everywhere:
//! key, token, then what the operation adds. Keys, tokens and body hashes are binary (`bytea`, `BLOB`), durations are
//! whole milliseconds.

pub mod postgres;
pub mod sqlite;

/// The table that both dialects use.
pub const TABLE: &str = "hookproof_claims";

/// All texts by name (`redis.script`, `postgres.claim`, `sqlite.complete_in`, ...): what the
/// stores of every language run.
///
/// ```
/// let (_, text) = hookproof::store::sql::TEXTS.iter().find(|(name, _)| *name == "sqlite.claim").unwrap();
/// assert!(text.contains("hookproof_claims"));
/// ```
pub const TEXTS: &[(&str, &str)] = &[
    ("redis.script", super::lua::SCRIPT),
    ("redis.sha1", super::lua::SHA1),
    ("postgres.create", postgres::CREATE),
    ("postgres.claim", postgres::CLAIM),
    ("postgres.complete", postgres::COMPLETE),
    ("postgres.release", postgres::RELEASE),
    ("postgres.extend", postgres::EXTEND),
    ("postgres.forget", postgres::FORGET),
    ("postgres.purge", postgres::PURGE),
    ("postgres.complete_in", postgres::COMPLETE_IN),
    ("sqlite.create", sqlite::CREATE),
    ("sqlite.claim", sqlite::CLAIM),
    ("sqlite.complete", sqlite::COMPLETE),
    ("sqlite.release", sqlite::RELEASE),
    ("sqlite.extend", sqlite::EXTEND),
    ("sqlite.forget", sqlite::FORGET),
    ("sqlite.purge", sqlite::PURGE),
    ("sqlite.complete_in", sqlite::COMPLETE_IN),
];

//! SQLite 3.35 or newer, and D1.
//!
//! `state` is 0 for free, 1 for claimed, 2 for done. A statement in autocommit takes the write lock before it reads
//! the time. `julianday` and not `unixepoch('subsec')`, which older libraries lack.

macro_rules! now {
    () => {
        "CAST(round((julianday('now') - 2440587.5) * 86400000) AS INTEGER)"
    };
}

/// The table; statements are separated by `;` and can be run again.
pub const CREATE: &str = "\
CREATE TABLE IF NOT EXISTS hookproof_claims (
  key BLOB PRIMARY KEY,
  scope TEXT NOT NULL,
  state INTEGER NOT NULL,
  token BLOB NOT NULL,
  fence INTEGER NOT NULL,
  body_hash BLOB NOT NULL,
  ends_ms INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS hookproof_claims_ends ON hookproof_claims (ends_ms)";

// What lets a claim take an existing row. All conditions read the row as it was before the statement.
macro_rules! free {
    () => {
        concat!("(state = 0 OR ends_ms <= ", now!(), " OR (state = 1 AND token = excluded.token))")
    };
}

/// Parameters: key, token, body hash, lease, scope. Answers one row `(state, fence, body_hash, remaining_ms)`: state 0
/// with the fence for claimed, 1 with the rest of the lease for in flight, 2 with the body hash for done.
pub const CLAIM: &str = concat!(
    "INSERT INTO hookproof_claims (key, scope, state, token, fence, body_hash, ends_ms)
VALUES (?1, ?5, 1, ?2, ",
    now!(),
    ", ?3, ",
    now!(),
    " + ?4)
ON CONFLICT (key) DO UPDATE SET
  state = CASE WHEN ",
    free!(),
    " THEN 1 ELSE state END,
  token = CASE WHEN ",
    free!(),
    " THEN excluded.token ELSE token END,
  fence = CASE WHEN state = 1 AND token = excluded.token THEN fence
               WHEN ",
    free!(),
    " THEN max(fence + 1, ",
    now!(),
    ") ELSE fence END,
  body_hash = CASE WHEN ",
    free!(),
    " THEN excluded.body_hash ELSE body_hash END,
  ends_ms = CASE WHEN ",
    free!(),
    " THEN ",
    now!(),
    " + ?4 ELSE ends_ms END
RETURNING CASE WHEN state = 1 AND token = ?2 THEN 0 ELSE state END AS state,
  fence, body_hash, max(ends_ms - ",
    now!(),
    ", 1) AS remaining_ms"
);

/// Parameters: key, token, retention. Held if one row changed; a second try by the same token is held, too.
pub const COMPLETE: &str = concat!(
    "UPDATE hookproof_claims SET state = 2, ends_ms = ",
    now!(),
    " + ?3 WHERE key = ?1 AND token = ?2 AND state IN (1, 2)"
);

/// Parameters: key, token. Held if one row changed. The row stays for a day, so that the fence rises.
pub const RELEASE: &str = concat!(
    "UPDATE hookproof_claims SET state = 0, ends_ms = ",
    now!(),
    " + 86400000 WHERE key = ?1 AND token = ?2 AND state IN (0, 1)"
);

/// Parameters: key, token, lease. Held if one row changed.
pub const EXTEND: &str =
    concat!("UPDATE hookproof_claims SET ends_ms = ", now!(), " + ?3 WHERE key = ?1 AND token = ?2 AND state = 1");

/// Parameter: key. The key was done if one row changed.
pub const FORGET: &str = concat!(
    "UPDATE hookproof_claims SET state = 0, ends_ms = ",
    now!(),
    " + 86400000 WHERE key = ?1 AND state = 2 AND ends_ms > ",
    now!()
);

/// Parameter: how many rows at most. Deletes what has ended, oldest first; a claim only a day after its lease, since
/// a late worker whom nobody has replaced may still settle it. Fewer rows than asked for: nothing is left.
pub const PURGE: &str = concat!(
    "DELETE FROM hookproof_claims WHERE key IN (
  SELECT key FROM hookproof_claims
  WHERE ends_ms <= ",
    now!(),
    " AND ends_ms <= ",
    now!(),
    " - CASE state WHEN 1 THEN 86400000 ELSE 0 END
  ORDER BY ends_ms LIMIT ?1
)"
);

/// Parameters: key, token, retention. Completes inside the user's transaction, and **fails** (`malformed JSON`, the
/// one error that a plain statement can raise by itself) if the claim is not held any more or was completed before,
/// so that the caller rolls back, and a D1 batch does so by itself.
pub const COMPLETE_IN: &str = concat!(
    "UPDATE hookproof_claims SET state = 2, ends_ms = ",
    now!(),
    " + ?3 WHERE key = (
  SELECT CASE count(*) WHEN 1 THEN ?1 ELSE json('hookproof: lease lost ' || count(*)) END
  FROM hookproof_claims WHERE key = ?1 AND token = ?2 AND state = 1
)"
);

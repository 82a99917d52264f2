//! PostgreSQL 12 or newer.
//!
//! `state` is 0 for free, 1 for claimed, 2 for done. Every statement is meant for a connection in autocommit at READ
//! COMMITTED, except [`COMPLETE_IN`], which belongs into the user's transaction.
//!
//! `clock_timestamp()` and not `now()`: a statement that has waited for a row must not judge a lease by the time at
//! which it began to wait. `date_part` and not `extract`, which calculates with `numeric` and is several times slower.

macro_rules! now {
    () => {
        "(date_part('epoch', clock_timestamp()) * 1000)::bigint"
    };
}

/// The table; statements are separated by `;` and can be run again.
pub const CREATE: &str = "\
CREATE TABLE IF NOT EXISTS hookproof_claims (
  key bytea PRIMARY KEY,
  scope text NOT NULL,
  state smallint NOT NULL,
  token bytea NOT NULL,
  fence bigint NOT NULL,
  body_hash bytea NOT NULL,
  ends_ms bigint NOT NULL
);
CREATE INDEX IF NOT EXISTS hookproof_claims_ends ON hookproof_claims (ends_ms)";

/// Parameters: key, token, body hash, lease, scope. Answers one row `(state, fence, body_hash, remaining_ms)`: state 0
/// with the fence for claimed, 1 with the rest of the lease for in flight, 2 with the body hash for done.
///
/// **No row** says that another claim committed while this statement ran: run it again. A copy of a delivery that is
/// done or in flight takes no lock and writes nothing. SQLSTATE 55P03 says that the row is locked by a transaction
/// that completes it, for longer than two seconds: the delivery is in flight.
pub const CLAIM: &str = concat!(
    "WITH seen AS (
  SELECT state, body_hash, ends_ms - ",
    now!(),
    " AS remaining_ms
  FROM hookproof_claims
  WHERE key = $1 AND state <> 0 AND ends_ms > ",
    now!(),
    " AND NOT (state = 1 AND token = $2)
), taken AS (
  INSERT INTO hookproof_claims AS held (key, scope, state, token, fence, body_hash, ends_ms)
  SELECT $1, $5, 1, $2, ",
    now!(),
    ", $3, ",
    now!(),
    " + $4::bigint
  FROM set_config('lock_timeout', '2s', true)
  WHERE NOT EXISTS (SELECT FROM seen)
  ON CONFLICT (key) DO UPDATE SET
    state = 1,
    token = excluded.token,
    fence = CASE WHEN held.state = 1 AND held.token = excluded.token THEN held.fence
                 ELSE greatest(held.fence + 1, ",
    now!(),
    ") END,
    body_hash = excluded.body_hash,
    ends_ms = ",
    now!(),
    " + $4::bigint
  WHERE held.state = 0 OR held.ends_ms <= ",
    now!(),
    " OR (held.state = 1 AND held.token = excluded.token)
  RETURNING fence
)
SELECT 0::smallint AS state, fence, NULL::bytea AS body_hash, NULL::bigint AS remaining_ms FROM taken
UNION ALL
SELECT state, NULL, body_hash, greatest(remaining_ms, 1) FROM seen"
);

/// Parameters: key, token, retention. Held if one row changed; a second try by the same token is held, too.
pub const COMPLETE: &str = concat!(
    "UPDATE hookproof_claims SET state = 2, ends_ms = ",
    now!(),
    " + $3::bigint WHERE key = $1 AND token = $2 AND state IN (1, 2)"
);

/// Parameters: key, token. Held if one row changed. The row stays for a day, so that the fence rises.
pub const RELEASE: &str = concat!(
    "UPDATE hookproof_claims SET state = 0, ends_ms = ",
    now!(),
    " + 86400000 WHERE key = $1 AND token = $2 AND state IN (0, 1)"
);

/// Parameters: key, token, lease. Held if one row changed.
pub const EXTEND: &str = concat!(
    "UPDATE hookproof_claims SET ends_ms = ",
    now!(),
    " + $3::bigint WHERE key = $1 AND token = $2 AND state = 1"
);

/// Parameter: key. The key was done if one row changed.
pub const FORGET: &str = concat!(
    "UPDATE hookproof_claims SET state = 0, ends_ms = ",
    now!(),
    " + 86400000 WHERE key = $1 AND state = 2 AND ends_ms > ",
    now!()
);

/// Parameter: how many rows at most. Deletes what has ended, oldest first; a claim only a day after its lease, since
/// a late worker whom nobody has replaced may still settle it. Fewer rows than asked for: nothing is left.
pub const PURGE: &str = concat!(
    "DELETE FROM hookproof_claims WHERE key IN (
  SELECT key FROM hookproof_claims
  WHERE ends_ms <= ",
    now!(),
    " - CASE state WHEN 1 THEN 86400000 ELSE 0 END
    AND ends_ms <= ",
    now!(),
    "
  ORDER BY ends_ms LIMIT $1::bigint FOR UPDATE SKIP LOCKED
)"
);

/// Parameters: key, token, retention. Completes inside the user's transaction, and **fails** (SQLSTATE 22P02, with
/// `hookproof_lease_lost` in the message) if the claim is not held any more or was completed before: the transaction
/// can then only roll back, and the effect with it.
pub const COMPLETE_IN: &str = concat!(
    "WITH held AS (
  UPDATE hookproof_claims SET state = 2, ends_ms = ",
    now!(),
    " + $3::bigint
  WHERE key = $1 AND token = $2 AND state = 1
  RETURNING 1
)
SELECT CASE count(*) WHEN 1 THEN 1 ELSE ('hookproof_lease_lost_' || count(*))::integer END FROM held"
);

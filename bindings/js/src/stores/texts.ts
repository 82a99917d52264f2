// Derived from the core's `store::sql::TEXTS` by `make docs`.

export const REDIS = {
  script: `-- hookproof: claim, complete, release, extend, forget.
-- One string for each event, because SET writes the record and its expiry in one step:
--   C token(32) body hash(64) end of lease(14) fence     claimed
--   D token(32) body hash(64) fence                      done, until the key expires
--   F token(32) fence                                    free again; kept so that the fence rises
local REMEMBER = 86400000
local call, key, operation, token = redis.call, KEYS[1], ARGV[1], ARGV[2]

-- A claim outlives its lease, so that a late worker whom nobody has replaced can still settle.
if operation == 'claim' then
  local lease, body = tonumber(ARGV[3]), ARGV[4]
  local clock = call('TIME')
  local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
  local ends = string.format('%014.0f', now + lease)
  -- Most are of a delivery that nobody has seen.
  if call('SET', key, 'C' .. token .. body .. ends .. now, 'PX', lease + REMEMBER, 'NX') then return now end
  local record = call('GET', key)
  local state = string.sub(record, 1, 1)
  if state == 'D' then return string.sub(record, 34, 97) end
  local fence = now
  if state == 'C' then
    fence = tonumber(string.sub(record, 112))
    if string.sub(record, 2, 33) == token then
      body = string.sub(record, 34, 97)
    else
      local remaining = tonumber(string.sub(record, 98, 111)) - now
      if remaining > 0 then return -remaining end
      fence = math.max(fence + 1, now)
    end
  elseif state == 'F' then
    fence = math.max(tonumber(string.sub(record, 34)) + 1, now)
  end
  call('SET', key, 'C' .. token .. body .. ends .. fence, 'PX', lease + REMEMBER)
  return fence
end

local record = call('GET', key)
local state, holder
if record then state, holder = string.sub(record, 1, 1), string.sub(record, 2, 33) end

if operation == 'forget' then
  if state ~= 'D' then return 0 end
  call('SET', key, 'F' .. holder .. string.sub(record, 98), 'PX', REMEMBER)
  return 1
end

if holder ~= token then return 0 end

if operation == 'complete' then
  if state == 'F' then return 0 end
  -- Done by this very token: the answer to the first try was lost.
  if state == 'C' then
    call('SET', key, 'D' .. token .. string.sub(record, 34, 97) .. string.sub(record, 112), 'PX', ARGV[3])
  end
  return 1
end

if operation == 'release' then
  if state == 'D' then return 0 end
  if state == 'C' then call('SET', key, 'F' .. token .. string.sub(record, 112), 'PX', REMEMBER) end
  return 1
end

if operation == 'extend' then
  if state ~= 'C' then return 0 end
  local lease = tonumber(ARGV[3])
  local clock = call('TIME')
  local ends = clock[1] * 1000 + math.floor(clock[2] / 1000) + lease
  local renewed = string.sub(record, 1, 97) .. string.format('%014.0f', ends) .. string.sub(record, 112)
  call('SET', key, renewed, 'PX', lease + REMEMBER)
  return 1
end

return redis.error_reply('hookproof: unknown operation')
`,
  sha1: "e71e0c9978be152f99033cd82a4692532e1e0ac4",
} as const;

export const POSTGRES = {
  create: `CREATE TABLE IF NOT EXISTS hookproof_claims (
  key bytea PRIMARY KEY,
  scope text NOT NULL,
  state smallint NOT NULL,
  token bytea NOT NULL,
  fence bigint NOT NULL,
  body_hash bytea NOT NULL,
  ends_ms bigint NOT NULL
);
CREATE INDEX IF NOT EXISTS hookproof_claims_ends ON hookproof_claims (ends_ms)`,
  claim: `WITH seen AS (
  SELECT state, body_hash, ends_ms - (date_part('epoch', clock_timestamp()) * 1000)::bigint AS remaining_ms
  FROM hookproof_claims
  WHERE key = $1 AND state <> 0 AND ends_ms > (date_part('epoch', clock_timestamp()) * 1000)::bigint AND NOT (state = 1 AND token = $2)
), taken AS (
  INSERT INTO hookproof_claims AS held (key, scope, state, token, fence, body_hash, ends_ms)
  SELECT $1, $5, 1, $2, (date_part('epoch', clock_timestamp()) * 1000)::bigint, $3, (date_part('epoch', clock_timestamp()) * 1000)::bigint + $4::bigint
  FROM set_config('lock_timeout', '2s', true)
  WHERE NOT EXISTS (SELECT FROM seen)
  ON CONFLICT (key) DO UPDATE SET
    state = 1,
    token = excluded.token,
    fence = CASE WHEN held.state = 1 AND held.token = excluded.token THEN held.fence
                 ELSE greatest(held.fence + 1, (date_part('epoch', clock_timestamp()) * 1000)::bigint) END,
    body_hash = excluded.body_hash,
    ends_ms = (date_part('epoch', clock_timestamp()) * 1000)::bigint + $4::bigint
  WHERE held.state = 0 OR held.ends_ms <= (date_part('epoch', clock_timestamp()) * 1000)::bigint OR (held.state = 1 AND held.token = excluded.token)
  RETURNING fence
)
SELECT 0::smallint AS state, fence, NULL::bytea AS body_hash, NULL::bigint AS remaining_ms FROM taken
UNION ALL
SELECT state, NULL, body_hash, greatest(remaining_ms, 1) FROM seen`,
  complete:
    "UPDATE hookproof_claims SET state = 2, ends_ms = (date_part('epoch', clock_timestamp()) * 1000)::bigint + $3::bigint WHERE key = $1 AND token = $2 AND state IN (1, 2)",
  release:
    "UPDATE hookproof_claims SET state = 0, ends_ms = (date_part('epoch', clock_timestamp()) * 1000)::bigint + 86400000 WHERE key = $1 AND token = $2 AND state IN (0, 1)",
  extend:
    "UPDATE hookproof_claims SET ends_ms = (date_part('epoch', clock_timestamp()) * 1000)::bigint + $3::bigint WHERE key = $1 AND token = $2 AND state = 1",
  forget:
    "UPDATE hookproof_claims SET state = 0, ends_ms = (date_part('epoch', clock_timestamp()) * 1000)::bigint + 86400000 WHERE key = $1 AND state = 2 AND ends_ms > (date_part('epoch', clock_timestamp()) * 1000)::bigint",
  purge: `DELETE FROM hookproof_claims WHERE key IN (
  SELECT key FROM hookproof_claims
  WHERE ends_ms <= (date_part('epoch', clock_timestamp()) * 1000)::bigint - CASE state WHEN 1 THEN 86400000 ELSE 0 END
    AND ends_ms <= (date_part('epoch', clock_timestamp()) * 1000)::bigint
  ORDER BY ends_ms LIMIT $1::bigint FOR UPDATE SKIP LOCKED
)`,
  complete_in: `WITH held AS (
  UPDATE hookproof_claims SET state = 2, ends_ms = (date_part('epoch', clock_timestamp()) * 1000)::bigint + $3::bigint
  WHERE key = $1 AND token = $2 AND state = 1
  RETURNING 1
)
SELECT CASE count(*) WHEN 1 THEN 1 ELSE ('hookproof_lease_lost_' || count(*))::integer END FROM held`,
} as const;

export const SQLITE = {
  create: `CREATE TABLE IF NOT EXISTS hookproof_claims (
  key BLOB PRIMARY KEY,
  scope TEXT NOT NULL,
  state INTEGER NOT NULL,
  token BLOB NOT NULL,
  fence INTEGER NOT NULL,
  body_hash BLOB NOT NULL,
  ends_ms INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS hookproof_claims_ends ON hookproof_claims (ends_ms)`,
  claim: `INSERT INTO hookproof_claims (key, scope, state, token, fence, body_hash, ends_ms)
VALUES (?1, ?5, 1, ?2, CAST(round((julianday('now') - 2440587.5) * 86400000) AS INTEGER), ?3, CAST(round((julianday('now') - 2440587.5) * 86400000) AS INTEGER) + ?4)
ON CONFLICT (key) DO UPDATE SET
  state = CASE WHEN (state = 0 OR ends_ms <= CAST(round((julianday('now') - 2440587.5) * 86400000) AS INTEGER) OR (state = 1 AND token = excluded.token)) THEN 1 ELSE state END,
  token = CASE WHEN (state = 0 OR ends_ms <= CAST(round((julianday('now') - 2440587.5) * 86400000) AS INTEGER) OR (state = 1 AND token = excluded.token)) THEN excluded.token ELSE token END,
  fence = CASE WHEN state = 1 AND token = excluded.token THEN fence
               WHEN (state = 0 OR ends_ms <= CAST(round((julianday('now') - 2440587.5) * 86400000) AS INTEGER) OR (state = 1 AND token = excluded.token)) THEN max(fence + 1, CAST(round((julianday('now') - 2440587.5) * 86400000) AS INTEGER)) ELSE fence END,
  body_hash = CASE WHEN (state = 0 OR ends_ms <= CAST(round((julianday('now') - 2440587.5) * 86400000) AS INTEGER) OR (state = 1 AND token = excluded.token)) THEN excluded.body_hash ELSE body_hash END,
  ends_ms = CASE WHEN (state = 0 OR ends_ms <= CAST(round((julianday('now') - 2440587.5) * 86400000) AS INTEGER) OR (state = 1 AND token = excluded.token)) THEN CAST(round((julianday('now') - 2440587.5) * 86400000) AS INTEGER) + ?4 ELSE ends_ms END
RETURNING CASE WHEN state = 1 AND token = ?2 THEN 0 ELSE state END AS state,
  fence, body_hash, max(ends_ms - CAST(round((julianday('now') - 2440587.5) * 86400000) AS INTEGER), 1) AS remaining_ms`,
  complete:
    "UPDATE hookproof_claims SET state = 2, ends_ms = CAST(round((julianday('now') - 2440587.5) * 86400000) AS INTEGER) + ?3 WHERE key = ?1 AND token = ?2 AND state IN (1, 2)",
  release:
    "UPDATE hookproof_claims SET state = 0, ends_ms = CAST(round((julianday('now') - 2440587.5) * 86400000) AS INTEGER) + 86400000 WHERE key = ?1 AND token = ?2 AND state IN (0, 1)",
  extend:
    "UPDATE hookproof_claims SET ends_ms = CAST(round((julianday('now') - 2440587.5) * 86400000) AS INTEGER) + ?3 WHERE key = ?1 AND token = ?2 AND state = 1",
  forget:
    "UPDATE hookproof_claims SET state = 0, ends_ms = CAST(round((julianday('now') - 2440587.5) * 86400000) AS INTEGER) + 86400000 WHERE key = ?1 AND state = 2 AND ends_ms > CAST(round((julianday('now') - 2440587.5) * 86400000) AS INTEGER)",
  purge: `DELETE FROM hookproof_claims WHERE key IN (
  SELECT key FROM hookproof_claims
  WHERE ends_ms <= CAST(round((julianday('now') - 2440587.5) * 86400000) AS INTEGER) AND ends_ms <= CAST(round((julianday('now') - 2440587.5) * 86400000) AS INTEGER) - CASE state WHEN 1 THEN 86400000 ELSE 0 END
  ORDER BY ends_ms LIMIT ?1
)`,
  complete_in: `UPDATE hookproof_claims SET state = 2, ends_ms = CAST(round((julianday('now') - 2440587.5) * 86400000) AS INTEGER) + ?3 WHERE key = (
  SELECT CASE count(*) WHEN 1 THEN ?1 ELSE json('hookproof: lease lost ' || count(*)) END
  FROM hookproof_claims WHERE key = ?1 AND token = ?2 AND state = 1
)`,
} as const;

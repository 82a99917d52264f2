// What a claim costs on each store of Node, beside the least that the same client could do, in one run.
//
//     cd tests/stores/js && PATH="$PWD/node_modules/.bin:$PATH" node bench.mjs
//
// Starts its own servers. Every figure is the median over many new keys, the cases in turn; only the ratios count.
// Ends with 1 if a bar is missed.
import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { PostgresStore } from "hookproof/stores/postgres";
import { RedisStore } from "hookproof/stores/redis";
import { SQLiteStore } from "hookproof/stores/sqlite";
import { Redis } from "ioredis";
import pg from "pg";
import { createClient } from "redis";
import { serve } from "./server.mjs";

const ROUNDS = 40;
const EACH = 100;
const scope = "bench";
const [token, body, lease] = [Buffer.alloc(16, "t"), Buffer.alloc(32, "b"), 10_000];
const hex = (bytes) => bytes.toString("hex");

// The bars of the project: a claim is at most this many times the least.
const REDIS = 1.15;
const SQL = 1.3;

// Sent with the same key and the same arguments as a claim: what is compared is what the script does.
const SETS = "return redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])";
const named = (key) => `hookproof:${scope}:${hex(key)}`;
const given = () => ["claim", hex(token), String(lease), hex(body)];
const TABLE = (bytes, whole) =>
  `CREATE TABLE bare (key ${bytes} PRIMARY KEY, token ${bytes} NOT NULL, ends ${whole} NOT NULL)`;
const UPSERT = (key, value, ends) => `INSERT INTO bare (key, token, ends) VALUES (${key}, ${value}, ${ends})
ON CONFLICT (key) DO UPDATE SET token = excluded.token, ends = excluded.ends RETURNING token`;

/** Microseconds for one call, each with a key that is new to its case. */
async function medians(cases) {
  const times = Object.fromEntries(Object.keys(cases).map((name) => [name, []]));
  for (const one of Object.values(cases)) for (let n = 0; n < EACH; n++) await one(randomBytes(32));
  for (let round = 0; round < ROUNDS; round++) {
    for (const [name, one] of Object.entries(cases)) {
      const keys = Array.from({ length: EACH }, () => randomBytes(32));
      for (const key of keys) {
        const began = performance.now();
        await one(key);
        times[name].push(performance.now() - began);
      }
    }
  }
  const median = (values) => values.sort((a, b) => a - b)[values.length >> 1];
  return Object.entries(times).map(([name, values]) => [name, median(values) * 1000]);
}

function report(store, found, bar) {
  const [[, claim], [least, time]] = found;
  const ratio = claim / time;
  console.log(`${store}: ${ratio.toFixed(2)} of ${least} (bar ${bar})${ratio <= bar ? "" : "  OVER"}`);
  for (const [name, us] of found) console.log(`  ${us.toFixed(1).padStart(8)} us  ${name}`);
  return ratio <= bar;
}

async function onNodeRedis(url) {
  const client = await createClient({ url }).connect();
  const store = new RedisStore(client, { scope });
  const sha = await client.scriptLoad(SETS);
  const found = await medians({
    claim: (key) => store.claim(key, token, body, lease),
    "EVALSHA that only sets": (key) => client.evalSha(sha, { keys: [named(key)], arguments: given() }),
    "bare SET NX PX": (key) => client.set(named(key), hex(token), { NX: true, PX: lease }),
  });
  await client.close();
  return report("node-redis", found, REDIS);
}

async function onIoRedis(url) {
  const client = new Redis(url);
  const store = new RedisStore(client, { scope });
  const sha = await client.script("LOAD", SETS);
  const found = await medians({
    claim: (key) => store.claim(key, token, body, lease),
    "EVALSHA that only sets": (key) => client.evalsha(sha, 1, named(key), ...given()),
    "bare SET NX PX": (key) => client.set(named(key), hex(token), "PX", lease, "NX"),
  });
  await client.quit();
  return report("ioredis", found, REDIS);
}

async function onPostgres(url) {
  const pool = new pg.Pool({ connectionString: url, max: 1 });
  const store = new PostgresStore(pool, { scope });
  await store.create();
  await pool.query(TABLE("bytea", "bigint"));
  const upsert = UPSERT("$1", "$2", "$3");
  const found = await medians({
    claim: (key) => store.claim(key, token, body, lease),
    // As a store's step: prepared once for each connection of the pool.
    "the bare upsert": (key) => pool.query({ name: "bare", text: upsert, values: [key, token, lease] }),
  });
  await pool.end();
  return report("pg", found, SQL);
}

async function onSqlite(folder) {
  const store = new SQLiteStore(new DatabaseSync(join(folder, "claims.db")), { scope });
  const own = new DatabaseSync(join(folder, "bare.db"));
  own.exec(`PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; ${TABLE("BLOB", "INTEGER")} WITHOUT ROWID`);
  const upsert = own.prepare(UPSERT(":key", ":token", ":ends"));
  const found = await medians({
    claim: (key) => store.claim(key, token, body, lease),
    "the bare upsert": (key) => upsert.all({ key, token, ends: lease }),
  });
  return report("node:sqlite", found, SQL);
}

const folder = mkdtempSync(join(tmpdir(), "hookproof-bench-"));
const [redis, postgres] = [await serve("redis"), await serve("postgres")];
try {
  const good = [
    await onNodeRedis(redis.url),
    await onIoRedis(redis.url),
    await onPostgres(postgres.url),
    await onSqlite(folder),
  ];
  process.exitCode = good.every(Boolean) ? 0 : 1;
} finally {
  await Promise.all([redis.stop(), postgres.stop()]);
  rmSync(folder, { recursive: true, force: true });
}

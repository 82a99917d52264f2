// The effect and the mark commit together, or neither does; and what a store refuses.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { ConfigurationError, LeaseLost } from "hookproof";
import { D1Store } from "hookproof/stores/d1";
import { DurableObjectStore } from "hookproof/stores/durable-object";
import { KVStore } from "hookproof/stores/kv";
import { PostgresStore } from "hookproof/stores/postgres";
import { RedisStore } from "hookproof/stores/redis";
import { SQLiteStore } from "hookproof/stores/sqlite";
import pg from "pg";
import { createClient } from "redis";
import { digest, token } from "./play.mjs";
import { serve } from "./server.mjs";

const { DatabaseSync } = await import("node:sqlite").catch(() => ({}));
const Database = DatabaseSync ?? (await import("better-sqlite3")).default;
const scope = "test";
const [key, a, b, body] = [await digest("k"), await token("a"), await token("b"), await digest("body")];
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

let postgres;
let redis;
let pool;
const folder = mkdtempSync(join(tmpdir(), "hookproof-js-"));
before(async () => {
  [postgres, redis] = await Promise.all([serve("postgres"), serve("redis")]);
  pool = new pg.Pool({ connectionString: postgres.url });
});
after(async () => {
  await pool.end();
  await Promise.all([postgres.stop(), redis.stop()]);
  rmSync(folder, { recursive: true, force: true });
});

// a claims, its lease ends, b takes over
async function takenOver(store) {
  assert.equal((await store.claim(key, a, body, 1)).kind, "claimed");
  await sleep(20);
  assert.equal((await store.claim(key, b, body, 60_000)).kind, "claimed");
}

test("PostgreSQL commits both or neither", async () => {
  const store = new PostgresStore(pool, { scope });
  await store.create();
  await pool.query("CREATE TABLE effects (by text)");
  await takenOver(store);
  for (const [by, mine, held] of [
    ["a", a, false],
    ["b", b, true],
    ["b again", b, false],
  ]) {
    const client = await pool.connect();
    await client.query("BEGIN");
    await client.query("INSERT INTO effects VALUES ($1)", [by]);
    if (held) await store.completeIn(client, key, mine, 60_000);
    else await assert.rejects(async () => store.completeIn(client, key, mine, 60_000), LeaseLost);
    // Of a transaction that failed: PostgreSQL rolls back.
    await client.query("COMMIT");
    client.release();
  }
  assert.deepEqual((await pool.query("SELECT by FROM effects")).rows, [{ by: "b" }]);
  await assert.rejects(async () => store.completeIn(pool, key, b, 60_000), /open transaction/);
});

test("SQLite commits both or neither", async () => {
  const path = join(folder, "claims.db");
  const store = new SQLiteStore(new Database(path), { scope });
  const own = new Database(path);
  own.exec("CREATE TABLE effects (by TEXT)");
  await takenOver(store);
  for (const [by, mine, held] of [
    ["a", a, false],
    ["b", b, true],
    ["b again", b, false],
  ]) {
    own.exec("BEGIN IMMEDIATE");
    own.exec(`INSERT INTO effects VALUES ('${by}')`);
    if (held) {
      store.completeIn(own, key, mine, 60_000);
      own.exec("COMMIT");
    } else {
      assert.throws(() => store.completeIn(own, key, mine, 60_000), LeaseLost);
      own.exec("ROLLBACK");
    }
  }
  assert.deepEqual(
    own
      .prepare("SELECT by FROM effects")
      .all()
      .map(({ by }) => by),
    ["b"],
  );
  assert.throws(() => store.completeIn(own, key, b, 60_000), /open transaction/);
});

test("an SQLite store whose connection is inside a transaction says so instead of losing the claim", () => {
  const database = new Database(join(folder, "shared.db"));
  const store = new SQLiteStore(database, { scope });
  database.exec("BEGIN");
  assert.throws(() => store.claim(key, a, body, 1000), /connection of its own/);
  database.exec("ROLLBACK");
  assert.equal(store.claim(key, a, body, 1000).kind, "claimed");
});

test("purge deletes what has ended, and no more than it is told", async () => {
  const stores = [
    new PostgresStore(pool, { scope }),
    new SQLiteStore(new Database(join(folder, "purge.db")), { scope }),
  ];
  await stores[0].create();
  await pool.query("TRUNCATE hookproof_claims");
  for (const store of stores) {
    for (let n = 0; n < 5; n++) {
      const one = await digest(`ended ${n}`);
      await store.claim(one, a, body, 1000);
      await store.complete(one, a, 1);
    }
    await store.claim(await digest("in flight"), a, body, 1);
    await sleep(20);
    assert.deepEqual([await store.purge(3), await store.purge(3), await store.purge(3)], [3, 2, 0]);
    assert.equal(await store.complete(await digest("in flight"), a, 1000), true);
  }
});

test("a script that the server has forgotten is sent again", async () => {
  const client = await createClient({ url: redis.url }).connect();
  const store = new RedisStore(client, { scope });
  assert.equal((await store.claim(key, a, body, 1000)).kind, "claimed");
  await client.scriptFlush();
  assert.equal(await store.complete(key, a, 1000), true);
  await client.close();
});

test("scope is required and printable, and clients are what they should be", () => {
  const makers = [
    (options) => new RedisStore({ evalSha() {} }, options),
    (options) => new PostgresStore(pool, options),
    (options) => new SQLiteStore(new Database(":memory:"), options),
    (options) => new D1Store({ prepare() {}, batch() {} }, options),
    (options) => new DurableObjectStore({ idFromName() {} }, options),
  ];
  for (const make of makers) {
    for (const wrong of [undefined, {}, { scope: "" }, { scope: "ü" }, { scope: "x".repeat(256) }]) {
      assert.throws(
        () => make(wrong),
        (error) => error instanceof ConfigurationError && error.code === "option_invalid",
      );
    }
    make({ scope });
  }
  for (const Store of [RedisStore, PostgresStore, SQLiteStore, D1Store, DurableObjectStore]) {
    assert.throws(
      () => new Store({}, { scope }),
      (error) => error.code === "option_invalid",
    );
    assert.throws(
      () => new Store(undefined, { scope }),
      (error) => error.code === "option_invalid",
    );
  }
});

test("Workers KV is refused with the reason", () => {
  const namespace = { get() {}, put() {}, getWithMetadata() {} };
  for (const make of [
    () => new KVStore(namespace),
    () => new D1Store(namespace, { scope }),
    () => new DurableObjectStore(namespace, { scope }),
  ]) {
    assert.throws(make, /no atomic step/);
  }
});

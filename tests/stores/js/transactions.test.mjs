// The effect and the mark commit together, or neither does; and what a store refuses.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync as Database } from "node:sqlite";
import { after, before, test } from "node:test";
import { ConfigurationError, LeaseLost, Receiver } from "hookproof";
import { receive } from "hookproof/fetch";
import { D1Store } from "hookproof/stores/d1";
import { DurableObjectStore } from "hookproof/stores/durable-object";
import { KVStore } from "hookproof/stores/kv";
import { PostgresStore } from "hookproof/stores/postgres";
import { RedisStore } from "hookproof/stores/redis";
import { SQLiteStore } from "hookproof/stores/sqlite";
import { sign } from "hookproof/testing";
import pg from "pg";
import { createClient } from "redis";
import { digest, token } from "./play.mjs";
import { serve } from "./server.mjs";

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

// One delivery three times, through a handler whose first transaction is rolled back and whose second is committed.
async function rolledBack(store, effect) {
  const secret = "whsec_dGVzdHMgdGVzdHMgdGVzdHMgdGVzdHM=";
  const outcomes = [];
  const receiver = new Receiver("standard-webhooks", secret, { store, onOutcome: ({ kind }) => outcomes.push(kind) });
  const ends = ["ROLLBACK", "COMMIT"];
  const answer = receive(receiver, (delivery, _request, _env, _ctx, claim) => effect(delivery.id, claim, ends.shift()));
  const { headers } = sign("standard-webhooks", secret, "{}", { id: "msg_1" });
  const statuses = [];
  for (let n = 0; n < 3; n++)
    statuses.push((await answer(new Request("https://test/", { method: "POST", body: "{}", headers }))).status);
  return [statuses, outcomes];
}

test("a 2xx after a transaction that was rolled back is a 500, and the next try runs", async () => {
  const expected = [
    [500, 200, 200],
    ["failed", "accepted", "duplicate"],
  ];
  const inPostgres = new PostgresStore(pool, { scope });
  await inPostgres.create();
  await pool.query("CREATE TABLE rolled_back (event text)");
  const found = await rolledBack(inPostgres, async (id, claim, end) => {
    const client = await pool.connect();
    await client.query("BEGIN");
    await client.query("INSERT INTO rolled_back VALUES ($1)", [id]);
    await claim.completeIn(client);
    await client.query(end);
    client.release();
  });
  assert.deepEqual(found, expected);
  assert.deepEqual((await pool.query("SELECT event FROM rolled_back")).rows, [{ event: "msg_1" }]);

  const path = join(folder, "rolled-back.db");
  const own = new Database(path);
  own.exec("CREATE TABLE rolled_back (event TEXT)");
  const inSqlite = new SQLiteStore(new Database(path), { scope });
  const again = await rolledBack(inSqlite, async (id, claim, end) => {
    own.exec("BEGIN IMMEDIATE");
    own.prepare("INSERT INTO rolled_back VALUES (?)").run(id);
    await claim.completeIn(own);
    own.exec(end);
  });
  assert.deepEqual(again, expected);
  assert.deepEqual(
    own
      .prepare("SELECT event FROM rolled_back")
      .all()
      .map(({ event }) => event),
    ["msg_1"],
  );
});

// A way to a server that can be cut without a word, as a network is.
async function link(target) {
  let forwards = true;
  const proxy = createServer((near) => {
    const far = connect(target, "127.0.0.1");
    for (const [from, to] of [
      [near, far],
      [far, near],
    ]) {
      from.on("data", (data) => forwards && to.write(data));
      from.on("close", () => to.destroy());
      from.on("error", () => {});
    }
  });
  await new Promise((resolve) => proxy.listen(0, "127.0.0.1", resolve));
  return { port: proxy.address().port, cut: () => (forwards = false), close: () => proxy.close() };
}

test("PostgreSQL behind a partition is 503, and no handler runs", async () => {
  const url = new URL(postgres.url);
  const way = await link(Number(url.port));
  url.port = String(way.port);
  const cut = new pg.Pool({ connectionString: url.href });
  cut.on("error", () => {});
  const secret = "whsec_dGVzdHMgdGVzdHMgdGVzdHMgdGVzdHM=";
  const store = new PostgresStore(cut, { scope: "partition" });
  await store.create();
  let runs = 0;
  const receiver = new Receiver("standard-webhooks", secret, { store, onOutcome: () => {} });
  const answer = receive(receiver, () => void runs++);
  const send = (id) => {
    const { headers } = sign("standard-webhooks", secret, "{}", { id });
    return answer(new Request("https://test/", { method: "POST", body: "{}", headers }));
  };
  assert.equal((await send("msg_1")).status, 200);
  way.cut();
  const { status, headers } = await send("msg_2");
  assert.deepEqual([status, headers.has("retry-after"), runs], [503, true, 1]);
  for (const client of cut._clients) client.connection.stream.destroy();
  way.close();
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

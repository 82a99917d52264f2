// `tests/stores/contract.json` on every store of Node, on each client that it takes.
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { after, before, describe, test } from "node:test";
import { MemoryStore } from "hookproof";
import { PostgresStore } from "hookproof/stores/postgres";
import { RedisStore } from "hookproof/stores/redis";
import { SQLiteStore } from "hookproof/stores/sqlite";
import { Redis } from "ioredis";
import pg from "pg";
import { createClient } from "redis";
import { play } from "./play.mjs";
import { serve } from "./server.mjs";

const { cases } = JSON.parse(readFileSync(new URL("../contract.json", import.meta.url), "utf8"));
const scope = "contract";
const folder = mkdtempSync(join(tmpdir(), "hookproof-js-"));
const cleanups = [() => rmSync(folder, { recursive: true, force: true })];

const stores = {
  memory: async () => new MemoryStore(),
  "node-redis": async ({ redis }) => {
    const client = await createClient({ url: redis }).connect();
    cleanups.unshift(() => client.close());
    return new RedisStore(client, { scope: "contract node-redis" });
  },
  ioredis: async ({ redis }) => {
    const client = new Redis(redis);
    cleanups.unshift(() => client.quit());
    return new RedisStore(client, { scope: "contract ioredis" });
  },
  "pg, prepared": async ({ postgres }) => {
    const pool = new pg.Pool({ connectionString: postgres });
    cleanups.unshift(() => pool.end());
    const store = new PostgresStore(pool, { scope });
    await store.create();
    return store;
  },
  "pg, not prepared": async ({ postgres }) => {
    const pool = new pg.Pool({ connectionString: postgres });
    cleanups.unshift(() => pool.end());
    return new PostgresStore(pool, { scope, prepare: false });
  },
  "node:sqlite": async () => new SQLiteStore(new DatabaseSync(join(folder, "claims.db")), { scope }),
};

let urls;
before(async () => {
  const [redis, postgres] = await Promise.all([serve("redis"), serve("postgres")]);
  urls = { redis: redis.url, postgres: postgres.url };
  cleanups.push(redis.stop, postgres.stop);
});
after(async () => {
  for (const cleanup of cleanups) await cleanup();
});

for (const [name, make] of Object.entries(stores)) {
  describe(name, () => {
    let store;
    before(async () => {
      store = await make(urls);
    });
    for (const one of cases) {
      // Answers of the memory store cannot be lost: they never leave the process.
      if (one.remote && name === "memory") continue;
      test(one.name, () => play(store, one));
    }
  });
}

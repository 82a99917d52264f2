// The same as `worker.py`, on node:http.
import { openSync, writeSync } from "node:fs";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { LeaseLost, Receiver } from "hookproof";
import { receive } from "hookproof/node";
import { PostgresStore } from "hookproof/stores/postgres";
import { RedisStore } from "hookproof/stores/redis";
import { SQLiteStore } from "hookproof/stores/sqlite";
import { WRONG } from "./wrong.mjs";

// The clients are installed for the store tests.
const require = createRequire(new URL("../stores/js/", import.meta.url));
const config = JSON.parse(process.argv[2]);
const scope = "torture";
const hex = (bytes) => Buffer.from(bytes).toString("hex");
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const nowMs = () => Number(process.hrtime.bigint()) / 1e6;

const file = openSync(config.journal, "a");
function write(what, facts) {
  writeSync(file, `${JSON.stringify({ what, by: config.instance, at: nowMs(), ...facts })}\n`);
}

// A small generator with a seed, since Math.random has none.
let state =
  [...`${config.seed} ${config.instance}`].reduce(
    (hash, letter) => Math.imul(hash ^ letter.charCodeAt(0), 16777619),
    2166136261,
  ) >>> 0;
function chance() {
  state = (state + 0x6d2b79f5) >>> 0;
  let mixed = Math.imul(state ^ (state >>> 15), state | 1);
  mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
  return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
}

function at(place, key, pauses = false) {
  if (chance() < config.kill) {
    write("kill", { place, key });
    process.kill(process.pid, "SIGKILL");
  }
  if (pauses && chance() < config.pause) {
    write("pause", { place, key });
    process.kill(process.pid, "SIGSTOP");
    if (chance() < 0.5) throw new Error(`fails after a pause ${place}`);
  }
}

class Watched {
  scope = scope;
  constructor(store) {
    this.store = store;
    if (store.completeIn) this.completeIn = (...given) => store.completeIn(...given);
  }
  async claim(...given) {
    at("after verify", hex(given[0]));
    const answer = await this.step("claim", ...given);
    if (answer.kind === "claimed") at("after claim", hex(given[0]));
    return answer;
  }
  async complete(...given) {
    at("before complete", hex(given[0]));
    const held = await this.step("complete", ...given);
    at("before the answer", hex(given[0]));
    return held;
  }
  async release(...given) {
    at("during release", hex(given[0]));
    const held = await this.step("release", ...given);
    at("during release", hex(given[0]));
    return held;
  }
  extend(...given) {
    return this.step("extend", ...given);
  }
  forget(key) {
    return this.store.forget(key);
  }
  async step(step, key, token, ...given) {
    const began = nowMs();
    // Said before: a process that is killed in the middle may have given the claim up.
    if (step === "complete" || step === "release") write("settling", { key: hex(key), token: hex(token) });
    const answer = await this.store[step](key, token, ...given);
    const kind = step === "claim" ? answer.kind : answer ? "held" : "lost";
    write(step, {
      began,
      key: hex(key),
      token: hex(token),
      answer: kind,
      value: answer.fence ?? answer.remainingMs ?? null,
    });
    return answer;
  }
}

function connect() {
  const { store, url } = config;
  if (store === "postgres") {
    const pool = new (require("pg").Pool)({ connectionString: url, max: 8, connectionTimeoutMillis: 2000 });
    pool.on("error", () => undefined);
    const inside = async (effect) => {
      const client = await pool.connect();
      try {
        await client.query("BEGIN");
        await effect((text, event) => client.query(text.replace("%s", "$1"), [event]), client);
        await client.query("COMMIT");
      } catch (error) {
        await client.query("ROLLBACK");
        throw error;
      } finally {
        client.release();
      }
    };
    return [new PostgresStore(pool, { scope }), inside];
  }
  if (store === "sqlite") {
    const { DatabaseSync } = require("node:sqlite");
    const inside = async (effect) => {
      const own = new DatabaseSync(url);
      try {
        own.exec("PRAGMA busy_timeout = 2000");
        own.exec("BEGIN IMMEDIATE");
        await effect((text, event) => own.prepare(text).run(event), own);
        own.exec("COMMIT");
      } finally {
        own.close(); // rolls back what is open
      }
    };
    return [new SQLiteStore(new DatabaseSync(url), { scope }), inside];
  }
  const client = new (require("ioredis").Redis)(url, { commandTimeout: 2000, maxRetriesPerRequest: 1 });
  client.on("error", () => undefined);
  return [store === "redis" ? new RedisStore(client, { scope }) : new WRONG[store](client), undefined];
}

const [store, inside] = connect();
const receiver = new Receiver("standard-webhooks", config.secret, {
  store: new Watched(store),
  tolerance: 86_400,
  lease: config.lease_ms / 1000,
});

async function onDelivery(delivery, _request, response, claim) {
  const key = hex(delivery.key(scope));
  const { event } = delivery.json();
  const facts = { key, event, fence: claim.fence };
  at("before the effect", key, true);
  await sleep(2 + chance() * 18);
  if (chance() < config.fail) throw new Error("fails before the effect");
  if (config.inside) {
    await inside(async (run, transaction) => {
      await run(config.insert, event);
      at("after the effect", key, true);
      try {
        await claim.completeIn(transaction);
      } catch (error) {
        if (error instanceof LeaseLost) write("lost", facts);
        throw error;
      }
      at("before commit", key);
    });
    write("committed", facts);
    at("after commit", key);
  } else {
    write("effect", facts);
    at("after the effect", key, true);
  }
  if (chance() < config.fail) {
    write("fails", facts);
    throw new Error("fails after the effect");
  }
  response.statusCode = 204;
  response.end();
}

console.error = () => undefined;
createServer(receive(receiver, onDelivery)).listen({ fd: config.listener });

import { ConfigurationError } from "../errors.js";
import { fromHex, toHex } from "../hex.js";
import type { ClaimAnswer, Store } from "../store.js";
import { checkedScope, type ScopeOptions } from "./scope.js";
import { text } from "./texts.js";

/** A client or cluster of the package `redis` (node-redis), as far as it is used here. */
export interface NodeRedis {
  evalSha(sha1: string, options: { keys: string[]; arguments: string[] }): Promise<unknown>;
  eval(script: string, options: { keys: string[]; arguments: string[] }): Promise<unknown>;
}

/** A client or cluster of the package `ioredis`, as far as it is used here. */
export interface IoRedis {
  evalsha(sha1: string, keys: number, ...values: string[]): Promise<unknown>;
  eval(script: string, keys: number, ...values: string[]): Promise<unknown>;
}

/**
 * Claims on Redis or Valkey, through the client that the application has: one script, one round trip for each step.
 *
 * Let the client fail soon when the server does not answer (node-redis: `disableOfflineQueue: true` and
 * `socket.socketTimeout`; ioredis: `enableOfflineQueue: false`, `commandTimeout`), so that a delivery is refused with
 * 503 instead of waiting. Set the server's `maxmemory-policy` to `noeviction`. Redis replicates asynchronously: a
 * failover can forget the last writes.
 */
export class RedisStore implements Store {
  readonly scope: string;
  readonly #run: (load: boolean, key: string, values: string[]) => Promise<unknown>;

  constructor(client: NodeRedis | IoRedis, options: ScopeOptions) {
    this.scope = checkedScope(options);
    if (typeof (client as NodeRedis | undefined)?.evalSha === "function") {
      const redis = client as NodeRedis;
      this.#run = (load, key, values) => {
        const given = { keys: [key], arguments: values };
        return load ? redis.eval(text("redis.script"), given) : redis.evalSha(text("redis.sha1"), given);
      };
    } else if (typeof (client as IoRedis | undefined)?.evalsha === "function") {
      const redis = client as IoRedis;
      this.#run = (load, key, values) =>
        load
          ? redis.eval(text("redis.script"), 1, key, ...values)
          : redis.evalsha(text("redis.sha1"), 1, key, ...values);
    } else {
      throw new ConfigurationError("option_invalid", "`client` is a client of `redis` (node-redis) or `ioredis`");
    }
  }

  async claim(key: Uint8Array, token: Uint8Array, bodyHash: Uint8Array, leaseMs: number): Promise<ClaimAnswer> {
    const reply = await this.#step(key, "claim", toHex(token), String(leaseMs), toHex(bodyHash));
    // By its length, since ioredis can be told to answer numbers as texts.
    const said = String(reply);
    if (said.length === 64) return { kind: "done", bodyHash: fromHex(said) };
    const number = Number(said);
    return number > 0 ? { kind: "claimed", fence: number } : { kind: "in_flight", remainingMs: -number };
  }

  async complete(key: Uint8Array, token: Uint8Array, retentionMs: number): Promise<boolean> {
    return Number(await this.#step(key, "complete", toHex(token), String(retentionMs))) === 1;
  }

  async release(key: Uint8Array, token: Uint8Array): Promise<boolean> {
    return Number(await this.#step(key, "release", toHex(token))) === 1;
  }

  async extend(key: Uint8Array, token: Uint8Array, leaseMs: number): Promise<boolean> {
    return Number(await this.#step(key, "extend", toHex(token), String(leaseMs))) === 1;
  }

  async forget(key: Uint8Array): Promise<boolean> {
    return Number(await this.#step(key, "forget")) === 1;
  }

  /** Nothing to do: Redis lets keys expire by itself. */
  async purge(): Promise<number> {
    return 0;
  }

  async #step(key: Uint8Array, ...values: string[]): Promise<unknown> {
    const name = `hookproof:${this.scope}:${toHex(key)}`;
    try {
      return await this.#run(false, name, values);
    } catch (thrown) {
      if (!(thrown instanceof Error) || !thrown.message.startsWith("NOSCRIPT")) throw thrown;
      return await this.#run(true, name, values);
    }
  }
}

import { ConfigurationError } from "../errors.js";
import { fromHex } from "../hex.js";
import type { ClaimAnswer, Store } from "../store.js";
import { checkedScope, type ScopeOptions } from "./scope.js";
import { REDIS } from "./texts.js";

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
        return load ? redis.eval(REDIS.script, given) : redis.evalSha(REDIS.sha1, given);
      };
    } else if (typeof (client as IoRedis | undefined)?.evalsha === "function") {
      const redis = client as IoRedis;
      this.#run = (load, key, values) =>
        load ? redis.eval(REDIS.script, 1, key, ...values) : redis.evalsha(REDIS.sha1, 1, key, ...values);
    } else {
      throw new ConfigurationError("option_invalid", "`client` is a client of `redis` (node-redis) or `ioredis`");
    }
  }

  // No step is an `async` function: each would add to every delivery what two promises cost.
  claim(key: Uint8Array, token: Uint8Array, bodyHash: Uint8Array, leaseMs: number): Promise<ClaimAnswer> {
    return this.#step(answer, key, "claim", hex(token), String(leaseMs), hex(bodyHash));
  }

  complete(key: Uint8Array, token: Uint8Array, retentionMs: number): Promise<boolean> {
    return this.#step(held, key, "complete", hex(token), String(retentionMs));
  }

  release(key: Uint8Array, token: Uint8Array): Promise<boolean> {
    return this.#step(held, key, "release", hex(token));
  }

  extend(key: Uint8Array, token: Uint8Array, leaseMs: number): Promise<boolean> {
    return this.#step(held, key, "extend", hex(token), String(leaseMs));
  }

  forget(key: Uint8Array): Promise<boolean> {
    return this.#step(held, key, "forget");
  }

  /** Nothing to do: Redis lets keys expire by itself. */
  async purge(): Promise<number> {
    return 0;
  }

  #step<T>(read: (reply: unknown) => T, key: Uint8Array, ...values: string[]): Promise<T> {
    const name = `hookproof:${this.scope}:${hex(key)}`;
    return this.#run(false, name, values).then(read, (thrown: unknown) => {
      if (!(thrown instanceof Error) || !thrown.message.startsWith("NOSCRIPT")) throw thrown;
      return this.#run(true, name, values).then(read);
    });
  }
}

// Where these clients run there is a Buffer, and it is several times as fast as any loop.
function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("hex");
}

function answer(reply: unknown): ClaimAnswer {
  if (typeof reply === "number" && reply > 0) return { kind: "claimed", fence: reply };
  // By its length, since ioredis can be told to answer numbers as texts.
  const said = String(reply);
  if (said.length === 64) return { kind: "done", bodyHash: fromHex(said) };
  return Number(said) > 0
    ? { kind: "claimed", fence: Number(said) }
    : { kind: "in_flight", remainingMs: -Number(said) };
}

function held(reply: unknown): boolean {
  return Number(reply) === 1;
}

import { core, type Engine, type Handle } from "../engine.js";
import type { Functions } from "../functions.js";
import { fromHex } from "../hex.js";
import type { ClaimAnswer, Store } from "../store.js";

// What runs in one process only: a worker of `node:cluster` has siblings, each with a memory of its own.
const host = globalThis.process as { pid?: number; env?: Record<string, string | undefined> } | undefined;
const PROCESS = host?.pid ?? 1;
let warned = false;

/** Asked for where a store is made: Deno refuses the environment to what may not read it, and that is no worker. */
function isWorker(): boolean {
  try {
    return host?.env?.NODE_UNIQUE_ID !== undefined;
  } catch {
    return false;
  }
}

/** Options of a memory store. */
export interface MemoryStoreOptions {
  /** How many keys it holds at most. Default 1,000,000, about 75 bytes each. */
  readonly capacity?: number;
  /** Milliseconds since 1970, on a clock that does not go back. Default: that of `performance`. */
  readonly clock?: () => number;
}

/**
 * Claims in the memory of this process: for one process, for tests, and lost when the process ends.
 *
 * It is bounded: full of keys that may not leave yet, it refuses a new one, and the delivery is answered with 503.
 */
export class MemoryStore implements Store {
  readonly scope = "";
  readonly #engine: Engine;
  readonly #handle: Handle;
  readonly #clock: () => number;

  constructor(options: MemoryStoreOptions = {}) {
    const { capacity = 0, clock = () => performance.timeOrigin + performance.now() } = options;
    if (!warned && isWorker()) {
      warned = true;
      console.warn(
        "hookproof: this process is a worker of a cluster, and its memory store is its own: a delivery may run once in each worker; use a shared store",
      );
    }
    this.#engine = core().apart();
    this.#clock = clock;
    this.#handle = this.#engine.hold("memory", (functions) => functions.memoryStore(capacity));
  }

  /** @internal Whether the engine may use the store by itself: not if it is elsewhere, or its steps were replaced. */
  isBeside(engine: Engine): boolean {
    const { claim, complete, release } = MemoryStore.prototype;
    return engine === this.#engine && this.claim === claim && this.complete === complete && this.release === release;
  }

  /** @internal */
  number(engine: Engine): number {
    return engine.number(this.#handle);
  }

  /** @internal */
  now(): number {
    return this.#clock();
  }

  claim(key: Uint8Array, token: Uint8Array, bodyHash: Uint8Array, leaseMs: number): ClaimAnswer {
    const answer = JSON.parse(
      this.#step((functions, store) => functions.memoryClaim(store, key, token, bodyHash, leaseMs, this.#clock())),
    ) as
      | { kind: "claimed"; fence: number }
      | { kind: "done"; body_hash: string }
      | { kind: "in_flight"; remaining_ms: number };
    this.warn();
    switch (answer.kind) {
      case "claimed":
        return answer;
      case "done":
        return { kind: "done", bodyHash: fromHex(answer.body_hash) };
      case "in_flight":
        return { kind: "in_flight", remainingMs: answer.remaining_ms };
    }
  }

  complete(key: Uint8Array, token: Uint8Array, retentionMs: number): boolean {
    return this.#step((functions, store) => functions.memoryComplete(store, key, token, retentionMs, this.#clock()));
  }

  release(key: Uint8Array, token: Uint8Array): boolean {
    return this.#step((functions, store) => functions.memoryRelease(store, key, token));
  }

  extend(key: Uint8Array, token: Uint8Array, leaseMs: number): boolean {
    return this.#step((functions, store) => functions.memoryExtend(store, key, token, leaseMs, this.#clock()));
  }

  forget(key: Uint8Array): boolean {
    return this.#step((functions, store) => functions.memoryForget(store, key, this.#clock()));
  }

  /** Takes note of how long a receiver needs completed keys at least: a full store keeps them so long. */
  rememberAtLeast(minimumMs: number): void {
    this.#step((functions, store) => functions.memoryRememberAtLeast(store, minimumMs));
  }

  /** @internal Says what the store has to say, each thing once. */
  warn(): void {
    const warning = this.#step((functions, store) => functions.memoryWarning(store, PROCESS));
    if (warning !== "") console.warn(`hookproof: ${warning}`);
  }

  #step<T>(run: (functions: Functions, store: number) => T): T {
    const number = this.#engine.number(this.#handle);
    return this.#engine.call((functions) => run(functions, number));
  }
}

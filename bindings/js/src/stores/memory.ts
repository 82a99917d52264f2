import { core, type Engine, type Handle } from "../engine.js";
import { fromHex } from "../hex.js";
import type { Functions } from "../functions.js";
import type { ClaimAnswer, Store } from "../store.js";

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
    this.#engine = core().apart();
    this.#clock = clock;
    this.#handle = this.#engine.hold("memory", (functions) => functions.memoryStore(capacity));
  }

  claim(key: Uint8Array, token: Uint8Array, bodyHash: Uint8Array, leaseMs: number): ClaimAnswer {
    const answer = JSON.parse(this.#step((functions, store) => functions.memoryClaim(store, key, token, bodyHash, leaseMs, this.#clock()))) as
      | { kind: "claimed"; fence: number }
      | { kind: "done"; body_hash: string }
      | { kind: "in_flight"; remaining_ms: number };
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

  #step<T>(run: (functions: Functions, store: number) => T): T {
    const number = this.#engine.number(this.#handle);
    return this.#engine.call((functions) => run(functions, number));
  }
}

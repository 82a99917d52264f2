import { LeaseLost } from "./errors.js";
import type { Store } from "./store.js";

/** What a handler may hold while it runs: the claim on its delivery. */
export class Claim {
  /** Higher than that of every earlier claim of this delivery: pass it to whatever must refuse a late worker. */
  readonly fence: number;
  readonly #store: Store;
  readonly #key: Uint8Array;
  readonly #token: Uint8Array;
  readonly #leaseMs: number;
  readonly #retentionMs: number;

  /** @internal */
  constructor(store: Store, fence: number, key: Uint8Array, token: Uint8Array, leaseMs: number, retentionMs: number) {
    this.#store = store;
    this.fence = fence;
    this.#key = key;
    this.#token = token;
    this.#leaseMs = leaseMs;
    this.#retentionMs = retentionMs;
  }

  /**
   * Lets the lease begin anew; it is renewed by itself while the handler runs, so this is for asking whether it holds.
   * @throws LeaseLost if another worker took the delivery over.
   */
  async extend(): Promise<void> {
    if (!(await this.#store.extend(this.#key, this.#token, this.#leaseMs))) throw new LeaseLost();
  }

  /**
   * Completes the claim inside the user's own transaction: its effects and the claim are committed together, or neither.
   * @throws LeaseLost if another worker took the delivery over: let it abort the transaction.
   */
  async completeIn(transaction: unknown): Promise<void> {
    if (this.#store.completeIn === undefined) throw new TypeError("this store has no transactions: `completeIn` needs a store in the user's own database");
    if (!(await this.#store.completeIn(transaction as never, this.#key, this.#token, this.#retentionMs))) throw new LeaseLost();
  }
}

import { ConfigurationError, LeaseLost } from "./errors.js";
import type { Store } from "./store.js";

/** That this worker, and no other, handles the delivery until its lease ends. It is renewed meanwhile. */
export class Claim {
  /** Higher than that of every earlier claim of this delivery: pass it to whatever must refuse a late worker. */
  readonly fence: number;
  readonly #store: Store;
  readonly #key: Uint8Array;
  readonly #token: Uint8Array;
  readonly #leaseMs: number;
  readonly #retentionMs: number;
  #lost = false;
  #completed = false;

  /** @internal */
  constructor(store: Store, fence: number, key: Uint8Array, token: Uint8Array, leaseMs: number, retentionMs: number) {
    this.#store = store;
    this.fence = fence;
    this.#key = key;
    this.#token = token;
    this.#leaseMs = leaseMs;
    this.#retentionMs = retentionMs;
  }

  /** Whether another worker has taken the delivery over, as far as is known. */
  get lost(): boolean {
    return this.#lost;
  }

  /** Whether it was completed inside the user's own transaction. */
  get completed(): boolean {
    return this.#completed;
  }

  /**
   * Lets the lease begin anew; that happens by itself while the handler runs, so this is for asking whether it holds.
   * @throws LeaseLost if another worker took the delivery over.
   */
  async extend(): Promise<void> {
    this.#kept(await this.#store.extend(this.#key, this.#token, this.#leaseMs));
  }

  /**
   * Completes the claim inside the user's own transaction: its effects and the claim are committed together, or neither.
   * Commit it before the handler ends, and let what this throws abort it: the store is asked for the mark before a 2xx
   * leaves, and a transaction that was rolled back makes it a 500.
   * @throws LeaseLost if another worker took the delivery over.
   */
  async completeIn(transaction: unknown): Promise<void> {
    if (this.#store.completeIn === undefined) {
      throw new ConfigurationError(
        "option_invalid",
        "`completeIn` needs a store that lives in your database: this one does not",
      );
    }
    this.#kept(await this.#store.completeIn(transaction as never, this.#key, this.#token, this.#retentionMs));
    this.#completed = true;
  }

  #kept(held: boolean): void {
    if (held) return;
    this.#lost = true;
    throw new LeaseLost();
  }
}

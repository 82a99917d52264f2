import { ConfigurationError, LeaseLost } from "../errors.js";
import type { ClaimAnswer, Store } from "../store.js";
import { checkedScope, refuseKv, type ScopeOptions } from "./scope.js";
import { SQLITE } from "./texts.js";

/** A D1 database binding, as far as it is used here. */
export interface D1Database {
  prepare(text: string): D1Statement;
  batch(statements: D1Statement[]): Promise<unknown[]>;
}

/** A statement of {@link D1Database}. */
export interface D1Statement {
  bind(...values: unknown[]): D1Statement;
  all(): Promise<{ results: Record<string, unknown>[]; meta: { changes: number } }>;
}

/**
 * Claims in a D1 database: one statement for each step, on the primary and on its clock.
 *
 * `claim.completeIn([statement, ...])` runs the application's statements and the mark as one batch, which commits as a
 * whole or not at all: the effect happens exactly once.
 */
export class D1Store implements Store {
  readonly scope: string;
  readonly #database: D1Database;

  constructor(database: D1Database, options: ScopeOptions) {
    this.scope = checkedScope(options);
    refuseKv(database);
    if (typeof (database as D1Database | undefined)?.prepare !== "function" || typeof database.batch !== "function") {
      throw new ConfigurationError("option_invalid", "`database` is a D1 binding");
    }
    this.#database = database;
  }

  /** Makes the table, if it is not there. */
  async create(): Promise<void> {
    await this.#database.batch(SQLITE.create.split(";").map((statement) => this.#database.prepare(statement)));
  }

  async claim(key: Uint8Array, token: Uint8Array, bodyHash: Uint8Array, leaseMs: number): Promise<ClaimAnswer> {
    const { results } = await this.#statement("claim", key, token, bodyHash, leaseMs, this.scope).all();
    const [row] = results as [Record<string, unknown>];
    switch (Number(row.state)) {
      case 0:
        return { kind: "claimed", fence: Number(row.fence) };
      case 2:
        return { kind: "done", bodyHash: new Uint8Array(row.body_hash as ArrayLike<number>) };
      default:
        return { kind: "in_flight", remainingMs: Number(row.remaining_ms) };
    }
  }

  async complete(key: Uint8Array, token: Uint8Array, retentionMs: number): Promise<boolean> {
    return (await this.#change("complete", key, token, retentionMs)) === 1;
  }

  async release(key: Uint8Array, token: Uint8Array): Promise<boolean> {
    return (await this.#change("release", key, token)) === 1;
  }

  async extend(key: Uint8Array, token: Uint8Array, leaseMs: number): Promise<boolean> {
    return (await this.#change("extend", key, token, leaseMs)) === 1;
  }

  async forget(key: Uint8Array): Promise<boolean> {
    return (await this.#change("forget", key)) === 1;
  }

  /** Deletes at most `limit` rows that have ended, and answers how many; fewer than `limit`: none is left. */
  async purge(limit = 1000): Promise<number> {
    return this.#change("purge", limit);
  }

  /**
   * Runs `effects` and completes, in one batch.
   * @throws LeaseLost if the claim is not held any more: none of the effects has happened.
   */
  async completeIn(
    effects: readonly D1Statement[],
    key: Uint8Array,
    token: Uint8Array,
    retentionMs: number,
  ): Promise<boolean> {
    if (!Array.isArray(effects))
      throw new TypeError("`completeIn` takes the statements of the effect, as an array: D1 has no open transactions");
    try {
      await this.#database.batch([
        this.#statement("complete_in", key, token, retentionMs),
        ...(effects as D1Statement[]),
      ]);
    } catch (thrown) {
      if (!(thrown instanceof Error) || !thrown.message.includes("malformed JSON")) throw thrown;
      throw new LeaseLost();
    }
    return true;
  }

  #statement(step: keyof typeof SQLITE, ...values: unknown[]): D1Statement {
    return this.#database
      .prepare(SQLITE[step])
      .bind(...values.map((value) => (value instanceof Uint8Array ? value.slice().buffer : value)));
  }

  async #change(step: keyof typeof SQLITE, ...values: unknown[]): Promise<number> {
    return (await this.#statement(step, ...values).all()).meta.changes;
  }
}

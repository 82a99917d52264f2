import { ConfigurationError, LeaseLost } from "../errors.js";
import type { ClaimAnswer, Store } from "../store.js";
import { checkedScope, type ScopeOptions } from "./scope.js";
import { POSTGRES } from "./texts.js";

/** A `Pool` or `Client` of the package `pg`, as far as it is used here. */
export interface PgQueryable {
  query(statement: {
    text: string;
    values: unknown[];
    name?: string;
  }): Promise<{ rows: Record<string, unknown>[]; rowCount: number | null }>;
  query(statement: string): Promise<unknown>;
}

export interface PostgresOptions extends ScopeOptions {
  /**
   * Whether statements are prepared once for each connection; `true` by default. Switch it off behind a pooler that
   * gives each transaction another server connection and does not know of prepared statements (PgBouncer before 1.21).
   */
  readonly prepare?: boolean;
}

// How often a claim is run again because another one committed while it ran.
const RACES = 4;
// What is said of a row that a transaction holds: nobody knows when it ends.
const LOCKED: ClaimAnswer = { kind: "in_flight", remainingMs: 1000 };

/**
 * Claims in PostgreSQL, through a `Pool` of `pg`: one statement for each step, on the database's clock.
 *
 * With `claim.completeIn(client)` the effect and the mark commit together, so the effect happens exactly once:
 *
 * ```ts
 * await client.query("BEGIN");
 * await client.query("UPDATE accounts SET ...");
 * await claim.completeIn(client);
 * await client.query("COMMIT");
 * ```
 */
export class PostgresStore implements Store {
  readonly scope: string;
  readonly #pool: PgQueryable;
  readonly #prepare: boolean;

  constructor(pool: PgQueryable, options: PostgresOptions) {
    this.scope = checkedScope(options);
    if (typeof (pool as PgQueryable | undefined)?.query !== "function") {
      throw new ConfigurationError("option_invalid", "`pool` is a `Pool` or a `Client` of `pg`");
    }
    this.#pool = pool;
    this.#prepare = options.prepare ?? true;
  }

  /** Makes the table, if it is not there. */
  async create(): Promise<void> {
    await this.#pool.query(POSTGRES.create);
  }

  async claim(key: Uint8Array, token: Uint8Array, bodyHash: Uint8Array, leaseMs: number): Promise<ClaimAnswer> {
    const values = [bytea(key), bytea(token), bytea(bodyHash), leaseMs, this.scope];
    for (let race = 0; race < RACES; race++) {
      try {
        const [row] = (await this.#run(this.#pool, "claim", values)).rows;
        if (row !== undefined) return answer(row);
      } catch (thrown) {
        if (sqlState(thrown) !== "55P03") throw thrown;
        break;
      }
    }
    return LOCKED;
  }

  async complete(key: Uint8Array, token: Uint8Array, retentionMs: number): Promise<boolean> {
    return (await this.#change("complete", [bytea(key), bytea(token), retentionMs])) === 1;
  }

  async release(key: Uint8Array, token: Uint8Array): Promise<boolean> {
    return (await this.#change("release", [bytea(key), bytea(token)])) === 1;
  }

  async extend(key: Uint8Array, token: Uint8Array, leaseMs: number): Promise<boolean> {
    return (await this.#change("extend", [bytea(key), bytea(token), leaseMs])) === 1;
  }

  async forget(key: Uint8Array): Promise<boolean> {
    return (await this.#change("forget", [bytea(key)])) === 1;
  }

  /** Deletes at most `limit` rows that have ended, and answers how many; fewer than `limit`: none is left. */
  async purge(limit = 1000): Promise<number> {
    return this.#change("purge", [limit]);
  }

  /**
   * Completes inside the transaction of the caller's `Client`.
   * @throws LeaseLost from a statement that failed: the transaction can only roll back.
   */
  async completeIn(
    transaction: PgQueryable,
    key: Uint8Array,
    token: Uint8Array,
    retentionMs: number,
  ): Promise<boolean> {
    // Outside of a transaction the mark would be committed before the effect, and a crash between them would lose the event.
    const { totalCount, getTransactionStatus } = transaction as {
      totalCount?: unknown;
      getTransactionStatus?: () => unknown;
    };
    if (totalCount !== undefined || getTransactionStatus?.call(transaction) === "I") {
      throw new TypeError(
        "`completeIn` needs a client with an open transaction: `const client = await pool.connect()`, then `BEGIN`",
      );
    }
    try {
      await this.#run(transaction, "complete_in", [bytea(key), bytea(token), retentionMs]);
    } catch (thrown) {
      if (sqlState(thrown) !== "22P02") throw thrown;
      throw new LeaseLost();
    }
    return true;
  }

  async #change(step: keyof typeof POSTGRES, values: unknown[]): Promise<number> {
    return (await this.#run(this.#pool, step, values)).rowCount ?? 0;
  }

  #run(
    on: PgQueryable,
    step: keyof typeof POSTGRES,
    values: unknown[],
  ): ReturnType<PgQueryable["query"]> & Promise<{ rows: Record<string, unknown>[]; rowCount: number | null }> {
    const statement = { text: POSTGRES[step], values };
    return on.query(this.#prepare ? { ...statement, name: `hookproof_${step}` } : statement);
  }
}

// `pg` writes a Uint8Array as bytea only in newer versions, a Buffer in all.
function bytea(bytes: Uint8Array): Uint8Array {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function sqlState(thrown: unknown): unknown {
  return (thrown as { code?: unknown } | undefined)?.code;
}

function answer(row: Record<string, unknown>): ClaimAnswer {
  switch (Number(row.state)) {
    case 0:
      return { kind: "claimed", fence: Number(row.fence) };
    case 2:
      return { kind: "done", bodyHash: new Uint8Array(row.body_hash as Uint8Array) };
    default:
      return { kind: "in_flight", remainingMs: Number(row.remaining_ms) };
  }
}

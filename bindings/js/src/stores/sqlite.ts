import { ConfigurationError, LeaseLost } from "../errors.js";
import type { ClaimAnswer, Store } from "../store.js";
import { checkedScope, type ScopeOptions } from "./scope.js";
import { SQLITE } from "./texts.js";

/** A `DatabaseSync` of `node:sqlite`, as far as it is used here. */
export interface SqliteDatabase {
  exec(text: string): unknown;
  prepare(text: string): SqliteStatement;
}

/** A statement of {@link SqliteDatabase}. */
export interface SqliteStatement {
  all(named: Record<string, unknown>): unknown[];
  run(named: Record<string, unknown>): { changes: number | bigint };
}

/**
 * Claims in an SQLite file, for the processes of one machine.
 *
 * `database` is a connection that only this store uses: a claim that ran inside a transaction of the application would
 * be rolled back with it. The file is set to WAL mode with `synchronous=FULL`, and the table is made.
 *
 * With `claim.completeIn(connection)`, on a connection of the application to the same file, the effect and the mark
 * commit together, so the effect happens exactly once.
 */
export class SQLiteStore implements Store {
  readonly scope: string;
  readonly #database: SqliteDatabase;
  readonly #statements = new Map<string, SqliteStatement>();

  constructor(database: SqliteDatabase, options: ScopeOptions) {
    this.scope = checkedScope(options);
    if (
      typeof (database as SqliteDatabase | undefined)?.prepare !== "function" ||
      typeof database.exec !== "function"
    ) {
      throw new ConfigurationError("option_invalid", "`database` is a `DatabaseSync` of `node:sqlite`");
    }
    this.#database = database;
    // Waiting for another process blocks the event loop, so it is short; after it the delivery is refused with 503.
    database.exec("PRAGMA busy_timeout = 2000");
    database.exec("PRAGMA journal_mode = WAL");
    database.exec("PRAGMA synchronous = FULL");
    this.create();
  }

  /** Makes the table, if it is not there; the constructor has done it. */
  create(): void {
    this.#database.exec(SQLITE.create);
  }

  claim(key: Uint8Array, token: Uint8Array, bodyHash: Uint8Array, leaseMs: number): ClaimAnswer {
    // All rows are read: a statement that is not finished holds the write lock.
    const [row] = this.#own("claim").all({ p1: key, p2: token, p3: bodyHash, p4: leaseMs, p5: this.scope }) as [
      Record<string, unknown>,
    ];
    switch (Number(row.state)) {
      case 0:
        return { kind: "claimed", fence: Number(row.fence) };
      case 2:
        return { kind: "done", bodyHash: new Uint8Array(row.body_hash as Uint8Array) };
      default:
        return { kind: "in_flight", remainingMs: Number(row.remaining_ms) };
    }
  }

  complete(key: Uint8Array, token: Uint8Array, retentionMs: number): boolean {
    return changed(this.#own("complete").run({ p1: key, p2: token, p3: retentionMs })) === 1;
  }

  release(key: Uint8Array, token: Uint8Array): boolean {
    return changed(this.#own("release").run({ p1: key, p2: token })) === 1;
  }

  extend(key: Uint8Array, token: Uint8Array, leaseMs: number): boolean {
    return changed(this.#own("extend").run({ p1: key, p2: token, p3: leaseMs })) === 1;
  }

  forget(key: Uint8Array): boolean {
    return changed(this.#own("forget").run({ p1: key })) === 1;
  }

  /** Deletes at most `limit` rows that have ended, and answers how many; fewer than `limit`: none is left. */
  purge(limit = 1000): number {
    return changed(this.#own("purge").run({ p1: limit }));
  }

  /**
   * Completes inside the transaction that is open on the caller's own connection to the same file.
   * @throws LeaseLost from a statement that failed: roll the transaction back.
   */
  completeIn(transaction: SqliteDatabase, key: Uint8Array, token: Uint8Array, retentionMs: number): boolean {
    // Outside of a transaction the mark would be committed before the effect, and a crash between them would lose the event.
    if (open(transaction) === false)
      throw new TypeError("`completeIn` needs an open transaction: run `BEGIN IMMEDIATE` before it");
    try {
      transaction.prepare(named("complete_in")).run({ p1: key, p2: token, p3: retentionMs });
    } catch (thrown) {
      if (!(thrown instanceof Error) || !thrown.message.includes("malformed JSON")) throw thrown;
      throw new LeaseLost();
    }
    return true;
  }

  #own(step: keyof typeof SQLITE): SqliteStatement {
    if (open(this.#database) === true) {
      throw new TypeError(
        "the store's connection is inside a transaction, which could roll the claim back: give the store a connection of its own",
      );
    }
    let statement = this.#statements.get(step);
    if (statement === undefined) this.#statements.set(step, (statement = this.#database.prepare(named(step))));
    return statement;
  }
}

// The core numbers its parameters (?1), which `node:sqlite` does not bind by number; it binds names.
function named(step: keyof typeof SQLITE): string {
  return SQLITE[step].replace(/\?(\d)/g, ":p$1");
}

function changed(result: { changes: number | bigint }): number {
  return Number(result.changes);
}

// From Node 22.16 on; before, nobody knows.
function open(database: SqliteDatabase): boolean | undefined {
  return (database as { isTransaction?: boolean }).isTransaction;
}

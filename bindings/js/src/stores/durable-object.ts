import { ConfigurationError } from "../errors.js";
import { fromHex, toHex } from "../hex.js";
import type { ClaimAnswer, Store } from "../store.js";
import { checkedScope, refuseKv, type ScopeOptions } from "./scope.js";
import { SQLITE } from "./texts.js";

/** A Durable Object namespace binding, as far as it is used here. */
export interface DurableObjectNamespace {
  idFromName(name: string): unknown;
  get(id: never): { fetch(url: string, init: { method: string; body: string }): Promise<Response> };
}

/** What a Durable Object is given, as far as it is used here. */
export interface DurableObjectState {
  readonly storage: {
    readonly sql: {
      exec(
        text: string,
        ...bindings: unknown[]
      ): { toArray(): Record<string, unknown>[]; readonly rowsWritten: number };
    };
    getAlarm(): Promise<number | null>;
    setAlarm(time: number): Promise<void>;
  };
}

/**
 * Claims in Durable Objects: shared by all of a Worker's instances, and durable.
 *
 * Sixteen objects for each scope, by the key's first digit; each takes one request after the other. The Worker exports
 * {@link HookproofStore} and binds it in its configuration (`new_sqlite_classes = ["HookproofStore"]`).
 */
export class DurableObjectStore implements Store {
  readonly scope: string;
  readonly #namespace: DurableObjectNamespace;

  constructor(namespace: DurableObjectNamespace, options: ScopeOptions) {
    this.scope = checkedScope(options);
    refuseKv(namespace);
    if (typeof (namespace as DurableObjectNamespace | undefined)?.idFromName !== "function") {
      throw new ConfigurationError(
        "option_invalid",
        "`namespace` is a Durable Object binding: `env.HOOKPROOF` with class `HookproofStore`",
      );
    }
    this.#namespace = namespace;
  }

  async claim(key: Uint8Array, token: Uint8Array, bodyHash: Uint8Array, leaseMs: number): Promise<ClaimAnswer> {
    const [kind, value] = (await this.#step("claim", key, token, toHex(bodyHash), leaseMs)) as [
      number,
      number | string,
    ];
    if (kind === 0) return { kind: "claimed", fence: value as number };
    if (kind === 2) return { kind: "done", bodyHash: fromHex(value as string) };
    return { kind: "in_flight", remainingMs: value as number };
  }

  async complete(key: Uint8Array, token: Uint8Array, retentionMs: number): Promise<boolean> {
    return (await this.#step("complete", key, token, retentionMs)) === true;
  }

  async release(key: Uint8Array, token: Uint8Array): Promise<boolean> {
    return (await this.#step("release", key, token)) === true;
  }

  async extend(key: Uint8Array, token: Uint8Array, leaseMs: number): Promise<boolean> {
    return (await this.#step("extend", key, token, leaseMs)) === true;
  }

  async forget(key: Uint8Array): Promise<boolean> {
    return (await this.#step("forget", key)) === true;
  }

  /** Nothing to do: each object purges itself by an alarm. */
  async purge(): Promise<number> {
    return 0;
  }

  async #step(step: keyof typeof SQLITE, key: Uint8Array, token?: Uint8Array, ...rest: unknown[]): Promise<unknown> {
    const name = toHex(key);
    const object = this.#namespace.get(
      this.#namespace.idFromName(`hookproof:${this.scope}:${name.slice(0, 1)}`) as never,
    );
    const body = JSON.stringify([step, this.scope, name, token && toHex(token), ...rest]);
    const response = await object.fetch("https://hookproof.store/", { method: "POST", body });
    if (!response.ok) throw new Error(`the Durable Object answered ${response.status}`);
    return response.json();
  }
}

const PURGE_EVERY_MS = 60 * 60 * 1000;
const PURGE_AT_ONCE = 1000;

/** The Durable Object class behind {@link DurableObjectStore}; export it from the Worker. */
export class HookproofStore {
  readonly #storage: DurableObjectState["storage"];

  constructor(state: DurableObjectState) {
    this.#storage = state.storage;
  }

  /** One step: the body is `[step, scope, key, token?, ...]`. */
  async fetch(request: Request): Promise<Response> {
    const [step, scope, key, token, ...rest] = (await request.json()) as [
      keyof typeof SQLITE,
      string,
      string,
      string | undefined,
      ...unknown[],
    ];
    this.#storage.sql.exec(SQLITE.create);
    // From here on to the answer nothing is awaited but the alarm, so no other request comes between.
    const answer =
      step === "claim" ? this.#claim(scope, key, token as string, rest) : this.#change(step, key, token, rest);
    if ((await this.#storage.getAlarm()) === null) await this.#storage.setAlarm(Date.now() + PURGE_EVERY_MS);
    return Response.json(answer);
  }

  /** Deletes what has ended; comes again as long as there is something. */
  async alarm(): Promise<void> {
    this.#storage.sql.exec(SQLITE.purge, PURGE_AT_ONCE);
    const [row] = this.#storage.sql
      .exec("SELECT changes() AS purged, EXISTS (SELECT 1 FROM hookproof_claims) AS more")
      .toArray();
    if (Number(row?.purged) === PURGE_AT_ONCE) await this.#storage.setAlarm(Date.now());
    else if (Number(row?.more) === 1) await this.#storage.setAlarm(Date.now() + PURGE_EVERY_MS);
  }

  #claim(scope: string, key: string, token: string, [bodyHash, leaseMs]: unknown[]): [number, unknown] {
    const [row] = this.#exec("claim", [blob(key), blob(token), blob(bodyHash as string), leaseMs, scope]);
    const state = Number(row?.state);
    if (state === 0) return [0, Number(row?.fence)];
    if (state === 2) return [2, toHex(new Uint8Array(row?.body_hash as ArrayBuffer))];
    return [1, Number(row?.remaining_ms)];
  }

  #change(step: keyof typeof SQLITE, key: string, token: string | undefined, rest: unknown[]): boolean {
    this.#exec(step, token ? [blob(key), blob(token), ...rest] : [blob(key)]);
    const [row] = this.#storage.sql.exec("SELECT changes() AS changed").toArray();
    return Number(row?.changed) === 1;
  }

  #exec(step: keyof typeof SQLITE, values: unknown[]): Record<string, unknown>[] {
    return this.#storage.sql.exec(SQLITE[step], ...values).toArray();
  }
}

function blob(hex: string): ArrayBuffer {
  return fromHex(hex).buffer as ArrayBuffer;
}

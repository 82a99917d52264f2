import { core, type Handle, type Reading } from "./engine.js";
import { VerificationError } from "./errors.js";
import type { Functions } from "./functions.js";
import { fromHex } from "./hex.js";

/** What the core read in a request that verified. */
export interface Facts {
  readonly id: string | null;
  readonly timestamp: number | null;
  readonly secret_name: string | null;
}

/** What judged a delivery, the same for every one of a verifier. */
export interface Judge {
  readonly handle: Handle;
  readonly provider: string;
  /** Whether the signature covers the whole body, a part of it, or nothing. */
  readonly coverage: "body" | "partial" | "none";
}

/** One event of a batch. */
export interface Item {
  /** The event's own id, where the provider gives one. */
  readonly id: string | undefined;
  /** The event as JSON text, exactly as it stands in the body. */
  readonly json: string;
  /** The dedup key of this event, 32 bytes; `undefined` where it has no id. */
  readonly key: Uint8Array | undefined;
}

/**
 * The proof that a request was authentic and fresh. Only a verification makes one.
 *
 * What it says about the request is read when it is first asked for, out of the bytes that were verified.
 */
export class Delivery<T = unknown> {
  readonly #judge: Judge;
  readonly #request: Reading;
  // What the engine answered: a number that only it reads.
  readonly #proof: number;
  #facts: Facts | undefined;
  #eventType: { readonly name: string | undefined } | undefined;
  #body: Uint8Array | undefined;

  private constructor(judge: Judge, request: Reading, proof: number) {
    if (proof === undefined) throw new TypeError("a Delivery is made by `verify` alone");
    this.#judge = judge;
    this.#request = request;
    this.#proof = proof;
  }

  /** @internal Only a verification calls this. */
  static proven<T>(judge: Judge, request: Reading, proof: number): Delivery<T> {
    return new Delivery<T>(judge, request, proof);
  }

  /** The scheme's id. */
  get provider(): string {
    return this.#judge.provider;
  }
  /** The provider's id of the delivery, if it has one. It may stand outside the signature: `key` never relies on that. */
  get id(): string | undefined {
    return this.#read().id ?? undefined;
  }
  /** The provider's name of what happened, if it says one. */
  get eventType(): string | undefined {
    const proof = this.#proof;
    this.#eventType ??= {
      name:
        this.#ask((functions, verifier, { body, head }) => functions.eventType(verifier, body, head, proof)) ??
        undefined,
    };
    return this.#eventType.name;
  }
  /** When it was signed, in Unix seconds, if the scheme signs a time. */
  get timestamp(): number | undefined {
    return this.#read().timestamp ?? undefined;
  }
  /** The name of the secret that matched, if it has one. */
  get secretName(): string | undefined {
    return this.#read().secret_name ?? undefined;
  }

  /** The bytes that were signed: decompressed where the scheme signs the body before compression. */
  get body(): Uint8Array {
    return (this.#body ??=
      this.#ask((functions, verifier, { body, head }) => functions.body(verifier, body, head)) ?? this.#request.body);
  }

  /** What the signature covers, where that is only a part of the request; otherwise `undefined`. */
  get signed(): Uint8Array | undefined {
    const proof = this.#proof;
    return (
      this.#ask((functions, verifier, { body, head }) => functions.signed(verifier, body, head, proof)) ?? undefined
    );
  }

  /**
   * The 32 bytes under which a store keeps this delivery, the same in every language; `undefined` where nothing that is
   * signed identifies it.
   * @param scope what keeps endpoints or tenants apart that share a store.
   */
  key(scope = ""): Uint8Array | undefined {
    const proof = this.#proof;
    return (
      this.#ask((functions, verifier, { body, head }) => functions.key(verifier, body, head, proof, scope)) ?? undefined
    );
  }

  /**
   * The body as JSON.
   * @param options `unsigned` reads it although the signature covers only a part of it.
   * @throws VerificationError `body_malformed` if it is not JSON in UTF-8, or is not covered.
   */
  json<U = T>(options?: { readonly unsigned?: boolean }): U {
    if (this.#judge.coverage === "partial" && options?.unsigned !== true) {
      throw malformed(
        "the signature covers only a part of the body: `signed` is that part, and `json({ unsigned: true })` reads the rest",
      );
    }
    try {
      return JSON.parse(strict.decode(this.body)) as U;
    } catch {
      throw malformed("the body is not JSON");
    }
  }

  /** The body as text. @throws VerificationError `body_malformed` if it is not UTF-8. */
  text(): string {
    try {
      return strict.decode(this.body);
    } catch {
      throw malformed("the body is not UTF-8");
    }
  }

  /**
   * The events of a batch, each with a key of its own; one item for a provider that sends no batches.
   * @throws VerificationError `body_malformed` if the body holds no such list.
   */
  items(scope = ""): Item[] {
    const proof = this.#proof;
    const rows = JSON.parse(
      this.#ask((functions, verifier, { body, head }) => functions.items(verifier, body, head, proof, scope)),
    ) as { id: string | null; json: string; key: string | null }[];
    return rows.map(({ id, json, key }) => ({
      id: id ?? undefined,
      json,
      key: key === null ? undefined : fromHex(key),
    }));
  }

  /** What a log may show: no body. */
  toJSON(): object {
    const { provider, id, eventType, timestamp } = this;
    return { provider, id, eventType, timestamp };
  }

  #read(): Facts {
    const proof = this.#proof;
    return (this.#facts ??= JSON.parse(
      this.#ask((functions, verifier, { body, head }) => functions.facts(verifier, body, head, proof)),
    ) as Facts);
  }

  #ask<R>(question: (functions: Functions, verifier: number, request: Reading) => R): R {
    const engine = core();
    const number = engine.number(this.#judge.handle);
    return engine.call((functions) => question(functions, number, this.#request));
  }
}

function malformed(message: string): VerificationError {
  return new VerificationError("body_malformed", message, 400);
}

// `ignoreBOM` keeps the mark: a body that begins with one is not JSON, and must not become so unseen.
const strict = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

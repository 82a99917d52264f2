import { load } from "#engine";
import { type ConfigurationCode, ConfigurationError, type VerificationCode, VerificationError } from "./errors.js";
import type { Functions } from "./functions.js";
import { joined, type Lines } from "./headers.js";
import type { SecretParts } from "./secret.js";

/** What one verification reads of a request; bytes and texts are passed on as they are. */
export class Reading {
  readonly body: Uint8Array;
  readonly lines: Lines;

  constructor(body: Uint8Array, lines: Lines) {
    this.body = body;
    this.lines = lines;
  }

  /** The lines in one text. */
  get head(): string {
    return joined(this.lines);
  }
}

// The numbers under which the engine knows the kinds of its objects.
const KINDS = { verifier: 0, receiver: 1, memory: 3, stream: 4 } as const;

// Most schemes read three headers at most. To spread a list of any length takes longer than to read so many.
const FEW = 5;

/** An object of the engine. A trap takes it away with its instance; `make` builds it in the next one. */
export class Handle {
  number: number;
  generation: number;
  readonly kind: keyof typeof KINDS;
  readonly make: (functions: Functions) => number;

  constructor(
    kind: keyof typeof KINDS,
    functions: Functions,
    generation: number,
    make: (functions: Functions) => number,
  ) {
    this.kind = kind;
    this.make = make;
    this.number = make(functions);
    this.generation = generation;
  }
}

/** Where the engine's functions come from: a native library, or an instance of the module, made anew after a trap. */
export interface Source {
  readonly kind: "native" | "wasm";
  /** Whoever uses this host can read its memory, so that a secret is none there. */
  readonly isBrowser?: boolean | undefined;
  functions(): Functions;
}

/** The core, behind the flat functions that the native and the WebAssembly engine both offer. */
export class Engine {
  readonly kind: "native" | "wasm";
  readonly isBrowser: boolean;
  readonly #source: Source;
  readonly #forgotten: FinalizationRegistry<() => void> | undefined;
  #functions: Functions | undefined;
  #generation = 0;

  constructor(source: Source) {
    this.kind = source.kind;
    this.isBrowser = source.isBrowser ?? false;
    this.#source = source;
    this.#forgotten =
      typeof FinalizationRegistry === "function" ? new FinalizationRegistry((forget) => forget()) : undefined;
  }

  /** An engine that shares nothing with this one but its code: what it holds survives a trap of this one. */
  apart(): Engine {
    return this.kind === "native" ? this : new Engine(this.#source);
  }

  /** Runs a call of the engine, and lets only public errors out. */
  call<T>(run: (functions: Functions) => T): T {
    try {
      return run((this.#functions ??= this.#source.functions()));
    } catch (thrown) {
      throw this.#failed(thrown);
    }
  }

  /** Makes an object in the engine, which is forgotten there when it is collected here. */
  hold(kind: Handle["kind"], make: (functions: Functions) => number): Handle {
    const handle = this.call((functions) => new Handle(kind, functions, this.#generation, make));
    this.#register(handle);
    return handle;
  }

  /** The number of an object, which is built anew if its instance is gone. */
  number(handle: Handle): number {
    if (handle.generation === this.#generation && this.#functions !== undefined) return handle.number;
    const fresh = this.hold(handle.kind, handle.make);
    handle.number = fresh.number;
    handle.generation = fresh.generation;
    return fresh.number;
  }

  /** A verification that succeeds is a number from 0 on, which the other calls about the request take. */
  verify(verifier: Handle, request: Reading, now: number): number {
    try {
      const number = this.number(verifier);
      const { body, lines } = request;
      if (lines.length > FEW) return this.#functions!.verify(number, body, now, ...lines);
      return this.#functions!.verify(number, body, now, lines[0], lines[1], lines[2], lines[3], lines[4]);
    } catch (thrown) {
      throw this.#failed(thrown);
    }
  }

  /** The error of the last verification, which answered `verdict`. */
  refusal(verdict: number): VerificationError {
    const message = this.call((functions) => functions.refusal());
    const reason = -1 - verdict;
    const code = errorKinds()[Math.floor(reason / 1000)]?.code ?? "internal_error";
    return new VerificationError(code as VerificationCode, message, reason % 1000);
  }

  #register(handle: Handle): void {
    const { number, generation, kind } = handle;
    this.#forgotten?.register(handle, () => {
      if (generation === this.#generation) this.#functions?.dropHandle(KINDS[kind], number);
    });
  }

  #failed(thrown: unknown): VerificationError | ConfigurationError {
    if (thrown instanceof VerificationError || thrown instanceof ConfigurationError) return thrown;
    if (typeof WebAssembly === "object" && thrown instanceof WebAssembly.RuntimeError) {
      // Nothing is known of the state of an instance that has trapped: the next call gets a new one.
      this.#functions = undefined;
      this.#generation++;
      return new VerificationError("internal_error", `the engine trapped: ${thrown.message}`, 500);
    }
    return publicError(thrown);
  }
}

let current: Engine | undefined;

/** The engine of this process, loaded when something first needs it: importing the package loads nothing. */
export function core(): Engine {
  return (current ??= load());
}

/** Chooses the engine, before anything has been built. */
export function useEngine(engine: Engine): void {
  current = engine;
}

/** Which engine this process uses: `native` in Node where a binary fits the platform, otherwise `wasm`. */
export const engine: { readonly kind: "native" | "wasm" } = {
  get kind() {
    return core().kind;
  },
};

/** A row of the core's error table. */
export interface ErrorKind {
  readonly code: VerificationCode | ConfigurationCode;
  readonly status: number;
  readonly configuration: boolean;
}

let kinds: readonly ErrorKind[] | undefined;

/** The core's error table, in the order of the numbers that stand for its kinds. */
export function errorKinds(): readonly ErrorKind[] {
  return (kinds ??= (
    JSON.parse(core().call((functions) => functions.errors())) as [ErrorKind["code"], number, boolean][]
  ).map(([code, status, configuration]) => ({ code, status, configuration })));
}

// The native engine throws errors with a `code`, the WebAssembly engine texts that begin with it.
function publicError(thrown: unknown): VerificationError | ConfigurationError {
  const [, named, rest] = typeof thrown === "string" ? (/^(\w+) (.*)$/s.exec(thrown) ?? []) : [];
  const { code = named, message = rest } = Object(thrown) as { code?: unknown; message?: unknown };
  const kind = errorKinds().find((one) => one.code === code);
  const text = typeof message === "string" ? message : "the engine failed without a message";
  if (kind === undefined) return new VerificationError("internal_error", text, 500);
  return kind.configuration
    ? new ConfigurationError(kind.code as ConfigurationCode, text)
    : new VerificationError(kind.code as VerificationCode, text, kind.status);
}

/** Secrets as the engine takes them: their bytes one after the other, and what is said about each as JSON. */
export function joinedSecrets(secrets: readonly SecretParts[]): { bytes: Uint8Array; parts: string } {
  const bytes = new Uint8Array(secrets.reduce((sum, { value }) => sum + value.byteLength, 0));
  let at = 0;
  const parts = secrets.map(({ value, name, notBefore, notAfter }) => {
    bytes.set(value, at);
    at += value.byteLength;
    return { length: value.byteLength, name, not_before: notBefore, not_after: notAfter };
  });
  return { bytes, parts: JSON.stringify(parts) };
}

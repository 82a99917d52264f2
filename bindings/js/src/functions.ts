import type { Lines } from "./headers.js";

/** What `verify` takes beside the head. */
export type VerifyArguments = [verifier: number, body: Uint8Array, now: number];

/** What `begin` takes beside the head. */
export type BeginArguments = [
  receiver: number,
  body: Uint8Array,
  scope: string,
  token: Uint8Array,
  nowMs: number,
  store: number,
  storeMs: number,
  note: Uint8Array,
];

/**
 * The functions of an engine, the same in the native and the WebAssembly one: they convert in, call the core, and
 * convert out. Objects are numbers, structured answers JSON, and `body`, `lines` and `head` are those of a `Reading`.
 */
export interface Functions {
  errors(): string;
  schemes(): string[];
  describe(source: string): string;
  dropHandle(kind: number, handle: number): void;

  verifier(source: string, secrets: Uint8Array, parts: string, options: string): number;
  about(verifier: number): string;
  /** The lines of the head one by one: joining them would take JavaScript longer than they take to cross. */
  verify(...given: [...VerifyArguments, ...lines: Lines]): number;
  refusal(): string;
  explain(verifier: number, body: Uint8Array, head: string, now: number): string | null | undefined;
  facts(verifier: number, body: Uint8Array, head: string, proof: number): string;
  eventType(verifier: number, body: Uint8Array, head: string, proof: number): string | null | undefined;
  key(verifier: number, body: Uint8Array, head: string, proof: number, scope: string): Uint8Array | null | undefined;
  body(verifier: number, body: Uint8Array, head: string): Uint8Array | null | undefined;
  signed(verifier: number, body: Uint8Array, head: string, proof: number): Uint8Array | null | undefined;
  items(verifier: number, body: Uint8Array, head: string, proof: number, scope: string): string;

  start(verifier: number, head: string): number;
  update(stream: number, chunk: Uint8Array): void;
  finish(stream: number, now: number): number;

  sign(source: string, secret: Uint8Array, parts: string, options: string, body: Uint8Array, message: string): string;

  receiver(verifier: number, deduplicates: boolean): number;
  aboutReceiver(receiver: number): string;
  begin(...given: [...BeginArguments, ...lines: Lines]): number;
  step(reception: number, event: number, number: number, store: number, storeMs: number, note: Uint8Array): number;
  stepDone(reception: number, bodyHash: Uint8Array): number;
  answer(): string;
  refuse(scheme: string, code: string, message: string): string;

  memoryStore(capacity: number): number;
  memoryClaim(
    store: number,
    key: Uint8Array,
    token: Uint8Array,
    bodyHash: Uint8Array,
    leaseMs: number,
    nowMs: number,
  ): string;
  memoryComplete(store: number, key: Uint8Array, token: Uint8Array, retentionMs: number, nowMs: number): boolean;
  memoryRelease(store: number, key: Uint8Array, token: Uint8Array): boolean;
  memoryExtend(store: number, key: Uint8Array, token: Uint8Array, leaseMs: number, nowMs: number): boolean;
  memoryRememberAtLeast(store: number, minimumMs: number): void;
  memoryWarning(store: number, process: number): string;
  memoryForget(store: number, key: Uint8Array, nowMs: number): boolean;

  /** Panics: what happens then is tested with it. */
  panicOnPurpose(): void;
}

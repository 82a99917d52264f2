import { Claim } from "./claim.js";
import { delivered, type Delivery } from "./delivery.js";
import { core, type Reading } from "./engine.js";
import { VerificationError, type ErrorCode } from "./errors.js";
import { fromHex } from "./hex.js";
import type { Outcome } from "./outcome.js";
import type { Receiver } from "./receiver.js";
import type { Awaitable, ClaimAnswer, Store } from "./store.js";

/** What an adapter reads of a request. */
export interface Incoming {
  readonly headers: unknown;
  readonly body: unknown;
  readonly method?: string | undefined;
  readonly url?: string | undefined;
}

/** What goes back to the sender. */
export interface Answer {
  /** `null`: the handler's own answer goes out as it is. */
  readonly status: number | null;
  readonly headers: readonly (readonly [string, string])[];
  readonly body: string;
}

/** How a request ended: the answer, and what the handler threw if it did. */
export interface Ended {
  readonly answer: Answer;
  readonly thrown?: { readonly error: unknown };
}

/** The core's words of an outcome. */
interface CoreOutcome {
  readonly kind: Outcome["kind"];
  readonly status: number;
  readonly scheme: string;
  readonly code: ErrorCode | null;
  readonly message: string | null;
  readonly id: string | null;
  readonly event_type: string | null;
  readonly key_prefix: string | null;
  readonly secret_name: string | null;
}

type Command =
  | { readonly kind: "claim"; readonly key: string; readonly body_hash: string; readonly lease_ms: number; readonly retention_ms: number }
  | { readonly kind: "run"; readonly fence: number; readonly renew_every_ms: number; readonly renew_for_ms: number }
  | { readonly kind: "complete"; readonly delay_ms: number }
  | { readonly kind: "release" }
  | ({ readonly kind: "answer"; readonly outcome: CoreOutcome } & Answer);

interface Begun {
  readonly command: Command;
  readonly reception?: number;
  readonly proof?: number;
  readonly timestamp?: number | null;
  readonly outcome?: CoreOutcome;
}

/** What came of a command. */
type Event = readonly [kind: string, number?: number, bodyHash?: Uint8Array];

const NO_BYTES = new Uint8Array(0);

/**
 * Takes one request through the kernel: reads and verifies it, claims the delivery, runs the handler, settles the claim,
 * and says what to answer. All decisions are the core's; this carries them out.
 *
 * @param read reads the request; a VerificationError that it throws is the refusal.
 * @param run runs the handler, and answers with the status of its answer.
 */
export async function drive(
  receiver: Receiver,
  read: () => Awaitable<Incoming>,
  run: (delivery: Delivery, claim: Claim | undefined) => Promise<number>,
): Promise<Ended> {
  const started = performance.now();
  const report = (outcome: CoreOutcome, error: unknown) => notify(receiver, outcome, started, error);
  let begun: Begun;
  let delivery: Delivery | undefined;
  // Drawn before the claim, so that a claim whose answer is lost can be released by it.
  const token = crypto.getRandomValues(new Uint8Array(16));
  try {
    const incoming = await read();
    const request = receiver.verifier.read(incoming.body, incoming.headers, incoming);
    begun = begin(receiver, request, token);
    const { proof, outcome, timestamp = null } = begun;
    if (proof !== undefined && outcome !== undefined) {
      const { id, event_type, secret_name } = outcome;
      delivery = delivered(receiver.verifier.judged(request, proof), { id, event_type, secret_name, timestamp });
    }
  } catch (error) {
    if (!(error instanceof VerificationError)) throw error;
    begun = { command: refusal(receiver, error) };
  }
  if (begun.command.kind === "answer") return end(begun.command, report);
  const reception = new Reception(receiver.store, token);
  return reception.follow(begun.reception!, begun.command, (claim) => run(delivery!, claim), report);
}

function begin(receiver: Receiver, request: Reading, token: Uint8Array): Begun {
  const engine = core();
  const number = engine.number(receiver.handle);
  const nowMs = receiver.clock();
  const scope = receiver.store?.scope ?? "";
  const { body, head } = request;
  return JSON.parse(
    engine.call((functions) => functions.begin(number, body, head, scope, token, Math.floor(nowMs / 1000), nowMs)),
  ) as Begun;
}

function refusal(receiver: Receiver, error: VerificationError): Command {
  const engine = core();
  const number = engine.number(receiver.handle);
  return JSON.parse(engine.call((functions) => functions.refuse(number, error.code, error.message))) as Command;
}

function end(command: Command & { kind: "answer" }, report: (outcome: CoreOutcome, error: unknown) => void, thrown?: { error: unknown }): Ended {
  report(command.outcome, thrown?.error);
  const { status, headers, body } = command;
  return thrown === undefined ? { answer: { status, headers, body } } : { answer: { status, headers, body }, thrown };
}

function notify(receiver: Receiver, outcome: CoreOutcome, started: number, error: unknown): void {
  const { kind, status, scheme, code, message, id, event_type, key_prefix, secret_name } = outcome;
  try {
    receiver.onOutcome({
      kind,
      status,
      scheme,
      code: code ?? undefined,
      message: message ?? undefined,
      id: id ?? undefined,
      eventType: event_type ?? undefined,
      keyPrefix: key_prefix ?? undefined,
      secretName: secret_name ?? undefined,
      durationMs: performance.now() - started,
      error,
    });
  } catch (failure) {
    // What watches a request must not change its answer.
    console.error("hookproof: onOutcome failed", failure);
  }
}

/** The claim of one request, on its way through the store. */
class Reception {
  readonly #store: Store | null;
  readonly #token: Uint8Array;
  #key: Uint8Array = NO_BYTES;
  #bodyHash: Uint8Array = NO_BYTES;
  #leaseMs = 0;
  #retentionMs = 0;
  #thrown: { error: unknown } | undefined;
  #storeError: unknown;

  constructor(store: Store | null, token: Uint8Array) {
    this.#store = store;
    this.#token = token;
  }

  async follow(
    reception: number,
    first: Command,
    run: (claim: Claim | undefined) => Promise<number>,
    report: (outcome: CoreOutcome, error: unknown) => void,
  ): Promise<Ended> {
    let command = first;
    while (command.kind !== "answer") {
      const [kind, number = 0, bodyHash = NO_BYTES] = await this.#carryOut(command, run);
      command = JSON.parse(core().call((functions) => functions.step(reception, kind, number, bodyHash))) as Command;
    }
    const thrown = this.#thrown;
    return end(command, (outcome) => report(outcome, thrown === undefined ? this.#storeError : thrown.error), thrown);
  }

  async #carryOut(command: Exclude<Command, { kind: "answer" }>, run: (claim: Claim | undefined) => Promise<number>): Promise<Event> {
    switch (command.kind) {
      case "claim":
        this.#key = fromHex(command.key);
        this.#bodyHash = fromHex(command.body_hash);
        this.#leaseMs = command.lease_ms;
        this.#retentionMs = command.retention_ms;
        return this.#ask(async (store) => claimed(await store.claim(this.#key, this.#token, this.#bodyHash, this.#leaseMs), this.#bodyHash));
      case "run":
        return this.#run(command, run);
      case "complete":
        if (command.delay_ms > 0) await new Promise((resolve) => setTimeout(resolve, command.delay_ms));
        return this.#ask(async (store) => settled(await store.complete(this.#key, this.#token, this.#retentionMs)));
      case "release":
        return this.#ask(async (store) => settled(await store.release(this.#key, this.#token)));
    }
  }

  async #ask(step: (store: Store) => Promise<Event>): Promise<Event> {
    try {
      return await within(STORE_MS, step(this.#store!));
    } catch (error) {
      this.#storeError = error;
      return ["store_failed"];
    }
  }

  async #run(command: Command & { kind: "run" }, run: (claim: Claim | undefined) => Promise<number>): Promise<Event> {
    const claim =
      this.#key === NO_BYTES ? undefined : new Claim(this.#store!, command.fence, this.#key, this.#token, this.#leaseMs, this.#retentionMs);
    const stop = claim === undefined ? () => undefined : this.#renew(command.renew_every_ms, command.renew_for_ms);
    try {
      return ["handled", await run(claim)];
    } catch (error) {
      this.#thrown = { error };
      return ["raised"];
    } finally {
      stop();
    }
  }

  #renew(everyMs: number, forMs: number): () => void {
    const until = performance.now() + forMs;
    const timer = setInterval(() => {
      if (performance.now() >= until) return stop();
      // A store that is away for a moment is asked again next time; a claim that is another's is not.
      Promise.resolve(this.#store!.extend(this.#key, this.#token, this.#leaseMs)).then((held) => held || stop(), () => undefined);
    }, everyMs);
    const stop = () => clearInterval(timer);
    return stop;
  }
}

// A store that never answers must not hold a request, or its sender, for ever.
const STORE_MS = 5_000;

async function within<T>(ms: number, work: Promise<T>): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`the store did not answer within ${ms} ms`)), ms);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}

function claimed(answer: ClaimAnswer, bodyHash: Uint8Array): Event {
  switch (answer.kind) {
    case "claimed":
      return ["claimed", answer.fence];
    case "done":
      return ["done", 0, answer.bodyHash ?? bodyHash];
    case "in_flight":
      return ["in_flight", answer.remainingMs];
  }
}

function settled(held: boolean): Event {
  return [held ? "held" : "lost"];
}

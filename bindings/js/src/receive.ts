import { Claim } from "./claim.js";
import { Delivery } from "./delivery.js";
import { LeaseLost, VerificationError } from "./errors.js";
import { fromHex } from "./hex.js";
import {
  type Answer,
  type AnswerCommand,
  type Begun,
  type Command,
  type CoreOutcome,
  type Event,
  type Kernel,
  refusal,
} from "./kernel.js";
import { report } from "./outcome.js";
import type { Receiver } from "./receiver.js";
import type { Awaitable, ClaimAnswer, Store } from "./store.js";

export type { Answer } from "./kernel.js";

/** One request, as an adapter hands it over. */
export interface Incoming {
  readonly headers: unknown;
  readonly method: string | undefined;
  readonly url: string | undefined;
  /** Reads the raw body, up to `limit` bytes; throws a VerificationError if it is gone, parsed or too large. */
  read(limit: number): Awaitable<Uint8Array | string>;
  /** The framework's own request: what a function gets that looks up secrets. */
  readonly original: unknown;
}

/** How a request ended: the answer, and what the handler threw if its framework is to answer for that. */
export interface Ended {
  readonly answer: Answer;
  readonly thrown?: { readonly error: unknown };
}

/** Runs the handler, and answers with the status of its answer. */
export type Run = (delivery: Delivery, claim: Claim | undefined) => Promise<number>;

/**
 * Takes one request through the kernel: reads and verifies it, claims the delivery, runs the handler, settles the claim,
 * and says what to answer. Every decision is the core's; this carries them out.
 */
export async function drive(receiver: Receiver, incoming: Incoming, run: Run): Promise<Ended> {
  const started = performance.now();
  // Drawn before the claim, so that a claim whose answer is lost can be released by it.
  const token = crypto.getRandomValues(new Uint8Array(16));
  const tell = (outcome: CoreOutcome, error?: unknown) => report(receiver, outcome, performance.now() - started, error);
  let kernel: Kernel;
  let begun: Begun;
  let delivery: Delivery;
  try {
    const found = await receiver.kernel(incoming.original);
    kernel = found.kernel;
    const { verifier } = kernel;
    const request = verifier.read(await incoming.read(verifier.maxBody), incoming.headers, incoming);
    begun = kernel.begin(request, found.scope, token, receiver.clock());
    if (begun.proof === undefined) return ended(begun.command, tell);
    const { id, event_type, secret_name } = begun.outcome;
    const judged = verifier.judged(request, begun.proof);
    delivery = Delivery.proven(
      judged,
      { id, secret_name, timestamp: begun.timestamp },
      { name: event_type ?? undefined },
    );
  } catch (error) {
    if (!(error instanceof VerificationError)) throw error;
    return ended(refusal(receiver.scheme.id, error.code, error.message), tell);
  }
  if (begun.reception === null) return ended(begun.command as AnswerCommand, tell);
  return new Reception(kernel, receiver.store, token).follow(
    begun.reception,
    begun.command,
    (claim) => run(delivery, claim),
    tell,
  );
}

type Tell = (outcome: CoreOutcome, error?: unknown) => void;

function ended(command: AnswerCommand, tell: Tell, thrown?: { error: unknown }, error: unknown = thrown?.error): Ended {
  tell(command.outcome, error);
  const { status, headers, body } = command;
  return thrown === undefined ? { answer: { status, headers, body } } : { answer: { status, headers, body }, thrown };
}

const NO_BYTES = new Uint8Array(0);

/** One delivery on its way through the store. */
class Reception {
  readonly #kernel: Kernel;
  readonly #store: Store | null;
  readonly #token: Uint8Array;
  #key: Uint8Array = NO_BYTES;
  #bodyHash: Uint8Array = NO_BYTES;
  #leaseMs = 0;
  #retentionMs = 0;
  #claim: Claim | undefined;
  #thrown: { error: unknown } | undefined;
  #storeError: unknown;

  constructor(kernel: Kernel, store: Store | null, token: Uint8Array) {
    this.#kernel = kernel;
    this.#store = store;
    this.#token = token;
  }

  async follow(
    reception: number,
    first: Command,
    run: (claim: Claim | undefined) => Promise<number>,
    tell: Tell,
  ): Promise<Ended> {
    let command = first;
    while (command.kind !== "answer") command = this.#next(reception, await this.#carryOut(command, run));
    const thrown = this.#thrown;
    if (thrown === undefined) return ended(command, tell, undefined, this.#storeError);
    // A lost lease is no failure of the handler: the kernel answers it.
    return thrown.error instanceof LeaseLost
      ? ended(command, tell, undefined, thrown.error)
      : ended(command, tell, thrown);
  }

  #next(reception: number, event: Event): Command {
    try {
      return this.#kernel.step(reception, event);
    } catch (error) {
      if (!(error instanceof VerificationError)) throw error;
      // The reception went away with an engine that trapped: the sender tries again, and the claim is left to its lease.
      return refusal(this.#kernel.verifier.provider, error.code, error.message);
    }
  }

  async #carryOut(
    command: Exclude<Command, AnswerCommand>,
    run: (claim: Claim | undefined) => Promise<number>,
  ): Promise<Event> {
    switch (command.kind) {
      case "claim":
        this.#key = fromHex(command.key);
        this.#bodyHash = fromHex(command.body_hash);
        this.#leaseMs = command.lease_ms;
        this.#retentionMs = command.retention_ms;
        return this.#ask(async (store) =>
          claimed(await store.claim(this.#key, this.#token, this.#bodyHash, this.#leaseMs), this.#bodyHash),
        );
      case "run":
        return this.#run(command, run);
      case "complete":
        if (this.#claim?.completed === true) return ["held"];
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
    let stop = () => {};
    if (this.#key !== NO_BYTES) {
      this.#claim = new Claim(this.#store!, command.fence, this.#key, this.#token, this.#leaseMs, this.#retentionMs);
      stop = renewed(this.#claim, command.renew_every_ms, command.renew_for_ms);
    }
    try {
      return ["handled", await run(this.#claim)];
    } catch (error) {
      this.#thrown = { error };
      return [error instanceof LeaseLost && this.#claim !== undefined ? "lease_lost" : "raised"];
    } finally {
      stop();
    }
  }
}

/** Extends a claim while its handler runs. */
function renewed(claim: Claim, everyMs: number, forMs: number): () => void {
  const until = performance.now() + forMs;
  const timer = setInterval(() => {
    if (performance.now() >= until) return stop();
    claim.extend().catch((error: unknown) => {
      // A store that is away for a moment is asked again next time; a claim that is another's is not.
      if (error instanceof LeaseLost) stop();
    });
  }, everyMs);
  const stop = () => clearInterval(timer);
  return stop;
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
    default:
      throw new TypeError("the store answered a claim with something else than claimed, done or in_flight");
  }
}

function settled(held: boolean): Event {
  return [held ? "held" : "lost"];
}

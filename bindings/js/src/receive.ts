import { Claim } from "./claim.js";
import { Delivery } from "./delivery.js";
import { core } from "./engine.js";
import { LeaseLost, VerificationError } from "./errors.js";
import { type Answer, type Ending, Event, type Kernel, Next, note, refusal } from "./kernel.js";
import { heard, report } from "./outcome.js";
import type { Receiver } from "./receiver.js";
import type { Awaitable, ClaimAnswer, Store } from "./store.js";
import { MemoryStore } from "./stores/memory.js";
import { freshToken } from "./token.js";

export type { Answer } from "./kernel.js";

/** One request, as an adapter hands it over. */
export interface Incoming {
  readonly headers: unknown;
  readonly method: string | undefined;
  /** Only asked for where the scheme reads it. */
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

/**
 * Runs the handler, and answers with the status of its answer. Where there is a `settling`, an adapter may tell it a status
 * in the 200s at once: if that says `true`, the claim is completed, and the answer may leave.
 */
export type Run = (delivery: Delivery, claim: Claim | undefined, settling: Settling | undefined) => Awaitable<number>;

/** Completes a claim without waiting for anything, if that can be done. */
export interface Settling {
  settle(status: number): boolean;
}

/**
 * Takes one request through the kernel: reads and verifies it, claims the delivery, runs the handler, settles the claim,
 * and says what to answer. Every decision is the core's; this carries them out.
 */
export async function drive(receiver: Receiver, incoming: Incoming, run: Run): Promise<Ended> {
  const reception = new Reception(receiver);
  try {
    const { kernel, scope } = receiver.single ?? (await receiver.kernel(incoming.original));
    const { verifier } = kernel;
    const read = incoming.read(verifier.maxBody);
    const body = isPromise(read) ? await read : read;
    const url = verifier.readsUrl ? incoming.url : undefined;
    const request = verifier.read(body, incoming.headers, incoming.method, url);
    let next = reception.begin(kernel, request, scope);
    while (next < Next.ANSWER) {
      const following = reception.carryOut(next, run);
      next = isPromise(following) ? await following : following;
    }
    return reception.ended();
  } catch (error) {
    if (!(error instanceof VerificationError)) throw error;
    return reception.refused(error);
  }
}

// The handler's own answer goes out as it is.
const OWN: Ended = { answer: { status: null, headers: [], body: "" } };

/** One delivery on its way through the store. */
class Reception implements Settling {
  readonly #receiver: Receiver;
  readonly #store: Store | null;
  readonly #started = performance.now();
  // Drawn before the claim, so that a claim whose answer is lost can be released by it.
  readonly #token = freshToken();
  #kernel!: Kernel;
  #beside: MemoryStore | undefined;
  #delivery: Delivery | undefined;
  #number = -1;
  #early: number | undefined;
  #ending: Ending | undefined;
  #key: Uint8Array | undefined;
  #bodyHash: Uint8Array | undefined;
  #leaseMs = 0;
  #retentionMs = 0;
  #delayMs = 0;
  #everyMs = 0;
  #forMs = 0;
  #claim: Claim | undefined;
  #thrown: { error: unknown } | undefined;
  #storeError: unknown;

  constructor(receiver: Receiver) {
    this.#receiver = receiver;
    this.#store = receiver.store;
  }

  begin(kernel: Kernel, request: Parameters<Kernel["begin"]>[0], scope: string): number {
    const store = this.#store;
    this.#kernel = kernel;
    if (store instanceof MemoryStore && store.isBeside(core())) this.#beside = store;
    const next = kernel.begin(request, scope, this.#token, this.#receiver.clock(), this.#beside);
    const proof = note.proof();
    if (proof >= 0) this.#delivery = Delivery.proven(kernel.verifier.judge, request, proof);
    if (next < Next.ANSWER) this.#number = note.reception();
    return this.#noted(next);
  }

  /** Carries out one command, and says what is next: at once, where nothing has to be waited for. */
  carryOut(command: number, run: Run): Awaitable<number> {
    switch (command) {
      case Next.CLAIM:
        return this.#asked((store) => this.#claiming(store)).then((answer) => this.#claimed(answer));
      case Next.RUN:
        return this.#ran(run);
      case Next.COMPLETE:
        return this.#completed().then((held) => this.#settled(held));
      default:
        return this.#asked((store) => store.release(this.#key!, this.#token)).then((held) => this.#settled(held));
    }
  }

  /** How the request ended, told to whoever listens. */
  ended(): Ended {
    return this.#ending === undefined ? OWN : this.#told(this.#ending);
  }

  /** The same, of a request that no reception speaks for: it could not be judged, or its engine has trapped. */
  refused(error: VerificationError): Ended {
    return this.#told(refusal(this.#receiver.scheme.id, error.code, error.message));
  }

  #told({ outcome, status, headers, body }: Ending): Ended {
    const thrown = this.#thrown;
    const error = thrown === undefined ? this.#storeError : thrown.error;
    report(this.#receiver, outcome, this.#delivery, performance.now() - this.#started, error);
    const answer = { status, headers, body };
    // A lost lease is no failure of the handler: the kernel answers it.
    return thrown === undefined || thrown.error instanceof LeaseLost ? { answer } : { answer, thrown };
  }

  #step(event: number, number = 0): number {
    return this.#noted(this.#kernel.step(this.#number, event, number, this.#beside));
  }

  // What belongs to a command is read at once: the next request's call writes in the same place.
  #noted(next: number): number {
    this.#delayMs = note.delayMs();
    if (next === Next.RUN) this.#hold();
    if (next === Next.ANSWER || (next === Next.ACCEPTED && heard(this.#receiver))) this.#ending = this.#kernel.ending();
    return next;
  }

  #claiming(store: Store): Awaitable<ClaimAnswer> {
    this.#key = note.key();
    this.#bodyHash = note.bodyHash();
    this.#leaseMs = note.leaseMs();
    this.#retentionMs = note.retentionMs();
    return store.claim(this.#key, this.#token, this.#bodyHash, this.#leaseMs);
  }

  #claimed(answer: ClaimAnswer | undefined): number {
    switch (answer?.kind) {
      case "claimed":
        return this.#step(Event.CLAIMED, answer.fence);
      case "done":
        return this.#noted(this.#kernel.done(this.#number, answer.bodyHash ?? this.#bodyHash!));
      case "in_flight":
        return this.#step(Event.IN_FLIGHT, answer.remainingMs);
      default:
        this.#storeError ??= new TypeError(
          "the store answered a claim with something else than claimed, done or in_flight",
        );
        return this.#step(Event.STORE_FAILED);
    }
  }

  async #completed(): Promise<boolean | undefined> {
    const delayMs = this.#delayMs;
    if (delayMs > 0) await new Promise((resolve) => setTimeout(resolve, delayMs));
    return this.#asked((store) => store.complete(this.#key!, this.#token, this.#retentionMs));
  }

  #settled(held: boolean | undefined): number {
    if (held === undefined) return this.#step(Event.STORE_FAILED);
    return this.#step(held ? Event.HELD : Event.LOST);
  }

  /** The store's answer; `undefined` if it gave none. */
  async #asked<T>(step: (store: Store) => Awaitable<T>): Promise<T | undefined> {
    try {
      const answer = step(this.#store!);
      return isPromise(answer) ? await within(STORE_MS, answer) : answer;
    } catch (error) {
      this.#storeError = error;
      return undefined;
    }
  }

  #ran(run: Run): Awaitable<number> {
    let running: Awaitable<number>;
    try {
      running = run(this.#delivery!, this.#claim, this.#beside === undefined ? undefined : this);
    } catch (error) {
      return this.#failed(error);
    }
    return isPromise(running) ? this.#waited(running) : this.#handled(running);
  }

  async #waited(running: PromiseLike<number>): Promise<number> {
    let status: number;
    try {
      status = await this.#renewed(running);
    } catch (error) {
      return this.#failed(error);
    }
    return this.#handled(status);
  }

  #handled(status: number): number {
    return this.#early ?? this.#step(this.#claim?.completed === true ? Event.JOINED : Event.HANDLED, status);
  }

  #failed(error: unknown): number {
    // What a handler throws after its answer has left changes nothing any more.
    if (this.#early !== undefined) return this.#early;
    this.#thrown = { error };
    return this.#step(error instanceof LeaseLost && this.#claim !== undefined ? Event.LEASE_LOST : Event.RAISED);
  }

  // The store beside the engine answers at once, so nothing has to be held back for it.
  settle(status: number): boolean {
    try {
      this.#early ??= this.#step(Event.HANDLED, status);
    } catch {
      return false; // an engine that fails is heard of when the handler has ended
    }
    return this.#early === Next.ACCEPTED;
  }

  #hold(): void {
    this.#everyMs = note.renewEveryMs();
    this.#forMs = note.renewForMs();
    if (this.#everyMs === 0) return;
    this.#key = note.key();
    this.#retentionMs = note.retentionMs();
    const [fence, leaseMs] = [note.fence(), note.leaseMs()];
    this.#claim = new Claim(this.#store!, fence, this.#key, this.#token, leaseMs, this.#retentionMs);
  }

  /** Waits for the handler, and extends its claim meanwhile: unless it ends at once, as most do that enqueue. */
  async #renewed(running: PromiseLike<number>): Promise<number> {
    const claim = this.#claim;
    if (claim === undefined || (await isOver(running))) return running;
    const stop = renewing(claim, this.#everyMs, this.#forMs);
    try {
      return await running;
    } finally {
      stop();
    }
  }
}

/** Whether a promise is settled by now, or within the few turns that an async function takes that waits for nothing. */
async function isOver(work: PromiseLike<unknown>): Promise<boolean> {
  let over = false;
  const ended = () => {
    over = true;
  };
  work.then(ended, ended);
  for (let turn = 0; turn < 4 && !over; turn++) await undefined;
  return over;
}

/** Extends a claim while its handler runs. */
function renewing(claim: Claim, everyMs: number, forMs: number): () => void {
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

async function within<T>(ms: number, work: PromiseLike<T>): Promise<T> {
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

/** Whether there is anything to wait for. */
export function isPromise<T>(value: Awaitable<T>): value is PromiseLike<T> {
  return typeof value === "object" && value !== null && typeof (value as { then?: unknown }).then === "function";
}

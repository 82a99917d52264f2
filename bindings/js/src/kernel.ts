import { core, type Handle, type Reading } from "./engine.js";
import type { ErrorCode } from "./errors.js";
import type { Outcome } from "./outcome.js";
import type { MemoryStore } from "./stores/memory.js";
import type { Verifier } from "./verifier.js";

/** What goes back to the sender. */
export interface Answer {
  /** `null`: the handler's own answer goes out as it is. */
  readonly status: number | null;
  readonly headers: readonly (readonly [string, string])[];
  readonly body: string;
}

/** An outcome in the core's words; what else is said of it stands in the delivery. */
export interface CoreOutcome {
  readonly kind: Outcome["kind"];
  readonly status: number;
  readonly scheme: string;
  readonly code: ErrorCode | null;
  readonly message: string | null;
  readonly key_prefix: string | null;
}

/** How a request ended. */
export interface Ending extends Answer {
  readonly outcome: CoreOutcome;
}

/** What the core says is next, as it crosses. */
export const Next = { CLAIM: 0, RUN: 1, COMPLETE: 2, RELEASE: 3, ANSWER: 4, ACCEPTED: 5 } as const;

/** What came of a command, as it crosses. */
export const Event = {
  CLAIMED: 0,
  IN_FLIGHT: 1,
  STORE_FAILED: 2,
  HANDLED: 3,
  RAISED: 4,
  LEASE_LOST: 5,
  HELD: 6,
  LOST: 7,
  JOINED: 8,
} as const;

// What a command carries: the engine writes it here, in one call with its answer, and it is read before the next call.
const NOTE = new Uint8Array(136);
const NUMBERS = new Float64Array(NOTE.buffer, 0, 9);

/** What stands in the note, by its place. */
export const note = {
  proof: () => NUMBERS[0]!,
  reception: () => NUMBERS[1]!,
  fence: () => NUMBERS[2]!,
  leaseMs: () => NUMBERS[3]!,
  retentionMs: () => NUMBERS[4]!,
  renewEveryMs: () => NUMBERS[5]!,
  renewForMs: () => NUMBERS[6]!,
  delayMs: () => NUMBERS[7]!,
  key: () => NOTE.slice(72, 104),
  bodyHash: () => NOTE.slice(104, 136),
};

/** The receiving kernel of the core: decides each step of a request, and does none of them. */
export class Kernel {
  readonly verifier: Verifier;
  /** How long keys are kept, in seconds. */
  readonly retention: number;
  /** How long a bounded store must keep a completed key at least, in seconds. */
  readonly leastRetention: number;
  /** What a user should be told once, when the receiver is built. */
  readonly warnings: readonly string[];
  readonly #handle: Handle;

  /** @throws ConfigurationError where retention or lease do not fit what the sender does. */
  constructor(verifier: Verifier, deduplicates: boolean) {
    this.verifier = verifier;
    const engine = core();
    this.#handle = engine.hold("receiver", (functions) =>
      functions.receiver(engine.number(verifier.handle), deduplicates),
    );
    const number = engine.number(this.#handle);
    const about = JSON.parse(engine.call((functions) => functions.aboutReceiver(number))) as {
      retention: number;
      least_retention: number;
      warnings: string[];
    };
    this.retention = about.retention;
    this.leastRetention = about.least_retention;
    this.warnings = about.warnings;
  }

  /**
   * Judges a request and says what is first. `token` is 16 fresh random bytes, `nowMs` milliseconds since 1970.
   * @param beside a store that the engine uses by itself, up to the command that is the host's.
   */
  begin(request: Reading, scope: string, token: Uint8Array, nowMs: number, beside: MemoryStore | undefined): number {
    const engine = core();
    const number = engine.number(this.#handle);
    const { body, lines } = request;
    if (beside === undefined) {
      return engine.call((functions) => functions.begin(number, body, scope, token, nowMs, -1, 0, NOTE, ...lines));
    }
    const [store, storeMs] = [beside.number(engine), beside.now()];
    const next = engine.call((functions) =>
      functions.begin(number, body, scope, token, nowMs, store, storeMs, NOTE, ...lines),
    );
    if (NUMBERS[8]! > 0) beside.warn();
    return next;
  }

  /** Tells a reception what came of its last command, and says what is next. */
  step(reception: number, event: number, number: number, beside: MemoryStore | undefined): number {
    const engine = core();
    const [store, storeMs] = beside === undefined ? [-1, 0] : [beside.number(engine), beside.now()];
    return engine.call((functions) => functions.step(reception, event, number, store, storeMs, NOTE));
  }

  /** Tells a reception that its key is done, by a delivery with this body. */
  done(reception: number, bodyHash: Uint8Array): number {
    return core().call((functions) => functions.stepDone(reception, bodyHash));
  }

  /** How the last reception ended. */
  ending(): Ending {
    return JSON.parse(core().call((functions) => functions.answer())) as Ending;
  }
}

/** The answer to a request that is refused before it can be judged: its body was parsed, or is too large. */
export function refusal(scheme: string, code: string, message: string): Ending {
  return JSON.parse(core().call((functions) => functions.refuse(scheme, code, message))) as Ending;
}

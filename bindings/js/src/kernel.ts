import { core, type Handle, type Reading } from "./engine.js";
import type { ErrorCode } from "./errors.js";
import type { Outcome } from "./outcome.js";
import type { Verifier } from "./verifier.js";

/** What goes back to the sender. */
export interface Answer {
  /** `null`: the handler's own answer goes out as it is. */
  readonly status: number | null;
  readonly headers: readonly (readonly [string, string])[];
  readonly body: string;
}

/** An outcome in the core's words. */
export interface CoreOutcome {
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

/** What the core says is next. */
export type Command =
  | {
      readonly kind: "claim";
      readonly key: string;
      readonly body_hash: string;
      readonly lease_ms: number;
      readonly retention_ms: number;
    }
  | { readonly kind: "run"; readonly fence: number; readonly renew_every_ms: number; readonly renew_for_ms: number }
  | { readonly kind: "complete"; readonly delay_ms: number }
  | { readonly kind: "release" }
  | AnswerCommand;

/** The last command: it is over. */
export interface AnswerCommand extends Answer {
  readonly kind: "answer";
  readonly outcome: CoreOutcome;
}

/** What came of a command: a word of the core's, and what belongs to it. */
export type Event = readonly [kind: string, number?: number, bodyHash?: Uint8Array];

/** How a request begins: refused with an answer, or a delivery and the first command about it. */
export type Begun =
  | { readonly command: AnswerCommand; readonly reception?: undefined; readonly proof?: undefined }
  | {
      readonly command: Command;
      /** `null` where the command is an answer already. */
      readonly reception: number | null;
      readonly proof: number;
      readonly timestamp: number | null;
      readonly outcome: CoreOutcome;
    };

const NO_BYTES = new Uint8Array(0);

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

  /** Judges a request and says what is first. `token` is 16 fresh random bytes, `nowMs` milliseconds since 1970. */
  begin(request: Reading, scope: string, token: Uint8Array, nowMs: number): Begun {
    const engine = core();
    const number = engine.number(this.#handle);
    const now = Math.floor(nowMs / 1000);
    return JSON.parse(
      engine.call((functions) => functions.begin(number, request.body, request.head, scope, token, now, nowMs)),
    ) as Begun;
  }

  /** Tells a reception what came of its last command, and says what is next. */
  step(reception: number, [kind, number = 0, bodyHash = NO_BYTES]: Event): Command {
    return JSON.parse(core().call((functions) => functions.step(reception, kind, number, bodyHash))) as Command;
  }
}

/** The answer to a request that is refused before it can be judged: its body was parsed, or is too large. */
export function refusal(scheme: string, code: string, message: string): AnswerCommand {
  return JSON.parse(core().call((functions) => functions.refuse(scheme, code, message))) as AnswerCommand;
}

import { core, type Handle } from "./engine.js";
import { ConfigurationError } from "./errors.js";
import { logOutcome, type Outcome } from "./outcome.js";
import type { SchemeInput } from "./scheme.js";
import type { SecretInput } from "./secret.js";
import type { Store } from "./store.js";
import { Verifier, type VerifierOptions } from "./verifier.js";

/** Options of a receiver: those of a verification, and what happens to a delivery afterwards. */
export interface ReceiverOptions extends VerifierOptions {
  /** Where claims are kept. `null` says that duplicates are not recognised. */
  readonly store: Store | null;
  /** How long a key is kept once its delivery is done, in seconds. Default: the sender's retry horizon and a margin. */
  readonly retention?: number | undefined;
  /** How long a claim holds unless it is renewed, in seconds. Default 10; it is renewed while the handler runs. */
  readonly lease?: number | undefined;
  /** How long a handler's claim is renewed, in seconds. Default 900. */
  readonly maxHandler?: number | undefined;
  /** Answers 409 when the same identity comes with another body. Default: that is a duplicate. */
  readonly conflict?: boolean | undefined;
  /** Answers the provider's handshakes. */
  readonly handshake?: boolean | undefined;
  /** How many deliveries one secret may bring: `{ limit: 10, per: "60s" }`. Default: the scheme's, mostly none. */
  readonly rateLimit?: { readonly limit: number; readonly per: string } | undefined;
  /** What happened to each request. Default: a log line for what a person should see. */
  readonly onOutcome?: ((outcome: Outcome) => void) | undefined;
  /** Milliseconds since 1970. Default: `Date.now`. */
  readonly clock?: (() => number) | undefined;
}

const OURS = ["store", "onOutcome", "clock"];

/**
 * A verifier, a store and limits: what every adapter takes. One for each endpoint.
 *
 * ```ts
 * const receiver = new Receiver("agentbot", process.env.AGENTBOT_SECRET, { store: new MemoryStore() });
 * ```
 */
export class Receiver {
  /** The verifier inside. */
  readonly verifier: Verifier;
  /** Where claims are kept. */
  readonly store: Store | null;
  /** How long keys are kept, in seconds. */
  readonly retention: number;
  /** @internal */
  readonly handle: Handle;
  /** @internal */
  readonly clock: () => number;
  /** @internal */
  readonly onOutcome: (outcome: Outcome) => void;

  /** @throws ConfigurationError for a wrong scheme, secret or option: at start, never for a request. */
  constructor(scheme: SchemeInput, secret: SecretInput, options: ReceiverOptions) {
    const { store, onOutcome = logOutcome, clock = Date.now } = Object(options) as ReceiverOptions;
    if (store === undefined) {
      throw new ConfigurationError("option_invalid", "`store` is missing: pass a store, or `null` to run every copy of a delivery");
    }
    if (store !== null && typeof store.claim !== "function") throw new ConfigurationError("option_invalid", "`store` is not a store");
    if (typeof onOutcome !== "function") throw new ConfigurationError("option_invalid", "`onOutcome` is not a function");
    if (typeof clock !== "function") throw new ConfigurationError("option_invalid", "`clock` is not a function");
    const data = Object.fromEntries(Object.entries(options).filter(([name]) => !OURS.includes(name)));
    this.verifier = new Verifier(scheme, secret, data);
    this.store = store;
    this.onOutcome = onOutcome;
    this.clock = clock;
    const engine = core();
    const { handle } = this.verifier;
    this.handle = engine.hold("receiver", (functions) => functions.receiver(engine.number(handle), store !== null));
    const number = engine.number(this.handle);
    const { retention, warnings } = JSON.parse(engine.call((functions) => functions.aboutReceiver(number))) as {
      retention: number;
      warnings: string[];
    };
    this.retention = retention;
    for (const warning of warnings) console.warn(`hookproof: ${warning} (${this.verifier.provider})`);
  }

  /** The most bytes that a body may have: adapters stop reading there. */
  get maxBody(): number {
    return this.verifier.maxBody;
  }
}

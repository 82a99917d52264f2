import { described } from "./body.js";
import type { Delivery } from "./delivery.js";
import { ConfigurationError, VerificationError } from "./errors.js";
import { Kernel } from "./kernel.js";
import { logOutcome, type Outcome } from "./outcome.js";
import { Scheme, type SchemeDefinition } from "./scheme.js";
import type { SecretInput } from "./secret.js";
import type { Awaitable, Store } from "./store.js";
import { Verifier, type VerifierOptions } from "./verifier.js";

/** What a function that looks up secrets found: them alone, them and whose they are, or nothing. */
export type Found = SecretInput | { readonly tenant: string; readonly secret: SecretInput };

/** Looks up the secrets for one request, in the framework's own terms; `null`: there are none for it. */
export type SecretResolver<Request = never> = (request: Request) => Awaitable<Found>;

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
  /** Store, answer, work later: called with the delivery in place of a handler; when it returns, the delivery is done. */
  readonly enqueue?: ((delivery: Delivery) => unknown) | undefined;
  /** What happened to each request. Default: a log line for what a person should see. */
  readonly onOutcome?: ((outcome: Outcome) => void) | undefined;
  /** Milliseconds since 1970. Default: `Date.now`. */
  readonly clock?: (() => number) | undefined;
}

/** A kernel, and what keeps its keys apart from those of others in the same store. */
interface Kerneled {
  readonly kernel: Kernel;
  readonly scope: string;
}

// Building a verifier costs as much as a dozen verifications: those of so many tenants are kept.
const TENANTS = 256;

/**
 * A verifier, a store and limits: what every adapter takes. One for each endpoint.
 *
 * ```ts
 * const receiver = new Receiver("agentbot", process.env.AGENTBOT_SECRET, { store: new MemoryStore() });
 * ```
 *
 * The secret may be a function of the framework's request, which looks up a tenant's:
 *
 * ```ts
 * new Receiver("stripe", async (req) => ({ tenant: req.params.shop, secret: await secretOf(req.params.shop) }), { store });
 * ```
 */
export class Receiver<Provider extends string = string> {
  /** How the provider signs. */
  readonly scheme: Scheme;
  /** Where claims are kept. */
  readonly store: Store | null;
  /** @internal */
  readonly clock: () => number;
  /** @internal */
  readonly onOutcome: (outcome: Outcome) => void;
  /** @internal */
  readonly enqueue: ((delivery: Delivery) => unknown) | undefined;
  readonly #single: Kerneled | undefined;
  readonly #resolve: SecretResolver | undefined;
  readonly #tenants = new Map<string, Kernel>();
  readonly #options: VerifierOptions;

  /** @throws ConfigurationError for a wrong scheme, secret or option: at start, never for a request. */
  constructor(
    scheme: Provider | SchemeDefinition | Scheme,
    secret: SecretInput | SecretResolver,
    options: ReceiverOptions,
  ) {
    if (typeof options !== "object" || options === null)
      throw wrong("the options are missing: at least `store` is expected");
    const { store, onOutcome, clock, enqueue, ...data } = options;
    this.store = checkedStore(store);
    this.onOutcome = checkedFunction("onOutcome", onOutcome) ?? logOutcome;
    this.clock = checkedFunction("clock", clock) ?? Date.now;
    this.enqueue = checkedFunction("enqueue", enqueue);
    this.scheme = Scheme.used(scheme);
    this.#options = data;
    if (typeof secret === "function") {
      this.#resolve = secret;
      this.#tryOptions();
    } else {
      const kernel = this.#kernel(secret);
      this.#single = { kernel, scope: this.store?.scope ?? "" };
      for (const warning of kernel.warnings) console.warn(`hookproof: ${warning} (${this.scheme.id})`);
    }
  }

  /** The scheme's id. */
  get provider(): Provider {
    return this.scheme.id as Provider;
  }

  /** The verifier, where the secret is not a function of the request. */
  get verifier(): Verifier {
    if (this.#single === undefined)
      throw new TypeError("a receiver whose secret is a function has a verifier for each tenant");
    return this.#single.kernel.verifier;
  }

  /** The HTTP methods that a route for this receiver takes: more than POST where it answers handshakes. */
  get methods(): readonly string[] {
    const handshakes =
      (this.#options as { handshake?: unknown }).handshake === true ? this.scheme.handshakeMethods : [];
    return [...new Set(["POST", ...handshakes])].sort();
  }

  /** @internal The kernel for every request, where the secret is not a function of it. */
  get single(): Kerneled | undefined {
    return this.#single;
  }

  /** @internal The kernel for one request, and what keeps its tenant's keys apart. */
  async kernel(original: unknown): Promise<Kerneled> {
    const scope = this.store?.scope ?? "";
    const found = (await this.#resolve!(original as never)) ?? null;
    if (found === null)
      throw new VerificationError("signature_mismatch", "the function for `secret` knows none for this request", 401);
    const { tenant, secret } = isTenant(found) ? found : { tenant: "", secret: found as SecretInput };
    try {
      // Scopes are printable: no scope ends like another one and its tenant.
      return { kernel: this.#kept(tenant, secret), scope: tenant === "" ? scope : `${scope}\n${tenant}` };
    } catch (error) {
      if (!(error instanceof ConfigurationError)) throw error;
      // A tenant's secret is wrong: nobody outside can do anything about it.
      throw new VerificationError("internal_error", `${error.code}: ${error.message}`, 500);
    }
  }

  #kept(tenant: string, secret: SecretInput): Kernel {
    const list = Array.isArray(secret) ? secret : [secret];
    // Only texts can be told apart without keeping more of a secret than the engine does.
    if (!list.every((one) => typeof one === "string")) return this.#kernel(secret);
    const key = JSON.stringify([tenant, ...list]);
    let kernel = this.#tenants.get(key);
    if (kernel === undefined) {
      kernel = this.#kernel(secret);
      if (this.#tenants.size >= TENANTS) this.#tenants.delete(this.#tenants.keys().next().value!);
      this.#tenants.set(key, kernel);
    }
    return kernel;
  }

  #kernel(secret: SecretInput): Kernel {
    const kernel = new Kernel(new Verifier(this.scheme, secret, this.#options), this.store !== null);
    this.store?.rememberAtLeast?.(kernel.leastRetention * 1000);
    return kernel;
  }

  // Options are judged at start, before there is a secret: with one that no delivery is ever verified by.
  #tryOptions(): void {
    try {
      this.#kernel("0123456789abcdef0123456789abcdef");
    } catch (error) {
      if (!(error instanceof ConfigurationError) || !error.code.startsWith("secret_")) throw error;
    }
  }
}

function isTenant(found: NonNullable<Found>): found is { tenant: string; secret: SecretInput } {
  return typeof found === "object" && "tenant" in found && typeof found.tenant === "string";
}

function checkedStore(store: Store | null | undefined): Store | null {
  if (store === undefined) {
    throw wrong(
      "`store` is missing: `new MemoryStore()` for one process, `hookproof/stores/...` for more, `null` for no dedup at all",
    );
  }
  if (store === null) return null;
  for (const step of ["claim", "complete", "release", "extend"] as const) {
    if (typeof (store as Partial<Store>)[step] !== "function")
      throw wrong(`\`store\` is ${described(store)} without \`${step}\`: a store is expected`);
  }
  return store;
}

function checkedFunction<F>(name: string, value: F | undefined | null): F | undefined {
  if (value === undefined || value === null) return undefined;
  if (typeof value !== "function") throw wrong(`\`${name}\` is ${described(value)}: a function is expected`);
  return value;
}

function wrong(message: string): ConfigurationError {
  return new ConfigurationError("option_invalid", message);
}

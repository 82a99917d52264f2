import { type BodyInput, bodyBytes } from "./body.js";
import { Delivery, type Judge } from "./delivery.js";
import { core, type Handle, joinedSecrets, Reading } from "./engine.js";
import { ConfigurationError } from "./errors.js";
import { type HeadersInput, lines } from "./headers.js";
import { optionsJson } from "./options.js";
import { type SchemeInput, schemeSource } from "./scheme.js";
import { type SecretInput, secretParts } from "./secret.js";
import { VerificationStream } from "./stream.js";
import { second } from "./time.js";

/** Options of a verification. The core knows their ranges; a wrong one is `option_invalid` and is named. */
export interface VerifierOptions {
  /** How old or how far ahead a signed time may be, in whole seconds from 1 to 86,400. Default: the scheme's, mostly 300. */
  readonly tolerance?: number | undefined;
  /** The most bytes that a body may have. Default: the scheme's, mostly 1 MiB. */
  readonly maxBody?: number | undefined;
  /** The address that the provider calls, where a proxy hides it: an origin, or a whole URL. */
  readonly publicUrl?: string | undefined;
  /** Values that the scheme needs besides the secret. */
  readonly config?: Readonly<Record<string, string>> | undefined;
  /** Takes a scheme whose signature is a bare digest. */
  readonly allowLegacy?: boolean | undefined;
  /** What identifies a delivery: `auto` (default) is the id if it is signed, otherwise SHA-256 of the body. */
  readonly identity?: "auto" | "id" | "body" | undefined;
  /** Says in the error of a signature that does not match why it does not, as far as it can be found out. Default false. */
  readonly explainFailures?: boolean | undefined;
  /** The closed list of event types that are expected: an unsigned type then counts towards the identity. */
  readonly events?: readonly string[] | undefined;
}

/** What a scheme may sign besides headers and body, and the time to judge by. */
export interface VerifyOptions {
  readonly method?: string | undefined;
  /** The URL as the provider called it. */
  readonly url?: string | undefined;
  /** Unix seconds, whole. Default: the clock's. */
  readonly now?: number | undefined;
}

/** Why a request does not verify, for the developer who has to mend it. Never for the outside. */
export interface Explanation {
  /** The cause in one word, such as `body_reserialized` or `secret_encoding`. */
  readonly cause: string;
  /** `certain`: the signature matches once the cause is undone. `guess`: nothing that was tried matches. */
  readonly confidence: "certain" | "guess";
  /** What to change, in one sentence. */
  readonly fix: string;
  /** What was tried, or what to look at next, in order. */
  readonly steps: readonly string[];
}

/** What the core says about a verifier. */
interface About {
  readonly scheme: string;
  readonly coverage: "body" | "partial" | "none";
  readonly header_names: readonly string[];
  readonly max_body: number;
  readonly reads_url: boolean;
  readonly public_keys_only: boolean;
  readonly warnings: readonly string[];
}

/**
 * A scheme, secrets and limits: decides whether a request is authentic and fresh. Immutable; use one for all requests.
 *
 * ```ts
 * const verifier = new Verifier("standard-webhooks", process.env.WEBHOOK_SECRET);
 * const delivery = verifier.verify(body, request.headers);
 * ```
 */
export class Verifier {
  readonly #handle: Handle;
  readonly #about: About;
  /** @internal */
  readonly judge: Judge;

  /**
   * @throws ConfigurationError for a wrong scheme, secret or option: at start, never for a request.
   */
  constructor(scheme: SchemeInput, secret: SecretInput, options?: VerifierOptions) {
    const source = schemeSource(scheme);
    const { bytes, parts } = joinedSecrets(secretParts(secret, source));
    const json = optionsJson(options);
    const engine = core();
    this.#handle = engine.hold("verifier", (functions) => functions.verifier(source, bytes, parts, json));
    const number = engine.number(this.#handle);
    this.#about = JSON.parse(engine.call((functions) => functions.about(number))) as About;
    if (engine.isBrowser && !this.#about.public_keys_only) {
      throw new ConfigurationError(
        "secret_wrong_kind",
        "a browser shows every secret to its user: only public keys, such as `whpk_` ones, verify there",
      );
    }
    this.judge = { handle: this.#handle, provider: this.#about.scheme, coverage: this.#about.coverage };
  }

  /** The scheme's id. */
  get provider(): string {
    return this.#about.scheme;
  }

  /** The most bytes that a body may have. */
  get maxBody(): number {
    return this.#about.max_body;
  }

  /** What the user should know about the secrets and options, such as quotes that count as part of a secret. */
  get warnings(): readonly string[] {
    return this.#about.warnings;
  }

  /**
   * The proof that a request is authentic and fresh.
   *
   * `body` is the bytes as they came (text is taken as UTF-8) and must not change while the delivery is used.
   * @throws VerificationError with the reason as `code`.
   */
  verify<T = unknown>(body: BodyInput, headers: HeadersInput, options?: VerifyOptions): Delivery<T> {
    const engine = core();
    const request = this.read(body, headers, options?.method, options?.url);
    const proof = engine.verify(this.#handle, request, second(options?.now));
    if (proof < 0) throw engine.refusal(proof);
    return Delivery.proven(this.judge, request, proof);
  }

  /**
   * Why this request does not verify; `undefined` if it does, or if its error already says it all.
   *
   * ```ts
   * const verifier = new Verifier("github", secret, { explainFailures: true });
   * verifier.explain('{"a":1}', headers)?.fix; // "hand over the bytes as they came, before any JSON parser runs"
   * ```
   *
   * Tries what commonly goes wrong and tells which of it makes the signature match. That takes a few more MACs, and the
   * secrets as they were given, so it is only done where `explainFailures` is set; without it there is only the guess.
   */
  explain(body: BodyInput, headers: HeadersInput, options?: VerifyOptions): Explanation | undefined {
    const engine = core();
    const request = this.read(body, headers, options?.method, options?.url);
    const now = second(options?.now);
    const number = engine.number(this.#handle);
    const found = engine.call((functions) => functions.explain(number, request.body, request.head, now));
    return found === undefined || found === null ? undefined : (JSON.parse(found) as Explanation);
  }

  /**
   * Starts a verification whose body arrives in pieces.
   * @throws VerificationError for what is missing or malformed in the headers.
   */
  start<T = unknown>(
    headers: HeadersInput,
    options?: { readonly method?: string | undefined; readonly url?: string | undefined },
  ): VerificationStream<T> {
    return new VerificationStream<T>(this, lines(options?.method, options?.url, headers, this.#about.header_names));
  }

  /** @internal What the engine reads of a request. */
  read(body: unknown, headers: unknown, method: string | undefined, url: string | undefined): Reading {
    return new Reading(bodyBytes(body), lines(method, url, headers, this.#about.header_names));
  }

  /** @internal Whether anything looks at the URL of a request, so that nobody need put one together for nothing. */
  get readsUrl(): boolean {
    return this.#about.reads_url;
  }

  /** @internal */
  get handle(): Handle {
    return this.#handle;
  }
}

import { described } from "./body.js";
import { core } from "./engine.js";
import { ConfigurationError } from "./errors.js";

/** A scheme as one writes it: the structure of a scheme file, as a plain object. */
export interface SchemeDefinition {
  readonly id: string;
  readonly [field: string]: unknown;
}

/** A built-in scheme's id, a scheme as an object, or a {@link Scheme}. */
export type SchemeInput = string | SchemeDefinition | Scheme;

interface Description {
  readonly id: string;
  readonly title: string;
  readonly docs: string;
  readonly note: string;
  readonly evidence: "published" | "third-party" | "computed" | "none";
  readonly coverage: "body" | "partial" | "none";
  readonly exposure: readonly string[];
  readonly normalizes: boolean;
  readonly handshake_methods: readonly string[];
}

/** How one provider signs: data, built in or a user's own. */
export class Scheme {
  readonly #source: string;
  #description: Description | undefined;

  private constructor(source: string) {
    this.#source = source;
  }

  // Read when it is first asked for: a cold start does without it.
  #described(): Description {
    this.#description ??= JSON.parse(core().call((functions) => functions.describe(this.#source))) as Description;
    return this.#description;
  }

  /**
   * A built-in scheme.
   * @throws ConfigurationError `scheme_unknown`, which names the closest one.
   */
  static named(id: string): Scheme {
    return Scheme.of(id);
  }

  /**
   * A scheme from a built-in id, from an object, or from JSON text.
   * @throws ConfigurationError `scheme_unknown`, or `scheme_invalid`, which names the field.
   */
  static of(input: SchemeInput): Scheme {
    const scheme = Scheme.used(input);
    scheme.#described(); // what is wrong with it is said here
    return scheme;
  }

  /** @internal The same for a verifier to be built, which says what is wrong with it. */
  static used(input: SchemeInput): Scheme {
    return input instanceof Scheme ? input : new Scheme(schemeSource(input));
  }

  /** The ids of the built-in schemes. */
  static names(): string[] {
    return core().call((functions) => functions.schemes());
  }

  /** Lower-case letters, digits and `-`; part of every dedup key. */
  get id(): string {
    return this.#described().id;
  }
  /** The provider's name. */
  get title(): string {
    return this.#described().title;
  }
  /** Where the format comes from. */
  get docs(): string {
    return this.#described().docs;
  }
  /** One sentence that a user should know, or an empty text. */
  get note(): string {
    return this.#described().note;
  }
  /** Where its vectors come from; only `published` is called verified. */
  get evidence(): Description["evidence"] {
    return this.#described().evidence;
  }
  /** What the signature covers. */
  get coverage(): Description["coverage"] {
    return this.#described().coverage;
  }

  /** What somebody who captured one request could still change, one sentence each. */
  get exposure(): readonly string[] {
    return this.#described().exposure;
  }

  /** The HTTP methods with which the provider proves an endpoint, if it does. */
  get handshakeMethods(): readonly string[] {
    return this.#described().handshake_methods;
  }

  /** @internal Whether secrets are brought to NFKD first, for which the host has the tables. */
  get normalizes(): boolean {
    return this.#described().normalizes;
  }

  /** @internal */
  get source(): string {
    return this.#source;
  }
}

/** A scheme as engines take it: an id, or JSON. */
export function schemeSource(input: SchemeInput): string {
  if (input instanceof Scheme) return input.source;
  if (typeof input === "string") return input;
  if (typeof input !== "object" || input === null || Array.isArray(input)) {
    throw new ConfigurationError(
      "scheme_invalid",
      `the scheme is ${described(input)}: pass a provider's id or a scheme as an object`,
    );
  }
  try {
    return JSON.stringify(input);
  } catch {
    throw new ConfigurationError("scheme_invalid", "the scheme cannot be written as JSON: is there a cycle in it?");
  }
}

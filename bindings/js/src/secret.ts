import { described } from "./body.js";
import { ConfigurationError } from "./errors.js";
import { Scheme } from "./scheme.js";

/** A secret as engines take it. */
export interface SecretParts {
  readonly value: Uint8Array;
  readonly name?: string;
  readonly notBefore?: number;
  readonly notAfter?: number;
}

/** When a secret counts, and the name under which `delivery.secretName` reports it. */
export interface SecretOptions {
  /** Shown in logs and in `delivery.secretName`. */
  readonly name?: string;
  /** Unix seconds from which on the secret counts, inclusive. */
  readonly notBefore?: number;
  /** Unix seconds until which the secret counts, inclusive. */
  readonly notAfter?: number;
}

/**
 * What stands for the key: text or bytes as the provider shows it, a {@link Secret}, or a list of these for rotation.
 *
 * `undefined` type-checks, so that an environment variable can be passed as it is, and fails at start with
 * `secret_missing`.
 */
export type SecretInput =
  | string
  | Uint8Array
  | Secret
  | undefined
  | null
  | readonly (string | Uint8Array | Secret | undefined | null)[];

const encoder = new TextEncoder();
const parts = new WeakMap<Secret, SecretParts>();

/**
 * Key material with an optional name and validity window. It shows nothing of itself: not in a log, not in
 * `util.inspect`, not as JSON.
 *
 * ```ts
 * const secrets = [new Secret(env.NEW, { name: "2026-11" }), new Secret(env.OLD, { notAfter: 1_800_000_000 })];
 * ```
 */
export class Secret {
  /** @throws ConfigurationError `secret_missing`, `secret_malformed` or `option_invalid`. */
  constructor(value: string | Uint8Array | undefined | null, options: SecretOptions = {}) {
    const { name, notBefore, notAfter } = Object(options) as SecretOptions;
    if (name !== undefined && typeof name !== "string")
      throw new ConfigurationError("option_invalid", "`name` of a secret is not text");
    for (const [word, second] of Object.entries({ notBefore, notAfter })) {
      if (second !== undefined && !Number.isSafeInteger(second)) {
        throw new ConfigurationError("option_invalid", `\`${word}\` of a secret is not a whole number of Unix seconds`);
      }
    }
    parts.set(this, {
      value: material(value),
      ...(name === undefined ? {} : { name }),
      ...(notBefore === undefined ? {} : { notBefore }),
      ...(notAfter === undefined ? {} : { notAfter }),
    });
  }

  toString(): string {
    return "Secret([redacted])";
  }

  toJSON(): string {
    return this.toString();
  }

  /** @internal Node prints this. */
  [Symbol.for("nodejs.util.inspect.custom")](): string {
    return this.toString();
  }
}

/** The secrets of a list or of one value, as engines take them. */
export function secretParts(input: SecretInput, source: string): SecretParts[] {
  const list = Array.isArray(input) ? input : [input];
  return list.map((one) => normalized(one instanceof Secret ? parts.get(one)! : { value: material(one) }, source));
}

// Some schemes bring a secret to NFKD first. ASCII is its own; for the rest the host has the tables, and the engine none.
function normalized(secret: SecretParts, source: string): SecretParts {
  if (secret.value.every((byte) => byte < 0x80) || !Scheme.of(source).normalizes) return secret;
  return { ...secret, value: encoder.encode(new TextDecoder().decode(secret.value).normalize("NFKD")) };
}

function material(value: unknown): Uint8Array {
  if (typeof value === "string") return encoder.encode(value);
  // Copied: what the caller does to its bytes later must not change the key of a verifier that is built anew.
  if (value instanceof Uint8Array) return new Uint8Array(value);
  if (value === undefined || value === null) {
    throw new ConfigurationError("secret_missing", `the secret is ${String(value)}: is its environment variable set?`);
  }
  throw new ConfigurationError("secret_malformed", `the secret is ${described(value)}: pass text or bytes`);
}

/** Codes of {@link VerificationError}: why a request was refused. */
export type VerificationCode =
  | "signature_missing"
  | "timestamp_missing"
  | "id_missing"
  | "header_missing"
  | "signature_malformed"
  | "signature_too_many"
  | "signature_unsupported"
  | "signature_mismatch"
  | "timestamp_malformed"
  | "id_malformed"
  | "timestamp_too_old"
  | "timestamp_too_new"
  | "token_missing"
  | "token_mismatch"
  | "body_too_large"
  | "body_malformed"
  | "field_missing"
  | "conflict"
  | "body_not_raw"
  | "headers_unsupported"
  | "request_incomplete"
  | "rate_limited"
  | "store_unavailable"
  | "internal_error";

/** Codes of {@link ConfigurationError}: why an object could not be built. */
export type ConfigurationCode =
  | "secret_missing"
  | "secret_empty"
  | "secret_malformed"
  | "secret_too_short"
  | "secret_too_long"
  | "secret_wrong_kind"
  | "secret_too_many"
  | "scheme_unknown"
  | "scheme_invalid"
  | "option_invalid";

/** Every code there is. */
export type ErrorCode = VerificationCode | ConfigurationCode;

/**
 * Why a request does not verify.
 *
 * `message` is for the developer; the outside gets `status` alone. Neither ever holds a secret, a body or an expected
 * signature. The stack ends here: a refusal is frequent, its cause is in the request, and walking the stack would cost
 * more than the verification.
 */
export class VerificationError extends Error {
  override readonly name = "VerificationError";
  /** What went wrong, as one word that is the same in every language. */
  readonly code: VerificationCode;
  /** The HTTP status that answers such a request. */
  readonly status: number;

  constructor(code: VerificationCode, message: string, status: number) {
    const frames = withoutFrames();
    super(message);
    withFrames(frames);
    this.code = code;
    this.status = status;
  }

  // The ESM and the CommonJS build may both be loaded in one process: the brand makes `instanceof` right for both.
  static override [Symbol.hasInstance](value: unknown): boolean {
    return branded(this, VerificationError, value, "VerificationError");
  }
}

/** Why an object cannot be built: a secret, a scheme or an option is wrong. Raised at start, never by a request. */
export class ConfigurationError extends Error {
  override readonly name = "ConfigurationError";
  /** What went wrong, as one word that is the same in every language. */
  readonly code: ConfigurationCode;

  constructor(code: ConfigurationCode, message: string) {
    super(message);
    this.code = code;
  }

  static override [Symbol.hasInstance](value: unknown): boolean {
    return branded(this, ConfigurationError, value, "ConfigurationError");
  }
}

/**
 * Another worker took the claim over, because its lease had ended: the transaction that meets this must abort.
 *
 * Let it leave the handler, and the request is answered with 409, so that the sender tries again.
 */
export class LeaseLost extends Error {
  override readonly name = "LeaseLost";

  constructor(message = "the lease ended and another worker took the delivery over") {
    super(message);
  }

  static override [Symbol.hasInstance](value: unknown): boolean {
    return branded(this, LeaseLost, value, "LeaseLost");
  }
}

function branded(self: unknown, owner: { prototype: object }, value: unknown, name: string): boolean {
  if (self !== owner)
    return Object.prototype.isPrototypeOf.call((self as { prototype: object }).prototype, value as object);
  return value instanceof Error && value.name === name && (name === "LeaseLost" || "code" in value);
}

// `stackTraceLimit` is V8's and JavaScriptCore's; elsewhere, and where it is frozen, the stack is simply kept.
const limited = Object.getOwnPropertyDescriptor(Error, "stackTraceLimit")?.writable === true;
const stack = Error as unknown as { stackTraceLimit: number };

function withoutFrames(): number {
  if (!limited) return 0;
  const frames = stack.stackTraceLimit;
  stack.stackTraceLimit = 0;
  return frames;
}

function withFrames(frames: number): void {
  if (limited) stack.stackTraceLimit = frames;
}

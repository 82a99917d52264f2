import type { ErrorCode } from "./errors.js";

/** What happened to one request. */
export interface Outcome {
  readonly kind: "accepted" | "duplicate" | "in_flight" | "refused" | "failed" | "lost_lease" | "complete_failed" | "handshake";
  /** Why, where it was refused or failed. */
  readonly code?: ErrorCode | undefined;
  /** For the developer: the answer never holds it. */
  readonly message?: string | undefined;
  /** The status that was answered. */
  readonly status: number;
  /** The scheme's id. */
  readonly scheme: string;
  readonly id?: string | undefined;
  readonly eventType?: string | undefined;
  /** 8 hexadecimal digits of the dedup key, to find one delivery's lines in a log. */
  readonly keyPrefix?: string | undefined;
  readonly secretName?: string | undefined;
  readonly durationMs: number;
  /** What the handler, or the store, threw. */
  readonly error?: unknown;
}

// A flood of forged requests must not become a flood of log lines.
const MOST_LINES = 20;
const PERIOD_MS = 10_000;
let since = 0;
let lines = 0;

/** The default of `onOutcome`: a line for everything that a person should see, and silence about what went well. */
export function logOutcome(outcome: Outcome): void {
  const { kind, code, message, scheme, id, keyPrefix, error } = outcome;
  if (kind === "accepted" || kind === "handshake" || kind === "in_flight") return;
  if (kind === "duplicate") return;
  const now = Date.now();
  if (now - since > PERIOD_MS) [since, lines] = [now, 0];
  if (++lines > MOST_LINES) return;
  const what = [scheme, id && JSON.stringify(id), keyPrefix].filter(Boolean).join(" ");
  const line = `hookproof: ${kind}${code === undefined ? "" : ` ${code}`} (${what})${message === undefined ? "" : `: ${message}`}`;
  const write = kind === "refused" && outcome.status < 500 ? console.warn : console.error;
  // A handler's own error is shown by its framework; a store's is shown by nobody else.
  if (error !== undefined && kind !== "failed") write(line, error);
  else write(line);
  if (lines === MOST_LINES) console.warn(`hookproof: more lines in these ${PERIOD_MS / 1000} s are left out`);
}

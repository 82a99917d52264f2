import type { ErrorCode } from "./errors.js";
import type { CoreOutcome } from "./kernel.js";
import { publish } from "./telemetry.js";

/** What happened to one request. */
export interface Outcome {
  readonly kind:
    | "accepted"
    | "duplicate"
    | "in_flight"
    | "refused"
    | "failed"
    | "lost_lease"
    | "complete_failed"
    | "handshake";
  /** Why, where it was refused. */
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

/** Tells the one who wants to know; what watches a request must not change its answer. */
export function report(
  watcher: { onOutcome(outcome: Outcome): void },
  outcome: CoreOutcome,
  durationMs: number,
  error: unknown,
): void {
  const { kind, status, scheme, code, message, id, event_type, key_prefix, secret_name } = outcome;
  const told: Outcome = {
    kind,
    status,
    scheme,
    code: code ?? undefined,
    message: message ?? undefined,
    id: id ?? undefined,
    eventType: event_type ?? undefined,
    keyPrefix: key_prefix ?? undefined,
    secretName: secret_name ?? undefined,
    durationMs,
    error,
  };
  try {
    publish(told);
    watcher.onOutcome(told);
  } catch (failure) {
    console.error("hookproof: telling the outcome failed", failure);
  }
}

// A flood of forged requests must not become a flood of log lines.
const MOST_LINES = 20;
const PERIOD_MS = 10_000;
let since = 0;
let lines = 0;

/** The default of `onOutcome`: a line for what a person should see, and silence about what went well. */
export function logOutcome({ kind, code, message, status, scheme, id, keyPrefix, error }: Outcome): void {
  if (kind === "accepted" || kind === "handshake" || kind === "in_flight" || kind === "duplicate") return;
  const now = Date.now();
  if (now - since > PERIOD_MS) [since, lines] = [now, 0];
  if (++lines > MOST_LINES) return;
  const said = [code === undefined ? kind : `${kind} ${code}`, scheme];
  if (id !== undefined) said.push(`id=${JSON.stringify(id)}`);
  if (keyPrefix !== undefined) said.push(`key=${keyPrefix}`);
  said.push(`status=${status}`);
  const line = `hookproof: ${said.join(" ")}${message === undefined ? "" : `: ${message}`}`;
  const write = kind === "refused" && status < 500 ? console.warn : console.error;
  if (error === undefined) write(line);
  else write(line, error);
  if (lines === MOST_LINES) console.warn(`hookproof: more lines within ${PERIOD_MS / 1000} s are left out`);
}

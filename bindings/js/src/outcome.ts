import type { Delivery } from "./delivery.js";
import type { ErrorCode } from "./errors.js";
import type { CoreOutcome } from "./kernel.js";
import { publish, subscribed } from "./telemetry.js";

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

/** Whether anybody wants to hear that all went well: by default nobody does. */
export function heard(watcher: { onOutcome(outcome: Outcome): void }): boolean {
  return watcher.onOutcome !== logOutcome || subscribed();
}

/** Tells the one who wants to know; what watches a request must not change its answer. */
export function report(
  watcher: { onOutcome(outcome: Outcome): void },
  outcome: CoreOutcome,
  delivery: Delivery | undefined,
  durationMs: number,
  error: unknown,
): void {
  const { kind, status, scheme, code, message, key_prefix } = outcome;
  if (isQuiet(kind) && !heard(watcher)) return;
  try {
    const told: Outcome = {
      kind,
      status,
      scheme,
      code: code ?? undefined,
      message: message ?? undefined,
      id: delivery?.id,
      eventType: delivery?.eventType,
      keyPrefix: key_prefix ?? undefined,
      secretName: delivery?.secretName,
      durationMs,
      error,
    };
    publish(told);
    watcher.onOutcome(told);
  } catch (failure) {
    console.error("hookproof: telling the outcome failed", failure);
  }
}

function isQuiet(kind: Outcome["kind"]): boolean {
  return kind === "accepted" || kind === "handshake" || kind === "in_flight" || kind === "duplicate";
}

// A flood of forged requests must not become a flood of log lines.
const MOST_LINES = 20;
const PERIOD_MS = 10_000;
let since = 0;
let lines = 0;

/** The default of `onOutcome`: a line for what a person should see, and silence about what went well. */
export function logOutcome({ kind, code, message, status, scheme, id, keyPrefix, error }: Outcome): void {
  if (isQuiet(kind)) return;
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

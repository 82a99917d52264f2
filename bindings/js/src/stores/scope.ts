import { ConfigurationError } from "../errors.js";

/** What every shared store is told beside its client. */
export interface ScopeOptions {
  /** The endpoint or tenant whose events are kept apart: 1 to 255 printable ASCII characters; part of every key. */
  readonly scope: string;
}

/** The scope, if it can be one. */
export function checkedScope(options: ScopeOptions | undefined): string {
  const scope: unknown = options?.scope;
  // Printable ASCII, so that it stands in keys, tables and logs as it was written.
  if (typeof scope === "string" && /^[ -~]{1,255}$/.test(scope)) return scope;
  throw new ConfigurationError(
    "option_invalid",
    "`scope` names the endpoint or tenant of a shared store: 1 to 255 printable ASCII characters",
  );
}

/** Refuses, by name, what a Workers KV namespace would be mistaken for. */
export function refuseKv(client: unknown): void {
  if (client !== null && typeof client === "object" && "getWithMetadata" in client) {
    throw new ConfigurationError("option_invalid", KV_REFUSED);
  }
}

/** Why there is no store on Workers KV. */
export const KV_REFUSED =
  "Workers KV cannot hold claims: it has no atomic step, so two copies of a delivery would both run, and a write is seen elsewhere up to a minute later; use a Durable Object or D1";

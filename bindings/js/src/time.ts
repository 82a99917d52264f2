import { ConfigurationError } from "./errors.js";

/** The time to judge by, in whole Unix seconds: what was given, or the clock's. */
export function second(now: unknown): number {
  if (now === undefined) return Math.floor(Date.now() / 1000);
  if (typeof now === "number" && Number.isSafeInteger(now)) return now;
  throw new ConfigurationError("option_invalid", "`now` is not a whole number of Unix seconds");
}

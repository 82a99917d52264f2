import { ConfigurationError } from "./errors.js";

/**
 * Options as the core reads them: JSON with snake_case names. The core knows which ones there are and what they may
 * be, so that a wrong one gets the same message in every language; this only makes sure that no wrong value turns into
 * an absent one on the way (`JSON.stringify` makes `null` of `NaN`, and drops functions).
 */
export function optionsJson(options: object | undefined, skip: readonly string[] = []): string {
  if (options === undefined) return "{}";
  if (typeof options !== "object" || options === null) {
    throw new ConfigurationError("option_invalid", "the options are not an object");
  }
  const flat: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(options)) {
    if (value === undefined || skip.includes(name)) continue;
    flat[name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)] = value;
  }
  try {
    return JSON.stringify(flat, (_, value: unknown) => {
      if (typeof value === "number" && !Number.isFinite(value)) return String(value);
      if (typeof value === "bigint" || typeof value === "function" || typeof value === "symbol")
        return `a ${typeof value}`;
      return value;
    });
  } catch {
    throw new ConfigurationError("option_invalid", "the options cannot be written as JSON: is there a cycle in them?");
  }
}

import { ConfigurationError } from "../errors.js";
import { KV_REFUSED } from "./scope.js";

/** There is no store on Workers KV: the constructor says why, and what to use instead. */
export class KVStore {
  constructor(_namespace?: unknown, _options?: unknown) {
    throw new ConfigurationError("option_invalid", KV_REFUSED);
  }
}

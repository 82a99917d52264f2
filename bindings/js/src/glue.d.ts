import type { Functions } from "./functions.js";

/** What wasm-bindgen writes for one instance; `build.mjs` puts it beside the compiled sources. */
export interface Glue extends Omit<Functions, "verify"> {
  /** `verify` of the functions, with the lines in one text: bytes cross here by being copied, and a call for all is less. */
  verifyHead(verifier: number, body: Uint8Array, head: string, now: number): number;
  initSync(options: { module: WebAssembly.Module }): unknown;
}

export function createGlue(): Glue;

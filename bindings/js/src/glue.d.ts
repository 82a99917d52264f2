import type { Functions } from "./functions.js";

/** What wasm-bindgen writes for one instance; `build.mjs` puts it beside the compiled sources. */
export interface Glue extends Omit<Functions, "verify" | "begin"> {
  /** `verify` and `begin` with the lines in one text: each that crosses here costs a call. */
  verifyHead(verifier: number, body: Uint8Array, now: number, head: string): number;
  beginHead(
    receiver: number,
    body: Uint8Array,
    scope: string,
    token: Uint8Array,
    nowMs: number,
    store: number,
    storeMs: number,
    note: Uint8Array,
    head: string,
  ): number;
  initSync(options: { module: WebAssembly.Module }): unknown;
}

export function createGlue(): Glue;

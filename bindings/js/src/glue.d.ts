import type { BeginArguments, Functions, VerifyArguments } from "./functions.js";

/** What wasm-bindgen writes for one instance; `build.mjs` puts it beside the compiled sources. */
export interface Glue extends Omit<Functions, "verify" | "begin"> {
  /** `verify` and `begin` with the lines in one text: each that crosses here costs a call. */
  verifyHead(...given: [...VerifyArguments, head: string]): number;
  beginHead(...given: [...BeginArguments, head: string]): number;
  initSync(options: { module: WebAssembly.Module }): unknown;
}

export function createGlue(): Glue;

import type { Functions } from "./functions.js";

/** What wasm-bindgen writes for one instance; `build.mjs` puts it beside the compiled sources. */
export interface Glue extends Functions {
  initSync(options: { module: WebAssembly.Module }): unknown;
}

export function createGlue(): Glue;

/** Explicit control of the WebAssembly engine, for runtimes and bundlers that load modules in a way of their own. */
import { useEngine } from "./engine.js";
import { wasmEngine } from "./engine-wasm.js";
import { inlineModule } from "./wasm-inline.js";

/**
 * Makes this process use the WebAssembly engine. Call it before anything is built.
 *
 * @param module the compiled `hookproof/engine.wasm`; without it, the copy that travels inside the package is compiled.
 */
export function initSync(module: WebAssembly.Module = inlineModule()): void {
  useEngine(wasmEngine(module));
}

/** Explicit control of the WebAssembly engine, for runtimes and bundlers that load modules in a way of their own. */
import inline from "../../engine/inline.cjs";
import { useEngine } from "./engine.js";
import { wasmEngine } from "./engine-wasm.js";

/**
 * Makes this process use the WebAssembly engine. Call it before anything is built.
 *
 * @param module the compiled `hookproof/engine.wasm`; without it, the copy that travels inside the package is compiled.
 */
export function initSync(module: WebAssembly.Module = inline.inlineModule()): void {
  useEngine(wasmEngine(module));
}

import { wasmEngine } from "../engine-wasm.js";
import { inlineModule } from "../wasm-inline.js";

export const load = () => wasmEngine(inlineModule());

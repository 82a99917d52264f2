import inline from "../../../engine/inline.cjs";
import { wasmEngine } from "../engine-wasm.js";

export const load = () => wasmEngine(inline.inlineModule());

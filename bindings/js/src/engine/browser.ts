import inline from "../../../engine/inline.cjs";
import { wasmEngine } from "../engine-wasm.js";

// What is bundled for browsers also runs elsewhere; only a page has a document.
export const load = () => wasmEngine(inline.inlineModule(), "document" in globalThis);

// Vercel's edge runtime, too, takes compiled modules alone, and asks for them by this suffix.
import module from "../../../engine/hookproof_bg.wasm?module";
import { wasmEngine } from "../engine-wasm.js";

export const load = () => wasmEngine(module);

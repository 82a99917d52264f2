// Workers compile nothing at run time: the module comes compiled with the Worker.
import module from "../../../engine/hookproof_bg.wasm";
import { wasmEngine } from "../engine-wasm.js";

export const load = () => wasmEngine(module);

import inline from "../../engine/inline.cjs";
import native from "../../native/load.cjs";
import { Engine } from "./engine.js";
import { wasmEngine } from "./engine-wasm.js";
import type { Functions } from "./functions.js";

/** The native engine; the WebAssembly one, with one warning, where no binary fits. `HOOKPROOF_ENGINE=wasm` asks for it. */
export function loadNative(): Engine {
  const wanted = process.env.HOOKPROOF_ENGINE;
  if (wanted === "wasm") return wasmEngine(inline.inlineModule());
  try {
    const functions = native.load() as Functions;
    return new Engine({ kind: "native", functions: () => functions });
  } catch (error) {
    if (wanted === "native") throw error;
    process.emitWarning(
      `no native engine for this platform, using WebAssembly, which is slower (${(error as Error).message}): install ` +
        "optional dependencies and leave `hookproof` out of bundles, or agree with HOOKPROOF_ENGINE=wasm",
      {
        type: "HookproofWarning",
        code: "HOOKPROOF_WASM",
      },
    );
    return wasmEngine(inline.inlineModule());
  }
}

import { Engine } from "./engine.js";
import { createGlue } from "./glue.js";
import { joined, type Lines } from "./headers.js";

/** The WebAssembly engine on a compiled module: an instance is made when it is first needed, and anew after a trap. */
export function wasmEngine(module: WebAssembly.Module, isBrowser = false): Engine {
  return new Engine({
    kind: "wasm",
    isBrowser,
    functions() {
      const glue = createGlue();
      glue.initSync({ module });
      return Object.assign(glue, {
        verify: (verifier: number, body: Uint8Array, now: number, ...lines: Lines) =>
          glue.verifyHead(verifier, body, joined(lines), now),
      });
    },
  });
}

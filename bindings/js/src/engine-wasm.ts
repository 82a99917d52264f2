import { Engine } from "./engine.js";
import type { Functions } from "./functions.js";
import { createGlue } from "./glue.js";
import { joined } from "./headers.js";

/** The WebAssembly engine on a compiled module: an instance is made when it is first needed, and anew after a trap. */
export function wasmEngine(module: WebAssembly.Module, isBrowser = false): Engine {
  return new Engine({
    kind: "wasm",
    isBrowser,
    functions() {
      const glue = createGlue();
      glue.initSync({ module });
      const onRequest: Pick<Functions, "verify" | "begin"> = {
        verify: (verifier, body, now, ...lines) => glue.verifyHead(verifier, body, now, joined(lines)),
        begin: (receiver, body, scope, token, nowMs, store, storeMs, note, ...lines) =>
          glue.beginHead(receiver, body, scope, token, nowMs, store, storeMs, note, joined(lines)),
      };
      return Object.assign(glue, onRequest);
    },
  });
}

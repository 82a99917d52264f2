// The Worker that plays the vectors it is sent.
import { engine } from "hookproof";
import { play } from "./play.mjs";

export default {
  async fetch(request) {
    try {
      if (engine.kind !== "wasm") throw new Error(`this is the ${engine.kind} engine`);
      return Response.json(await play(await request.json()));
    } catch (error) {
      return new Response(error.stack, { status: 500 });
    }
  },
};

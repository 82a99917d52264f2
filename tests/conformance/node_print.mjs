// Plays the vectors in this process, on the engine that the runner asked for.
import { engine } from "hookproof";
import { play } from "./play.mjs";
import { show, vectors } from "./vectors.mjs";

export async function print(wanted) {
  if (engine.kind !== wanted) throw new Error(`this is the ${engine.kind} engine: the ${wanted} one was asked for`);
  show(await play(vectors));
}

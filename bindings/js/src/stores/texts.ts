import { core } from "../engine.js";

let texts: Readonly<Record<string, string>> | undefined;

/** A text of the core by its name, such as `sqlite.claim`; the engine is loaded when the first one is asked for. */
export function text(name: string): string {
  texts ??= JSON.parse(core().call((functions) => functions.storeTexts())) as Record<string, string>;
  const found = texts[name];
  if (found === undefined) throw new TypeError(`the core has no text \`${name}\``);
  return found;
}

// The data files, as `play` takes them.
import { readFileSync } from "node:fs";

const read = (name) => JSON.parse(readFileSync(new URL(`../vectors/${name}.json`, import.meta.url), "utf8"));

/** `{ published, found, hostile, config }`. */
export const vectors = Object.fromEntries(
  ["published", "found", "hostile", "config"].map((name) => [name, read(name)]),
);

/** Prints answers as README.md wants them. */
export function show(answers) {
  for (const { id, code } of answers) console.log(JSON.stringify({ id, code }));
  console.log(`ran ${answers.length}`);
}

// What a Worker carries, compressed: the engine, and the JavaScript around it. `make bench-js`
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { build } from "esbuild";

const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const kilobytes = (bytes) => gzipSync(bytes, { level: 9 }).byteLength / 1000;

/** The JavaScript of an entry point as a bundler ships it to Workers, without the engine that it loads. */
async function glue(...entries) {
  const { outputFiles } = await build({
    stdin: { contents: entries.map((entry) => `export * from "hookproof${entry}";`).join("\n"), resolveDir: here(".") },
    bundle: true,
    minify: true,
    write: false,
    format: "esm",
    conditions: ["workerd", "worker"],
    external: ["*.wasm"],
  });
  return outputFiles[0].contents;
}

const rows = [
  ["the engine: every built-in scheme", readFileSync(here("../engine/hookproof_bg.wasm")), 80],
  ["JavaScript: all of `hookproof`, and `hookproof/fetch`", await glue("", "/fetch"), 15],
];
console.log("\nSize in Workers, KB after gzip");
for (const [name, bytes, most] of rows) {
  const size = kilobytes(bytes);
  const over = size > most;
  if (over) process.exitCode = 1;
  console.log(`${name.padEnd(58)}${size.toFixed(1).padStart(8)} [${over ? ">" : "≤"} ${most}]`);
}

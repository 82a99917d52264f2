#!/usr/bin/env node
// Compiles the package into ES modules, writes the WebAssembly engine beside them, and makes CommonJS of all of it.
import { execFileSync } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { transformSync } from "esbuild";

const here = dirname(fileURLToPath(import.meta.url));
const tsc = createRequire(import.meta.url)
  .resolve("typescript/package.json")
  .replace(/package\.json$/, "bin/tsc");
const dist = join(here, "dist");

// The glue as wasm-bindgen writes it is a script with one instance in it: as the body of a function it makes as many as
// are wanted, which is how the engine survives a trap.
const script = readFileSync(join(here, "engine/glue.no-modules.js"), "utf8");
const glue = transformSync(`export function createGlue() {\n${script}\nreturn wasm_bindgen;\n}\n`, {
  minifySyntax: true,
  target: "es2022",
}).code;

const base64 = readFileSync(join(here, "engine/hookproof_bg.wasm")).toString("base64");
const inline = `"use strict";
/** The module, compiled from bytes that travel inside JavaScript: no bundler can lose it. */
exports.inlineModule = function inlineModule() {
  const text = atob("${base64}");
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < bytes.length; i++) bytes[i] = text.charCodeAt(i);
  return new WebAssembly.Module(bytes);
};
`;

rmSync(dist, { recursive: true, force: true });
execFileSync(process.execPath, [tsc, "-p", "."], { cwd: here, stdio: "inherit" });
writeFileSync(join(dist, "esm/glue.js"), glue);
// One copy for both kinds of modules: it is most of the package.
writeFileSync(join(here, "engine/inline.cjs"), inline);

for (const name of readdirSync(join(dist, "esm"), { recursive: true })) {
  const [from, to] = [join(dist, "esm", name), join(dist, "cjs", name)];
  if (!statSync(from).isFile()) continue;
  mkdirSync(dirname(to), { recursive: true });
  const text = readFileSync(from, "utf8");
  writeFileSync(to, name.endsWith(".js") ? transformSync(text, { format: "cjs", target: "es2022" }).code : text);
}

// The nearest package.json decides both the kind of module and what `#engine` means.
const { imports } = JSON.parse(readFileSync(join(here, "package.json"), "utf8"));
writeFileSync(
  join(dist, "cjs/package.json"),
  JSON.stringify({ type: "commonjs", imports: commonjs(imports) }, null, 2),
);

function commonjs(value) {
  if (typeof value === "string") return value.replace(/^\.\/dist\/(esm|cjs)\//, "./");
  return Object.fromEntries(Object.entries(value).map(([condition, target]) => [condition, commonjs(target)]));
}

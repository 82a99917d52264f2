// One verification in workerd, beside crypto.subtle and standardwebhooks. `make bench-js`
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { Miniflare } from "miniflare";
import { median, NAMES, show } from "./measure.mjs";

const outdir = mkdtempSync(join(tmpdir(), "hookproof-bench-"));
await build({
  entryPoints: [fileURLToPath(new URL("workerd-worker.mjs", import.meta.url))],
  outdir,
  outExtension: { ".js": ".mjs" },
  bundle: true,
  format: "esm",
  conditions: ["workerd", "worker"],
  loader: { ".wasm": "copy" },
  external: ["node:*"],
  logLevel: "error",
});
const worker = new Miniflare({
  modules: true,
  modulesRoot: outdir,
  scriptPath: join(outdir, "workerd-worker.mjs"),
  compatibilityDate: "2026-04-01",
  compatibilityFlags: ["nodejs_compat"],
  modulesRules: [
    { type: "ESModule", include: ["**/*.mjs"] },
    { type: "CompiledWasm", include: ["**/*.wasm"] },
  ],
});

// Clocks stand still while a Worker computes, so a case is timed from here: many runs in one request.
const CASES = ["crypto.subtle as really used", "standardwebhooks without JSON", "hookproof"];
async function once(name, size, count) {
  const started = performance.now();
  const answer = await worker.dispatchFetch(
    `http://worker/?case=${encodeURIComponent(name)}&size=${size}&count=${count}`,
  );
  if (!answer.ok) throw new Error(await answer.text());
  await answer.text();
  return performance.now() - started;
}
const rows = [];
for (const size of [256, 1024, 16 * 1024, 1024 * 1024]) {
  const count = Math.max(20, Math.round(4_000_000 / (size + 1000)));
  for (const name of CASES) await once(name, size, count);
  const samples = new Map([...CASES, "empty"].map((name) => [name, []]));
  for (let round = 0; round < 11; round++)
    for (const name of samples.keys()) samples.get(name).push(await once(name, size, name === "empty" ? 1 : count));
  const empty = median(samples.get("empty"));
  rows.push(Object.fromEntries(CASES.map((name) => [name, ((median(samples.get(name)) - empty) * 1000) / count])));
}
await worker.dispose();
rmSync(outdir, { recursive: true, force: true });

let missed = show("workerd", rows, "crypto.subtle as really used", { hookproof: [0.5, 0.85] });
missed += show("workerd, beside standardwebhooks", rows, "standardwebhooks without JSON", {
  hookproof: NAMES.map(() => 0.4),
});
if (missed > 0) process.exitCode = 1;

// `tests/stores/contract.json` in workerd, on Durable Objects and on D1.
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { Miniflare } from "miniflare";

const { cases } = JSON.parse(readFileSync(new URL("../contract.json", import.meta.url), "utf8"));
const outdir = mkdtempSync(join(tmpdir(), "hookproof-worker-"));
let worker;

before(async () => {
  await build({
    entryPoints: [fileURLToPath(new URL("worker.mjs", import.meta.url))],
    outdir,
    outExtension: { ".js": ".mjs" },
    bundle: true,
    format: "esm",
    conditions: ["workerd", "worker"],
    external: ["cloudflare:workers"],
    loader: { ".wasm": "copy" },
    logLevel: "error",
  });
  worker = new Miniflare({
    modules: true,
    modulesRoot: outdir,
    scriptPath: join(outdir, "worker.mjs"),
    modulesRules: [
      { type: "ESModule", include: ["**/*.mjs"] },
      { type: "CompiledWasm", include: ["**/*.wasm"] },
    ],
    compatibilityDate: "2026-04-01",
    durableObjects: { HOOKPROOF: { className: "HookproofStore", useSQLite: true } },
    d1Databases: ["DB"],
  });
  await worker.ready;
});
after(async () => {
  await worker.dispose();
  rmSync(outdir, { recursive: true, force: true });
});

async function ask(question) {
  const response = await worker.dispatchFetch("http://test/", { method: "POST", body: JSON.stringify(question) });
  const text = await response.text();
  assert.equal(response.status, 200, text);
  return JSON.parse(text);
}

for (const store of ["durable-object", "d1"]) {
  describe(store, () => {
    for (const one of cases) test(one.name, () => ask({ what: "play", store, given: one }));
  });
}

test("a D1 batch commits the effect and the mark together, or neither", async () => {
  assert.deepEqual(await ask({ what: "batch", store: "d1" }), { answers: ["lost", true, "lost"], effects: ["b"] });
});

test("D1 purges what has ended, and no more than it is told", async () => {
  const purged = await ask({ what: "purge", store: "d1" });
  assert.ok(
    purged.every((many) => many <= 3),
    JSON.stringify(purged),
  );
  assert.ok(purged.reduce((sum, many) => sum + many) >= 5, JSON.stringify(purged));
});

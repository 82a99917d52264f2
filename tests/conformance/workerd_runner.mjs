#!/usr/bin/env node
// Plays every vector in workerd, on the WebAssembly engine that its export condition picks: see README.md.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { Miniflare } from "miniflare";
import { show, vectors } from "./vectors.mjs";

const outdir = mkdtempSync(join(tmpdir(), "hookproof-workerd-"));
try {
  await build({
    entryPoints: [fileURLToPath(new URL("workerd_worker.mjs", import.meta.url))],
    outdir,
    outExtension: { ".js": ".mjs" },
    bundle: true,
    format: "esm",
    conditions: ["workerd", "worker"],
    loader: { ".wasm": "copy" },
    logLevel: "warning",
  });
  const worker = new Miniflare({
    modules: true,
    modulesRoot: outdir,
    scriptPath: join(outdir, "workerd_worker.mjs"),
    modulesRules: [
      { type: "ESModule", include: ["**/*.mjs"] },
      { type: "CompiledWasm", include: ["**/*.wasm"] },
    ],
    compatibilityDate: "2026-04-01",
  });
  const answer = await worker.dispatchFetch("http://workerd/", { method: "POST", body: JSON.stringify(vectors) });
  if (!answer.ok) throw new Error(await answer.text());
  show(await answer.json());
  await worker.dispose();
} finally {
  rmSync(outdir, { recursive: true, force: true });
}

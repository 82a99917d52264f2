// Runs the Worker in workerd on this machine: bundles it as `wrangler` does, and serves it under miniflare.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { Miniflare } from "miniflare";

const { HOST = "127.0.0.1", PORT = "8787", ...env } = process.env;
const outdir = mkdtempSync(join(tmpdir(), "hookproof-worker-"));
await build({
  entryPoints: [fileURLToPath(new URL("worker.mjs", import.meta.url))],
  outdir,
  outExtension: { ".js": ".mjs" },
  bundle: true,
  format: "esm",
  conditions: ["workerd", "worker"],
  external: ["cloudflare:workers"],
  loader: { ".wasm": "copy" },
});

const worker = new Miniflare({
  host: HOST,
  port: Number(PORT),
  modules: true,
  modulesRoot: outdir,
  scriptPath: join(outdir, "worker.mjs"),
  modulesRules: [
    { type: "ESModule", include: ["**/*.mjs"] },
    { type: "CompiledWasm", include: ["**/*.wasm"] },
  ],
  compatibilityDate: "2026-04-01",
  durableObjects: {
    HOOKPROOF: { className: "HookproofStore", useSQLite: true },
    EFFECTS: { className: "Effects", useSQLite: true },
  },
  bindings: Object.fromEntries(Object.entries(env).filter(([name]) => name.startsWith("HOOKPROOF_DEMO_"))),
});
console.log(`listening on ${await worker.ready}`);

async function stop() {
  await worker.dispose();
  rmSync(outdir, { recursive: true, force: true });
  process.exit(0);
}
process.on("SIGINT", stop).on("SIGTERM", stop);

// Runs a Worker's module in workerd, bundled as `wrangler` does: node worker.mjs FILE. Prints `listening on PORT`.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { build } from "esbuild";
import { Miniflare } from "miniflare";

const outdir = mkdtempSync(join(tmpdir(), "hookproof-readme-"));
await build({
  entryPoints: { worker: process.argv[2] },
  outdir,
  outExtension: { ".js": ".mjs" },
  bundle: true,
  format: "esm",
  conditions: ["workerd", "worker"],
  external: ["cloudflare:workers"],
  loader: { ".wasm": "copy" },
});
const worker = new Miniflare({
  host: "127.0.0.1",
  modules: true,
  modulesRoot: outdir,
  scriptPath: join(outdir, "worker.mjs"),
  modulesRules: [
    { type: "ESModule", include: ["**/*.mjs"] },
    { type: "CompiledWasm", include: ["**/*.wasm"] },
  ],
  compatibilityDate: "2026-04-01",
  durableObjects: { HOOKPROOF: { className: "HookproofStore", useSQLite: true } },
  bindings: { AGENTBOT_SECRET: process.env.AGENTBOT_SECRET },
});
console.log("listening on", (await worker.ready).port);

process.on("SIGTERM", async () => {
  await worker.dispose();
  rmSync(outdir, { recursive: true, force: true });
  process.exit(0);
});

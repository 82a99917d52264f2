// Runs worker.mjs in workerd on this machine.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { Miniflare } from "miniflare";

const outdir = mkdtempSync(join(tmpdir(), "hookproof-ai-teammate-"));
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
  host: "127.0.0.1",
  port: Number(process.env.PORT),
  modules: true,
  modulesRoot: outdir,
  scriptPath: join(outdir, "worker.mjs"),
  modulesRules: [
    { type: "ESModule", include: ["**/*.mjs"] },
    { type: "CompiledWasm", include: ["**/*.wasm"] },
  ],
  compatibilityDate: "2026-04-01",
  bindings: { TOKENS: process.env.TOKENS },
});
await worker.ready;

async function stop() {
  await worker.dispose();
  rmSync(outdir, { recursive: true, force: true });
  process.exit(0);
}
process.on("SIGINT", stop).on("SIGTERM", stop);

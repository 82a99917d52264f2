// Every bench of the package, one after the other. All of them run; the exit code says whether every bar holds.
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";

const PARTS = [
  ["size.mjs"],
  ["verify.mjs"],
  ["verify.mjs", { HOOKPROOF_ENGINE: "wasm" }],
  ["share.mjs"],
  ["workerd.mjs"],
  ["cold.mjs"],
];
for (const [name, environment] of PARTS) {
  const file = fileURLToPath(new URL(name, import.meta.url));
  const { status } = spawnSync(process.execPath, [file], { stdio: "inherit", env: { ...process.env, ...environment } });
  if (status !== 0) process.exitCode = 1;
}

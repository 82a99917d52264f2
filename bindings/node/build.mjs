#!/usr/bin/env node
// Builds the native engine for this machine, and puts it where the package looks for it first.
import { execFileSync } from "node:child_process";
import { copyFileSync, mkdirSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const here = dirname(fileURLToPath(import.meta.url));
const root = join(here, "../..");
const engine = join(here, "../js/engine");
const { triple } = createRequire(import.meta.url)("../js/native/load.cjs");

execFileSync("cargo", ["build", "--quiet", "--release", "-p", "hookproof-node"], { cwd: root, stdio: "inherit" });
const library =
  { darwin: "libhookproof_node.dylib", win32: "hookproof_node.dll" }[process.platform] ?? "libhookproof_node.so";
const target = join(engine, `hookproof.${triple()}.node`);
mkdirSync(engine, { recursive: true });
rmSync(target, { force: true }); // a process that has the old one loaded keeps it
copyFileSync(join(process.env.CARGO_TARGET_DIR ?? join(root, "target"), "release", library), target);
console.log(target);

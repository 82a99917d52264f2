// Clean projects outside of this repository, with the packed package in them.
import { execFile, execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const here = dirname(fileURLToPath(import.meta.url));
const npm = { stdio: ["ignore", "pipe", "inherit"], encoding: "utf8" };
const folder = mkdtempSync(join(tmpdir(), "hookproof-packaging-"));
process.on("exit", () => rmSync(folder, { recursive: true, force: true }));

/** A program that came with this test's own dependencies. */
export const program = (name) => join(here, "node_modules/.bin", name);

execFileSync(process.execPath, [join(here, "../../../bindings/node/packages.mjs"), join(folder, "packages")], npm);
const packed = new Map();
for (const name of readdirSync(join(folder, "packages"))) {
  const file = execFileSync("npm", ["pack", "--silent", "--pack-destination", folder], {
    ...npm,
    cwd: join(folder, "packages", name),
  }).trim();
  packed.set(name, join(folder, file));
}

/**
 * A clean project with these files, and the package installed: with the platform's engine, unless `native` is false.
 * One that is `inside` finds what this test installed, where a bundler follows no link.
 */
export function project(name, files, { native = true, inside = false, manifest = {} } = {}) {
  const root = inside ? mkdtempSync(join(here, `.project-${name}-`)) : join(folder, name);
  if (inside) process.on("exit", () => rmSync(root, { recursive: true, force: true }));
  else mkdirSync(root);
  writeFileSync(join(root, "package.json"), JSON.stringify({ private: true, ...manifest }));
  const tarballs = [...packed].filter(([part]) => native || part === "hookproof").map(([, file]) => file);
  execFileSync("npm", ["install", "--silent", "--offline", "--no-audit", "--no-fund", ...tarballs], {
    ...npm,
    cwd: root,
  });
  for (const [file, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, file)), { recursive: true });
    writeFileSync(join(root, file), text);
  }
  return root;
}

/** Puts a package of this test's own beside the installed ones, such as types that a user would have installed. */
export function lend(root, name) {
  mkdirSync(dirname(join(root, "node_modules", name)), { recursive: true });
  symlinkSync(join(here, "node_modules", name), join(root, "node_modules", name));
}

/** Runs a program in a project; gives what it printed. */
export async function run(root, command, ...args) {
  const { stdout, stderr } = await promisify(execFile)(command, args, {
    cwd: root,
    timeout: 120_000,
    env: { ...process.env, NO_COLOR: "1" },
  });
  return { stdout, stderr };
}

const CHECK = `
const body = JSON.stringify({ event: "message.created" });
const { headers } = sign("agentbot", "s3cret", body, { id: "dlv_1" });
const verifier = new Verifier("agentbot", "s3cret");
const { id, eventType } = verifier.verify(body, headers);
let refused;
try { verifier.verify("{}", headers); } catch (error) { refused = error.code; }
const checked = { engine: engine.kind, id, eventType, refused, known: Scheme.names().length > 50 };
`;
const NAMES = "engine, Scheme, Verifier";

/** A program that signs, verifies and refuses, and prints what it saw. */
export const script = {
  esm: `import { ${NAMES} } from "hookproof";\nimport { sign } from "hookproof/testing";${CHECK}console.log(JSON.stringify(checked));\n`,
  cjs: `const { ${NAMES} } = require("hookproof");\nconst { sign } = require("hookproof/testing");${CHECK}console.log(JSON.stringify(checked));\n`,
  worker: `import { ${NAMES} } from "hookproof";\nimport { sign } from "hookproof/testing";${CHECK}export default { fetch: () => Response.json(checked) };\n`,
  thread: `import { parentPort } from "node:worker_threads";\nimport { ${NAMES} } from "hookproof";\nimport { sign } from "hookproof/testing";${CHECK}parentPort.postMessage(checked);\n`,
};

/** What such a program must have seen, on this engine. */
export const seen = (engine) => ({
  engine,
  id: "dlv_1",
  eventType: "message.created",
  refused: "signature_mismatch",
  known: true,
});

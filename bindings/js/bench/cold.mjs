// What a Worker's first delivery costs beside an empty Worker whose module has as many bytes: CPU time of workerd, from
// its start to the answer. `make bench-js`
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { sign } from "hookproof/testing";
import workerd from "workerd";
import { delivery, median, SECRET } from "./measure.mjs";

const MOST_MS = 10;
const ROUNDS = 15;
const root = mkdtempSync(join(tmpdir(), "hookproof-cold-"));

const WORKERS = {
  empty: `import module from "./padded.wasm";
new WebAssembly.Instance(module);
export default { fetch: async (request) => new Response((await request.arrayBuffer()).byteLength) };`,
  hookproof: `import { Receiver } from "hookproof";
import { receive } from "hookproof/fetch";
const receiver = new Receiver("standard-webhooks", ${JSON.stringify(SECRET)}, { store: null });
export default { fetch: receive(receiver, () => {}) };`,
};

/** A module that does nothing, and has this many bytes. */
function padded(size) {
  const head = [0, 0x61, 0x73, 0x6d, 1, 0, 0, 0];
  const length = size - head.length - 6;
  const leb = [0, 7, 14, 21, 28].map((shift) => ((length >> shift) & 0x7f) | (shift < 28 ? 0x80 : 0));
  return Buffer.concat([Buffer.from([...head, 0, ...leb, 1, 0x70]), Buffer.alloc(length - 2, 0x5a)]);
}

async function bundled(name, source) {
  const outdir = join(root, name);
  mkdirSync(outdir);
  const engine = readFileSync(fileURLToPath(new URL("../engine/hookproof_bg.wasm", import.meta.url)));
  if (name === "empty") writeFileSync(join(outdir, "padded.wasm"), padded(engine.byteLength));
  await build({
    stdin: { contents: source, resolveDir: fileURLToPath(new URL(".", import.meta.url)), sourcefile: "worker.mjs" },
    outfile: join(outdir, "worker.mjs"),
    bundle: true,
    minify: true,
    format: "esm",
    conditions: ["workerd", "worker"],
    loader: { ".wasm": "copy" },
    external: ["./padded.wasm"],
  });
  const modules = readdirSync(outdir).map(
    (file) => `(name = "${file}", ${file.endsWith(".wasm") ? "wasm" : "esModule"} = embed "${file}")`,
  );
  // A Worker begins with its first module.
  modules.sort((a) => (a.includes("worker.mjs") ? -1 : 1));
  writeFileSync(
    join(outdir, "config.capnp"),
    `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [(name = "main", worker = (modules = [${modules.join(", ")}], compatibilityDate = "2026-04-01"))],
  sockets = [(name = "http", address = "127.0.0.1:0", http = (), service = "main")]);`,
  );
  return join(outdir, "config.capnp");
}

/** CPU time of a process and all its threads, in milliseconds. */
function cpu(pid) {
  const threads = readdirSync(`/proc/${pid}/task`);
  const spent = threads.map((thread) =>
    Number(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, "utf8").split(" ")[0]),
  );
  return spent.reduce((sum, one) => sum + one, 0) / 1e6;
}

let drawn = 0;
async function firstAnswer(config) {
  const worker = spawn(workerd.default, ["serve", "--control-fd=3", config], {
    stdio: ["ignore", "ignore", "inherit", "pipe"],
  });
  const [told] = await once(worker.stdio[3], "data");
  const { port } = JSON.parse(told.toString().split("\n")[0]);
  const { body, headers } = delivery(1024, (bytes) =>
    sign("standard-webhooks", SECRET, bytes, { id: `msg_${++drawn}` }),
  );
  const { host, "content-length": length, ...sent } = headers;
  const answer = await fetch(`http://127.0.0.1:${port}/`, { method: "POST", body, headers: sent });
  if (answer.status !== 200) throw new Error(`${answer.status}: ${await answer.text()}`);
  await answer.arrayBuffer();
  const spent = cpu(worker.pid);
  worker.kill("SIGKILL");
  await once(worker, "exit");
  return spent;
}

const samples = {};
const configs = {};
for (const [name, source] of Object.entries(WORKERS))
  [samples[name], configs[name]] = [[], await bundled(name, source)];
for (let round = 0; round <= ROUNDS; round++) {
  for (const name of Object.keys(WORKERS)) {
    const spent = await firstAnswer(configs[name]);
    if (round > 0) samples[name].push(spent); // the first one reads the files
  }
}
rmSync(root, { recursive: true, force: true });

const [empty, ours] = [median(samples.empty), median(samples.hookproof)];
const over = ours - empty > MOST_MS;
console.log("\nCold start in workerd, ms of CPU up to the first answer");
console.log(`${"an empty module of the same size".padEnd(34)}${empty.toFixed(1).padStart(8)}`);
console.log(
  `${"hookproof, a delivery verified".padEnd(34)}${ours.toFixed(1).padStart(8)} [${(ours / empty).toFixed(2)}]`,
);
console.log(`${"added".padEnd(34)}${(ours - empty).toFixed(1).padStart(8)} [${over ? ">" : "≤"} ${MOST_MS}]`);
if (over) process.exitCode = 1;

// What users install, in every runtime and through every bundler that can be had from the registry.
import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { generateKeyPairSync } from "node:crypto";
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { createServer } from "node:net";
import { join } from "node:path";
import { test } from "node:test";
import { build as bundle } from "esbuild";
import { Miniflare } from "miniflare";
import { preview } from "vite";
import { lend, program, project, run, script, seen } from "./project.mjs";

const native = project("native", { "script.mjs": script.esm, "script.cjs": script.cjs, "thread.mjs": script.thread });

async function prints(root, engine, ...command) {
  const { stdout, stderr } = await run(root, ...command);
  assert.deepEqual(JSON.parse(stdout), seen(engine), stderr);
  return stderr;
}

for (const node of [process.execPath, program("node")]) {
  const { stdout: version } = await run(native, node, "--version");
  for (const file of ["script.mjs", "script.cjs"]) {
    test(`Node ${version.trim()}, ${file}: native`, async () => {
      assert.equal(await prints(native, "native", node, file), "");
    });
  }
}

test("Node without a binary for its platform: WebAssembly, and one warning", async () => {
  const root = project("fallback", { "script.mjs": script.esm, "script.cjs": script.cjs }, { native: false });
  for (const file of ["script.mjs", "script.cjs"]) {
    const stderr = await prints(root, "wasm", process.execPath, file);
    assert.equal(stderr.match(/HookproofWarning/g)?.length, 1, stderr);
    assert.match(stderr, /no native engine for this platform, using WebAssembly/);
  }
});

test("Node with a binary that does not load: WebAssembly, and the reason", async () => {
  const root = project("broken", { "script.mjs": script.esm });
  const engine = join(root, "node_modules/@hookproof", `engine-${process.platform}-${process.arch}-gnu`);
  const { main } = JSON.parse(readFileSync(join(engine, "package.json"), "utf8"));
  rmSync(join(engine, main));
  const stderr = await prints(root, "wasm", process.execPath, "script.mjs");
  assert.equal(stderr.match(/HookproofWarning/g)?.length, 1, stderr);
});

test("`initSync` chooses WebAssembly: with the package's copy, and with a module compiled by hand", async () => {
  const own = `import { initSync } from "hookproof/wasm"; initSync();`;
  const compiled = `import { readFileSync } from "node:fs"; import { initSync } from "hookproof/wasm";
initSync(new WebAssembly.Module(readFileSync(new URL(import.meta.resolve("hookproof/engine.wasm")))));`;
  const root = project("wasm", { "own.mjs": own + script.esm, "compiled.mjs": compiled + script.esm });
  for (const file of ["own.mjs", "compiled.mjs"]) assert.equal(await prints(root, "wasm", process.execPath, file), "");
});

test("platform packages: npm installs the one whose system, processor and C library are the machine's", () => {
  const installed = (name) => JSON.parse(readFileSync(join(native, "node_modules", name, "package.json"), "utf8"));
  const { version, optionalDependencies } = installed("hookproof");
  const PLATFORMS = ["linux-x64-gnu", "linux-x64-musl", "linux-arm64-gnu", "linux-arm64-musl"].concat([
    "darwin-x64",
    "darwin-arm64",
    "win32-x64-msvc",
    "win32-arm64-msvc",
  ]);
  assert.deepEqual(
    optionalDependencies,
    Object.fromEntries(PLATFORMS.map((name) => [`@hookproof/engine-${name}`, version])),
  );
  // What the loader asks for on each of them is one of these.
  const load = join(native, "node_modules/hookproof/native/load.cjs");
  const ask = (platform, arch, glibc) => `
    Object.defineProperties(process, { platform: { value: "${platform}" }, arch: { value: "${arch}" } });
    process.report.getReport = () => ({ header: { glibcVersionRuntime: ${glibc} } });
    console.log(require("${load}").triple());`;
  const machines = [
    ["linux", "x64", '"2.36"'],
    ["linux", "x64", undefined],
    ["linux", "arm64", '"2.36"'],
    ["linux", "arm64", undefined],
    ["darwin", "x64"],
    ["darwin", "arm64"],
    ["win32", "x64"],
    ["win32", "arm64"],
  ];
  const asked = machines.map((machine) =>
    execFileSync(process.execPath, ["-e", ask(...machine)], { encoding: "utf8" }).trim(),
  );
  assert.deepEqual(asked, PLATFORMS);
  const { triple } = createRequire(import.meta.url)(load);
  const { os, cpu, libc, main, files } = installed(`@hookproof/engine-${triple()}`);
  assert.deepEqual([os, cpu, files], [[process.platform], [process.arch], [main]]);
  assert.deepEqual(libc, { gnu: ["glibc"], musl: ["musl"] }[triple().split("-")[2]]);
});

test("Node worker threads: each has an engine of its own", async () => {
  const { Worker } = await import("node:worker_threads");
  const threads = Array.from({ length: 4 }, () => new Worker(join(native, "thread.mjs")));
  const messages = await Promise.all(
    threads.map((thread) => new Promise((resolve, reject) => thread.once("message", resolve).once("error", reject))),
  );
  for (const message of messages) assert.deepEqual(message, seen("native"));
});

for (const [moduleResolution, module, file] of [
  ["node16", "node16", "index.mts"],
  ["node16", "node16", "index.cts"],
  ["bundler", "esnext", "index.ts"],
]) {
  test(`TypeScript, moduleResolution ${moduleResolution}, ${file}`, async () => {
    const typed = `import { Receiver, MemoryStore, type Delivery, type VerificationCode } from "hookproof";
import { receive } from "hookproof/fetch";
import { receive as express } from "hookproof/express";
import { receive as node } from "hookproof/node";
import { receive as lambda } from "hookproof/aws-lambda";
import { RedisStore } from "hookproof/stores/redis";
import { DurableObjectStore, HookproofStore } from "hookproof/stores/durable-object";
import { request } from "hookproof/testing";
import { initSync } from "hookproof/wasm";

const receiver = new Receiver("agentbot", process.env["SECRET"], { store: new MemoryStore() });
export const served: (request: Request) => Promise<Response> = receive(receiver, (delivery: Delivery) => { void delivery.json<{ event: string }>().event; });
export const all = [express(receiver), node(receiver, () => undefined), lambda(receiver, () => undefined), RedisStore, DurableObjectStore, HookproofStore, request, initSync];
export const code: VerificationCode = "signature_mismatch";
// @ts-expect-error -- the types are there, and not \`any\`
new Receiver("agentbot", 5, { store: null });
`;
    const options = {
      module,
      moduleResolution,
      target: "es2022",
      strict: true,
      noEmit: true,
      skipLibCheck: false,
      types: ["node"],
      lib: ["es2023", "dom", "dom.iterable"],
    };
    const root = project(`typescript-${moduleResolution}-${file}`, {
      [file]: typed,
      "tsconfig.json": JSON.stringify({ compilerOptions: options, files: [file] }),
    });
    lend(root, "@types/node");
    lend(root, "undici-types");
    await run(root, program("tsc"), "-p", ".").catch(({ stdout }) => assert.fail(stdout));
  });
}

for (const format of ["esm", "cjs"]) {
  test(`an esbuild bundle for Node, ${format}`, async () => {
    const root = project(`esbuild-${format}`, { "script.mjs": script.esm });
    const outfile = join(root, { esm: "out.mjs", cjs: "out.cjs" }[format]);
    await bundle({
      entryPoints: [join(root, "script.mjs")],
      outfile,
      bundle: true,
      platform: "node",
      format,
      logLevel: "warning",
    });
    await prints(root, { esm: "wasm", cjs: "native" }[format], process.execPath, outfile);
    rmSync(join(root, "node_modules"), { recursive: true });
    await prints(root, "wasm", process.execPath, outfile);
  });
}

test("a vite bundle for browsers", async () => {
  const root = project("vite", {
    "script.mjs": script.esm,
    "index.html": '<script type="module" src="./script.mjs"></script>',
    "vite.config.mjs": "export default { build: { modulePreload: false, outDir: 'out' } };",
  });
  await run(root, program("vite"), "build", "--logLevel", "warn");
  const { stdout } = await run(root, "sh", "-c", "ls out/assets/*.js");
  await prints(root, "wasm", process.execPath, "--experimental-default-type=module", stdout.trim());
});

test("a page in Chromium: public keys verify, a secret is refused", async () => {
  const { privateKey } = generateKeyPairSync("ed25519");
  const { d, x } = privateKey.export({ format: "jwk" });
  const key = (prefix, text) => prefix + Buffer.from(text, "base64url").toString("base64");
  const body = '{"type":"user.created"}';
  const signing = `import { sign } from "hookproof/testing";
console.log(JSON.stringify(sign("standard-webhooks", "${key("whsk_", d)}", ${JSON.stringify(body)}, { id: "msg_1" }).headers));`;
  const root = project("page", {
    "sign.mjs": signing,
    "index.html": '<script type="module" src="./page.mjs"></script>',
  });
  const { stdout: headers } = await run(root, process.execPath, "sign.mjs");
  const page = `import { engine, Verifier } from "hookproof";
const { id } = new Verifier("standard-webhooks", "${key("whpk_", x)}").verify(${JSON.stringify(body)}, ${headers});
let refused;
try { new Verifier("github", "s3cret"); } catch (error) { refused = error.code; }
document.body.textContent = JSON.stringify({ engine: engine.kind, id, refused });`;
  writeFileSync(join(root, "page.mjs"), page);
  await run(root, program("vite"), "build", "--logLevel", "warn");
  const server = await preview({ root, logLevel: "silent", preview: { port: await freePort(), strictPort: true } });
  try {
    const [url] = server.resolvedUrls.local;
    const flags = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"].concat([
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
      `--user-data-dir=${join(root, "profile")}`,
    ]);
    const { stdout } = await run(root, "chromium", ...flags, "--virtual-time-budget=10000", "--dump-dom", url);
    const seen = JSON.parse(stdout.match(/<body>(.*?)<\/body>/s)[1]);
    assert.deepEqual(seen, { engine: "wasm", id: "msg_1", refused: "secret_wrong_kind" });
  } finally {
    await server.close();
  }
});

test("Workers, through miniflare", async () => {
  const root = project("workerd", { "worker.mjs": script.worker }, { native: false });
  const outdir = join(root, "out");
  await bundle({
    entryPoints: [join(root, "worker.mjs")],
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
    scriptPath: join(outdir, "worker.mjs"),
    modulesRules: [
      { type: "ESModule", include: ["**/*.mjs"] },
      { type: "CompiledWasm", include: ["**/*.wasm"] },
    ],
    compatibilityDate: "2026-04-01",
  });
  try {
    assert.deepEqual(await (await worker.dispatchFetch("http://worker/")).json(), seen("wasm"));
  } finally {
    await worker.dispose();
  }
});

test("Workers, through wrangler dev --local", async () => {
  const root = project(
    "wrangler",
    {
      "worker.mjs": script.worker,
      "wrangler.toml": 'name = "hookproof-test"\nmain = "worker.mjs"\ncompatibility_date = "2026-04-01"\n',
    },
    { native: false },
  );
  const port = await freePort();
  const wrangler = spawn(
    program("wrangler"),
    [
      "dev",
      "--local",
      "--ip",
      "127.0.0.1",
      "--port",
      String(port),
      "--inspector-port",
      String(await freePort()),
      "--show-interactive-dev-session=false",
    ],
    {
      cwd: root,
      env: { ...process.env, WRANGLER_SEND_METRICS: "false", WRANGLER_LOG_PATH: join(root, "logs"), CI: "1" },
      stdio: ["ignore", "pipe", "pipe"],
      detached: true,
    },
  );
  let log = "";
  for (const stream of [wrangler.stdout, wrangler.stderr]) stream.on("data", (text) => (log += text));
  try {
    assert.deepEqual(await answered(`http://127.0.0.1:${port}/`, () => log), seen("wasm"));
  } finally {
    process.kill(-wrangler.pid, "SIGTERM");
  }
});

test("Deno", async () => {
  await prints(native, "wasm", program("deno"), "run", "--no-prompt", "--node-modules-dir=manual", "script.mjs");
});

test("Bun", async () => {
  await prints(native, "native", program("bun"), "run", "script.mjs");
  await prints(native, "native", program("bun"), "run", "script.cjs");
});

function freePort() {
  return new Promise((resolve) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}

async function answered(url, log) {
  const deadline = Date.now() + 60_000;
  for (;;) {
    try {
      const answer = await fetch(url);
      if (answer.ok) return await answer.json();
      throw new Error(`${answer.status}: ${await answer.text()}`);
    } catch (error) {
      if (Date.now() > deadline) assert.fail(`${error}\n${log()}`);
      await new Promise((resolve) => setTimeout(resolve, 300));
    }
  }
}

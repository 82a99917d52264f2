// Every example of JavaScript, as it stands, in its own runtime and on servers of the test's own.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { Miniflare } from "miniflare";
import { sign } from "../../../bindings/js/dist/esm/testing.js";
import { serve } from "../../stores/js/server.mjs";
import { program, project, run } from "./project.mjs";

const SECRET = "s3cret";
const WHSEC = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const example = (path) => fileURLToPath(new URL(`../../../examples/${path}`, import.meta.url));
const running = [];
after(() => Promise.all(running.map((stop) => stop())));

const MESSAGE = JSON.stringify({ event: "message.created", data: { conversation_id: "c1" } });
const agentbot = (body = MESSAGE) => ({
  method: "POST",
  body,
  headers: { "content-type": "application/json", ...sign("agentbot", SECRET, body, { id: "dlv_1" }).headers },
});

/** Starts a program on a free port; gives its address once it answers. */
async function started(command, args, environment = {}) {
  const port = await freePort();
  const process_ = spawn(command, args, {
    env: { ...process.env, AGENTBOT_SECRET: SECRET, PORT: String(port), ...environment },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let log = "";
  for (const stream of [process_.stdout, process_.stderr]) stream.on("data", (text) => (log += text));
  running.push(() => process_.kill());
  const url = `http://127.0.0.1:${port}`;
  for (const deadline = Date.now() + 30_000; ; ) {
    try {
      await fetch(url);
      return url;
    } catch (error) {
      if (Date.now() > deadline || process_.exitCode !== null) assert.fail(`${error}\n${log}`);
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
}

function freePort() {
  return new Promise((resolve) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}

/** A delivery is handled once, its copy is a duplicate, and a forged one is refused. */
async function receives(send) {
  const first = await send(agentbot());
  assert.ok(first.ok, `${first.status}`);
  const copy = await send(agentbot());
  assert.deepEqual([copy.status, copy.headers.get("hookproof-outcome")], [200, "duplicate"]);
  assert.equal((await send({ ...agentbot(), body: `${MESSAGE} ` })).status, 401);
  return first;
}
const to = (url) => (request) => fetch(`${url}/webhooks/agentbot`, request);

test("each of them has less than 60 lines", () => {
  for (const folder of readdirSync(example(""))) {
    for (const file of readdirSync(example(folder), { recursive: true })) {
      if (/node_modules/.test(file) || !/\.(m?js|py)$/.test(file)) continue;
      const lines = readFileSync(example(join(folder, file)), "utf8").split("\n").length - 1;
      assert.ok(lines < 60, `${folder}/${file} has ${lines}`);
    }
  }
});

test("express-redis", async () => {
  const redis = await serve("redis");
  running.push(redis.stop);
  const [one, two] = await Promise.all(
    [0, 1].map(() => started(process.execPath, [example("express-redis/app.mjs")], { REDIS_URL: redis.url })),
  );
  await receives(to(one));
  assert.equal((await to(two)(agentbot())).headers.get("hookproof-outcome"), "duplicate");
  assert.deepEqual(await (await fetch(`${two}/messages`)).json(), { c1: "1" });
});

test("fastify-postgres", async () => {
  const postgres = await serve("postgres");
  running.push(postgres.stop);
  const url = await started(process.execPath, [example("fastify-postgres/app.mjs")], {
    DATABASE_URL: postgres.url,
    WEBHOOK_SECRET: WHSEC,
  });
  const body = JSON.stringify({ type: "order.paid", data: { order: "o1", amount: 5 } });
  const { headers } = sign("standard-webhooks", WHSEC, body, { id: "msg_1" });
  const answers = await Promise.all(
    Array.from({ length: 20 }, () =>
      fetch(`${url}/webhooks/orders`, {
        method: "POST",
        body,
        headers: { "content-type": "application/json", ...headers },
      }),
    ),
  );
  assert.ok(
    answers.every(({ status }) => status === 200 || status === 409),
    answers.map(({ status }) => status).join(),
  );
  assert.deepEqual(await (await fetch(`${url}/orders`)).json(), [{ id: "o1", paid: "5" }]);
});

test("hono-worker, whose claims survive a restart of workerd: 200 copies at once, one effect", async () => {
  const outdir = mkdtempSync(join(tmpdir(), "hookproof-example-"));
  await build({
    entryPoints: [example("hono-worker/worker.mjs")],
    outdir,
    outExtension: { ".js": ".mjs" },
    bundle: true,
    format: "esm",
    conditions: ["workerd", "worker"],
    external: ["cloudflare:workers"],
    loader: { ".wasm": "copy" },
    logLevel: "warning",
  });
  const worker = () =>
    new Miniflare({
      modules: true,
      modulesRoot: outdir,
      scriptPath: join(outdir, "worker.mjs"),
      compatibilityDate: "2026-04-01",
      modulesRules: [
        { type: "ESModule", include: ["**/*.mjs"] },
        { type: "CompiledWasm", include: ["**/*.wasm"] },
      ],
      durableObjects: { HOOKPROOF: { className: "HookproofStore", useSQLite: true } },
      durableObjectsPersist: join(outdir, "state"),
      bindings: { AGENTBOT_SECRET: SECRET },
    });
  const through = (one) => (request) => one.dispatchFetch("http://worker/webhooks/agentbot", request);
  const before = worker();
  const copies = await Promise.all(Array.from({ length: 200 }, () => through(before)(agentbot())));
  const handled = (await Promise.all(copies.map((copy) => copy.text()))).filter((text) => text.includes("handled"));
  assert.deepEqual(handled, ['{"handled":"message.created"}']);
  assert.ok(copies.every(({ status }) => status === 200 || status === 409));
  await before.dispose();
  const restarted = worker();
  const copy = await through(restarted)(agentbot());
  assert.deepEqual([copy.status, copy.headers.get("hookproof-outcome")], [200, "duplicate"]);
  await restarted.dispose();
  rmSync(outdir, { recursive: true, force: true });
});

test("next: built and started", async () => {
  const files = ["app/webhooks/agentbot/route.js", "next.config.mjs"];
  const texts = files.map((file) => [file, readFileSync(example(`next/${file}`), "utf8")]);
  const root = project("next", Object.fromEntries(texts), { inside: true });
  const environment = { AGENTBOT_SECRET: SECRET, NEXT_TELEMETRY_DISABLED: "1" };
  const variables = Object.entries(environment).map(([name, value]) => `${name}=${value}`);
  const { stderr } = await run(root, "env", ...variables, program("next"), "build");
  assert.doesNotMatch(stderr, /HookproofWarning/);
  const url = await started(program("next"), ["start", root, "--hostname", "127.0.0.1"], environment);
  assert.deepEqual(await (await receives(to(url))).json(), { handled: "message.created" });
});

test("deno", async () => {
  const url = await started(program("deno"), [
    "run",
    "--no-prompt",
    "--allow-net",
    "--allow-env",
    "--node-modules-dir=manual",
    example("deno/app.mjs"),
  ]);
  assert.deepEqual(await (await receives(to(url))).json(), { handled: "message.created" });
});

test("bun", async () => {
  const url = await started(program("bun"), [example("bun/app.mjs")]);
  assert.deepEqual(await (await receives(to(url))).json(), { handled: "message.created" });
});

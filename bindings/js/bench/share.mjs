// What verifying and receiving a delivery cost of a server's requests. `make bench-js`
//
// Each server is a process of its own, and the deliveries come from `wrk`, which is faster than any of them: a generator
// that is not would measure itself. Every server has its turn in every round, and each delivery is a new one. What counts
// is the median of the requests in a second of the server's own CPU time: those in a second of the clock say as much
// about what else the machine does.
import { execFile, fork } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { sign } from "hookproof/testing";
import { delivery, median, SECRET } from "./measure.mjs";

// How many requests there are at least for one of the unverified server.
const LEAST = { "node:http": 0.8, Express: 0.92 };
const KINDS = { unverified: "unverified", Verifier: "hookproof, Verifier", receive: "receive() and MemoryStore" };
const ROUNDS = 9;
const REQUESTS = 8000;
const folder = mkdtempSync(join(tmpdir(), "hookproof-share-"));

// Requests of one length, one after the other. After the last of them it waits for its time to be over.
const script = join(folder, "send.lua");
writeFileSync(
  script,
  `local file = io.open(os.getenv("REQUESTS"), "rb")
local all = file:read("*a")
local length = tonumber(os.getenv("LENGTH"))
local at = 0
request = function()
  local one = all:sub(at + 1, at + length)
  at = at + length
  if at >= #all then wrk.thread:stop() end
  return one
end
`,
);

let drawn = 0;
const signed = (body) => sign("standard-webhooks", SECRET, body, { id: `msg_${String(++drawn).padStart(24, "0")}` });

/** A delivery as it is on the wire. */
function request() {
  const { body, headers } = delivery(1024, signed);
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  return Buffer.concat([Buffer.from(`POST /hook HTTP/1.1\r\n${lines.join("")}\r\n`), body]);
}

/** What a server has handled since it was last asked, in what time, and its CPU time. */
async function state({ child }) {
  child.send("state");
  const [told] = await once(child, "message");
  return told;
}

async function round(server) {
  const requests = Array.from({ length: REQUESTS }, request);
  const file = join(folder, "requests");
  writeFileSync(file, Buffer.concat(requests));
  const before = await state(server);
  const options = ["--threads", "1", "--connections", "16", "--duration", "1s", "--script", script];
  const { stdout } = await promisify(execFile)("wrk", [...options, `http://127.0.0.1:${server.port}/hook`], {
    env: { ...process.env, REQUESTS: file, LENGTH: String(requests[0].byteLength) },
  });
  const { handled, ms, cpu } = await state(server);
  if (handled < 500 || stdout.includes("Non-2xx")) throw new Error(`${handled} handled: ${stdout}`);
  return { rate: (handled / ms) * 1000, cost: (cpu - before.cpu) / handled };
}

const servers = new Map();
for (const name of Object.keys(LEAST).flatMap((server) => Object.keys(KINDS).map((kind) => `${server}, ${kind}`))) {
  const child = fork(new URL("share-server.mjs", import.meta.url), [name]);
  const [port] = await once(child, "message");
  servers.set(name, { child, port, rates: [], costs: [] });
}
for (let turn = 0; turn <= ROUNDS; turn++) {
  for (const server of servers.values()) {
    const { rate, cost } = await round(server);
    if (turn === 0) continue; // it warms up
    server.rates.push(rate);
    server.costs.push(cost);
  }
}
for (const { child } of servers.values()) child.kill();
rmSync(folder, { recursive: true, force: true });

console.log("\nShare of a request, 1 KiB bodies");
console.log(`${"".padEnd(40)}${"requests/s".padStart(12)}${"CPU, µs".padStart(10)}${"of unverified".padStart(20)}`);
for (const [server, least] of Object.entries(LEAST)) {
  const bare = median(servers.get(`${server}, unverified`).costs);
  for (const [kind, title] of Object.entries(KINDS)) {
    const { rates, costs } = servers.get(`${server}, ${kind}`);
    const share = bare / median(costs);
    const over = share < least;
    if (over) process.exitCode = 1;
    const told = kind === "unverified" ? "" : `${share.toFixed(3)} [${over ? "<" : "≥"} ${least}]`;
    const [rate, cost] = [median(rates).toFixed(0), median(costs).toFixed(1)];
    console.log(`${`${server}, ${title}`.padEnd(40)}${rate.padStart(12)}${cost.padStart(10)}${told.padStart(20)}`);
  }
}

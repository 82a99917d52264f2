// What receiving a delivery costs of a server's requests. `make bench-js`
//
// Each server is a process of its own, and the deliveries come from this one: every server has its turn in every round,
// and each delivery is a new one. What counts is the median of the requests in a second of the server's own CPU time:
// those in a second of the clock say as much about what else the machine does.
import { fork } from "node:child_process";
import { once } from "node:events";
import { connect } from "node:net";
import { sign } from "hookproof/testing";
import { delivery, median, SECRET } from "./measure.mjs";

const PAIRS = [
  { server: "node:http", least: 0.8 },
  { server: "Express", least: 0.92 },
];
const ROUNDS = 15;
const CONNECTIONS = 16;
const REQUESTS = 4000;

const NAMES = PAIRS.flatMap(({ server }) => [`${server}, unverified`, `${server}, receive`]);
const servers = new Map();
for (const name of NAMES) {
  const child = fork(new URL("share-server.mjs", import.meta.url), [name]);
  const [port] = await once(child, "message");
  servers.set(name, { child, port, rates: [], costs: [] });
}

let drawn = 0;
const signed = (body, { id }) => sign("standard-webhooks", SECRET, body, { id: `${id}_${++drawn}` });

/** A delivery as it is on the wire. */
function request() {
  const { body, headers } = delivery(1024, signed);
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  return Buffer.concat([Buffer.from(`POST /hook HTTP/1.1\r\n${lines.join("")}\r\n`), body]);
}

async function cpu({ child }) {
  child.send("cpu");
  const [{ user, system }] = await once(child, "message");
  return user + system;
}

async function round(server) {
  const requests = Array.from({ length: REQUESTS }, request);
  const sockets = Array.from({ length: CONNECTIONS }, () => connect(server.port, "127.0.0.1").setNoDelay());
  await Promise.all(sockets.map((socket) => once(socket, "connect")));
  const [before, started] = [await cpu(server), performance.now()];
  await Promise.all(sockets.map((socket) => sent(socket, requests)));
  const seconds = (performance.now() - started) / 1000;
  const spent = (await cpu(server)) - before;
  for (const socket of sockets) socket.destroy();
  return { rate: REQUESTS / seconds, cost: spent / REQUESTS };
}

/** Sends from the common list, one after the other, until it is empty. */
function sent(socket, requests) {
  return new Promise((resolve, reject) => {
    const next = () => {
      const one = requests.pop();
      if (one === undefined) resolve();
      else socket.write(one);
    };
    socket.on("data", (answer) => {
      if (answer.toString("latin1", 0, 12) === "HTTP/1.1 204") next();
      else reject(new Error(answer.toString("latin1")));
    });
    socket.on("error", reject);
    next();
  });
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

console.log("\nShare of a request: receive() and MemoryStore, 1 KiB bodies");
console.log(`${"".padEnd(34)}${"requests/s".padStart(12)}${"CPU, µs".padStart(10)}${"of unverified".padStart(22)}`);
for (const { server, least } of PAIRS) {
  const [bare, received] = ["unverified", "receive"].map((kind) => servers.get(`${server}, ${kind}`));
  const share = median(bare.costs) / median(received.costs);
  const over = share < least;
  if (over) process.exitCode = 1;
  for (const [name, { rates, costs }, told] of [
    [`${server}, unverified`, bare, ""],
    [`${server}, receive`, received, `${share.toFixed(3)} [${over ? "<" : "≥"} ${least}]`],
  ]) {
    const [rate, cost] = [median(rates).toFixed(0), median(costs).toFixed(1)];
    console.log(`${name.padEnd(34)}${rate.padStart(12)}${cost.padStart(10)}${told.padStart(22)}`);
  }
}

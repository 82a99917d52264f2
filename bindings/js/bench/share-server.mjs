// One server of the share bench, named by its argument; tells its port, and what it handled and its CPU time whenever it is asked.
import { createServer } from "node:http";
import express from "express";
import { MemoryStore, Receiver } from "hookproof";
import { receive as received } from "hookproof/express";
import { receive } from "hookproof/node";
import { SECRET } from "./measure.mjs";

const receiver = () => new Receiver("standard-webhooks", SECRET, { store: new MemoryStore() });
let handled = 0;
let [first, last] = [0, 0];

/** Counts a delivery, and when it was. */
function count() {
  last = performance.now();
  if (handled++ === 0) first = last;
}

function onDelivery(_request, response) {
  count();
  response.sendStatus(204);
}
const posted = (...handlers) => express().post("/hook", ...handlers, onDelivery);

const servers = {
  "node:http, unverified": () => (request, response) => {
    const chunks = [];
    request.on("data", (chunk) => chunks.push(chunk));
    request.on("end", () => {
      Buffer.concat(chunks);
      count();
      response.statusCode = 204;
      response.end();
    });
  },
  "node:http, receive": () =>
    receive(receiver(), (_delivery, _request, response) => {
      count();
      response.statusCode = 204;
      response.end();
    }),
  "Express, unverified": () => posted(express.raw({ type: () => true })),
  "Express, receive": () => posted(received(receiver())),
};

const server = createServer(servers[process.argv[2]]());
server.listen(0, "127.0.0.1", () => process.send(server.address().port));
process.on("disconnect", () => process.exit());
process.on("message", () => {
  const { user, system } = process.cpuUsage();
  process.send({ handled, ms: last - first, cpu: user + system });
  handled = 0;
});

// One server of the share bench, named by its argument; tells its port, and what it handled and its CPU time whenever it is asked.
import { createServer } from "node:http";
import express from "express";
import { MemoryStore, Receiver, Verifier } from "hookproof";
import { receive as received } from "hookproof/express";
import { receive } from "hookproof/node";
import { SECRET } from "./measure.mjs";

const verifier = new Verifier("standard-webhooks", SECRET);
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

/** A listener that reads the body, and answers once `check` has seen it. */
const reading = (check) => (request, response) => {
  const chunks = [];
  request.on("data", (chunk) => chunks.push(chunk));
  request.on("end", () => {
    check(Buffer.concat(chunks), request);
    count();
    response.statusCode = 204;
    response.end();
  });
};

const servers = {
  "node:http, unverified": () => reading(() => {}),
  "node:http, Verifier": () => reading((body, { headers }) => verifier.verify(body, headers)),
  "node:http, receive": () =>
    receive(receiver(), (_delivery, _request, response) => {
      count();
      response.statusCode = 204;
      response.end();
    }),
  "Express, unverified": () => posted(express.raw({ type: () => true })),
  "Express, Verifier": () =>
    posted(express.raw({ type: () => true }), ({ body, headers }, _response, next) => {
      verifier.verify(body, headers);
      next();
    }),
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

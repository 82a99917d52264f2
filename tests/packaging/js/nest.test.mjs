// NestJS on Express: the middleware of `hookproof/express` in front of a controller, behind Nest's own body parsers.
import "reflect-metadata";
import assert from "node:assert/strict";
import { test } from "node:test";
import { Controller, HttpCode, Module, Post, Req } from "@nestjs/common";
import { NestFactory } from "@nestjs/core";
import { MemoryStore, Receiver } from "hookproof";
import { receive } from "hookproof/express";
import { request } from "hookproof/testing";

const SECRET = "s3cret";

/** An app whose controller counts deliveries. What decorators do is done by hand: this is not TypeScript. */
async function app(options) {
  const outcomes = [];
  const seen = [];
  const onOutcome = (outcome) => outcomes.push(outcome);
  const receiver = new Receiver("agentbot", SECRET, { store: new MemoryStore(), onOutcome });

  class Webhooks {
    onDelivery({ delivery }) {
      seen.push(delivery.eventType);
      if (seen.length === 2) throw new Error("mine");
    }
  }
  Controller("webhooks")(Webhooks);
  const method = [Webhooks.prototype, "onDelivery", Object.getOwnPropertyDescriptor(Webhooks.prototype, "onDelivery")];
  Post("agentbot")(...method);
  HttpCode(204)(...method);
  Req()(Webhooks.prototype, "onDelivery", 0);

  class App {
    configure(consumer) {
      consumer.apply(receive(receiver)).forRoutes("webhooks/agentbot");
    }
  }
  Module({ controllers: [Webhooks] })(App);

  const nest = await NestFactory.create(App, { logger: false, ...options });
  await nest.listen(0, "127.0.0.1");
  const { port } = nest.getHttpServer().address();
  const url = `http://127.0.0.1:${port}/webhooks/agentbot`;
  const send = (id) =>
    fetch(request("agentbot", SECRET, JSON.stringify({ event: "message.created", id }), { id, url }));
  return { send, outcomes, seen, close: () => nest.close() };
}

test("with `rawBody: true`: each delivery once, and again after the handler threw", async () => {
  const { send, outcomes, seen, close } = await app({ rawBody: true });
  assert.equal((await send("dlv_1")).status, 204);
  const copy = await send("dlv_1");
  assert.deepEqual([copy.status, copy.headers.get("hookproof-outcome")], [200, "duplicate"]);
  assert.equal((await send("dlv_2")).status, 500);
  assert.equal((await send("dlv_2")).status, 204);
  assert.deepEqual(seen, Array(3).fill("message.created"));
  assert.deepEqual(
    outcomes.map(({ kind }) => kind),
    ["accepted", "duplicate", "failed", "accepted"],
  );
  await close();
});

test("without it: refused at once, and the log says what to change", async () => {
  const { send, outcomes, seen, close } = await app({});
  await send("dlv_1"); // whatever is loaded at the first request is not what is measured
  const started = performance.now();
  assert.equal((await send("dlv_1")).status, 500);
  assert.ok(performance.now() - started < 100);
  assert.equal(outcomes[1].code, "body_not_raw");
  assert.match(outcomes[1].message, /`rawBody: true`/);
  assert.deepEqual(seen, []);
  await close();
});

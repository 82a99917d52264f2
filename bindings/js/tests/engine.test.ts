// What the package makes of an engine that fails.
import { MemoryStore, Receiver, Verifier } from "hookproof";
import { receive } from "hookproof/fetch";
import { expect, test } from "vitest";
import { core } from "./internal.js";
import { BODY, delivery, SECRET } from "./provider.js";

const panic = () => core().call((functions) => functions.panicOnPurpose());

test("a panic is `internal_error`, a thousand times, and every object goes on working", async () => {
  const verifier = new Verifier("standard-webhooks", SECRET);
  const store = new MemoryStore();
  let runs = 0;
  const answer = receive(new Receiver("standard-webhooks", SECRET, { store }), () => void runs++);
  const one = delivery();
  const send = () => answer(new Request("https://example.com/", { method: "POST", headers: one.headers, body: BODY }));
  expect((await send()).status).toBe(200);
  for (let i = 0; i < 1000; i++) {
    expect(panic).toThrow(expect.objectContaining({ name: "VerificationError", code: "internal_error", status: 500 }));
    if (i % 10 === 0) {
      const next = delivery();
      expect(verifier.verify(next.body, next.headers).id).toBe(next.id);
    }
  }
  // The claims survive, too: a memory store has an instance of its own.
  expect([(await send()).headers.get("hookproof-outcome"), runs]).toEqual(["duplicate", 1]);
});

test("a delivery says the same after its engine is gone", () => {
  const { body, headers, id } = delivery();
  const proof = new Verifier("standard-webhooks", SECRET).verify(body, headers);
  expect(panic).toThrow();
  expect([proof.id, proof.eventType]).toEqual([id, "contact.created"]);
});

test("a request whose reception was lost is answered, and its claim left to the lease", async () => {
  const answer = receive(
    new Receiver("standard-webhooks", SECRET, { store: new MemoryStore() }),
    () => void expect(panic).toThrow(),
  );
  const one = delivery();
  const sent = await answer(new Request("https://example.com/", { method: "POST", headers: one.headers, body: BODY }));
  expect(sent.status).toBe(core().kind === "native" ? 200 : 500);
});

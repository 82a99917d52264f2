// What the compiler must say about the package: `npm run typecheck` runs this file, and fails where an error is missing.
import express from "express";
import { type Delivery, Receiver, type VerificationCode, Verifier } from "hookproof";
import { receive as expressed } from "hookproof/express";
import { receive } from "hookproof/fetch";
import { expectTypeOf, test } from "vitest";
import { SECRET } from "./provider.js";

declare module "hookproof" {
  interface Events {
    stripe: { "invoice.paid": { amount: number }; "customer.created": { name: string } };
  }
}

test("event maps narrow what a delivery carries", () => {
  receive(new Receiver("stripe", "whsec_test", { store: null }), (delivery) => {
    if (delivery.eventType === "invoice.paid") expectTypeOf(delivery.json()).toEqualTypeOf<{ amount: number }>();
    else expectTypeOf(delivery.json().name).toBeString();
    // @ts-expect-error -- no such event
    void (delivery.eventType === "invoice.lost");
  });
  receive(new Receiver("agentbot", "s3cret", { store: null }), (delivery) => {
    expectTypeOf(delivery).toEqualTypeOf<Delivery>();
    expectTypeOf(delivery.json<{ event: string }>().event).toBeString();
  });
});

test("Express knows `req.delivery`, and the types of its own requests", () => {
  const receiver = new Receiver("agentbot", "s3cret", { store: null });
  const app = express();
  app.post("/a/:shop", expressed(receiver), (req, res) => {
    expectTypeOf(req.delivery).toEqualTypeOf<Delivery>();
    expectTypeOf(req.params.shop).toBeString();
    res.sendStatus(204);
  });
  app.post(
    "/b",
    expressed(receiver, async (delivery, req: express.Request, res: express.Response) => {
      expectTypeOf(delivery.eventType).toEqualTypeOf<string | undefined>();
      res.json(req.query);
    }),
  );
});

test("an environment variable is a secret; `null` is not a tolerance; a store must be named", () => {
  new Verifier("standard-webhooks", process.env.HOOKPROOF_NEVER_SET ?? SECRET);
  // @ts-expect-error -- no value switches the check off
  expectTypeOf(() => new Verifier("standard-webhooks", SECRET, { tolerance: null })).toBeFunction();
  // @ts-expect-error -- `null` in so many words, or a store
  expectTypeOf(() => new Receiver("standard-webhooks", SECRET, {})).toBeFunction();
  expectTypeOf<"signature_mismatch">().toExtend<VerificationCode>();
});

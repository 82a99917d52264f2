// Whatever comes in, nothing but the two public errors comes out.
import fc from "fast-check";
import { ConfigurationError, MemoryStore, Receiver, Secret, Signer, VerificationError, Verifier } from "hookproof";
import { receive } from "hookproof/fetch";
import { expect, test, vi } from "vitest";
import { delivery, SECRET } from "./provider.js";

const RUNS = { numRuns: 2_000 };
const verifier = new Verifier("standard-webhooks", SECRET);

function onlyPublic(run: () => unknown): void {
  try {
    run();
  } catch (error) {
    if (!(error instanceof VerificationError || error instanceof ConfigurationError)) throw error;
    expect(typeof error.code).toBe("string");
    expect(error.message).not.toContain("MfKQ9r8");
  }
}

const anything = fc.anything({
  withBigInt: true,
  withDate: true,
  withMap: true,
  withNullPrototype: true,
  withObjectString: true,
  withSet: true,
  withTypedArray: true,
  withSparseArray: true,
});
const names = fc.constantFrom("webhook-id", "webhook-timestamp", "webhook-signature", "Webhook-Id", "content-type");

test("any body and any headers", () => {
  fc.assert(
    fc.property(anything, anything, anything, (body, headers, options) =>
      onlyPublic(() => verifier.verify(body as never, headers as never, Object(options))),
    ),
    RUNS,
  );
});

test("any value of a header that is read", () => {
  const { body, headers } = delivery();
  const values = fc.oneof(fc.string({ unit: "binary" }), anything);
  fc.assert(
    fc.property(fc.dictionary(names, values), (some) =>
      onlyPublic(() => verifier.verify(body, { ...headers, ...some } as never)),
    ),
    RUNS,
  );
  fc.assert(
    fc.property(fc.array(fc.tuple(names, values)), (some) => onlyPublic(() => verifier.verify(body, some as never))),
    RUNS,
  );
});

test("any scheme, secret and options", () => {
  vi.spyOn(console, "warn").mockImplementation(() => undefined); // of secrets in quotes
  fc.assert(
    fc.property(anything, anything, anything, (scheme, secret, options) =>
      onlyPublic(() => new Verifier(scheme as never, secret as never, options as never)),
    ),
    RUNS,
  );
  fc.assert(
    fc.property(fc.constantFrom("agentbot", "stripe", "twilio"), anything, anything, (scheme, secret, options) =>
      onlyPublic(() => new Receiver(scheme, secret as never, { store: null, ...Object(options) })),
    ),
    RUNS,
  );
  fc.assert(
    fc.property(anything, anything, (value, options) => onlyPublic(() => new Secret(value as never, options as never))),
    RUNS,
  );
});

test("what is signed verifies, and not if any byte of it changes", () => {
  const signer = new Signer("standard-webhooks", SECRET);
  fc.assert(
    fc.property(
      fc.uint8Array({ maxLength: 300 }),
      fc.stringMatching(/^[A-Za-z0-9_-]{1,40}$/),
      fc.nat(),
      (body, id, seed) => {
        const { headers } = signer.sign({ body, id, timestamp: 1_700_000_000 });
        expect(verifier.verify(body, headers, { now: 1_700_000_000 }).id).toBe(id);
        const flipped = body.length > 0 ? body.slice() : new Uint8Array(1);
        flipped[seed % flipped.length]! ^= 1 << (seed % 8);
        expect(() => verifier.verify(flipped, headers, { now: 1_700_000_000 })).toThrow(
          expect.objectContaining({ code: "signature_mismatch" }),
        );
      },
    ),
    { numRuns: 500 },
  );
});

test("any request gets an answer", async () => {
  const answer = receive(
    new Receiver("standard-webhooks", SECRET, { store: new MemoryStore(), onOutcome: () => undefined }),
    () => undefined,
  );
  const { headers } = delivery();
  await fc.assert(
    fc.asyncProperty(
      fc.uint8Array(),
      fc.dictionary(names, fc.stringMatching(/^[\x20-\x7e\x80-\xff]*$/)),
      async (body, some) => {
        const sent = await answer(
          new Request("https://example.com/", {
            method: "POST",
            body: body as Uint8Array<ArrayBuffer>,
            headers: { ...headers, ...some },
          }),
        );
        expect([200, 401]).toContain(sent.status);
      },
    ),
    { numRuns: 500 },
  );
});

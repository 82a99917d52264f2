import { inspect } from "node:util";
import { gzipSync } from "node:zlib";
import {
  ConfigurationError,
  engine,
  type HeadersInput,
  Scheme,
  Secret,
  Signer,
  VerificationError,
  Verifier,
} from "hookproof";
import { sign } from "hookproof/testing";
import { describe, expect, test } from "vitest";
import { BODY, delivery, SECRET } from "./provider.js";

const verifier = new Verifier("standard-webhooks", SECRET);
const code = (run: () => unknown) => {
  try {
    run();
    return "ok";
  } catch (error) {
    if (error instanceof VerificationError || error instanceof ConfigurationError) return error.code;
    throw error;
  }
};

describe("a delivery", () => {
  test("says what was signed", () => {
    const { id, body, headers } = delivery();
    const proof = verifier.verify<{ type: string }>(body, headers);
    expect(proof.provider).toBe("standard-webhooks");
    expect(proof.id).toBe(id);
    expect(proof.eventType).toBe("contact.created");
    expect(proof.timestamp).toBe(Number(headers["webhook-timestamp"]));
    expect(proof.json().type).toBe("contact.created");
    expect(proof.text()).toBe(BODY);
    expect(proof.key("crm")).toHaveLength(32);
    expect(proof.key("crm")).not.toEqual(proof.key());
    expect(JSON.stringify(proof)).not.toContain("1f81eb52");
  });

  test("is made by a verification alone", async () => {
    const { Delivery } = await import("hookproof");
    expect(() => new (Delivery as unknown as new () => unknown)()).toThrow(TypeError);
  });

  test("tells which secret matched", () => {
    const rotating = new Verifier("standard-webhooks", [
      new Secret("whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", { name: "new" }),
      new Secret(SECRET, { name: "old" }),
    ]);
    const { body, headers } = delivery();
    expect(rotating.verify(body, headers).secretName).toBe("old");
  });

  test("refuses as JSON what is none", () => {
    const text = delivery(new Uint8Array([0xff, 0xfe, 0x7b]));
    const proof = verifier.verify(text.body, text.headers);
    expect(code(() => proof.json())).toBe("body_malformed");
    expect(code(() => proof.text())).toBe("body_malformed");
    const marked = delivery(`\ufeff${BODY}`);
    expect(code(() => verifier.verify(marked.body, marked.headers).json())).toBe("body_malformed");
  });
});

describe("headers", () => {
  const { body, headers } = delivery();
  const mixed = Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toUpperCase(), value]));
  const shapes: [string, HeadersInput][] = [
    ["a plain object", headers],
    ["names in upper case", mixed],
    ["Headers", new Headers(headers)],
    ["a Map", new Map(Object.entries(mixed))],
    ["pairs", Object.entries(mixed)],
    ["rawHeaders", Object.entries(mixed).flat()],
    ["arrays of values", Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, [value]]))],
    ["an iterator of pairs", new Headers(headers).entries()],
    ["no prototype", Object.assign(Object.create(null), headers)],
  ];
  test.each(shapes)("as %s", (_, given) => {
    expect(verifier.verify(body, given).id).toBe(headers["webhook-id"]);
  });

  test("as something else are unsupported, and say so", () => {
    for (const given of [
      null,
      undefined,
      "webhook-id: x",
      1,
      [1, 2],
      [["webhook-id"]],
      ["webhook-id"],
      { ...headers, "webhook-id": 5 },
    ]) {
      expect(code(() => verifier.verify(body, given as never))).toBe("headers_unsupported");
    }
    expect(
      code(() =>
        verifier.verify(
          body,
          new Proxy(
            {},
            {
              ownKeys: () => {
                throw new Error("mine");
              },
            },
          ),
        ),
      ),
    ).toBe("headers_unsupported");
  });

  test("cannot move the boundary between two values", () => {
    const { "webhook-timestamp": time, "webhook-signature": signature, "webhook-id": id } = headers;
    expect(
      code(() =>
        verifier.verify(body, {
          "webhook-id": id!,
          "webhook-timestamp": `${time}\n${signature}`,
          "webhook-signature": "",
        }),
      ),
    ).toBe("signature_missing");
    expect(code(() => verifier.verify(body, { ...headers, "webhook-timestamp": `\n${time}` }))).toBe(
      "timestamp_malformed",
    );
    expect(code(() => verifier.verify(body, headers, { url: `https://example.com/\n${id}` }))).toBe("ok");
  });

  test("of any length arrive whole", () => {
    const { "webhook-signature": signature } = headers;
    for (let blanks = 0; blanks < 1024; blanks++) {
      expect(
        code(() => verifier.verify(body, { ...headers, "webhook-signature": signature + " ".repeat(blanks) })),
      ).toBe("ok");
    }
  });

  test("outside of ASCII are never cut down to it", () => {
    for (const [letter, cut] of [
      ["\u0131", "1"],
      ["\u0161", "a"],
    ] as const) {
      const one = delivery(body, `msg_${cut}`);
      for (const blanks of ["", " ".repeat(1024)]) {
        const headers = { ...one.headers, "webhook-id": `msg_${letter}${blanks}` };
        expect(code(() => verifier.verify(body, headers))).toBe("id_malformed");
      }
    }
  });

  test("of two lines agree in every shape", () => {
    const { "webhook-signature": signature } = headers;
    const twice: HeadersInput[] = [
      { ...headers, "webhook-signature": [signature!, signature!] },
      { ...headers, "webhook-signature": `${signature}, ${signature}` },
      [...Object.entries(headers), ["webhook-signature", signature!]],
      [...Object.entries(headers), ["webhook-signature", signature!]].flat(),
    ];
    for (const given of twice) expect(code(() => verifier.verify(body, given))).toBe("signature_malformed");
  });
});

describe("bodies", () => {
  const { body, headers } = delivery();
  const bytes = new TextEncoder().encode(body as string);
  test("as bytes of every kind, and as text", () => {
    const padded = new Uint8Array(bytes.length + 8);
    padded.set(bytes, 8);
    for (const given of [
      body,
      bytes,
      Buffer.from(bytes),
      bytes.buffer,
      new DataView(padded.buffer, 8),
      padded.subarray(8),
    ]) {
      expect(code(() => verifier.verify(given as Uint8Array, headers))).toBe("ok");
    }
  });

  test("as something else are not raw", () => {
    const detached = bytes.slice();
    structuredClone(detached.buffer, { transfer: [detached.buffer] });
    const shared = new Uint8Array(new SharedArrayBuffer(bytes.length));
    shared.set(bytes);
    const fail = () => {
      throw new TypeError("not ours");
    };
    class Throwing extends Uint8Array {
      override get byteLength(): number {
        return fail();
      }
    }
    const revoked = Proxy.revocable([], {});
    revoked.revoke();
    const spoofed = { [Symbol.toStringTag]: "ArrayBuffer", byteLength: bytes.length };
    for (const given of [
      null,
      undefined,
      {},
      JSON.parse(BODY),
      [1, 2],
      5,
      true,
      detached,
      detached.buffer,
      shared,
      shared.buffer,
      new Float64Array(4),
      spoofed,
      () => 1,
      new Proxy(bytes, {}),
      Object.create(Uint8Array.prototype),
      new Throwing(bytes),
      revoked.proxy,
      new Proxy({}, { get: fail }),
    ]) {
      expect(code(() => verifier.verify(given as never, headers))).toBe("body_not_raw");
    }
  });

  test("over the limit are too large", () => {
    const small = new Verifier("standard-webhooks", SECRET, { maxBody: bytes.length - 1 });
    expect(code(() => small.verify(body, headers))).toBe("body_too_large");
    expect(code(() => new Verifier("standard-webhooks", SECRET, { maxBody: bytes.length }).verify(body, headers))).toBe(
      "ok",
    );
  });
});

describe("an explanation", () => {
  const explaining = (secret: string) => new Verifier("standard-webhooks", secret, { explainFailures: true });

  test("names the cause that makes the signature match", () => {
    const { body, headers } = delivery('{"type": "contact.created"}');
    const parsed = JSON.stringify(JSON.parse(body as string));
    expect(explaining(SECRET).explain(parsed, headers)).toMatchObject({
      cause: "body_reserialized",
      confidence: "certain",
      fix: "hand over the bytes as they came, before any JSON parser runs",
    });
    expect(explaining(SECRET).explain(body, headers)).toBeUndefined();
    expect(explaining(SECRET).explain(body, {})).toBeUndefined();
    expect(verifier.explain(parsed, headers)?.confidence).toBe("guess");
  });

  test("is of the body that was signed, where that came compressed", () => {
    const acme = { id: "acme", body: "decoded", signature: { algorithm: "hmac-sha256", header: "x-acme" } };
    const { headers } = sign(acme, "s3cret", "{}");
    const compressed = { ...headers, "content-encoding": "gzip" };
    const explained = (secret: string) => new Verifier(acme, secret).explain(gzipSync("{}"), compressed);
    expect([explained("s3cret"), explained("another")?.confidence]).toEqual([undefined, "guess"]);
  });

  test("guesses where nothing matches, and stands in the error", () => {
    const { body, headers } = delivery();
    const other = explaining("whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA");
    const why = other.explain(body, headers)!;
    expect([why.confidence, why.steps.length > 0]).toEqual(["guess", true]);
    expect(() => other.verify(body, headers)).toThrow(why.fix);
  });
});

describe("a body in pieces", () => {
  test("verifies as the whole does", () => {
    const { body, headers, id } = delivery();
    const bytes = Buffer.from(body as string);
    const stream = verifier.start(headers);
    for (let i = 0; i < bytes.length; i += 7) stream.update(bytes.subarray(i, i + 7));
    const proof = stream.finish();
    expect([proof.id, proof.text(), Buffer.from(proof.key()!)]).toEqual([
      id,
      body,
      Buffer.from(verifier.verify(body, headers).key()!),
    ]);
    expect(() => stream.finish()).toThrow(TypeError);
  });

  test("is refused at the start, at the limit, or at the end", () => {
    const { body, headers } = delivery();
    expect(code(() => verifier.start({}))).toBe("id_missing");
    expect(code(() => new Verifier("standard-webhooks", SECRET, { maxBody: 10 }).start(headers).update(body))).toBe(
      "body_too_large",
    );
    expect(code(() => verifier.start(headers).update(`${body} `).finish())).toBe("signature_mismatch");
    expect(code(() => verifier.start(headers).update({} as never))).toBe("body_not_raw");
  });
});

describe("what is configured", () => {
  test("an unset environment variable type-checks, and fails at start", () => {
    const unset: string | undefined = process.env.HOOKPROOF_NEVER_SET;
    expect(code(() => new Verifier("agentbot", unset))).toBe("secret_missing");
    expect(code(() => new Verifier("agentbot", ["s3cret", unset]))).toBe("secret_missing");
    expect(code(() => new Verifier("agentbot", []))).toBe("secret_missing");
    expect(code(() => new Verifier("agentbot", ""))).toBe("secret_empty");
    expect(code(() => new Verifier("agentbot", 5 as never))).toBe("secret_malformed");
  });

  test("an unknown scheme names the closest one", () => {
    expect(() => new Verifier("agentbto", "s3cret")).toThrow("did you mean `agentbot`?");
  });

  test.each([
    { tolerance: 0 },
    { tolerance: -1 },
    { tolerance: Number.NaN },
    { tolerance: Number.POSITIVE_INFINITY },
    { tolerance: "300" },
    { tolerance: null },
    { tolerance: 300n },
    { tolerance: () => 300 },
    { tolerance: 0.5 },
    { maxBody: -1 },
    { unknown: 1 },
    { publicUrl: 5 },
    { events: 5 },
  ])("%o is refused", (options) => {
    expect(code(() => new Verifier("standard-webhooks", SECRET, options as never))).toBe("option_invalid");
  });

  test("a cycle in options is refused", () => {
    const cycle: { config?: unknown } = {};
    cycle.config = cycle;
    expect(code(() => new Verifier("standard-webhooks", SECRET, cycle as never))).toBe("option_invalid");
  });

  test("the time can be given, in whole seconds", () => {
    const { body, headers } = delivery();
    expect(code(() => verifier.verify(body, headers, { now: 1_000_000_000 }))).toBe("timestamp_too_new");
    expect(code(() => verifier.verify(body, headers, { now: Number.NaN }))).toBe("option_invalid");
    expect(code(() => verifier.verify(body, headers, { now: 1.5 }))).toBe("option_invalid");
  });

  test("secrets show nothing of themselves", () => {
    const secret = new Secret(SECRET, { name: "main" });
    for (const shown of [
      String(secret),
      JSON.stringify({ secret }),
      inspect(secret),
      inspect(new Verifier("standard-webhooks", secret), { depth: 9, showHidden: true }),
    ]) {
      expect(shown).not.toContain("MfKQ9r8");
    }
  });

  test("a private scheme is an object", () => {
    const acme = {
      id: "acme",
      title: "Acme",
      signature: {
        algorithm: "hmac-sha256",
        header: "X-Acme-Signature",
        separator: ",",
        joiner: "=",
        labels: ["v1"],
        content: "{timestamp}.{body}",
      },
      timestamp: { from: "label:t" },
    };
    const { headers } = new Signer(acme, "s3cret").sign({ body: BODY });
    expect(new Verifier(acme, "s3cret").verify(BODY, headers).provider).toBe("acme");
    expect(new Verifier(Scheme.of(acme), "s3cret").verify(BODY, headers).provider).toBe("acme");
    expect(code(() => new Verifier({ ...acme, surprise: 1 }, "s3cret"))).toBe("scheme_invalid");
  });
});

test("the error unions are the core's table", async () => {
  const { codes } = await import("./codes.js");
  const { core } = await import("./internal.js");
  const rows = JSON.parse(core().call((functions) => functions.errors())) as [string, number, boolean][];
  expect(rows.map(([name]) => name).sort()).toEqual(Object.keys(codes).sort());
  for (const [name, , configuration] of rows)
    expect([name, codes[name as keyof typeof codes]]).toEqual([name, configuration ? "configuration" : "verification"]);
});

test("`engine` tells which one runs", () => {
  expect(engine.kind).toBe(process.env.HOOKPROOF_ENGINE ?? "native");
});

// Express on a real server: which bodies it takes, when a claim is settled, and what leaves.
import { connect } from "node:net";
import express, { type Express, type RequestHandler } from "express";
import { MemoryStore, type Outcome, Receiver } from "hookproof";
import { receive } from "hookproof/express";
import { afterEach, describe, expect, test, vi } from "vitest";
import { BODY, delivery, SECRET } from "./provider.js";
import { listening, send } from "./server.js";

const outcomes: Outcome[] = [];
const kinds = () => outcomes.splice(0).map(({ kind, code }) => (code === undefined ? kind : `${kind} ${code}`));
afterEach(() => {
  outcomes.length = 0;
  vi.restoreAllMocks();
});

function receiver(options: object = {}): Receiver {
  return new Receiver("standard-webhooks", SECRET, {
    store: new MemoryStore(),
    onOutcome: (outcome) => outcomes.push(outcome),
    ...options,
  });
}

/** An app with handlers on `/hook`; Express's own error pages are not printed. */
function app(...handlers: RequestHandler[]): Promise<string> {
  const own: Express = express().set("env", "test");
  own.use("/hook", ...handlers);
  return listening(own).then((url) => `${url}/hook`);
}

describe("the body", () => {
  const before: [string, RequestHandler, string][] = [
    ["express.json()", express.json(), "a parsed object"],
    ["express.text()", express.text({ type: () => true }), "a string"],
    ["express.urlencoded()", express.urlencoded({ type: () => true }), "a parsed object"],
    [
      "a middleware that drains it",
      (req, _res, next) => void req.resume().on("end", () => next()),
      "something read the body",
    ],
    [
      "a middleware that reads half of it",
      (req, _res, next) =>
        void req.once("readable", () => {
          req.read(5);
          next();
        }),
      "something read the body",
    ],
  ];
  test.each(before)(
    "that %s has read is refused at once, and the log says what to change",
    async (_, parser, found) => {
      const url = await app(parser, receive(receiver()), () => expect.unreachable());
      await send(url, delivery()); // whatever is loaded at the first request is not what is measured
      const answer = await send(url, delivery());
      expect(answer.status).toBe(500);
      expect(answer.body).toBe('{"title":"Internal Server Error","status":500}');
      expect(answer.ms).toBeLessThan(100);
      expect(outcomes[0]).toMatchObject({
        kind: "refused",
        code: "body_not_raw",
        message: expect.stringContaining(found),
      });
      expect(outcomes[0]!.message).toContain("mount the webhook's route above `express.json()`");
    },
  );

  test("that is refused is in the log by default", async () => {
    const error = vi.spyOn(console, "error").mockImplementation(() => undefined);
    const url = await app(express.json(), receive(new Receiver("standard-webhooks", SECRET, { store: null })));
    await send(url, delivery());
    expect(error.mock.calls.flat().join(" ")).toContain("above `express.json()`");
  });

  test("is read where a parser left it alone", async () => {
    const url = await app(
      express.json({ type: "application/other" }),
      receive(receiver()),
      (_req, res) => void res.sendStatus(204),
    );
    expect((await send(url, delivery())).status).toBe(204);
  });

  test.each([{ type: () => true }, { type: () => true, inflate: false }])(
    "of express.raw() is taken",
    async (options) => {
      const url = await app(express.raw(options), receive(receiver()), (_req, res) => void res.sendStatus(204));
      expect((await send(url, delivery())).status).toBe(204);
    },
  );

  test("of express.raw() is refused where it may have been inflated", async () => {
    const { gzipSync } = await import("node:zlib");
    const body = gzipSync(BODY);
    const one = delivery(body);
    const headers = { ...one.headers, "content-encoding": "gzip" };
    const inflated = await app(express.raw({ type: () => true }), receive(receiver()), () => expect.unreachable());
    expect((await send(inflated, { body, headers })).status).toBe(500);
    expect(outcomes[0]!.message).toContain("inflate: false");
    const untouched = await app(receive(receiver()), (_req, res) => void res.sendStatus(204));
    expect((await send(untouched, { body, headers })).status).toBe(204);
  });

  test("that NestJS and others keep as `rawBody` is taken", async () => {
    const keep = express.json({ verify: (req, _res, buffer) => Object.assign(req, { rawBody: buffer }) });
    const url = await app(keep, receive(receiver()), (_req, res) => void res.sendStatus(204));
    expect((await send(url, delivery())).status).toBe(204);
  });

  test("over the limit is refused before it is read, and while it is read", async () => {
    const url = await app(receive(receiver({ maxBody: 1000 })), () => expect.unreachable());
    const announced = await send(url, { body: new Uint8Array(1001), headers: delivery().headers });
    expect([announced.status, announced.headers.connection, kinds()]).toEqual([
      413,
      "close",
      ["refused body_too_large"],
    ]);
    const { port, hostname } = new URL(url);
    const status = await new Promise<string>((resolve, reject) => {
      let more: ReturnType<typeof setInterval> | undefined;
      const socket = connect(Number(port), hostname, () => {
        socket.write("POST /hook HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n");
        more = setInterval(() => socket.write(`400\r\n${"a".repeat(1024)}\r\n`), 5);
      });
      socket.once("data", (data) => {
        clearInterval(more);
        resolve(data.toString().split("\r\n")[0]!);
        socket.destroy();
      });
      socket.on("error", reject);
    });
    expect(status).toBe("HTTP/1.1 413 Payload Too Large");
  });

  test("that never comes whole is nobody's", async () => {
    const url = await app(receive(receiver()), () => expect.unreachable());
    const { port, hostname } = new URL(url);
    await new Promise<void>((resolve) => {
      const socket = connect(Number(port), hostname, () => {
        socket.write("POST /hook HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\nhalf");
        setTimeout(() => socket.destroy(), 20);
      });
      socket.on("close", () => resolve());
    });
    await new Promise((resolve) => setTimeout(resolve, 30));
    expect(kinds()).toEqual([]);
  });
});

describe("headers", () => {
  test("that came twice are refused as everywhere", async () => {
    const { headers, body } = delivery();
    const url = await app(receive(receiver()), () => expect.unreachable());
    const twice = ["host", "x", ...Object.entries(headers).flat(), "webhook-signature", headers["webhook-signature"]!];
    expect((await send(url, { body: body as string, headers: twice })).status).toBe(401);
    expect(kinds()).toEqual(["refused signature_malformed"]);
  });
});

describe("the claim of a chain of handlers", () => {
  test("is completed before a 2xx leaves", async () => {
    const order: string[] = [];
    const store = new MemoryStore();
    const complete = store.complete.bind(store);
    store.complete = (...args) => {
      order.push("complete");
      return complete(...args);
    };
    const url = await app(receive(receiver({ store })), (req, res) => {
      expect(req.delivery.eventType).toBe("contact.created");
      expect(req.claim!.fence).toBeGreaterThan(0);
      res.status(201).json({ id: req.delivery.id });
      expect(res.headersSent).toBe(true);
    });
    const one = delivery();
    const answer = await send(url, one);
    order.push("answer");
    expect([answer.status, JSON.parse(answer.body), order]).toEqual([201, { id: one.id }, ["complete", "answer"]]);
    const copy = await send(url, one);
    expect([copy.status, copy.headers["hookproof-outcome"], copy.body]).toEqual([200, "duplicate", ""]);
  });

  const failing: [string, RequestHandler, number][] = [
    [
      "that throws",
      () => {
        throw new Error("mine");
      },
      500,
    ],
    [
      "that rejects",
      async () => {
        throw new Error("mine");
      },
      500,
    ],
    ["that calls next with an error", (_req, _res, next) => next(new Error("mine")), 500],
    ["that answers 503", (_req, res) => void res.status(503).send("later"), 503],
    ["that nobody follows", (_req, _res, next) => next(), 404],
  ];
  test.each(failing)("%s is released, so that the next try runs", async (_, handler, status) => {
    let runs = 0;
    const url = await app(receive(receiver()), (req, res, next) =>
      runs++ === 0 ? handler(req, res, next) : void res.sendStatus(204),
    );
    const one = delivery();
    expect((await send(url, one)).status).toBe(status);
    expect((await send(url, one)).status).toBe(204);
    expect(kinds()).toEqual(["failed", "accepted"]);
  });

  test("counts the first answer of two", async () => {
    const url = await app(receive(receiver()), (_req, res) => {
      res.sendStatus(204);
      throw new Error("too late");
    });
    const one = delivery();
    const answer = await send(url, one);
    expect([answer.status, answer.body]).toEqual([204, ""]);
    expect((await send(url, one)).status).toBe(200);
    expect(kinds()).toEqual(["accepted", "duplicate"]);
  });

  test("waits for a streamed answer to end", async () => {
    const url = await app(receive(receiver()), (_req, res) => {
      res.status(200).write("one,");
      setTimeout(() => res.end("two"), 10);
    });
    const answer = await send(url, delivery());
    expect([answer.status, answer.body, kinds()]).toEqual([200, "one,two", ["accepted"]]);
  });

  test("is kept while the handler runs for a client that has left", async () => {
    let end!: () => void;
    const ended = new Promise<void>((resolve) => (end = resolve));
    let runs = 0;
    const url = await app(receive(receiver({ lease: 0.05 })), async (_req, res) => {
      runs++;
      await ended;
      res.sendStatus(204);
    });
    const one = delivery();
    const { port, hostname } = new URL(url);
    const head = Object.entries(one.headers)
      .map(([name, value]) => `${name}: ${value}\r\n`)
      .join("");
    const socket = connect(Number(port), hostname, () =>
      socket.write(`POST /hook HTTP/1.1\r\nhost: x\r\n${head}content-length: ${BODY.length}\r\n\r\n${BODY}`),
    );
    await vi.waitUntil(() => runs === 1);
    socket.destroy();
    await new Promise((resolve) => setTimeout(resolve, 150));
    expect((await send(url, one)).status).toBe(409);
    end();
    await vi.waitUntil(() => outcomes.some(({ kind }) => kind === "accepted"));
    expect([(await send(url, one)).headers["hookproof-outcome"], runs]).toEqual(["duplicate", 1]);
  });

  test("of 200 copies at once runs once", async () => {
    let runs = 0;
    const url = await app(receive(receiver()), async (_req, res) => {
      runs++;
      await new Promise((resolve) => setTimeout(resolve, 20));
      res.sendStatus(204);
    });
    const one = delivery();
    const answers = await Promise.all(Array.from({ length: 200 }, () => send(url, one)));
    expect(runs).toBe(1);
    expect(new Set(answers.map(({ status }) => status))).toSatisfy((seen: Set<number>) =>
      [...seen].every((status) => [200, 204, 409].includes(status)),
    );
  });
});

describe("the claim of a handler's promise", () => {
  test("is settled by it; without an answer it is 200", async () => {
    const url = await app(
      receive(receiver(), async (one) => void expect(one.eventType).toBe("contact.created")) as RequestHandler,
    );
    const answer = await send(url, delivery());
    expect([answer.status, answer.body, kinds()]).toEqual([200, "", ["accepted"]]);
  });

  test("takes what the handler sent", async () => {
    const url = await app(
      receive(
        receiver(),
        async (_one, _req, res: express.Response) => void res.status(202).json({ ok: true }),
      ) as RequestHandler,
    );
    const answer = await send(url, delivery());
    expect([answer.status, answer.body, answer.headers["content-type"]]).toEqual([
      202,
      '{"ok":true}',
      "application/json; charset=utf-8",
    ]);
  });

  test("that is rejected after the handler answered is released, and the answer is not the handler's", async () => {
    let runs = 0;
    const url = await app(
      receive(receiver(), async (_one, _req, res: express.Response) => {
        res.status(200).set("x-mine", "1").json({ ok: true });
        if (runs++ === 0) throw new Error("after all");
      }),
    );
    const one = delivery();
    const failed = await send(url, one);
    expect([failed.status, failed.headers["x-mine"]]).toEqual([500, undefined]);
    expect((await send(url, one)).status).toBe(200);
    expect(kinds()).toEqual(["failed", "accepted"]);
  });

  test("that is rejected after a part has left cuts the connection", async () => {
    const url = await app(
      receive(receiver(), async (_one, _req, res: express.Response) => {
        res.write("part");
        await new Promise((resolve) => setTimeout(resolve, 10));
        throw new Error("after all");
      }),
    );
    await expect(send(url, delivery())).rejects.toThrow();
    expect(kinds()).toEqual(["failed"]);
  });
});

// Every other adapter on its own framework: the same things are asked of each.
import type { RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import Router from "@koa/router";
import fastify, { type FastifyInstance } from "fastify";
import { Hono } from "hono";
import { type Claim, type Delivery, MemoryStore, type Outcome, Receiver, type Store } from "hookproof";
import * as lambda from "hookproof/aws-lambda";
import { receive as expressed } from "hookproof/express";
import { receive as fastified } from "hookproof/fastify";
import { receive as fetched } from "hookproof/fetch";
import { receive as honoed } from "hookproof/hono";
import { receive as koaed } from "hookproof/koa";
import { receive as bare } from "hookproof/node";
import Koa from "koa";
import { describe, expect, onTestFinished, test } from "vitest";
import { BODY, delivery, SECRET } from "./provider.js";
import { type Answer, listening, send } from "./server.js";

const outcomes: Outcome[] = [];
const kinds = () => outcomes.splice(0).map(({ kind, code }) => (code === undefined ? kind : `${kind} ${code}`));

function receiver(options: object = {}): Receiver {
  outcomes.length = 0;
  return new Receiver("standard-webhooks", SECRET, {
    store: new MemoryStore(),
    maxBody: 10_000,
    onOutcome: (outcome) => outcomes.push(outcome),
    ...options,
  });
}

type Sent = { body: string | Uint8Array; headers: Record<string, string> };
type Run = (delivery: Delivery, claim: Claim) => unknown;
type Serve = (receiver: Receiver, run: Run) => Promise<(sent: Sent) => Promise<Answer>>;

const over = (url: string) => (sent: Sent) => send(url, sent);
const served = async (listener: RequestListener) => over(await listening(listener));

const listeningAt = (app: FastifyInstance) => `http://127.0.0.1:${(app.addresses()[0] as AddressInfo).port}`;

/** A framework serves `run`, which answers 201 `mine` unless it throws. */
const frameworks: Record<string, Serve> = {
  node: (receiver, run) =>
    served(
      bare(receiver, async (delivery, _request, response, claim) => {
        await run(delivery, claim!);
        response.statusCode = 201;
        response.end("mine");
      }),
    ),
  koa: (receiver, run) => {
    const app = new Koa({ env: "test" });
    const router = new Router();
    router.post(
      "/",
      koaed(receiver, async (delivery, context, claim) => {
        await run(delivery, claim!);
        context.status = 201;
        context.body = "mine";
      }),
    );
    app.silent = true;
    return served(app.use(router.routes()).callback());
  },
  "koa middleware": (receiver, run) => {
    const app = new Koa({ env: "test" });
    app.silent = true;
    app.use(koaed(receiver)).use(async (context) => {
      await run(context.state.delivery as Delivery, context.state.claim as Claim);
      context.status = 201;
      context.body = "mine";
    });
    return served(app.callback());
  },
  fastify: async (receiver, run) => {
    const app = fastify();
    app.register(
      fastified(receiver, async (delivery, _request, reply, claim) => {
        await run(delivery, claim!);
        reply.code(201);
        return "mine";
      }),
      { prefix: "/hook" },
    );
    // Another route keeps its parsers.
    app.post("/json", async (request) => typeof request.body);
    await app.listen({ port: 0, host: "127.0.0.1" });
    onTestFinished(() => app.close());
    const url = listeningAt(app);
    expect((await send(`${url}/json`, { body: "{}", headers: { "content-type": "application/json" } })).body).toBe(
      "object",
    );
    return over(`${url}/hook`);
  },
  "fastify with reply.send": async (receiver, run) => {
    const app = fastify();
    app.register(
      fastified(receiver, async (delivery, _request, reply: never, claim) => {
        await run(delivery, claim!);
        (reply as { code(status: number): { send(body: string): void } }).code(201).send("mine");
      }),
      { prefix: "/hook" },
    );
    await app.listen({ port: 0, host: "127.0.0.1" });
    onTestFinished(() => app.close());
    return over(`${listeningAt(app)}/hook`);
  },
  hono: async (receiver, run) => {
    const app = new Hono<{ Variables: { delivery: Delivery } }>();
    app.post(
      "/hook",
      honoed(receiver, async (_delivery, context, claim) => {
        await run((context as never as { get(name: "delivery"): Delivery }).get("delivery"), claim!);
        return new Response("mine", { status: 201 });
      }),
    );
    return async (sent) => fromResponse(await app.request("/hook", { method: "POST", ...(sent as RequestInit) }));
  },
  fetch: async (receiver, run) => {
    const handle = fetched(receiver, async (delivery, _request, _env, _ctx, claim) => {
      await run(delivery, claim!);
      return new Response("mine", { status: 201 });
    });
    return async (sent) =>
      fromResponse(await handle(new Request("https://example.com/hook", { method: "POST", ...(sent as RequestInit) })));
  },
  "lambda (format 2.0)": async (receiver, run) =>
    inLambda(receiver, run, (sent) => ({
      headers: sent.headers,
      body: Buffer.from(sent.body).toString("base64"),
      isBase64Encoded: true,
      rawPath: "/hook",
      rawQueryString: "",
      requestContext: { domainName: "example.com", http: { method: "POST" } },
    })),
  "lambda (format 1.0)": async (receiver, run) =>
    inLambda(receiver, run, (sent) => ({
      multiValueHeaders: Object.fromEntries(
        Object.entries(sent.headers).map(([name, value]) => [name.toUpperCase(), [value]]),
      ),
      body: Buffer.from(sent.body).toString("utf8"),
      isBase64Encoded: false,
      httpMethod: "POST",
      path: "/hook",
      requestContext: { domainName: "example.com" },
    })),
};

function inLambda(
  receiver: Receiver,
  run: Run,
  event: (sent: Sent) => lambda.ProxyEvent,
): (sent: Sent) => Promise<Answer> {
  const handle = lambda.receive(receiver, async (delivery, _event, _context, claim) => {
    await run(delivery, claim!);
    return { statusCode: 201, body: "mine" };
  });
  return async (sent) => {
    const { statusCode, headers = {}, body = "" } = await handle(event(sent), {});
    return { status: statusCode, headers, body, ms: 0 };
  };
}

async function fromResponse(response: Response): Promise<Answer> {
  return { status: response.status, headers: Object.fromEntries(response.headers), body: await response.text(), ms: 0 };
}

describe.each(Object.entries(frameworks))("%s", (name, serve) => {
  test("runs a delivery once", async () => {
    const seen: string[] = [];
    const answer = await serve(receiver(), (one) => void seen.push(one.text()));
    const one = delivery();
    const [first, copy] = [await answer(one), await answer(one)];
    expect([first.status, first.body]).toEqual([201, "mine"]);
    expect([copy.status, copy.headers["hookproof-outcome"], copy.body]).toEqual([200, "duplicate", ""]);
    expect([seen, kinds()]).toEqual([[BODY], ["accepted", "duplicate"]]);
  });

  test("runs it again after the handler failed", async () => {
    let runs = 0;
    const answer = await serve(receiver(), () => {
      if (runs++ === 0) throw new Error("mine");
    });
    const one = delivery();
    expect([(await answer(one)).status, (await answer(one)).status]).toEqual([500, 201]);
    expect([runs, kinds()]).toEqual([2, ["failed", "accepted"]]);
  });

  test("answers 500 if the transaction that completed it was rolled back", async () => {
    const memory = new MemoryStore();
    const store: Store = {
      scope: "",
      claim: (...given) => memory.claim(...given),
      complete: (...given) => memory.complete(...given),
      release: (...given) => memory.release(...given),
      extend: (...given) => memory.extend(...given),
      forget: (...given) => memory.forget(...given),
      completeIn: () => true,
    };
    let runs = 0;
    const answer = await serve(receiver({ store }), async (_delivery, claim) => {
      if (runs++ === 0) await claim.completeIn(undefined);
    });
    const one = delivery();
    const [first, retry] = [await answer(one), await answer(one)];
    expect([first.status, first.body]).toEqual([500, '{"title":"Internal Server Error","status":500}']);
    expect([retry.status, retry.body]).toEqual([201, "mine"]);
    expect(kinds()).toEqual(["failed", "accepted"]);
  });

  test("refuses what does not verify, and what is too large", async () => {
    const answer = await serve(receiver(), () => expect.unreachable());
    const { headers } = delivery();
    const refused = await answer({ body: `${BODY} `, headers });
    expect([refused.status, refused.headers["content-type"], refused.body]).toEqual([
      401,
      "application/problem+json",
      '{"title":"Unauthorized","status":401}',
    ]);
    expect((await answer({ body: "a".repeat(10_001), headers })).status).toBe(413);
    expect(kinds()).toEqual(["refused signature_mismatch", "refused body_too_large"]);
  });

  test("runs 50 copies at once once", async () => {
    let runs = 0;
    const answer = await serve(receiver(), async () => {
      runs++;
      await new Promise((resolve) => setTimeout(resolve, 10));
    });
    const one = delivery();
    const answers = await Promise.all(Array.from({ length: 50 }, () => answer(one)));
    expect([runs, answers.filter(({ status }) => status === 201).length]).toEqual([1, 1]);
  });

  if (name === "lambda (format 1.0)") return; // what carries text carries no other bytes
  test("takes bytes that are no text", async () => {
    const body = new Uint8Array([0xff, 0xfe, 0x00, 0x80]);
    let seen: Uint8Array | undefined;
    const answer = await serve(receiver(), (one) => void (seen = one.body));
    expect((await answer(delivery(body) as Sent)).status).toBe(201);
    expect(Buffer.from(seen!)).toEqual(Buffer.from(body));
  });
});

describe("a body that was parsed before", () => {
  test("by koa-bodyparser and its like", async () => {
    const app = new Koa();
    app.use(async (context, next) => {
      for await (const _ of context.req);
      Object.assign(context.request, { body: { type: "x" } });
      await next();
    });
    app.use(koaed(receiver(), () => expect.unreachable()));
    expect((await (await served(app.callback()))(delivery())).status).toBe(500);
    expect(outcomes[0]!.message).toContain("`bodyParser()`");
    expect(kinds()).toEqual(["refused body_not_raw"]);
  });

  test("by middleware of Hono", async () => {
    const app = new Hono();
    app.use(async (context, next) => {
      await context.req.json();
      await next();
    });
    app.post(
      "/hook",
      honoed(receiver(), () => expect.unreachable()),
    );
    expect((await app.request("/hook", { method: "POST", ...(delivery() as RequestInit) })).status).toBe(500);
    expect(outcomes[0]!.message).toContain("`c.req.json()`");
    expect(kinds()).toEqual(["refused body_not_raw"]);
  });

  test("by a fetch handler around it", async () => {
    const handle = fetched(receiver(), () => expect.unreachable());
    const request = new Request("https://example.com/hook", { method: "POST", ...(delivery() as RequestInit) });
    await request.json();
    expect((await handle(request)).status).toBe(500);
    expect(outcomes[0]!.message).toContain("`request.clone()`");
    expect(kinds()).toEqual(["refused body_not_raw"]);
  });

  test("by a hook of Fastify", async () => {
    const app = fastify();
    app.addHook("preParsing", async (_request, _reply, payload) => {
      for await (const _ of payload);
    });
    app.register(
      fastified(receiver(), () => expect.unreachable()),
      { prefix: "/hook" },
    );
    await app.listen({ port: 0, host: "127.0.0.1" });
    onTestFinished(() => app.close());
    const answer = await send(`${listeningAt(app)}/hook`, delivery());
    expect(answer.status).toBe(500);
    expect(answer.ms).toBeLessThan(1000);
    expect(outcomes[0]!.message).toContain("`preParsing`");
    expect(kinds()).toEqual(["refused body_not_raw"]);
  });

  test("by a listener around that of node:http", async () => {
    const handle = bare(receiver(), () => expect.unreachable());
    const answer = await served(
      (request, response) => void request.resume().on("end", () => handle(request, response)),
    );
    expect((await answer(delivery())).status).toBe(500);
    expect(outcomes[0]!.message).toContain("before anything reads the request");
    expect(kinds()).toEqual(["refused body_not_raw"]);
  });

  test("by middy on Lambda", async () => {
    const handle = lambda.receive(receiver(), () => expect.unreachable());
    expect((await handle({ body: { type: "x" } as never, headers: delivery().headers }, {})).statusCode).toBe(500);
    expect(outcomes[0]!.message).toContain("httpJsonBodyParser");
  });
});

test("Hono's execution context keeps the claim alive after the client has left", async () => {
  const waited: Promise<unknown>[] = [];
  const app = new Hono();
  app.post(
    "/hook",
    honoed(receiver(), () => undefined),
  );
  const context = {
    waitUntil: (work: Promise<unknown>) => void waited.push(work),
    passThroughOnException: () => undefined,
  };
  await app.request("/hook", { method: "POST", ...(delivery() as RequestInit) }, {}, context as never);
  expect(waited).toHaveLength(1);
});

test.each([
  ["express", expressed],
  ["fastify", fastified],
  ["koa", koaed],
  ["hono", honoed],
  ["fetch", fetched],
  ["node", bare],
  ["lambda", lambda.receive],
])("%s wants a receiver, and says so at start", (_, adapter) => {
  for (const wrong of [undefined, "agentbot", {}]) {
    expect(() => (adapter as (receiver: unknown, handler: () => void) => unknown)(wrong, () => undefined)).toThrow(
      expect.objectContaining({ code: "option_invalid" }),
    );
  }
});

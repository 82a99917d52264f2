/** Fastify. */
import type { IncomingMessage } from "node:http";
import type { Claim } from "./claim.js";
import type { Delivery } from "./delivery.js";
import { handlerOf } from "./handler.js";
import { ClientGone, readNodeBody } from "./incoming.js";
import { drive, type Incoming } from "./receive.js";
import type { Receiver } from "./receiver.js";

/** A Fastify request, as far as it is used here. */
export interface FastifyRequest {
  readonly raw: IncomingMessage;
  readonly method: string;
  readonly protocol: string;
  readonly host?: string;
  readonly hostname: string;
  readonly originalUrl: string;
}

/** A Fastify reply, as far as it is used here. */
export interface FastifyReply {
  statusCode: number;
  readonly sent: boolean;
  code(status: number): unknown;
  header(name: string, value: string): unknown;
  hijack(): unknown;
}

/** A Fastify instance, as far as it is used here. */
export interface FastifyInstance {
  removeAllContentTypeParsers(): unknown;
  addContentTypeParser(type: "*", parser: (request: never, payload: unknown, done: (error: Error | null, body?: unknown) => void) => void): unknown;
  addHook(name: "onSend", hook: (request: never, reply: never, payload: unknown) => Promise<unknown>): unknown;
  route(options: { method: string[]; url: string; handler: (request: never, reply: never) => Promise<unknown> }): unknown;
}

/** What runs for a fresh delivery. Its answer is what it returns, as in any Fastify handler; 200 if it returns nothing. */
export type Handler<Req extends FastifyRequest, Rep extends FastifyReply> = (
  delivery: Delivery,
  request: Req,
  reply: Rep,
  claim: Claim | undefined,
) => unknown;

/**
 * A Fastify plugin: one route that verifies, claims, runs `handler` and settles by its promise.
 *
 * ```ts
 * app.register(receive(receiver, async (delivery, request, reply) => { ... }), { prefix: "/webhooks/agentbot" });
 * ```
 *
 * The body stays raw for this route alone: every other route keeps its parsers. What the handler throws goes to Fastify's
 * error handler once the claim is released. A receiver with `enqueue` needs no handler.
 */
export function receive<Req extends FastifyRequest = FastifyRequest, Rep extends FastifyReply = FastifyReply>(
  receiver: Receiver,
  handler?: Handler<Req, Rep>,
): (instance: FastifyInstance, options: unknown) => Promise<void> {
  const handle = handlerOf<Handler<Req, Rep>>(receiver, handler);
  const receptions = new WeakMap<object, Sending>();
  return async (instance) => {
    instance.removeAllContentTypeParsers();
    instance.addContentTypeParser("*", (_request, _payload, done) => done(null));
    // A handler may also call `reply.send()`: the answer waits here until the claim is settled.
    instance.addHook("onSend", async (_request, reply: Rep, payload) => {
      const sending = receptions.get(reply);
      sending?.begin(reply.statusCode);
      await sending?.settled;
      return payload;
    });
    const serveOne = (request: Req, reply: Rep) => serve(receiver, request, reply, handle, receptions);
    instance.route({ method: [...receiver.methods], url: "/", handler: serveOne });
  };
}

/** An answer that a handler sends by itself. */
interface Sending {
  begin(status: number): void;
  settled: Promise<unknown>;
}

async function serve<Req extends FastifyRequest, Rep extends FastifyReply>(
  receiver: Receiver,
  request: Req,
  reply: Rep,
  handle: Handler<Req, Rep>,
  receptions: WeakMap<object, Sending>,
): Promise<unknown> {
  let own: unknown;
  let sent = false;
  let settle!: (nothing?: undefined) => void;
  const settled = new Promise((resolve) => (settle = resolve));
  try {
    const { answer, thrown } = await drive(receiver, toRequest(request), (delivery, claim) => {
      return new Promise((resolve, reject) => {
        const begin = (status: number) => {
          sent = true;
          resolve(status);
        };
        receptions.set(reply, { begin, settled });
        Promise.resolve(handle(delivery, request, reply, claim)).then((value) => {
          own = value;
          // A reply that was returned, or is on its way, is judged when it is sent.
          if (value !== reply && !reply.sent) resolve(reply.statusCode);
        }, reject);
      });
    });
    receptions.delete(reply);
    if (sent) return reply;
    if (thrown !== undefined) throw thrown.error;
    if (answer.status === null) return own ?? "";
    reply.code(answer.status);
    for (const [name, value] of answer.headers) reply.header(name, value);
    // Of text Fastify would change the content type.
    return Buffer.from(answer.body);
  } catch (error) {
    if (error instanceof ClientGone) return reply.hijack();
    throw error;
  } finally {
    settle();
  }
}

function toRequest(request: FastifyRequest): Incoming {
  const { raw, method, protocol, host = request.hostname, originalUrl } = request;
  const url = `${protocol}://${host}${originalUrl}`;
  return { headers: raw.headers, method, url, read: (limit) => readNodeBody(raw, limit, ADVICE), original: request };
}

const ADVICE = {
  parsed: "remove the hook or plugin that reads the payload (`preParsing`, `fastify-raw-body`) from the webhook's route",
  inflated: "leave the body to `receive`",
};


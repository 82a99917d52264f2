/** Fastify. */
import type { FastifyPluginAsync, FastifyReply, FastifyRequest } from "fastify";
import type { Claim } from "./claim.js";
import type { DeliveryOf } from "./events.js";
import { handlerOf } from "./handler.js";
import { ClientGone, readNodeBody } from "./incoming.js";
import { type Answer, drive, type Incoming } from "./receive.js";
import type { Receiver } from "./receiver.js";

/** What runs for a fresh delivery. Its answer is what it returns, as in any Fastify handler; 200 if it returns nothing. */
export type Handler<Req extends FastifyRequest, Rep extends FastifyReply, Provider extends string = string> = (
  delivery: DeliveryOf<Provider>,
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
export function receive<
  Provider extends string,
  Req extends FastifyRequest = FastifyRequest,
  Rep extends FastifyReply = FastifyReply,
>(receiver: Receiver<Provider>, handler?: Handler<Req, Rep, Provider>): FastifyPluginAsync {
  const handle = handlerOf<Handler<Req, Rep>>(receiver, handler as Handler<Req, Rep> | undefined);
  const receptions = new WeakMap<object, Sending>();
  return async (instance) => {
    instance.removeAllContentTypeParsers();
    instance.addContentTypeParser("*", (_request, _payload, done) => done(null));
    // A handler may also call `reply.send()`: the answer waits here until the claim is settled.
    instance.addHook("onSend", async (_request, reply, payload) => {
      const sending = receptions.get(reply);
      sending?.begin(reply.statusCode);
      const answer = await sending?.settled;
      return answer === undefined || answer.status === null ? payload : toReply(answer, answer.status, reply);
    });
    instance.route({
      method: [...receiver.methods],
      url: "/",
      handler: (request, reply) => serve(receiver, request as Req, reply as unknown as Rep, handle, receptions),
    });
  };
}

/** An answer that a handler sends by itself. */
interface Sending {
  begin(status: number): void;
  /** The kernel's answer; nothing where the handler's failure is the framework's. */
  settled: Promise<Answer | undefined>;
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
  let settle!: (answer?: Answer) => void;
  const settled = new Promise<Answer | undefined>((resolve) => (settle = resolve));
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
    settle(answer);
    if (sent) return reply;
    if (thrown !== undefined) throw thrown.error;
    if (answer.status === null) return own ?? "";
    return toReply(answer, answer.status, reply);
  } catch (error) {
    if (error instanceof ClientGone) return reply.hijack();
    throw error;
  } finally {
    settle();
  }
}

function toReply(answer: Answer, status: number, reply: FastifyReply): Buffer {
  reply.code(status);
  for (const [name, value] of answer.headers) reply.header(name, value);
  // Of text Fastify would change the content type.
  return Buffer.from(answer.body);
}

function toRequest(request: FastifyRequest): Incoming {
  const { raw, method, protocol, host, originalUrl } = request;
  const url = `${protocol}://${host}${originalUrl}`;
  return { headers: raw.headers, method, url, read: (limit) => readNodeBody(raw, limit, ADVICE), original: request };
}

const ADVICE = {
  parsed:
    "remove the hook or plugin that reads the payload (`preParsing`, `fastify-raw-body`) from the webhook's route",
  inflated: "leave the body to `receive`",
};

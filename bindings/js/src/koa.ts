/** Koa, with or without a router. */
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Claim } from "./claim.js";
import type { Delivery } from "./delivery.js";
import type { DeliveryOf } from "./events.js";
import { ownHandlerOf } from "./handler.js";
import { ClientGone, type NodeRequest, readNodeBody } from "./incoming.js";
import { drive, type Incoming } from "./receive.js";
import type { Receiver } from "./receiver.js";

/** A Koa context, as far as it is used here. */
export interface KoaContext {
  readonly req: IncomingMessage;
  readonly res: ServerResponse;
  readonly request: { readonly body?: unknown; readonly rawBody?: unknown };
  readonly method: string;
  readonly href: string;
  readonly state: { delivery?: Delivery; claim?: Claim | undefined };
  status: number;
  body: unknown;
  set(name: string, value: string): void;
}

/** What runs for a fresh delivery; it answers through the context, or with 200 if it sets nothing. */
export type Handler<C extends KoaContext, Provider extends string = string> = (
  delivery: DeliveryOf<Provider>,
  context: C,
  claim: Claim | undefined,
) => unknown;

/**
 * Koa middleware that verifies and claims. With a handler it ends there; without one, the middleware behind it runs for
 * fresh deliveries only, with `ctx.state.delivery`. Settled when that is done: 2xx completes the claim before the answer
 * leaves, anything else releases it. What is thrown goes to Koa.
 */
export function receive<Provider extends string, C extends KoaContext = KoaContext>(
  receiver: Receiver<Provider>,
  handler?: Handler<C, Provider>,
): (context: C, next: () => Promise<unknown>) => Promise<void> {
  const own = ownHandlerOf<Handler<C>>(receiver, handler as Handler<C> | undefined);
  return async (context, next) => {
    const ended = await drive(receiver, toRequest(context), async (delivery, claim) => {
      Object.assign(context.state, { delivery, claim });
      if (own === undefined) {
        await next();
        return context.status;
      }
      // Koa begins at 404: a handler that sets nothing has handled the delivery all the same.
      context.status = 200;
      context.body = "";
      await own(delivery, context, claim);
      return context.status;
    }).catch(clientGone);
    if (ended?.thrown !== undefined) throw ended.thrown.error;
    if (ended === undefined || ended.answer.status === null) return;
    const { status, headers, body } = ended.answer;
    context.status = status;
    context.body = body;
    for (const [name, value] of headers) context.set(name, value);
  };
}

function toRequest(context: KoaContext): Incoming {
  const { req, request, method } = context;
  // koa-bodyparser keeps what it made on `ctx.request`, where the Node request knows nothing of it.
  const read = (limit: number) =>
    readNodeBody(Object.assign(req, { body: request.body ?? (req as NodeRequest).body }) as NodeRequest, limit, ADVICE);
  return { headers: req.headers, method, url: context.href, read, original: context };
}

function clientGone(error: unknown): undefined {
  if (!(error instanceof ClientGone)) throw error;
}

const ADVICE = {
  parsed:
    "mount the webhook's route above `bodyParser()` or `koaBody()`, or let them skip its path (`ctx.disableBodyParser = true`)",
  inflated: "leave the body to `receive`",
};

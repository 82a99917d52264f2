/** Hono, on any of its runtimes. */
import type { Claim } from "./claim.js";
import type { Delivery } from "./delivery.js";
import type { DeliveryOf } from "./events.js";
import { serve, type Context as Waiting } from "./fetch.js";
import { handlerOf } from "./handler.js";
import type { Receiver } from "./receiver.js";

/** A Hono context, as far as it is used here. */
export interface HonoContext {
  readonly req: { readonly raw: Request };
  readonly executionCtx: Waiting;
  set(name: "delivery", value: Delivery): void;
}

/** What runs for a fresh delivery. Its answer is the response it returns, or 200 if it returns none. */
export type Handler<C extends HonoContext, Provider extends string = string> = (
  delivery: DeliveryOf<Provider>,
  context: C,
  claim: Claim | undefined,
) => Response | void | Promise<Response | void>;

/**
 * A Hono handler that verifies, claims, runs `handler` and settles by its promise; `context.get("delivery")` is there too.
 *
 * ```ts
 * app.post("/webhooks/agentbot", receive(receiver, async (delivery, c) => c.text("thanks")));
 * ```
 *
 * If the handler throws, the claim is released and the answer is 500. A receiver with `enqueue` needs no handler.
 */
export function receive<Provider extends string, C extends HonoContext = HonoContext>(
  receiver: Receiver<Provider>,
  handler?: Handler<C, Provider>,
): (context: C) => Promise<Response> {
  const handle = handlerOf<Handler<C>>(receiver, handler as Handler<C> | undefined);
  return (context) => {
    const answer = serve(receiver, context.req.raw, context, ADVICE, (delivery, claim) => {
      context.set("delivery", delivery);
      return handle(delivery, context, claim);
    });
    waiting(context)?.waitUntil?.(answer.catch(() => undefined));
    return answer;
  };
}

// Outside of Workers the context has none, and says so by throwing.
function waiting(context: HonoContext): Waiting | undefined {
  try {
    return context.executionCtx;
  } catch {
    return undefined;
  }
}

const ADVICE =
  "leave out the middleware that calls `c.req.json()`, `c.req.text()` or `bodyLimit()` on this route, or let it read " +
  "`c.req.raw.clone()`";

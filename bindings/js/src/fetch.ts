/** Every runtime with `Request` and `Response`: Workers, Next route handlers, Deno, Bun, SvelteKit, Hono. */
import { notRaw } from "./body.js";
import type { Claim } from "./claim.js";
import type { Delivery } from "./delivery.js";
import type { DeliveryOf } from "./events.js";
import { handlerOf } from "./handler.js";
import { tooLarge } from "./limit.js";
import { type Answer, drive, type Incoming } from "./receive.js";
import type { Receiver } from "./receiver.js";

/** What a runtime may hand on to keep work alive after the answer: a Worker's `ctx`. */
export interface Context {
  waitUntil?(promise: Promise<unknown>): void;
}

/** What runs for a fresh delivery. Its answer is the response it returns, or 200 if it returns none. */
export type Handler<Env, Ctx, Provider extends string = string> = (
  delivery: DeliveryOf<Provider>,
  request: Request,
  env: Env,
  ctx: Ctx,
  claim: Claim | undefined,
) => Response | void | Promise<Response | void>;

/**
 * A fetch handler that verifies, claims, runs `handler` and settles by its promise.
 *
 * ```ts
 * export default { fetch: receive(receiver, async (delivery) => { console.log(delivery.eventType); }) };
 * ```
 *
 * A response of the handler is read whole before the claim is completed: if its stream breaks, the delivery was not
 * handled. If the handler throws, the claim is released and the answer is 500. A receiver with `enqueue` needs no handler.
 */
export function receive<Provider extends string, Env = unknown, Ctx = unknown>(
  receiver: Receiver<Provider>,
  handler?: Handler<Env, Ctx, Provider>,
): (request: Request, env?: Env, ctx?: Ctx) => Promise<Response> {
  const handle = handlerOf<Handler<Env, Ctx>>(receiver, handler as Handler<Env, Ctx> | undefined);
  return (request, env, ctx) => {
    const answer = serve(receiver, request, request, ADVICE, (delivery, claim) =>
      handle(delivery, request, env as Env, ctx as Ctx, claim),
    );
    // A client that leaves takes the event with it, unless somebody waits: the claim has to be settled all the same.
    const waitUntil = (ctx as Context | undefined)?.waitUntil;
    if (typeof waitUntil === "function")
      waitUntil.call(
        ctx,
        answer.catch(() => undefined),
      );
    return answer;
  };
}

/** Serves one request; adapters of frameworks on top of fetch share it. */
export async function serve(
  receiver: Receiver,
  request: Request,
  original: unknown,
  advice: string,
  handler: (delivery: Delivery, claim: Claim | undefined) => unknown,
): Promise<Response> {
  let own: Response | undefined;
  const { answer } = await drive(receiver, toRequest(request, original, advice), async (delivery, claim) => {
    const response = await handler(delivery, claim);
    own = response instanceof Response ? await whole(response) : new Response(null, { status: 200 });
    return own.status;
  });
  return answer.status === null ? own! : toResponse(answer, answer.status);
}

function toRequest(request: Request, original: unknown, advice: string): Incoming {
  const { headers, method, url } = request;
  return { headers, method, url, read: (limit) => read(request, limit, advice), original };
}

function toResponse(answer: Answer, status: number): Response {
  const headers = answer.headers.map(([name, value]): [string, string] => [name, value]);
  return new Response(answer.body === "" ? null : answer.body, { status, headers });
}

async function read(request: Request, limit: number, advice: string): Promise<Uint8Array> {
  if (request.bodyUsed) {
    throw notRaw(`something read the request's body before the webhook was verified: ${advice}`);
  }
  const declared = request.headers.get("content-length");
  if (declared !== null && /^[0-9]{1,15}$/.test(declared) && Number(declared) > limit) throw tooLarge(limit);
  if (request.body === null) return new Uint8Array(0);
  const reader = request.body.getReader();
  const chunks: Uint8Array[] = [];
  let length = 0;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    length += value.byteLength;
    if (length > limit) {
      reader.cancel().catch(() => undefined);
      throw tooLarge(limit);
    }
    chunks.push(value);
  }
  if (chunks.length === 1) return chunks[0]!;
  const body = new Uint8Array(length);
  let at = 0;
  for (const chunk of chunks) {
    body.set(chunk, at);
    at += chunk.byteLength;
  }
  return body;
}

async function whole(response: Response): Promise<Response> {
  if (response.body === null) return response;
  return new Response(await response.arrayBuffer(), response);
}

const ADVICE = "call `receive` first, or read a `request.clone()`";

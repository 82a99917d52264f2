import type { ServerResponse } from "node:http";
import type { Claim } from "./claim.js";
import type { Delivery } from "./delivery.js";
import type { DeliveryOf } from "./events.js";
import { HeldEnd } from "./held-end.js";
import { type Advice, ClientGone, type NodeRequest, readNodeBody } from "./incoming.js";
import { type Answer, drive, type Ended, type Incoming, isPromise, type Run } from "./receive.js";
import type { Receiver } from "./receiver.js";
import type { Awaitable } from "./store.js";

/** What runs for a fresh delivery, on Node's request and response. */
export type NodeHandler<Provider extends string, Req, Res> = (
  delivery: DeliveryOf<Provider>,
  request: Req,
  response: Res,
  claim: Claim | undefined,
) => unknown;

/**
 * Serves one request. With `next` instead of a handler, what ends the response decides; otherwise the handler's promise.
 *
 * @returns what the handler threw, in a box, if the framework is to answer; `undefined` if the answer is on its way.
 */
export async function serve<Req extends NodeRequest, Res extends ServerResponse>(
  receiver: Receiver,
  request: Req,
  response: Res,
  advice: Advice,
  handler: NodeHandler<string, Req, Res> | undefined,
  next?: (delivery: Delivery, claim: Claim | undefined) => void,
): Promise<{ error: unknown } | undefined> {
  let held: HeldEnd | undefined;
  const run: Run = (delivery, claim, settling) => {
    const holding = new HeldEnd(response, handler === undefined, settling);
    held = holding;
    if (handler === undefined) {
      next!(delivery, claim);
      return holding.ended();
    }
    const running = handler(delivery, request, response, claim) as Awaitable<unknown>;
    const status = () => holding.status || response.statusCode;
    return isPromise(running) ? running.then(status) : status();
  };
  let ended: Ended;
  try {
    ended = await drive(receiver, new NodeIncoming(request, advice), run);
  } catch (error) {
    if (error instanceof ClientGone) return undefined;
    throw error;
  }
  const { answer, thrown } = ended;
  if (answer.status === null) {
    held!.release();
    if (held!.status === 0) response.end();
    return undefined;
  }
  // The claim was released, or is another's: what the handler may have answered before it failed must not leave.
  if (held !== undefined && !held.discard()) return undefined;
  if (thrown !== undefined) return thrown;
  toResponse(answer, answer.status, response, request);
  return undefined;
}

class NodeIncoming implements Incoming {
  readonly original: NodeRequest;
  readonly #advice: Advice;

  constructor(request: NodeRequest, advice: Advice) {
    this.original = request;
    this.#advice = advice;
  }

  get headers(): unknown {
    return this.original.headers;
  }

  get method(): string | undefined {
    return this.original.method;
  }

  get url(): string {
    return absoluteUrl(this.original);
  }

  read(limit: number): Awaitable<Uint8Array> {
    return readNodeBody(this.original, limit, this.#advice);
  }
}

function toResponse(answer: Answer, status: number, response: ServerResponse, request: NodeRequest): void {
  if (response.headersSent || response.destroyed) return;
  response.statusCode = status;
  for (const [name, value] of answer.headers) response.setHeader(name, value);
  // What was not read of a refused body would be read and thrown away on a connection that stays open.
  if (!request.readableEnded && !request.complete) response.setHeader("connection", "close");
  response.end(answer.body);
}

// Only as true as the request's own words: behind a proxy that rewrites them, `publicUrl` says what the provider called.
function absoluteUrl(request: NodeRequest & { protocol?: unknown }): string {
  const path = request.originalUrl ?? request.url ?? "/";
  const encrypted = (request.socket as { encrypted?: boolean } | undefined)?.encrypted === true;
  const protocol = typeof request.protocol === "string" ? request.protocol : encrypted ? "https" : "http";
  return `${protocol}://${request.headers.host ?? ""}${path}`;
}

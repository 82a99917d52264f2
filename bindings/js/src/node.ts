/** Bare `node:http`: `createServer(receive(receiver, async (delivery, request, response) => { ... }))`. */
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Claim } from "./claim.js";
import type { DeliveryOf } from "./events.js";
import { handlerOf } from "./handler.js";
import { serve } from "./node-server.js";
import type { Receiver } from "./receiver.js";

/** What runs for a fresh delivery. The answer is what it sends on `response`, or 200 if it sends nothing. */
export type Handler<Provider extends string = string> = (
  delivery: DeliveryOf<Provider>,
  request: IncomingMessage,
  response: ServerResponse,
  claim: Claim | undefined,
) => unknown;

/**
 * A request listener that verifies, claims, runs `handler` and settles by its promise.
 *
 * If the handler throws, the claim is released and the answer is 500. A receiver with `enqueue` needs no handler.
 */
export function receive<Provider extends string>(
  receiver: Receiver<Provider>,
  handler?: Handler<Provider>,
): (request: IncomingMessage, response: ServerResponse) => void {
  const handle = handlerOf<Handler>(receiver, handler as Handler | undefined);
  return (request, response) => {
    serve(receiver, request, response, ADVICE, handle).then(
      (thrown) => {
        if (thrown === undefined) return;
        response.statusCode = 500;
        response.end();
      },
      (error: unknown) => {
        console.error("hookproof: the request could not be answered", error);
        response.destroy();
      },
    );
  };
}

const ADVICE = {
  parsed: "call the listener of `receive` before anything reads the request",
  inflated: "pass the bytes as they were on the wire",
};

/** Express, and what takes Express middleware: Connect, NestJS (also with `rawBody: true`), Polka. */
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Claim } from "./claim.js";
import type { Delivery } from "./delivery.js";
import { ownHandlerOf } from "./handler.js";
import type { NodeRequest } from "./incoming.js";
import { type NodeHandler, serve } from "./node-server.js";
import type { Receiver } from "./receiver.js";

declare global {
  namespace Express {
    interface Request {
      /** The proof that the request is authentic, fresh and new; there behind `receive(receiver)`. */
      delivery: Delivery;
      /** The claim on it: its fence, and `completeIn` for a transaction. */
      claim?: Claim | undefined;
    }
  }
}

/** What Express calls. */
export type Middleware<Req, Res> = (request: Req, response: Res, next: (error?: unknown) => void) => void;

/**
 * Verifies and claims; the handlers behind it run for fresh deliveries only, with `req.delivery`.
 *
 * It reads the body itself: mount it above `express.json()`, or take `express.raw({ type: () => true, inflate: false })`.
 * The claim is settled when the response is ended: with 2xx it is completed before the answer leaves, otherwise released,
 * so that the sender's retry runs again.
 */
export function receive(receiver: Receiver): Middleware<IncomingMessage, ServerResponse>;
/**
 * Verifies, claims, and runs `handler` for fresh deliveries; settled by its promise. If it sends nothing, the answer is
 * 200. If it throws, the claim is released and the error goes to Express. A receiver with `enqueue` needs no handler.
 */
export function receive<
  Provider extends string,
  Req extends IncomingMessage = IncomingMessage,
  Res extends ServerResponse = ServerResponse,
>(receiver: Receiver<Provider>, handler: NodeHandler<Provider, Req, Res>): Middleware<Req, Res>;
export function receive(
  receiver: Receiver,
  handler?: NodeHandler<string, NodeRequest, ServerResponse>,
): Middleware<NodeRequest, ServerResponse> {
  const own = ownHandlerOf(receiver, handler);
  return (request, response, next) => {
    if (isExpress(response)) {
      withoutClass(request);
      withoutClass(response);
    }
    const chain = (delivery: Delivery, claim: Claim | undefined) => {
      const express = request as NodeRequest & { delivery?: Delivery; claim?: Claim | undefined };
      express.delivery = delivery;
      express.claim = claim;
      next();
    };
    serve(receiver, request, response, ADVICE, own, chain).then((thrown) => thrown && next(thrown.error), next);
  };
}

// An app of Express makes its own prototypes for requests and responses; Connect and Polka leave them Node's.
function isExpress(response: ServerResponse): boolean {
  return Object.hasOwn(Object.getPrototypeOf(response), "app");
}

const FIRST = Symbol();
const SECOND = Symbol();

/**
 * Makes an object one that has no hidden class in V8, which is what becomes of it when it loses a property.
 *
 * With a prototype that was set late, a request shares its class with no other one. Each property that is set then, by
 * Express most of all, makes one more class with a copy of all that is in it: a fifth of what a small request costs.
 */
function withoutClass(message: object & { [FIRST]?: true; [SECOND]?: true }): void {
  message[FIRST] = true;
  message[SECOND] = true;
  delete message[FIRST]; // not the last one: that would only be undone
  delete message[SECOND];
}

const ADVICE = {
  parsed:
    "mount the webhook's route above `express.json()`, `express.text()`, `express.urlencoded()` and `bodyParser`, or let " +
    "`express.raw({ type: () => true, inflate: false })` be its parser; in NestJS, create the app with `rawBody: true`",
  inflated: "pass `inflate: false` to `express.raw()`, or leave the body to `receive`",
};

import type { IncomingMessage } from "node:http";
import { described, notRaw } from "./body.js";
import { tooLarge } from "./limit.js";
import type { Awaitable } from "./store.js";

/** A Node request as frameworks hand it on: `body` and `rawBody` are what a parser before us may have left there. */
export type NodeRequest = IncomingMessage & { body?: unknown; rawBody?: unknown; originalUrl?: string };

/** What to change, in the words of one framework, where something else read the body first. */
export interface Advice {
  /** A parser made an object or text of the body. */
  readonly parsed: string;
  /** The raw body was inflated, and the signature is over what was on the wire. */
  readonly inflated: string;
}

/** The client went away before its body was complete: there is nobody to answer. */
export class ClientGone extends Error {
  override readonly name = "ClientGone";
}

/**
 * The bytes of a Node request: read here if nothing read them yet, taken from a raw parser if one kept them, and
 * `body_not_raw` at once in every other case. Reading stops at `limit` bytes.
 */
export function readNodeBody(request: NodeRequest, limit: number, advice: Advice): Awaitable<Uint8Array> {
  const kept = request.rawBody instanceof Uint8Array ? request.rawBody : request.body;
  if (kept instanceof Uint8Array) return keptRaw(request, kept, limit, advice);
  // Judged by the stream alone: parsers that skip a request leave an empty object in `body` and the stream unread.
  if (request.readableDidRead || request.readableEnded) {
    const found = request.body === undefined ? "something read the body" : `\`req.body\` is ${described(request.body)}`;
    throw notRaw(`${found} before the webhook was verified: ${advice.parsed}`);
  }
  if (request.readableEncoding !== null) {
    throw notRaw(
      `the request's stream gives text (${request.readableEncoding}): remove the call of \`setEncoding\` before the webhook route`,
    );
  }
  if (declaredLength(request) > limit) throw tooLarge(limit);
  return read(request, limit);
}

function keptRaw(request: NodeRequest, body: Uint8Array, limit: number, advice: Advice): Uint8Array {
  const encoding = request.headers["content-encoding"];
  if (encoding !== undefined && encoding.toLowerCase() !== "identity") {
    throw notRaw(`the request came with \`content-encoding\`, and a parser may have inflated it: ${advice.inflated}`);
  }
  const declared = declaredLength(request);
  if (declared !== -1 && declared !== body.byteLength) {
    throw notRaw(`the raw body has ${body.byteLength} bytes and the request said ${declared}: ${advice.parsed}`);
  }
  if (body.byteLength > limit) throw tooLarge(limit);
  return body;
}

function declaredLength(request: NodeRequest): number {
  const text = request.headers["content-length"];
  return text !== undefined && /^[0-9]{1,15}$/.test(text) ? Number(text) : -1;
}

function read(request: NodeRequest, limit: number): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    const chunks: Uint8Array[] = [];
    let length = 0;
    // A request lives longer than its body: what listens to it is taken off, or it would live on as well.
    const over = () => request.off("data", data).off("end", end).off("close", gone);
    const data = (chunk: Uint8Array) => {
      length += chunk.byteLength;
      if (length <= limit) return void chunks.push(chunk);
      over().pause();
      reject(tooLarge(limit));
    };
    const end = () => {
      over();
      resolve(chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks, length));
    };
    const gone = () => {
      over();
      reject(new ClientGone("the client left in the middle of its body"));
    };
    if (request.destroyed) return gone();
    request.on("data", data).on("end", end).on("close", gone);
  });
}

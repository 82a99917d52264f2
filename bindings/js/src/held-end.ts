import type { ServerResponse } from "node:http";
import type { Settling } from "./receive.js";
import type { Awaitable } from "./store.js";

/**
 * Holds a response back at its end: the status is known there and nothing has been acknowledged yet, so a claim can be
 * completed before the answer leaves. (`finish` would be too late, and never comes after a client has left.)
 */
export class HeldEnd {
  readonly #response: ServerResponse;
  readonly #end: ServerResponse["end"];
  readonly #freezes: boolean;
  readonly #settling: Settling | undefined;
  #arguments: unknown[] | undefined;
  #status = 0;
  // It stays where it is and lets everything through: to put the response's own back is dear, where many hold it.
  #isOpen = false;
  #resolve: ((status: number) => void) | undefined;

  /**
   * @param freezes whether the end decides. If so, the head is fixed there, as it would be without us; if a promise
   *   decides, it may still be rejected after the end, and the answer must then become another one.
   * @param settling completes the claim at an end that decides, if it can be done at once.
   */
  constructor(response: ServerResponse, freezes: boolean, settling?: Settling) {
    this.#response = response;
    this.#end = response.end;
    this.#freezes = freezes;
    this.#settling = freezes ? settling : undefined;
    const held = this;
    response.end = function end(...args: unknown[]): ServerResponse {
      if (held.#isOpen) return held.#end.apply(response, args as Parameters<ServerResponse["end"]>);
      held.#hold(args);
      return response;
    } as ServerResponse["end"];
  }

  /** The status that the handler decided on: now if it has ended the response, otherwise once it does. */
  ended(): Awaitable<number> {
    if (this.#arguments !== undefined) return this.#status;
    return new Promise((resolve) => {
      this.#resolve = resolve;
    });
  }

  /** The status with which the handler ended the response, or 0 while it has not. */
  get status(): number {
    return this.#status;
  }

  /** Lets the end through, or every later one if none has come yet. */
  release(): void {
    if (this.#isOpen) return;
    this.#isOpen = true;
    if (this.#arguments !== undefined)
      this.#end.apply(this.#response, this.#arguments as Parameters<ServerResponse["end"]>);
  }

  /** Forgets what the handler answered; `false` if part of it has left, and the connection was cut instead. */
  discard(): boolean {
    const response = this.#response;
    this.#isOpen = true;
    if (response.headersSent) {
      response.destroy();
      return false;
    }
    for (const name of response.getHeaderNames()) response.removeHeader(name);
    response.statusCode = 200;
    return true;
  }

  #hold(args: unknown[]): void {
    // Of two ends the first counts, as without us: what an error handler adds afterwards cannot change the answer.
    if (this.#arguments !== undefined) return;
    this.#arguments = args;
    const status = this.#response.statusCode;
    this.#status = status;
    if (status >= 200 && status < 300 && this.#settling?.settle(status) === true) {
      this.release();
    } else if (this.#freezes) {
      this.#freezeHead(args[0]);
    }
    this.#resolve?.(this.#status);
  }

  // From here on `headersSent` is true and the status is fixed, exactly as if the end had gone through.
  #freezeHead(chunk: unknown): void {
    const response = this.#response;
    if (response.headersSent || response.destroyed) return;
    const bodiless = response.statusCode < 200 || response.statusCode === 204 || response.statusCode === 304;
    if (!bodiless && !response.hasHeader("content-length") && !response.hasHeader("transfer-encoding")) {
      const length =
        typeof chunk === "string" ? Buffer.byteLength(chunk) : chunk instanceof Uint8Array ? chunk.byteLength : 0;
      if (response.req.method !== "HEAD" || length > 0) response.setHeader("content-length", length);
    }
    response.writeHead(response.statusCode);
  }
}

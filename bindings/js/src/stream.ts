import { type BodyInput, bodyBytes } from "./body.js";
import { Delivery } from "./delivery.js";
import { core, type Handle, Reading } from "./engine.js";
import { VerificationError } from "./errors.js";
import { joined, type Lines } from "./headers.js";
import { second } from "./time.js";
import type { Verifier } from "./verifier.js";

/**
 * A verification whose body arrives in pieces. What is wrong in the headers is said when it starts, before any of the body
 * is read; `update` says when the limit is passed. The bytes are kept, up to that limit, because a delivery holds them.
 */
export class VerificationStream<T = unknown> {
  readonly #verifier: Verifier;
  readonly #lines: Lines;
  readonly #handle: Handle;
  readonly #chunks: Uint8Array[] = [];
  #length = 0;
  #over = false;

  /** @internal `verifier.start` makes one. */
  constructor(verifier: Verifier, lines: Lines) {
    this.#verifier = verifier;
    this.#lines = lines;
    const engine = core();
    const number = engine.number(verifier.handle);
    let started = false;
    this.#handle = engine.hold("stream", (functions) => {
      // What was hashed before a trap is gone with it.
      if (started) throw new VerificationError("internal_error", "the engine trapped in the middle of a body", 500);
      started = true;
      return functions.start(number, joined(lines));
    });
  }

  /**
   * Takes the next piece of the body.
   * @throws VerificationError `body_too_large` as soon as the limit is passed: stop reading there.
   */
  update(chunk: BodyInput): this {
    if (this.#over) throw new TypeError("the stream is finished");
    // Copied: runtimes use the buffers of their streams again.
    const bytes = bodyBytes(chunk).slice();
    const engine = core();
    const number = engine.number(this.#handle);
    engine.call((functions) => functions.update(number, bytes));
    this.#chunks.push(bytes);
    this.#length += bytes.byteLength;
    return this;
  }

  /**
   * The proof that the whole request is authentic and fresh.
   * @throws VerificationError with the reason as `code`.
   */
  finish(options?: { readonly now?: number | undefined }): Delivery<T> {
    if (this.#over) throw new TypeError("the stream is finished");
    this.#over = true;
    const engine = core();
    const number = engine.number(this.#handle);
    const proof = engine.call((functions) => functions.finish(number, second(options?.now)));
    const body = new Uint8Array(this.#length);
    let at = 0;
    for (const chunk of this.#chunks) {
      body.set(chunk, at);
      at += chunk.byteLength;
    }
    return Delivery.proven(this.#verifier.judge, new Reading(body, this.#lines), proof);
  }
}

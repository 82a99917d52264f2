import { VerificationError } from "./errors.js";

/** The bytes of a request's body. Text is taken as its UTF-8. */
export type BodyInput = Uint8Array | ArrayBuffer | DataView | string;

const encoder = new TextEncoder();
const byteLength = Object.getOwnPropertyDescriptor(ArrayBuffer.prototype, "byteLength")!.get!;

/** The body as bytes, not copied if it is bytes already. */
export function bodyBytes(body: unknown): Uint8Array {
  if (ArrayBuffer.isView(body)) {
    try {
      // What has no bytes is looked at more closely: it may have had some.
      const isWhole = body instanceof Uint8Array && body.byteLength !== 0 && body.buffer instanceof ArrayBuffer;
      return isWhole ? body : view(body);
    } catch (error) {
      if (error instanceof VerificationError) throw error;
      // A getter of the caller's own class failed: its error is not ours to let out of a verification.
      throw notRaw("the body could not be read: a getter of it threw");
    }
  }
  if (typeof body === "string") return encoder.encode(body);
  if (isArrayBuffer(body)) return view(new DataView(whole(body)));
  throw notRaw(
    `the body is ${described(body)}: pass the bytes of the request as they came, before any parser reads them`,
  );
}

/** The error that says that a body is not the bytes of the request. */
export function notRaw(message: string): VerificationError {
  return new VerificationError("body_not_raw", message, 500);
}

/** What a value is, in the words of a JavaScript developer, without showing it. */
export function described(value: unknown): string {
  if (value === undefined || value === null) return String(value);
  if (typeof value !== "object") return typeof value === "function" ? "a function" : `a ${typeof value}`;
  try {
    if (Array.isArray(value)) return "an array";
    const { getReader, pipe } = value as { getReader?: unknown; pipe?: unknown };
    if (typeof getReader === "function" || typeof pipe === "function") return "a stream";
  } catch {
    // A proxy, or a getter of the caller's own: it is none of what we know.
  }
  return "a parsed object";
}

function view(body: ArrayBufferView): Uint8Array {
  if (!isArrayBuffer(body.buffer)) {
    throw notRaw("the body is in shared memory, which may change while it is verified: pass a copy of it");
  }
  if (
    !(
      body instanceof Uint8Array ||
      body instanceof DataView ||
      Object.prototype.toString.call(body) === "[object Uint8Array]"
    )
  ) {
    throw notRaw("the body is a typed array of numbers: pass a Uint8Array, a Buffer, an ArrayBuffer or a DataView");
  }
  return new Uint8Array(whole(body.buffer), body.byteOffset, body.byteLength);
}

// A detached buffer has no bytes any more, and reads as an empty body: only making a view of it tells the two apart.
function whole(buffer: ArrayBuffer): ArrayBuffer {
  try {
    new Uint8Array(buffer, 0, 0);
    return buffer;
  } catch {
    throw notRaw("the body's buffer is detached: it was transferred elsewhere before it was verified");
  }
}

function isArrayBuffer(value: unknown): value is ArrayBuffer {
  try {
    byteLength.call(value);
    return true;
  } catch {
    return false;
  }
}

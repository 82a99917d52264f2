// The host's generator costs as much for one token as for many, and more than a small verification.
const MANY = 256;

let drawn = new Uint8Array(0);
let next = 0;

/** 16 fresh random bytes. Nothing is drawn at import, which Workers refuse. */
export function freshToken(): Uint8Array {
  if (next === drawn.byteLength) {
    drawn = crypto.getRandomValues(new Uint8Array(16 * MANY));
    next = 0;
  }
  next += 16;
  return drawn.subarray(next - 16, next);
}

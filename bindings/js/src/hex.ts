/** The bytes of lower-case hexadecimal text that the engine wrote. */
export function fromHex(text: string): Uint8Array {
  const bytes = new Uint8Array(text.length >> 1);
  for (let i = 0; i < bytes.length; i++) bytes[i] = Number.parseInt(text.slice(2 * i, 2 * i + 2), 16);
  return bytes;
}

// A lookup for each byte: a Redis store writes eighty of them for each claim.
const BYTES = Array.from({ length: 256 }, (_, byte) => (byte + 0x100).toString(16).slice(1));

/** Bytes as lower-case hexadecimal text. */
export function toHex(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) text += BYTES[byte];
  return text;
}

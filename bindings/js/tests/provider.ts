// What the tests send: deliveries of one provider, signed as it does.
import { sign } from "hookproof/testing";

export const SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
export const BODY = '{"type":"contact.created","data":{"id":"1f81eb52"}}';

let drawn = 0;

/** A delivery of Standard Webhooks: body, headers, and a fresh id. */
export function delivery(
  body: string | Uint8Array = BODY,
  id = `msg_${++drawn}`,
): { id: string; body: string | Uint8Array; headers: Record<string, string> } {
  return {
    id,
    body,
    headers: { "content-type": "application/json", ...sign("standard-webhooks", SECRET, body, { id }).headers },
  };
}

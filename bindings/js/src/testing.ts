/** For the tests of users: sign a body as a provider does, and make a request of it. */
import type { BodyInput } from "./body.js";
import { bodyBytes } from "./body.js";
import type { SchemeInput } from "./scheme.js";
import type { Secret } from "./secret.js";
import { type Message, type Signed, Signer } from "./signer.js";

/** What {@link sign} may be told beside the body. */
export interface SignOptions extends Omit<Message, "body"> {
  /** Values that the scheme signs besides the secret. */
  readonly config?: Readonly<Record<string, string>>;
}

/**
 * The headers with which a provider would send this body.
 *
 * ```ts
 * const { headers } = sign("agentbot", "s3cret", JSON.stringify({ event: "message.created" }), { id: "dlv_1" });
 * ```
 */
export function sign(
  scheme: SchemeInput,
  secret: string | Uint8Array | Secret,
  body: BodyInput,
  options: SignOptions = {},
): Signed {
  const { config, ...message } = options;
  return new Signer(scheme, secret, config === undefined ? undefined : { config }).sign({ ...message, body });
}

/**
 * A `Request` that a provider would send: POST, with the headers of {@link sign} and any others that are given.
 *
 * ```ts
 * const response = await worker.fetch(request("agentbot", "s3cret", "{}", { url: "https://example.com/webhooks/agentbot" }));
 * ```
 */
export function request(
  scheme: SchemeInput,
  secret: string | Uint8Array | Secret,
  body: BodyInput,
  options: SignOptions = {},
): Request {
  const { method = "POST", url = "https://example.com/webhook", headers = {} } = options;
  const bytes = bodyBytes(body);
  const signed = sign(scheme, secret, bytes, { ...options, method, url });
  return new Request(signed.url ?? url, {
    method,
    headers: { "content-type": "application/json", ...headers, ...signed.headers },
    body: method === "GET" || method === "HEAD" ? null : (bytes as Uint8Array<ArrayBuffer>),
  });
}

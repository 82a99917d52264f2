/** AWS Lambda behind a function URL, an API Gateway (REST or HTTP) or a load balancer. */
import { described, notRaw } from "./body.js";
import type { Claim } from "./claim.js";
import type { DeliveryOf } from "./events.js";
import { handlerOf } from "./handler.js";
import { tooLarge } from "./limit.js";
import { type Answer, drive, type Incoming } from "./receive.js";
import type { Receiver } from "./receiver.js";

/** The event of a proxy integration, as far as it is used here: payload format 1.0 or 2.0, or a load balancer's. */
export interface ProxyEvent {
  readonly body?: string | null;
  readonly isBase64Encoded?: boolean;
  readonly headers?: Readonly<Record<string, string | undefined>> | null;
  readonly multiValueHeaders?: Readonly<Record<string, readonly string[] | undefined>> | null;
  readonly httpMethod?: string;
  readonly path?: string;
  readonly rawPath?: string;
  readonly rawQueryString?: string;
  readonly queryStringParameters?: Readonly<Record<string, string | undefined>> | null;
  readonly requestContext?: {
    readonly domainName?: string;
    readonly path?: string;
    readonly http?: { readonly method?: string };
  };
}

/** What goes back to the proxy. */
export interface ProxyResult {
  statusCode: number;
  headers?: Record<string, string>;
  body?: string;
  isBase64Encoded?: boolean;
}

/** What runs for a fresh delivery. Its answer is the result it returns, or 200 if it returns none. */
export type Handler<Event, Context, Provider extends string = string> = (
  delivery: DeliveryOf<Provider>,
  event: Event,
  context: Context,
  claim: Claim | undefined,
) => ProxyResult | void | Promise<ProxyResult | void>;

/**
 * A Lambda handler that verifies, claims, runs `handler` and settles by its promise.
 *
 * If the handler throws, the claim is released and the answer is 500. A receiver with `enqueue` needs no handler.
 */
export function receive<Provider extends string, Event extends ProxyEvent = ProxyEvent, Context = unknown>(
  receiver: Receiver<Provider>,
  handler?: Handler<Event, Context, Provider>,
): (event: Event, context: Context) => Promise<ProxyResult> {
  const handle = handlerOf<Handler<Event, Context>>(receiver, handler as Handler<Event, Context> | undefined);
  return async (event, context) => {
    let own: ProxyResult | undefined;
    const { answer } = await drive(receiver, toRequest(event), async (delivery, claim) => {
      own = (await handle(delivery, event, context, claim)) ?? { statusCode: 200, body: "" };
      return own.statusCode;
    });
    return answer.status === null ? own! : toResponse(answer, answer.status);
  };
}

function toRequest(event: ProxyEvent): Incoming {
  const { headers, multiValueHeaders, requestContext } = event;
  const method = event.httpMethod ?? requestContext?.http?.method;
  return {
    headers: multiValueHeaders ?? headers ?? {},
    method,
    url: urlOf(event),
    read: (limit) => read(event, limit),
    original: event,
  };
}

function toResponse({ headers, body }: Answer, statusCode: number): ProxyResult {
  return { statusCode, headers: Object.fromEntries(headers), body };
}

function read({ body, isBase64Encoded }: ProxyEvent, limit: number): Uint8Array {
  if (body === undefined || body === null) return new Uint8Array(0);
  if (typeof body !== "string") {
    throw notRaw(
      `\`event.body\` is ${described(body)}: put \`receive\` outside of what parses it, such as \`httpJsonBodyParser()\` of middy`,
    );
  }
  const bytes = isBase64Encoded === true ? Buffer.from(body, "base64") : Buffer.from(body, "utf8");
  if (bytes.byteLength > limit) throw tooLarge(limit);
  return bytes;
}

// Format 2.0 keeps the query as it came; format 1.0 gives it decoded, so a scheme that signs it needs `publicUrl`.
function urlOf(event: ProxyEvent): string | undefined {
  const host = event.requestContext?.domainName;
  const path = event.rawPath ?? event.requestContext?.path ?? event.path;
  if (host === undefined || path === undefined) return undefined;
  const query =
    event.rawQueryString ??
    new URLSearchParams(Object.entries(event.queryStringParameters ?? {}).map(([n, v]) => [n, v ?? ""])).toString();
  return `https://${host}${path}${query === "" ? "" : `?${query}`}`;
}

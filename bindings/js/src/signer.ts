import { type BodyInput, bodyBytes } from "./body.js";
import { core, joinedSecrets } from "./engine.js";
import { ConfigurationError } from "./errors.js";
import { optionsJson } from "./options.js";
import { type SchemeInput, schemeSource } from "./scheme.js";
import { type Secret, secretParts } from "./secret.js";

/** What is to be signed. */
export interface Message {
  readonly body: BodyInput;
  /** When it is sent, in Unix seconds. Default: now. */
  readonly timestamp?: number | undefined;
  /** The delivery's id, where it travels in a header. */
  readonly id?: string | undefined;
  /** The event's name, where it travels in a header. */
  readonly eventType?: string | undefined;
  /** Default `POST`. */
  readonly method?: string | undefined;
  /** The URL that is called, which some schemes sign. */
  readonly url?: string | undefined;
  /** Further headers that the scheme signs. */
  readonly headers?: Readonly<Record<string, string>> | undefined;
}

/** What a signer adds to a request. */
export interface Signed {
  /** Headers in the provider's own case. */
  readonly headers: Record<string, string>;
  /** The URL to call, where the signature or token stands in it. */
  readonly url: string | undefined;
  /** The signature by itself: where a scheme carries it in the body, the caller puts it there. */
  readonly signature: string;
}

/** The inverse of a verifier: signs as the provider does, for senders and for tests. */
export class Signer {
  readonly #source: string;
  readonly #secret: { bytes: Uint8Array; parts: string };
  readonly #options: string;

  /** @throws ConfigurationError for a wrong scheme, secret or option. */
  constructor(
    scheme: SchemeInput,
    secret: string | Uint8Array | Secret | undefined | null,
    options?: { readonly config?: Readonly<Record<string, string>> },
  ) {
    this.#source = schemeSource(scheme);
    this.#secret = joinedSecrets(secretParts(secret, this.#source));
    this.#options = optionsJson(options);
    this.sign({ body: "{}", timestamp: 0, id: "check", url: "https://example.com/" });
  }

  /** The headers, and the URL if it carries the signature, for one message. */
  sign(message: Message): Signed {
    const { body, id, eventType, method, url, headers = {} } = message;
    const timestamp = message.timestamp ?? Math.floor(Date.now() / 1000);
    if (!Number.isSafeInteger(timestamp))
      throw new ConfigurationError("option_invalid", "`timestamp` is not a whole number of Unix seconds");
    const bytes = bodyBytes(body);
    const parts = JSON.stringify({
      timestamp,
      id,
      event_type: eventType,
      method,
      url,
      headers: Object.entries(headers),
    });
    const signed = JSON.parse(
      core().call((functions) =>
        functions.sign(this.#source, this.#secret.bytes, this.#secret.parts, this.#options, bytes, parts),
      ),
    ) as { headers: [string, string][]; url: string | null; signature: string };
    return { headers: Object.fromEntries(signed.headers), url: signed.url ?? undefined, signature: signed.signature };
  }
}

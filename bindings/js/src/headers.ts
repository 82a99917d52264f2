import { described } from "./body.js";
import { VerificationError } from "./errors.js";

/** One header's value: a line, or several lines of one name. `null` and `undefined` mean that it is absent. */
export type HeaderValue = string | readonly string[] | null | undefined;

/**
 * The headers of a request: Web `Headers` (or anything with `get`), a plain object such as Node's `req.headers`, a
 * `Map`, pairs, or Node's flat `req.rawHeaders`. Names match in any case; each header is read exactly once.
 */
export type HeadersInput =
  | { get(name: string): string | null | undefined }
  | Readonly<Record<string, HeaderValue>>
  | ReadonlyMap<string, HeaderValue>
  | Iterable<readonly [string, HeaderValue]>
  | readonly string[];

/**
 * The head of a request as an engine takes it: the method, the URL, and the values of a verifier's header names in their
 * order. What is absent may be empty, which is the same to the core.
 */
export type Lines = readonly (string | undefined)[];

// The values stand behind the method and the URL.
const FIRST = 2;

/** What a verifier that reads the headers of these names has to know of a request. */
export function lines(method: unknown, url: unknown, headers: unknown, names: readonly string[]): Lines {
  const lines: (string | undefined)[] = new Array(FIRST + names.length);
  lines[0] = part(method, "method");
  lines[1] = part(url, "url");
  try {
    pick(headers, names, lines);
    return lines;
  } catch (error) {
    if (error instanceof VerificationError) throw error;
    // A getter or a proxy of the caller's own failed: its error is not ours to let out of a verification.
    throw unsupported("the headers could not be read: a getter of theirs threw");
  }
}

/**
 * Lines in one text, a line feed between them. One inside of them is refused in whatever is signed, as every unprintable
 * character is: another one stands in for it, so that it cannot move the boundary between two values.
 */
export function joined(lines: Lines): string {
  let text = "";
  for (let i = 0; i < lines.length; i++) {
    const line = lines[i] ?? "";
    if (i > 0) text += "\n";
    text += line.includes("\n") ? line.replaceAll("\n", "\u0001") : line;
  }
  return text;
}

function part(value: unknown, name: string): string | undefined {
  if (value === undefined || value === null) return undefined;
  if (typeof value === "string") return value;
  throw new VerificationError("request_incomplete", `\`${name}\` is ${described(value)}: pass it as text`, 500);
}

function pick(headers: unknown, names: readonly string[], lines: (string | undefined)[]): void {
  if (typeof headers !== "object" || headers === null) {
    throw unsupported(
      `the headers are ${described(headers)}: pass the request's headers as an object, a Map, Headers or pairs`,
    );
  }
  const get = (headers as { get?: unknown }).get;
  if (headers instanceof Map) {
    fromPairs(headers.entries(), names, lines);
  } else if (Array.isArray(headers)) {
    fromPairs(typeof headers[0] === "string" ? flat(headers) : headers, names, lines);
  } else if (typeof get === "function") {
    for (let i = 0; i < names.length; i++) lines[FIRST + i] = value(get.call(headers, names[i]), names[i]!);
  } else if (typeof (headers as { [Symbol.iterator]?: unknown })[Symbol.iterator] === "function") {
    fromPairs(headers as Iterable<unknown>, names, lines);
  } else {
    fromObject(headers as Record<string, unknown>, names, lines);
  }
}

function fromObject(headers: Record<string, unknown>, names: readonly string[], lines: (string | undefined)[]): void {
  let absent = 0;
  for (let i = 0; i < names.length; i++) {
    const name = names[i]!;
    // Own properties only: what stands on a prototype did not come with the request.
    if (Object.hasOwn(headers, name)) lines[FIRST + i] = value(headers[name], name);
    else absent++;
  }
  // Node's own headers are lower case, and this is the end of it; other objects may spell a name in any case.
  if (absent > 0) {
    for (const key of Object.keys(headers)) {
      const name = key.toLowerCase();
      // A name that stands there in lower case too was read above: one spelling of one header counts, not both.
      if (name === key || Object.hasOwn(headers, name)) continue;
      const i = names.indexOf(name);
      if (i >= 0) lines[FIRST + i] = both(lines[FIRST + i], value(headers[key], name));
    }
  }
}

function fromPairs(pairs: Iterable<unknown>, names: readonly string[], lines: (string | undefined)[]): void {
  for (const pair of pairs) {
    if (!Array.isArray(pair) || pair.length !== 2 || typeof pair[0] !== "string") {
      throw unsupported("the headers are a list, but not of pairs of a name and a value");
    }
    const i = names.indexOf(pair[0].toLowerCase());
    if (i >= 0) lines[FIRST + i] = both(lines[FIRST + i], value(pair[1], names[i]!));
  }
}

function* flat(headers: readonly unknown[]): Iterable<unknown> {
  if (headers.length % 2 !== 0)
    throw unsupported("the headers are a flat list of odd length: `rawHeaders` has a value after each name");
  for (let i = 0; i < headers.length; i += 2) yield [headers[i], headers[i + 1]];
}

// Several lines of one name are one value joined with ", ", as HTTP says and most runtimes do before we see it.
function both(first: string | undefined, second: string | undefined): string | undefined {
  if (first === undefined || second === undefined) return first ?? second;
  return `${first}, ${second}`;
}

function value(given: unknown, name: string): string | undefined {
  if (typeof given === "string") return given;
  if (given === undefined || given === null) return undefined;
  if (Array.isArray(given)) {
    let text: string | undefined;
    for (const one of given) {
      if (typeof one !== "string")
        throw unsupported(`the header \`${name}\` is a list that holds ${described(one)}: pass text`);
      text = both(text, value(one, name));
    }
    return text;
  }
  throw unsupported(`the header \`${name}\` is ${described(given)}: pass its text as it came`);
}

function unsupported(message: string): VerificationError {
  return new VerificationError("headers_unsupported", message, 500);
}

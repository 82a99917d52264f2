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
 * The head of a request as an engine takes it: method, URL and the values of `names`, a line feed between them. What is
 * absent is empty, which is the same to the core.
 */
export function head(method: unknown, url: unknown, headers: unknown, names: readonly string[]): string {
  let text = `${part(method, "method")}\n${part(url, "url")}`;
  try {
    const values = picked(headers, names);
    for (let i = 0; i < values.length; i++) text += `\n${values[i] ?? ""}`;
    return text;
  } catch (error) {
    if (error instanceof VerificationError) throw error;
    // A getter or a proxy of the caller's own failed: its error is not ours to let out of a verification.
    throw unsupported("the headers could not be read: a getter of theirs threw");
  }
}

function part(value: unknown, name: string): string {
  if (value === undefined || value === null) return "";
  if (typeof value === "string") return onOneLine(value);
  throw new VerificationError("request_incomplete", `\`${name}\` is ${described(value)}: pass it as text`, 500);
}

function picked(headers: unknown, names: readonly string[]): (string | undefined)[] {
  if (typeof headers !== "object" || headers === null) {
    throw unsupported(
      `the headers are ${described(headers)}: pass the request's headers as an object, a Map, Headers or pairs`,
    );
  }
  if (headers instanceof Map) return fromPairs(headers.entries(), names);
  if (Array.isArray(headers)) return fromPairs(typeof headers[0] === "string" ? flat(headers) : headers, names);
  const get = (headers as { get?: unknown }).get;
  if (typeof get === "function") return names.map((name) => line(get.call(headers, name), name));
  if (typeof (headers as { [Symbol.iterator]?: unknown })[Symbol.iterator] === "function") {
    return fromPairs(headers as Iterable<unknown>, names);
  }
  return fromObject(headers as Record<string, unknown>, names);
}

function fromObject(headers: Record<string, unknown>, names: readonly string[]): (string | undefined)[] {
  const values: (string | undefined)[] = new Array(names.length);
  let absent = 0;
  for (let i = 0; i < names.length; i++) {
    const name = names[i]!;
    // Own properties only: what stands on a prototype did not come with the request.
    if (Object.hasOwn(headers, name)) values[i] = line(headers[name], name);
    else absent++;
  }
  // Node's own headers are lower case, and this is the end of it; other objects may spell a name in any case.
  if (absent > 0) {
    for (const key of Object.keys(headers)) {
      const name = key.toLowerCase();
      // A name that stands there in lower case too was read above: one spelling of one header counts, not both.
      if (name === key || Object.hasOwn(headers, name)) continue;
      const i = names.indexOf(name);
      if (i >= 0) values[i] = joined(values[i], line(headers[key], name));
    }
  }
  return values;
}

function fromPairs(pairs: Iterable<unknown>, names: readonly string[]): (string | undefined)[] {
  const values: (string | undefined)[] = new Array(names.length);
  for (const pair of pairs) {
    if (!Array.isArray(pair) || pair.length !== 2 || typeof pair[0] !== "string") {
      throw unsupported("the headers are a list, but not of pairs of a name and a value");
    }
    const i = names.indexOf(pair[0].toLowerCase());
    if (i >= 0) values[i] = joined(values[i], line(pair[1], names[i]!));
  }
  return values;
}

function* flat(headers: readonly unknown[]): Iterable<unknown> {
  if (headers.length % 2 !== 0)
    throw unsupported("the headers are a flat list of odd length: `rawHeaders` has a value after each name");
  for (let i = 0; i < headers.length; i += 2) yield [headers[i], headers[i + 1]];
}

// Several lines of one name are one value joined with ", ", as HTTP says and most runtimes do before we see it.
function joined(first: string | undefined, second: string | undefined): string | undefined {
  if (first === undefined || second === undefined) return first ?? second;
  return `${first}, ${second}`;
}

// A line feed is refused in whatever is signed, as every unprintable character is: another one stands in for it, so that it
// cannot move the boundary between two values on the way to the core.
function onOneLine(value: string): string {
  return value.includes("\n") ? value.replaceAll("\n", "\u0001") : value;
}

function line(value: unknown, name: string): string | undefined {
  if (typeof value === "string") return onOneLine(value);
  if (value === undefined || value === null) return undefined;
  if (Array.isArray(value)) {
    let text: string | undefined;
    for (const one of value) {
      if (typeof one !== "string")
        throw unsupported(`the header \`${name}\` is a list that holds ${described(one)}: pass text`);
      text = joined(text, line(one, name));
    }
    return text;
  }
  throw unsupported(`the header \`${name}\` is ${described(value)}: pass its text as it came`);
}

function unsupported(message: string): VerificationError {
  return new VerificationError("headers_unsupported", message, 500);
}

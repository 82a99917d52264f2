// Plays the vectors on the package's public interface: what the three JavaScript runners share.
//
// It needs nothing of Node, so that workerd runs the very same code.
import { ConfigurationError, Receiver, Scheme, VerificationError, Verifier } from "hookproof";
import { receive } from "hookproof/fetch";

const SOME_TIME = 1_700_000_000;

/** Every answer, `{ id, code }`, to the records of the data files: `{ published, found, hostile, config }`. */
export async function play({ published, found, hostile, config }) {
  const builtIn = new Set(Scheme.names());
  const answers = [];
  for (const record of [...published, ...found]) {
    if (!builtIn.has(record.provider) && record.scheme_data === undefined) continue;
    answers.push({ id: record.id, code: await said(() => playPublished(record, config[record.provider])) });
  }
  for (const test of hostile.cases) {
    answers.push({ id: `hostile-${test.n}`, code: await said(() => playHostile(test)) });
  }
  return answers;
}

async function said(test) {
  try {
    return await test();
  } catch (error) {
    if (error instanceof VerificationError || error instanceof ConfigurationError) return error.code;
    return `broken: ${error instanceof Error ? error.stack : String(error)}`;
  }
}

async function playPublished(record, config) {
  const scheme = record.scheme_data ?? record.provider;
  const options = { allowLegacy: true, config };
  if (record.challenge !== undefined) return playChallenge(scheme, record, options);
  const verifier = new Verifier(scheme, record.secret, options);
  verifier.verify(bodyOf(record), record.headers, {
    method: record.method,
    url: record.url,
    now: record.timestamp_now ?? SOME_TIME,
  });
  return "ok";
}

async function playChallenge(scheme, { secret, challenge }, options) {
  let outcome;
  const onOutcome = (seen) => (outcome = seen);
  const receiver = new Receiver(scheme, secret, { ...options, store: null, handshake: true, onOutcome });
  const answer = await receive(receiver, () => {
    throw new Error("a handshake reached the handler");
  })(new Request(`https://example.com/webhook?${challenge.query}`));
  const text = await answer.text();
  const right =
    challenge.response_json === undefined
      ? text === challenge.response
      : JSON.stringify(JSON.parse(text)) === JSON.stringify(challenge.response_json);
  return right && outcome.kind === "handshake" ? "challenge" : `broken: answered ${answer.status} ${text}`;
}

function playHostile(test) {
  const { secrets, tolerance_s, now, max_body_bytes } = test.config;
  const number = { NaN: Number.NaN, Infinity: Number.POSITIVE_INFINITY };
  const tolerance = Object.hasOwn(number, tolerance_s) ? number[tolerance_s] : tolerance_s;
  const verifier = new Verifier("standard-webhooks", secrets, { tolerance, maxBody: max_body_bytes });
  const verdicts = inputs(test).map(([body, headers]) => {
    try {
      verifier.verify(body, headers, { now });
      return "ok";
    } catch (error) {
      if (error instanceof VerificationError) return error.code;
      throw error;
    }
  });
  return new Set(verdicts).size === 1 ? verdicts[0] : `broken: ${verdicts.join(" and ")}`;
}

/** The body and headers of a case; several, where it stands for several host values that must be answered alike. */
function inputs({ binding_value: value, ...test }) {
  const body = bodyOf(test);
  if (value === undefined) return [[body, test.headers]];
  const own = Object.fromEntries(test.headers);
  const withHeader = (name, ...values) => values.map((one) => [body, { ...own, [name]: one }]);
  const good = own["webhook-signature"];
  switch (`${value.where} = ${value.js}`) {
    case "body = {} (plain object)":
      return [
        [{}, own],
        [JSON.parse(new TextDecoder().decode(body)), own],
      ];
    case "body = null and undefined":
      return [
        [null, own],
        [undefined, own],
      ];
    case "body = 1":
      return [[1, own]];
    case "body = string":
      return [[new TextDecoder().decode(body), own]];
    case "body = [123,125]":
      return [[[123, 125], own]];
    case "body = Uint8Array over a detached ArrayBuffer": {
      const detached = new Uint8Array(body);
      structuredClone(detached.buffer, { transfer: [detached.buffer] });
      return [[detached, own]];
    }
    case "body = new Uint8Array(buf, 8, n)": {
      const padded = new Uint8Array(body.length + 16);
      padded.set(body, 8);
      return [[new Uint8Array(padded.buffer, 8, body.length), own]];
    }
    case "headers = null":
      return [[body, null]];
    case "headers = 'webhook-id: x'":
      return [[body, "webhook-id: x"]];
    case "headers['webhook-signature'] = [GOOD, GOOD]":
      return withHeader("webhook-signature", [good, good]);
    case "headers['webhook-signature'] = [GOOD]":
      return withHeader("webhook-signature", [good]);
    case "headers['webhook-timestamp'] = 1700000000":
      return withHeader("webhook-timestamp", 1_700_000_000);
    case "headers['webhook-signature'] = {toString(){return GOOD}}":
      return withHeader("webhook-signature", { toString: () => good });
    case "headers['webhook-signature'] = null and undefined":
      return withHeader("webhook-signature", null, undefined);
    case "headers['webhook-id'] = 'msg_\\ud800'":
      return withHeader("webhook-id", "msg_\ud800");
    case "headers = Object.create({'webhook-id':ID,...})":
      return [[body, Object.create(own)]];
    case "headers = getter":
      return [[body, changing(own)]];
    default:
      throw new Error(`no value for ${value.where} = ${value.js}`);
  }
}

/** Headers of which each is right when it is first read, and wrong from then on. */
function changing(own) {
  const headers = {};
  for (const [name, value] of Object.entries(own)) {
    let reads = 0;
    Object.defineProperty(headers, name, { enumerable: true, get: () => (reads++ === 0 ? value : "changed") });
  }
  return headers;
}

function bodyOf({ body_utf8, body_b64, body_repeat, body }) {
  if (body_utf8 !== undefined) return new TextEncoder().encode(body_utf8);
  if (body_b64 !== undefined) return Uint8Array.from(atob(body_b64), (character) => character.charCodeAt(0));
  if (body_repeat !== undefined) return new Uint8Array(body_repeat.count).fill(body_repeat.byte.charCodeAt(0));
  if (body?.repeat_byte !== undefined) return new Uint8Array(body.length).fill(Number.parseInt(body.repeat_byte, 16));
  return new Uint8Array(0);
}

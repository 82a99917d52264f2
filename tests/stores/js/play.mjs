// Plays a case of `tests/stores/contract.json`. Runs in Node and in workerd alike.

const encoder = new TextEncoder();

export async function digest(name) {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", encoder.encode(name)));
}

export async function token(name) {
  return (await digest(name)).slice(0, 16);
}

/** Throws at the first step that is not answered as expected. */
export async function play(store, { name, steps }) {
  const run = crypto.randomUUID();
  const fences = new Map();
  for (const step of steps) {
    const [operation, ...given] = step;
    const at = `${name}: ${JSON.stringify(step)}`;
    if (operation === "wait") {
      await new Promise((resolve) => setTimeout(resolve, given[0]));
      continue;
    }
    const key = await digest(`${run} ${given[0]}`);
    if (operation === "claim") {
      const [label, by, leaseMs, expected] = given;
      const answer = await store.claim(key, await token(by), await digest(by), leaseMs);
      await judge(answer, expected, label, leaseMs, fences, at);
    } else if (operation === "race") {
      const [, racers, leaseMs] = given;
      const tokens = await Promise.all(Array.from({ length: racers }, (_, n) => token(`racer ${n}`)));
      const answers = await Promise.all(tokens.map((one) => store.claim(key, one, new Uint8Array(32), leaseMs)));
      const claimed = answers.filter(({ kind }) => kind === "claimed").length;
      const inFlight = answers.filter(({ kind }) => kind === "in_flight").length;
      equal([claimed, inFlight], [1, racers - 1], at);
    } else if (operation === "forget") {
      equal(await store.forget(key), given[1], at);
    } else {
      const [, by, ...rest] = given;
      const expected = rest.pop();
      equal(await store[operation](key, await token(by), ...rest), expected, at);
    }
  }
}

async function judge(answer, expected, label, leaseMs, fences, at) {
  if (expected === "claimed") {
    equal(answer.kind, "claimed", at);
    if (!(answer.fence > (fences.get(label) ?? 0)))
      throw new Error(`${at}: fence ${answer.fence} after ${fences.get(label)}`);
    fences.set(label, answer.fence);
  } else if (expected === "same") {
    equal([answer.kind, answer.fence], ["claimed", fences.get(label)], at);
  } else if (expected === "in_flight") {
    equal(answer.kind, "in_flight", at);
    if (!(answer.remainingMs >= 1 && answer.remainingMs <= Math.max(leaseMs, 86400000)))
      throw new Error(`${at}: ${answer.remainingMs}`);
  } else {
    equal(answer.kind, "done", at);
    equal([...answer.bodyHash], [...(await digest(expected.slice(5)))], at);
  }
}

function equal(found, expected, at) {
  if (JSON.stringify(found) !== JSON.stringify(expected)) {
    throw new Error(`${at}: ${JSON.stringify(found)} instead of ${JSON.stringify(expected)}`);
  }
}

// The receiving kernel through the package: claims, renewals, lost leases, stores that fail.
import {
  type Claim,
  type ClaimAnswer,
  ConfigurationError,
  LeaseLost,
  MemoryStore,
  type Outcome,
  Receiver,
  type ReceiverOptions,
  type Store,
} from "hookproof";
import { type Handler, receive } from "hookproof/fetch";
import { request } from "hookproof/testing";
import { describe, expect, test } from "vitest";
import { BODY, delivery, SECRET } from "./provider.js";

const toHex = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex");

const outcomes: Outcome[] = [];
const kinds = () => outcomes.splice(0).map(({ kind, code }) => (code === undefined ? kind : `${kind} ${code}`));

function receiver(options: Partial<ReceiverOptions> = {}): Receiver {
  outcomes.length = 0;
  return new Receiver("standard-webhooks", SECRET, {
    store: new MemoryStore(),
    onOutcome: (outcome) => outcomes.push(outcome),
    ...options,
  });
}

function served(options: Partial<ReceiverOptions>, handler: Handler<unknown, unknown>) {
  const answer = receive(receiver(options), handler);
  return (from = delivery()) =>
    answer(new Request("https://example.com/", { method: "POST", headers: from.headers, body: from.body as string }));
}

/** A store that does what it is told. */
class Scripted implements Store {
  readonly scope = "scripted";
  readonly calls: string[] = [];
  constructor(readonly says: Partial<Record<"claim" | "complete" | "release" | "extend", () => unknown>>) {}
  claim = () => this.#call("claim", { kind: "claimed", fence: 7 }) as ClaimAnswer;
  complete = () => this.#call("complete", true) as boolean;
  release = () => this.#call("release", true) as boolean;
  extend = () => this.#call("extend", true) as boolean;
  forget = () => true;
  #call(step: "claim" | "complete" | "release" | "extend", usual: unknown): unknown {
    this.calls.push(step);
    return this.says[step]?.() ?? usual;
  }
}

describe("a delivery", () => {
  test("runs once", async () => {
    let runs = 0;
    const send = served({}, () => void runs++);
    const one = delivery();
    const first = await send(one);
    expect([first.status, await first.text()]).toEqual([200, ""]);
    const copy = await send(one);
    expect([copy.status, copy.headers.get("hookproof-outcome"), await copy.text()]).toEqual([200, "duplicate", ""]);
    const other = await send();
    expect(other.status).toBe(200);
    expect([runs, kinds()]).toEqual([2, ["accepted", "duplicate", "accepted"]]);
  });

  test("among many at once gets the outcome that is its own", async () => {
    let open!: () => void;
    const gate = new Promise<void>((resolve) => {
      open = resolve;
    });
    const send = served({}, async () => {
      await gate;
    });
    const sent = Array.from({ length: 50 }, (_, i) => {
      const one = delivery();
      return i % 2 === 0 ? send(one) : send({ ...one, body: `${one.body} ` });
    });
    setTimeout(open, 20);
    expect((await Promise.all(sent)).map(({ status }) => status)).toEqual(
      sent.map((_, i) => (i % 2 === 0 ? 200 : 401)),
    );
    const accepted = outcomes.filter(({ kind }) => kind === "accepted");
    expect([new Set(accepted.map(({ keyPrefix }) => keyPrefix)).size, accepted.length, outcomes.length]).toEqual([
      25, 25, 50,
    ]);
  });

  test("among many whose store answers at once gets the claim that is its own", async () => {
    const fences = new Map<string, number>();
    const held = new Map<string, number>();
    let asked = "";
    let open!: () => void;
    const gate = new Promise<void>((resolve) => {
      open = resolve;
    });
    const store: Store = {
      scope: "at-once",
      claim: async (key) => {
        fences.set(toHex(key), fences.size + 1);
        if (fences.size === 50) open();
        await gate;
        return { kind: "claimed", fence: fences.get(toHex(key))! };
      },
      complete: async (key) => fences.has(toHex(key)),
      release: () => true,
      extend: (key) => {
        asked = toHex(key);
        return true;
      },
      forget: () => true,
    };
    const send = served({ store }, async (_delivery, _request, _env, _ctx, claim) => {
      const extended = claim!.extend();
      held.set(asked, claim!.fence);
      await extended;
    });
    const answers = await Promise.all(Array.from({ length: 50 }, () => send(delivery())));
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]));
    expect(held).toEqual(fences);
  });

  test("runs again after the handler threw", async () => {
    let runs = 0;
    const send = served({}, () => {
      if (runs++ === 0) throw new Error("first");
    });
    const one = delivery();
    const failed = await send(one);
    expect([failed.status, await failed.json()]).toEqual([500, { title: "Internal Server Error", status: 500 }]);
    expect((await send(one)).status).toBe(200);
    expect([runs, outcomes[0]!.error]).toEqual([2, new Error("first")]);
    expect(kinds()).toEqual(["failed", "accepted"]);
  });

  test("runs again after the handler answered no 2xx", async () => {
    const answers = [new Response("later", { status: 503 }), new Response(null, { status: 204 })];
    const send = served({}, () => answers.shift());
    const one = delivery();
    const refused = await send(one);
    expect([refused.status, await refused.text()]).toEqual([503, "later"]);
    expect((await send(one)).status).toBe(204);
    expect(kinds()).toEqual(["failed", "accepted"]);
  });

  test("runs again after the answer's stream broke", async () => {
    let runs = 0;
    const broken = () => new ReadableStream({ start: (controller) => controller.error(new Error("broke")) });
    const send = served({}, () => (runs++ === 0 ? new Response(broken()) : undefined));
    const one = delivery();
    expect((await send(one)).status).toBe(500);
    expect((await send(one)).status).toBe(200);
  });

  test("in flight elsewhere is answered 409, and never runs twice", async () => {
    let runs = 0;
    let finish!: () => void;
    const finished = new Promise<void>((resolve) => (finish = resolve));
    const send = served({}, async () => {
      runs++;
      await finished;
    });
    const one = delivery();
    const first = send(one);
    const copies = await Promise.all(Array.from({ length: 20 }, () => send(one)));
    expect(copies.map(({ status }) => status)).toEqual(Array(20).fill(409));
    expect(Number(copies[0]!.headers.get("retry-after"))).toBeGreaterThan(0);
    finish();
    expect([(await first).status, runs]).toEqual([200, 1]);
  });

  test("of another body under the same id is a duplicate, or a conflict on request", async () => {
    for (const [conflict, status] of [
      [false, 200],
      [true, 409],
    ] as const) {
      const send = served({ conflict }, () => undefined);
      const id = `msg_same_${status}`;
      expect((await send(delivery(BODY, id))).status).toBe(200);
      expect((await send(delivery(`${BODY} `, id))).status).toBe(status);
    }
  });

  test("without a store runs every time", async () => {
    let runs = 0;
    const send = served({ store: null }, () => void runs++);
    const one = delivery();
    await send(one);
    await send(one);
    expect([runs, kinds()]).toEqual([2, ["accepted", "accepted"]]);
  });

  test("goes to `enqueue` where there is one", async () => {
    const queue: (string | undefined)[] = [];
    const answer = receive(receiver({ enqueue: async (one) => ({ queued: queue.push(one.id) }) }));
    const one = delivery();
    const sent = await answer(
      new Request("https://example.com/", { method: "POST", headers: one.headers, body: BODY }),
    );
    expect([sent.status, await sent.text(), queue]).toEqual([200, "", [one.id]]);
    expect(() => receive(receiver({ enqueue: () => undefined }), () => undefined)).toThrow(ConfigurationError);
    expect(() => receive(receiver())).toThrow(ConfigurationError);
  });
});

describe("a request that does not verify", () => {
  test("never touches the store, and learns nothing", async () => {
    const store = new Scripted({});
    const send = served({ store }, () => undefined);
    const { headers } = delivery();
    const answers = await Promise.all([
      send({ id: "", body: `${BODY} `, headers }),
      send({ id: "", body: BODY, headers: {} }),
      send({ id: "", body: BODY, headers: { ...headers, "webhook-timestamp": "1000000000" } }),
    ]);
    for (const answer of answers) {
      expect([answer.status, answer.headers.get("content-type"), await answer.text()]).toEqual([
        401,
        "application/problem+json",
        '{"title":"Unauthorized","status":401}',
      ]);
    }
    expect([store.calls, kinds()]).toEqual([
      [],
      ["refused signature_mismatch", "refused id_missing", "refused signature_mismatch"],
    ]);
  });

  test("over the limit is refused while it is read", async () => {
    let pulled = 0;
    const endless = new ReadableStream({
      pull(controller) {
        pulled++;
        controller.enqueue(new Uint8Array(1000));
      },
    });
    const answer = receive(receiver({ maxBody: 10_000 }), () => undefined);
    const sent = await answer(
      new Request("https://example.com/", { method: "POST", body: endless, duplex: "half" } as RequestInit),
    );
    expect([sent.status, kinds()]).toEqual([413, ["refused body_too_large"]]);
    expect(pulled).toBeLessThan(20);
  });

  test("whose body was read before is told so", async () => {
    const answer = receive(receiver(), () => undefined);
    const one = delivery();
    const used = new Request("https://example.com/", { method: "POST", headers: one.headers, body: BODY });
    await used.json();
    expect((await answer(used)).status).toBe(500);
    expect(outcomes[0]!.message).toContain("request.clone()");
    expect(kinds()).toEqual(["refused body_not_raw"]);
  });
});

describe("a store", () => {
  test("that is down refuses, and the claim that may have been taken is released", async () => {
    const store = new Scripted({
      claim: () => {
        throw new Error("down");
      },
    });
    const send = served({ store }, () => expect.unreachable());
    const answer = await send();
    expect([answer.status, answer.headers.get("retry-after")]).toEqual([503, "5"]);
    expect([store.calls, kinds()]).toEqual([["claim", "release"], ["refused store_unavailable"]]);
  });

  test("that answers nonsense is down", async () => {
    const send = served({ store: new Scripted({ claim: () => ({ kind: "sure" }) }) }, () => expect.unreachable());
    expect((await send()).status).toBe(503);
  });

  test("that fails to complete is tried three times within a second", async () => {
    const store = new Scripted({
      complete: () => {
        throw new Error("down");
      },
    });
    const started = performance.now();
    const answer = await served({ store }, () => new Response("mine", { status: 201 }))();
    expect([answer.status, await answer.text()]).toEqual([201, "mine"]);
    expect(store.calls).toEqual(["claim", "complete", "complete", "complete"]);
    expect(performance.now() - started).toBeLessThan(1_000);
    expect(kinds()).toEqual(["complete_failed"]);
  });

  test("that lost the lease changes nothing of the answer", async () => {
    const send = served({ store: new Scripted({ complete: () => false }) }, () => new Response("mine"));
    expect(await (await send()).text()).toBe("mine");
    expect(kinds()).toEqual(["lost_lease"]);
  });

  test("is asked to extend while the handler runs", async () => {
    const store = new Scripted({});
    const send = served(
      { store, lease: 0.06 },
      () => new Promise((resolve) => setTimeout(() => resolve(undefined), 130)),
    );
    expect((await send()).status).toBe(200);
    expect(store.calls.filter((call) => call === "extend").length).toBeGreaterThanOrEqual(3);
    const before = store.calls.length;
    await new Promise((resolve) => setTimeout(resolve, 60));
    expect(store.calls).toHaveLength(before);
  });

  test("is not asked for longer than the handler may take", async () => {
    const store = new Scripted({});
    await served(
      { store, lease: 0.03, maxHandler: 0.05 },
      () => new Promise((resolve) => setTimeout(() => resolve(undefined), 200)),
    )();
    expect(store.calls.filter((call) => call === "extend").length).toBeLessThanOrEqual(6);
  });

  test("in the user's transaction completes there, or aborts it", async () => {
    const joined: unknown[] = [];
    // Asked once more after the handler, the store says whether the transaction was committed.
    const inside = (held: boolean, found?: () => ClaimAnswer) => {
      const answers = [() => undefined, found];
      return Object.assign(new Scripted({ claim: () => answers.shift()?.() }), {
        completeIn: (transaction: unknown) => joined.push(transaction) > 0 && held,
      });
    };
    const handler = async (_: unknown, __: unknown, ___: unknown, ____: unknown, claim?: Claim) => {
      expect(claim!.fence).toBe(7);
      await claim!.completeIn("tx");
    };
    const committed = inside(true, () => ({ kind: "done", bodyHash: new Uint8Array(32) }));
    expect((await served({ store: committed }, handler)()).status).toBe(200);
    expect([joined, committed.calls, kinds()]).toEqual([["tx"], ["claim", "claim"], ["accepted"]]);

    const rolledBack = inside(true);
    expect((await served({ store: rolledBack }, handler)()).status).toBe(500);
    expect([rolledBack.calls, kinds()]).toEqual([["claim", "claim", "release"], ["failed"]]);

    const open = inside(true, () => ({ kind: "in_flight", remainingMs: 1000 }));
    expect((await served({ store: open }, handler)()).status).toBe(409);
    expect([open.calls, kinds()]).toEqual([["claim", "claim"], ["lost_lease"]]);

    const away = inside(true, () => {
      throw new Error("away");
    });
    expect((await served({ store: away }, handler)()).status).toBe(503);
    expect([away.calls, kinds()]).toEqual([["claim", "claim"], ["refused store_unavailable"]]);

    const lost = inside(false);
    const answer = await served({ store: lost }, handler)();
    expect([answer.status, answer.headers.has("retry-after"), lost.calls, kinds()]).toEqual([
      409,
      true,
      ["claim"],
      ["lost_lease"],
    ]);
    expect(outcomes).toEqual([]);
    await expect(served({ store: new Scripted({}) }, handler)()).resolves.toMatchObject({ status: 500 });
  });

  test("full of keys that may not leave answers 503", async () => {
    const send = served({ store: new MemoryStore({ capacity: 1 }) }, () => undefined);
    expect((await send()).status).toBe(200);
    expect((await send()).status).toBe(503);
  });
});

describe("secrets of tenants", () => {
  test("are looked up for each request, and keep their keys apart", async () => {
    const seen: string[] = [];
    const resolve = async (request: Request) => {
      const tenant = new URL(request.url).searchParams.get("shop");
      return tenant === "gone"
        ? null
        : tenant === "broken"
          ? { tenant, secret: "" }
          : { tenant: tenant!, secret: SECRET };
    };
    outcomes.length = 0;
    const store = new MemoryStore();
    const shops = new Receiver("standard-webhooks", resolve, { store, onOutcome: (outcome) => outcomes.push(outcome) });
    const answer = receive(shops, (one) => void seen.push(one.id!));
    const one = delivery();
    const send = (shop: string) =>
      answer(new Request(`https://example.com/?shop=${shop}`, { method: "POST", headers: one.headers, body: BODY }));
    expect([(await send("a")).status, (await send("b")).status, (await send("a")).status]).toEqual([200, 200, 200]);
    expect([seen.length, kinds()]).toEqual([2, ["accepted", "accepted", "duplicate"]]);
    expect([(await send("gone")).status, (await send("broken")).status]).toEqual([401, 500]);
    expect(kinds()).toEqual(["refused signature_mismatch", "refused internal_error"]);
    expect(() => shops.verifier).toThrow(TypeError);
  });

  test("do not hide wrong options", () => {
    expect(() => new Receiver("standard-webhooks", () => SECRET, { store: null, tolerance: 0 })).toThrow(
      ConfigurationError,
    );
  });
});

describe("what is configured", () => {
  test.each([
    [undefined],
    [{}],
    [{ store: {} }],
    [{ store: undefined }],
    [{ store: null, lease: 0 }],
    [{ store: new MemoryStore(), retention: 60 }],
    [{ store: null, onOutcome: 5 }],
    [{ store: null, clock: "now" }],
    [{ store: null, unknown: true }],
  ])("%o is refused at start", (options) => {
    expect(() => new Receiver("standard-webhooks", SECRET, options as never)).toThrow(
      expect.objectContaining({ code: "option_invalid" }),
    );
  });

  test("the clock may be the user's", async () => {
    const clock = () => 1_000_000_000_000;
    const answer = receive(receiver({ clock }), () => undefined);
    expect(
      (await answer(request("standard-webhooks", SECRET, BODY, { id: "msg_then", timestamp: 1_000_000_000 }))).status,
    ).toBe(200);
    expect((await answer(request("standard-webhooks", SECRET, BODY, { id: "msg_now" }))).status).toBe(401);
  });

  test("a failing `onOutcome` changes nothing", async () => {
    const answer = await served(
      {
        onOutcome: () => {
          throw new Error("mine");
        },
      },
      () => new Response("fine"),
    )();
    expect(await answer.text()).toBe("fine");
  });

  test("handshakes are answered where they are wanted", async () => {
    const options = { store: null, onOutcome: (outcome: Outcome) => outcomes.push(outcome) };
    const wanted = new Receiver("x-twitter", "Convoy", { ...options, handshake: true });
    expect(wanted.methods).toEqual(["GET", "POST"]);
    const asked = new Request("https://example.com/?crc_token=uzwcfYtzr9");
    const answer = await receive(wanted, () => expect.unreachable())(asked.clone());
    expect(await answer.json()).toEqual({ response_token: "sha256=HXvxTdsfShG6k2zC9NVANwFquJBdOugRYHax2vNiiOo=" });
    expect(kinds()).toEqual(["handshake"]);
    expect(
      (await receive(new Receiver("x-twitter", "Convoy", options), () => expect.unreachable())(asked)).status,
    ).toBe(401);
  });
});

test("a Worker's context keeps the claim alive after the client has left", async () => {
  const waited: Promise<unknown>[] = [];
  const context = { waitUntil: (work: Promise<unknown>) => void waited.push(work) };
  const one = delivery();
  const answer = receive(receiver(), () => undefined);
  await answer(new Request("https://example.com/", { method: "POST", headers: one.headers, body: BODY }), {}, context);
  expect(waited).toHaveLength(1);
});

test("a lost lease is an error of its own", () => {
  expect(new LeaseLost()).toBeInstanceOf(LeaseLost);
  expect(new Error("x")).not.toBeInstanceOf(LeaseLost);
});

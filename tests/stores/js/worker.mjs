// Plays cases inside workerd, on Durable Objects and on D1.
import { LeaseLost } from "hookproof";
import { D1Store } from "hookproof/stores/d1";
import { DurableObjectStore } from "hookproof/stores/durable-object";
import { digest, play, token } from "./play.mjs";

export { HookproofStore } from "hookproof/stores/durable-object";

export default {
  async fetch(request, env) {
    const { what, store: name, given } = await request.json();
    const store =
      name === "d1"
        ? new D1Store(env.DB, { scope: "contract" })
        : new DurableObjectStore(env.HOOKPROOF, { scope: "contract" });
    try {
      await store.create?.();
      if (what === "play") await play(store, given);
      else return Response.json(await tests[what](store, env));
    } catch (error) {
      return new Response(error.stack, { status: 500 });
    }
    return Response.json("ok");
  },
};

const tests = {
  async batch(store, env) {
    await env.DB.batch([
      env.DB.prepare("DROP TABLE IF EXISTS effects"),
      env.DB.prepare("CREATE TABLE effects (by TEXT)"),
    ]);
    const [key, a, b, body] = [await digest("batch"), await token("a"), await token("b"), await digest("body")];
    await store.claim(key, a, body, 1);
    await new Promise((resolve) => setTimeout(resolve, 20));
    await store.claim(key, b, body, 60_000);
    const answers = [];
    for (const [by, mine] of [
      ["a", a],
      ["b", b],
      ["b again", b],
    ]) {
      try {
        answers.push(
          await store.completeIn([env.DB.prepare("INSERT INTO effects VALUES (?)").bind(by)], key, mine, 60_000),
        );
      } catch (error) {
        answers.push(error instanceof LeaseLost ? "lost" : String(error));
      }
    }
    const { results } = await env.DB.prepare("SELECT by FROM effects").all();
    return { answers, effects: results.map(({ by }) => by) };
  },
  async purge(store) {
    const a = await token("a");
    for (let n = 0; n < 5; n++) {
      const key = await digest(`ended ${n} ${crypto.randomUUID()}`);
      await store.claim(key, a, key, 1000);
      await store.complete(key, a, 1);
    }
    await new Promise((resolve) => setTimeout(resolve, 200));
    const purged = [];
    do purged.push(await store.purge(3));
    while (purged.at(-1) > 0);
    return purged;
  },
};

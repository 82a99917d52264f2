// Webhooks of four providers in a Worker, with claims in Durable Objects: what `make demo` sends to, and a start for yours.
import { env } from "cloudflare:workers";
import { Receiver, Secret } from "hookproof";
import { receive } from "hookproof/fetch";
import { DurableObjectStore } from "hookproof/stores/durable-object";

export { HookproofStore } from "hookproof/stores/durable-object";
export { Effects } from "./effects.mjs";

const store = new DurableObjectStore(env.HOOKPROOF, { scope: "demo" });
const effects = () => env.EFFECTS.get(env.EFFECTS.idFromName("all"));

// The secret in use, and the old one while it is rotated out.
function secrets(provider) {
  const name = `HOOKPROOF_DEMO_${provider.toUpperCase().replaceAll("-", "_")}`;
  const old = env[`${name}_OLD_SECRET`];
  const current = new Secret(env[`${name}_SECRET`], { name: "current" });
  return old === undefined ? [current] : [current, new Secret(old, { name: "old" })];
}

async function onDelivery(delivery) {
  const failOnce = new TextDecoder().decode(delivery.body).includes('"hookproof_demo":"fail-once"');
  const answer = await effects().fetch("https://effects/", {
    method: "POST",
    body: JSON.stringify({ event: `${delivery.provider}:${delivery.id ?? (await sha256(delivery.body))}`, failOnce }),
  });
  if (!answer.ok) throw new Error("asked to fail once");
}

async function sha256(bytes) {
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

const routes = new Map();
for (const provider of ["get-a-team", "my-gpt-assistants", "agentbot", "standard-webhooks"]) {
  const receiver = new Receiver(provider, secrets(provider), { store });
  routes.set(`POST /webhooks/${provider}`, receive(receiver, onDelivery));
}

export default {
  fetch(request, env, ctx) {
    const { pathname } = new URL(request.url);
    if (pathname === "/effects") return effects().fetch("https://effects/");
    const route = routes.get(`${request.method} ${pathname}`);
    return route === undefined ? new Response("not found", { status: 404 }) : route(request, env, ctx);
  },
};

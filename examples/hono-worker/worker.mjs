// Deliveries of Agentbot in Hono on Workers, with claims in Durable Objects. Bind HOOKPROOF to the class HookproofStore.
import { env } from "cloudflare:workers";
import { Hono } from "hono";
import { Receiver } from "hookproof";
import { receive } from "hookproof/hono";
import { DurableObjectStore } from "hookproof/stores/durable-object";

export { HookproofStore } from "hookproof/stores/durable-object";

const receiver = new Receiver("agentbot", env.AGENTBOT_SECRET, {
  store: new DurableObjectStore(env.HOOKPROOF, { scope: "crm" }),
});

const app = new Hono();
app.post(
  "/webhooks/agentbot",
  receive(receiver, async (delivery, c) => c.json({ handled: delivery.eventType })),
);
export default app;

// Deliveries of Agentbot in Bun.
//
//   AGENTBOT_SECRET=... PORT=3000 bun app.mjs
import { MemoryStore, Receiver } from "hookproof";
import { receive } from "hookproof/fetch";

const receiver = new Receiver("agentbot", process.env.AGENTBOT_SECRET, { store: new MemoryStore() });
const handle = receive(receiver, async (delivery) => Response.json({ handled: delivery.eventType }));

Bun.serve({
  hostname: "127.0.0.1",
  port: Number(process.env.PORT ?? 3000),
  routes: { "/webhooks/agentbot": { POST: (request) => handle(request) } },
  fetch: () => new Response("not found", { status: 404 }),
});

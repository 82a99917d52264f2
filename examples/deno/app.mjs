// Deliveries of Agentbot in Deno.
//
//   AGENTBOT_SECRET=... PORT=3000 deno run --allow-net --allow-env app.mjs
import { MemoryStore, Receiver } from "hookproof";
import { receive } from "hookproof/fetch";

const receiver = new Receiver("agentbot", Deno.env.get("AGENTBOT_SECRET"), { store: new MemoryStore() });
const handle = receive(receiver, async (delivery) => Response.json({ handled: delivery.eventType }));

Deno.serve({ hostname: "127.0.0.1", port: Number(Deno.env.get("PORT") ?? 3000) }, (request) => {
  const { pathname } = new URL(request.url);
  return pathname === "/webhooks/agentbot" ? handle(request) : new Response("not found", { status: 404 });
});

// Deliveries of Agentbot in a Next route handler: `app/webhooks/agentbot/route.js`.
import { MemoryStore, Receiver } from "hookproof";
import { receive } from "hookproof/fetch";

// One process. Behind more than one, and on platforms that start a process for each request, use a shared store.
const receiver = new Receiver("agentbot", process.env.AGENTBOT_SECRET, { store: new MemoryStore() });

export const POST = receive(receiver, async (delivery) => {
  console.log(delivery.eventType);
  return Response.json({ handled: delivery.eventType });
});

// Deliveries of Agentbot in Express, remembered in Redis, so that any number of machines may receive them.
//
//   AGENTBOT_SECRET=... REDIS_URL=redis://localhost PORT=3000 node app.mjs
import express from "express";
import { Receiver, Secret } from "hookproof";
import { receive } from "hookproof/express";
import { RedisStore } from "hookproof/stores/redis";
import { createClient } from "redis";

const { AGENTBOT_SECRET, AGENTBOT_OLD_SECRET, REDIS_URL, PORT = "3000" } = process.env;

// Without a timeout a server that hangs would hold the request, instead of having it sent again.
const redis = createClient({ url: REDIS_URL, disableOfflineQueue: true, socket: { socketTimeout: 1000 } });
redis.on("error", (error) => console.error("redis", error.message));
await redis.connect();

// While a secret is rotated out, deliveries under the old one count, too.
const secrets = [new Secret(AGENTBOT_SECRET, { name: "current" })];
if (AGENTBOT_OLD_SECRET !== undefined) secrets.push(new Secret(AGENTBOT_OLD_SECRET, { name: "old" }));
const receiver = new Receiver("agentbot", secrets, { store: new RedisStore(redis, { scope: "support" }) });

const app = express();
app.post("/webhooks/agentbot", receive(receiver), async (req, res) => {
  const { data } = req.delivery.json();
  if (req.delivery.eventType === "message.created") await redis.hIncrBy("messages", data.conversation_id, 1);
  res.sendStatus(204);
});
app.use(express.json()); // every other route may have its parser: it stands below
app.get("/messages", async (_req, res) => res.json(await redis.hGetAll("messages")));
app.listen(Number(PORT), "127.0.0.1");

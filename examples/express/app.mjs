// Webhooks of four providers in Express: what `make demo` sends to, and a start for your own.
//
//   AGENTBOT_SECRET=... PORT=3000 node app.mjs
import { createHash } from "node:crypto";
import express from "express";
import { MemoryStore, Receiver, Secret } from "hookproof";
import { receive } from "hookproof/express";

const { HOST = "127.0.0.1", PORT = "3000", ...env } = process.env;
const app = express();
const effects = {};
const failed = new Set();

// The secret in use, and the old one while it is rotated out.
function secrets(provider) {
  const name = `HOOKPROOF_DEMO_${provider.toUpperCase().replaceAll("-", "_")}`;
  const old = env[`${name}_OLD_SECRET`];
  const current = new Secret(env[`${name}_SECRET`], { name: "current" });
  return old === undefined ? [current] : [current, new Secret(old, { name: "old" })];
}

function onDelivery(req, res) {
  const { provider, id, body } = req.delivery;
  const event = `${provider}:${id ?? createHash("sha256").update(body).digest("hex")}`;
  if (Buffer.from(body).includes('"hookproof_demo":"fail-once"') && !failed.has(event)) {
    failed.add(event);
    throw new Error("asked to fail once");
  }
  effects[event] = (effects[event] ?? 0) + 1;
  res.sendStatus(204);
}

for (const provider of ["get-a-team", "my-gpt-assistants", "agentbot", "standard-webhooks"]) {
  const receiver = new Receiver(provider, secrets(provider), { store: new MemoryStore() });
  app.post(`/webhooks/${provider}`, receive(receiver), onDelivery);
}

app.get("/effects", (_req, res) => res.json(effects));
app.listen(Number(PORT), HOST, () => console.log(`listening on http://${HOST}:${PORT}`));

// An Express application on the shared Redis; what takes effect is a line in a file.
import { openSync, writeSync } from "node:fs";
import { createRequire } from "node:module";
import express from "express";
import { Receiver } from "hookproof";
import { receive } from "hookproof/express";
import { RedisStore } from "hookproof/stores/redis";

const { createClient } = createRequire(new URL("../js/", import.meta.url))("redis");
const { REDIS_URL, SECRET, EFFECTS } = process.env;
const client = await createClient({ url: REDIS_URL }).connect();
const receiver = new Receiver("standard-webhooks", SECRET, { store: new RedisStore(client, { scope: "shared" }) });
const effects = openSync(EFFECTS, "a");

const app = express();
app.post("/", receive(receiver), (request, response) => {
  writeSync(effects, `express ${request.delivery.id}\n`);
  response.sendStatus(204);
});
const server = app.listen(0, "127.0.0.1", () => console.log(server.address().port));

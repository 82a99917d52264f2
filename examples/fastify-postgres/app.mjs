// Paid orders in Fastify: the effect and the claim are committed in one transaction, so each counts exactly once.
//
//   WEBHOOK_SECRET=whsec_... DATABASE_URL=postgres://... PORT=3000 node app.mjs
import fastify from "fastify";
import { Receiver } from "hookproof";
import { receive } from "hookproof/fastify";
import { PostgresStore } from "hookproof/stores/postgres";
import pg from "pg";

const { WEBHOOK_SECRET, DATABASE_URL, PORT = "3000" } = process.env;
const pool = new pg.Pool({ connectionString: DATABASE_URL });
const store = new PostgresStore(pool, { scope: "orders" });
await store.create();
await pool.query("CREATE TABLE IF NOT EXISTS orders (id text PRIMARY KEY, paid bigint NOT NULL)");

const receiver = new Receiver("standard-webhooks", WEBHOOK_SECRET, { store });
const app = fastify({ logger: { level: "warn" } });

async function onDelivery(delivery, _request, _reply, claim) {
  const { order, amount } = delivery.json().data;
  const client = await pool.connect();
  try {
    await client.query("BEGIN");
    await client.query("INSERT INTO orders VALUES ($1, $2) ON CONFLICT (id) DO UPDATE SET paid = orders.paid + $2", [
      order,
      amount,
    ]);
    await claim.completeIn(client); // throws if another worker has taken the delivery over, and nothing is committed
    await client.query("COMMIT");
  } catch (error) {
    await client.query("ROLLBACK");
    throw error;
  } finally {
    client.release();
  }
}

app.register(receive(receiver, onDelivery), { prefix: "/webhooks/orders" });
app.get("/orders", async () => (await pool.query("SELECT * FROM orders")).rows);
await app.listen({ host: "127.0.0.1", port: Number(PORT) });

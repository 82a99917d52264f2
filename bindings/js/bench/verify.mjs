// One verification in Node, on both engines, beside what people use today. `make bench-js`
import { createHmac, timingSafeEqual } from "node:crypto";
import { engine, Verifier } from "hookproof";
import { sign } from "hookproof/testing";
import { Webhook } from "standardwebhooks";
import Stripe from "stripe";
import { delivery, measure, SECRET, show } from "./measure.mjs";

const key = Buffer.from(SECRET.slice(6), "base64");
const verifier = new Verifier("standard-webhooks", SECRET);
const rotating = new Verifier("standard-webhooks", ["whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", SECRET]);
const webhook = new Webhook(SECRET);
const stripe = new Stripe("sk_test");

// Time of this process, not of the clock: what else the machine does has no share in it.
function clock() {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

const rows = await measure(
  (size) => {
    const { body, headers } = delivery(size, (bytes, options) => sign("standard-webhooks", SECRET, bytes, options));
    const buffer = Buffer.from(body);
    const forged = { ...headers, "webhook-signature": "v1,AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=" };
    const stripeHeader = stripe.webhooks.generateTestHeaderString({ payload: buffer.toString(), secret: SECRET });
    return {
      "createHmac + timingSafeEqual": () => {
        const mac = createHmac("sha256", key)
          .update(`${headers["webhook-id"]}.${headers["webhook-timestamp"]}.`)
          .update(buffer)
          .digest();
        const given = Buffer.from(headers["webhook-signature"].slice(3), "base64");
        if (given.length !== mac.length || !timingSafeEqual(mac, given)) throw new Error("mismatch");
      },
      hookproof: () => verifier.verify(buffer, headers),
      "hookproof, two secrets": () => rotating.verify(buffer, headers),
      "hookproof, id read": () => verifier.verify(buffer, headers).id,
      "hookproof, a refusal": () => {
        try {
          verifier.verify(buffer, forged);
        } catch {}
      },
      standardwebhooks: () => webhook.verify(buffer.toString(), headers),
      stripe: () => stripe.webhooks.constructEvent(buffer, stripeHeader, SECRET),
    };
  },
  { clock },
);

const bars = engine.kind === "native" ? { hookproof: [0.5, 0.6, 0.92, 1.01] } : {};
let missed = show(`Node ${process.version}, ${engine.kind} engine`, rows, "createHmac + timingSafeEqual", bars);
const share = rows.map((row) => ({ hookproof: row.hookproof, standardwebhooks: row.standardwebhooks }));
missed += show(
  "beside standardwebhooks",
  share,
  "standardwebhooks",
  engine.kind === "native" ? { hookproof: [0.08, 0.08, 0.08, 0.08] } : {},
);
if (missed > 0) process.exitCode = 1;

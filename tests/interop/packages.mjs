// Signs and verifies with the providers' own packages. Reads questions as lines of JSON, answers each with one line:
//   {"package", "do": "sign" | "verify", "secret", "body" (hex), "id"?, "timestamp"?, "headers"?}
//   -> {"headers"} or {"accepted": true | false}

import { createInterface } from "node:readline";

import { sign as signGitHub, verify as verifyGitHub } from "@octokit/webhooks-methods";
import { Webhook as StandardWebhook } from "standardwebhooks";
import Stripe from "stripe";
import { Webhook as SvixWebhook } from "svix";

const webhook = (Webhook, prefix) => ({
  sign: ({ secret, body, id, timestamp }) => ({
    [`${prefix}-id`]: id,
    [`${prefix}-timestamp`]: String(timestamp),
    [`${prefix}-signature`]: new Webhook(secret).sign(id, new Date(timestamp * 1000), body),
  }),
  verify: ({ secret, body, headers }) => new Webhook(secret).verify(body, headers),
});

const packages = {
  "standard-webhooks": webhook(StandardWebhook, "webhook"),
  svix: webhook(SvixWebhook, "svix"),
  stripe: {
    sign: ({ secret, body, timestamp }) => ({
      "stripe-signature": new Stripe("sk_test_x").webhooks.generateTestHeaderString({
        payload: body,
        secret,
        timestamp,
      }),
    }),
    verify: ({ secret, body, headers }) =>
      new Stripe("sk_test_x").webhooks.constructEvent(body, headers["stripe-signature"], secret),
  },
  github: {
    sign: async ({ secret, body }) => ({ "x-hub-signature-256": await signGitHub(secret, body) }),
    verify: async ({ secret, body, headers }) => {
      if (!(await verifyGitHub(secret, body, headers["x-hub-signature-256"]))) throw new Error("refused");
    },
  },
};

for await (const line of createInterface({ input: process.stdin })) {
  const question = JSON.parse(line);
  question.body = Buffer.from(question.body, "hex").toString("utf8");
  const chosen = packages[question.package];
  let answer;
  if (question.do === "sign") {
    answer = { headers: await chosen.sign(question) };
  } else {
    try {
      await chosen.verify(question);
      answer = { accepted: true };
    } catch (error) {
      answer = { accepted: false, why: String(error.message) };
    }
  }
  console.log(JSON.stringify(answer));
}

// Runs one case many times in one request.
import { Verifier } from "hookproof";
import { sign } from "hookproof/testing";
import { Webhook } from "standardwebhooks";
import { delivery, SECRET } from "./measure.mjs";

const verifier = new Verifier("standard-webhooks", SECRET);
const webhook = new Webhook(SECRET);
const parse = JSON.parse;

export default {
  async fetch(request) {
    const { searchParams } = new URL(request.url);
    const size = Number(searchParams.get("size"));
    const count = Number(searchParams.get("count"));
    const { body, headers } = delivery(size, (bytes, options) => sign("standard-webhooks", SECRET, bytes, options));
    switch (searchParams.get("case")) {
      case "hookproof":
        for (let i = 0; i < count; i++) verifier.verify(body, headers);
        break;
      case "standardwebhooks without JSON": {
        const text = new TextDecoder().decode(body);
        JSON.parse = () => undefined;
        for (let i = 0; i < count; i++) webhook.verify(text, headers);
        JSON.parse = parse;
        break;
      }
      case "crypto.subtle as really used": {
        const raw = Uint8Array.from(atob(SECRET.slice(6)), (character) => character.charCodeAt(0));
        const key = await crypto.subtle.importKey("raw", raw, { name: "HMAC", hash: "SHA-256" }, false, ["verify"]);
        const head = `${headers["webhook-id"]}.${headers["webhook-timestamp"]}.`;
        for (let i = 0; i < count; i++) {
          const start = new TextEncoder().encode(head);
          const content = new Uint8Array(start.length + body.length);
          content.set(start);
          content.set(body, start.length);
          const signature = Uint8Array.from(atob(headers["webhook-signature"].slice(3)), (character) =>
            character.charCodeAt(0),
          );
          if (!(await crypto.subtle.verify("HMAC", key, signature, content))) throw new Error("mismatch");
        }
        break;
      }
    }
    return new Response("done");
  },
};

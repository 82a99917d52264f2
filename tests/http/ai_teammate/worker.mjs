// The receiving half of AI Teammate in a Worker: two tokens, either of which may call.
import { env } from "cloudflare:workers";
import { Receiver, Secret } from "hookproof";
import { receive } from "hookproof/fetch";

const tokens = env.TOKENS.split(",").map((token) => new Secret(token));
const receiver = new Receiver("ai-teammate", tokens, { store: null });

export default {
  fetch: receive(receiver, (delivery) => {
    const { message } = delivery.json();
    return Response.json({ response: `You said: ${message}`, conversation_id: "conv_1", credits_used: 1 });
  }),
};

// The receiving half of AI Teammate in Express: two tokens, either of which may call.
import express from "express";
import { Receiver, Secret } from "hookproof";
import { receive } from "hookproof/express";

const tokens = process.env.TOKENS.split(",").map((token) => new Secret(token));
const receiver = new Receiver("ai-teammate", tokens, { store: null });
const app = express();
app.post("/api/webhook/:token", receive(receiver), (req, res) => {
  const { message } = req.delivery.json();
  res.json({ response: `You said: ${message}`, conversation_id: "conv_1", credits_used: 1 });
});
app.listen(Number(process.env.PORT), "127.0.0.1");

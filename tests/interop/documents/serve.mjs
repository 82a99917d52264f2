// The documents' samples behind HTTP: POST /PROVIDER answers 200 if the sample accepts the request, else 401.
// A sample sees the body as its document hands it over: the bytes, and where it says `req.body`, that printed again.

import { createServer } from "node:http";

import { verify } from "./agentbot.mjs";
import verifyGetATeam from "./get-a-team.cjs";
import { verifyWebhook as verifyMyGpt } from "./my-gpt-assistants.mjs";

const secret = process.env.HOOKPROOF_SECRET;
process.env.AGENTBOT_SECRET = secret;

const printedAgain = (body) => JSON.stringify(JSON.parse(body));

const samples = {
  "/get-a-team": ({ headers }, body) =>
    verifyGetATeam(body, headers["x-webhook-signature"], secret) &&
    verifyGetATeam(printedAgain(body), headers["x-webhook-signature"], secret),
  "/my-gpt-assistants": ({ headers }, body) => verifyMyGpt(printedAgain(body), headers["x-mga-signature"], secret),
  "/agentbot": ({ headers }, body) => verify({ headers, body: JSON.parse(body) }),
};

const server = createServer(async (request, response) => {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  let accepted = false;
  try {
    accepted = samples[request.url](request, Buffer.concat(chunks));
  } catch {
    // What a sample throws at (another length, JSON that a flipped bit broke) it does not accept.
  }
  response.writeHead(accepted ? 200 : 401).end();
});
server.listen(0, "127.0.0.1", () => console.log(`http://127.0.0.1:${server.address().port}`));

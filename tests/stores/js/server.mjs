// A database server of the test's own.
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

const SERVE = fileURLToPath(new URL("../serve", import.meta.url));

/** Starts it; the end of its input stops it, so it ends with this process, however that ends. */
export async function serve(kind) {
  const server = spawn(SERVE, [kind], { stdio: ["pipe", "pipe", "inherit"] });
  for await (const url of createInterface({ input: server.stdout })) {
    return {
      url,
      stop: () =>
        new Promise((resolve) => {
          server.once("exit", resolve);
          server.stdin.end();
        }),
    };
  }
  throw new Error(`${kind} did not start`);
}

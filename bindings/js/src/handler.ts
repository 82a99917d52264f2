import type { Delivery } from "./delivery.js";
import { ConfigurationError } from "./errors.js";
import type { Receiver } from "./receiver.js";

/** What runs for a fresh delivery: the user's handler, or the receiver's `enqueue` in its place. */
export function handlerOf<H extends (delivery: never, ...rest: never[]) => unknown>(
  receiver: Receiver,
  handler: H | undefined,
): H {
  const { enqueue } = receiver;
  if (handler !== undefined && typeof handler !== "function") throw wrong("the handler of `receive` is not a function");
  if (enqueue === undefined) {
    if (handler === undefined) throw wrong("`receive` needs a handler, or a receiver with `enqueue`");
    return handler;
  }
  if (handler !== undefined) throw wrong("the receiver has `enqueue`, so a handler would never run: pass none");
  // What it returns is no response: the answer is 200 once it is done.
  return (async (delivery: Delivery) => {
    await enqueue(delivery);
  }) as unknown as H;
}

function wrong(message: string): ConfigurationError {
  return new ConfigurationError("option_invalid", message);
}

import { described } from "./body.js";
import type { Delivery } from "./delivery.js";
import { ConfigurationError } from "./errors.js";
import type { Receiver } from "./receiver.js";

/** What runs for a fresh delivery: the user's handler, or the receiver's `enqueue` in its place. */
export function handlerOf<H extends (delivery: never, ...rest: never[]) => unknown>(
  receiver: Receiver,
  handler: H | undefined,
): H {
  checkReceiver(receiver);
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

/** The same for an adapter that goes on to the handlers behind it where it is given none. */
export function ownHandlerOf<H extends (delivery: never, ...rest: never[]) => unknown>(
  receiver: Receiver,
  handler: H | undefined,
): H | undefined {
  checkReceiver(receiver);
  return handler === undefined && receiver.enqueue === undefined ? undefined : handlerOf(receiver, handler);
}

// By what it can do: one process may hold the package twice, as ES modules and as CommonJS.
function checkReceiver(receiver: Receiver): void {
  if (typeof (receiver as Partial<Receiver> | null | undefined)?.kernel === "function") return;
  throw wrong(
    `\`receive\` got ${described(receiver)}: its first argument is a receiver, \`receive(new Receiver(...))\``,
  );
}

function wrong(message: string): ConfigurationError {
  return new ConfigurationError("option_invalid", message);
}

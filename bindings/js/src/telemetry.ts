import type { Outcome } from "./outcome.js";

/** The name of the diagnostics channel on which every {@link Outcome} is published, in Node, Bun, Deno and Workers. */
export const CHANNEL = "hookproof:outcome";

interface Channel {
  readonly hasSubscribers: boolean;
  publish(message: unknown): void;
}

interface Meters {
  getMeterProvider?(): Meters;
  getMeter(name: string): {
    createCounter(name: string, options: object): { add(value: number, attributes: object): void };
    createHistogram(name: string, options: object): { record(value: number, attributes: object): void };
  };
}

let channel: Channel | null | undefined;
let meter: ((outcome: Outcome) => void) | null = null;
let source: Meters | undefined;

// The API registers itself here, for all copies of it in a process: so it is found without being imported.
const API = Symbol.for("opentelemetry.js.api.1");

/** Whether an outcome would reach anybody: a subscriber of the channel, or OpenTelemetry's meter. */
export function subscribed(): boolean {
  channel ??= outcomes();
  const meters = (globalThis as { [name: symbol]: { metrics?: Meters } | undefined })[API]?.metrics;
  if (meters !== source) {
    source = meters;
    meter = meters === undefined ? null : metered(meters);
  }
  return meter !== null || channel?.hasSubscribers === true;
}

/** Publishes an outcome to whoever has asked. */
export function publish(outcome: Outcome): void {
  if (!subscribed()) return;
  if (channel?.hasSubscribers) channel.publish(outcome);
  meter?.(outcome);
}

function outcomes(): Channel | null {
  const builtin = (
    globalThis as { process?: { getBuiltinModule?(name: string): { channel(name: string): Channel } | undefined } }
  ).process;
  return builtin?.getBuiltinModule?.("node:diagnostics_channel")?.channel(CHANNEL) ?? null;
}

function metered(meters: Meters): (outcome: Outcome) => void {
  const source = meters.getMeter("hookproof");
  const deliveries = source.createCounter("hookproof.deliveries", {
    unit: "{delivery}",
    description: "Webhook deliveries by outcome",
  });
  const duration = source.createHistogram("hookproof.duration", {
    unit: "ms",
    description: "From the request to the answer, the handler included",
  });
  return ({ kind, scheme, code, durationMs }) => {
    const attributes = {
      "hookproof.outcome": kind,
      "hookproof.scheme": scheme,
      ...(code === undefined ? {} : { "hookproof.code": code }),
    };
    deliveries.add(1, attributes);
    duration.record(durationMs, attributes);
  };
}

// What is told of each request, and to whom.
import diagnostics from "node:diagnostics_channel";
import { metrics } from "@opentelemetry/api";
import {
  AggregationTemporality,
  InMemoryMetricExporter,
  MeterProvider,
  PeriodicExportingMetricReader,
} from "@opentelemetry/sdk-metrics";
import { MemoryStore, type Outcome, Receiver } from "hookproof";
import { receive } from "hookproof/fetch";
import { request } from "hookproof/testing";
import { afterEach, expect, test, vi } from "vitest";
import { BODY, SECRET } from "./provider.js";

afterEach(() => vi.restoreAllMocks());

function served(onOutcome?: (outcome: Outcome) => void) {
  const answer = receive(
    new Receiver("standard-webhooks", SECRET, { store: new MemoryStore(), onOutcome }),
    () => undefined,
  );
  return (id: string, body = BODY) => answer(request("standard-webhooks", SECRET, body, { id }));
}
const forged = () =>
  new Request("https://example.com/", {
    method: "POST",
    body: BODY,
    headers: { "webhook-id": "msg\n1".replace("\n", "") },
  });

test("`onOutcome` gets everything that a log needs, and nothing secret", async () => {
  const outcomes: Outcome[] = [];
  await served((outcome) => outcomes.push(outcome))("msg_1");
  expect(outcomes).toEqual([
    {
      kind: "accepted",
      status: 200,
      scheme: "standard-webhooks",
      code: undefined,
      message: undefined,
      id: "msg_1",
      eventType: "contact.created",
      keyPrefix: expect.stringMatching(/^[0-9a-f]{8}$/),
      secretName: undefined,
      durationMs: expect.any(Number),
      error: undefined,
    },
  ]);
});

test("subscribers of the diagnostics channel get the same", async () => {
  const seen: unknown[] = [];
  const listener = (message: unknown) => void seen.push(message);
  diagnostics.subscribe("hookproof:outcome", listener);
  await served(() => undefined)("msg_1");
  diagnostics.unsubscribe("hookproof:outcome", listener);
  expect(seen).toMatchObject([{ kind: "accepted", id: "msg_1" }]);
});

test("OpenTelemetry counts them, if it is there", async () => {
  const exporter = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE);
  const reader = new PeriodicExportingMetricReader({ exporter });
  metrics.setGlobalMeterProvider(new MeterProvider({ readers: [reader] }));
  const send = served(() => undefined);
  await send("msg_1");
  await send("msg_1");
  await reader.forceFlush();
  const counter = exporter
    .getMetrics()[0]!
    .scopeMetrics[0]!.metrics.find(({ descriptor }) => descriptor.name === "hookproof.deliveries")!;
  expect(counter.dataPoints.map(({ attributes, value }) => [attributes, value])).toEqual([
    [{ "hookproof.outcome": "accepted", "hookproof.scheme": "standard-webhooks" }, 1],
    [{ "hookproof.outcome": "duplicate", "hookproof.scheme": "standard-webhooks" }, 1],
  ]);
  metrics.disable();
});

test("by default a refusal is one line of the log, a flood of them is twenty, and what went well is none", async () => {
  const warn = vi.spyOn(console, "warn").mockImplementation(() => undefined);
  const receiver = new Receiver("standard-webhooks", SECRET, { store: null });
  const answer = receive(receiver, () => undefined);
  await answer(request("standard-webhooks", SECRET, BODY, { id: "msg_1" }));
  expect(warn).not.toHaveBeenCalled();
  for (let i = 0; i < 100; i++) await answer(forged());
  expect(warn.mock.calls[0]![0]).toBe(
    "hookproof: refused timestamp_missing standard-webhooks status=401: the timestamp is absent or empty: it is expected in header webhook-timestamp",
  );
  expect(warn.mock.calls.length).toBe(21);
});

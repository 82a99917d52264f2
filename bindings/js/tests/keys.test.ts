// The dedup keys of tests/vectors/keys.json, which every language must derive alike.
import { readFileSync } from "node:fs";
import { Verifier } from "hookproof";
import { expect, test } from "vitest";

interface Record {
  id: string;
  [field: string]: unknown;
}
const { deliveries } = JSON.parse(
  readFileSync(new URL("../../../tests/vectors/keys.json", import.meta.url), "utf8"),
) as { deliveries: Record[] };

test.each(deliveries)("$id", (record) => {
  const options = (record.options ?? {}) as { [name: string]: unknown };
  const verifier = new Verifier(record.scheme as string, record.secret as string, options);
  const body =
    record.body_b64 === undefined ? (record.body_utf8 as string) : Buffer.from(record.body_b64 as string, "base64");
  const delivery = verifier.verify(body, record.headers as { [name: string]: string }, {
    now: record.now as number,
  });
  expect(Buffer.from(delivery.key(record.scope as string)!).toString("hex")).toBe(record.key_hex);
});

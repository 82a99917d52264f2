// Interleaved measurement: each round runs every case once, so that what else the machine does hits all of them alike.

/** The key of every bench: 24 bytes. */
export const SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

const SIZES = [256, 1024, 16 * 1024, 1024 * 1024];
export const NAMES = ["256 B", "1 KiB", "16 KiB", "1 MiB"];

/** Medians in microseconds by size and case; `cases(size)` gives functions by name, `clock` milliseconds. */
export async function measure(cases, { rounds = 15, budgetMs = 12, clock = () => performance.now() } = {}) {
  const rows = [];
  for (const size of SIZES) {
    const functions = Object.entries(await cases(size));
    const counts = new Map();
    for (const [name, run] of functions) counts.set(name, await calibrated(run, budgetMs, clock));
    const samples = new Map(functions.map(([name]) => [name, []]));
    for (let round = 0; round < rounds; round++) {
      for (const [name, run] of functions) samples.get(name).push((await timed(run, counts.get(name), clock)) * 1000);
    }
    rows.push(Object.fromEntries([...samples].map(([name, times]) => [name, median(times)])));
  }
  return rows;
}

async function calibrated(run, budgetMs, clock) {
  let count = 1;
  while ((await timed(run, count, clock)) * count < budgetMs) count *= 2;
  return count;
}

async function timed(run, count, clock) {
  const started = clock();
  for (let i = 0; i < count; i++) {
    const result = run();
    if (result instanceof Promise) await result;
  }
  return (clock() - started) / count;
}

export const median = (values) => values.toSorted((a, b) => a - b)[values.length >> 1];

/** A request of this size, as perf.md has it: real JSON, nine headers, a key of 24 bytes. */
export function delivery(size, sign) {
  const objects = [];
  let length = 1;
  for (let i = 0; ; i++) {
    const object = `{"id":${i},"name":"item ${i}","ok":true}`;
    if ((length += object.length + 1) > size) break;
    objects.push(object);
  }
  const body = new TextEncoder().encode(`[${objects.join(",")}]`.padEnd(size, " "));
  const { headers } = sign(body, { id: "msg_2KWPBgLlAfxdpx2AI54pPJ85f4W" });
  return {
    body,
    headers: {
      host: "example.com",
      "user-agent": "hooks/1.0",
      accept: "*/*",
      "content-type": "application/json",
      "content-length": String(size),
      "x-forwarded-for": "192.0.2.1",
      ...headers,
    },
  };
}

/** Prints a table: a row per case, and its ratio to the base case of each size. */
export function show(title, rows, base, bars = {}) {
  console.log(`\n${title} (µs, and the multiple of ${base})`);
  console.log(`${"".padEnd(34)}${NAMES.map((name) => name.padStart(18)).join("")}`);
  let missed = 0;
  for (const name of Object.keys(rows[0])) {
    const cells = rows.map((row, i) => {
      const ratio = row[name] / row[base];
      const bar = bars[name]?.[i];
      const over = bar !== undefined && ratio > bar;
      if (over) missed++;
      return `${row[name].toFixed(row[name] < 100 ? 2 : 0)} [${ratio.toFixed(2)}${bar === undefined ? "" : over ? ` > ${bar}` : ` ≤ ${bar}`}]`.padStart(
        18,
      );
    });
    console.log(`${name.padEnd(34)}${cells.join("")}`);
  }
  return missed;
}

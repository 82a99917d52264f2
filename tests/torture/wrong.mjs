// Four protocols that people write, each wrong: the torture must find every one of them. `wrong.py` says what is wrong.
const RETENTION_MS = 3_600_000;
const hex = (bytes) => Buffer.from(bytes).toString("hex");
// Rises, so that what is found wrong is the protocol.
const claimed = () => ({ kind: "claimed", fence: Number(process.hrtime.bigint() / 1000n) });

class Wrong {
  scope = "torture";
  constructor(client) {
    this.client = client;
  }
  async complete() {
    return true;
  }
  async release() {
    return true;
  }
  async extend() {
    return true;
  }
  async forget() {
    return false;
  }
}

class CheckThenSet extends Wrong {
  async claim(key, _token, bodyHash) {
    return (await this.client.get(hex(key))) ? { kind: "done", bodyHash } : claimed();
  }
  async complete(key) {
    await this.client.set(hex(key), "done", "PX", RETENTION_MS);
    return true;
  }
}

class SetWithoutRelease extends Wrong {
  async claim(key, _token, bodyHash) {
    return (await this.client.set(hex(key), "done", "PX", RETENTION_MS, "NX")) ? claimed() : { kind: "done", bodyHash };
  }
}

class Leased extends Wrong {
  async claim(key, token, bodyHash, leaseMs) {
    if (await this.client.set(hex(key), hex(token), "PX", leaseMs, "NX")) return claimed();
    return (await this.client.get(hex(key))) === "done"
      ? { kind: "done", bodyHash }
      : { kind: "in_flight", remainingMs: 50 };
  }
  async complete(key, token) {
    return this.compared(key, token, "SET", "done", "PX", RETENTION_MS);
  }
  async release(key, token) {
    return this.compared(key, token, "DEL");
  }
  async extend(key, token, leaseMs) {
    return this.compared(key, token, "PEXPIRE", leaseMs);
  }
  async compared(key, token, command, ...given) {
    const script =
      "if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end redis.call(ARGV[2], KEYS[1], unpack(ARGV, 3)) return 1";
    return (await this.client.eval(script, 1, hex(key), hex(token), command, ...given)) === 1;
  }
}

class LeaseWithoutToken extends Leased {
  async complete(key) {
    await this.client.set(hex(key), "done", "PX", RETENTION_MS);
    return true;
  }
}

class ReleaseWithoutToken extends Leased {
  async release(key) {
    return (await this.client.del(hex(key))) === 1;
  }
}

export const WRONG = {
  "check-then-set": CheckThenSet,
  "set-without-release": SetWithoutRelease,
  "lease-without-token": LeaseWithoutToken,
  "release-without-token": ReleaseWithoutToken,
};

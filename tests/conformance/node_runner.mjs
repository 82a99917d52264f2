#!/usr/bin/env node
// Plays every vector in Node on the native engine: see README.md.
process.env.HOOKPROOF_ENGINE = "native";
const { print } = await import("./node_print.mjs");
await print("native");

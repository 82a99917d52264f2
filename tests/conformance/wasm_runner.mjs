#!/usr/bin/env node
// Plays every vector in Node on the WebAssembly engine: see README.md.
process.env.HOOKPROOF_ENGINE = "wasm";
const { print } = await import("./node_print.mjs");
await print("wasm");

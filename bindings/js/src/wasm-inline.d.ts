/** The module, compiled from bytes that travel inside the JavaScript: no bundler can lose it. Written by `build.mjs`. */
export function inlineModule(): WebAssembly.Module;

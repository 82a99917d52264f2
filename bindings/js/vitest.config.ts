import { defineConfig } from "vitest/config";

// The tests import the package by its name, as users do, and so run what was built; every one of them on both engines.
const project = (name: string, env: Record<string, string>) => ({
  test: { name, env, include: ["tests/**/*.test.ts"], testTimeout: 20_000 },
});

export default defineConfig({
  test: { reporters: ["dot"], projects: [project("native", {}), project("wasm", { HOOKPROOF_ENGINE: "wasm" })] },
});

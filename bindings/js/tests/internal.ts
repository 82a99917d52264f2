// What is not for users, but for tests: the very engine that the built package uses.
interface Internal {
  core(): { readonly kind: string; call<T>(run: (functions: { errors(): string; panicOnPurpose(): void }) => T): T };
}

export const { core } = (await import(new URL("../dist/esm/engine.js", import.meta.url).href)) as Internal;

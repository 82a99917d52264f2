declare module "*.wasm" {
  const module: WebAssembly.Module;
  export default module;
}
declare module "*.wasm?module" {
  const module: WebAssembly.Module;
  export default module;
}
declare module "*/inline.cjs" {
  const inline: { inlineModule(): WebAssembly.Module };
  export default inline;
}
declare module "*/load.cjs" {
  const native: { load(): unknown; triple(): string };
  export default native;
}

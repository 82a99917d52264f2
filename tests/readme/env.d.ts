// The bindings that the README's Worker has: what `wrangler types` would write.
declare module "cloudflare:workers" {
  type Store = typeof import("hookproof/stores/durable-object").DurableObjectStore;
  export const env: { AGENTBOT_SECRET: string; HOOKPROOF: ConstructorParameters<Store>[0] };
}

export type { BodyInput } from "./body.js";
export { Claim } from "./claim.js";
export { Delivery, type Item } from "./delivery.js";
export { engine } from "./engine.js";
export {
  type ConfigurationCode,
  ConfigurationError,
  type ErrorCode,
  LeaseLost,
  type VerificationCode,
  VerificationError,
} from "./errors.js";
// With a star: only so can users add to `Events` under the name of this module.
export type * from "./events.js";
export type { HeadersInput, HeaderValue } from "./headers.js";
export type { Outcome } from "./outcome.js";
export { Receiver, type ReceiverOptions } from "./receiver.js";
export { Scheme, type SchemeDefinition, type SchemeInput } from "./scheme.js";
export { Secret, type SecretInput, type SecretOptions } from "./secret.js";
export { type Message, type Signed, Signer } from "./signer.js";
export type { Awaitable, ClaimAnswer, Store } from "./store.js";
export { MemoryStore, type MemoryStoreOptions } from "./stores/memory.js";
export { VerificationStream } from "./stream.js";
export { type Explanation, Verifier, type VerifierOptions, type VerifyOptions } from "./verifier.js";

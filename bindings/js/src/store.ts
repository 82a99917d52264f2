/**
 * What {@link Store.claim} answers.
 *
 * - `claimed`: the key is the caller's until the lease ends. `fence` is higher than that of every earlier claim of
 *   this key; pass it to whatever must refuse a late worker.
 * - `done`: the key was completed before; `bodyHash` is SHA-256 of the body that was, or zeros where its
 *   receiver did not ask for conflicts.
 * - `in_flight`: another token holds the key for `remainingMs` more milliseconds.
 */
export type ClaimAnswer =
  | { readonly kind: "claimed"; readonly fence: number }
  | { readonly kind: "done"; readonly bodyHash?: Uint8Array }
  | { readonly kind: "in_flight"; readonly remainingMs: number };

/** A value, or a promise of it: a store answers as its client does. */
export type Awaitable<T> = T | PromiseLike<T>;

/**
 * The four atomic steps of a claim, on one store.
 *
 * A key is the 32 bytes of `delivery.key()`, a token 16 random bytes, a body hash SHA-256; all durations are
 * milliseconds and relative to the store's own clock. Every step rejects, or throws, when the store cannot give an
 * answer that holds: the delivery is then refused with 503, because a handler never runs without a claim.
 *
 * Rules that hold in every store:
 * 1. A claim that repeats the token of the claim in flight is the same claim: same fence, new lease.
 * 2. `complete`, `release` and `extend` answer `true` while the token is the newest one, also after its lease ended.
 * 3. The fence of a key only rises, over takeovers, releases and `forget`.
 */
export interface Store {
  /** What the store keeps apart: the user's endpoint or tenant. It goes into every key. */
  readonly scope?: string;
  /** Takes `key` for `leaseMs`, unless it is done or in flight elsewhere. */
  claim(key: Uint8Array, token: Uint8Array, bodyHash: Uint8Array, leaseMs: number): Awaitable<ClaimAnswer>;
  /** Marks the claim done for `retentionMs`; `false` if the token is no longer the newest one. */
  complete(key: Uint8Array, token: Uint8Array, retentionMs: number): Awaitable<boolean>;
  /** Frees the claim, so that the sender's next try runs; `false` if the token is no longer the newest one. */
  release(key: Uint8Array, token: Uint8Array): Awaitable<boolean>;
  /** Lets the lease end `leaseMs` from now; `false` if the token is no longer the newest one. */
  extend(key: Uint8Array, token: Uint8Array, leaseMs: number): Awaitable<boolean>;
  /** Forgets that `key` is done, so that the same event runs once more; `false` if it was not done. */
  forget(key: Uint8Array): Awaitable<boolean>;
  /**
   * Completes the claim inside the user's own transaction, where the store can: the effect and the claim then commit
   * together. `false` if the token is no longer the newest one, and the transaction must abort.
   */
  completeIn?(transaction: never, key: Uint8Array, token: Uint8Array, retentionMs: number): Awaitable<boolean>;
  /** Takes note of how long a receiver needs completed keys at least; for a bounded store. */
  rememberAtLeast?(minimumMs: number): void;
  /** Makes the tables that the store needs, where it needs any. */
  create?(): Awaitable<void>;
}

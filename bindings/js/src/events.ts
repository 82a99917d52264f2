import type { Delivery } from "./delivery.js";

/**
 * What events carry, by provider and event type. Declare your own, and handlers get deliveries that a check of
 * `eventType` narrows:
 *
 * ```ts
 * declare module "hookproof" {
 *   interface Events {
 *     stripe: { "invoice.paid": { data: { object: { amount_paid: number } } } };
 *   }
 * }
 * ```
 *
 * The signature proves who sent a body, not what shape it has: these types are as true as the provider's documentation.
 */
// biome-ignore lint/suspicious/noEmptyInterface: users fill it
export interface Events {}

/** The deliveries of one provider: by event type where `Events` has them, otherwise with JSON of an unknown type. */
export type DeliveryOf<Provider extends string> = Provider extends keyof Events
  ? {
      [Type in keyof Events[Provider] & string]: Delivery<Events[Provider][Type]> & { readonly eventType: Type };
    }[keyof Events[Provider] & string]
  : Delivery;

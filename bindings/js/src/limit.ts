import { VerificationError } from "./errors.js";

/** The refusal of a body that is over the receiver's limit. */
export function tooLarge(limit: number): VerificationError {
  return new VerificationError("body_too_large", `the body is over the limit of ${limit} bytes (\`maxBody\`)`, 413);
}

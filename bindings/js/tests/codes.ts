// Every code once: the compiler holds this against the unions, the test against the core.
import type { ConfigurationCode, VerificationCode } from "hookproof";

const verification: Record<VerificationCode, "verification"> = {
  signature_missing: "verification",
  timestamp_missing: "verification",
  id_missing: "verification",
  header_missing: "verification",
  signature_malformed: "verification",
  signature_too_many: "verification",
  signature_unsupported: "verification",
  signature_mismatch: "verification",
  timestamp_malformed: "verification",
  id_malformed: "verification",
  timestamp_too_old: "verification",
  timestamp_too_new: "verification",
  token_missing: "verification",
  token_mismatch: "verification",
  body_too_large: "verification",
  body_malformed: "verification",
  field_missing: "verification",
  conflict: "verification",
  body_not_raw: "verification",
  headers_unsupported: "verification",
  request_incomplete: "verification",
  rate_limited: "verification",
  store_unavailable: "verification",
  internal_error: "verification",
};
const configuration: Record<ConfigurationCode, "configuration"> = {
  secret_missing: "configuration",
  secret_empty: "configuration",
  secret_malformed: "configuration",
  secret_too_short: "configuration",
  secret_too_long: "configuration",
  secret_wrong_kind: "configuration",
  secret_too_many: "configuration",
  scheme_unknown: "configuration",
  scheme_invalid: "configuration",
  option_invalid: "configuration",
};
export const codes = { ...verification, ...configuration };

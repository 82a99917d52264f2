//! The script that Redis and Valkey run, for every language.

/// One script for all operations, so that each of them is one `EVALSHA`.
///
/// `KEYS[1]` is [`key_name`]; `ARGV[1]` names the operation. Tokens, body hashes and keys go in and out as lower-case
/// hexadecimal, so that a client may decode answers as text or leave them as bytes.
///
/// | operation | further arguments | answer |
/// |---|---|---|
/// | `claim` | token, lease in ms, body hash | the fence; minus the remaining ms if in flight; the body hash as text if done |
/// | `complete` | token, retention in ms | 1 if held, else 0 |
/// | `release` | token | likewise |
/// | `extend` | token, lease in ms | likewise |
/// | `forget` | | 1 if the key was done, else 0 |
///
/// One integer or text, and no list: reading a list costs some clients as much as the script.
///
/// Needs Redis 5 or newer, or any Valkey: before, a script that had read the time could not write.
///
/// ```
/// assert!(hookproof::store::lua::SCRIPT.contains("call('TIME')"), "the clock is the server's own");
/// ```
pub const SCRIPT: &str = include_str!("claim.lua");

/// SHA-1 of [`SCRIPT`], by which `EVALSHA` names it.
///
/// ```
/// use sha1::{Digest as _, Sha1};
///
/// let digest = Sha1::digest(hookproof::store::lua::SCRIPT);
/// let text: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
/// assert_eq!(hookproof::store::lua::SHA1, text, "this is the SHA-1 of claim.lua now");
/// ```
pub const SHA1: &str = "e71e0c9978be152f99033cd82a4692532e1e0ac4";

/// The Redis key of a delivery's key: `hookproof:`, the scope, `:` and the key in hexadecimal.
///
/// One key for each operation, so that a cluster may keep them on any of its nodes.
///
/// ```
/// assert!(hookproof::store::lua::key_name("crm", &[0xab; 32]).starts_with("hookproof:crm:abab"));
/// ```
#[must_use]
pub fn key_name(scope: &str, key: &[u8; 32]) -> alloc::string::String {
    use core::fmt::Write as _;

    let mut name = alloc::string::String::with_capacity("hookproof::".len() + scope.len() + 64);
    name.push_str("hookproof:");
    name.push_str(scope);
    name.push(':');
    for byte in key {
        let _ = write!(name, "{byte:02x}");
    }
    name
}

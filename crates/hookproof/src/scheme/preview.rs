use alloc::{vec, vec::Vec};

use super::Scheme;
use crate::{Error, Options, Request, content::Proven, scheme::definition::SignatureRule, wire::Wire};

impl Scheme {
    /// The exact bytes that are signed in a request, one entry for each signature table that counts for it; for the author
    /// of a scheme, without judging anything. A key that is part of them is shown as `{secret}`.
    ///
    /// # Errors
    /// What the request lacks to be signed: `header_missing`, `request_incomplete`, `body_malformed`.
    ///
    /// ```
    /// use hookproof::{Options, Request, Scheme};
    /// let headers = [("X-Slack-Request-Timestamp", "1531420618")];
    /// let signed = Scheme::named("slack")?.signed_bytes(&Request::new(&headers, "a=1"), &Options::default())?;
    /// assert_eq!(signed, [b"v0:1531420618:a=1"]);
    /// # Ok::<(), hookproof::Error>(())
    /// ```
    pub fn signed_bytes(&self, request: &Request<'_>, options: &Options) -> Result<Vec<Vec<u8>>, Error> {
        let wire = Wire::new(&self.0, options, request);
        // Where neither is part of what is signed, they need not be there, nor need the body be what they stand in.
        let id = wire.first(&self.0.delivery.id).ok().flatten().unwrap_or_default();
        let times = self.0.timestamp.as_ref().map_or(&[][..], |rule| &rule.from);
        let timestamp = wire.first(times).ok().flatten().unwrap_or_default();
        let proven = Proven { id: &id, timestamp: &timestamp };
        let mut signed = Vec::new();
        for (_, rule) in wire.rules() {
            signed.extend(of_rule(&wire, rule, proven)?);
        }
        Ok(signed)
    }
}

/// One entry, or one for each item of a batch that is signed item by item.
fn of_rule(wire: &Wire<'_>, rule: &SignatureRule, proven: Proven<'_>) -> Result<Vec<Vec<u8>>, Error> {
    let spelling = wire.definition.spellings.first().copied().unwrap_or(crate::url::Spelling::AsIs);
    let items = wire.items(rule)?;
    let places = items.as_ref().map_or(vec![None], |items| items.iter().map(Some).collect());
    let shown = |item| wire.signed_bytes(rule, spelling, item, proven, b"{secret}");
    places.into_iter().map(shown).collect()
}

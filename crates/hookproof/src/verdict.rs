//! The order in which a request is judged: what is missing, its grammar, its signature, its time.

use alloc::{format, vec::Vec};

use crate::{
    Error, ErrorKind, Request,
    comparison::{Comparison, Running},
    json,
    proof::{Head, Proof},
    scheme::{
        definition::{Carrier, Coverage, SignatureRule},
        describe,
        source::Source,
    },
    signature::{Candidates, is_name},
    url::Spelling,
    verify::Inner,
    wire::{Value, Wire, unreadable},
};

const TOKEN_MISMATCH: Error = Error::fixed(ErrorKind::TokenMismatch, "the token is none of the configured ones");
const TIMESTAMP_MALFORMED: Error =
    Error::fixed(ErrorKind::TimestampMalformed, "the timestamp is not of the form that the provider sends");
const ID_MALFORMED: Error = Error::fixed(
    ErrorKind::IdMalformed,
    "the delivery id is not printable ASCII of 1 to 255 characters, or holds a delimiter",
);

impl Inner {
    /// The verdict on a whole request. Of the body, what is `running` has seen all.
    pub(crate) fn judge<'a>(&'a self, request: &Request<'a>, now: i64, running: &Running) -> Result<Proof<'a>, Error> {
        let wire = self.wire(request);
        let mut candidates = Candidates::new();
        let head = self.open(&wire, &mut candidates)?;
        self.settle(&wire, head, &mut candidates, now, running)
    }

    /// Everything that can be judged before the body is there: what is missing first, then the grammar, both in the
    /// order id, timestamp, signature.
    pub(crate) fn open<'a>(&'a self, wire: &Wire<'a>, candidates: &mut Candidates) -> Result<Head<'a>, Error> {
        let definition = self.definition();
        let in_head = |sources: &[Source]| !sources.iter().any(Source::in_body);

        let id = wire.lent(&definition.delivery.id);
        if id.is_none() && self.plan().needs_id && in_head(&definition.delivery.id) {
            return Err(self.without_id());
        }
        // A label can only be looked for in a list that is there.
        let in_list = |from: &Source| matches!(from, Source::Label(_) | Source::Position(_));
        let (listed, timestamp) = match &definition.timestamp {
            Some(rule) if rule.from.iter().any(in_list) => (Some(rule), None),
            Some(rule) => {
                let timestamp = wire.lent(&rule.from);
                if timestamp.is_none() && in_head(&rule.from) {
                    return Err(self.without_timestamp(&rule.from));
                }
                (None, timestamp)
            }
            None => (None, None),
        };
        let read = self.read_signatures(wire, false, candidates)?;

        let mut head = Head::default();
        if let Some(id) = id {
            head.id = self.takes_id(&id)?.then_some(id);
        }
        if let Some(timestamp) = timestamp {
            let seconds = self.seconds(&timestamp)?;
            head.timestamp = Some((timestamp, seconds));
        }
        read?;
        if let Some(rule) = listed
            && in_head(&rule.from)
        {
            let timestamp = wire.lent(&rule.from).ok_or_else(|| self.without_timestamp(&rule.from))?;
            let seconds = self.seconds(&timestamp)?;
            head.timestamp = Some((timestamp, seconds));
        }
        Ok(head)
    }

    /// An id that is part of what is signed must not be able to move a boundary in it; one that binds nobody is
    /// simply not taken.
    fn takes_id(&self, id: &[u8]) -> Result<bool, Error> {
        let plan = self.plan();
        let takes = plan.is_id(id);
        if takes || !plan.needs_id { Ok(takes) } else { Err(ID_MALFORMED) }
    }

    fn seconds(&self, timestamp: &[u8]) -> Result<i64, Error> {
        let rule = self.definition().timestamp.as_ref();
        rule.and_then(|rule| rule.unit.parse(timestamp)).ok_or(TIMESTAMP_MALFORMED)
    }

    /// Reads the signatures of each place once, for all rules that look there. The outer error is that there are none;
    /// the inner one, what is wrong with them, which is said after what is wrong with id and timestamp.
    fn read_signatures(
        &self,
        wire: &Wire<'_>,
        from_body: bool,
        candidates: &mut Candidates,
    ) -> Result<Result<(), Error>, Error> {
        let here = |rule: &SignatureRule| in_body(rule) == from_body && !per_item(rule);
        let (mut any, mut carried) = (false, false);
        for place in &self.plan().places {
            let Some((_, rule)) = place.rules(wire).next().filter(|(_, rule)| here(rule)) else { continue };
            any = true;
            for value in wire.carried(rule)? {
                carried = true;
                if let Err(error) = candidates.read(&value, place, rule, wire) {
                    return Ok(Err(error));
                }
            }
        }
        let mut rules = wire.rules().filter(|(_, rule)| here(rule));
        if !carried && rules.clone().next().is_some() {
            let mut tokens = rules.clone().filter(|(_, rule)| rule.algorithm.is_token());
            while let (false, Some((_, rule))) = (carried, tokens.next()) {
                carried = wire.carried(rule)?.next().is_some();
            }
            if !carried {
                let place = rules.clone().next().map(|(_, rule)| describe::carrier(self.definition(), &rule.carrier));
                let place = place.unwrap_or_default();
                return Err(match rules.any(|(_, rule)| rule.algorithm.is_token()) {
                    true => self.unauthorized(missing(ErrorKind::TokenMissing, "the token", &place)),
                    false => missing(ErrorKind::SignatureMissing, "the signature", &place),
                });
            }
        }
        Ok(if any { candidates.check() } else { Ok(()) })
    }

    fn without_id(&self) -> Error {
        let place = describe::sources(self.definition(), &self.definition().delivery.id);
        missing(ErrorKind::IdMissing, "the delivery id", &place)
    }

    fn without_timestamp(&self, from: &[Source]) -> Error {
        missing(ErrorKind::TimestampMissing, "the timestamp", &describe::sources(self.definition(), from))
    }

    /// The refusal of a token has the status that the scheme wants.
    pub(crate) fn unauthorized(&self, error: Error) -> Error {
        error.with_status(self.definition().answer.unauthorized)
    }

    /// What stands in the body: the id where it is needed, and the timestamp.
    pub(crate) fn complete<'a>(&'a self, wire: &Wire<'a>, head: &mut Head<'a>) -> Result<(), Error> {
        let definition = self.definition();
        let id = match head.id {
            None if self.plan().needs_id => {
                Some(wire.first(&definition.delivery.id)?.ok_or_else(|| self.without_id())?)
            }
            _ => None,
        };
        let timestamp = match &definition.timestamp {
            Some(rule) if head.timestamp.is_none() => {
                Some(wire.first(&rule.from)?.ok_or_else(|| self.without_timestamp(&rule.from))?)
            }
            _ => None,
        };
        if let Some(id) = id {
            head.id = self.takes_id(&id)?.then(|| id.into_owned().into());
        }
        if let Some(timestamp) = timestamp {
            let seconds = self.seconds(&timestamp)?;
            head.timestamp = Some((timestamp.into_owned().into(), seconds));
        }
        Ok(())
    }

    /// The rest, once the body is there: what stands in it, the signature, the window.
    fn settle<'a>(
        &'a self,
        wire: &Wire<'a>,
        mut head: Head<'a>,
        candidates: &mut Candidates,
        now: i64,
        running: &Running,
    ) -> Result<Proof<'a>, Error> {
        let definition = self.definition();
        self.complete(wire, &mut head)?;
        if self.plan().in_body {
            self.read_signatures(wire, true, candidates)??;
        }

        let mut secret = None;
        for (number, rule) in wire.rules() {
            let comparison = Comparison { inner: self, wire, number, rule, proven: head.proven(), now };
            let found = comparison.secret(candidates, running)?;
            secret = secret.or(found);
        }
        let Some(secret) = secret else {
            let token = wire.rules().all(|(_, rule)| rule.algorithm.is_token());
            return Err(if token { self.unauthorized(TOKEN_MISMATCH) } else { self.mismatch() });
        };

        if let Some((_, timestamp)) = head.timestamp {
            self.within_window(timestamp, now)?;
        }
        for pointer in &definition.delivery.required {
            let found = json::find(wire.body, pointer).map_err(unreadable)?;
            if found.is_none_or(|found| matches!(found.raw(), "null" | "\"\"")) {
                return Err(Error::new(ErrorKind::FieldMissing, format!("the body is without `{}`", pointer.as_str())));
            }
        }
        let signed = self.signed(wire, &head)?;
        let timestamp = head.timestamp.map(|(_, seconds)| seconds);
        Ok(Proof { id: head.id, event: self.event(wire), timestamp, secret, signed })
    }

    /// Judged after the signature, so that it is only ever said of an authentic request.
    pub(crate) fn within_window(&self, timestamp: i64, now: i64) -> Result<(), Error> {
        let tolerance = i64::try_from(self.tolerance()).unwrap_or(i64::MAX);
        let age = now.saturating_sub(timestamp);
        if age > tolerance {
            let message = format!("it was signed {age} s ago: the tolerance is {tolerance} s");
            return Err(Error::new(ErrorKind::TimestampTooOld, message));
        }
        let ahead = age.saturating_neg();
        if ahead > tolerance {
            let message = format!("it was signed {ahead} s ahead: the tolerance is {tolerance} s");
            return Err(Error::new(ErrorKind::TimestampTooNew, message));
        }
        Ok(())
    }

    /// What the signature covers, where that is not the whole body.
    pub(crate) fn signed(&self, wire: &Wire<'_>, head: &Head<'_>) -> Result<Option<Vec<u8>>, Error> {
        if self.plan().coverage != Coverage::Partial {
            return Ok(None);
        }
        let mut signed = Vec::new();
        for (_, rule) in wire.rules() {
            match wire.items(rule)? {
                Some(items) => {
                    for item in &items {
                        signed.extend(wire.signed_bytes(rule, Spelling::AsIs, Some(item), head.proven(), &[])?);
                        signed.push(b'\n');
                    }
                }
                None => signed.extend(wire.signed_bytes(rule, Spelling::AsIs, None, head.proven(), &[])?),
            }
        }
        Ok(Some(signed))
    }

    /// The event type, where it stands outside the body.
    pub(crate) fn event<'a>(&'a self, wire: &Wire<'a>) -> Option<Value<'a>> {
        let event = wire.lent(&self.definition().delivery.event_type);
        event.filter(|event| is_name(event))
    }
}

fn missing(kind: ErrorKind, what: &str, place: &str) -> Error {
    Error::new(kind, format!("{what} is absent or empty: it is expected in {place}"))
}

pub(crate) fn in_body(rule: &SignatureRule) -> bool {
    matches!(rule.carrier, Carrier::Form(_) | Carrier::Json(_))
}

pub(crate) fn per_item(rule: &SignatureRule) -> bool {
    matches!(&rule.carrier, Carrier::Json(pointer) if pointer.each())
}

#[cfg(test)]
mod tests {
    use crate::{Request, Scheme, Secret, Verifier};

    fn refusal(scheme: &str, headers: &[(&str, &str)]) -> String {
        let verifier = Verifier::new(Scheme::named(scheme).unwrap(), Secret::new("MfKQ9r8GKYqrTwjUPD8ILPZI").unwrap());
        let headers = headers.to_vec();
        let request = Request::new(&headers, "a=1").url("https://example.com/hook");
        verifier.unwrap().verify(&request, 0).unwrap_err().to_string()
    }

    #[test]
    fn a_refusal_says_where_it_looked() {
        let expected = "the signature is absent or empty: it is expected in header x-hub-signature-256";
        assert_eq!(refusal("github", &[]), expected);
        let expected = "the timestamp is absent or empty: it is expected in header x-slack-request-timestamp";
        assert_eq!(refusal("slack", &[("X-Slack-Signature", "v0=00")]), expected);
    }

    #[test]
    fn where_the_url_is_signed_a_mismatch_asks_for_it() {
        assert!(refusal("twilio", &[("X-Twilio-Signature", "AAAAAAAAAAAAAAAAAAAAAAAAAAA=")]).contains("`public_url`"));
        assert!(!refusal("github", &[("X-Hub-Signature-256", &format!("sha256={:064}", 0))]).contains("public_url"));
    }
}

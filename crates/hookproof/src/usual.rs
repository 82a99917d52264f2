//! The usual request, judged without detours.
//!
//! Most schemes keep each value in a header of its own and sign with one HMAC, and most of their requests bring one
//! line for each header and one signature. Those are judged here, where nothing has to be looked for. Every other
//! request is left to [`crate::verdict`], which knows all shapes and says what is wrong with those that have none. Both
//! say the same of whatever is judged here, and the tests below hold them to that.

use alloc::{borrow::Cow, string::String, vec::Vec};

use crate::{
    Error, Headers, Request,
    keyring::{Key, Kind},
    plan::Plan,
    proof::Proof,
    scheme::{
        definition::{Algorithm, Carrier, Coverage, Definition, SignatureRule},
        source::Source,
        template::What,
    },
    signature::{is_name, is_payload},
    timestamp::Unit,
    verify::Inner,
};

/// More pieces than what is signed mostly has.
const MOST_PIECES: usize = 8;

/// Headers by their slots, of which the first present counts.
type Slots = Vec<usize>;

/// Where a usual request has its values.
pub(crate) struct Usual {
    id: Slots,
    timestamp: Option<(Slots, Unit)>,
    event: Slots,
    signature: Slots,
    /// What stands in front of the signature in its header, such as `v1,`.
    prefix: Vec<u8>,
    /// The one rule of the scheme that there are keys of.
    rule: usize,
}

impl Usual {
    /// `None` where the requests of a scheme are of another shape, or the keys are of several rules.
    pub(crate) fn new(definition: &Definition, plan: &Plan, keys: &[Key]) -> Option<Self> {
        let rule = keys.first()?.rule;
        let signature = definition.signatures.get(rule)?;
        let [place] = &*plan.places else { return None };
        let unusual = place.entries.len() != definition.signatures.len()
            || keys.iter().any(|key| key.rule != rule)
            || definition.decoded
            || definition.by_content_type
            || plan.coverage != Coverage::Body
            || !definition.delivery.required.is_empty()
            || plan.oracle;
        if unusual || !is_usual(signature) {
            return None;
        }
        let prefix = match (signature.joiner, &*signature.labels, &*signature.prefixes) {
            (None, [], []) if signature.positions.is_empty() => Vec::new(),
            (None, [], [prefix]) if signature.positions.is_empty() => Vec::from(prefix.as_bytes()),
            (Some(joiner), [label], []) if place.is_only_label(rule, label) => [label.as_bytes(), &[joiner]].concat(),
            _ => return None,
        };
        // What decodes behind the prefix is then one signature, and not a list of them.
        if signature.separators.iter().any(|separator| prefix.contains(separator) || is_payload(&[*separator])) {
            return None;
        }
        let Carrier::Headers(headers) = &signature.carrier else { return None };
        let [headers] = &**headers else { return None };
        Some(Self {
            id: slots(&definition.delivery.id, plan.needs_id)?,
            timestamp: match &definition.timestamp {
                Some(rule) => Some((slots(&rule.from, true)?, rule.unit)),
                None => None,
            },
            event: slots(&definition.delivery.event_type, false)?,
            signature: headers.clone(),
            prefix,
            rule,
        })
    }

    /// The verdict on a request; `None` where that is not of the usual shape, be it good or bad.
    pub(crate) fn judge<'a>(
        &self,
        inner: &'a Inner,
        request: &Request<'a>,
        now: i64,
    ) -> Option<Result<Proof<'a>, Error>> {
        let definition = inner.definition();
        let rule = definition.signatures.get(self.rule)?;
        let header = |slots: &[usize]| line(request.headers, slots, &definition.slots.names);

        let id = header(&self.id)?;
        if id.map_or(inner.plan().needs_id, |id| !inner.plan().is_id(id)) {
            return None;
        }
        let (text, timestamp) = match &self.timestamp {
            Some((slots, unit)) => {
                let text = header(slots)??;
                (text, Some(unit.parse(text)?))
            }
            None => (&[][..], None),
        };
        let event = header(&self.event)?;
        if event.is_some_and(|event| !is_name(event)) {
            return None;
        }
        let mut candidate = [0; 64];
        let signature = header(&self.signature)??.strip_prefix(&*self.prefix)?;
        let candidate = rule.encoding.decode_into(signature, &mut candidate)?;
        if rule.algorithm.size(rule.der) != Some(candidate.len()) {
            return None;
        }

        let mut parts = [&[][..]; MOST_PIECES];
        for (part, piece) in parts.iter_mut().zip(&rule.content.0) {
            *part = match &piece.what {
                What::Literal(literal) => literal.as_bytes(),
                What::Id => id.unwrap_or_default(),
                What::Timestamp => text,
                _ => request.body,
            };
        }
        let parts = parts.get(..rule.content.0.len())?;
        let mut secret = None;
        for key in inner.active_keys(now) {
            if let Kind::Mac(keyed) = &key.kind
                && keyed.tag(parts).is_among([candidate], &key.blind).into()
            {
                secret = secret.or(Some(key.secret));
            }
        }
        let Some(secret) = secret else { return Some(Err(inner.mismatch())) };
        if let Some(timestamp) = timestamp
            && let Err(error) = inner.within_window(timestamp, now)
        {
            return Some(Err(error));
        }
        let (id, event) = (id.map(Cow::Borrowed), event.map(Cow::Borrowed));
        Some(Ok(Proof { id, event, timestamp, secret, signed: None }))
    }
}

/// Whether nothing but one HMAC over plain pieces makes a signature.
fn is_usual(rule: &SignatureRule) -> bool {
    let plain = |what: &What| matches!(what, What::Literal(_) | What::Id | What::Timestamp | What::Body);
    matches!(rule.algorithm, Algorithm::Hmac(_))
        && rule.body_hash.is_none()
        && rule.content.0.len() <= MOST_PIECES
        && rule.content.0.iter().all(|piece| plain(&piece.what) && piece.filters.is_empty())
}

/// The headers that a value is read from; `None` where it may stand elsewhere. What is not needed is not looked for in
/// the body.
fn slots(sources: &[Source], needed: bool) -> Option<Slots> {
    let slot = |source: &Source| if let Source::Header(slot) = source { Some(*slot) } else { None };
    sources.iter().filter(|source| needed || !source.in_body()).map(slot).collect()
}

/// The first of these headers that is there. `None`, where that is not one line without blanks around it.
fn line<'a>(headers: &'a dyn Headers, slots: &[usize], names: &[String]) -> Option<Option<&'a [u8]>> {
    let present = |slot: &usize| headers.value(*slot, names.get(*slot)?).filter(|value| !value.is_empty());
    match slots.iter().find_map(present) {
        Some(Cow::Borrowed([b' ' | b'\t', ..] | [.., b' ' | b'\t']) | Cow::Owned(_)) => None,
        Some(Cow::Borrowed(line)) => Some(Some(line)),
        None => Some(None),
    }
}

#[cfg(test)]
mod tests {
    use alloc::format;

    use proptest::{prelude::*, sample::Index};

    use super::*;
    use crate::{Message, Scheme, Secret, Signer, Verifier, comparison::Running};

    const NOW: i64 = 1_700_000_000;
    const SECRETS: [&str; 2] = ["MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "AAECAwQFBgcICQoLDA0ODxAREhMUFRYX"];

    type Lines = Vec<(String, Vec<u8>)>;

    /// What a request may bring instead of what was signed.
    #[derive(Clone, Debug)]
    enum Change {
        Nothing,
        Body,
        Drop,
        Empty,
        Repeat,
        Insert(u8),
        Replace(u8),
        Remove,
    }

    fn change() -> impl Strategy<Value = Change> {
        let byte = || prop_oneof![any::<u8>(), prop::sample::select(&b" \t,;.:=_-/+0vZ\n"[..])];
        prop_oneof![
            Just(Change::Nothing),
            Just(Change::Body),
            Just(Change::Drop),
            Just(Change::Empty),
            Just(Change::Repeat),
            byte().prop_map(Change::Insert),
            byte().prop_map(Change::Replace),
            Just(Change::Remove),
        ]
    }

    fn changed(lines: &mut Lines, body: &mut Vec<u8>, change: &Change, line: Index, at: Index) {
        let line = line.index(lines.len());
        let value = &mut lines[line].1;
        // The ends are where most can go wrong.
        let ends = [0, value.len().saturating_sub(1), at.index(value.len().max(1))];
        let at = ends[at.index(ends.len())];
        match change {
            Change::Nothing => {}
            Change::Body => body.push(b' '),
            Change::Drop => drop(lines.remove(line)),
            Change::Empty => value.clear(),
            Change::Repeat => lines.push(lines[line].clone()),
            Change::Insert(byte) => value.insert(at, *byte),
            Change::Replace(byte) => value.splice(at..(at + 1).min(value.len()), [*byte]).for_each(drop),
            Change::Remove => value.drain(at..(at + 1).min(value.len())).for_each(drop),
        }
    }

    /// A verdict in words. What is proven is public.
    fn told(verdict: Result<Proof<'_>, Error>) -> Result<String, Error> {
        verdict.map(|Proof { id, event, timestamp, secret, signed }| {
            format!("{id:?} {event:?} {timestamp:?} {secret} {signed:?}")
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4000))]
        #[test]
        fn both_ways_say_the_same(
            scheme in prop::sample::select(&["standard-webhooks", "svix", "github", "shopify", "slack", "zoom", "intercom", "typeform"][..]),
            (signing, given) in (0usize..2, 1usize..=2),
            changes in prop::collection::vec((change(), any::<Index>(), any::<Index>()), 1..3),
            (body, age) in (prop::collection::vec(any::<u8>(), 0..200), -400i64..400),
        ) {
            let prefix = if matches!(scheme, "standard-webhooks" | "svix") { "whsec_" } else { "" };
            let secret = |place: usize| Secret::new(format!("{prefix}{}", SECRETS[place])).unwrap();
            let scheme = Scheme::named(scheme).unwrap();
            let verifier = Verifier::new(scheme.clone(), (0..given).map(secret).collect::<Vec<_>>()).unwrap();
            let signer = Signer::new(scheme, secret(signing)).unwrap();
            let signed = signer.sign(&Message::new(&body, NOW - age).id("msg_1")).unwrap();
            let mut lines: Lines = signed.headers.into_iter().map(|(name, value)| (name, value.into_bytes())).collect();
            // What is read besides, such as the name of the event.
            for name in verifier.header_names() {
                if !lines.iter().any(|(known, _)| known.eq_ignore_ascii_case(name)) {
                    lines.push((name.clone(), b"push".to_vec()));
                }
            }
            let mut body = body;
            for (change, line, at) in &changes {
                if !lines.is_empty() {
                    changed(&mut lines, &mut body, change, *line, *at);
                }
            }
            let (request, inner) = (Request::new(&lines, &body), verifier.inner());
            let usual = inner.plan().usual.as_ref().unwrap();
            if let Some(verdict) = usual.judge(inner, &request, NOW) {
                prop_assert_eq!(told(verdict), told(inner.judge(&request, NOW, &Running::new())));
            } else {
                prop_assert!(!changes.iter().all(|(change, ..)| matches!(change, Change::Nothing | Change::Body)));
            }
        }
    }
}

use alloc::{
    format,
    string::{String, ToString},
    vec::Vec,
};

use crate::{
    Error, ErrorKind, Request, Verifier,
    digest::Hash,
    keyring::Kind,
    scheme::{
        definition::Handshake,
        template::{Template, What},
    },
    verify::Inner,
    wire::Wire,
};

/// The answer to a provider that asks an endpoint to prove itself.
///
/// ```
/// use hookproof::{Options, Request, Scheme, Secret, Verifier};
/// let options = Options { handshake: true, ..Options::default() };
/// let verifier = Verifier::with_options(Scheme::named("x-twitter")?, Secret::new("Convoy")?, options)?;
/// let headers: [(&str, &str); 0] = [];
/// let request = Request::new(&headers, "").method("GET").url("/webhook?crc_token=uzwcfYtzr9");
/// let reply = verifier.handshake(&request, 1_700_000_000)?.unwrap();
/// assert_eq!(reply.body, r#"{"response_token":"sha256=HXvxTdsfShG6k2zC9NVANwFquJBdOugRYHax2vNiiOo="}"#);
/// # Ok::<(), hookproof::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// The HTTP status.
    pub status: u16,
    /// The headers, content type among them.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: String,
}

impl Verifier {
    /// Answers a handshake, if this request is one and the option `handshake` is set; `None`: it is a delivery.
    ///
    /// A signed handshake is verified first. One whose answer is a MAC takes only a challenge of the scheme's token
    /// grammar, so that nobody gets a delivery signed by asking.
    ///
    /// # Errors
    /// Those of [`Verifier::verify`] for a signed handshake; [`ErrorKind::BodyMalformed`] for a challenge outside the
    /// grammar; [`ErrorKind::TokenMismatch`] where a configured value is not the one that came.
    pub fn handshake(&self, request: &Request<'_>, now: i64) -> Result<Option<Reply>, Error> {
        if !self.options().handshake {
            return Ok(None);
        }
        self.fits(request.body.len())?;
        let inner = self.inner();
        let wire = inner.wire(request);
        let method = request.method.unwrap_or("POST");
        for handshake in &inner.definition().handshakes {
            if handshake.method != method || !is_meant(&wire, handshake) {
                continue;
            }
            if handshake.signed {
                self.prove(request, now)?;
            }
            return reply(inner, &wire, handshake, now).map(Some);
        }
        Ok(None)
    }
}

/// Whether all conditions hold. A body that cannot be read is simply no handshake: the verification judges it.
fn is_meant(wire: &Wire<'_>, handshake: &Handshake) -> bool {
    handshake.when.iter().all(|(source, wanted)| match (wire.value(source), wanted) {
        (Ok(Some(value)), Some(wanted)) => *value == *wanted.as_bytes(),
        (Ok(Some(_)), None) => true,
        _ => false,
    }) && handshake.token.as_ref().is_none_or(|source| matches!(wire.value(source), Ok(Some(_))))
}

#[inline(never)] // a WebAssembly host compiles what runs, and few endpoints are proved
fn reply(inner: &Inner, wire: &Wire<'_>, handshake: &Handshake, now: i64) -> Result<Reply, Error> {
    for (source, name) in &handshake.equals {
        let Some(expected) = wire.config.get(name) else {
            return Err(Error::new(
                ErrorKind::OptionInvalid,
                format!("`config` is without `{name}`, which the handshake is judged by"),
            ));
        };
        let given = wire.value(source)?.unwrap_or_default();
        let blind = crate::digest::Blind::new(expected.as_bytes());
        let equal: bool =
            Hash::Sha256.of(expected.as_bytes()).is_among([Hash::Sha256.of(&given).as_bytes()], &blind).into();
        if !equal {
            return Err(Error::fixed(ErrorKind::TokenMismatch, "the handshake does not bring the configured token"));
        }
    }
    let token = match &handshake.token {
        Some(source) => wire.value(source)?.unwrap_or_default(),
        None => Default::default(),
    };
    let token = match core::str::from_utf8(&token) {
        Ok(token) if handshake.token.is_none() || handshake.grammar.fits(token.as_bytes()) => token,
        _ => {
            return Err(Error::fixed(
                ErrorKind::BodyMalformed,
                "the challenge of the handshake is not of the form that the provider sends",
            ));
        }
    };
    let mac = match &handshake.mac {
        None => String::new(),
        Some(rule) => {
            let content = rendered(&rule.content, wire, token, "");
            let keyed = inner.active_keys(now).find_map(|key| match &key.kind {
                Kind::Mac(hasher)
                    if inner.definition().signatures.get(key.rule).is_some_and(|signature| {
                        signature.algorithm == crate::scheme::definition::Algorithm::Hmac(rule.hash)
                    }) =>
                {
                    Some(hasher)
                }
                _ => None,
            });
            let hasher = keyed.ok_or(Error::fixed(
                ErrorKind::SecretMissing,
                "no secret is valid now that could answer the handshake",
            ))?;
            rule.encoding.encode(hasher.tag(&[content.as_bytes()]).as_bytes())
        }
    };
    let body = rendered(&handshake.answer, wire, token, &mac);
    let media = if body.starts_with('{') { "application/json" } else { "text/plain" };
    let mut headers = Vec::from([
        ("content-type".to_string(), media.to_string()),
        ("x-content-type-options".to_string(), "nosniff".to_string()),
    ]);
    for (name, template) in &handshake.headers {
        headers.push((name.clone(), rendered(template, wire, token, &mac)));
    }
    Ok(Reply { status: handshake.status, headers, body })
}

fn rendered(template: &Template, wire: &Wire<'_>, token: &str, mac: &str) -> String {
    template
        .0
        .iter()
        .map(|piece| match &piece.what {
            What::Literal(text) => text.as_str(),
            What::Token => token,
            What::Mac => mac,
            What::Config(name) => wire.config.get(name).map_or("", String::as_str),
            _ => "",
        })
        .collect()
}

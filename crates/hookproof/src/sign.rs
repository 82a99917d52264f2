use alloc::{
    borrow::Cow,
    format,
    string::{String, ToString},
    vec::Vec,
};
use core::fmt;

use crate::{
    Error, ErrorKind, Options, Request, Scheme, Secret, Verifier,
    content::{Content, Proven},
    encoding::Encoding,
    keyring::Kind,
    scheme::{
        definition::{Algorithm, Carrier, Definition, Position, SignatureRule},
        source::Source,
        template::What,
    },
    signature::resolved,
    url::Spelling,
    wire::Wire,
};

/// The inverse of a [`Verifier`]: signs as the provider does, for senders and for tests.
///
/// ```
/// use hookproof::{Message, Scheme, Secret, Signer};
/// let signer = Signer::new(Scheme::named("agentbot")?, Secret::new("whsec_test_secret_do_not_use")?)?;
/// let signed = signer.sign(&Message::new(b"{}", 1_715_968_923).id("d9e8"))?;
/// let names: Vec<_> = signed.headers.iter().map(|(name, _)| name.as_str()).collect();
/// assert_eq!(names, ["X-Agentbot-Signature", "X-Agentbot-Delivery-Id"]);
/// # Ok::<(), hookproof::Error>(())
/// ```
pub struct Signer {
    scheme: Scheme,
    options: Options,
    rule: usize,
    key: SigningKey,
}

enum SigningKey {
    /// The same key as a verifier's, held by one.
    Shared(Verifier),
    #[cfg(all(feature = "ed25519", feature = "signing"))]
    Ed25519(ed25519_dalek::SigningKey),
    #[cfg(all(feature = "ecdsa", feature = "signing"))]
    EcdsaP256(p256::ecdsa::SigningKey),
}

/// What is to be signed.
#[derive(Clone, Copy, Debug)]
pub struct Message<'a> {
    body: &'a [u8],
    timestamp: i64,
    id: Option<&'a str>,
    event_type: Option<&'a str>,
    method: &'a str,
    url: Option<&'a str>,
    headers: &'a [(String, String)],
}

impl<'a> Message<'a> {
    /// A message with this body, sent at this Unix time in seconds.
    pub fn new(body: &'a (impl AsRef<[u8]> + ?Sized), timestamp: i64) -> Self {
        Self { body: body.as_ref(), timestamp, id: None, event_type: None, method: "POST", url: None, headers: &[] }
    }

    /// The delivery's id, where it travels in a header.
    #[must_use]
    pub fn id(mut self, id: &'a str) -> Self {
        self.id = Some(id);
        self
    }

    /// The event's name, where it travels in a header.
    #[must_use]
    pub fn event_type(mut self, event_type: &'a str) -> Self {
        self.event_type = Some(event_type);
        self
    }

    /// The method; `POST` unless said otherwise.
    #[must_use]
    pub fn method(mut self, method: &'a str) -> Self {
        self.method = method;
        self
    }

    /// The URL that is called, which some schemes sign.
    #[must_use]
    pub fn url(mut self, url: &'a str) -> Self {
        self.url = Some(url);
        self
    }

    /// Further headers that the scheme signs.
    #[must_use]
    pub fn headers(mut self, headers: &'a [(String, String)]) -> Self {
        self.headers = headers;
        self
    }
}

/// What a signer adds to a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signed {
    /// Headers in the provider's own case: the signature's first, then timestamp, id and event type.
    pub headers: Vec<(String, String)>,
    /// The URL to call, where the signature or token stands in it.
    pub url: Option<String>,
    /// The signature by itself: where a scheme carries it in the body, the caller puts it there.
    pub signature: String,
}

impl Signer {
    /// A signer with default options.
    ///
    /// For ed25519 and ECDSA the secret is the private key: 32 bytes in the encoding of the scheme's public keys,
    /// for Standard Webhooks `whsk_` and base64.
    ///
    /// # Errors
    /// `secret_*` where the secret is not what the scheme expects.
    pub fn new(scheme: Scheme, secret: Secret) -> Result<Self, Error> {
        Self::with_options(scheme, secret, Options::default())
    }

    /// A signer with options, for schemes that sign configured values.
    ///
    /// # Errors
    /// As [`Signer::new`], and [`ErrorKind::OptionInvalid`].
    pub fn with_options(scheme: Scheme, secret: Secret, options: Options) -> Result<Self, Error> {
        // A signer proves nothing to itself, so a weak scheme needs no consent here.
        let options = Options { allow_legacy: true, ..options };
        #[cfg(feature = "signing")]
        if let Some((rule, key)) = private_key(&scheme.0, &secret)? {
            return Ok(Self { scheme, options, rule, key });
        }
        let verifier = Verifier::with_options(scheme.clone(), secret, options.clone())?;
        let rule = verifier.inner().keys().first().map_or(0, |key| key.rule);
        Ok(Self { scheme, options, rule, key: SigningKey::Shared(verifier) })
    }

    /// Signs a message.
    ///
    /// # Errors
    /// [`ErrorKind::IdMissing`], [`ErrorKind::RequestIncomplete`] or another kind that names what the scheme signs and the
    /// message lacks; [`ErrorKind::OptionInvalid`] for a scheme that signs each item of a batch by itself.
    pub fn sign(&self, message: &Message<'_>) -> Result<Signed, Error> {
        let definition = &*self.scheme.0;
        let rule = self.rule(message)?;
        if matches!(&rule.carrier, Carrier::Json(pointer) if pointer.each()) {
            return Err(Error::fixed(
                ErrorKind::OptionInvalid,
                "the scheme signs each item of a batch inside the body, which this signer does not write",
            ));
        }
        let timestamp =
            definition.timestamp.as_ref().map(|rule| rule.unit.write(message.timestamp)).unwrap_or_default();
        let mut headers = Vec::new();
        let mut put = |sources: &[Source], value: &str| {
            if let Some(Source::Header(slot)) = sources.first()
                && let Some(name) = definition.slots.spelled.get(*slot)
            {
                headers.push((name.clone(), value.to_string()));
            }
        };
        if let Some(rule) = &definition.timestamp {
            put(&rule.from, &timestamp);
        }
        if let Some(id) = message.id {
            put(&definition.delivery.id, id);
        }
        if let Some(event_type) = message.event_type {
            put(&definition.delivery.event_type, event_type);
        }
        if let Some(content_type) = &rule.content_type {
            headers.push(("Content-Type".into(), content_type.clone()));
        }
        headers.extend(message.headers.iter().cloned());

        let mut url = message.url.map(String::from);
        if let (Some(hash), Some(plain)) = (&rule.body_hash, &url)
            && let Source::Query(name) = &hash.from
        {
            url = Some(with_parameter(plain, name, &hash.encoding.encode(hash.hash.of(message.body).as_bytes())));
        }
        let signature = self.signature(rule, message, &headers, url.as_deref(), &timestamp)?;
        let text = self.listed(rule, &signature, &timestamp);
        match &rule.carrier {
            Carrier::Headers(names) => {
                let name =
                    names.first().and_then(|names| names.first()).and_then(|slot| definition.slots.spelled.get(*slot));
                headers.insert(0, (name.cloned().unwrap_or_default(), text.clone()));
            }
            Carrier::Query(name) => url = url.map(|url| with_parameter(&url, name, &text)),
            Carrier::Path(template) => {
                let base = url.as_deref().unwrap_or_default();
                // A URL that already ends in the template is completed, any other is a prefix.
                let place = template.replace("{token}", &text);
                url = Some(if base.contains("{token}") {
                    base.replace("{token}", &text)
                } else {
                    format!("{}{place}", base.trim_end_matches('/'))
                });
            }
            Carrier::Form(_) | Carrier::Json(_) => {}
        }
        let moved = matches!(rule.carrier, Carrier::Query(_) | Carrier::Path(_)) || rule.body_hash.is_some();
        Ok(Signed { headers, url: url.filter(|_| moved), signature: text })
    }

    /// The rule of the key, or where the content type decides, the one that is for this message.
    fn rule(&self, message: &Message<'_>) -> Result<&SignatureRule, Error> {
        let definition = &*self.scheme.0;
        let media = message
            .headers
            .iter()
            .find(|(name, _)| name.eq_ignore_ascii_case("content-type"))
            .map(|(_, value)| value.to_ascii_lowercase());
        let special =
            definition.signatures.iter().find(|rule| rule.content_type.is_some() && rule.content_type == media);
        let plain = || definition.signatures.iter().find(|rule| rule.content_type.is_none());
        let by_type = definition.signatures.iter().any(|rule| rule.content_type.is_some());
        let rule = if by_type { special.or_else(plain) } else { definition.signatures.get(self.rule) };
        rule.ok_or(Error::fixed(ErrorKind::InternalError, "a signature rule is missing"))
    }

    fn signature(
        &self,
        rule: &SignatureRule,
        message: &Message<'_>,
        headers: &[(String, String)],
        url: Option<&str>,
        timestamp: &str,
    ) -> Result<String, Error> {
        if rule.content.has(&What::Id) && message.id.is_none() {
            return Err(Error::fixed(
                ErrorKind::IdMissing,
                "the scheme signs the delivery id: give the message an `id`",
            ));
        }
        let mut request = Request::new(&headers, message.body).method(message.method);
        request.url = url;
        let wire = Wire::new(&self.scheme.0, &self.options, &request);
        let proven = Proven { id: message.id.unwrap_or_default().as_bytes(), timestamp: timestamp.as_bytes() };
        let mut content = Content::new();
        wire.fill(&mut content, rule, Spelling::AsIs, None, proven)?;
        let bytes: Cow<'_, [u8]> = match &self.key {
            SigningKey::Shared(verifier) => {
                let key = verifier
                    .inner()
                    .keys()
                    .iter()
                    .find(|key| definition_rule(&self.scheme.0, key.rule, rule))
                    .or(verifier.inner().keys().first());
                match (key.map(|key| &key.kind), rule.algorithm) {
                    (Some(Kind::Plain(token)), Algorithm::Token) => {
                        return Ok(String::from_utf8_lossy(token).into_owned());
                    }
                    (Some(Kind::Plain(pair)), Algorithm::Basic) => {
                        return Ok(format!("Basic {}", Encoding::Base64.encode(pair)));
                    }
                    (Some(Kind::Plain(key)), Algorithm::Digest(hash)) => {
                        Cow::Owned(content.tag(&hash.start(), key).as_bytes().to_vec())
                    }
                    (Some(Kind::Mac(keyed)), _) => Cow::Owned(content.tag(keyed, &[]).as_bytes().to_vec()),
                    _ => {
                        return Err(Error::fixed(
                            ErrorKind::SecretWrongKind,
                            if cfg!(feature = "signing") {
                                "the secret is a public key: signing needs the private one"
                            } else {
                                "this build signs with shared keys alone, not with private ones"
                            },
                        ));
                    }
                }
            }
            #[cfg(all(feature = "ed25519", feature = "signing"))]
            SigningKey::Ed25519(key) => {
                use ed25519_dalek::Signer as _;
                Cow::Owned(key.sign(&content.joined(&[])).to_bytes().to_vec())
            }
            #[cfg(all(feature = "ecdsa", feature = "signing"))]
            SigningKey::EcdsaP256(key) => {
                use p256::ecdsa::{Signature, signature::Signer as _};
                let signature: Signature = key.sign(&content.joined(&[]));
                Cow::Owned(if rule.der {
                    signature.to_der().as_bytes().to_vec()
                } else {
                    signature.to_bytes().to_vec()
                })
            }
        };
        Ok(rule.encoding.encode(&bytes))
    }

    /// The signature as it stands in its header: with prefix and label, and the timestamp beside it.
    fn listed(&self, rule: &SignatureRule, signature: &str, timestamp: &str) -> String {
        let signature = format!("{}{signature}", rule.prefixes.first().map_or("", String::as_str));
        let Some(separator) = rule.separators.first().copied().map(char::from) else { return signature };
        let elements: Vec<String> = match rule.joiner.map(char::from) {
            Some(joiner) => {
                let time = self.scheme.0.timestamp.iter().flat_map(|rule| &rule.from).find_map(|from| match from {
                    Source::Label(label) => Some(format!("{label}{joiner}{timestamp}")),
                    _ => None,
                });
                let label = rule.labels.first().map_or("", |label| resolved(label, &self.options.config));
                time.into_iter().chain([format!("{label}{joiner}{signature}")]).collect()
            }
            None if rule.positions.is_empty() => Vec::from([signature]),
            None => rule
                .positions
                .iter()
                .map(|position| match position {
                    Position::Timestamp => timestamp.to_string(),
                    Position::Signature => signature.clone(),
                    Position::Ignore => "0".to_string(),
                })
                .collect(),
        };
        elements.join(&separator.to_string())
    }
}

impl fmt::Debug for Signer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Signer({})", self.scheme.id())
    }
}

fn definition_rule(definition: &Definition, number: usize, rule: &SignatureRule) -> bool {
    definition.signatures.get(number).is_some_and(|other| core::ptr::eq(other, rule))
}

fn with_parameter(url: &str, name: &str, value: &str) -> String {
    let joint = if url.contains('?') { '&' } else { '?' };
    let value: String = value
        .bytes()
        .map(|byte| match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => char::from(byte).to_string(),
            byte => format!("%{byte:02X}"),
        })
        .collect();
    format!("{url}{joint}{name}={value}")
}

/// The private half, where the scheme's own keys are public ones.
#[cfg(feature = "signing")]
fn private_key(definition: &Definition, secret: &Secret) -> Result<Option<(usize, SigningKey)>, Error> {
    let wanted =
        |rule: &&(usize, &SignatureRule)| matches!(rule.1.algorithm, Algorithm::Ed25519 | Algorithm::EcdsaP256);
    let rules: Vec<_> = definition.signatures.iter().enumerate().collect();
    let Some((number, rule)) = rules.iter().find(wanted) else { return Ok(None) };
    let private = secret.material.strip_prefix(b"whsk_");
    if private.is_none() && (rule.key.prefix.is_some() || rules.len() > 1) {
        return Ok(None);
    }
    let text = private.unwrap_or(&secret.material);
    let encodings = [Encoding::Hex, Encoding::Base64Lenient];
    let bytes = encodings.iter().find_map(|encoding| encoding.decode(text)).map(zeroize::Zeroizing::new);
    let wrong =
        || Error::fixed(ErrorKind::SecretMalformed, "the secret is not a private key of 32 bytes in hex or base64");
    let bytes = bytes.ok_or_else(wrong)?;
    // Libraries that keep the public key behind the seed write 64 bytes.
    let seed = bytes.get(..32).filter(|_| matches!(bytes.len(), 32 | 64)).ok_or_else(wrong)?;
    let key = match rule.algorithm {
        #[cfg(feature = "ed25519")]
        Algorithm::Ed25519 => {
            SigningKey::Ed25519(ed25519_dalek::SigningKey::from_bytes(seed.try_into().map_err(|_| wrong())?))
        }
        #[cfg(feature = "ecdsa")]
        Algorithm::EcdsaP256 => SigningKey::EcdsaP256(p256::ecdsa::SigningKey::from_slice(seed).map_err(|_| wrong())?),
        _ => return Ok(None),
    };
    Ok(Some((*number, key)))
}

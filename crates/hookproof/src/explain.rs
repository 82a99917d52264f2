use alloc::{
    borrow::Cow,
    format,
    string::{String, ToString},
    vec::Vec,
};

use crate::{
    ErrorKind, Options, Request, Secret, Secrets, Verifier,
    encoding::Encoding,
    scheme::definition::{Algorithm, KeyEncoding},
    url::{Spelling, Url},
    verify::Inner,
};

/// How sure an [`Explanation`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Confidence {
    /// The signature matches once the cause is undone.
    Certain,
    /// Nothing that was tried matches: this is what it mostly is.
    Guess,
}

impl Confidence {
    /// The word, the same in every language.
    ///
    /// ```
    /// assert_eq!(hookproof::Confidence::Certain.as_str(), "certain");
    /// ```
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Certain => "certain",
            Self::Guess => "guess",
        }
    }
}

/// Why a request does not verify, for the developer who has to mend it. Never for the outside.
///
/// ```
/// use hookproof::{Confidence, Message, Options, Request, Scheme, Secret, Signer, Verifier};
/// let scheme = Scheme::named("github")?;
/// let signed = Signer::new(scheme.clone(), Secret::new("s3cret")?)?.sign(&Message::new(r#"{"a": 1}"#, 0))?;
/// let options = Options { explain_failures: true, ..Options::default() };
/// let verifier = Verifier::with_options(scheme, Secret::new("s3cret")?, options)?;
/// // A JSON parser ran first, and what it printed is not what was sent.
/// let explanation = verifier.explain(&Request::new(&signed.headers, r#"{"a":1}"#), 0).unwrap();
/// assert_eq!((explanation.cause, explanation.confidence), ("body_reserialized", Confidence::Certain));
/// # Ok::<(), hookproof::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// The cause in one word, such as `body_reserialized` or `secret_encoding`.
    pub cause: &'static str,
    /// How sure it is.
    pub confidence: Confidence,
    /// What to change, in one sentence.
    pub fix: &'static str,
    /// What was tried, or what to look at next, in order.
    pub steps: Vec<String>,
}

/// A cause, what to change, and the bytes as they would be without it; `None` where it does not apply.
type Variant<'a> = (&'static str, &'static str, Option<Cow<'a, [u8]>>);

impl Verifier {
    /// Why this request does not verify; `None` if it does, or if the error already says it all.
    ///
    /// Tries what commonly goes wrong and tells which of it makes the signature match. That takes a few more MACs, so it
    /// is only done where the option `explain_failures` is set, which also keeps the secrets as they were given; without
    /// it there is only the guess.
    pub fn explain(&self, request: &Request<'_>, now: i64) -> Option<Explanation> {
        let decoded = self.decode(request).ok()?;
        let request = Request { body: decoded.as_deref().unwrap_or(request.body), ..*request };
        let error = self.prove(&request, now).err()?;
        (error.kind() == ErrorKind::SignatureMismatch)
            .then(|| self.inner().explain(&request, now).unwrap_or_else(untried))
    }
}

impl Inner {
    pub(crate) fn explain(&self, request: &Request<'_>, now: i64) -> Option<Explanation> {
        let secrets = self.secrets.as_ref()?;
        let tried = || {
            self.changed_body(secrets, request, now)
                .or_else(|| self.changed_url(secrets, request, now))
                .or_else(|| self.changed_secret(secrets, request, now))
        };
        Some(tried().unwrap_or_else(|| {
            guess(&[
                "the secret is of another endpoint, mode (test, live) or account",
                "the body was changed on its way in more than its spelling: look for middleware in front of the receiver",
                "the request was not made by the provider",
            ])
        }))
    }

    fn matches(&self, secrets: Secrets, request: &Request<'_>, now: i64) -> bool {
        let options = Options { explain_failures: false, ..self.options.clone() };
        let verifier = Verifier::with_options(self.scheme.clone(), secrets, options);
        // A time outside the window is judged after the signature: it matched.
        let outside = [ErrorKind::TimestampTooOld, ErrorKind::TimestampTooNew];
        verifier.is_ok_and(|verifier| match verifier.prove(request, now) {
            Ok(_) => true,
            Err(error) => outside.contains(&error.kind()),
        })
    }

    /// What parsers, editors and proxies make of a body.
    fn changed_body(&self, secrets: &Secrets, request: &Request<'_>, now: i64) -> Option<Explanation> {
        const PARSED: &str = "hand over the bytes as they came, before any JSON parser runs";
        const EDITED: &str = "hand over the bytes as they came: something adds or removes white space";
        const DECODED: &str = "hand over bytes instead of text: decoding and encoding changed them";
        let body = request.body;
        let text = core::str::from_utf8(body).ok();
        let spelled = |item: &str, name: &str, lines: bool| text.and_then(|text| respelled(text, item, name, lines));
        let variants: [Variant<'_>; 9] = [
            ("body_reserialized", PARSED, spelled(",", ":", false)),
            ("body_reserialized", PARSED, spelled(", ", ": ", false)),
            ("body_reserialized", PARSED, spelled(",", ": ", true)),
            ("body_newline", EDITED, body.strip_suffix(b"\n").map(Cow::Borrowed)),
            ("body_newline", EDITED, Some(Cow::Owned([body, b"\n"].concat()))),
            ("body_newline", EDITED, Some(Cow::Owned([body, b"\r\n"].concat()))),
            ("body_trimmed", EDITED, Some(Cow::Borrowed(body.trim_ascii()))),
            ("body_bom", DECODED, Some(Cow::Owned([b"\xef\xbb\xbf", body].concat()))),
            ("body_latin1", DECODED, text.and_then(latin1)),
        ];
        variants.into_iter().find_map(|(cause, fix, variant)| {
            let variant = variant.filter(|variant| **variant != *body)?;
            let request = Request { body: &variant, ..*request };
            self.matches(secrets.copied(), &request, now)
                .then(|| certain(cause, fix, "the body as it was before matches the signature"))
        })
    }

    /// What proxies make of a URL.
    fn changed_url(&self, secrets: &Secrets, request: &Request<'_>, now: i64) -> Option<Explanation> {
        let url = request.url?;
        let fix = "set `public_url` to the address that the provider calls";
        let without_port = |url: &str| Url::new(url).spelled(Spelling::WithoutPort).into_owned();
        let secure = url.strip_prefix("http://").map(|rest| format!("https://{rest}"));
        let bare = url.trim_end_matches('/');
        let variants = [
            ("with `https` instead of `http`", secure.clone()),
            ("with a `/` at its end", Some(format!("{bare}/"))),
            ("without the `/` at its end", Some(bare.to_string())),
            ("without its port", Some(without_port(url))),
            ("with `https` instead of `http`, and without its port", secure.map(|secure| without_port(&secure))),
        ];
        variants.into_iter().find_map(|(how, variant)| {
            let variant = variant.filter(|variant| variant != url)?;
            let request = Request { url: Some(&variant), ..*request };
            // Without the URL itself: it may hold a token.
            self.matches(secrets.copied(), &request, now)
                .then(|| certain("url_rewritten", fix, &format!("the URL matches the signature {how}")))
        })
    }

    /// What copying makes of a secret, and what users make of its encoding.
    fn changed_secret(&self, secrets: &Secrets, request: &Request<'_>, now: i64) -> Option<Explanation> {
        let rule = self.definition().signatures.iter().find(|rule| matches!(rule.algorithm, Algorithm::Hmac(_)))?;
        for secret in &secrets.0 {
            let given: &[u8] = &secret.material;
            let bare = rule.key.strip.iter().find_map(|prefix| given.strip_prefix(prefix.as_bytes())).unwrap_or(given);
            let unquoted = given.strip_prefix(b"\"").and_then(|rest| rest.strip_suffix(b"\""));
            // As a key, each of these stands for itself: the scheme's own decoding must not run over it again.
            let variants: [Variant<'_>; 5] = [
                ("secret_quoted", "leave out the quotes around the secret", unquoted.map(Cow::Borrowed)),
                (
                    "secret_encoding",
                    "this sender uses the secret's text as the key: write a scheme with `encoding = \"utf8\"`",
                    Some(Cow::Borrowed(given)),
                ),
                (
                    "secret_encoding",
                    "this sender uses the secret's text without its prefix as the key",
                    Some(Cow::Borrowed(bare)),
                ),
                (
                    "secret_encoding",
                    "this sender decodes the secret from base64 first",
                    Encoding::Base64Lenient.decode(bare).map(Cow::Owned),
                ),
                (
                    "secret_encoding",
                    "this sender decodes the secret from hex first",
                    Encoding::Hex.decode(bare).map(Cow::Owned),
                ),
            ];
            for (cause, fix, key) in variants {
                let Some(secret) = key.and_then(|key| Secret::new(key).ok()) else { continue };
                let scheme = self.with_plain_key()?;
                let options = Options { explain_failures: false, ..self.options.clone() };
                let verifier = Verifier::with_options(scheme, secret, options);
                if verifier.is_ok_and(|verifier| verifier.prove(request, now).is_ok()) {
                    return Some(certain(cause, fix, "the signature matches under the key that results"));
                }
            }
        }
        None
    }

    /// The same scheme with keys taken as they are.
    fn with_plain_key(&self) -> Option<crate::Scheme> {
        let mut definition =
            crate::Scheme::named(self.scheme.id()).ok().and_then(|scheme| alloc::sync::Arc::into_inner(scheme.0))?;
        for rule in &mut definition.signatures {
            rule.key.encoding = KeyEncoding::Utf8;
            (rule.key.strip, rule.key.prefix, rule.key.derive) = (Vec::new(), None, None);
            (rule.key.min, rule.key.max) = (1, 4096);
            rule.key.refuse_prefixes = Vec::new();
        }
        Some(crate::Scheme(alloc::sync::Arc::new(definition)))
    }
}

fn certain(cause: &'static str, fix: &'static str, step: &str) -> Explanation {
    Explanation { cause, confidence: Confidence::Certain, fix, steps: Vec::from([step.to_string()]) }
}

fn guess(steps: &[&str]) -> Explanation {
    Explanation {
        cause: "secret_or_body",
        confidence: Confidence::Guess,
        fix: "compare the secret with the one that the provider shows for this very endpoint",
        steps: steps.iter().map(|step| (*step).to_string()).collect(),
    }
}

/// Where the secrets are not kept, there is nothing to try with.
fn untried() -> Explanation {
    guess(&["set `explain_failures`, and the common causes are tried one by one"])
}

/// JSON with the white space that a printer would write, and nothing else changed: between items, behind names, and
/// with lines and two blanks of indentation, or none.
fn respelled<'t>(text: &'t str, item: &str, name: &str, lines: bool) -> Option<Cow<'t, [u8]>> {
    if !matches!(text.trim_start().as_bytes().first(), Some(b'{' | b'[')) {
        return None;
    }
    let mut printed = String::with_capacity(text.len());
    let (mut quoted, mut escaped, mut depth) = (false, false, 0usize);
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        if quoted {
            printed.push(character);
            (quoted, escaped) = (escaped || character != '"', !escaped && character == '\\');
            continue;
        }
        let new_line = |printed: &mut String, depth: usize| {
            if lines {
                printed.push('\n');
                printed.extend(core::iter::repeat_n("  ", depth));
            }
        };
        match character {
            '"' => {
                quoted = true;
                printed.push('"');
            }
            '{' | '[' => {
                printed.push(character);
                while characters.peek().is_some_and(char::is_ascii_whitespace) {
                    characters.next();
                }
                if !matches!(characters.peek(), Some('}' | ']')) {
                    depth = depth.saturating_add(1).min(128);
                    new_line(&mut printed, depth);
                } else if let Some(closing) = characters.next() {
                    printed.push(closing);
                }
            }
            '}' | ']' => {
                depth = depth.saturating_sub(1);
                new_line(&mut printed, depth);
                printed.push(character);
            }
            ',' => {
                printed.push_str(item);
                new_line(&mut printed, depth);
            }
            ':' => printed.push_str(name),
            blank if blank.is_ascii_whitespace() => {}
            other => printed.push(other),
        }
    }
    Some(Cow::Owned(printed.into_bytes()))
}

/// The bytes whose reading as Latin-1 this text is.
fn latin1(text: &str) -> Option<Cow<'static, [u8]>> {
    text.chars().map(|character| u8::try_from(u32::from(character)).ok()).collect::<Option<Vec<u8>>>().map(Cow::Owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_explained_without_being_told() {
        let scheme = crate::Scheme::named("square").unwrap();
        let signer = crate::Signer::new(scheme.clone(), Secret::new("s3cret").unwrap()).unwrap();
        let options = Options { explain_failures: true, ..Options::default() };
        let verifier = Verifier::with_options(scheme, Secret::new("s3cret").unwrap(), options).unwrap();
        let message = crate::Message::new("{}", 0);
        let signed = signer.sign(&message.url("https://example.com/hooks/t0ken")).unwrap();
        let request = Request::new(&signed.headers, "{}").url("http://example.com/hooks/t0ken");
        let explanation = verifier.explain(&request, 0).unwrap();
        assert_eq!((explanation.cause, explanation.confidence), ("url_rewritten", Confidence::Certain));
        assert_eq!(explanation.steps, ["the URL matches the signature with `https` instead of `http`"]);
    }

    #[test]
    fn without_the_option_there_is_a_guess() {
        let verifier = Verifier::new(crate::Scheme::named("github").unwrap(), Secret::new("s3cret").unwrap()).unwrap();
        let forged =
            [("X-Hub-Signature-256", "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17")];
        let explanation = verifier.explain(&Request::new(&forged, "{}"), 0).unwrap();
        assert_eq!(explanation.confidence, Confidence::Guess);
        assert!(explanation.steps.iter().any(|step| step.contains("explain_failures")));
        assert_eq!(verifier.explain(&Request::new(&[("a", "b")], "{}"), 0), None);
    }

    #[test]
    fn json_is_respelled_without_being_read() {
        let spell = |item, name, lines| {
            String::from_utf8(
                respelled(r#"{ "a" : [1,2 ], "b":{} ,"c\"":": ,"}"#, item, name, lines).unwrap().into_owned(),
            )
            .unwrap()
        };
        assert_eq!(spell(",", ":", false), r#"{"a":[1,2],"b":{},"c\"":": ,"}"#);
        assert_eq!(spell(", ", ": ", false), r#"{"a": [1, 2], "b": {}, "c\"": ": ,"}"#);
        assert_eq!(spell(",", ": ", true), "{\n  \"a\": [\n    1,\n    2\n  ],\n  \"b\": {},\n  \"c\\\"\": \": ,\"\n}");
        assert_eq!(respelled("a=1", ",", ":", false), None);
    }
}

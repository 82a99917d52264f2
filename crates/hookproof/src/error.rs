use alloc::{format, string::String};
use core::fmt;

macro_rules! kinds {
    ($($(#[$doc:meta])* $kind:ident = $code:literal, $status:literal;)*) => {
        /// What went wrong, as one word that is the same in every language.
        ///
        /// ```
        /// use hookproof::ErrorKind;
        /// assert_eq!(ErrorKind::SignatureMismatch.code(), "signature_mismatch");
        /// assert_eq!(ErrorKind::SignatureMismatch.status(), 401);
        /// assert_eq!(ErrorKind::from_code("body_too_large"), Some(ErrorKind::BodyTooLarge));
        /// ```
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum ErrorKind { $($(#[$doc])* $kind,)* }

        impl ErrorKind {
            /// Every kind, in the order of the table in the documentation.
            pub const ALL: &[Self] = &[$(Self::$kind,)*];

            /// The code that logs, tests and other languages know this kind by.
            pub const fn code(self) -> &'static str {
                match self { $(Self::$kind => $code,)* }
            }

            /// The HTTP status that answers a request which fails this way; 500 for configuration errors.
            pub const fn status(self) -> u16 {
                match self { $(Self::$kind => $status,)* }
            }
        }
    };
}

kinds! {
    /// The header, parameter or field that carries the signature is absent or empty.
    SignatureMissing = "signature_missing", 401;
    /// The timestamp that the scheme signs is absent or empty.
    TimestampMissing = "timestamp_missing", 401;
    /// The delivery id that the scheme signs, or that the user chose as identity, is absent or empty.
    IdMissing = "id_missing", 401;
    /// Another header that the scheme signs is absent.
    HeaderMissing = "header_missing", 401;
    /// The signature breaks its grammar, or candidates of a known version are there and none decodes.
    SignatureMalformed = "signature_malformed", 401;
    /// More than 16 candidates.
    SignatureTooMany = "signature_too_many", 401;
    /// Well formed, but no candidate of a version that the scheme and the keys accept.
    SignatureUnsupported = "signature_unsupported", 401;
    /// Candidates decode, none matches.
    SignatureMismatch = "signature_mismatch", 401;
    /// The timestamp is outside its grammar.
    TimestampMalformed = "timestamp_malformed", 401;
    /// The delivery id is outside its grammar.
    IdMalformed = "id_malformed", 401;
    /// Authentic, but signed longer ago than the tolerance.
    TimestampTooOld = "timestamp_too_old", 401;
    /// Authentic, but signed further ahead than the tolerance.
    TimestampTooNew = "timestamp_too_new", 401;
    /// The token is absent.
    TokenMissing = "token_missing", 401;
    /// The token is none of the configured ones.
    TokenMismatch = "token_mismatch", 401;
    /// The body is over the limit.
    BodyTooLarge = "body_too_large", 413;
    /// What is signed, or asked for, cannot be found in the body.
    BodyMalformed = "body_malformed", 400;
    /// A field that the scheme requires is not in the body.
    FieldMissing = "field_missing", 400;
    /// The same identity came with another body, and the user asked to be told.
    Conflict = "conflict", 409;
    /// The caller handed over something else than the bytes of the request.
    BodyNotRaw = "body_not_raw", 500;
    /// The caller handed over headers in a shape that is not known.
    HeadersUnsupported = "headers_unsupported", 500;
    /// The scheme signs the URL or the method, and it was not given.
    RequestIncomplete = "request_incomplete", 500;
    /// More deliveries for one token than the receiver takes.
    RateLimited = "rate_limited", 429;
    /// The store cannot be reached, or is full of keys that may not leave yet.
    StoreUnavailable = "store_unavailable", 503;
    /// A panic was caught at the boundary.
    InternalError = "internal_error", 500;
    /// No secret was given.
    SecretMissing = "secret_missing", 500;
    /// A secret without content.
    SecretEmpty = "secret_empty", 500;
    /// A secret that is not in the encoding of its scheme.
    SecretMalformed = "secret_malformed", 500;
    /// A secret shorter than its scheme allows.
    SecretTooShort = "secret_too_short", 500;
    /// A secret longer than its scheme allows.
    SecretTooLong = "secret_too_long", 500;
    /// A key of another kind, such as a private key on a receiver.
    SecretWrongKind = "secret_wrong_kind", 500;
    /// More than 8 secrets.
    SecretTooMany = "secret_too_many", 500;
    /// No built-in scheme has that name.
    SchemeUnknown = "scheme_unknown", 500;
    /// A scheme that breaks the grammar of scheme files.
    SchemeInvalid = "scheme_invalid", 500;
    /// An option that is unknown, of the wrong type or out of range.
    OptionInvalid = "option_invalid", 500;
}

impl ErrorKind {
    /// The kind with this code, if there is one.
    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|kind| kind.code() == code)
    }

    /// Whether this is said when an object is built, and never of a request.
    pub fn is_configuration(self) -> bool {
        let code = self.code();
        code.starts_with("secret_") || code.starts_with("scheme_") || code == "option_invalid"
    }
}

/// Why a request does not verify, or why an object cannot be built.
///
/// The message is for the developer: lower case, user input in backticks and cut short, and never
/// a secret, a body or an expected signature. The outside gets [`Error::status`] alone.
///
/// ```
/// use hookproof::{ErrorKind, Scheme};
/// let error = Scheme::named("strpie").unwrap_err();
/// assert_eq!(error.kind(), ErrorKind::SchemeUnknown);
/// assert_eq!(error.to_string(), "no scheme is called `strpie`: did you mean `stripe`?");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    kind: ErrorKind,
    status: u16,
    message: Message,
}

/// Refusals are frequent and mostly say a constant: those must not cost an allocation.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Message {
    Fixed(&'static str),
    Built(String),
}

impl Error {
    /// An error of this kind with a message for the developer.
    ///
    /// ```
    /// use hookproof::{Error, ErrorKind};
    /// let error = Error::new(ErrorKind::BodyNotRaw, "the body is a dict: pass the bytes".to_owned());
    /// assert_eq!((error.code(), error.status()), ("body_not_raw", 500));
    /// ```
    pub fn new(kind: ErrorKind, message: String) -> Self {
        Self { kind, status: kind.status(), message: Message::Built(message) }
    }

    pub(crate) const fn fixed(kind: ErrorKind, message: &'static str) -> Self {
        Self { kind, status: kind.status(), message: Message::Fixed(message) }
    }

    pub(crate) fn with_status(mut self, status: u16) -> Self {
        self.status = status;
        self
    }

    /// Says where the error came from, in front of the message: a file's name, for example.
    pub fn context(self, place: &str) -> Self {
        let message = format!("{place}: {}", self.message());
        Self { message: Message::Built(message), ..self }
    }

    /// What went wrong.
    pub const fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// [`ErrorKind::code`] of the kind.
    pub const fn code(&self) -> &'static str {
        self.kind.code()
    }

    /// The HTTP status for the outside: the kind's, or the one that the scheme wants instead.
    pub const fn status(&self) -> u16 {
        self.status
    }

    /// The text for the developer.
    pub fn message(&self) -> &str {
        match &self.message {
            Message::Fixed(text) => text,
            Message::Built(text) => text,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.message())
    }
}

impl core::error::Error for Error {}

/// Input that a message may show: at most 40 characters, with nothing that could forge a log line.
pub(crate) fn shown(input: &str) -> String {
    let mut text = String::new();
    for (place, letter) in input.chars().enumerate() {
        if place == 40 {
            text.push('…');
            break;
        }
        text.extend(letter.escape_default());
    }
    text
}

//! A request as bytes.

use super::{Refusal, Target};

/// A request that is ready to be written. Header names keep their case and their order.
#[derive(Clone, PartialEq, Eq)]
pub struct Request {
    /// `POST`, or `GET` where something is asked of a receiver.
    pub method: Method,
    /// Where it goes.
    pub target: Target,
    /// Its headers, without `Host`, `Content-Length` and `Connection`, which follow from the rest.
    pub headers: Vec<(String, String)>,
    /// Its body.
    pub body: Vec<u8>,
}

/// The methods that a sender uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// A delivery.
    Post,
    /// A question.
    Get,
}

impl Method {
    /// As it stands in the request line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Post => "POST",
            Self::Get => "GET",
        }
    }
}

impl Request {
    /// A GET of a target.
    pub const fn get(target: Target) -> Self {
        Self { method: Method::Get, target, headers: Vec::new(), body: Vec::new() }
    }

    /// The request as it goes over the wire.
    ///
    /// # Errors
    /// If a header could end its line early: then the next one would be somebody else's.
    pub fn head(&self) -> Result<Vec<u8>, Refusal> {
        let mut head =
            format!("{} {} HTTP/1.1\r\nHost: {}\r\n", self.method.name(), self.target.path, self.target.authority);
        for (name, value) in &self.headers {
            if name.is_empty() || !name.bytes().all(is_token) {
                return Err(Refusal::header(name, "its name is not a token"));
            }
            if value.bytes().any(|byte| (byte < 0x20 && byte != b'\t') || byte == 0x7f) {
                return Err(Refusal::header(name, "its value holds a control character"));
            }
            head.push_str(name);
            head.push_str(": ");
            head.push_str(value);
            head.push_str("\r\n");
        }
        if self.method == Method::Post {
            head.push_str(&format!("Content-Length: {}\r\n", self.body.len()));
        }
        head.push_str("Connection: close\r\n\r\n");
        Ok(head.into_bytes())
    }

    /// The value of a header, by its name in any case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }
}

impl std::fmt::Debug for Request {
    /// Without header values and body: they are a customer's.
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let names: Vec<_> = self.headers.iter().map(|(name, _)| name).collect();
        formatter
            .debug_struct("Request")
            .field("host", &self.target.authority)
            .field("headers", &names)
            .field("body_bytes", &self.body.len())
            .finish()
    }
}

const fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(
            byte,
            b'!' | b'#' | b'$' | b'%' | b'&' | b'\'' | b'*' | b'+' | b'-' | b'.' | b'^' | b'_' | b'`' | b'|' | b'~'
        )
}

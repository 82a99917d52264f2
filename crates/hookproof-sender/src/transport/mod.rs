//! One attempt over real HTTP: dial the address that was vetted, write the request byte for byte, read the answer within
//! limits, all of it under one deadline.
//!
//! The request is written here and not by an HTTP client, because header names have to arrive in the case of the
//! provider's document (`X-MGA-Signature`), which clients normalise.

mod dial;
mod exchange;
mod guard;
mod request;
mod response;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

pub use dial::{Resolve, SystemResolver};
pub use guard::{Guard, Refusal, Target};
pub use request::{Method, Request};
pub use response::{Answer, BODY_KEPT, HEAD_LIMIT};

use tokio_rustls::rustls::{ClientConfig, RootCertStore, crypto, pki_types::CertificateDer};

use crate::Error;

/// Sends requests. Cheap to clone; clones share the TLS configuration.
#[derive(Clone)]
pub struct Transport {
    guard: Guard,
    resolver: Arc<dyn Resolve>,
    tls: Arc<ClientConfig>,
}

/// Why there is no whole answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The URL or the address may not be dialled.
    Refused(String),
    /// The name does not resolve.
    Unresolved(String),
    /// Nobody accepts the connection.
    Unreachable(String),
    /// There is no TLS connection: a certificate that does not fit, or no TLS at all.
    Tls(String),
    /// The connection broke before there was an answer.
    Reset(String),
    /// The answer ended before its end.
    Truncated,
    /// The answer is not HTTP/1.1.
    Malformed(String),
    /// The answer's head is over [`HEAD_LIMIT`].
    HeadTooLarge,
    /// The attempt's time was up.
    TimedOut,
}

impl Failure {
    /// One word for logs and scripts.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Refused(_) => "refused",
            Self::Unresolved(_) => "unresolved",
            Self::Unreachable(_) => "unreachable",
            Self::Tls(_) => "tls",
            Self::Reset(_) => "reset",
            Self::Truncated => "truncated",
            Self::Malformed(_) => "malformed",
            Self::HeadTooLarge => "head_too_large",
            Self::TimedOut => "timeout",
        }
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Refused(why) => formatter.write_str(why),
            Self::Unresolved(why) => write!(formatter, "the name does not resolve: {why}"),
            Self::Unreachable(why) => write!(formatter, "no connection: {why}"),
            Self::Tls(why) => write!(formatter, "no TLS connection: {why}"),
            Self::Reset(why) => write!(formatter, "the connection broke: {why}"),
            Self::Truncated => formatter.write_str("the answer ended before its end"),
            Self::Malformed(why) => write!(formatter, "the answer is not HTTP/1.1: {why}"),
            Self::HeadTooLarge => write!(formatter, "the answer's head is over {} KiB", HEAD_LIMIT / 1024),
            Self::TimedOut => formatter.write_str("no whole answer in time"),
        }
    }
}

/// What came of one attempt.
#[derive(Clone, Debug)]
pub struct Exchange {
    /// The answer, or why there is none.
    pub result: Result<Answer, Failure>,
    /// Whether bytes of the request had left.
    pub sent: bool,
    /// The address that was dialled.
    pub address: Option<SocketAddr>,
    /// How long it took on the clock on the wall.
    pub took: Duration,
}

impl Transport {
    /// A transport that trusts the public certificate authorities and resolves names as the system does.
    ///
    /// # Errors
    /// If TLS cannot be set up.
    pub fn new(guard: Guard) -> Result<Self, Error> {
        Self::with(guard, Arc::new(SystemResolver), &[])
    }

    /// A transport with another resolver and further certificate authorities, each as DER.
    ///
    /// # Errors
    /// If a certificate cannot be read.
    pub fn with(guard: Guard, resolver: Arc<dyn Resolve>, authorities: &[Vec<u8>]) -> Result<Self, Error> {
        let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
        for authority in authorities {
            roots
                .add(CertificateDer::from(authority.as_slice()))
                .map_err(|error| Error::invalid(format!("this is no certificate of an authority: {error}")))?;
        }
        let mut tls = ClientConfig::builder_with_provider(Arc::new(crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|error| Error::invalid(error.to_string()))?
            .with_root_certificates(roots)
            .with_no_client_auth();
        tls.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self { guard, resolver, tls: Arc::new(tls) })
    }

    /// What may be dialled.
    pub const fn guard(&self) -> Guard {
        self.guard
    }

    /// Makes one attempt: one connection, one request, one answer, within `deadline`.
    ///
    /// It never follows a redirect and knows no proxy. It always gives an [`Exchange`]; what failed is in it.
    pub async fn send(&self, request: &Request, deadline: Duration) -> Exchange {
        exchange::run(self, request, deadline).await
    }
}

impl std::fmt::Debug for Transport {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Transport").field("guard", &self.guard).finish_non_exhaustive()
    }
}

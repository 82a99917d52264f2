//! From a target to a connection.

use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;
use url::Host;

use super::{Failure, Target, Transport};

/// How names become addresses.
pub trait Resolve: Send + Sync {
    /// The addresses of a host name.
    fn resolve<'a>(&'a self, host: &'a str) -> Pin<Box<dyn Future<Output = io::Result<Vec<IpAddr>>> + Send + 'a>>;
}

/// The system's resolver.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemResolver;

impl Resolve for SystemResolver {
    fn resolve<'a>(&'a self, host: &'a str) -> Pin<Box<dyn Future<Output = io::Result<Vec<IpAddr>>> + Send + 'a>> {
        Box::pin(async move { Ok(tokio::net::lookup_host((host, 0)).await?.map(|address| address.ip()).collect()) })
    }
}

pub(super) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

/// Resolves, vets, connects. The address that is dialled is one of those that were vetted; there is no second lookup.
pub(super) async fn connect(
    transport: &Transport,
    target: &Target,
    dialled: &mut Option<SocketAddr>,
) -> Result<Box<dyn Stream>, Failure> {
    let addresses = match &target.host {
        Host::Ipv4(address) => vec![IpAddr::V4(*address)],
        Host::Ipv6(address) => vec![IpAddr::V6(*address)],
        Host::Domain(name) => {
            transport.resolver.resolve(name).await.map_err(|error| Failure::Unresolved(error.to_string()))?
        }
    };
    // One address that may not be dialled spoils the name: an attacker's name server mixes them.
    for address in &addresses {
        transport.guard.vet(*address).map_err(|refusal| Failure::Refused(refusal.to_string()))?;
        if !target.tls && !address.is_loopback() {
            return Err(Failure::Refused(format!(
                "{address} is not dialled: it is not this machine, and the URL is not HTTPS"
            )));
        }
    }
    let mut failure = Failure::Unresolved("it has no address".to_owned());
    for address in addresses {
        let address = SocketAddr::new(address, target.port);
        *dialled = Some(address);
        match TcpStream::connect(address).await {
            Ok(stream) => {
                // A request is written in one piece; waiting for more only costs time.
                let _ = stream.set_nodelay(true);
                return if target.tls { encrypt(transport, target, stream).await } else { Ok(Box::new(stream)) };
            }
            Err(error) => failure = Failure::Unreachable(error.to_string()),
        }
    }
    Err(failure)
}

async fn encrypt(transport: &Transport, target: &Target, stream: TcpStream) -> Result<Box<dyn Stream>, Failure> {
    let name = match &target.host {
        Host::Domain(name) => ServerName::try_from(name.strip_suffix('.').unwrap_or(name).to_owned())
            .map_err(|error| Failure::Tls(error.to_string()))?,
        Host::Ipv4(address) => ServerName::from(IpAddr::V4(*address)),
        Host::Ipv6(address) => ServerName::from(IpAddr::V6(*address)),
    };
    let stream = TlsConnector::from(Arc::clone(&transport.tls))
        .connect(name, stream)
        .await
        .map_err(|error| Failure::Tls(error.to_string()))?;
    Ok(Box::new(stream))
}

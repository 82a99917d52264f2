//! The address guard, with a canary: a listener on this machine that must never see a connection.

#![allow(missing_docs, clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests may fail loudly")]

mod receiver;

use std::future::Future;
use std::io;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hookproof_sender::transport::{Failure, Guard, Request, Resolve, Transport};
use receiver::{Act, Receiver};
use tokio::net::TcpListener;

/// Counts connections, on IPv4 and, where the machine has it, on IPv6, on one port.
struct Canary {
    port: u16,
    connections: Arc<AtomicUsize>,
}

impl Canary {
    async fn start() -> Self {
        let connections = Arc::new(AtomicUsize::new(0));
        let listener = TcpListener::bind(("0.0.0.0", 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let mut listeners = vec![listener];
        listeners.extend(TcpListener::bind(("::1", port)).await.ok());
        for listener in listeners {
            let connections = Arc::clone(&connections);
            tokio::spawn(async move {
                while listener.accept().await.is_ok() {
                    connections.fetch_add(1, Ordering::SeqCst);
                }
            });
        }
        Self { port, connections }
    }

    async fn seen(&self) -> usize {
        tokio::time::sleep(Duration::from_millis(20)).await;
        self.connections.load(Ordering::SeqCst)
    }
}

/// Answers with one list of addresses after the other, as a name server under an attacker's hand does.
struct Script {
    answers: Mutex<Vec<Vec<IpAddr>>>,
    asked: Arc<AtomicUsize>,
}

impl Resolve for Script {
    fn resolve<'a>(&'a self, _: &'a str) -> Pin<Box<dyn Future<Output = io::Result<Vec<IpAddr>>> + Send + 'a>> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        let mut answers = self.answers.lock().unwrap();
        let answer = if answers.len() > 1 { answers.remove(0) } else { answers[0].clone() };
        Box::pin(async move { Ok(answer) })
    }
}

fn scripted(answers: &[&[&str]]) -> (Transport, Arc<AtomicUsize>) {
    let asked = Arc::new(AtomicUsize::new(0));
    let answers = answers.iter().map(|list| list.iter().map(|address| address.parse().unwrap()).collect()).collect();
    let script = Script { answers: Mutex::new(answers), asked: Arc::clone(&asked) };
    (Transport::with(Guard::public_only(), Arc::new(script), &[]).unwrap(), asked)
}

async fn attempt(transport: &Transport, url: &str) -> Result<(), String> {
    let target = transport.guard().target(url).map_err(|refusal| refusal.to_string())?;
    let exchange = transport.send(&Request::get(target), Duration::from_millis(300)).await;
    exchange.result.map(|_| ()).map_err(|failure| failure.code().to_owned())
}

#[tokio::test]
async fn the_canary_sees_nothing_of_any_spelling() {
    let canary = Canary::start().await;
    let transport = Transport::new(Guard::public_only()).unwrap();
    let hosts = [
        // decimal, octal, hexadecimal and short forms of 127.0.0.1
        "127.0.0.1",
        "2130706433",
        "017700000001",
        "0177.0.0.1",
        "0x7f000001",
        "0x7f.0x0.0x0.0x1",
        "0x7f.1",
        "127.1",
        "127.0.1",
        "127.0.0.1.",
        "0127.0.0.1",
        "127.127.127.127",
        // fullwidth digits, other dots, percent escapes
        "１２７.０.０.１",
        "127。0。0。1",
        "127%2e0%2e0%2e1",
        "%31%32%37.0.0.1",
        "①②⑦.0.0.1",
        // this network, private, shared, link-local and metadata
        "0.0.0.0",
        "0",
        "10.0.0.1",
        "172.16.0.1",
        "192.168.0.1",
        "100.64.0.1",
        "169.254.169.254",
        "2852039166",
        "metadata.google.internal",
        // IPv6: loopback, mapped, compatible, NAT64, 6to4, Teredo, zones
        "[::1]",
        "[0:0:0:0:0:0:0:1]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[::ffff:0:127.0.0.1]",
        "[::127.0.0.1]",
        "[64:ff9b::127.0.0.1]",
        "[64:ff9b::7f00:1]",
        "[64:ff9b:1::7f00:1]",
        "[2002:7f00:1::]",
        "[2001:0:7f00:1::]",
        "[::]",
        "[fe80::1]",
        "[fe80::1%25lo]",
        "[fe80::1%lo]",
        "[fd00:ec2::254]",
        "[ff02::1]",
        // names of this machine
        "localhost",
        "localhost.",
        "LOCALHOST",
        "loc%61lhost",
        "foo.localhost",
        "ip6-localhost",
        // who is the host?
        "user@127.0.0.1",
        "user:pass@127.0.0.1",
        "example.com@127.0.0.1",
        "127.0.0.1\\@example.com",
        "127.0.0.1#@example.com",
        "127.0.0.1?@example.com",
        "example.com\\@127.0.0.1",
    ];
    for host in hosts {
        for scheme in ["http", "https"] {
            for url in [
                format!("{scheme}://{host}:{}/", canary.port),
                format!("{scheme}:\\\\{host}:{}", canary.port),
                format!("{scheme}://{host}"),
            ] {
                assert!(attempt(&transport, &url).await.is_err(), "{url}");
            }
        }
    }
    assert_eq!(canary.seen().await, 0);
}

#[tokio::test]
async fn the_address_that_was_vetted_is_the_one_that_is_dialled() {
    let canary = Canary::start().await;
    let url = format!("https://rebind.example:{}/", canary.port);
    // Public first, loopback at a second lookup, which must not happen within one attempt.
    let (transport, asked) = scripted(&[&["192.0.1.1"], &["127.0.0.1"]]);
    assert!(attempt(&transport, &url).await.is_err());
    assert_eq!(asked.load(Ordering::SeqCst), 1);
    // The next attempt asks again, and what it hears is judged again.
    assert_eq!(attempt(&transport, &url).await, Err("refused".to_owned()));
    // A mixture is refused as a whole, whatever stands first.
    for mixture in [
        ["192.0.1.1", "127.0.0.1"],
        ["127.0.0.1", "192.0.1.1"],
        ["192.0.1.1", "::ffff:127.0.0.1"],
        ["192.0.1.1", "::1"],
    ] {
        let (transport, _) = scripted(&[&mixture]);
        assert_eq!(attempt(&transport, &url).await, Err("refused".to_owned()));
    }
    assert_eq!(canary.seen().await, 0);
}

#[tokio::test]
async fn in_the_clear_only_to_this_machine() {
    let canary = Canary::start().await;
    let guard = Guard::with_loopback();
    for host in ["example.com", "10.0.0.1", "8.8.8.8"] {
        assert!(guard.target(&format!("http://{host}:{}/", canary.port)).is_err(), "{host}");
    }
    // A name under .localhost that resolves elsewhere is not this machine.
    let asked = Arc::new(AtomicUsize::new(0));
    let script = Script { answers: Mutex::new(vec![vec!["8.8.8.8".parse().unwrap()]]), asked };
    let transport = Transport::with(guard, Arc::new(script), &[]).unwrap();
    assert_eq!(attempt(&transport, "http://a.localhost/").await, Err("refused".to_owned()));
}

#[tokio::test]
async fn a_redirect_to_the_canary_is_not_followed() {
    let canary = Canary::start().await;
    let place = format!("http://127.0.0.1:{}/", canary.port);
    for status in [301, 302, 303, 307, 308] {
        let receiver = Receiver::start(vec![Act::with(status, "Location", &place)]).await;
        let transport = Transport::new(Guard::with_loopback()).unwrap();
        let target = transport.guard().target(&receiver.url).unwrap();
        let answer = transport.send(&Request::get(target), Duration::from_secs(5)).await.result.unwrap();
        assert_eq!((answer.status, answer.header("location")), (status, Some(place.as_str())));
    }
    assert_eq!(canary.seen().await, 0);
}

#[tokio::test]
async fn tls_wants_a_certificate_that_fits() {
    use tokio_rustls::rustls::{ServerConfig, crypto, pki_types::PrivateKeyDer};
    let certified = rcgen::generate_simple_self_signed(vec!["hooks.localhost".to_owned()]).unwrap();
    let certificate = certified.cert.der().clone();
    let config = ServerConfig::builder_with_provider(Arc::new(crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![certificate.clone()],
            PrivateKeyDer::try_from(certified.signing_key.serialize_der()).unwrap(),
        )
        .unwrap();
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    tokio::spawn(async move {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        while let Ok((stream, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let Ok(mut stream) = acceptor.accept(stream).await else { return };
                let _ = stream.read(&mut [0; 4096]).await;
                let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await;
                let _ = stream.shutdown().await;
            });
        }
    });
    let transport = |authorities: &[Vec<u8>]| {
        let script = Script { answers: Mutex::new(vec![vec!["127.0.0.1".parse().unwrap()]]), asked: Arc::default() };
        Transport::with(Guard::with_loopback(), Arc::new(script), authorities).unwrap()
    };
    let known = transport(&[certificate.to_vec()]);
    assert_eq!(attempt(&known, &format!("https://hooks.localhost:{port}/")).await, Ok(()));
    assert_eq!(attempt(&known, &format!("https://other.localhost:{port}/")).await, Err("tls".to_owned()));
    assert_eq!(attempt(&transport(&[]), &format!("https://hooks.localhost:{port}/")).await, Err("tls".to_owned()));
}

#[test]
fn a_refusal_is_a_failure_of_the_attempt_and_says_why() {
    let failure = Failure::Refused(Guard::public_only().vet("10.0.0.1".parse().unwrap()).unwrap_err().to_string());
    assert_eq!(failure.to_string(), "10.0.0.1 is not dialled: it is a private address");
}

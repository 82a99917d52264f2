//! A receiver on a real socket that does what it is told, connection by connection, and notes the bytes that came.

#![allow(
    dead_code,
    unreachable_pub,
    missing_docs,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "shared by tests, each of which uses a part"
)]

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// What the receiver does with one connection.
#[derive(Clone, Debug)]
pub enum Act {
    /// Answers with this status, these headers and this body.
    Answer(u16, Vec<(&'static str, String)>, Vec<u8>),
    /// Reads the request and then says nothing.
    Silent,
    /// Reads the request and closes with RST.
    Reset,
    /// Writes these bytes, as they are, and closes.
    Raw(Vec<u8>),
    /// Writes the first bytes at once, then one byte of the second each time the pause is over.
    Drip(Vec<u8>, Vec<u8>, Duration),
    /// Writes the first bytes, then the second over and over.
    Endless(Vec<u8>, Vec<u8>),
}

impl Act {
    pub fn status(status: u16) -> Self {
        Self::Answer(status, Vec::new(), Vec::new())
    }

    pub fn with(status: u16, name: &'static str, value: &str) -> Self {
        Self::Answer(status, vec![(name, value.to_owned())], Vec::new())
    }
}

/// A request as it came over the wire.
#[derive(Clone, Debug)]
pub struct Received {
    pub line: String,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Received {
    pub fn header(&self, name: &str) -> &str {
        let (_, value) = self.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).unwrap();
        value
    }
}

pub struct Receiver {
    pub url: String,
    pub port: u16,
    received: Arc<Mutex<Vec<Received>>>,
    written: Arc<Mutex<u64>>,
}

impl Receiver {
    /// Plays one act for each connection; the last one for all further ones.
    pub async fn start(acts: Vec<Act>) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let received = Arc::new(Mutex::new(Vec::new()));
        let written = Arc::new(Mutex::new(0));
        let (requests, count) = (Arc::clone(&received), Arc::clone(&written));
        tokio::spawn(async move {
            let mut number = 0;
            while let Ok((stream, _)) = listener.accept().await {
                let act = acts.get(number).or(acts.last()).cloned().unwrap_or(Act::status(200));
                number += 1;
                let (requests, count) = (Arc::clone(&requests), Arc::clone(&count));
                tokio::spawn(async move {
                    let mut stream = stream;
                    let Some(request) = read(&mut stream).await else { return };
                    requests.lock().unwrap().push(request);
                    play(stream, act, &count).await;
                });
            }
        });
        Self { url: format!("http://127.0.0.1:{port}/hook"), port, received, written }
    }

    pub fn received(&self) -> Vec<Received> {
        self.received.lock().unwrap().clone()
    }

    /// How many bytes of endless or dripping answers were written.
    pub fn written(&self) -> u64 {
        *self.written.lock().unwrap()
    }
}

async fn read(stream: &mut TcpStream) -> Option<Received> {
    let mut bytes = Vec::new();
    let mut piece = [0; 4096];
    let end = loop {
        if let Some(at) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            break at + 4;
        }
        match stream.read(&mut piece).await {
            Ok(0) | Err(_) => return None,
            Ok(count) => bytes.extend_from_slice(&piece[..count]),
        }
    };
    let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
    let mut lines = head.trim_end().split("\r\n");
    let line = lines.next().unwrap().to_owned();
    let headers: Vec<(String, String)> = lines
        .map(|line| line.split_once(": ").map(|(name, value)| (name.to_owned(), value.to_owned())).unwrap())
        .collect();
    let length: usize = headers
        .iter()
        .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
        .map_or(0, |(_, value)| value.parse().unwrap());
    while bytes.len() < end + length {
        match stream.read(&mut piece).await {
            Ok(0) | Err(_) => return None,
            Ok(count) => bytes.extend_from_slice(&piece[..count]),
        }
    }
    Some(Received { line, headers, body: bytes[end..].to_vec() })
}

async fn play(mut stream: TcpStream, act: Act, written: &Mutex<u64>) {
    match act {
        Act::Answer(status, headers, body) => {
            let mut head = format!("HTTP/1.1 {status} Said\r\n");
            for (name, value) in headers {
                head.push_str(&format!("{name}: {value}\r\n"));
            }
            head.push_str(&format!("Content-Length: {}\r\n\r\n", body.len()));
            let _ = stream.write_all(head.as_bytes()).await;
            let _ = stream.write_all(&body).await;
        }
        Act::Silent => tokio::time::sleep(Duration::from_secs(60)).await,
        Act::Reset => {
            stream.set_zero_linger().unwrap();
        }
        Act::Raw(bytes) => {
            let _ = stream.write_all(&bytes).await;
            let _ = stream.shutdown().await;
        }
        Act::Drip(first, bytes, pause) => {
            let _ = stream.write_all(&first).await;
            for byte in bytes {
                tokio::time::sleep(pause).await;
                if stream.write_all(&[byte]).await.is_err() {
                    return;
                }
                *written.lock().unwrap() += 1;
            }
        }
        Act::Endless(first, bytes) => {
            let _ = stream.write_all(&first).await;
            loop {
                match stream.write(&bytes).await {
                    Ok(0) | Err(_) => return,
                    Ok(count) => *written.lock().unwrap() += count as u64,
                }
            }
        }
    }
}

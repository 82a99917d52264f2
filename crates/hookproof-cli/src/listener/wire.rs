//! Requests and answers as bytes.

use std::future::Future;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::{Given, Turn};

/// A request as it came.
#[derive(Clone, Debug)]
pub(crate) struct Received {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) headers: Vec<(String, Vec<u8>)>,
    pub(crate) body: Vec<u8>,
}

const HEAD_LIMIT: usize = 64 * 1024;
const BODY_LIMIT: usize = 32 * 1024 * 1024;

/// Answers the requests of one connection until it ends.
pub(crate) async fn serve<F: Future<Output = Turn>>(mut stream: TcpStream, answer: impl Fn(Received) -> F) {
    let mut buffer = Vec::new();
    loop {
        let request = match read(&mut stream, &mut buffer).await {
            Ok(Some(request)) => request,
            // A connection that ends, or breaks, between two requests has done all it wanted.
            Ok(None) => return,
            Err(status) => {
                let refusal = Given { status, headers: Vec::new(), body: Vec::new() };
                let _ = write(&mut stream, &refusal, true).await;
                return;
            }
        };
        let close = wants_close(&request);
        match answer(request).await {
            Turn::Answer(given) => {
                if write(&mut stream, &given, close).await.is_err() || close {
                    return;
                }
            }
            Turn::Timeout => {
                // Until the other side has had enough.
                let _ = stream.read(&mut [0]).await;
                return;
            }
            Turn::Reset => {
                let _ = stream.set_zero_linger();
                return;
            }
        }
    }
}

fn wants_close(request: &Received) -> bool {
    request.header("connection").is_some_and(|value| value.eq_ignore_ascii_case(b"close"))
}

impl Received {
    fn header(&self, name: &str) -> Option<&[u8]> {
        self.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_slice())
    }
}

/// The next request; an error is the status that says what is wrong with it.
async fn read(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> Result<Option<Received>, u16> {
    let end = loop {
        if let Some(at) = buffer.windows(4).position(|window| window == b"\r\n\r\n") {
            break at + 4;
        }
        if buffer.len() > HEAD_LIMIT {
            return Err(431);
        }
        if !fill(stream, buffer).await {
            return Ok(None);
        }
    };
    let mut request = parse(buffer.get(..end).unwrap_or_default())?;
    buffer.drain(..end);
    if request.header("expect").is_some_and(|value| value.eq_ignore_ascii_case(b"100-continue")) {
        stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").await.map_err(|_| 400_u16)?;
    }
    request.body = if request.header("transfer-encoding").is_some() {
        chunked(stream, buffer).await?
    } else {
        let length = request.header("content-length").map_or(Ok(0), |value| {
            std::str::from_utf8(value).ok().and_then(|text| text.trim().parse::<usize>().ok()).ok_or(400_u16)
        })?;
        if length > BODY_LIMIT {
            return Err(413);
        }
        take(stream, buffer, length).await?
    };
    Ok(Some(request))
}

fn parse(head: &[u8]) -> Result<Received, u16> {
    let mut room = vec![httparse::EMPTY_HEADER; 256];
    let mut request = httparse::Request::new(&mut room);
    match request.parse(head) {
        Ok(httparse::Status::Complete(_)) => {}
        Err(httparse::Error::TooManyHeaders) => return Err(431),
        _ => return Err(400),
    }
    Ok(Received {
        method: request.method.unwrap_or_default().to_owned(),
        path: request.path.unwrap_or_default().to_owned(),
        headers: request.headers.iter().map(|header| (header.name.to_owned(), header.value.to_vec())).collect(),
        body: Vec::new(),
    })
}

async fn take(stream: &mut TcpStream, buffer: &mut Vec<u8>, count: usize) -> Result<Vec<u8>, u16> {
    while buffer.len() < count {
        if !fill(stream, buffer).await {
            return Err(400);
        }
    }
    Ok(buffer.drain(..count).collect())
}

async fn chunked(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> Result<Vec<u8>, u16> {
    let mut body = Vec::new();
    loop {
        let size = match httparse::parse_chunk_size(buffer) {
            Ok(httparse::Status::Complete((used, size))) => {
                buffer.drain(..used);
                usize::try_from(size).map_err(|_| 413_u16)?
            }
            Ok(httparse::Status::Partial) if buffer.len() < 256 => {
                if !fill(stream, buffer).await {
                    return Err(400);
                }
                continue;
            }
            _ => return Err(400),
        };
        if body.len().saturating_add(size) > BODY_LIMIT {
            return Err(413);
        }
        if size == 0 {
            // Trailers, up to the empty line.
            loop {
                let at = loop {
                    if let Some(at) = buffer.windows(2).position(|window| window == b"\r\n") {
                        break at;
                    }
                    if buffer.len() > HEAD_LIMIT || !fill(stream, buffer).await {
                        return Err(400);
                    }
                };
                buffer.drain(..at + 2);
                if at == 0 {
                    return Ok(body);
                }
            }
        }
        body.append(&mut take(stream, buffer, size).await?);
        if take(stream, buffer, 2).await? != b"\r\n" {
            return Err(400);
        }
    }
}

async fn fill(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> bool {
    let mut piece = vec![0; 16 * 1024];
    match stream.read(&mut piece).await {
        Ok(count) if count > 0 => {
            buffer.extend_from_slice(piece.get(..count).unwrap_or_default());
            true
        }
        _ => false,
    }
}

async fn write(stream: &mut TcpStream, given: &Given, close: bool) -> std::io::Result<()> {
    let mut head = format!("HTTP/1.1 {} {}\r\n", given.status, reason(given.status)).into_bytes();
    for (name, value) in &given.headers {
        head.extend_from_slice(name.as_bytes());
        head.extend_from_slice(b": ");
        head.extend_from_slice(value);
        head.extend_from_slice(b"\r\n");
    }
    if !matches!(given.status, 204 | 304) {
        head.extend_from_slice(format!("Content-Length: {}\r\n", given.body.len()).as_bytes());
    }
    if close {
        head.extend_from_slice(b"Connection: close\r\n");
    }
    head.extend_from_slice(b"\r\n");
    if !matches!(given.status, 204 | 304) {
        head.extend_from_slice(&given.body);
    }
    stream.write_all(&head).await
}

const fn reason(status: u16) -> &'static str {
    match status {
        200..=299 => "OK",
        300..=399 => "Elsewhere",
        400..=499 => "Refused",
        _ => "Failed",
    }
}

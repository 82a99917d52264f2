//! Reading an answer from somebody who may not mean well.

use tokio::io::{AsyncRead, AsyncReadExt};

use super::Failure;

/// The most bytes that an answer's head may have.
pub const HEAD_LIMIT: usize = 32 * 1024;

/// How many bytes of an answer's body are read and kept. The rest stays where it is: the connection is closed.
pub const BODY_KEPT: usize = 64 * 1024;

/// Interim answers (100, 103) that are skipped; a receiver that sends more wants to be waited for.
const INTERIM_LIMIT: usize = 8;

/// An answer, whole or up to [`BODY_KEPT`] bytes of its body. Compressed bodies are kept as they came.
#[derive(Clone, PartialEq, Eq)]
pub struct Answer {
    /// Its status.
    pub status: u16,
    /// Its headers, names as they came.
    pub headers: Vec<(String, Vec<u8>)>,
    /// Its body.
    pub body: Vec<u8>,
    /// Whether there was more of the body.
    pub cut: bool,
}

impl Answer {
    /// The text of the first header of this name, in any case; `None` if it is not text.
    pub fn header(&self, name: &str) -> Option<&str> {
        let (_, value) = self.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name))?;
        std::str::from_utf8(value).ok()
    }

    /// Whether a hookproof receiver says that it had this delivery before.
    pub fn is_duplicate(&self) -> bool {
        self.header("hookproof-outcome") == Some("duplicate")
    }

    /// Whether it is 200 to 299.
    pub const fn is_success(&self) -> bool {
        matches!(self.status, 200..=299)
    }
}

impl std::fmt::Debug for Answer {
    /// Without the body: a receiver may echo what it was sent.
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Answer")
            .field("status", &self.status)
            .field("body_bytes", &self.body.len())
            .field("cut", &self.cut)
            .finish_non_exhaustive()
    }
}

pub(super) async fn read<R: AsyncRead + Unpin>(reader: &mut R) -> Result<Answer, Failure> {
    let mut buffer = Vec::new();
    for _ in 0..=INTERIM_LIMIT {
        let (mut answer, used) = head(reader, &mut buffer).await?;
        buffer.drain(..used);
        if matches!(answer.status, 100 | 102..=199) {
            continue;
        }
        body(reader, buffer, &mut answer).await?;
        return Ok(answer);
    }
    Err(Failure::Malformed("too many interim answers".to_owned()))
}

/// Reads up to the empty line; says how many bytes of the buffer the head has.
async fn head<R: AsyncRead + Unpin>(reader: &mut R, buffer: &mut Vec<u8>) -> Result<(Answer, usize), Failure> {
    let mut seen = 0;
    loop {
        if let Some(end) = end_of_head(buffer, seen) {
            return parse(buffer.get(..end).unwrap_or_default()).map(|answer| (answer, end));
        }
        // Looking at every byte once only: a receiver that drips must not cost the square of what it drips.
        seen = buffer.len().saturating_sub(3);
        if buffer.len() >= HEAD_LIMIT {
            return Err(Failure::HeadTooLarge);
        }
        match fill(reader, buffer, HEAD_LIMIT).await {
            Ok(0) if buffer.is_empty() => return Err(Failure::Reset("closed without an answer".to_owned())),
            Err(error) if buffer.is_empty() => return Err(Failure::Reset(error.to_string())),
            Ok(0) | Err(_) => return Err(Failure::Truncated),
            Ok(_) => {}
        }
    }
}

fn end_of_head(buffer: &[u8], seen: usize) -> Option<usize> {
    buffer.get(seen..)?.windows(4).position(|window| window == b"\r\n\r\n").map(|at| seen + at + 4)
}

fn parse(head: &[u8]) -> Result<Answer, Failure> {
    let mut room = vec![httparse::EMPTY_HEADER; 512];
    let mut response = httparse::Response::new(&mut room);
    match response.parse(head) {
        Ok(httparse::Status::Complete(_)) => {}
        Ok(httparse::Status::Partial) => return Err(Failure::Malformed("its head is incomplete".to_owned())),
        Err(httparse::Error::TooManyHeaders) => return Err(Failure::HeadTooLarge),
        Err(error) => return Err(Failure::Malformed(error.to_string())),
    }
    let headers = response.headers.iter().map(|header| (header.name.to_owned(), header.value.to_vec())).collect();
    Ok(Answer { status: response.code.unwrap_or_default(), headers, body: Vec::new(), cut: false })
}

async fn body<R: AsyncRead + Unpin>(reader: &mut R, buffer: Vec<u8>, answer: &mut Answer) -> Result<(), Failure> {
    if matches!(answer.status, 101 | 204 | 304) {
        return Ok(());
    }
    match framing(answer)? {
        Framing::Length(length) => {
            let wanted = usize::try_from(length).unwrap_or(usize::MAX).min(BODY_KEPT);
            answer.cut = length > BODY_KEPT as u64;
            answer.body = plain(reader, buffer, wanted, true).await?;
        }
        Framing::UntilClose => {
            answer.body = plain(reader, buffer, BODY_KEPT + 1, false).await?;
            answer.cut = answer.body.len() > BODY_KEPT;
            answer.body.truncate(BODY_KEPT);
        }
        Framing::Chunked => chunked(reader, buffer, answer).await?,
    }
    Ok(())
}

enum Framing {
    Length(u64),
    UntilClose,
    Chunked,
}

fn framing(answer: &Answer) -> Result<Framing, Failure> {
    if let Some(encoding) = answer.header("transfer-encoding") {
        return if encoding.trim().eq_ignore_ascii_case("chunked") {
            Ok(Framing::Chunked)
        } else {
            Err(Failure::Malformed("its transfer encoding is unknown".to_owned()))
        };
    }
    let Some(length) = answer.header("content-length") else { return Ok(Framing::UntilClose) };
    let length = length.trim();
    if length.is_empty() || !length.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(Failure::Malformed("its length is no number".to_owned()));
    }
    Ok(Framing::Length(length.parse().unwrap_or(u64::MAX)))
}

/// `wanted` bytes, of which some may be in the buffer; `exact`: fewer are a truncated answer.
async fn plain<R: AsyncRead + Unpin>(
    reader: &mut R,
    mut buffer: Vec<u8>,
    wanted: usize,
    exact: bool,
) -> Result<Vec<u8>, Failure> {
    while buffer.len() < wanted {
        if more(reader, &mut buffer, wanted).await? == 0 {
            return if exact { Err(Failure::Truncated) } else { Ok(buffer) };
        }
    }
    buffer.truncate(wanted);
    Ok(buffer)
}

async fn chunked<R: AsyncRead + Unpin>(
    reader: &mut R,
    mut buffer: Vec<u8>,
    answer: &mut Answer,
) -> Result<(), Failure> {
    loop {
        let size = match httparse::parse_chunk_size(&buffer) {
            Ok(httparse::Status::Complete((used, size))) => {
                buffer.drain(..used);
                size
            }
            // A size line is short; one that is not is somebody wasting our time with extensions.
            Ok(httparse::Status::Partial) if buffer.len() < 256 => {
                if more(reader, &mut buffer, 256).await? == 0 {
                    return Err(Failure::Truncated);
                }
                continue;
            }
            _ => return Err(Failure::Malformed("a chunk has no size".to_owned())),
        };
        if size == 0 {
            // Trailers would only be thrown away, and the connection is closed anyway.
            return Ok(());
        }
        let room = BODY_KEPT - answer.body.len();
        let wanted = usize::try_from(size).unwrap_or(usize::MAX);
        let taken = wanted.min(room);
        while buffer.len() < taken {
            if more(reader, &mut buffer, taken).await? == 0 {
                return Err(Failure::Truncated);
            }
        }
        answer.body.extend(buffer.drain(..taken));
        if wanted > room {
            answer.cut = true;
            return Ok(());
        }
        while buffer.len() < 2 {
            if more(reader, &mut buffer, 2).await? == 0 {
                return Err(Failure::Truncated);
            }
        }
        if !buffer.starts_with(b"\r\n") {
            return Err(Failure::Malformed("a chunk does not end where it said".to_owned()));
        }
        buffer.drain(..2);
    }
}

/// As [`fill`], inside a body: what breaks there leaves a truncated answer.
async fn more<R: AsyncRead + Unpin>(reader: &mut R, buffer: &mut Vec<u8>, limit: usize) -> Result<usize, Failure> {
    fill(reader, buffer, limit).await.map_err(|_| Failure::Truncated)
}

/// Reads once, to no more than `limit` bytes in the buffer.
async fn fill<R: AsyncRead + Unpin>(reader: &mut R, buffer: &mut Vec<u8>, limit: usize) -> std::io::Result<usize> {
    let mut piece = [0_u8; 8 * 1024];
    let room = limit.saturating_sub(buffer.len()).clamp(1, piece.len());
    let (piece, _) = piece.split_at_mut(room);
    let count = reader.read(piece).await?;
    buffer.extend_from_slice(piece.get(..count).unwrap_or_default());
    Ok(count)
}

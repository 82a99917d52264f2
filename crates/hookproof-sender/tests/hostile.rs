//! Receivers that mean no good: each costs one deadline at most and little memory.

#![allow(missing_docs, clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests may fail loudly")]

mod receiver;

use std::time::{Duration, Instant};

use hookproof_sender::transport::{BODY_KEPT, Exchange, Failure, Guard, Method, Request, Transport};
use peak_alloc::PeakAlloc;
use receiver::{Act, Receiver};

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

const DEADLINE: Duration = Duration::from_millis(600);

async fn send(url: &str, body: Vec<u8>) -> Exchange {
    let transport = Transport::new(Guard::with_loopback()).unwrap();
    let target = transport.guard().target(url).unwrap();
    let request = Request { method: Method::Post, target, headers: Vec::new(), body };
    transport.send(&request, DEADLINE).await
}

/// One deadline and 5 MB, and the receiver can write no more than what fits into the sockets' buffers.
async fn costs_little(act: Act) -> Result<hookproof_sender::transport::Answer, Failure> {
    let receiver = Receiver::start(vec![act]).await;
    MEMORY.reset_peak_usage();
    let (before, started) = (MEMORY.current_usage(), Instant::now());
    let exchange = send(&receiver.url, b"{}".to_vec()).await;
    let (took, grown) = (started.elapsed(), MEMORY.peak_usage().saturating_sub(before));
    assert!(took < DEADLINE + Duration::from_millis(400), "took {took:?}");
    assert!(grown < 5_000_000, "used {grown} bytes");
    assert!(exchange.sent);
    exchange.result
}

fn chunks_without_end() -> Vec<u8> {
    let mut bytes = b"10000\r\n".to_vec();
    bytes.resize(bytes.len() + 0x10000, b'x');
    bytes.extend_from_slice(b"\r\n");
    bytes
}

// One test, because memory is measured for the whole process.
#[tokio::test]
async fn hostile_answers_cost_one_deadline_and_little_memory() {
    let head = |headers: &str| format!("HTTP/1.1 200 OK\r\n{headers}\r\n").into_bytes();
    let second = Duration::from_secs(1);

    // One byte a second: of the status line, of a header, of the body.
    for (first, rest) in [
        (Vec::new(), b"HTTP/1.1 200 OK\r\n".to_vec()),
        (b"HTTP/1.1 200 OK\r\nX: ".to_vec(), vec![b'a'; 100]),
        (head("Content-Length: 100\r\n"), vec![b'a'; 100]),
        (head("Transfer-Encoding: chunked\r\n"), b"5\r\nhello\r\n0\r\n\r\n".to_vec()),
    ] {
        assert_eq!(costs_little(Act::Drip(first, rest, second)).await, Err(Failure::TimedOut));
    }

    // 10 GB, announced, chunked, or until the connection ends: 64 KiB of it are read.
    for (first, rest) in [
        (head("Content-Length: 10000000000\r\n"), vec![b'x'; 65_536]),
        (head("Content-Length: 99999999999999999999999\r\n"), vec![b'x'; 65_536]),
        (head("Transfer-Encoding: chunked\r\n"), chunks_without_end()),
        (head(""), vec![b'x'; 65_536]),
    ] {
        let answer = costs_little(Act::Endless(first, rest)).await.unwrap();
        assert_eq!((answer.status, answer.body.len(), answer.cut), (200, BODY_KEPT, true));
    }

    // 100,000 headers, one header without end, interim answers without end, a chunk size without end.
    let many: String = (0..100_000).map(|number| format!("X-{number}: y\r\n")).collect();
    assert_eq!(costs_little(Act::Raw(head(&many))).await, Err(Failure::HeadTooLarge));
    assert_eq!(costs_little(Act::Raw(head(&"a: b\r\n".repeat(1_000)))).await, Err(Failure::HeadTooLarge));
    let start = b"HTTP/1.1 200 OK\r\nX: ".to_vec();
    assert_eq!(costs_little(Act::Endless(start, vec![b'a'; 65_536])).await, Err(Failure::HeadTooLarge));
    let interim = b"HTTP/1.1 103 Early Hints\r\n\r\n".to_vec();
    assert!(matches!(costs_little(Act::Endless(Vec::new(), interim)).await, Err(Failure::Malformed(_))));
    let size = head("Transfer-Encoding: chunked\r\n");
    assert!(matches!(costs_little(Act::Endless(size, vec![b'0'; 65_536])).await, Err(Failure::Malformed(_))));

    // A compressed bomb is bytes like any others: nothing here unpacks them.
    let bomb = Act::Answer(200, vec![("Content-Encoding", "gzip".to_owned())], vec![0x1f; 10_000]);
    assert_eq!(costs_little(bomb).await.unwrap().body.len(), 10_000);
}

#[tokio::test]
async fn answers_that_are_no_answers() {
    for (bytes, failure) in [
        (&b""[..], "reset"),
        (b"HTTP/1.1 200", "truncated"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabc", "truncated"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabc", "truncated"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhelloXX0\r\n\r\n", "malformed"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "malformed"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n", "malformed"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", "malformed"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 1, 1\r\n\r\na", "malformed"),
        (b"SSH-2.0-OpenSSH_9.2\r\n\r\n", "malformed"),
        (b"HTTP/2 200\r\n\r\n", "malformed"),
        (b"HTTP/1.1 OK\r\n\r\n", "malformed"),
    ] {
        let receiver = Receiver::start(vec![Act::Raw(bytes.to_vec())]).await;
        let failed = send(&receiver.url, b"{}".to_vec()).await.result.unwrap_err();
        assert_eq!(failed.code(), failure, "{}", String::from_utf8_lossy(bytes));
    }
}

#[tokio::test]
async fn answers_in_every_framing_are_read_whole() {
    for (bytes, body) in [
        (&b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello and more"[..], &b"hello"[..]),
        (b"HTTP/1.1 200 OK\r\n\r\nhello", b"hello"),
        (b"HTTP/1.0 200 OK\r\n\r\nhello", b"hello"),
        (b"HTTP/1.1 200\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nhel\r\n2\r\nlo\r\n0\r\nX: y\r\n\r\n", b"hello"),
        (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: <x>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", b"ok"),
        (b"HTTP/1.1 204 No Content\r\n\r\nignored", b""),
    ] {
        let receiver = Receiver::start(vec![Act::Raw(bytes.to_vec())]).await;
        let answer = send(&receiver.url, b"{}".to_vec()).await.result.unwrap();
        assert!(answer.is_success());
        assert_eq!(answer.body, body, "{}", String::from_utf8_lossy(bytes));
    }
}

#[tokio::test]
async fn an_answer_before_the_end_of_the_request_counts() {
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    tokio::spawn(async move {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut piece = [0; 1024];
        let _ = stream.read(&mut piece).await.unwrap();
        stream.write_all(b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n").await.unwrap();
        tokio::time::sleep(Duration::from_secs(5)).await;
    });
    let answer = send(&url, vec![b'x'; 50_000_000]).await.result.unwrap();
    assert_eq!(answer.status, 413);
}

#[tokio::test]
async fn headers_that_could_start_a_line_of_their_own_are_not_sent() {
    let receiver = Receiver::start(vec![Act::status(200)]).await;
    let transport = Transport::new(Guard::with_loopback()).unwrap();
    for (name, value) in
        [("X\r\nY", "z"), ("X", "y\r\nZ: a"), ("X", "y\nZ: a"), ("X Y", "z"), ("X:", "z"), ("", "z"), ("X", "\0")]
    {
        let target = transport.guard().target(&receiver.url).unwrap();
        let request = Request {
            method: Method::Post,
            target,
            headers: vec![(name.to_owned(), value.to_owned())],
            body: Vec::new(),
        };
        assert!(matches!(transport.send(&request, DEADLINE).await.result, Err(Failure::Refused(_))));
    }
    assert!(receiver.received().is_empty());
}

//! Passing a request on, untouched.

use std::time::Duration;

use hookproof_sender::transport::{Method, Request, Target, Transport};

use super::{Given, Received, Turn};

/// Longer than any provider waits.
const DEADLINE: Duration = Duration::from_secs(60);

/// Headers that belong to a connection and not to a message, or that the next request gets anew.
const OF_THE_CONNECTION: [&str; 9] =
    ["host", "connection", "content-length", "transfer-encoding", "keep-alive", "te", "trailer", "upgrade", "expect"];

/// Sends the body and the headers on, in their case and order, and gives back the answer.
pub(crate) async fn forward(transport: &Transport, target: &Target, request: &Received) -> Turn {
    let keep = |name: &str| !OF_THE_CONNECTION.iter().any(|known| known.eq_ignore_ascii_case(name));
    let mut headers = Vec::new();
    for (name, value) in request.headers.iter().filter(|(name, _)| keep(name)) {
        // A header that is not text cannot be signed by any scheme; it is passed on as far as it is.
        headers.push((name.clone(), String::from_utf8_lossy(value).into_owned()));
    }
    let method = if request.method == "GET" { Method::Get } else { Method::Post };
    let onward = Request { method, target: target.clone(), headers, body: request.body.clone() };
    match transport.send(&onward, DEADLINE).await.result {
        Ok(answer) => {
            let headers = answer.headers.into_iter().filter(|(name, _)| keep(name)).collect();
            Turn::Answer(Given { status: answer.status, headers, body: answer.body })
        }
        Err(failure) => {
            let body = format!("not forwarded: {failure}\n").into_bytes();
            Turn::Answer(Given {
                status: 502,
                headers: vec![("Content-Type".to_owned(), b"text/plain".to_vec())],
                body,
            })
        }
    }
}

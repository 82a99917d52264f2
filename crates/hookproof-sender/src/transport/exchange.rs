//! One request and its answer, under one deadline.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tokio::io::{AsyncWriteExt, split};

use super::{Answer, Exchange, Failure, Request, Transport, dial, response};

pub(super) async fn run(transport: &Transport, request: &Request, deadline: Duration) -> Exchange {
    let started = Instant::now();
    let sent = AtomicBool::new(false);
    let mut address = None;
    let result = match tokio::time::timeout(deadline, attempt(transport, request, &sent, &mut address)).await {
        Ok(result) => result,
        Err(_) => Err(Failure::TimedOut),
    };
    Exchange { result, sent: sent.load(Ordering::Relaxed), address, took: started.elapsed() }
}

async fn attempt(
    transport: &Transport,
    request: &Request,
    sent: &AtomicBool,
    address: &mut Option<SocketAddr>,
) -> Result<Answer, Failure> {
    let head = request.head().map_err(|refusal| Failure::Refused(refusal.to_string()))?;
    let stream = dial::connect(transport, &request.target, address).await?;
    let (mut reader, mut writer) = split(stream);
    let write = async {
        for part in [head.as_slice(), request.body.as_slice()] {
            let mut rest = part;
            while !rest.is_empty() {
                let count = writer.write(rest).await?;
                if count == 0 {
                    return Err(std::io::ErrorKind::WriteZero.into());
                }
                sent.store(true, Ordering::Relaxed);
                rest = rest.get(count..).unwrap_or_default();
            }
        }
        writer.flush().await
    };
    let read = response::read(&mut reader);
    tokio::pin!(write, read);
    // A receiver may answer before it has read everything (413): its answer counts, the broken write does not.
    tokio::select! {
        biased;
        answer = &mut read => answer,
        written = &mut write => match written {
            Ok(()) => read.await,
            Err(error) => read.await.map_err(|failure| if matches!(failure, Failure::Reset(_)) { Failure::Reset(error.to_string()) } else { failure }),
        },
    }
}

//! `hookproof listen`

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use clap::Args;
use hookproof::{Secret, Verifier};
use hookproof_sender::rfc3339;
use hookproof_sender::transport::{Guard, Target, Transport};
use serde_json::json;
use tokio::net::TcpListener;
use tokio::sync::Notify;

use crate::command::{block_on, send::transport};
use crate::console::{Paint, harmless, say};
use crate::failure::{Answer, Failure};
use crate::input::{self, SecretSource};
use crate::listener::{self, Received, Script, Turn};

/// Shows every request that comes, byte for byte, and answers by a script.
///
/// An answer echoes the request's body, unless --forward-to passes the request on: then the answer is the other side's.
#[derive(Args, Debug)]
pub(crate) struct Listen {
    /// The port; 0 takes a free one
    #[arg(long, default_value_t = 8787)]
    port: u16,
    /// The address
    #[arg(long, default_value = "127.0.0.1")]
    host: std::net::IpAddr,
    /// Answers in turn, the last one from then on: a status, `429:60` with Retry-After, `timeout`, `reset`, each `x` times
    #[arg(long, value_name = "SCRIPT", default_value = "200")]
    script: Script,
    /// Pass the bytes on, untouched, to this URL once the script has come to a 2xx
    #[arg(long, value_name = "URL")]
    forward_to: Option<String>,
    /// Say whether requests are authentic for this provider, or scheme file
    #[arg(long, value_name = "PROVIDER")]
    verify: Option<String>,
    #[command(flatten)]
    secret: SecretSource,
    /// End after so many requests
    #[arg(long, value_name = "N")]
    count: Option<u64>,
    /// Print a line of JSON for each request
    #[arg(long)]
    json: bool,
    /// No colours
    #[arg(long)]
    plain: bool,
}

/// What all connections share.
struct Desk {
    script: Script,
    forward: Option<(Transport, Target)>,
    verifier: Option<Verifier>,
    turn: AtomicU64,
    json: bool,
    paint: Paint,
    count: Option<u64>,
    enough: Notify,
}

impl Listen {
    pub(crate) fn run(self) -> Result<Answer, Failure> {
        block_on(self.serve())?;
        Ok(Answer::Yes)
    }

    async fn serve(self) -> Result<(), Failure> {
        let verifier = match &self.verify {
            Some(name) => Some(Verifier::new(input::scheme(name)?, Secret::new(self.secret.read()?.reveal())?)?),
            None => None,
        };
        let forward = match &self.forward_to {
            Some(url) => Some((transport()?, Guard::with_loopback().target(url)?)),
            None => None,
        };
        let address = SocketAddr::new(self.host, self.port);
        let socket = TcpListener::bind(address)
            .await
            .map_err(|error| Failure::new(format!("cannot listen on {address}: {error}")))?;
        let paint = Paint::new(self.plain);
        if self.json {
            say(json!({ "listening": format!("http://{}", socket.local_addr()?) }))?;
        } else {
            say(paint.bold(&format!("listening on http://{}", socket.local_addr()?)))?;
        }
        let desk = Arc::new(Desk {
            script: self.script,
            forward,
            verifier,
            turn: AtomicU64::new(0),
            json: self.json,
            paint,
            count: self.count,
            enough: Notify::new(),
        });
        loop {
            tokio::select! {
                accepted = socket.accept() => {
                    let (stream, _) = accepted?;
                    let desk = Arc::clone(&desk);
                    tokio::spawn(async move {
                        let answering = Arc::clone(&desk);
                        listener::serve(stream, move |request| answer(Arc::clone(&answering), request)).await;
                    });
                }
                () = desk.enough.notified() => return Ok(()),
                _ = tokio::signal::ctrl_c() => return Ok(()),
            }
        }
    }
}

async fn answer(desk: Arc<Desk>, request: Received) -> Turn {
    let number = desk.turn.fetch_add(1, Ordering::SeqCst);
    let scripted = desk.script.turn(number, &request);
    let verdict = desk.verifier.as_ref().map(|verifier| verdict(verifier, &request));
    let turn = match (&desk.forward, &scripted) {
        (Some((transport, target)), Turn::Answer(given)) if matches!(given.status, 200..=299) => {
            listener::forward(transport, target, &request).await
        }
        _ => scripted,
    };
    // A reader that has gone away is not told anything more; the senders still are.
    let _ = if desk.json {
        tell_json(number, &request, verdict.as_deref(), &turn)
    } else {
        tell(&desk, number, &request, verdict.as_deref(), &turn)
    };
    if desk.count.is_some_and(|count| number + 1 >= count) {
        let desk = Arc::clone(&desk);
        // The answer still has to go out.
        tokio::spawn(async move {
            tokio::time::sleep(std::time::Duration::from_millis(200)).await;
            desk.enough.notify_one();
        });
    }
    turn
}

fn verdict(verifier: &Verifier, request: &Received) -> String {
    let arrived = hookproof::Request::new(&request.headers, &request.body).method(&request.method).url(&request.path);
    match verifier.verify(&arrived, input::now()) {
        Ok(_) => "authentic".to_owned(),
        Err(error) => format!("{}: {error}", error.code()),
    }
}

fn tell(desk: &Desk, number: u64, request: &Received, verdict: Option<&str>, turn: &Turn) -> Result<(), Failure> {
    let paint = desk.paint;
    let mut text = paint.bold(&format!(
        "#{} {} {} {}",
        number + 1,
        rfc3339(hookproof_sender::wall_now()),
        harmless(&request.method, 20),
        harmless(&request.path, 200)
    ));
    for (name, value) in &request.headers {
        text.push_str(&format!(
            "\n  {}: {}",
            paint.faint(&harmless(name, 80)),
            harmless(&String::from_utf8_lossy(value), 200)
        ));
    }
    text.push_str(&format!(
        "\n  {} bytes: {}",
        request.body.len(),
        harmless(&String::from_utf8_lossy(&request.body), 2_000)
    ));
    if let Some(verdict) = verdict {
        let painted = if verdict == "authentic" { paint.green(verdict) } else { paint.red(verdict) };
        text.push_str(&format!("\n  {painted}"));
    }
    text.push_str(&format!("\n  -> {}\n", turn.name()));
    say(text)
}

fn tell_json(number: u64, request: &Received, verdict: Option<&str>, turn: &Turn) -> Result<(), Failure> {
    let headers: Vec<_> =
        request.headers.iter().map(|(name, value)| json!([name, String::from_utf8_lossy(value)])).collect();
    say(json!({
        "number": number + 1,
        "method": request.method,
        "path": request.path,
        "headers": headers,
        "body": std::str::from_utf8(&request.body).ok(),
        "body_hex": request.body.iter().map(|byte| format!("{byte:02x}")).collect::<String>(),
        "verdict": verdict,
        "answer": turn.name(),
    }))
}

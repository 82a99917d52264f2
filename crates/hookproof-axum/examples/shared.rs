//! An axum service on a Redis that it shares with services in other languages; what takes effect is a line in a file.
//!
//! `REDIS_URL=... SECRET=... EFFECTS=... cargo run --example shared`, and it prints its port. `tests/stores` runs it
//! beside a Flask and an Express application.

use std::error::Error;
use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::{Router, routing::post};
use hookproof::{Scheme, Secret, Verifier};
use hookproof_axum::{Delivery, Receiver, receive};
use hookproof_stores::{Scope, redis::RedisStore};
use redis::aio::ConnectionManager;

async fn on_delivery(State(effects): State<Arc<File>>, delivery: Delivery) -> StatusCode {
    let line = format!("axum {}\n", delivery.id().unwrap_or_default());
    match (&*effects).write_all(line.as_bytes()) {
        Ok(()) => StatusCode::NO_CONTENT,
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let var = std::env::var;
    let connection = ConnectionManager::new(redis::Client::open(var("REDIS_URL")?)?).await?;
    let store = RedisStore::new(connection, Scope::new("shared")?);
    let verifier = Verifier::new(Scheme::named("standard-webhooks")?, Secret::new(var("SECRET")?)?)?;
    let effects = OpenOptions::new().append(true).open(var("EFFECTS")?)?;
    let app = Router::new()
        .route("/", post(on_delivery).layer(receive(Receiver::new(verifier, store)?)))
        .with_state(Arc::new(effects));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    #[expect(clippy::print_stdout, reason = "whoever started it reads the port")]
    {
        println!("{}", listener.local_addr()?.port());
    }
    axum::serve(listener, app).await?;
    Ok(())
}

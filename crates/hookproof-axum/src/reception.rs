//! One request on its way: what the kernel commands is carried out here.

use core::panic::AssertUnwindSafe;
use core::time::Duration;
use std::sync::Arc;
use std::time::Instant;

use axum::body::{Body, Bytes};
use axum::extract::{OriginalUri, Request};
use axum::http::request::Parts as Head;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures_util::FutureExt as _;
use hookproof::store::Token;
use hookproof::{Answer, Claiming, Command, Error, ErrorKind, Event, Reply};
use http_body_util::BodyExt as _;
use tower::Service;

use crate::claim::{Claim, LeaseLost};
use crate::delivery::Delivery;
use crate::erased::Erased;
use crate::receiver::Parts;

/// Serves one request.
pub(crate) async fn serve<S>(parts: Arc<Parts>, request: Request, mut handler: S) -> Response
where
    S: Service<Request, Response = Response, Error = core::convert::Infallible> + Send,
    S::Future: Send,
{
    let began = Instant::now();
    let (head, body) = request.into_parts();
    let mut own = None;
    let answer = match to_delivery(&parts, &head, body).await {
        Err(error) => parts.kernel.refuse(&error),
        Ok(Met::Handshake(reply)) => parts.kernel.shake(reply),
        Ok(Met::Delivery(delivery)) => match token() {
            Err(error) => parts.kernel.refuse(&error),
            Ok(token) => drive(&parts, delivery, token, head, &mut handler, &mut own).await,
        },
    };
    parts.tell(&answer.outcome, began.elapsed());
    to_response(answer, own)
}

/// What a request turns out to be.
enum Met {
    Handshake(Reply),
    Delivery(Delivery),
}

async fn to_delivery(parts: &Parts, head: &Head, body: Body) -> Result<Met, Error> {
    let verifier = parts.kernel.verifier();
    let declared = head.headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
    if let Some(length) = declared {
        verifier.fits(length)?;
    }
    // A router that is nested has cut the path; what was signed is the whole.
    let uri = head.extensions.get::<OriginalUri>().map_or(&head.uri, |original| &original.0);
    let (method, url) = (head.method.as_str(), uri.to_string());
    let request = |body| hookproof::Request::new(&head.headers, body).method(method).url(&url);

    if verifier.options().handshake {
        // Whether it is one can stand in the body.
        let body = read(verifier, body).await?;
        let request = request(&body);
        if let Some(reply) = verifier.handshake(&request, now())? {
            return Ok(Met::Handshake(reply));
        }
        return Ok(Met::Delivery(Delivery(Arc::new(verifier.verify(&request, now())?.into_owned()))));
    }
    let mut stream = verifier.start(&request(&EMPTY))?;
    let mut body = body;
    while let Some(chunk) = next(&mut body).await? {
        stream.update(&chunk)?;
    }
    Ok(Met::Delivery(Delivery(Arc::new(stream.finish(now())?))))
}

const EMPTY: Vec<u8> = Vec::new();

async fn read(verifier: &hookproof::Verifier, mut body: Body) -> Result<Vec<u8>, Error> {
    let mut whole = Vec::new();
    while let Some(chunk) = next(&mut body).await? {
        verifier.fits(whole.len().saturating_add(chunk.len()))?;
        whole.extend_from_slice(&chunk);
    }
    Ok(whole)
}

async fn next(body: &mut Body) -> Result<Option<Bytes>, Error> {
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| Error::new(ErrorKind::BodyMalformed, "the body broke off".to_owned()))?;
        if let Ok(chunk) = frame.into_data() {
            return Ok(Some(chunk));
        }
    }
    Ok(None)
}

/// Carries out what the kernel commands, until there is an answer.
async fn drive<S>(
    parts: &Parts,
    delivery: Delivery,
    token: Token,
    head: Head,
    handler: &mut S,
    own: &mut Option<Response>,
) -> Answer
where
    S: Service<Request, Response = Response, Error = core::convert::Infallible> + Send,
    S::Future: Send,
{
    let scope = parts.store.as_ref().map_or("", |store| store.scope());
    let (mut reception, mut command) = parts.kernel.begin(&delivery, scope, token, parts.elapsed_ms());
    let mut head = Some(head);
    loop {
        let event = match command {
            Command::Answer(answer) => return answer,
            Command::Claim(claiming) => {
                on(parts, |store| async move {
                    let Claiming { key, token, body_hash, lease_ms, .. } = claiming;
                    store.claim(&key, &token, &body_hash, lease_ms).await.map(Event::Claimed)
                })
                .await
            }
            Command::Run { fence, claim, renew_every_ms, renew_for_ms } => match head.take() {
                Some(head) => {
                    let held = claim.zip(parts.store.clone());
                    let renewal = held.clone().map(|(claiming, store)| {
                        Renewal(tokio::spawn(renew(claiming, store, renew_every_ms, renew_for_ms)))
                    });
                    let claim = held.map(|(claiming, store)| Claim::new(claiming, fence, store));
                    let event = run(handler, to_request(head, &delivery, claim.clone()), own).await;
                    drop(renewal);
                    match event {
                        Event::Handled { status } if claim.is_some_and(|claim| claim.is_joined()) => {
                            Event::Joined { status }
                        }
                        event => event,
                    }
                }
                None => Event::Raised,
            },
            Command::Complete { claim: Claiming { key, token, retention_ms, .. }, delay_ms } => {
                tokio::time::sleep(Duration::from_millis(delay_ms)).await;
                on(parts, |store| async move {
                    store.complete(&key, &token, retention_ms).await.map(|held| Event::Settled { held })
                })
                .await
            }
            Command::Release(Claiming { key, token, .. }) => {
                on(parts, |store| async move { store.release(&key, &token).await.map(|held| Event::Settled { held }) })
                    .await
            }
            // A command of a newer kernel: the reception ends it with 500.
            _ => Event::Raised,
        };
        command = reception.step(event);
    }
}

async fn on<F, Fut>(parts: &Parts, step: F) -> Event
where
    F: FnOnce(Arc<dyn Erased>) -> Fut,
    Fut: Future<Output = Result<Event, hookproof::store::StoreError>>,
{
    let Some(store) = parts.store.clone() else { return Event::StoreFailed };
    step(store).await.unwrap_or_else(|error| {
        tracing::error!("{error}");
        Event::StoreFailed
    })
}

/// Runs the handler and reads its answer whole: if it breaks off, the delivery was not handled.
async fn run<S>(handler: &mut S, request: Request, own: &mut Option<Response>) -> Event
where
    S: Service<Request, Response = Response, Error = core::convert::Infallible> + Send,
    S::Future: Send,
{
    let answered = AssertUnwindSafe(async {
        let Ok(response) = handler.call(request).await;
        let (head, body) = response.into_parts();
        body.collect().await.map(|whole| Response::from_parts(head, Body::from(whole.to_bytes())))
    });
    match answered.catch_unwind().await {
        Ok(Ok(response)) => {
            let lost = response.extensions().get::<LeaseLost>().is_some();
            let status = response.status().as_u16();
            *own = Some(response);
            if lost { Event::LeaseLost } else { Event::Handled { status } }
        }
        Ok(Err(error)) => {
            tracing::error!("the handler's answer broke off: {error}");
            Event::Raised
        }
        // The panic's message has gone to the panic hook.
        Err(_) => Event::Raised,
    }
}

/// Ends with the handler, however that ends.
struct Renewal(tokio::task::JoinHandle<()>);

impl Drop for Renewal {
    fn drop(&mut self) {
        self.0.abort();
    }
}

async fn renew(claiming: Claiming, store: Arc<dyn Erased>, every_ms: u64, for_ms: u64) {
    let Claiming { key, token, lease_ms, .. } = claiming;
    let until = Instant::now() + Duration::from_millis(for_ms);
    loop {
        tokio::time::sleep(Duration::from_millis(every_ms.max(1))).await;
        if Instant::now() >= until {
            tracing::warn!("the handler has run for its whole time: its claim is not renewed any more");
            return;
        }
        match store.extend(&key, &token, lease_ms).await {
            Ok(true) => {}
            Ok(false) => {
                tracing::warn!("another worker has taken the delivery over");
                return;
            }
            // The lease may last until the store is back.
            Err(error) => tracing::warn!("{error}"),
        }
    }
}

fn to_request(mut head: Head, delivery: &Delivery, claim: Option<Claim>) -> Request {
    // Where the signature covers only part of the body, the handler has to ask for the rest by name.
    let body = if delivery.signed().is_none() { Bytes::copy_from_slice(delivery.body()) } else { Bytes::new() };
    head.extensions.insert(delivery.clone());
    if let Some(claim) = claim {
        head.extensions.insert(claim);
    }
    Request::from_parts(head, Body::from(body))
}

fn to_response(answer: Answer, own: Option<Response>) -> Response {
    let mut response = match (answer.status, own) {
        (None, Some(own)) => own,
        (status, _) => {
            let status = status.and_then(|status| StatusCode::from_u16(status).ok());
            (status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR), answer.body).into_response()
        }
    };
    if answer.status.is_some() {
        response.headers_mut().remove(header::CONTENT_TYPE);
    }
    for (name, value) in answer.headers {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
            response.headers_mut().insert(name, value);
        }
    }
    response
}

/// Drawn before the claim, so that a claim whose answer was lost can be released by it.
fn token() -> Result<Token, Error> {
    let mut token = [0; 16];
    match getrandom::fill(&mut token) {
        Ok(()) => Ok(Token(token)),
        Err(error) => Err(Error::new(ErrorKind::InternalError, format!("no random numbers: {error}"))),
    }
}

fn now() -> i64 {
    i64::try_from(crate::now_ms() / 1000).unwrap_or(i64::MAX)
}

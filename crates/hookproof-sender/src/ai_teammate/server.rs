//! The service behind HTTP, under `/api`.
//!
//! Where the document is silent: the API key comes as `Authorization: Bearer`, a change is a PATCH, errors are
//! `{"error": "..."}`, and a callback's body is the answer with the webhook's id, the message and the user's id.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Json, Response};
use axum::routing::{patch, post};
use serde::Deserialize;
use serde_json::json;

use super::platform::{Callback, Change, Platform, Refused};
use crate::transport::{self, Guard, Method, Transport};
use crate::{Error, SigningSecret, wall_now};

/// The service, ready to be served.
#[derive(Clone)]
pub struct Server {
    platform: Arc<Mutex<Platform>>,
    api_key: Arc<SigningSecret>,
    /// How many of the next messages are answered with 500.
    failing: Arc<Mutex<u32>>,
    transport: Transport,
    observer: Option<Arc<dyn Fn(String) + Send + Sync>>,
}

impl Server {
    /// A service whose management wants this API key. Callbacks go to addresses that `guard` lets through.
    ///
    /// # Errors
    /// If TLS cannot be set up.
    pub fn new(platform: Platform, api_key: SigningSecret, guard: Guard) -> Result<Self, Error> {
        Ok(Self {
            platform: Arc::new(Mutex::new(platform)),
            api_key: Arc::new(api_key),
            failing: Arc::default(),
            transport: Transport::new(guard)?,
            observer: None,
        })
    }

    /// The next so many messages are answered with 500 and not charged.
    #[must_use]
    pub fn failing_first(self, count: u32) -> Self {
        *lock(&self.failing) = count;
        self
    }

    /// Somebody who is told of each request in one line, without tokens and without bodies.
    #[must_use]
    pub fn observed(mut self, observer: impl Fn(String) + Send + Sync + 'static) -> Self {
        self.observer = Some(Arc::new(observer));
        self
    }

    /// The state, for tests that top credits up.
    pub fn platform(&self) -> MutexGuard<'_, Platform> {
        lock(&self.platform)
    }

    /// The routes.
    pub fn router(&self) -> Router {
        let management = Router::new()
            .route("/api/agents/{agent_id}/webhooks", post(create).get(list))
            .route("/api/webhooks/{id}", patch(update).delete(delete))
            .route("/api/webhooks/{id}/regenerate", post(regenerate))
            .route_layer(middleware::from_fn_with_state(self.clone(), with_key));
        Router::new().route("/api/webhook/{token}", post(message)).merge(management).with_state(self.clone())
    }

    fn observe(&self, line: impl FnOnce() -> String) {
        if let Some(observer) = &self.observer {
            observer(line());
        }
    }

    fn call_back(&self, callback: Callback) {
        let Ok(target) = self.transport.guard().target(&callback.url) else {
            self.observe(|| "callback: its URL is not dialled".to_owned());
            return;
        };
        let headers = vec![("Content-Type".to_owned(), "application/json".to_owned())];
        let request = transport::Request { method: Method::Post, target, headers, body: callback.body.into_bytes() };
        let server = self.clone();
        tokio::spawn(async move {
            let result = server.transport.send(&request, Duration::from_secs(30)).await.result;
            server.observe(|| match result {
                Ok(answer) => format!("callback: {}", answer.status),
                Err(failure) => format!("callback: {}", failure.code()),
            });
        });
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // What a panicking request left behind is still a whole state: every change is one assignment.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn refuse(status: u16, meaning: &str) -> Response {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    (status, Json(json!({ "error": meaning }))).into_response()
}

async fn with_key(State(server): State<Server>, request: Request, next: Next) -> Response {
    let given = request.headers().get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let given = given.strip_prefix("Bearer ").unwrap_or_default();
    if server.api_key.is(given) { next.run(request).await } else { refuse(401, "Invalid API key") }
}

#[derive(Deserialize)]
struct Wanted {
    name: String,
    #[serde(default)]
    outgoing_url: Option<String>,
}

fn read<T: serde::de::DeserializeOwned>(body: &[u8]) -> Result<T, Box<Response>> {
    serde_json::from_slice(body).map_err(|error| Box::new(refuse(400, &format!("the body cannot be read: {error}"))))
}

async fn create(State(server): State<Server>, Path(agent_id): Path<String>, body: Bytes) -> Response {
    let wanted: Wanted = match read(&body) {
        Ok(wanted) => wanted,
        Err(refusal) => return *refusal,
    };
    let created = server.platform().create(&agent_id, &wanted.name, wanted.outgoing_url, wall_now());
    match created {
        Ok(created) => {
            server.observe(|| format!("{} created", created.id));
            (StatusCode::CREATED, Json(created)).into_response()
        }
        Err(_) => refuse(500, "Server error"),
    }
}

async fn list(State(server): State<Server>, Path(agent_id): Path<String>) -> Response {
    Json(server.platform().list(&agent_id)).into_response()
}

async fn update(State(server): State<Server>, Path(id): Path<String>, body: Bytes) -> Response {
    let change: Change = match read(&body) {
        Ok(change) => change,
        Err(refusal) => return *refusal,
    };
    let updated = server.platform().update(&id, change);
    updated.map_or_else(|| refuse(404, "Unknown webhook"), |listed| Json(listed).into_response())
}

async fn delete(State(server): State<Server>, Path(id): Path<String>) -> Response {
    let deleted = server.platform().delete(&id);
    if deleted { StatusCode::NO_CONTENT.into_response() } else { refuse(404, "Unknown webhook") }
}

async fn regenerate(State(server): State<Server>, Path(id): Path<String>) -> Response {
    let regenerated = server.platform().regenerate(&id);
    match regenerated {
        Ok(Some(created)) => {
            server.observe(|| format!("{id} has a new token"));
            Json(created).into_response()
        }
        Ok(None) => refuse(404, "Unknown webhook"),
        Err(_) => refuse(500, "Server error"),
    }
}

async fn message(State(server): State<Server>, Path(token): Path<String>, body: Bytes) -> Response {
    {
        let mut failing = lock(&server.failing);
        if *failing > 0 {
            *failing -= 1;
            server.observe(|| "message: 500 as told".to_owned());
            return refuse(500, "Server error");
        }
    }
    let result = server.platform().message(&token, &body, wall_now());
    match result {
        Ok((answer, callback)) => {
            server.observe(|| "message: 200".to_owned());
            if let Some(callback) = callback {
                server.call_back(callback);
            }
            ([(header::CONTENT_TYPE, "application/json")], answer).into_response()
        }
        Err(refused) => {
            server.observe(|| format!("message: {} {}", refused.status(), refused.meaning()));
            let mut response = refuse(refused.status(), refused.meaning());
            if refused == Refused::RateLimited {
                response.headers_mut().insert(header::RETRY_AFTER, header::HeaderValue::from_static("60"));
            }
            response
        }
    }
}

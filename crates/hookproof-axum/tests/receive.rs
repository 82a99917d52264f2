//! What the layer answers, and what becomes of the claim.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

use core::time::Duration;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use axum::body::Body;
use axum::http::{Request, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::{Json, Router, routing::post};
use hookproof::store::MemoryStore;
use hookproof::{Message, Options, Scheme, Secret, Signer, Verifier};
use hookproof_axum::{AsyncStore, Claim, Delivery, LeaseLost, Receiver, now_ms, receive};
use hookproof_stores::sqlite::SqliteStore;
use hookproof_stores::{ClaimAnswer, Scope, StoreError, Token};
use tower::ServiceExt as _;

const SECRET: &str = "a secret of the tests";

fn verifier(options: Options) -> Verifier {
    let scheme = Scheme::named("agentbot").unwrap();
    Verifier::with_options(scheme, Secret::new(SECRET).unwrap(), options).unwrap()
}

fn receiver() -> Receiver {
    Receiver::new(verifier(Options::default()), MemoryStore::new(1_000).with_clock(now_ms)).unwrap()
}

fn now() -> i64 {
    i64::try_from(now_ms() / 1000).unwrap()
}

fn signed(body: &str, at: i64) -> Request<Body> {
    let signer = Signer::new(Scheme::named("agentbot").unwrap(), Secret::new(SECRET).unwrap()).unwrap();
    let signed = signer.sign(&Message::new(body.as_bytes(), at)).unwrap();
    let mut request = Request::post("/hook");
    for (name, value) in signed.headers {
        request = request.header(name, value);
    }
    request.body(Body::from(body.to_owned())).unwrap()
}

async fn send(app: &Router, request: Request<Body>) -> Response {
    app.clone().oneshot(request).await.unwrap()
}

async fn text(response: Response) -> String {
    let bytes = axum::body::to_bytes(response.into_body(), 1 << 20).await.unwrap();
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// Collects `kind code status` of each outcome.
fn watched(receiver: Receiver) -> (Receiver, Arc<Mutex<Vec<String>>>) {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let watched = {
        let seen = Arc::clone(&seen);
        receiver.on_outcome(move |outcome, _| {
            let code = outcome.code.unwrap_or("-");
            seen.lock().unwrap().push(format!("{} {code} {}", outcome.kind.as_str(), outcome.status));
        })
    };
    (watched, seen)
}

#[tokio::test]
async fn a_delivery_runs_once_and_its_copies_are_answered() {
    let runs = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&runs);
    let handler = move |delivery: Delivery, Json(body): Json<serde_json::Value>| async move {
        assert_eq!(delivery.json().unwrap(), body);
        counted.fetch_add(1, Ordering::SeqCst);
        (StatusCode::CREATED, format!("took {}", delivery.event_type().unwrap_or_default()))
    };
    let (receiver, seen) = watched(receiver());
    let app = Router::new().route("/hook", post(handler).layer(receive(receiver)));
    let body = r#"{"event":"message.created"}"#;
    let request = || {
        let mut request = signed(body, now());
        request.headers_mut().insert("content-type", "application/json".parse().unwrap());
        request
    };
    let first = send(&app, request()).await;
    assert_eq!(first.status(), StatusCode::CREATED);
    assert_eq!(text(first).await, "took message.created");
    let copy = send(&app, request()).await;
    assert_eq!(copy.status(), StatusCode::OK);
    assert_eq!(copy.headers()["hookproof-outcome"], "duplicate");
    assert_eq!(text(copy).await, "");
    assert_eq!(runs.load(Ordering::SeqCst), 1);
    assert_eq!(*seen.lock().unwrap(), ["accepted - 201", "duplicate - 200"]);
}

#[tokio::test]
async fn what_does_not_verify_never_reaches_the_handler() {
    async fn handler() -> StatusCode {
        panic!("reached")
    }
    let (receiver, seen) = watched(receiver());
    let app = Router::new().route("/hook", post(handler).layer(receive(receiver)));
    let mut tampered = signed("{}", now());
    *tampered.body_mut() = Body::from("{ }");
    let mut bare = signed("{}", now());
    bare.headers_mut().clear();
    let mut large = signed("{}", now());
    large.headers_mut().insert("content-length", "99999999".parse().unwrap());
    let huge = vec![b'x'; 2 << 20];
    let mut streamed = signed("{}", now());
    *streamed.body_mut() = Body::from_stream(futures_util::stream::iter(
        huge.chunks(65_536).map(|chunk| Ok::<_, std::io::Error>(chunk.to_vec())).collect::<Vec<_>>(),
    ));
    for (request, status) in
        [(tampered, 401), (bare, 401), (signed("{}", now() - 4_000), 401), (large, 413), (streamed, 413)]
    {
        let response = send(&app, request).await;
        assert_eq!(response.status(), status);
        assert_eq!(response.headers()["content-type"], "application/problem+json");
        assert!(!text(response).await.contains("signature"), "the outside learns nothing but the status");
    }
    assert_eq!(
        *seen.lock().unwrap(),
        [
            "refused signature_mismatch 401",
            "refused signature_missing 401",
            "refused timestamp_too_old 401",
            "refused body_too_large 413",
            "refused body_too_large 413",
        ]
    );
}

#[tokio::test]
async fn a_handler_that_fails_panics_or_breaks_off_runs_again() {
    let turn = Arc::new(AtomicUsize::new(0));
    let turns = Arc::clone(&turn);
    let handler = move |_: Delivery| async move {
        match turns.fetch_add(1, Ordering::SeqCst) {
            0 => StatusCode::BAD_GATEWAY.into_response(),
            1 => panic!("the handler panics"),
            2 => Body::from_stream(futures_util::stream::iter([
                Ok("half"),
                Err(std::io::Error::other("the handler's stream breaks")),
            ]))
            .into_response(),
            _ => StatusCode::NO_CONTENT.into_response(),
        }
    };
    let (receiver, seen) = watched(receiver());
    let app = Router::new().route("/hook", post(handler).layer(receive(receiver)));
    for status in [502, 500, 500, 204, 200] {
        assert_eq!(send(&app, signed("{}", now())).await.status(), status);
    }
    let expected = ["failed - 502", "failed - 500", "failed - 500", "accepted - 204", "duplicate - 200"];
    assert_eq!(*seen.lock().unwrap(), expected);
    assert_eq!(turn.load(Ordering::SeqCst), 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_twenty_copies_at_once_one_runs_and_a_long_handler_keeps_its_claim() {
    let runs = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&runs);
    let handler = move |claim: Claim| async move {
        counted.fetch_add(1, Ordering::SeqCst);
        assert!(claim.fence() > 0);
        tokio::time::sleep(Duration::from_millis(700)).await;
        assert_eq!(claim.extend().await, Ok(true));
    };
    let options = Options { lease_ms: 200, ..Options::default() };
    let receiver = Receiver::new(verifier(options), MemoryStore::new(1_000).with_clock(now_ms)).unwrap();
    let app = Router::new().route("/hook", post(handler).layer(receive(receiver)));
    let late = tokio::spawn({
        let app = app.clone();
        async move {
            tokio::time::sleep(Duration::from_millis(500)).await;
            send(&app, signed("{}", now())).await.status().as_u16()
        }
    });
    let copies = (0..20).map(|_| {
        let app = app.clone();
        tokio::spawn(async move {
            let response = send(&app, signed("{}", now())).await;
            (response.status().as_u16(), response.headers().get("retry-after").is_some())
        })
    });
    let mut answers: Vec<_> = futures_util::future::join_all(copies).await.into_iter().map(Result::unwrap).collect();
    answers.sort_unstable();
    assert_eq!(answers.remove(0), (200, false));
    assert!(answers.iter().all(|answer| *answer == (409, true)), "{answers:?}");
    assert_eq!(late.await.unwrap(), 409, "the lease of 200 ms was renewed");
    assert_eq!(runs.load(Ordering::SeqCst), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_goes_away_takes_nothing_with_it() {
    let runs = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&runs);
    let handler = move |_: Delivery| async move {
        tokio::time::sleep(Duration::from_millis(200)).await;
        counted.fetch_add(1, Ordering::SeqCst);
    };
    let app = Router::new().route("/hook", post(handler).layer(receive(receiver())));
    let gone = tokio::time::timeout(Duration::from_millis(50), send(&app, signed("{}", now()))).await;
    assert!(gone.is_err());
    tokio::time::sleep(Duration::from_millis(400)).await;
    assert_eq!(runs.load(Ordering::SeqCst), 1);
    let copy = send(&app, signed("{}", now())).await;
    assert_eq!(copy.headers()["hookproof-outcome"], "duplicate");
}

#[tokio::test]
async fn a_lost_lease_in_a_transaction_is_409() {
    async fn handler(_: Claim) -> Result<(), LeaseLost> {
        Err(LeaseLost)
    }
    let (receiver, seen) = watched(receiver());
    let app = Router::new().route("/hook", post(handler).layer(receive(receiver)));
    let response = send(&app, signed("{}", now())).await;
    assert_eq!(response.status(), 409);
    assert!(response.headers().contains_key("retry-after"));
    assert_eq!(*seen.lock().unwrap(), ["lost_lease - 409"]);
}

/// Puts the effect and the mark into one transaction, which is rolled back unless it is to be committed.
fn effect(claim: &Claim, store: &SqliteStore, path: &Path, commit: bool) {
    let mut connection = rusqlite::Connection::open(path).unwrap();
    let transaction = connection.transaction().unwrap();
    transaction.execute("INSERT INTO effects VALUES (1)", []).unwrap();
    store.complete_in(&transaction, claim.key(), claim.token(), claim.retention_ms()).unwrap();
    if commit { transaction.commit() } else { transaction.rollback() }.unwrap();
}

#[tokio::test]
async fn a_2xx_after_a_transaction_that_was_rolled_back_is_500_and_the_event_runs_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("claims.db");
    let store = SqliteStore::open(&path, Scope::new("orders").unwrap()).unwrap();
    let effects = rusqlite::Connection::open(&path).unwrap();
    effects.execute_batch("CREATE TABLE effects (of INTEGER)").unwrap();
    let runs = Arc::new(AtomicUsize::new(0));
    let handler = {
        let (store, path, runs) = (store.clone(), path.clone(), Arc::clone(&runs));
        move |claim: Claim| {
            let commit = runs.fetch_add(1, Ordering::SeqCst) > 0;
            effect(&claim, &store, &path, commit);
            async { StatusCode::NO_CONTENT }
        }
    };
    let (receiver, seen) = watched(Receiver::new(verifier(Options::default()), store).unwrap());
    let app = Router::new().route("/hook", post(handler).layer(receive(receiver)));
    let mut statuses = Vec::new();
    for _ in 0..3 {
        statuses.push(send(&app, signed("{}", now())).await.status().as_u16());
    }
    assert_eq!(statuses, [500, 204, 200]);
    assert_eq!(*seen.lock().unwrap(), ["failed - 500", "accepted - 204", "duplicate - 200"]);
    let count: i64 = effects.query_row("SELECT count(*) FROM effects", [], |row| row.get(0)).unwrap();
    assert_eq!((count, runs.load(Ordering::SeqCst)), (1, 2));
}

#[tokio::test]
async fn mistakes_of_the_service_are_said_and_are_not_silent() {
    async fn wants_delivery(_: Delivery) {}
    async fn wants_claim(_: Claim) {}
    async fn may_have_claim(claim: Option<Claim>) {
        assert!(claim.is_none());
    }
    let open: Router = Router::new().route("/hook", post(wants_delivery));
    assert_eq!(send(&open, signed("{}", now())).await.status(), 500);
    let receiver = Receiver::without_store(verifier(Options::default())).unwrap();
    let app = Router::new().route("/hook", post(wants_claim).layer(receive(receiver.clone())));
    assert_eq!(send(&app, signed("{}", now())).await.status(), 500);
    let app = Router::new().route("/hook", post(may_have_claim).layer(receive(receiver)));
    assert_eq!(send(&app, signed("{}", now())).await.status(), 200);
}

/// A store that is down.
struct Down(AtomicUsize);

impl AsyncStore for Down {
    fn scope(&self) -> &str {
        "down"
    }
    async fn claim(&self, _: &[u8; 32], _: &Token, _: &[u8; 32], _: u64) -> Result<ClaimAnswer, StoreError> {
        Err(StoreError::Unavailable("connection refused".to_owned()))
    }
    async fn complete(&self, _: &[u8; 32], _: &Token, _: u64) -> Result<bool, StoreError> {
        Err(StoreError::Unavailable("connection refused".to_owned()))
    }
    async fn release(&self, _: &[u8; 32], _: &Token) -> Result<bool, StoreError> {
        self.0.fetch_add(1, Ordering::SeqCst);
        Err(StoreError::Unavailable("connection refused".to_owned()))
    }
    async fn extend(&self, _: &[u8; 32], _: &Token, _: u64) -> Result<bool, StoreError> {
        Err(StoreError::Unavailable("connection refused".to_owned()))
    }
    async fn forget(&self, _: &[u8; 32]) -> Result<bool, StoreError> {
        Err(StoreError::Unavailable("connection refused".to_owned()))
    }
}

#[tokio::test]
async fn a_store_that_is_down_is_503_and_no_handler_runs() {
    async fn handler() -> StatusCode {
        panic!("reached without a claim")
    }
    let receiver = Receiver::new(verifier(Options::default()), Down(AtomicUsize::new(0))).unwrap();
    let (receiver, seen) = watched(receiver);
    let app = Router::new().route("/hook", post(handler).layer(receive(receiver)));
    let response = send(&app, signed("{}", now())).await;
    assert_eq!(response.status(), 503);
    assert_eq!(response.headers()["retry-after"], "5");
    assert_eq!(*seen.lock().unwrap(), ["refused store_unavailable 503"]);
}

//! Both halves of AI Teammate, against each other over HTTP.

#![allow(missing_docs, clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests may fail loudly")]
#![cfg(feature = "platform")]

mod receiver;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use hookproof_sender::SigningSecret;
use hookproof_sender::ai_teammate::server::Server;
use hookproof_sender::ai_teammate::{Client, Platform, Refused, Why};
use hookproof_sender::transport::{Answer, Guard, Method, Request, Transport};
use receiver::{Act, Receiver};
use serde_json::{Value, json};

const KEY: &str = "key_0123456789abcdef";
const PATIENCE: Duration = Duration::from_secs(10);

struct Service {
    server: Server,
    url: String,
    log: Arc<Mutex<Vec<String>>>,
}

impl Service {
    async fn start(credits: u64, failing: u32) -> Self {
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let log = Arc::new(Mutex::new(Vec::new()));
        let lines = Arc::clone(&log);
        let server =
            Server::new(Platform::new(&url, credits), SigningSecret::new(KEY).unwrap(), Guard::with_loopback())
                .unwrap()
                .failing_first(failing)
                .observed(move |line| lines.lock().unwrap().push(line));
        let router = server.router();
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { server, url, log }
    }

    async fn ask(&self, method: &str, path: &str, body: &Value) -> (u16, Value) {
        self.ask_with(KEY, method, path, body).await
    }

    /// The transport sends GET and POST only, as a sender does; the other methods go over a plain socket.
    async fn ask_with(&self, key: &str, method: &str, path: &str, body: &Value) -> (u16, Value) {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let address = self.url.strip_prefix("http://").unwrap();
        let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {key}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        let status = answer.split(' ').nth(1).unwrap().parse().unwrap();
        let body = answer.split_once("\r\n\r\n").unwrap().1;
        (status, serde_json::from_str(body).unwrap_or(Value::Null))
    }

    async fn create(&self) -> Value {
        let (status, created) =
            self.ask("POST", "/api/agents/agent-1/webhooks", &json!({ "name": "Zapier Integration" })).await;
        assert_eq!(status, 201);
        created
    }

    async fn post(&self, url: &str, body: &str) -> Answer {
        let transport = Transport::new(Guard::with_loopback()).unwrap();
        let target = transport.guard().target(url).unwrap();
        let request = Request { method: Method::Post, target, headers: Vec::new(), body: body.into() };
        transport.send(&request, PATIENCE).await.result.unwrap()
    }
}

fn client(url: &str) -> Client {
    Client::new(url, Transport::new(Guard::with_loopback()).unwrap()).unwrap().fast_forward(PATIENCE)
}

#[tokio::test]
async fn a_call_is_answered_charged_and_called_back() {
    let service = Service::start(100, 0).await;
    let outgoing = Receiver::start(vec![Act::status(200)]).await;
    let wanted = json!({ "name": "Zapier Integration", "outgoing_url": outgoing.url });
    let (_, created) = service.ask("POST", "/api/agents/agent-uuid/webhooks", &wanted).await;
    let names: Vec<&String> = created.as_object().unwrap().keys().collect();
    assert_eq!(names, ["id", "agent_id", "name", "token", "webhook_url", "is_active", "created_at"]);
    let url = created["webhook_url"].as_str().unwrap();
    assert_eq!(url, format!("{}/api/webhook/{}", service.url, created["token"].as_str().unwrap()));
    let reply = client(url).call("Summarize today's sales report", Some("external-user-123")).await.unwrap();
    // 8 tokens in, 11 out: 41 hundredths.
    assert_eq!((reply.response.as_str(), reply.credits_used), ("You said: Summarize today's sales report", 1));
    assert_eq!(service.server.platform().credits(), 99);
    for _ in 0..50 {
        if !outgoing.received().is_empty() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let callback: Value = serde_json::from_slice(&outgoing.received()[0].body).unwrap();
    assert_eq!(
        (&callback["user_id"], &callback["conversation_id"]),
        (&json!("external-user-123"), &json!(reply.conversation_id))
    );
}

#[tokio::test]
async fn webhooks_are_listed_changed_deleted_and_their_tokens_drawn_anew() {
    let service = Service::start(100, 0).await;
    let created = service.create().await;
    let (id, url, token) =
        (created["id"].as_str().unwrap(), created["webhook_url"].as_str().unwrap(), created["token"].as_str().unwrap());
    let path = format!("/api/webhooks/{id}");

    let (_, list) = service.ask("GET", "/api/agents/agent-1/webhooks", &Value::Null).await;
    let names: Vec<&String> = list[0].as_object().unwrap().keys().collect();
    assert_eq!(names, ["id", "name", "token_prefix", "is_active", "created_at", "last_used_at"]);
    assert_eq!(list[0]["token_prefix"], format!("{}...", &token[..8]));
    assert_eq!(list[0]["last_used_at"], Value::Null);
    assert!(!list.to_string().contains(token));
    assert_eq!(service.ask("GET", "/api/agents/agent-2/webhooks", &Value::Null).await.1, json!([]));

    client(url).call("hi", None).await.unwrap();
    let (_, list) = service.ask("GET", "/api/agents/agent-1/webhooks", &Value::Null).await;
    assert!(list[0]["last_used_at"].is_string());

    let (status, changed) = service.ask("PATCH", &path, &json!({ "name": "n8n", "is_active": false })).await;
    assert_eq!((status, &changed["name"], &changed["is_active"]), (200, &json!("n8n"), &json!(false)));
    assert_eq!(client(url).call("hi", None).await.unwrap_err().why, Why::UnknownToken);
    service.ask("PATCH", &path, &json!({ "is_active": true })).await;
    client(url).call("hi", None).await.unwrap();
    assert_eq!(service.ask("PATCH", &path, &json!({ "owner": "me" })).await.0, 400);

    let (_, regenerated) = service.ask("POST", &format!("{path}/regenerate"), &Value::Null).await;
    assert_eq!(client(url).call("hi", None).await.unwrap_err().why, Why::UnknownToken);
    let new_url = regenerated["webhook_url"].as_str().unwrap();
    client(new_url).call("hi", None).await.unwrap();

    assert_eq!(service.ask("DELETE", &path, &Value::Null).await.0, 204);
    assert_eq!(service.ask("DELETE", &path, &Value::Null).await.0, 404);
    assert_eq!(client(new_url).call("hi", None).await.unwrap_err().why, Why::UnknownToken);
    for (method, path) in
        [("GET", "/api/agents/agent-1/webhooks"), ("POST", "/api/agents/agent-1/webhooks"), ("DELETE", path.as_str())]
    {
        assert_eq!(service.ask_with("wrong", method, path, &json!({ "name": "x" })).await.0, 401);
    }
}

#[tokio::test]
async fn errors_have_the_documents_statuses() {
    let service = Service::start(100, 0).await;
    let created = service.create().await;
    let url = created["webhook_url"].as_str().unwrap();
    for body in ["", "{}", "not json", r#"{"text":"hi"}"#, r#"{"message":""}"#, r#"{"message":7}"#, "[]"] {
        assert_eq!(service.post(url, body).await.status, 400, "{body}");
    }
    for token in ["whk_unknown", "", "whk_", &url[url.len() - 10..]] {
        let elsewhere = format!("{}/api/webhook/{token}", service.url);
        assert_eq!(service.post(&elsewhere, r#"{"message":"hi"}"#).await.status, 404, "{token}");
    }
    // What was refused did not count: ten in a minute, and the eleventh waits.
    for _ in 0..10 {
        assert_eq!(service.post(url, r#"{"message":"hi"}"#).await.status, 200);
    }
    let limited = service.post(url, r#"{"message":"hi"}"#).await;
    assert_eq!((limited.status, limited.header("retry-after")), (429, Some("60")));
}

#[test]
fn the_limit_is_per_webhook_and_slides() {
    let mut platform = Platform::new("https://ai-teammate.net", 1_000);
    let first = platform.create("a", "first", None, 0).unwrap().token;
    let second = platform.create("a", "second", None, 0).unwrap().token;
    let body = br#"{"message":"hi"}"#;
    for place in 0..10 {
        platform.message(&first, body, place * 1_000).unwrap();
    }
    assert_eq!(platform.message(&first, body, 59_999), Err(Refused::RateLimited));
    platform.message(&second, body, 59_999).unwrap();
    platform.message(&first, body, 60_000).unwrap();
    assert_eq!(platform.message(&first, body, 60_001), Err(Refused::RateLimited));
}

#[tokio::test]
async fn without_credits_nothing_is_answered() {
    let service = Service::start(1, 0).await;
    let url = service.create().await["webhook_url"].as_str().unwrap().to_owned();
    client(&url).call("hi", None).await.unwrap();
    let failed = client(&url).call("hi", None).await.unwrap_err();
    assert_eq!((failed.why, failed.attempts.len()), (Why::NoCredits, 1));
    service.server.platform().top_up(5);
    client(&url).call("hi", None).await.unwrap();
}

#[tokio::test]
async fn server_errors_are_backed_off_from_and_timeouts_are_not_repeated() {
    let service = Service::start(100, 3).await;
    let url = service.create().await["webhook_url"].as_str().unwrap().to_owned();
    client(&url).call("hi", None).await.unwrap();
    assert_eq!(service.log.lock().unwrap().iter().filter(|line| line.contains("500")).count(), 3);

    let silent = Receiver::start(vec![Act::Silent]).await;
    let url = format!("http://127.0.0.1:{}/api/webhook/whk_0123456789abcdef", silent.port);
    let slow = Client::new(&url, Transport::new(Guard::with_loopback()).unwrap())
        .unwrap()
        .fast_forward(Duration::from_millis(100));
    let failed = slow.call("hi", None).await.unwrap_err();
    assert_eq!((failed.why, failed.attempts.len(), silent.received().len()), (Why::PerhapsCharged, 1, 1));

    let closed = Client::new(
        "http://127.0.0.1:1/api/webhook/whk_0123456789abcdef",
        Transport::new(Guard::with_loopback()).unwrap(),
    );
    let failed = closed.unwrap().fast_forward(PATIENCE).call("hi", None).await.unwrap_err();
    assert_eq!((failed.why, failed.attempts.len()), (Why::GaveUp, 6));
}

#[tokio::test]
async fn no_text_anywhere_holds_a_token() {
    let service = Service::start(100, 1).await;
    let created = service.create().await;
    let (url, token) = (created["webhook_url"].as_str().unwrap(), created["token"].as_str().unwrap());
    let client = client(url);
    client.call("hi", None).await.unwrap();
    service
        .ask("PATCH", &format!("/api/webhooks/{}", created["id"].as_str().unwrap()), &json!({ "is_active": false }))
        .await;
    let failed = client.call("hi", None).await.unwrap_err();
    // A service that echoes what it was called with, as error pages do.
    let echo = Receiver::start(vec![Act::Answer(
        404,
        vec![("Location", url.to_owned())],
        format!("no route {url}").into_bytes(),
    )])
    .await;
    let path = format!("http://127.0.0.1:{}/api/webhook/{token}", echo.port);
    let echoed = self::client(&path).call("hi", None).await.unwrap_err();
    let wrong = Client::new(&format!("http://127.0.0.1:1/{token}"), Transport::new(Guard::with_loopback()).unwrap())
        .unwrap_err();
    let texts = [
        service.log.lock().unwrap().join("\n"),
        format!("{client:?}"),
        format!("{failed:?} {failed}"),
        serde_json::to_string(&failed.attempts).unwrap(),
        format!("{echoed:?} {echoed}"),
        format!("{wrong:?} {wrong}"),
        format!("{:?}", *service.server.platform()),
    ];
    for text in texts {
        assert!(!text.contains(token), "{text}");
    }
    assert!(echoed.attempts[0].body.contains(&client.token_prefix()));
}

//! The program as a user runs it: arguments, output, exit codes.

#![allow(missing_docs, clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests may fail loudly")]

use std::io::{BufRead, BufReader, Read};
use std::net::TcpListener;
use std::process::{Child, ChildStdout, Command, Output, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::Value;

const SECRET: &str = "s3cret-of-the-tests-do-not-use";

fn hookproof(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hookproof"));
    command.args(arguments).env("HOOKPROOF_SECRET", SECRET).stdin(Stdio::null());
    command
}

fn run(arguments: &[&str]) -> (i32, String, String) {
    told(&hookproof(arguments).output().unwrap())
}

fn told(output: &Output) -> (i32, String, String) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    let (out, complaints) = (text(&output.stdout), text(&output.stderr));
    assert!(!out.contains(SECRET) && !complaints.contains(SECRET), "{out}{complaints}");
    (output.status.code().unwrap(), out, complaints)
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// A program that serves until the test ends.
struct Serving {
    child: Child,
    output: BufReader<ChildStdout>,
    url: String,
}

impl Serving {
    /// `listen --json` with further arguments, on a free port.
    fn listen(arguments: &[&str]) -> Self {
        let mut child = hookproof(&[&["listen", "--port", "0", "--json"], arguments].concat())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        output.read_line(&mut line).unwrap();
        let url = json(&line)["listening"].as_str().unwrap().to_owned();
        Self { child, output, url }
    }

    fn next(&mut self) -> Value {
        let mut line = String::new();
        self.output.read_line(&mut line).unwrap();
        json(&line)
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn what_is_signed_verifies_and_what_is_changed_does_not() {
    for provider in ["get-a-team", "agentbot", "github", "stripe"] {
        let (code, headers, _) = run(&["sign", provider, "--body", r#"{"id":"evt_1"}"#, "--id", "d1"]);
        assert_eq!(code, 0);
        let headers: Vec<&str> = headers.lines().flat_map(|header| ["-H", header]).collect();
        let (code, out, _) =
            run(&[&["verify", provider, "--body", r#"{"id":"evt_1"}"#, "--json"], &headers[..]].concat());
        assert_eq!((code, &json(&out)["authentic"]), (0, &Value::Bool(true)), "{out}");
        let (code, out, _) =
            run(&[&["verify", provider, "--body", r#"{"id":"evt_2"}"#, "--json"], &headers[..]].concat());
        assert_eq!((code, &json(&out)["code"]), (1, &Value::from("signature_mismatch")));
    }
}

#[test]
fn wrong_questions_end_with_2_and_one_line() {
    for (arguments, word) in [
        (&["verify", "strpie", "--body", "{}"][..], "`stripe`"),
        (&["sign", "github"], "no body"),
        (&["sign", "github", "--body-file", "/does/not/exist"], "/does/not/exist"),
        (&["send", "--provider", "github", "http://127.0.0.1:1/"], "no provider is called `github`"),
        (&["send", "--provider", "agentbot", "http://example.com/"], "not HTTPS"),
        (&["send", "--provider", "agentbot", "https://user@example.com/"], "user name"),
        (
            &["send", "--provider", "agentbot", "http://127.0.0.1:1/", "--event", "message.deleted"],
            "agentbot sends no `message.deleted`",
        ),
        (
            &["send", "--provider", "agentbot", "http://127.0.0.1:1/", "--fault", "nonsense=s3cret"],
            "`nonsense` is no fault",
        ),
        (&["send", "--provider", "get-a-team", "http://127.0.0.1:1/", "--retries", "3"], "fixed table"),
        (&["send", "--provider", "standard-webhooks", "http://127.0.0.1:1/"], "secret"),
        (&["send", "--provider", "ai-teammate", "http://127.0.0.1:1/hook"], "no token"),
        (&["scheme", "lint", "Cargo.json"], "Cargo.json"),
        (&["store", "sql", "mysql"], "mysql"),
        (&["listen", "--script", "200x0"], "200x0"),
        (&["retry", "--log", "/does/not/exist"], "/does/not/exist"),
    ] {
        let (code, out, complaint) = run(arguments);
        assert_eq!(code, 2, "{arguments:?}: {out}{complaint}");
        assert!(complaint.contains(word) && out.is_empty(), "{arguments:?}: {out}{complaint}");
        assert!(!complaint.contains("panicked"), "{complaint}");
    }
    let unset = Command::new(env!("CARGO_BIN_EXE_hookproof"))
        .args(["sign", "github", "--body", "{}"])
        .env_remove("HOOKPROOF_SECRET")
        .output();
    let (code, _, complaint) = told(&unset.unwrap());
    assert_eq!((code, complaint.lines().count()), (2, 1), "{complaint}");
}

#[test]
fn a_table_of_a_day_plays_in_a_moment() {
    let mut receiver = Serving::listen(&["--script", "500x5,200", "--verify", "get-a-team"]);
    let started = std::time::Instant::now();
    let (code, out, _) = run(&[
        "send",
        "--provider",
        "get-a-team",
        &receiver.url,
        "--fast-forward",
        "--exact",
        "--patience",
        "10s",
        "--json",
    ]);
    assert!(started.elapsed().as_secs() < 5);
    let report = json(&out);
    let attempts = report["deliveries"][0]["attempts"].as_array().unwrap();
    let times: Vec<u64> = attempts.iter().map(|attempt| attempt["at_ms"].as_u64().unwrap() / 60_000).collect();
    assert_eq!((code, times), (0, vec![0, 1, 6, 36, 156, 1_596]));
    assert_eq!(report["deliveries"][0]["state"], "delivered");
    for answer in ["500", "500", "500", "500", "500", "200"] {
        let request = receiver.next();
        assert_eq!((&request["verdict"], &request["answer"]), (&"authentic".into(), &answer.into()));
    }
}

#[test]
fn one_attempt_is_the_exit_code() {
    let receiver = Serving::listen(&["--script", "204,500,timeout"]);
    let send =
        |more: &[&str]| run(&[&["send", "--provider", "my-gpt-assistants", &receiver.url, "--plain"], more].concat());
    assert_eq!(send(&[]).0, 0);
    let (code, out, _) = send(&[]);
    assert!(code == 1 && out.contains("500") && out.contains("failed"), "{out}");
}

#[test]
fn faults_are_seen_by_a_receiver() {
    let mut receiver = Serving::listen(&["--verify", "agentbot"]);
    for (fault, verdict) in [
        ("tampered-body", "signature_mismatch"),
        ("wrong-secret", "signature_mismatch"),
        ("old-timestamp", "timestamp_too_old"),
        ("future-timestamp", "timestamp_too_new"),
        ("time-shift=-60", "authentic"),
        ("missing-header", "signature_missing"),
        ("swapped-id", "authentic"),
        ("not-utf8", "authentic"),
        ("rotated-secret=another-secret-of-the-tests", "signature_mismatch"),
    ] {
        assert_eq!(run(&["send", "--provider", "agentbot", &receiver.url, "--fault", fault]).0, 0);
        let request = receiver.next();
        assert!(request["verdict"].as_str().unwrap().starts_with(verdict), "{fault}: {request}");
    }
    assert_eq!(run(&["send", "--provider", "agentbot", &receiver.url, "--fault", "copies=5"]).0, 0);
    let ids: Vec<_> = (0..5).map(|_| receiver.next()["headers"].to_string()).collect();
    assert!(ids.windows(2).all(|pair| pair[0] == pair[1]));
}

#[test]
fn a_dry_run_is_a_command_for_a_shell() {
    let (code, out, _) = run(&["send", "--provider", "agentbot", "http://127.0.0.1:9/x?y=z", "--dry-run"]);
    assert_eq!(code, 0);
    // A curl that prints what it was told, one argument in a line.
    let script = format!("curl() {{ printf '%s\\n' \"$@\"; }}\n{out}");
    let echoed = Command::new("sh").args(["-c", &script]).output().unwrap();
    let lines: Vec<String> = BufReader::new(&echoed.stdout[..]).lines().map(Result::unwrap).collect();
    assert_eq!(lines[..3], ["-X", "POST", "http://127.0.0.1:9/x?y=z"]);
    let body = json(lines.last().unwrap());
    assert_eq!(body["data"]["body"], "Hi, what's your pricing?");
    let headers: Vec<&str> =
        lines.iter().zip(&lines[1..]).filter(|(flag, _)| *flag == "-H").map(|(_, header)| header.as_str()).collect();
    let (code, ..) = run(&[
        &["verify", "agentbot", "--body", lines.last().unwrap()],
        &headers.iter().flat_map(|header| ["-H", header]).collect::<Vec<_>>()[..],
    ]
    .concat());
    assert_eq!(code, 0);
}

#[test]
fn a_log_is_retried_with_the_same_ids_and_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("deliveries.jsonl");
    let log = log.to_str().unwrap();
    let mut receiver = Serving::listen(&["--script", "500x2,200"]);
    assert_eq!(run(&["send", "--provider", "agentbot", &receiver.url, "--log", log]).0, 1);
    let (code, out, _) = run(&["retry", "--log", log, "--plain"]);
    assert!(code == 1 && out.contains("attempt 2 manual"), "{out}");
    let (code, out, _) = run(&["retry", "--log", log, "--plain"]);
    assert!(code == 0 && out.contains("attempt 3 manual"), "{out}");
    let (code, out, _) = run(&["retry", "--log", log]);
    assert_eq!((code, out.as_str()), (0, "nothing has failed\n"));
    let requests: Vec<_> = (0..3).map(|_| receiver.next()).collect();
    assert!(requests.iter().all(|request| request["body_hex"] == requests[0]["body_hex"]));
    let id = |request: &Value| {
        request["headers"].as_array().unwrap().iter().find(|header| header[0] == "X-Agentbot-Delivery-Id").unwrap()[1]
            .clone()
    };
    assert!(requests.iter().all(|request| id(request) == id(&requests[0])));
    // One that has arrived can be retried too, if it is named.
    let delivered = id(&requests[0]);
    assert_eq!(run(&["retry", "--log", log, delivered.as_str().unwrap()]).0, 0);
    assert_eq!(run(&["retry", "--log", log, "unknown"]).0, 2);
    assert!(!std::fs::read_to_string(log).unwrap().contains(SECRET));
}

#[test]
fn repeated_events_are_events_of_their_own() {
    let mut receiver = Serving::listen(&["--verify", "agentbot"]);
    let (code, out, _) = run(&["send", "--provider", "agentbot", &receiver.url, "--repeat", "3", "--plain"]);
    assert!(code == 0 && out.contains("3 of 3 arrived"), "{out}");
    let mut bodies: Vec<String> = (0..3).map(|_| receiver.next()["body"].to_string()).collect();
    bodies.dedup();
    assert_eq!(bodies.len(), 3);
}

#[test]
fn a_refusal_is_explained_and_a_scheme_shows_what_it_signs() {
    let (_, header, _) = run(&["sign", "github", "--body", r#"{"a": 1}"#]);
    let (code, out, _) = run(&["explain", "github", "--body", r#"{"a":1}"#, "-H", header.trim(), "--json"]);
    assert_eq!((code, &json(&out)["explanation"]["cause"]), (1, &"body_reserialized".into()));
    let (code, out, _) = run(&["explain", "github", "--body", r#"{"a": 1}"#, "-H", header.trim()]);
    assert!(code == 0 && out.starts_with("authentic"), "{out}");
    let sample = ["--body", "a=1\n", "-H", "X-Slack-Request-Timestamp: 15"];
    let (code, out, _) = run(&[&["scheme", "lint", "slack", "--json"], &sample[..]].concat());
    assert_eq!((code, &json(&out)["signed"][0]), (0, &"v0:15:a=1\\n".into()));
}

#[test]
fn a_test_event_is_sent_once() {
    let receiver = Serving::listen(&["--script", "500"]);
    let (code, out, _) = run(&[
        "test",
        "--provider",
        "standard-webhooks",
        &receiver.url,
        "--secret",
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        "--json",
    ]);
    let report = json(&out);
    assert_eq!((code, &report["deliveries"][0]["attempts"][0]["kind"]), (1, &"test".into()));
    assert_eq!(report["deliveries"][0]["attempts"].as_array().unwrap().len(), 1);
}

#[test]
fn bytes_are_forwarded_untouched() {
    let mut behind = Serving::listen(&["--script", "202", "--verify", "my-gpt-assistants"]);
    let mut front = Serving::listen(&["--script", "503,200", "--forward-to", &behind.url]);
    let folder = tempfile::tempdir().unwrap();
    let body = folder.path().join("body");
    std::fs::write(&body, b"{\"a\": 1.0,  \"b\": \"\xff\"}\n").unwrap();
    let send = || {
        run(&["send", "--provider", "my-gpt-assistants", &front.url, "--body-file", body.to_str().unwrap(), "--json"])
    };
    assert_eq!(send().0, 1, "the script comes first");
    let (code, out, _) = send();
    assert_eq!((code, &json(&out)["deliveries"][0]["attempts"][0]["status"]), (0, &202.into()));
    front.next();
    let (passed, arrived) = (front.next(), behind.next());
    assert_eq!((&arrived["verdict"], &arrived["body_hex"]), (&"authentic".into(), &passed["body_hex"]));
    let names = |request: &Value| {
        request["headers"]
            .as_array()
            .unwrap()
            .iter()
            .map(|header| header[0].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    assert!(names(&arrived).contains(&"X-MGA-Signature".to_owned()));
    assert_eq!(names(&arrived), names(&passed));
}

#[test]
fn proxy_variables_are_ignored() {
    let canary = TcpListener::bind("127.0.0.1:0").unwrap();
    let proxy = format!("http://{}", canary.local_addr().unwrap());
    let seen = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&seen);
    std::thread::spawn(move || {
        while canary.accept().is_ok() {
            counter.fetch_add(1, Ordering::SeqCst);
        }
    });
    let receiver = Serving::listen(&[]);
    let mut command = hookproof(&["send", "--provider", "agentbot", &receiver.url]);
    for name in ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"] {
        command.env(name, &proxy);
    }
    assert_eq!(told(&command.env_remove("NO_PROXY").env_remove("no_proxy").output().unwrap()).0, 0);
    assert_eq!(seen.load(Ordering::SeqCst), 0);
}

#[test]
fn the_mock_of_ai_teammate_is_called() {
    let mut child = hookproof(&["mock", "ai-teammate", "--port", "0", "--fail", "2", "--json"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut output = BufReader::new(child.stdout.take().unwrap());
    let mut text = String::new();
    while !text.trim_end().ends_with("\n}") {
        output.read_line(&mut text).unwrap();
    }
    let shown = json(&text);
    let (url, token) = (shown["webhook"]["webhook_url"].as_str().unwrap(), shown["webhook"]["token"].as_str().unwrap());
    let (code, out, complaint) =
        run(&["send", "--provider", "ai-teammate", url, "--fast-forward", "--exact", "--patience", "10s", "--json"]);
    let report = json(&out);
    let attempts = report["deliveries"][0]["attempts"].as_array().unwrap();
    let times: Vec<u64> = attempts.iter().map(|attempt| attempt["at_ms"].as_u64().unwrap() / 1_000).collect();
    assert_eq!((code, times), (0, vec![0, 1, 3]), "{out}");
    assert!(attempts[2]["body"].as_str().unwrap().contains("credits_used"));
    child.kill().unwrap();
    let mut log = String::new();
    child.stderr.take().unwrap().read_to_string(&mut log).unwrap();
    child.wait().unwrap();
    assert!(log.contains("message: 200"));
    assert!(!format!("{out}{complaint}{log}").contains(token));
}

#[test]
fn every_provider_and_every_scheme_can_be_shown() {
    let (code, out, _) = run(&["providers", "--json"]);
    let all = json(&out);
    assert_eq!((code, all.as_array().unwrap().len()), (0, hookproof::Scheme::names().count()));
    for id in hookproof::Scheme::names() {
        assert_eq!(run(&["providers", id, "--markdown"]).0, 0, "{id}");
        assert_eq!(run(&["scheme", "lint", id, "--json"]).0, 0, "{id}");
    }
    let (_, out, _) = run(&["providers", "agentbot"]);
    assert!(out.contains("attempts at: 0s, 1m, 6m, 36m, 3h36m"));
}

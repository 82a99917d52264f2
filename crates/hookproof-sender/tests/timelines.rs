//! Every provider's table under the virtual clock, against receivers on real sockets.

#![allow(missing_docs, clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests may fail loudly")]

mod receiver;

use std::time::Duration;

use hookproof::{Request, Scheme, Secret, Verifier};
use hookproof_sender::lane::{AttemptKind, Refusal, Standing, State, Ticket};
use hookproof_sender::transport::{Guard, Transport};
use hookproof_sender::{
    Clock, Driver, Endpoint, Policy, Provider, Published, Randomness, SecretRing, SignedTime, SigningSecret, rfc3339,
    wall_now,
};
use receiver::{Act, Receiver};

const START: u64 = 1_800_000_000_000;

/// What an attempt lasts on the wall before it counts as timed out: enough for a busy machine to answer.
const PATIENT: Duration = Duration::from_secs(5);
const IMPATIENT: Duration = Duration::from_millis(100);

fn secret(provider: &Provider) -> SigningSecret {
    SigningSecret::generate(&provider.secret, &[7; 64])
}

fn driver(id: &str, url: &str, patience: Duration) -> Driver {
    let provider = Provider::named(id).unwrap();
    let secrets = SecretRing::new(secret(&provider));
    let endpoint = Endpoint::new(provider, Guard::with_loopback().target(url).unwrap(), secrets);
    driver_of(endpoint, patience)
}

fn driver_of(endpoint: Endpoint, patience: Duration) -> Driver {
    let clock = Clock::Virtual { start: START, patience, signs: SignedTime::Virtual };
    Driver::new(endpoint, Transport::new(Guard::with_loopback()).unwrap(), clock).with_randomness(Randomness::Exact)
}

fn publish(driver: &mut Driver) -> Ticket {
    let event_type = driver.endpoint().provider.test.event_type.clone();
    match driver.publish(&event_type, None).unwrap() {
        Published::As(ticket) => ticket,
        Published::NotSubscribed => panic!("not subscribed"),
    }
}

/// When each attempt started, in seconds after the first.
fn starts(driver: &Driver) -> Vec<u64> {
    driver.attempts().iter().map(|attempt| (attempt.started - START) / 1_000).collect()
}

/// The tables of the specification, written out a second time: in seconds, with the timeout, and what stands afterwards.
fn tables() -> Vec<(&'static str, Policy, Vec<u64>, u64, Standing)> {
    const M: u64 = 60;
    const H: u64 = 3_600;
    let table = |id: &'static str, starts: &[u64], timeout: u64, standing: Standing| {
        (id, Provider::named(id).unwrap().policy(), starts.to_vec(), timeout, standing)
    };
    let linear = Provider::named("g-tateth").unwrap().policy_with("linear").unwrap();
    vec![
        table("get-a-team", &[0, M, 6 * M, 36 * M, 2 * H + 36 * M, 26 * H + 36 * M], 30, Standing::DisabledByFailures),
        table("g-tateth", &[0, 2, 6, 14], 5, Standing::Enabled),
        ("g-tateth", linear, vec![0, 5, 15, 30], 5, Standing::Enabled),
        table("my-gpt-assistants", &[0, 5 * M, 35 * M, 2 * H + 35 * M, 10 * H + 35 * M], 30, Standing::Enabled),
        table("agentbot", &[0, M, 6 * M, 36 * M, 3 * H + 36 * M], 30, Standing::Enabled),
        table("ai-teammate", &[0, 1, 3, 7, 15, 31], 30, Standing::Enabled),
        table(
            "standard-webhooks",
            &[0, 5, 305, 2_105, 9_305, 27_305, 63_305, 113_705, 185_705, 272_105],
            20,
            Standing::Enabled,
        ),
    ]
}

fn configured(id: &str, policy: Policy, url: &str, patience: Duration) -> Driver {
    let mut driver = driver(id, url, patience);
    let mut endpoint = driver.endpoint().clone();
    endpoint.policy = policy;
    driver = driver_of(endpoint, patience);
    driver
}

#[tokio::test]
async fn answered_attempts_start_exactly_at_the_tables_times() {
    for act in [
        Act::status(500),
        Act::status(503),
        Act::Reset,
        Act::Raw(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nshort".to_vec()),
    ] {
        for (id, policy, table, _, standing) in tables() {
            let receiver = Receiver::start(vec![act.clone()]).await;
            let mut driver = configured(id, policy, &receiver.url, PATIENT);
            let ticket = publish(&mut driver);
            driver.run().await.unwrap();
            assert_eq!(starts(&driver), table, "{id} {act:?}");
            assert_eq!((driver.state(ticket), driver.standing()), (Some(State::Failed), standing), "{id} {act:?}");
            assert_eq!(receiver.received().len(), table.len());
        }
    }
}

#[tokio::test]
async fn a_timeout_lasts_its_whole_timeout() {
    let plays = tables().into_iter().map(|(id, policy, table, timeout, standing)| async move {
        let receiver = Receiver::start(vec![Act::Silent]).await;
        let mut driver = configured(id, policy, &receiver.url, IMPATIENT);
        let ticket = publish(&mut driver);
        driver.run().await.unwrap();
        if id == "ai-teammate" {
            // The call may have been charged, so it is not made again.
            assert_eq!((starts(&driver), driver.state(ticket)), (vec![0], Some(State::Failed)));
            return;
        }
        let later: Vec<u64> = table.iter().zip(0..).map(|(start, before)| start + before * timeout).collect();
        assert_eq!(starts(&driver), later, "{id}");
        assert!(driver.attempts().iter().all(
                |attempt| attempt.failure == Some("timeout") && attempt.ended - attempt.started == timeout * 1_000
            ));
        assert_eq!((driver.state(ticket), driver.standing()), (Some(State::Failed), standing), "{id}");
    });
    let running: Vec<_> = plays.map(tokio::spawn).collect();
    for play in running {
        play.await.unwrap();
    }
}

#[tokio::test]
async fn a_redirect_is_a_failure_that_is_logged_and_not_followed() {
    for (id, policy, table, ..) in tables() {
        let elsewhere = Receiver::start(vec![Act::status(200)]).await;
        let receiver = Receiver::start(vec![Act::with(307, "Location", &elsewhere.url)]).await;
        let mut driver = configured(id, policy, &receiver.url, PATIENT);
        let ticket = publish(&mut driver);
        driver.run().await.unwrap();
        // To the client of ai-teammate a status that its document does not know is final.
        let expected = if id == "ai-teammate" { vec![0] } else { table };
        assert_eq!(starts(&driver), expected, "{id}");
        assert_eq!(driver.state(ticket), Some(State::Failed));
        assert!(
            driver
                .attempts()
                .iter()
                .all(|attempt| attempt.status == Some(307)
                    && attempt.location.as_deref() == Some(elsewhere.url.as_str()))
        );
        assert!(elsewhere.received().is_empty(), "{id}");
    }
}

#[tokio::test]
async fn a_receiver_that_recovers_is_left_alone_from_then_on() {
    for (id, policy, table, ..) in tables() {
        for recovers in 1..=table.len() {
            let mut acts = vec![Act::status(500); recovers - 1];
            acts.push(Act::status(204));
            let receiver = Receiver::start(acts).await;
            let mut driver = configured(id, policy.clone(), &receiver.url, PATIENT);
            let ticket = publish(&mut driver);
            driver.run().await.unwrap();
            assert_eq!(starts(&driver), table[..recovers], "{id} at attempt {recovers}");
            assert_eq!((driver.state(ticket), driver.standing()), (Some(State::Delivered), Standing::Enabled));
            let numbers: Vec<u32> = driver.attempts().iter().map(|attempt| attempt.number).collect();
            assert_eq!(numbers, (1..=u32::try_from(recovers).unwrap()).collect::<Vec<_>>());
        }
    }
}

#[tokio::test]
async fn every_attempt_verifies_and_carries_the_same_id_and_bytes() {
    for id in ["get-a-team", "g-tateth", "my-gpt-assistants", "agentbot", "standard-webhooks"] {
        let receiver = Receiver::start(vec![Act::status(500)]).await;
        let mut driver = driver(id, &receiver.url, PATIENT);
        publish(&mut driver);
        driver.run().await.unwrap();
        let scheme = Scheme::named(id).unwrap();
        let secret = secret(&driver.endpoint().provider);
        let verifier = Verifier::new(scheme.clone(), Secret::new(secret.reveal()).unwrap()).unwrap();
        let received = receiver.received();
        let mut signatures = Vec::new();
        for (request, attempt) in received.iter().zip(driver.attempts()) {
            let now = i64::try_from(attempt.started / 1_000).unwrap();
            let delivery = verifier.verify(&Request::new(&request.headers, &request.body), now).unwrap();
            assert_eq!(delivery.id().as_deref(), Some(attempt.id.as_str()), "{id}");
            assert_eq!(
                delivery.event_type().as_deref(),
                Some(driver.endpoint().provider.test.event_type.as_str()),
                "{id}"
            );
            assert_eq!(request.body, received[0].body);
            assert_eq!(
                delivery.timestamp(),
                scheme.is_timed().then_some(now),
                "{id}: signed afresh where a time is signed"
            );
            signatures.push(
                request.headers.iter().find(|(name, _)| name.to_lowercase().ends_with("signature")).unwrap().1.clone(),
            );
        }
        signatures.dedup();
        assert_eq!(signatures.len() > 1, scheme.is_timed(), "{id}");
    }
}

#[tokio::test]
async fn headers_have_the_documents_case_and_order_on_the_wire() {
    for (id, names) in [
        ("get-a-team", &["Content-Type", "X-Webhook-Signature"][..]),
        ("g-tateth", &["Content-Type", "X-Webhook-Signature"]),
        ("my-gpt-assistants", &["Content-Type", "X-MGA-Signature"]),
        ("agentbot", &["Content-Type", "X-Agentbot-Event", "X-Agentbot-Signature", "X-Agentbot-Delivery-Id"]),
        ("standard-webhooks", &["Content-Type", "webhook-id", "webhook-timestamp", "webhook-signature"]),
    ] {
        let receiver = Receiver::start(vec![Act::status(200)]).await;
        let mut driver = driver(id, &receiver.url, PATIENT);
        publish(&mut driver);
        driver.run().await.unwrap();
        let request = &receiver.received()[0];
        assert_eq!(request.line, "POST /hook HTTP/1.1");
        let sent: Vec<&str> = request.headers.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(sent, [&["Host", "User-Agent"], names, &["Content-Length", "Connection"]].concat(), "{id}");
    }
}

#[tokio::test]
async fn the_endpoint_is_disabled_exactly_when_the_fifth_retry_fails() {
    let receiver = Receiver::start(vec![Act::status(500)]).await;
    let mut driver = driver("get-a-team", &receiver.url, PATIENT);
    let first = publish(&mut driver);
    let fifth_retry = START + (26 * 3_600 + 36 * 60) * 1_000;
    driver.run_until(fifth_retry - 1).await.unwrap();
    assert_eq!((driver.standing(), driver.attempts().len()), (Standing::Enabled, 5));
    let second = publish(&mut driver);
    driver.run_until(fifth_retry - 1).await.unwrap();
    assert_eq!(driver.state(second), Some(State::Waiting));
    driver.run().await.unwrap();
    assert_eq!((driver.standing(), driver.state(first)), (Standing::DisabledByFailures, Some(State::Failed)));
    // What waited is held, what comes now is skipped, and nothing is lost.
    assert_eq!(driver.state(second), Some(State::Held));
    let third = publish(&mut driver);
    assert_eq!(driver.state(third), Some(State::Skipped));
    assert_eq!(driver.replay(third), Err(Refusal::EndpointOff));
    let made = driver.attempts().len();
    driver.enable();
    driver.replay(third).unwrap();
    driver.run_until(driver.now()).await.unwrap();
    assert_eq!(driver.attempts().len(), made + 1, "the skipped one at once, the held one when it is due");
}

#[tokio::test]
async fn a_pause_holds_and_resumes() {
    let receiver = Receiver::start(vec![Act::status(500), Act::status(500), Act::status(200)]).await;
    let mut driver = driver("agentbot", &receiver.url, PATIENT);
    let held = publish(&mut driver);
    driver.run_until(START + 59_999).await.unwrap();
    driver.pause();
    let skipped = publish(&mut driver);
    driver.run_until(START + 600_000).await.unwrap();
    assert_eq!((driver.state(held), driver.state(skipped)), (Some(State::Held), Some(State::Skipped)));
    assert_eq!(driver.attempts().len(), 1);
    driver.enable();
    driver.run().await.unwrap();
    // It was due at one minute, so it goes on at once; the next wait is the table's.
    assert_eq!(starts(&driver), [0, 600, 900]);
    assert_eq!(driver.state(held), Some(State::Delivered));
    driver.replay(skipped).unwrap();
    driver.run().await.unwrap();
    assert_eq!(driver.state(skipped), Some(State::Delivered));
}

#[tokio::test]
async fn an_endpoint_paused_during_an_attempt_holds_the_retry() {
    let receiver = Receiver::start(vec![Act::Silent]).await;
    let mut driver = driver("agentbot", &receiver.url, IMPATIENT);
    let ticket = publish(&mut driver);
    driver.run_until(START + 1_000).await.unwrap();
    assert_eq!(driver.state(ticket), Some(State::Running));
    driver.pause();
    driver.run().await.unwrap();
    assert_eq!(driver.state(ticket), Some(State::Held));
}

#[tokio::test]
async fn my_gpt_assistants_gives_up_stays_enabled_and_is_retried_by_hand() {
    let mut acts = vec![Act::status(500); 6];
    acts.push(Act::status(200));
    let receiver = Receiver::start(acts).await;
    let mut driver = driver("my-gpt-assistants", &receiver.url, PATIENT);
    let ticket = publish(&mut driver);
    assert_eq!(driver.retry(ticket), Err(Refusal::NotFinal));
    driver.run().await.unwrap();
    assert_eq!((driver.state(ticket), driver.standing()), (Some(State::Failed), Standing::Enabled));
    for (number, state) in [(6, State::Failed), (7, State::Delivered)] {
        driver.retry(ticket).unwrap();
        driver.run().await.unwrap();
        let attempt = driver.attempts().last().unwrap();
        assert_eq!((attempt.number, attempt.kind), (number, AttemptKind::Manual));
        assert_eq!(driver.state(ticket), Some(state));
    }
    let received = receiver.received();
    assert!(received.iter().all(|request| request.body == received[0].body));
    assert_eq!(driver.retry(Ticket(99)), Err(Refusal::Unknown));
}

#[tokio::test]
async fn a_test_event_is_sent_once_and_counts_for_nothing() {
    for (id, ..) in tables() {
        let receiver = Receiver::start(vec![Act::status(410)]).await;
        let mut driver = driver(id, &receiver.url, PATIENT);
        for _ in 0..7 {
            let ticket = driver.test().unwrap();
            driver.run().await.unwrap();
            assert_eq!(driver.state(ticket), Some(State::Failed));
        }
        assert_eq!(driver.attempts().len(), 7);
        assert!(driver.attempts().iter().all(|attempt| attempt.kind == AttemptKind::Test && attempt.number == 1));
        assert_eq!(driver.standing(), Standing::Enabled, "{id}");
        driver.pause();
        driver.test().unwrap();
        driver.run().await.unwrap();
        assert_eq!(driver.attempts().len(), 8, "{id}: also while the endpoint is off");
    }
}

#[tokio::test]
async fn types_that_are_not_subscribed_are_not_sent() {
    let receiver = Receiver::start(vec![Act::status(200)]).await;
    let mut driver = driver("agentbot", &receiver.url, PATIENT);
    driver.endpoint_mut().subscribed = Some(["ticket.created".to_owned()].into());
    assert_eq!(driver.publish("message.created", None).unwrap(), Published::NotSubscribed);
    assert!(driver.publish("message.deleted", None).is_err());
    assert!(matches!(driver.publish("ticket.created", None).unwrap(), Published::As(_)));
    driver.run().await.unwrap();
    assert_eq!(receiver.received().len(), 1);
}

#[tokio::test]
async fn standard_webhooks_stops_at_410() {
    let receiver = Receiver::start(vec![Act::status(410)]).await;
    let mut driver = driver("standard-webhooks", &receiver.url, PATIENT);
    let ticket = publish(&mut driver);
    driver.run().await.unwrap();
    assert_eq!((driver.state(ticket), driver.standing()), (Some(State::Failed), Standing::DisabledByAnswer));
    assert_eq!(driver.attempts().len(), 1);
}

#[tokio::test]
async fn retry_after_can_only_make_a_wait_longer() {
    let later = rfc3339(START); // no HTTP date: junk
    for (value, second) in [("1", 5), ("120", 120), ("100000", 86_400), ("-5", 5), (later.as_str(), 5), ("soon", 5)] {
        let receiver = Receiver::start(vec![Act::with(503, "Retry-After", value), Act::status(200)]).await;
        let mut driver = driver("standard-webhooks", &receiver.url, PATIENT);
        publish(&mut driver);
        driver.run().await.unwrap();
        assert_eq!(starts(&driver), [0, second], "Retry-After: {value}");
    }
    // A date is meant by the receiver's own clock, which the answer tells.
    let dated = Act::Answer(
        503,
        vec![
            ("Date", "Sun, 06 Nov 1994 08:49:07 GMT".to_owned()),
            ("Retry-After", "Sun, 06 Nov 1994 08:50:37 GMT".to_owned()),
        ],
        Vec::new(),
    );
    let receiver = Receiver::start(vec![dated, Act::status(200)]).await;
    let mut standard = driver("standard-webhooks", &receiver.url, PATIENT);
    publish(&mut standard);
    standard.run().await.unwrap();
    assert_eq!(starts(&standard), [0, 90]);
    // A provider whose document knows no Retry-After keeps its table.
    let receiver = Receiver::start(vec![Act::with(503, "Retry-After", "7200"), Act::status(200)]).await;
    let mut documented = driver("get-a-team", &receiver.url, PATIENT);
    publish(&mut documented);
    documented.run().await.unwrap();
    assert_eq!(starts(&documented), [0, 60]);
}

#[tokio::test]
async fn overload_slows_the_whole_endpoint_down() {
    let receiver = Receiver::start(vec![Act::status(502), Act::status(200)]).await;
    let mut driver = driver("standard-webhooks", &receiver.url, PATIENT);
    publish(&mut driver);
    driver.run_until(START).await.unwrap();
    for _ in 0..3 {
        publish(&mut driver);
    }
    driver.run().await.unwrap();
    // After a 502 a second passes before each attempt; the first success ends that.
    assert_eq!(starts(&driver), [0, 1, 2, 2, 5]);
}

#[tokio::test]
async fn a_rate_limit_spreads_attempts() {
    let receiver = Receiver::start(vec![Act::status(200)]).await;
    let mut endpoint = driver("agentbot", &receiver.url, PATIENT).endpoint().clone();
    endpoint.policy.rate_limit = Some(hookproof_sender::RateLimit { limit: 2, per: "10s".parse().unwrap() });
    let mut driver = driver_of(endpoint, PATIENT);
    for _ in 0..5 {
        publish(&mut driver);
    }
    driver.run().await.unwrap();
    assert_eq!(starts(&driver), [0, 0, 10, 10, 20]);
}

#[tokio::test]
async fn ai_teammate_waits_a_minute_after_429_and_ends_at_what_is_final() {
    for (value, second) in [("", 60), ("5", 60), ("90", 90)] {
        let receiver = Receiver::start(vec![Act::with(429, "Retry-After", value), Act::status(200)]).await;
        let mut driver = driver("ai-teammate", &receiver.url, PATIENT);
        publish(&mut driver);
        driver.run().await.unwrap();
        assert_eq!(starts(&driver), [0, second], "Retry-After: {value}");
    }
    for status in [400, 402, 404] {
        let receiver = Receiver::start(vec![Act::status(status)]).await;
        let mut driver = driver("ai-teammate", &receiver.url, PATIENT);
        let ticket = publish(&mut driver);
        driver.run().await.unwrap();
        assert_eq!((driver.attempts().len(), driver.state(ticket)), (1, Some(State::Failed)), "{status}");
    }
}

#[tokio::test]
async fn jitter_stays_within_a_tenth_and_repeats_with_its_seed() {
    let receiver = Receiver::start(vec![Act::status(500)]).await;
    let mut runs = Vec::new();
    for seed in [1, 1, 2] {
        let endpoint = driver("agentbot", &receiver.url, PATIENT).endpoint().clone();
        let mut driver = driver_of(endpoint, PATIENT).with_randomness(Randomness::Seeded(seed));
        publish(&mut driver);
        driver.run().await.unwrap();
        let waits: Vec<u64> = driver.attempts().windows(2).map(|pair| pair[1].started - pair[0].ended).collect();
        for (wait, exact) in waits.iter().zip([60_000, 300_000, 1_800_000, 10_800_000]) {
            assert!((exact - exact / 10..=exact + exact / 10).contains(wait), "{wait}");
            assert_ne!(*wait, exact);
        }
        runs.push(waits);
    }
    assert_eq!(runs[0], runs[1]);
    assert_ne!(runs[0], runs[2]);
}

#[tokio::test]
async fn a_rotation_overlaps() {
    let receiver = Receiver::start(vec![Act::status(200)]).await;
    let old = secret(&Provider::named("standard-webhooks").unwrap());
    let mut driver = driver("standard-webhooks", &receiver.url, PATIENT);
    let new = SigningSecret::generate(&driver.endpoint().provider.secret, &[9; 64]);
    driver.endpoint_mut().secrets.rotate(new.clone(), START + 60_000);
    publish(&mut driver);
    driver.run_until(START + 60_000).await.unwrap();
    publish(&mut driver);
    driver.run().await.unwrap();
    let received = receiver.received();
    let accepts = |secret: &SigningSecret, at: usize| {
        let verifier =
            Verifier::new(Scheme::named("standard-webhooks").unwrap(), Secret::new(secret.reveal()).unwrap()).unwrap();
        let request = &received[at];
        verifier.verify(&Request::new(&request.headers, &request.body), i64::try_from(START / 1_000).unwrap()).is_ok()
    };
    assert_eq!(received[0].header("webhook-signature").split(' ').count(), 2);
    assert!(accepts(&old, 0) && accepts(&new, 0) && accepts(&new, 1) && !accepts(&old, 1));
}

#[tokio::test]
async fn the_wall_clock_waits_as_long_as_it_says() {
    let receiver = Receiver::start(vec![Act::status(500), Act::status(500), Act::status(200)]).await;
    let mut endpoint = driver("g-tateth", &receiver.url, PATIENT).endpoint().clone();
    endpoint.policy.retry.delays =
        hookproof_sender::Delays::Exponential { first: hookproof_sender::Span::of_milliseconds(100), retries: 3 };
    let mut driver = Driver::new(endpoint, Transport::new(Guard::with_loopback()).unwrap(), Clock::Wall);
    let before = wall_now();
    let ticket = publish(&mut driver);
    driver.run().await.unwrap();
    assert_eq!(driver.state(ticket), Some(State::Delivered));
    assert!(wall_now() - before >= 300);
    let waits: Vec<u64> = driver.attempts().windows(2).map(|pair| pair[1].started - pair[0].ended).collect();
    assert!(waits[0] >= 100 && waits[1] >= 200, "{waits:?}");
}

//! The state machine alone, under any order of inputs.

#![allow(missing_docs, clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests may fail loudly")]

use std::collections::{BTreeMap, BTreeSet};

use hookproof::Scheme;
use hookproof_sender::lane::{AttemptKind, Command, Ended, Input, Lane, Standing, State, Ticket};
use hookproof_sender::{Provider, Span};

/// SplitMix64, so that a failure can be repeated with its seed.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % sides
    }
}

fn ended(dice: &mut Dice) -> Ended {
    match dice.roll(4) {
        0 => Ended::Broken { timeout: dice.roll(2) == 0, sent: dice.roll(2) == 0 },
        1 => Ended::Answered { status: 200, retry_after: None },
        _ => {
            let statuses = [301, 400, 404, 410, 429, 500, 502, 503, 504];
            let status = statuses[usize::try_from(dice.roll(statuses.len() as u64)).unwrap()];
            let retry_after = (dice.roll(3) == 0).then(|| Span::of_seconds(dice.roll(200_000)));
            Ended::Answered { status, retry_after }
        }
    }
}

/// What a driver remembers, and what has to hold after every step.
#[derive(Default)]
struct Watch {
    published: BTreeSet<Ticket>,
    running: BTreeSet<Ticket>,
    attempts: BTreeMap<Ticket, u32>,
    automatic: BTreeMap<Ticket, u32>,
    standing: Option<Standing>,
    wake: Option<u64>,
}

impl Watch {
    fn take(&mut self, commands: Vec<Command>, now: u64, lane: &Lane) {
        self.wake = None;
        for command in commands {
            match command {
                Command::Attempt { ticket, number, kind, .. } => {
                    assert!(self.running.insert(ticket), "one attempt at a time");
                    let attempts = self.attempts.entry(ticket).or_default();
                    *attempts += 1;
                    assert_eq!(number, *attempts, "numbers have no gaps");
                    if kind == AttemptKind::Automatic {
                        assert_eq!(lane.state(ticket), Some(State::Running));
                        assert_ne!(
                            self.standing,
                            Some(Standing::Paused),
                            "nothing automatic while the endpoint is off"
                        );
                        *self.automatic.entry(ticket).or_default() += 1;
                    }
                }
                Command::WakeAt(at) => {
                    assert!(at > now, "what is due is started, not waited for");
                    assert_eq!(self.wake.replace(at), None);
                }
                Command::Turned(standing) => self.standing = Some(standing),
                Command::Moved { ticket, due, state } => {
                    assert_eq!(due.is_some(), matches!(state, State::Waiting | State::Held));
                    assert!(self.published.contains(&ticket));
                }
                Command::Refused(..) => {}
            }
        }
        // Nothing vanishes: each delivery runs, waits for a time that is known, is held until the endpoint is enabled,
        // or has come to an end.
        for ticket in &self.published {
            match lane.state(*ticket).unwrap() {
                State::Running => assert!(self.running.contains(ticket)),
                State::Waiting => assert!(self.wake.is_some() && lane.standing() == Standing::Enabled),
                State::Held => assert_ne!(lane.standing(), Standing::Enabled),
                State::Delivered | State::Failed | State::Skipped => assert!(!self.running.contains(ticket)),
            }
        }
    }
}

#[test]
fn nothing_vanishes_in_any_order_of_inputs() {
    for id in Provider::names() {
        for seed in 0..60 {
            let mut dice = Dice(seed);
            let mut policy = Provider::named(id).unwrap().policy();
            if seed % 3 == 0 {
                policy.rate_limit = Some(hookproof_sender::RateLimit { limit: 2, per: Span::of_seconds(10) });
            }
            let most = policy.retry.retries() + 1;
            let mut lane = Lane::new(policy);
            let (mut watch, mut now, mut replayed) = (Watch::default(), 1_000_000, BTreeSet::new());
            for step in 0..400 {
                let any = Ticket(dice.roll(12));
                let input = match dice.roll(10) {
                    0 | 1 => {
                        let ticket = Ticket(step);
                        watch.published.insert(ticket);
                        if dice.roll(8) == 0 { Input::Test(ticket) } else { Input::Publish(ticket) }
                    }
                    2 => Input::Pause,
                    3 => Input::Enable,
                    4 => Input::Retry(any),
                    5 => {
                        replayed.insert(any);
                        Input::Replay(any)
                    }
                    6 | 7 if watch.wake.is_some() => {
                        now = watch.wake.unwrap();
                        Input::Wake
                    }
                    _ => match watch.running.pop_first() {
                        Some(ticket) => {
                            now += dice.roll(30_000);
                            Input::Ended(ticket, ended(&mut dice))
                        }
                        None => Input::Wake,
                    },
                };
                let random = u32::try_from(dice.roll(1 << 32)).unwrap();
                let commands = lane.step(input, now, random);
                watch.take(commands, now, &lane);
            }
            for (ticket, count) in &watch.automatic {
                assert!(replayed.contains(ticket) || *count <= most, "{id}: no more attempts than the table has");
            }
        }
    }
}

#[test]
fn an_end_that_was_not_asked_for_changes_nothing() {
    let mut lane = Lane::new(Provider::named("agentbot").unwrap().policy());
    let ok = Ended::Answered { status: 200, retry_after: None };
    assert!(matches!(lane.step(Input::Ended(Ticket(1), ok), 0, 0)[..], [Command::Refused(..)]));
    lane.step(Input::Publish(Ticket(1)), 0, 0);
    assert!(matches!(lane.step(Input::Publish(Ticket(1)), 0, 0)[..], [Command::Refused(..)]));
    lane.step(Input::Ended(Ticket(1), ok), 0, 0);
    let late = Ended::Answered { status: 500, retry_after: None };
    assert!(matches!(lane.step(Input::Ended(Ticket(1), late), 1, 0)[..], [Command::Refused(..)]));
    assert_eq!(lane.state(Ticket(1)), Some(State::Delivered));
    assert!(lane.forget(Ticket(1)) && !lane.forget(Ticket(1)));
}

#[test]
fn the_schemes_that_receivers_derive_retention_from_say_the_same() {
    for id in Provider::names() {
        let provider = Provider::named(id).unwrap();
        let scheme = Scheme::named(id).unwrap();
        let retry = scheme.retry().unwrap();
        let policy = provider.policy();
        let delays: Vec<u64> = (1..=policy.retry.retries())
            .map(|number| policy.retry.delay(number, hookproof_sender::NO_JITTER).unwrap().milliseconds())
            .collect();
        assert_eq!(retry.delays_ms, delays, "{id}: delays");
        assert!((retry.jitter - policy.retry.jitter).abs() < 1e-9, "{id}: jitter");
        assert_eq!(retry.timeout_ms, policy.timeout.milliseconds(), "{id}: timeout");
        // The header names of a provider's file are those of its scheme, in the same case.
        for field in provider.wire.headers.iter().filter(|field| field.value == "{signed}") {
            assert!(scheme.headers().contains(&field.name), "{id}: {}", field.name);
        }
    }
}

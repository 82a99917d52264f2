//! The delivery state machine: everything that is sent to one endpoint, and in which state it is.
//!
//! It is pure. What time it is and which random number was drawn are arguments, what is to be done comes back as
//! [`Command`]s; it reads no clock, draws nothing and opens no connection. A driver carries the commands out.

mod words;

use std::collections::{BTreeMap, BTreeSet};

pub use words::{AttemptKind, Command, Ended, Input, Refusal, Standing, State, Ticket};

use crate::{GiveUp, Policy, Span, rate_limit::Window};

#[derive(Clone, Debug)]
struct Delivery {
    state: State,
    kind: AttemptKind,
    /// Attempts of any kind.
    attempts: u32,
    /// Retries of the table that were made; the first attempt is none.
    retries: u32,
    due: u64,
    /// The final state before a manual attempt.
    before: State,
}

/// An endpoint's deliveries and what decides when each of them is tried.
///
/// ```
/// use hookproof_sender::lane::{Command, Ended, Input, Lane, State, Ticket};
/// use hookproof_sender::{NO_JITTER, Provider};
///
/// let mut lane = Lane::new(Provider::named("get-a-team")?.policy());
/// let commands = lane.step(Input::Publish(Ticket(1)), 0, NO_JITTER);
/// assert!(matches!(commands[..], [Command::Attempt { number: 1, .. }]));
/// let ended = Ended::Answered { status: 500, retry_after: None };
/// let commands = lane.step(Input::Ended(Ticket(1), ended), 70, NO_JITTER);
/// assert_eq!(commands[0], Command::Moved { ticket: Ticket(1), state: State::Waiting, due: Some(60_070) });
/// assert_eq!(commands[1], Command::WakeAt(60_070));
/// # Ok::<(), hookproof_sender::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Lane {
    policy: Policy,
    standing: Standing,
    deliveries: BTreeMap<Ticket, Delivery>,
    waiting: BTreeSet<(u64, Ticket)>,
    window: Window,
    /// The pause between two attempts while the endpoint is overloaded.
    spacing: Span,
    /// Before this time nothing is started.
    not_before: u64,
}

/// The pause between attempts after the first sign of overload; it doubles with each further one.
const FIRST_SPACING: Span = Span::of_seconds(1);
const LONGEST_SPACING: Span = Span::of_seconds(60);

impl Lane {
    /// A lane without deliveries, to an endpoint that is enabled.
    pub fn new(policy: Policy) -> Self {
        Self {
            policy,
            standing: Standing::Enabled,
            deliveries: BTreeMap::new(),
            waiting: BTreeSet::new(),
            window: Window::default(),
            spacing: Span::default(),
            not_before: 0,
        }
    }

    /// The rules that it follows.
    pub const fn policy(&self) -> &Policy {
        &self.policy
    }

    /// Whether the endpoint is given anything.
    pub const fn standing(&self) -> Standing {
        self.standing
    }

    /// Where a delivery stands.
    pub fn state(&self, ticket: Ticket) -> Option<State> {
        self.deliveries.get(&ticket).map(|delivery| delivery.state)
    }

    /// Puts a delivery into the lane that is in a final state already, after so many attempts: from a log, to be retried.
    pub fn restore(&mut self, ticket: Ticket, state: State, attempts: u32) {
        let state = if state.is_final() { state } else { State::Failed };
        let delivery =
            Delivery { state, kind: AttemptKind::Automatic, attempts, retries: 0, due: 0, before: State::Failed };
        self.deliveries.insert(ticket, delivery);
    }

    /// Forgets a delivery in a final state, so that a long-lived lane does not grow; says whether it did.
    pub fn forget(&mut self, ticket: Ticket) -> bool {
        self.state(ticket).is_some_and(State::is_final) && self.deliveries.remove(&ticket).is_some()
    }

    /// Takes one input and says what is to be done now.
    ///
    /// `now` is in Unix milliseconds and never goes back; `random` is drawn evenly from all of `u32` for each step.
    pub fn step(&mut self, input: Input, now: u64, random: u32) -> Vec<Command> {
        let mut commands = Vec::new();
        match input {
            Input::Publish(ticket) => self.publish(ticket, now, &mut commands),
            Input::Test(ticket) => self.test(ticket, now, &mut commands),
            Input::Wake => {}
            Input::Ended(ticket, ended) => self.ended(ticket, ended, now, random, &mut commands),
            Input::Retry(ticket) => self.retry(ticket, now, &mut commands),
            Input::Replay(ticket) => self.replay(ticket, now, &mut commands),
            Input::Enable => self.enable(&mut commands),
            Input::Pause => {
                if self.standing == Standing::Enabled {
                    self.turn_off(Standing::Paused, &mut commands);
                }
            }
        }
        self.start_due(now, &mut commands);
        if let Some(wake) = self.next_start(now) {
            commands.push(Command::WakeAt(wake));
        }
        commands
    }

    fn publish(&mut self, ticket: Ticket, now: u64, commands: &mut Vec<Command>) {
        if self.deliveries.contains_key(&ticket) {
            commands.push(Command::Refused(ticket, Refusal::Known));
            return;
        }
        let state = if self.standing == Standing::Enabled { State::Waiting } else { State::Skipped };
        self.deliveries.insert(
            ticket,
            Delivery { state, kind: AttemptKind::Automatic, attempts: 0, retries: 0, due: now, before: State::Skipped },
        );
        if state == State::Waiting {
            self.waiting.insert((now, ticket));
        } else {
            commands.push(Command::Moved { ticket, state, due: None });
        }
    }

    fn test(&mut self, ticket: Ticket, now: u64, commands: &mut Vec<Command>) {
        if self.deliveries.contains_key(&ticket) {
            commands.push(Command::Refused(ticket, Refusal::Known));
            return;
        }
        self.deliveries.insert(
            ticket,
            Delivery {
                state: State::Waiting,
                kind: AttemptKind::Test,
                attempts: 0,
                retries: 0,
                due: now,
                before: State::Failed,
            },
        );
        self.start(ticket, now, commands);
    }

    fn retry(&mut self, ticket: Ticket, now: u64, commands: &mut Vec<Command>) {
        match self.deliveries.get_mut(&ticket) {
            None => commands.push(Command::Refused(ticket, Refusal::Unknown)),
            Some(delivery) if !delivery.state.is_final() => commands.push(Command::Refused(ticket, Refusal::NotFinal)),
            Some(delivery) => {
                delivery.before = delivery.state;
                delivery.kind = AttemptKind::Manual;
                self.start(ticket, now, commands);
            }
        }
    }

    fn replay(&mut self, ticket: Ticket, now: u64, commands: &mut Vec<Command>) {
        let refusal = match self.deliveries.get_mut(&ticket) {
            None => Refusal::Unknown,
            Some(delivery) if !delivery.state.is_final() => Refusal::NotFinal,
            Some(_) if self.standing != Standing::Enabled => Refusal::EndpointOff,
            Some(delivery) => {
                *delivery = Delivery {
                    state: State::Waiting,
                    kind: AttemptKind::Automatic,
                    retries: 0,
                    due: now,
                    ..delivery.clone()
                };
                self.waiting.insert((now, ticket));
                return;
            }
        };
        commands.push(Command::Refused(ticket, refusal));
    }

    fn ended(&mut self, ticket: Ticket, ended: Ended, now: u64, random: u32, commands: &mut Vec<Command>) {
        let Some(delivery) = self.deliveries.get(&ticket).filter(|delivery| delivery.state == State::Running) else {
            commands.push(Command::Refused(ticket, Refusal::Unknown));
            return;
        };
        let (kind, retry, before) = (delivery.kind, delivery.retries.saturating_add(1), delivery.before);
        if matches!(ended, Ended::Answered { status: 200..=299, .. }) {
            self.spacing = Span::default();
            self.settle(ticket, State::Delivered, commands);
            return;
        }
        if kind != AttemptKind::Automatic {
            // A delivery that had arrived before has arrived, whatever a later copy of it met.
            let state = if kind == AttemptKind::Manual && before == State::Delivered {
                State::Delivered
            } else {
                State::Failed
            };
            self.settle(ticket, state, commands);
            return;
        }
        self.slow_down(ended, now);
        if let Ended::Answered { status, .. } = ended
            && self.policy.statuses.disable.contains(&status)
        {
            self.settle(ticket, State::Failed, commands);
            self.turn_off(Standing::DisabledByAnswer, commands);
            return;
        }
        match self.wait(ended, retry, random) {
            Wait::Final => self.settle(ticket, State::Failed, commands),
            Wait::Exhausted => {
                self.settle(ticket, State::Failed, commands);
                if self.policy.give_up == GiveUp::DisableEndpoint {
                    self.turn_off(Standing::DisabledByFailures, commands);
                }
            }
            Wait::For(span) => self.postpone(ticket, retry, now.saturating_add(span.milliseconds()), commands),
        }
    }

    fn wait(&self, ended: Ended, retry: u32, random: u32) -> Wait {
        let rules = &self.policy.statuses;
        let ends = match ended {
            Ended::Answered { status, .. } => rules.ends(status),
            Ended::Broken { timeout, sent } => timeout && sent && rules.timeout_after_sending_is_final,
        };
        if ends {
            return Wait::Final;
        }
        let Some(delay) = self.policy.retry.delay(retry, random) else {
            return Wait::Exhausted;
        };
        let Ended::Answered { status, retry_after } = ended else {
            return Wait::For(delay);
        };
        let least = if status == 429 { rules.rate_limited } else { None };
        let asked = retry_after.filter(|_| rules.retry_after).unwrap_or_default();
        Wait::For(least.unwrap_or(delay).max(asked))
    }

    fn slow_down(&mut self, ended: Ended, now: u64) {
        let Ended::Answered { status, retry_after } = ended else { return };
        if !self.policy.statuses.slow.contains(&status) {
            return;
        }
        let doubled = Span::of_milliseconds(self.spacing.milliseconds().saturating_mul(2));
        self.spacing = doubled.clamp(FIRST_SPACING, LONGEST_SPACING);
        let asked = retry_after.filter(|_| self.policy.statuses.retry_after).unwrap_or_default();
        self.not_before = self.not_before.max(now.saturating_add(self.spacing.max(asked).milliseconds()));
    }

    fn postpone(&mut self, ticket: Ticket, retry: u32, due: u64, commands: &mut Vec<Command>) {
        let state = if self.standing == Standing::Enabled { State::Waiting } else { State::Held };
        if let Some(delivery) = self.deliveries.get_mut(&ticket) {
            (delivery.state, delivery.retries, delivery.due) = (state, retry, due);
        }
        if state == State::Waiting {
            self.waiting.insert((due, ticket));
        }
        commands.push(Command::Moved { ticket, state, due: Some(due) });
    }

    fn settle(&mut self, ticket: Ticket, state: State, commands: &mut Vec<Command>) {
        if let Some(delivery) = self.deliveries.get_mut(&ticket) {
            delivery.state = state;
        }
        commands.push(Command::Moved { ticket, state, due: None });
    }

    fn turn_off(&mut self, standing: Standing, commands: &mut Vec<Command>) {
        if self.standing != standing {
            self.standing = standing;
            commands.push(Command::Turned(standing));
        }
        for (due, ticket) in std::mem::take(&mut self.waiting) {
            if let Some(delivery) = self.deliveries.get_mut(&ticket) {
                delivery.state = State::Held;
            }
            commands.push(Command::Moved { ticket, state: State::Held, due: Some(due) });
        }
    }

    fn enable(&mut self, commands: &mut Vec<Command>) {
        if self.standing == Standing::Enabled {
            return;
        }
        self.standing = Standing::Enabled;
        self.spacing = Span::default();
        commands.push(Command::Turned(Standing::Enabled));
        for (ticket, delivery) in self.deliveries.iter_mut().filter(|(_, delivery)| delivery.state == State::Held) {
            delivery.state = State::Waiting;
            self.waiting.insert((delivery.due, *ticket));
            commands.push(Command::Moved { ticket: *ticket, state: State::Waiting, due: Some(delivery.due) });
        }
    }

    /// When the next waiting delivery may start, and that only while the endpoint is enabled.
    fn next_start(&mut self, now: u64) -> Option<u64> {
        let (due, _) = *self.waiting.first()?;
        let allowed = self.policy.rate_limit.map_or(now, |limit| self.window.next(limit, now));
        Some(due.max(allowed).max(self.not_before))
    }

    fn start_due(&mut self, now: u64, commands: &mut Vec<Command>) {
        while self.next_start(now).is_some_and(|start| start <= now) {
            let Some((_, ticket)) = self.waiting.pop_first() else { return };
            self.start(ticket, now, commands);
        }
    }

    fn start(&mut self, ticket: Ticket, now: u64, commands: &mut Vec<Command>) {
        let Some(delivery) = self.deliveries.get_mut(&ticket) else { return };
        delivery.state = State::Running;
        delivery.attempts = delivery.attempts.saturating_add(1);
        if self.policy.rate_limit.is_some() {
            self.window.count(now);
        }
        if self.spacing > Span::default() {
            self.not_before = self.not_before.max(now.saturating_add(self.spacing.milliseconds()));
        }
        commands.push(Command::Attempt {
            ticket,
            number: delivery.attempts,
            kind: delivery.kind,
            timeout: self.policy.timeout,
        });
    }
}

enum Wait {
    For(Span),
    /// The answer says that trying again is no use.
    Final,
    /// The table has ended.
    Exhausted,
}

//! Carries out what the state machine commands: on the clock on the wall, or on a virtual one that jumps to the next due
//! time, with real HTTP in both.

mod attempt;
mod clock;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::time::Duration;

use serde_json::Value;
use tokio::task::JoinSet;

use attempt::attempt;
pub use attempt::{Attempt, Notice};
pub use clock::{Clock, SignedTime, wall_now};

use crate::endpoint::{Endpoint, Message};
use crate::lane::{AttemptKind, Command, Ended, Input, Lane, Refusal, Standing, State, Ticket};
use crate::random::Randomness;
use crate::transport::{Answer, Exchange, Failure, Transport};
use crate::{Error, Fault, Span, retry_after, signing};

/// Sends to one endpoint.
pub struct Driver {
    endpoint: Endpoint,
    transport: Transport,
    lane: Lane,
    messages: BTreeMap<Ticket, Message>,
    attempts: Vec<Attempt>,
    faults: Vec<Fault>,
    /// The latest answer of each delivery, where somebody wants to read them whole.
    answers: Option<BTreeMap<Ticket, Answer>>,
    randomness: Randomness,
    clock: Clock,
    /// The virtual clock's time.
    now: u64,
    wake: Option<u64>,
    launches: Vec<Launch>,
    running: JoinSet<Outcome>,
    /// Attempts that are over on the wall and not yet on the virtual clock: when, which of them first, and what came of it.
    ended: BinaryHeap<Reverse<(u64, u64)>>,
    outcomes: BTreeMap<u64, Outcome>,
    counter: u64,
    watcher: Option<Watcher>,
}

type Watcher = Box<dyn FnMut(&Notice) + Send>;

/// What became of a message that was handed in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Published {
    /// It is a delivery now.
    As(Ticket),
    /// The endpoint is not subscribed to its type, so nothing is sent.
    NotSubscribed,
}

struct Launch {
    ticket: Ticket,
    number: u32,
    kind: AttemptKind,
    timeout: Span,
    started: u64,
}

struct Outcome {
    launch: Launch,
    exchange: Exchange,
}

impl Driver {
    /// A driver for one endpoint.
    pub fn new(endpoint: Endpoint, transport: Transport, clock: Clock) -> Self {
        let now = if let Clock::Virtual { start, .. } = clock { start } else { 0 };
        Self {
            lane: Lane::new(endpoint.policy.clone()),
            endpoint,
            transport,
            messages: BTreeMap::new(),
            attempts: Vec::new(),
            faults: Vec::new(),
            answers: None,
            randomness: Randomness::default(),
            clock,
            now,
            wake: None,
            launches: Vec::new(),
            running: JoinSet::new(),
            ended: BinaryHeap::new(),
            outcomes: BTreeMap::new(),
            counter: 0,
            watcher: None,
        }
    }

    /// Every attempt is made with these faults.
    #[must_use]
    pub fn with_faults(mut self, faults: Vec<Fault>) -> Self {
        self.faults = faults;
        self
    }

    /// Keeps the latest answer of each delivery for [`Driver::answer`]: up to 64 KiB each.
    #[must_use]
    pub fn keeping_answers(mut self) -> Self {
        self.answers = Some(BTreeMap::new());
        self
    }

    /// Where the jitter comes from; the system if nothing is said.
    #[must_use]
    pub fn with_randomness(mut self, randomness: Randomness) -> Self {
        self.randomness = randomness;
        self
    }

    /// Somebody who is told what happens, while it happens.
    #[must_use]
    pub fn watched(mut self, watcher: impl FnMut(&Notice) + Send + 'static) -> Self {
        self.watcher = Some(Box::new(watcher));
        self
    }

    /// The driver's time, Unix milliseconds.
    pub fn now(&self) -> u64 {
        if self.clock == Clock::Wall { wall_now() } else { self.now }
    }

    /// The endpoint.
    pub const fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// The endpoint, to rotate its secrets or change its subscriptions between two steps.
    pub const fn endpoint_mut(&mut self) -> &mut Endpoint {
        &mut self.endpoint
    }

    /// Every attempt so far, in the order in which they ended.
    pub fn attempts(&self) -> &[Attempt] {
        &self.attempts
    }

    /// The latest answer of a delivery, if they are kept.
    pub fn answer(&self, ticket: Ticket) -> Option<&Answer> {
        self.answers.as_ref()?.get(&ticket)
    }

    /// Where a delivery stands.
    pub fn state(&self, ticket: Ticket) -> Option<State> {
        self.lane.state(ticket)
    }

    /// Whether the endpoint is given anything.
    pub const fn standing(&self) -> Standing {
        self.lane.standing()
    }

    /// The message of a delivery.
    pub fn message(&self, ticket: Ticket) -> Option<&Message> {
        self.messages.get(&ticket)
    }

    /// Makes an event of this type a delivery; `data` is the built-in sample if none is given.
    ///
    /// # Errors
    /// If the provider has no such type.
    pub fn publish(&mut self, event_type: &str, data: Option<&Value>) -> Result<Published, Error> {
        if !self.endpoint.wants(event_type)? {
            return Ok(Published::NotSubscribed);
        }
        let message = self.endpoint.message(event_type, data, self.now())?;
        Ok(Published::As(self.publish_message(message)))
    }

    /// Makes a message a delivery.
    pub fn publish_message(&mut self, message: Message) -> Ticket {
        let ticket = self.admit(message);
        self.step(Input::Publish(ticket));
        ticket
    }

    /// Sends a test event: once, whatever the endpoint's standing. Run the driver to see its attempt.
    ///
    /// # Errors
    /// If the system has no random numbers.
    pub fn test(&mut self) -> Result<Ticket, Error> {
        let event_type = self.endpoint.provider.test.event_type.clone();
        let message = self.endpoint.message(&event_type, None, self.now())?;
        let ticket = self.admit(message);
        self.step(Input::Test(ticket));
        Ok(ticket)
    }

    /// Takes a delivery over that was made before, after so many attempts, so that it can be retried. One that was not in a
    /// final state counts as failed: nobody is trying it any more.
    pub fn restore(&mut self, message: Message, state: State, attempts: u32) -> Ticket {
        let ticket = self.admit(message);
        self.lane.restore(ticket, state, attempts);
        ticket
    }

    /// One more attempt of a delivery in a final state, with the same ids.
    ///
    /// # Errors
    /// Why there will be none.
    pub fn retry(&mut self, ticket: Ticket) -> Result<(), Refusal> {
        self.asked(Input::Retry(ticket))
    }

    /// Starts a delivery in a final state over, with all its retries.
    ///
    /// # Errors
    /// Why it is not started.
    pub fn replay(&mut self, ticket: Ticket) -> Result<(), Refusal> {
        self.asked(Input::Replay(ticket))
    }

    /// Switches the endpoint off: what waits is held, what is published is skipped.
    pub fn pause(&mut self) {
        self.step(Input::Pause);
    }

    /// Switches the endpoint on: what was held goes on.
    pub fn enable(&mut self) {
        self.step(Input::Enable);
    }

    /// Runs until nothing is due any more.
    ///
    /// # Errors
    /// If a request cannot be signed: the secret is not of the scheme's form.
    pub async fn run(&mut self) -> Result<(), Error> {
        self.run_until(u64::MAX).await
    }

    /// Runs until `end`, Unix milliseconds, or until nothing is due any more; a virtual clock shows `end` afterwards.
    /// Attempts that are under way at `end` go on when it is called again.
    ///
    /// # Errors
    /// If a request cannot be signed: the secret is not of the scheme's form.
    pub async fn run_until(&mut self, end: u64) -> Result<(), Error> {
        match self.clock {
            Clock::Wall => self.run_on_the_wall(end).await,
            Clock::Virtual { patience, .. } => self.run_ahead(end, patience).await,
        }
    }

    async fn run_on_the_wall(&mut self, end: u64) -> Result<(), Error> {
        loop {
            self.launch(None)?;
            let wake = self.wake.unwrap_or(u64::MAX).min(end);
            if self.running.is_empty() && (wake == u64::MAX || wall_now() >= end) {
                return Ok(());
            }
            let pause = Duration::from_millis(wake.saturating_sub(wall_now()).min(3_600_000));
            tokio::select! {
                Some(joined) = self.running.join_next(), if !self.running.is_empty() => {
                    if let Ok(outcome) = joined {
                        self.record(outcome, wall_now());
                    }
                }
                () = tokio::time::sleep(pause) => {
                    if wall_now() >= end {
                        return Ok(());
                    }
                    self.step(Input::Wake);
                }
            }
        }
    }

    /// Discrete events: all attempts that start at one moment are made at once on the wall; each of them then ends on the
    /// virtual clock after its virtual duration.
    async fn run_ahead(&mut self, end: u64, patience: Duration) -> Result<(), Error> {
        loop {
            self.launch(Some(patience))?;
            while let Some(joined) = self.running.join_next().await {
                if let Ok(outcome) = joined {
                    self.counter += 1;
                    let lasts = if matches!(outcome.exchange.result, Err(Failure::TimedOut)) {
                        outcome.launch.timeout.milliseconds()
                    } else {
                        0
                    };
                    self.ended.push(Reverse((outcome.launch.started.saturating_add(lasts), self.counter)));
                    self.outcomes.insert(self.counter, outcome);
                }
            }
            let next_end = self.ended.peek().map(|Reverse((at, _))| *at);
            let next = next_end.into_iter().chain(self.wake).min();
            let Some(next) = next.filter(|next| *next <= end) else {
                if end < u64::MAX {
                    self.now = self.now.max(end);
                }
                return Ok(());
            };
            self.now = self.now.max(next);
            if next_end == Some(next) {
                let Some(Reverse((at, number))) = self.ended.pop() else { continue };
                if let Some(outcome) = self.outcomes.remove(&number) {
                    self.record(outcome, at);
                }
            } else {
                self.step(Input::Wake);
            }
        }
    }

    fn admit(&mut self, message: Message) -> Ticket {
        self.counter += 1;
        let ticket = Ticket(self.counter);
        self.messages.insert(ticket, message);
        ticket
    }

    fn asked(&mut self, input: Input) -> Result<(), Refusal> {
        match self.step(input) {
            None => Ok(()),
            Some(refusal) => Err(refusal),
        }
    }

    /// Steps the machine and notes what it commands.
    fn step(&mut self, input: Input) -> Option<Refusal> {
        let now = self.now();
        let random = self.randomness.draw();
        self.wake = None;
        let mut refused = None;
        for command in self.lane.step(input, now, random) {
            match command {
                Command::Attempt { ticket, number, kind, timeout } => {
                    self.launches.push(Launch { ticket, number, kind, timeout, started: now })
                }
                Command::WakeAt(at) => self.wake = Some(at),
                Command::Moved { ticket, state, due } => self.tell(Notice::Moved { ticket, state, due }),
                Command::Turned(standing) => self.tell(Notice::Endpoint { standing }),
                Command::Refused(_, refusal) => refused = Some(refusal),
            }
        }
        refused
    }

    /// Starts what was commanded. Under a virtual clock no attempt is waited for longer than `patience`.
    fn launch(&mut self, patience: Option<Duration>) -> Result<(), Error> {
        let signs_at = match self.clock {
            Clock::Virtual { signs: SignedTime::Virtual, .. } => self.now,
            _ => wall_now(),
        };
        let signs_at = i64::try_from(signs_at / 1_000).unwrap_or(i64::MAX);
        for launch in std::mem::take(&mut self.launches) {
            let Some(message) = self.messages.get(&launch.ticket) else { continue };
            let request = signing::request(&self.endpoint, message, signs_at, &self.faults)?;
            let transport = self.transport.clone();
            let timeout = Duration::from_millis(launch.timeout.milliseconds());
            let deadline = patience.map_or(timeout, |patience| patience.min(timeout));
            self.running.spawn(async move {
                let exchange = transport.send(&request, deadline).await;
                Outcome { launch, exchange }
            });
        }
        Ok(())
    }

    fn record(&mut self, outcome: Outcome, ended: u64) {
        let Outcome { launch, exchange } = outcome;
        let attempt = attempt(&launch, &exchange, ended, self.messages.get(&launch.ticket), &self.endpoint.secrets);
        self.attempts.push(attempt.clone());
        self.tell(Notice::Attempt(attempt));
        let ended = match &exchange.result {
            Ok(answer) => Ended::Answered {
                status: answer.status,
                retry_after: answer
                    .header("retry-after")
                    .and_then(|value| retry_after::wait(value, answer.header("date"), ended)),
            },
            Err(failure) => Ended::Broken { timeout: *failure == Failure::TimedOut, sent: exchange.sent },
        };
        if let (Some(answers), Ok(answer)) = (&mut self.answers, exchange.result) {
            answers.insert(launch.ticket, answer);
        }
        self.step(Input::Ended(launch.ticket, ended));
    }

    fn tell(&mut self, notice: Notice) {
        if let Some(watcher) = &mut self.watcher {
            watcher(&notice);
        }
    }
}

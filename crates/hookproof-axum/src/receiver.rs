use core::fmt;
use core::time::Duration;
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use hookproof::{Error, Outcome, OutcomeKind, Verifier};
use hookproof_stores::AsyncStore;

use crate::erased::Erased;

type OnOutcome = dyn Fn(&Outcome, Duration) + Send + Sync;

/// A verifier, a store and what is told about each request; cheap to clone.
#[derive(Clone)]
pub struct Receiver(Arc<Parts>);

pub(crate) struct Parts {
    pub(crate) kernel: hookproof::Receiver,
    pub(crate) store: Option<Arc<dyn Erased>>,
    on_outcome: OnceLock<Box<OnOutcome>>,
    started: Instant,
}

impl Receiver {
    /// A receiver that runs each delivery once, as far as `store` can promise it.
    ///
    /// # Errors
    /// `option_invalid` where retention or lease, which are options of the verifier, do not fit what the sender does.
    pub fn new(verifier: Verifier, store: impl AsyncStore + 'static) -> Result<Self, Error> {
        Self::of(verifier, Some(Arc::new(store)))
    }

    /// A receiver that verifies only: a replay within the tolerance, and every retry, runs the handler again.
    ///
    /// # Errors
    /// As [`Receiver::new`].
    pub fn without_store(verifier: Verifier) -> Result<Self, Error> {
        Self::of(verifier, None)
    }

    fn of(verifier: Verifier, store: Option<Arc<dyn Erased>>) -> Result<Self, Error> {
        let kernel = hookproof::Receiver::new(verifier, store.is_some())?;
        if let Some(store) = &store {
            store.remember_at_least(kernel.least_retention().saturating_mul(1000));
        }
        for warning in kernel.warnings() {
            tracing::warn!(scheme = kernel.verifier().scheme().id(), "{warning}");
        }
        Ok(Self(Arc::new(Parts { kernel, store, on_outcome: OnceLock::new(), started: Instant::now() })))
    }

    /// Tells `hook` what became of each request, and how long it took; for metrics. Nothing in it is secret.
    ///
    /// The first hook stays.
    #[must_use]
    pub fn on_outcome(self, hook: impl Fn(&Outcome, Duration) + Send + Sync + 'static) -> Self {
        let _ = self.0.on_outcome.set(Box::new(hook));
        self
    }

    pub(crate) fn parts(&self) -> &Arc<Parts> {
        &self.0
    }
}

impl Parts {
    /// A clock that does not go back, for the rate limit.
    pub(crate) fn elapsed_ms(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    pub(crate) fn tell(&self, outcome: &Outcome, took: Duration) {
        let code = outcome.code.unwrap_or("");
        let (id, event_type) = (outcome.id.as_deref().unwrap_or(""), outcome.event_type.as_deref().unwrap_or(""));
        let key = outcome.key_prefix.as_deref().unwrap_or("");
        let message = outcome.message.as_deref().unwrap_or("");
        // One macro per level: tracing wants it to be constant.
        macro_rules! line {
            ($level:ident) => {
                tracing::$level!(
                    kind = outcome.kind.as_str(), code, status = outcome.status, scheme = %outcome.scheme, id,
                    event_type, key, ms = took.as_secs_f64() * 1000.0, "{message}"
                )
            };
        }
        match outcome.kind {
            OutcomeKind::Failed | OutcomeKind::CompleteFailed => line!(error),
            // A mistake of the service or a store that is down, not somebody at the door.
            OutcomeKind::Refused if outcome.status >= 500 => line!(error),
            OutcomeKind::Refused | OutcomeKind::LostLease => line!(warn),
            _ => line!(info),
        }
        if let Some(hook) = self.on_outcome.get() {
            hook(outcome, took);
        }
    }
}

impl fmt::Debug for Receiver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receiver").field("scheme", &self.0.kernel.verifier().scheme().id()).finish_non_exhaustive()
    }
}

//! Owns the money of one session: held in the journal before a call is sent, in portions, and told there after it. Never
//! decides who may have it: the law does.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use kameo::prelude::WeakActorRef;
use tokio::sync::{Notify, oneshot};

use super::coordinator::{Coordinator, Tell};
use crate::io::gateway::{self, Outcome, Pending, Refusal};
use crate::machine::command::Command;
use crate::machine::rejection::Rejection;
use crate::model::ids::AttemptId;
use crate::model::spend::{Call, CallEnd};

/// How much is asked for beyond what the next call needs, so that not each call waits for the disk, in nano-dollars: a
/// dime.
const PORTION: u64 = 100_000_000;

/// Tells the sessions of a run when money came back that some of them wait for.
#[derive(Debug, Default)]
pub struct Till {
    waiting: AtomicUsize,
    changed: Notify,
}

/// Holds the money of one session.
pub struct Purse {
    till: Arc<Till>,
    coordinator: WeakActorRef<Coordinator>,
    attempt: AttemptId,
    fence: u64,
    pot: Mutex<Pot>,
    /// Has asks of one session follow one another.
    asking: tokio::sync::Mutex<()>,
}

/// Counts in nano-dollars.
#[derive(Debug, Default)]
struct Pot {
    granted: u64,
    /// For calls that are under way.
    reserved: u64,
    spent: u64,
}

impl Pot {
    fn free(&self) -> u64 {
        self.granted.saturating_sub(self.reserved).saturating_sub(self.spent)
    }
}

/// Says why an ask brought nothing.
enum Refused {
    /// Others may give some back.
    Held,
    /// There is none.
    Spent(String),
    /// The attempt or its run is over.
    Over,
}

impl Purse {
    /// Makes the purse of an attempt, empty.
    pub fn of(till: Arc<Till>, coordinator: WeakActorRef<Coordinator>, (attempt, fence): (AttemptId, u64)) -> Self {
        Self { till, coordinator, attempt, fence, pot: Mutex::default(), asking: tokio::sync::Mutex::default() }
    }

    fn pot(&self) -> MutexGuard<'_, Pot> {
        // Nothing that panics is done under the lock.
        self.pot.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sets money aside for a call, from what is free or by asking for more.
    async fn hold(&self, nano_usd: u64) -> Result<(), Refusal> {
        loop {
            let changed = self.till.changed.notified();
            let mut changed = std::pin::pin!(changed);
            changed.as_mut().enable();
            let one_at_a_time = self.asking.lock().await;
            let missing = {
                let mut pot = self.pot();
                let free = pot.free();
                if free >= nano_usd {
                    pot.reserved += nano_usd;
                    return Ok(());
                }
                nano_usd - free
            };
            let refused = match self.ask(missing.saturating_add(PORTION), missing).await {
                Ok(()) => continue,
                Err(refused) => refused,
            };
            drop(one_at_a_time);
            let has_calls = self.pot().reserved > 0;
            match refused {
                Refused::Over => return Err(Refusal::Closed),
                Refused::Spent(what) if !has_calls => return Err(Refusal::BudgetReached { what }),
                Refused::Spent(_) | Refused::Held => {}
            }
            // Who waits holds nothing that another waits for.
            self.till.waiting.fetch_add(1, Ordering::SeqCst);
            self.give_back().await;
            changed.await;
            self.till.waiting.fetch_sub(1, Ordering::SeqCst);
        }
    }

    /// Asks for a portion, or else for the least that helps.
    async fn ask(&self, portion: u64, least: u64) -> Result<(), Refused> {
        let mut refused = Refused::Over;
        for nano_usd in [portion, least] {
            let (attempt, fence) = (self.attempt, self.fence);
            match self.tell(Command::AskAllowance { attempt, fence, nano_usd }).await {
                Some(Ok(())) => {
                    self.pot().granted += nano_usd;
                    return Ok(());
                }
                Some(Err(Rejection::MoneyIsHeld)) => refused = Refused::Held,
                Some(Err(spent @ Rejection::MoneyIsSpent { .. })) => refused = Refused::Spent(spent.to_string()),
                Some(Err(_)) | None => return Err(Refused::Over),
            }
        }
        Err(refused)
    }

    /// Gives back what no call under way needs.
    async fn give_back(&self) {
        let nano_usd = {
            let mut pot = self.pot();
            let free = pot.free();
            pot.granted -= free;
            free
        };
        if nano_usd > 0 {
            let (attempt, fence) = (self.attempt, self.fence);
            self.tell(Command::ReturnAllowance { attempt, fence, nano_usd }).await;
            self.till.changed.notify_waiters();
        }
    }

    /// Brings a command and waits until what it makes happen is stored; nothing where the run is over.
    async fn tell(&self, command: Command) -> Option<Result<(), Rejection>> {
        let coordinator = self.coordinator.upgrade()?;
        let (reply, answer) = oneshot::channel();
        coordinator.tell(Tell { command, reply: Some(reply) }).send().await.ok()?;
        drop(coordinator);
        answer.await.ok()
    }

    async fn count(&self, call: gateway::Call) {
        let reserved = call.reserved_nano_usd;
        let (attempt, fence) = (self.attempt, self.fence);
        self.tell(Command::ReportCall { attempt, fence, call: as_told(call.clone()) }).await;
        {
            let mut pot = self.pot();
            pot.reserved = pot.reserved.saturating_sub(reserved);
            pot.spent = pot.spent.saturating_add(call.nano_usd);
        }
        if self.till.waiting.load(Ordering::SeqCst) > 0 {
            self.give_back().await;
            self.till.changed.notify_waiters();
        }
    }
}

impl gateway::Purse for Purse {
    fn reserve(&self, nano_usd: u64) -> Pending<'_, Result<(), Refusal>> {
        Box::pin(self.hold(nano_usd))
    }

    fn settle(&self, call: gateway::Call) -> Pending<'_, ()> {
        Box::pin(self.count(call))
    }
}

/// Tells the journal of a call.
fn as_told(call: gateway::Call) -> Call {
    let end = match call.outcome {
        Outcome::Complete => CallEnd::Whole,
        Outcome::Cut => CallEnd::Cut,
        Outcome::Failed => CallEnd::Failed,
        Outcome::Refused(why) => CallEnd::Refused { why: why.to_string() },
    };
    Call {
        number: call.number,
        provider: call.provider,
        model: call.model,
        end,
        status: call.status,
        tokens: call.tokens,
        nano_usd: call.nano_usd,
        ms: call.ms,
    }
}

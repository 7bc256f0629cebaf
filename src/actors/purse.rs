//! Owns the money of one session: held in the journal before a call is sent, in portions, and told there after it. Never
//! decides who may have it: the law does.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use kameo::prelude::WeakActorRef;
use tokio::sync::{Notify, oneshot};

use super::coordinator::{Coordinator, Tell};
use crate::io::gateway::{self, Outcome, Pending, Refusal};
use crate::machine::command::Command;
use crate::machine::rejection::Rejection;
use crate::model::seat::Seat;
use crate::model::spend::{Call, CallEnd};

/// How much is asked for beyond what the next call needs, so that not each call waits for the disk, in nano-dollars: a
/// dime.
const PORTION: u64 = 100_000_000;

/// Brings the sessions of a run together where one waits for money that others hold.
#[derive(Default)]
pub struct Till {
    purses: Mutex<Vec<Weak<Purse>>>,
    waiting: AtomicUsize,
    changed: Notify,
}

impl Till {
    /// Lists the purses whose sessions go on.
    fn purses(&self) -> Vec<Arc<Purse>> {
        let mut purses = self.purses.lock().unwrap_or_else(PoisonError::into_inner);
        purses.retain(|purse| purse.strong_count() > 0);
        purses.iter().filter_map(Weak::upgrade).collect()
    }
}

/// Holds the money of one session.
pub struct Purse {
    till: Arc<Till>,
    coordinator: WeakActorRef<Coordinator>,
    seat: Seat,
    fence: u64,
    pot: Mutex<Pot>,
    /// Whether its session is over, so that nothing is waited for any longer.
    is_over: AtomicBool,
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

    /// Tells whether calls are under way, and whether less is missing for a sum than was before.
    fn since(&self, missing: u64, nano_usd: u64) -> (bool, bool) {
        (self.reserved > 0, nano_usd.saturating_sub(self.free()) < missing)
    }

    /// Takes in what was granted and sets a sum aside; tells what is missing for that, where it is too little.
    fn reserve(&mut self, granted: u64, nano_usd: u64) -> Option<u64> {
        self.granted = self.granted.saturating_add(granted);
        let missing = nano_usd.saturating_sub(self.free());
        if missing == 0 {
            self.reserved += nano_usd;
        }
        (missing > 0).then_some(missing)
    }
}

/// Says why an ask brought nothing.
enum Refused {
    /// Others may give some back.
    Held,
    /// There is none.
    Spent(String),
    /// The session or its run is over.
    Over,
}

impl Purse {
    /// Makes the purse of whoever sits at a seat, empty.
    pub fn of(till: &Arc<Till>, coordinator: WeakActorRef<Coordinator>, (seat, fence): (Seat, u64)) -> Arc<Self> {
        let (pot, is_over, asking) = Default::default();
        let purse = Arc::new(Self { till: Arc::clone(till), coordinator, seat, fence, pot, is_over, asking });
        till.purses.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::downgrade(&purse));
        purse
    }

    /// Ends all waiting for money: the session's job is over.
    pub fn end(&self) {
        self.is_over.store(true, Ordering::SeqCst);
        self.till.changed.notify_waiters();
    }

    /// Gives back what its session has not used, and tells who waits for that: its report comes later, and wakes nobody.
    pub async fn close(&self) {
        self.give_back().await;
        self.till.changed.notify_waiters();
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
            if self.is_over.load(Ordering::SeqCst) {
                return Err(Refusal::Closed);
            }
            let one_at_a_time = self.asking.lock().await;
            let Some(missing) = self.pot().reserve(0, nano_usd) else { return Ok(()) };
            let refused = match self.ask(missing.saturating_add(PORTION), missing).await {
                // Set aside before another can ask for it back.
                Ok(granted) => match self.pot().reserve(granted, nano_usd) {
                    None => return Ok(()),
                    Some(_) => continue,
                },
                Err(refused) => refused,
            };
            drop(one_at_a_time);
            let (has_calls, is_nearer) = self.pot().since(missing, nano_usd);
            match refused {
                Refused::Over => return Err(Refusal::Closed),
                // A call of its own ended while it was asked, and left some.
                Refused::Spent(_) | Refused::Held if is_nearer => continue,
                Refused::Spent(what) if !has_calls => return Err(Refusal::BudgetReached { what }),
                Refused::Spent(_) | Refused::Held => {}
            }
            // Nobody holds what no call under way needs while another waits for it, this one included.
            self.till.waiting.fetch_add(1, Ordering::SeqCst);
            let mut came_back = 0;
            for purse in self.till.purses() {
                let given = purse.give_back().await;
                came_back += if purse.seat == self.seat { 0 } else { given };
            }
            if came_back == 0 {
                changed.await;
            }
            self.till.waiting.fetch_sub(1, Ordering::SeqCst);
        }
    }

    /// Asks for a portion, or else for the least that helps; gives what was granted.
    async fn ask(&self, portion: u64, least: u64) -> Result<u64, Refused> {
        let mut refused = Refused::Over;
        for nano_usd in [portion, least] {
            let (seat, fence) = (self.seat, self.fence);
            match self.tell(Command::AskAllowance { seat, fence, nano_usd }).await {
                Some(Ok(())) => return Ok(nano_usd),
                Some(Err(Rejection::MoneyIsHeld)) => refused = Refused::Held,
                Some(Err(spent @ Rejection::MoneyIsSpent { .. })) => refused = Refused::Spent(spent.to_string()),
                Some(Err(_)) | None => return Err(Refused::Over),
            }
        }
        Err(refused)
    }

    /// Gives back what no call under way needs, and tells how much that is.
    async fn give_back(&self) -> u64 {
        let nano_usd = {
            let mut pot = self.pot();
            let free = pot.free();
            pot.granted -= free;
            free
        };
        if nano_usd > 0 {
            let (seat, fence) = (self.seat, self.fence);
            self.tell(Command::ReturnAllowance { seat, fence, nano_usd }).await;
            self.till.changed.notify_waiters();
        }
        nano_usd
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
        let (seat, fence) = (self.seat, self.fence);
        self.tell(Command::ReportCall { seat, fence, call: as_told(call.clone()) }).await;
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
        Outcome::Refused(why) => CallEnd::Refused { why: why.to_string(), policy: call.policy },
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
        bytes: call.request_bytes.saturating_add(call.response_bytes),
        told: false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_call_leaves_that_ends_while_money_is_asked_for_is_seen() {
        let mut pot = Pot { granted: 860, reserved: 760, spent: 0 };
        assert_eq!(pot.reserve(0, 760), Some(660));
        assert_eq!(pot.since(660, 760), (true, false), "nothing has happened meanwhile");
        (pot.reserved, pot.spent) = (0, 5);
        assert_eq!(pot.since(660, 760), (false, true), "there is enough, and no call under way");
        assert_eq!(pot.reserve(0, 760), None);
    }
}

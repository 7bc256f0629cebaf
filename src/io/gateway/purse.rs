//! Owns the port to what calls are paid from: what is reserved before a call and settled after it. Never prices a call.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Mutex, PoisonError};

use tokio::sync::Notify;

use super::call::Call;
use super::refusal::Refusal;
use crate::model::means::Means;
use crate::model::spend::Usd;

/// Stands for an answer that may take its time.
pub type Pending<'p, T> = Pin<Box<dyn Future<Output = T> + Send + 'p>>;

/// Holds the money, the tokens and the calls that calls are paid from.
///
/// Each `reserve` that was granted is followed by exactly one `settle` with `Call::reserved` set to what was granted, unless the process dies; an implementation that is durable treats what was granted and not settled as
/// spent.
pub trait Purse: Send + Sync {
    /// Sets what a call may use aside before it is sent; may wait until other calls settle.
    ///
    /// The gateway waits for the answer also where its client is gone: the future is never dropped halfway.
    ///
    /// # Errors
    /// A refusal ends the session: nothing more is sent for it.
    fn reserve(&self, means: Means) -> Pending<'_, Result<(), Refusal>>;

    /// Takes the account of a call that was sent, or of a request that was refused; nothing was reserved for the
    /// latter where `Call::reserved` is nothing.
    fn settle(&self, call: Call) -> Pending<'_, ()>;
}

/// Holds a sum of money in memory: for one process and as long as it lives. Counts neither tokens nor calls.
#[derive(Debug)]
pub struct Pocket {
    limit: u64,
    held: Mutex<Held>,
    settled: Notify,
}

#[derive(Debug, Default)]
struct Held {
    spent: u64,
    reserved: u64,
    calls: Vec<Call>,
}

impl Pocket {
    /// Fills a pocket with as many nano-dollars.
    pub fn of(nano_usd: u64) -> Self {
        Self { limit: nano_usd, held: Mutex::default(), settled: Notify::new() }
    }

    /// Tells what was spent, in nano-dollars.
    pub fn spent(&self) -> u64 {
        self.held().spent
    }

    /// Tells what is set aside for calls under way, in nano-dollars.
    pub fn reserved(&self) -> u64 {
        self.held().reserved
    }

    /// Gives the accounts that were settled, in that order.
    pub fn calls(&self) -> Vec<Call> {
        self.held().calls.clone()
    }

    fn held(&self) -> std::sync::MutexGuard<'_, Held> {
        // Numbers are whole after each statement that changes them.
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reserves, refuses, or says that it must be waited for others.
    fn try_reserve(&self, wants: Means) -> Option<Result<(), Refusal>> {
        let nano_usd = wants.nano_usd;
        let mut held = self.held();
        if held.spent.saturating_add(nano_usd) > self.limit {
            let what = format!(
                "{} of {} are spent, and the call may need {}",
                Usd(held.spent),
                Usd(self.limit),
                Usd(nano_usd)
            );
            return Some(Err(Refusal::BudgetReached { what, wants }));
        }
        if held.spent.saturating_add(held.reserved).saturating_add(nano_usd) > self.limit {
            return None;
        }
        held.reserved += nano_usd;
        Some(Ok(()))
    }
}

impl Purse for Pocket {
    fn reserve(&self, means: Means) -> Pending<'_, Result<(), Refusal>> {
        Box::pin(async move {
            loop {
                let mut settled = std::pin::pin!(self.settled.notified());
                settled.as_mut().enable();
                if let Some(answer) = self.try_reserve(means) {
                    return answer;
                }
                settled.await;
            }
        })
    }

    fn settle(&self, call: Call) -> Pending<'_, ()> {
        Box::pin(async move {
            {
                let mut held = self.held();
                held.reserved = held.reserved.saturating_sub(call.reserved.nano_usd);
                held.spent = held.spent.saturating_add(call.nano_usd);
                held.calls.push(call);
            }
            self.settled.notify_waiters();
        })
    }
}

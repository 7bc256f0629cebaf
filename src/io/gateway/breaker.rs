//! Owns when a session that goes in circles or fails over and over is cut off, and when all sessions together spend too fast.
//! Never knows a budget.

use std::collections::VecDeque;
use std::hash::{DefaultHasher, Hasher};
use std::time::Duration;

use tokio::time::Instant;

use super::refusal::Refusal;

/// Says when sessions are cut off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BreakerLimits {
    /// How often in a row the same request is answered.
    pub repeats: u32,
    /// How many calls may fail in a row.
    pub errors: u32,
    /// What all sessions of a run may spend together within a minute, in nano-dollars. None by default: how fast many workers
    /// spend is no sign of a fault, and the budget bounds them.
    pub nano_usd_per_minute: Option<u64>,
}

impl Default for BreakerLimits {
    fn default() -> Self {
        Self { repeats: 8, errors: 20, nano_usd_per_minute: None }
    }
}

const MINUTE: Duration = Duration::from_secs(60);

/// Watches over one session.
#[derive(Debug)]
pub(super) struct Breaker {
    limits: BreakerLimits,
    answered: Option<u64>,
    repeats: u32,
    errors: u32,
    tripped: Option<Refusal>,
}

impl Breaker {
    pub(super) fn new(limits: BreakerLimits) -> Self {
        Self { limits, answered: None, repeats: 0, errors: 0, tripped: None }
    }

    /// Takes other limits, for what comes.
    pub(super) fn obey(&mut self, limits: BreakerLimits) {
        self.limits = limits;
    }

    /// Refuses a request where the session is cut off, which it stays.
    pub(super) fn check(&mut self, request: u64) -> Result<(), Refusal> {
        let Self { limits, repeats, errors, .. } = self;
        if self.tripped.is_none() {
            self.tripped = if *repeats >= limits.repeats && self.answered == Some(request) {
                Some(Refusal::Repeats { times: *repeats })
            } else {
                (*errors >= limits.errors).then_some(Refusal::Errors { times: *errors })
            };
        }
        self.tripped.clone().map_or(Ok(()), Err)
    }

    /// Notes that a request was answered.
    pub(super) fn answered(&mut self, request: u64) {
        self.errors = 0;
        self.repeats = if self.answered == Some(request) { self.repeats.saturating_add(1) } else { 1 };
        self.answered = Some(request);
    }

    /// Notes that a call failed.
    pub(super) fn failed(&mut self) {
        self.errors = self.errors.saturating_add(1);
    }
}

/// Watches over what all sessions spend.
#[derive(Debug, Default)]
pub(super) struct Rate {
    spent: VecDeque<(Instant, u64)>,
}

impl Rate {
    /// Refuses a call where as much as is allowed was spent within the last minute.
    pub(super) fn check(&mut self, limits: BreakerLimits, now: Instant) -> Result<(), Refusal> {
        let Some(limit) = limits.nano_usd_per_minute else { return Ok(()) };
        let spent = self.within_a_minute(now);
        if spent >= limit { Err(Refusal::SpendRate { spent, limit }) } else { Ok(()) }
    }

    /// Notes what a call cost, in nano-dollars.
    pub(super) fn spent(&mut self, limits: BreakerLimits, nano_usd: u64, now: Instant) {
        if limits.nano_usd_per_minute.is_some() && nano_usd > 0 {
            self.within_a_minute(now);
            self.spent.push_back((now, nano_usd));
        }
    }

    /// Sums up the last minute and forgets what was before.
    fn within_a_minute(&mut self, now: Instant) -> u64 {
        while self.spent.front().is_some_and(|(at, _)| now.saturating_duration_since(*at) >= MINUTE) {
            self.spent.pop_front();
        }
        self.spent.iter().fold(0, |sum, (_, nano_usd)| sum.saturating_add(*nano_usd))
    }
}

/// Gives a number by which a body is known again.
pub(super) fn mark(body: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    hasher.write(body);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn breaker() -> Breaker {
        Breaker::new(BreakerLimits { repeats: 3, errors: 2, nano_usd_per_minute: None })
    }

    fn at_most(nano_usd_per_minute: u64) -> BreakerLimits {
        BreakerLimits { nano_usd_per_minute: Some(nano_usd_per_minute), ..BreakerLimits::default() }
    }

    #[test]
    fn the_same_request_is_answered_only_so_often_in_a_row() {
        let mut breaker = breaker();
        for request in [1, 1, 2, 1, 1, 1] {
            assert_eq!(breaker.check(request), Ok(()));
            breaker.answered(request);
        }
        assert_eq!(breaker.check(2), Ok(()));
        assert_eq!(breaker.check(1), Err(Refusal::Repeats { times: 3 }));
        assert_eq!(breaker.check(2), Err(Refusal::Repeats { times: 3 }));
    }

    #[test]
    fn calls_may_fail_only_so_often_in_a_row() {
        let mut breaker = breaker();
        breaker.failed();
        breaker.answered(1);
        breaker.failed();
        assert_eq!(breaker.check(1), Ok(()));
        breaker.failed();
        assert_eq!(breaker.check(9), Err(Refusal::Errors { times: 2 }));
        breaker.answered(1);
        assert_eq!(breaker.check(9), Err(Refusal::Errors { times: 2 }));
    }

    #[test]
    fn money_is_spent_only_so_fast() {
        let (mut rate, limits, now) = (Rate::default(), at_most(100), Instant::now());
        rate.spent(limits, 60, now);
        rate.spent(limits, 39, now + MINUTE / 2);
        assert_eq!(rate.check(limits, now + MINUTE / 2), Ok(()));
        rate.spent(limits, 60, now + MINUTE);
        assert_eq!(rate.check(limits, now + MINUTE), Ok(()));
        rate.spent(limits, 1, now + MINUTE);
        assert_eq!(rate.check(limits, now + MINUTE), Err(Refusal::SpendRate { spent: 100, limit: 100 }));
        assert_eq!(rate.check(limits, now + 2 * MINUTE), Ok(()), "and again when that is a minute ago");
    }

    #[test]
    fn without_a_rate_nothing_is_kept() {
        let (mut rate, limits, now) = (Rate::default(), BreakerLimits::default(), Instant::now());
        rate.spent(limits, u64::MAX, now);
        assert!(rate.spent.is_empty() && rate.check(limits, now).is_ok());
    }
}

//! Owns when a session that goes in circles, fails over and over or spends too fast is cut off. Never knows a budget.

use std::collections::VecDeque;
use std::hash::{DefaultHasher, Hasher};
use std::time::Duration;

use tokio::time::Instant;

use super::refusal::Refusal;

/// Says when a session is cut off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BreakerLimits {
    /// How often in a row the same request is answered.
    pub repeats: u32,
    /// How many calls may fail in a row.
    pub errors: u32,
    /// What may be spent within a minute, in nano-dollars.
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
    spent: VecDeque<(Instant, u64)>,
    tripped: Option<Refusal>,
}

impl Breaker {
    pub(super) fn new(limits: BreakerLimits) -> Self {
        Self { limits, answered: None, repeats: 0, errors: 0, spent: VecDeque::new(), tripped: None }
    }

    /// Takes other limits, for what comes.
    pub(super) fn obey(&mut self, limits: BreakerLimits) {
        self.limits = limits;
    }

    /// Refuses a request where the session is cut off, which it stays.
    pub(super) fn check(&mut self, request: u64, now: Instant) -> Result<(), Refusal> {
        let Self { limits, repeats, errors, .. } = self;
        if self.tripped.is_none() {
            let spent = spent_within_a_minute(&mut self.spent, now);
            self.tripped = if *repeats >= limits.repeats && self.answered == Some(request) {
                Some(Refusal::Repeats { times: *repeats })
            } else if *errors >= limits.errors {
                Some(Refusal::Errors { times: *errors })
            } else {
                let limit = limits.nano_usd_per_minute.filter(|limit| spent >= *limit);
                limit.map(|limit| Refusal::SpendRate { spent, limit })
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

    /// Notes what a call cost, in nano-dollars.
    pub(super) fn spent(&mut self, nano_usd: u64, now: Instant) {
        if self.limits.nano_usd_per_minute.is_some() && nano_usd > 0 {
            spent_within_a_minute(&mut self.spent, now);
            self.spent.push_back((now, nano_usd));
        }
    }
}

/// Sums up the last minute and forgets what was before.
fn spent_within_a_minute(spent: &mut VecDeque<(Instant, u64)>, now: Instant) -> u64 {
    while spent.front().is_some_and(|(at, _)| now.saturating_duration_since(*at) >= MINUTE) {
        spent.pop_front();
    }
    spent.iter().fold(0, |sum, (_, nano_usd)| sum.saturating_add(*nano_usd))
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

    fn breaker(nano_usd_per_minute: Option<u64>) -> Breaker {
        Breaker::new(BreakerLimits { repeats: 3, errors: 2, nano_usd_per_minute })
    }

    #[test]
    fn the_same_request_is_answered_only_so_often_in_a_row() {
        let (mut breaker, now) = (breaker(None), Instant::now());
        for request in [1, 1, 2, 1, 1, 1] {
            assert_eq!(breaker.check(request, now), Ok(()));
            breaker.answered(request);
        }
        assert_eq!(breaker.check(2, now), Ok(()));
        assert_eq!(breaker.check(1, now), Err(Refusal::Repeats { times: 3 }));
        assert_eq!(breaker.check(2, now), Err(Refusal::Repeats { times: 3 }));
    }

    #[test]
    fn calls_may_fail_only_so_often_in_a_row() {
        let (mut breaker, now) = (breaker(None), Instant::now());
        breaker.failed();
        breaker.answered(1);
        breaker.failed();
        assert_eq!(breaker.check(1, now), Ok(()));
        breaker.failed();
        assert_eq!(breaker.check(9, now), Err(Refusal::Errors { times: 2 }));
        breaker.answered(1);
        assert_eq!(breaker.check(9, now), Err(Refusal::Errors { times: 2 }));
    }

    #[test]
    fn money_is_spent_only_so_fast() {
        let (mut breaker, now) = (breaker(Some(100)), Instant::now());
        breaker.spent(60, now);
        breaker.spent(39, now + MINUTE / 2);
        assert_eq!(breaker.check(1, now + MINUTE / 2), Ok(()));
        breaker.spent(60, now + MINUTE);
        assert_eq!(breaker.check(1, now + MINUTE), Ok(()));
        breaker.spent(1, now + MINUTE);
        assert_eq!(breaker.check(1, now + MINUTE), Err(Refusal::SpendRate { spent: 100, limit: 100 }));
    }

    #[test]
    fn without_a_rate_nothing_is_kept() {
        let (mut breaker, now) = (breaker(None), Instant::now());
        breaker.spent(u64::MAX, now);
        assert!(breaker.spent.is_empty() && breaker.check(1, now).is_ok());
    }
}

//! Owns what one session has used, what is held for its calls under way, and whether another one has room. Never waits.

use super::bound::Bound;
use super::breaker::{Breaker, BreakerLimits};
use super::call::{Call, Metered, Outcome};
use super::refusal::Refusal;
use super::session::Terms;

/// Keeps the books of one session.
#[derive(Debug)]
pub(super) struct Ledger {
    pub(super) breaker: Breaker,
    pub(super) metered: Metered,
    /// Requests so far, refused ones among them.
    numbers: u64,
    /// Requests whose end is not told yet.
    pub(super) open: u32,
    /// Whether the session takes no more requests.
    pub(super) is_closed: bool,
    held: Held,
}

#[derive(Debug, Default)]
struct Held {
    calls: u64,
    tokens: u64,
    nano_usd: u64,
}

/// Says whether a limit leaves room.
enum Room {
    Enough,
    /// When others have settled there may be.
    Later,
    Never,
}

fn room(limit: Option<u64>, used: u64, held: u64, wanted: u64) -> Room {
    let Some(limit) = limit else { return Room::Enough };
    if used.saturating_add(wanted) > limit {
        Room::Never
    } else if used.saturating_add(held).saturating_add(wanted) > limit {
        Room::Later
    } else {
        Room::Enough
    }
}

impl Ledger {
    pub(super) fn new(limits: BreakerLimits) -> Self {
        Self {
            breaker: Breaker::new(limits),
            metered: Metered::default(),
            numbers: 0,
            open: 0,
            is_closed: false,
            held: Held::default(),
        }
    }

    /// Numbers a request.
    pub(super) fn number(&mut self) -> u64 {
        self.numbers += 1;
        self.numbers
    }

    /// Holds what a call may use; nothing where others have to settle first.
    pub(super) fn hold(&mut self, bound: &Bound, terms: &Terms) -> Option<Result<(), Refusal>> {
        if self.is_closed {
            return Some(Err(Refusal::Closed));
        }
        let (used, held, tokens) = (&self.metered, &self.held, bound.tokens());
        let calls = room(terms.calls, used.calls, held.calls, 1);
        let of_tokens = room(terms.tokens, used.tokens.total(), held.tokens, tokens);
        let money = room(terms.nano_usd, used.nano_usd, held.nano_usd, bound.nano_usd);
        let refusal = match (&calls, &of_tokens, &money) {
            (Room::Never, ..) => Some(Refusal::Calls { limit: terms.calls.unwrap_or_default() }),
            (_, Room::Never, _) => Some(Refusal::Tokens {
                limit: terms.tokens.unwrap_or_default(),
                used: used.tokens.total(),
                wanted: tokens,
            }),
            (.., Room::Never) => Some(Refusal::Money {
                limit: terms.nano_usd.unwrap_or_default(),
                used: used.nano_usd,
                wanted: bound.nano_usd,
            }),
            (Room::Enough | Room::Later, Room::Enough | Room::Later, Room::Enough | Room::Later) => None,
        };
        if let Some(refusal) = refusal {
            return Some(Err(refusal));
        }
        if [calls, of_tokens, money].iter().any(|room| matches!(room, Room::Later)) {
            return None;
        }
        self.held.calls += 1;
        self.held.tokens = self.held.tokens.saturating_add(tokens);
        self.held.nano_usd = self.held.nano_usd.saturating_add(bound.nano_usd);
        Some(Ok(()))
    }

    /// Gives back what was held for a call.
    pub(super) fn release(&mut self, bound: &Bound) {
        self.held.calls -= 1;
        self.held.tokens = self.held.tokens.saturating_sub(bound.tokens());
        self.held.nano_usd = self.held.nano_usd.saturating_sub(bound.nano_usd);
    }

    /// Enters a request that has ended.
    pub(super) fn enter(&mut self, call: &Call) {
        let sum = &mut self.metered;
        match &call.outcome {
            Outcome::Refused(refusal) => {
                sum.refusals += 1;
                self.remember(refusal);
                return;
            }
            Outcome::Complete => (sum.unusable, sum.is_limited) = (None, false),
            Outcome::Cut => sum.cut += 1,
            Outcome::Failed => sum.failed += 1,
        }
        sum.calls += 1;
        sum.tokens += call.tokens;
        sum.nano_usd = sum.nano_usd.saturating_add(call.nano_usd);
        sum.unpriced += u64::from(!call.priced);
    }

    /// Remembers why the session can make no more calls, where that is what a refusal says.
    pub(super) fn remember(&mut self, refusal: &Refusal) {
        if refusal.ends_session() && self.metered.refused.is_none() {
            self.metered.refused = Some(refusal.clone());
        }
        if refusal.is_of_the_provider() {
            self.metered.unusable = Some(refusal.to_string());
        }
        if let Refusal::Limited { until_ms } = refusal {
            self.metered.limited_until_ms = self.metered.limited_until_ms.max(Some(*until_ms));
            self.metered.is_limited = true;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ledger() -> Ledger {
        Ledger::new(BreakerLimits::default())
    }

    fn bound(tokens: u64, nano_usd: u64) -> Bound {
        Bound { read: tokens, written: 0, nano_usd }
    }

    #[test]
    fn a_call_is_held_waits_or_is_refused_by_each_limit() {
        let terms = |calls, tokens, nano_usd| Terms { calls, tokens, nano_usd, ..Terms::default() };
        for (terms, first, second) in [
            (terms(Some(1), None, None), bound(1, 1), bound(1, 1)),
            (terms(None, Some(10), None), bound(6, 0), bound(5, 0)),
            (terms(None, None, Some(10)), bound(0, 6), bound(0, 5)),
        ] {
            let mut ledger = ledger();
            assert_eq!(ledger.hold(&first, &terms), Some(Ok(())));
            assert_eq!(ledger.hold(&second, &terms), None, "{terms:?}");
            ledger.release(&first);
            assert_eq!(ledger.hold(&second, &terms), Some(Ok(())));
        }
        let mut ledger = ledger();
        let refused = |answer: Option<Result<(), Refusal>>| answer.unwrap().unwrap_err().code();
        assert_eq!(refused(ledger.hold(&bound(1, 1), &terms(Some(0), None, None))), "call_limit");
        assert_eq!(refused(ledger.hold(&bound(11, 1), &terms(None, Some(10), None))), "token_limit");
        assert_eq!(refused(ledger.hold(&bound(1, 11), &terms(None, None, Some(10)))), "money_limit");
        ledger.is_closed = true;
        assert_eq!(refused(ledger.hold(&bound(0, 0), &Terms::default())), "closed");
    }
}

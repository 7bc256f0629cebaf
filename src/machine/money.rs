//! Owns the sums of what was spent and what is held. Never spends.

use super::seats::Sitting;
use super::state::{Attempt, State};
use super::tally::Spent;

impl State {
    /// Sums the cost of all agents and checks.
    pub fn total_spent(&self) -> Spent {
        let mut total = Spent::default();
        for spent in self.spent.values() {
            total.count += spent.count;
            total.usage += spent.usage;
            total.spend += spent.spend;
        }
        total
    }

    /// Sums the money that is held for running attempts and whoever sits at a seat, and not used by them yet, in
    /// nano-dollars.
    pub fn money_held(&self) -> u64 {
        let held = self.running.iter().filter_map(|id| self.attempt(*id)).map(Attempt::held);
        held.chain(self.sitting.values().map(Sitting::held)).fold(0, u64::saturating_add)
    }

    /// Sums the money that was spent and that is held, in nano-dollars: never less than what was really spent.
    pub fn money_accounted(&self) -> u64 {
        self.total_spent().spend.nano_usd.saturating_add(self.money_held())
    }
}

impl Attempt {
    /// Gives the money that is held for it and that it has not used, in nano-dollars; none once it is over.
    pub fn held(&self) -> u64 {
        if self.ended_ms.is_some() { 0 } else { self.granted.saturating_sub(self.spend.nano_usd) }
    }
}

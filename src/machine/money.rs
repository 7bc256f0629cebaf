//! Owns the sums of what calls to models used and what is held for them: of the run, of a role, of a task. Never spends.

use std::collections::BTreeSet;

use super::seats::Sitting;
use super::state::{Attempt, State, Task};
use super::tally::Spent;
use crate::model::means::{Bounds, Holder, Means, Unit};
use crate::model::seat::Seat;

/// Holds what a budget bounds, and what of that is used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// Whose budget it is.
    pub holder: Holder,
    /// The budget.
    pub bounds: Bounds,
    /// What is used and what is held: never less than what was really used.
    pub accounted: Means,
    /// What is held and not used.
    pub held: Means,
    /// Whether somebody had to end for want of more.
    pub is_short: bool,
}

impl Account {
    /// Finds what would not suffice for more.
    pub fn lacks(&self, more: Means) -> Option<Unit> {
        let after = self.accounted.plus(more);
        let is_over = |unit: &Unit| self.bounds.of(*unit).is_some_and(|most| self.is_short || after.of(*unit) > most);
        Unit::ALL.into_iter().find(is_over)
    }

    /// Says in words what is used up, if anything is: what is nearest to it where somebody had to end.
    pub fn used_up(&self) -> Option<String> {
        let bounded = || Unit::ALL.into_iter().filter_map(|unit| Some((unit, self.bounds.of(unit)?)));
        let share = |(unit, most): &(Unit, u64)| {
            u128::from(self.accounted.of(*unit)).saturating_mul(1000) / u128::from((*most).max(1))
        };
        let full = bounded().find(|(unit, most)| self.accounted.of(*unit) >= *most);
        let (unit, most) = full.or_else(|| bounded().filter(|_| self.is_short).max_by_key(share))?;
        Some(self.words(unit, most))
    }

    /// Writes one of its bounds for people.
    pub fn words(&self, unit: Unit, most: u64) -> String {
        let amount = unit.written(most);
        if self.holder.is_run() { amount } else { format!("{amount} of {}", self.holder) }
    }
}

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

    /// Sums what is held for running attempts and whoever sits at a seat, and not used by them yet.
    pub fn held(&self) -> Means {
        let held = self.running.iter().filter_map(|id| self.attempt(*id)).map(Attempt::held);
        held.chain(self.sitting.values().map(Sitting::held)).fold(Means::default(), Means::plus)
    }

    /// Sums what was used and what is held: never less than what was really used.
    pub fn accounted(&self) -> Means {
        self.total_spent().spend.means().plus(self.held())
    }

    /// Finds the account of whoever has a budget; none where nothing bounds it.
    pub fn account(&self, holder: Holder) -> Option<Account> {
        let bounds = match &holder {
            Holder::Run => self.budget.bounds(),
            Holder::Role(role) => self.budget.roles.get(role).copied().unwrap_or_default(),
            Holder::Task(_) => self.budget.task,
        };
        if bounds.is_none() {
            return None;
        }
        let (accounted, held, is_short) = match &holder {
            Holder::Run => (self.accounted(), self.held(), self.is_money_short),
            Holder::Role(role) => {
                let (accounted, held) = self.of_role(role);
                (accounted, held, self.short_roles.contains(role))
            }
            Holder::Task(task) => {
                let (accounted, held) = sums(self.tasks.get(task).into_iter().flat_map(|task| &task.attempts));
                (accounted, held, false)
            }
        };
        Some(Account { holder, bounds, accounted, held, is_short })
    }

    /// Lists the budgets that bound whoever is at work at a seat, the narrowest first.
    pub fn accounts(&self, seat: Seat) -> impl Iterator<Item = Account> {
        let task = match seat {
            Seat::Attempt(attempt) => Some(Holder::Task(attempt.task)),
            Seat::Planner { .. } | Seat::Judge { .. } | Seat::RunJudge { .. } => None,
        };
        let role = self.plays(seat).map(|role| Holder::Role(role.to_owned()));
        task.into_iter().chain(role).chain([Holder::Run]).filter_map(|holder| self.account(holder))
    }

    /// Names the role that an attempt plays, or whoever sits at a seat.
    fn plays(&self, seat: Seat) -> Option<&str> {
        match seat {
            Seat::Attempt(id) => Some(self.played(self.tasks.get(&id.task)?, self.attempt(id)?)),
            Seat::Planner { .. } | Seat::Judge { .. } | Seat::RunJudge { .. } => Some(&self.role_at(seat)?.name),
        }
    }

    /// Names the role that an attempt at a task played.
    pub fn played<'s>(&'s self, task: &'s Task, attempt: &Attempt) -> &'s str {
        let resolver = self.opening().goal.plan.resolver.as_deref().filter(|_| attempt.resolves);
        resolver.unwrap_or(&task.draft.role)
    }

    /// Sums what all who played a role used and hold, and what they hold.
    fn of_role(&self, role: &str) -> (Means, Means) {
        let played = |task: &&Task, attempt: &&Attempt| self.played(task, attempt) == role;
        let all = self.tasks.values().flat_map(|task| task.attempts.iter().map(move |attempt| (task, attempt)));
        let (accounted, held) = sums(all.filter(|(task, attempt)| played(task, attempt)).map(|(_, attempt)| attempt));
        let seated = self.seated.get(role).map(|spent| spent.spend.means()).unwrap_or_default();
        let sitting = self.sitting.iter().filter(|(seat, _)| self.plays(**seat) == Some(role));
        sitting.fold((accounted.plus(seated), held), |(accounted, held), (_, sitting)| {
            (accounted.plus(sitting.granted.max(sitting.spend.means())), held.plus(sitting.held()))
        })
    }

    /// Names the roles of which nobody begins anything, because those who play it have used all that they may.
    pub fn used_up_roles(&self) -> BTreeSet<&str> {
        let is_used_up = |role: &&String| self.role_used_up(role).is_some();
        self.budget.roles.keys().filter(is_used_up).map(String::as_str).collect()
    }

    /// Says in words what those who play a role have used up, if anything.
    pub fn role_used_up(&self, role: &str) -> Option<String> {
        self.account(Holder::Role(role.to_owned()))?.used_up()
    }
}

fn sums<'a>(attempts: impl Iterator<Item = &'a Attempt>) -> (Means, Means) {
    let add = |(accounted, held): (Means, Means), it: &Attempt| (accounted.plus(it.accounted()), held.plus(it.held()));
    attempts.fold((Means::default(), Means::default()), add)
}

impl Attempt {
    /// Gives what is held for it and that it has not used; nothing once it is over.
    pub fn held(&self) -> Means {
        if self.ended_ms.is_some() { Means::default() } else { self.granted.minus(self.spend.means()) }
    }

    /// Gives what it used and what is held for it; all that was held where it was lost.
    fn accounted(&self) -> Means {
        let is_known = self.ended_ms.is_some() && self.lost.is_none();
        if is_known { self.spend.means() } else { self.granted.max(self.spend.means()) }
    }
}

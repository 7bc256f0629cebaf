//! Owns what a run has cost, by agent and by role. Never shows it.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

use crate::machine::state::State;
use crate::machine::tally::Spent;
use crate::model::attempt::Usage;
use crate::model::goal::Budget;
use crate::model::ids::RunId;
use crate::model::means::Means;
use crate::model::spend::Spend;

/// Tells what a run has cost.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Cost {
    /// The run.
    pub run: RunId,
    /// By agent; judging and landing stand under `checks`.
    pub by_agent: Vec<CostRow>,
    /// By role, judging and landing excluded.
    pub by_role: Vec<CostRow>,
    /// All together.
    pub total: CostRow,
    /// Money that is held for calls under way, beside the total, in nano-dollars: where the coordinator has died it may be
    /// spent, and is counted so when the run goes on.
    pub held_nano_usd: u64,
    /// All that is: money, tokens and calls.
    pub held: Means,
    /// Attempts made, running ones included.
    pub attempts: u64,
    /// What the run may use.
    pub budget: Budget,
}

/// Tells what one agent or role has cost.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct CostRow {
    /// Whose cost it is.
    pub of: String,
    /// Ended attempts, or runs of checks.
    pub count: u32,
    /// What they cost.
    pub usage: Usage,
    /// What their calls to models used.
    pub spend: Spend,
}

/// Reads the cost of an open run; none before the run is open.
pub fn cost(state: &State) -> Option<Cost> {
    let run = state.opening.as_ref()?.run.clone();
    let mut roles: BTreeMap<&str, Spent> = BTreeMap::new();
    for task in state.tasks.values() {
        for attempt in task.attempts.iter().filter(|attempt| attempt.outcome.is_some() || attempt.limited.is_some()) {
            let spent = roles.entry(state.played(task, attempt)).or_default();
            spent.count += 1;
            spent.usage += attempt.usage;
            spent.spend += attempt.spend;
        }
    }
    for (role, seated) in &state.seated {
        let spent = roles.entry(role).or_default();
        spent.count += seated.count;
        spent.usage += seated.usage;
        spent.spend += seated.spend;
    }
    let row = |of: &str, spent: Spent| CostRow {
        of: of.to_owned(),
        count: spent.count,
        usage: spent.usage,
        spend: spent.spend,
    };
    Some(Cost {
        run,
        by_agent: state.spent.iter().map(|(agent, spent)| row(agent, *spent)).collect(),
        by_role: roles.into_iter().map(|(role, spent)| row(role, spent)).collect(),
        total: row("total", state.total_spent()),
        held_nano_usd: state.held().nano_usd,
        held: state.held(),
        attempts: state.attempts_made(),
        budget: state.budget.clone(),
    })
}

//! Owns what is told of limits: which agents wait for one, until when, and how many tasks wait with them. Never shows it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::words;
use crate::machine::state::State;

/// Shows an agent that waits for a limit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LimitRow {
    /// The agent, without its model.
    pub agent: String,
    /// When the limit is lifted, in milliseconds since 1970.
    pub until_ms: i64,
    /// How many tasks wait that would be begun with the agent.
    pub tasks: u32,
    /// What was said of it, by a stranger.
    pub why: String,
}

/// Lists the agents that wait for a limit at a time, with what waits with them.
pub fn limits(state: &State, now_ms: i64) -> Vec<LimitRow> {
    if state.limits.is_empty() {
        return Vec::new();
    }
    let mut tasks: BTreeMap<&str, u32> = BTreeMap::new();
    for urgency in &state.ready {
        if let Some((agent, _)) = state.tasks.get(&urgency.task).and_then(|task| state.limit_of(task)) {
            *tasks.entry(agent).or_default() += 1;
        }
    }
    let waiting = state.limits.iter().filter(|(_, limit)| limit.until_ms > now_ms);
    let rows = waiting.map(|(agent, limit)| LimitRow {
        agent: agent.clone(),
        until_ms: limit.until_ms,
        tasks: tasks.get(agent.as_str()).copied().unwrap_or(0),
        why: limit.why.clone(),
    });
    rows.filter(|row| row.tasks > 0).collect()
}

/// Says in words what an agent waits for.
pub fn waits(agent: &str, until_ms: i64) -> String {
    format!("waits for a usage limit of {agent} until {}", words::moment(until_ms))
}

//! Owns what is known of the limits that agents met, and which tasks wait for one. Never says for how long: a rule does.

use serde::{Deserialize, Serialize};

use super::state::{State, Status, Task};
use crate::model::role::AgentRef;
use crate::model::task::Work;

/// Holds a limit that an agent met.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentLimit {
    /// Before when nothing is handed to it, in milliseconds since 1970.
    pub until_ms: i64,
    /// How often in a row it was met, from 1; attempts that ran side by side meet it once.
    pub times: u32,
    /// What was said of it.
    pub why: String,
}

impl State {
    /// Names the agent that plays a task at a time: the one whose turn it is or, where its role lets others stand in while
    /// it waits for a limit, the first after it that does not. Who stands in uses up the tries of whose turn it is. None
    /// where the role has none left.
    pub fn next_agent(&self, task: &Task, now_ms: i64) -> Option<AgentRef> {
        let agents = self.in_turn(task);
        let waits = |agent: &AgentRef| self.limits.get(&agent.account()).is_some_and(|limit| limit.until_ms > now_ms);
        agents.iter().find(|agent| !waits(agent)).or(agents.first()).cloned()
    }

    /// Finds the limit that a ready task waits for, whether or not its time has come, with the agent that met it: of several
    /// agents that could play it, each must have met one, and the first to be lifted counts.
    pub fn limit_of(&self, task: &Task) -> Option<(&str, &AgentLimit)> {
        if self.limits.is_empty() || task.status != Status::Ready {
            return None;
        }
        let met = |agent: &AgentRef| self.limits.get_key_value(&agent.account());
        let limits: Option<Vec<_>> = self.in_turn(task).iter().map(met).collect();
        let (agent, limit) = limits?.into_iter().min_by_key(|(_, limit)| limit.until_ms)?;
        Some((agent, limit))
    }

    /// Lists the agents that may play a task next, in order.
    fn in_turn(&self, task: &Task) -> &[AgentRef] {
        match task.work {
            Work::Revert(_) => &[AgentRef::Revert],
            Work::Brief => {
                let Some(role) = self.role_of(task) else { return &[] };
                let agents = role.agents.get(task.again.agent as usize..).unwrap_or_default();
                if role.failover { agents } else { agents.get(..1).unwrap_or_default() }
            }
        }
    }
}

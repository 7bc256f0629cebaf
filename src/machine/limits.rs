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
    /// Names the agent that plays a task next; none where its role has none left.
    pub fn next_agent(&self, task: &Task) -> Option<AgentRef> {
        match task.work {
            Work::Revert(_) => Some(AgentRef::Revert),
            Work::Brief => self.role_of(task)?.agents.get(task.again.agent as usize).cloned(),
        }
    }

    /// Finds the limit that a ready task waits for, whether or not its time has come, with the agent that met it.
    pub fn limit_of(&self, task: &Task) -> Option<(&str, &AgentLimit)> {
        if self.limits.is_empty() || task.status != Status::Ready {
            return None;
        }
        let (agent, limit) = self.limits.get_key_value(&self.next_agent(task)?.account())?;
        Some((agent, limit))
    }
}

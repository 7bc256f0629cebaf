//! Owns what a part file says a planner does: moves, and tasks and scopes as people write them. Never plans.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// States one thing that a scripted planner does. In the texts of an emitted task or scope the holes `{scope}`,
/// `{wake}`, `{from}` (the key of the task whose handoff is answered) and `{n}` are filled.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Move {
    /// Hands out tasks.
    Emit(Vec<TaskText>),
    /// Hands out one task many times, with `{n}` from 1.
    EmitEach {
        /// How many.
        count: u32,
        /// The task.
        task: Box<TaskText>,
    },
    /// Gives parts of the scope to sub-planners.
    Spawn(Vec<ScopeText>),
    /// Decides something once for the whole run.
    Claim {
        /// What is decided.
        key: String,
        /// How.
        value: String,
    },
    /// Lets the task whose handoff is answered change what it asked for.
    Grant {
        /// Why.
        reason: String,
    },
    /// Does not.
    Refuse {
        /// Why.
        reason: String,
    },
    /// Passes time, in milliseconds.
    Wait {
        /// How long.
        ms: u64,
    },
    /// Gives up.
    Fail(String),
    /// Says that nothing is left to plan; also understood at the end of every list.
    Done,
}

/// Says what a planner does when a handoff wakes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Reaction {
    /// Glob that the key of the handoff's task must match.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task: Option<String>,
    /// Regular expression that must match within something that the handoff says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub says: Option<String>,
    /// The waking, from 1, that it is kept for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wake: Option<u32>,
    /// What is done.
    pub then: Vec<Move>,
}

/// Says what the planner of one scope does.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Planner {
    /// What it does when it starts.
    #[serde(default)]
    pub plan: Vec<Move>,
    /// What it does when handoffs wake it.
    #[serde(default)]
    pub on_handoff: Vec<Reaction>,
}

/// Describes a task as a part file does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TaskText {
    /// Names the task within the run.
    pub key: String,
    /// One line for people; the key where none is given.
    #[serde(default)]
    pub title: String,
    /// What is to be done.
    #[serde(default)]
    pub brief: String,
    /// What it may change; a folder ends in `/`, `.` is everything.
    pub paths: Vec<String>,
    /// Keys of tasks that come first.
    #[serde(default)]
    pub after: BTreeSet<String>,
    /// Command lines that check it.
    #[serde(default)]
    pub checks: Vec<String>,
    /// The role whose agents do it.
    #[serde(default = "worker")]
    pub role: String,
    /// Names of rule files, for a codemod.
    #[serde(default)]
    pub rules: Vec<String>,
    /// Expected effort, at least 1.
    #[serde(default = "one")]
    pub weight: u64,
    /// Files that it splits; what else touches them waits until it is through.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub splits: Vec<String>,
}

/// Describes a sub-planner's scope as a part file does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ScopeText {
    /// Names the scope within the run.
    pub key: String,
    /// One line for people; the key where none is given.
    #[serde(default)]
    pub title: String,
    /// What it owns; a folder ends in `/`.
    pub paths: Vec<String>,
    /// Decisions that its planner alone takes.
    #[serde(default)]
    pub decisions: BTreeSet<String>,
    /// The role whose agent plans it.
    pub role: String,
    /// What its planner is told.
    #[serde(default)]
    pub brief: String,
}

fn worker() -> String {
    "worker".to_owned()
}

fn one() -> u64 {
    1
}

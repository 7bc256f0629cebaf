//! Owns what a planner hands out: tasks and sub-scopes, as drafts before the law has accepted them.
//! Never schedules.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::check::Check;
use super::ids::TaskId;
use super::paths::PathSet;

/// Says what sort of work a task is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Work {
    /// An agent of the role does the brief.
    Brief,
    /// The coordinator takes a landed task back out.
    Revert(TaskId),
}

/// Describes a task as its planner wrote it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TaskDraft {
    /// Names the task within the run, so that a planner that emits it twice emits it once.
    pub key: String,
    /// One line for people.
    pub title: String,
    /// What is to be done, for the agent.
    #[serde(default)]
    pub brief: String,
    /// What it may change; every path lies in its planner's scope.
    pub paths: PathSet,
    /// Keys of tasks that must have landed, or found nothing to do, before it starts.
    #[serde(default)]
    pub after: BTreeSet<String>,
    /// Checks of its own, beside the run's.
    #[serde(default)]
    pub checks: Vec<Check>,
    /// The role whose agents do it.
    pub role: String,
    /// Rule files for a codemod, by the name under which the run holds their text, in order.
    #[serde(default)]
    pub rules: Vec<String>,
    /// Expected effort in any unit that compares tasks of one run, such as matches; at least 1.
    pub weight: u64,
    /// Files that it splits because too many tasks change them; until it is through, whatever else touches them waits.
    #[serde(default)]
    pub splits: PathSet,
}

/// Answers a task that asks to change what it does not own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ScopeAnswer {
    /// The task's key.
    pub task: String,
    /// Whether it may.
    pub granted: bool,
    /// What it may change of what it asked for; nothing named is all of it.
    #[serde(default)]
    pub paths: PathSet,
    /// Why.
    pub reason: String,
}

/// Describes a part of a planner's scope that it gives to a sub-planner.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ScopeDraft {
    /// Names the scope within the run, so that spawning it twice spawns it once.
    pub key: String,
    /// One line for people.
    pub title: String,
    /// What it owns; inside its parent's paths, beside its siblings'.
    pub paths: PathSet,
    /// Decisions that this planner alone takes.
    #[serde(default)]
    pub decisions: BTreeSet<String>,
    /// The role whose agent plans it.
    pub role: String,
    /// What its planner is told.
    #[serde(default)]
    pub brief: String,
}

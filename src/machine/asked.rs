//! Owns what is known of what planners and workers have asked for while they were at it: decisions, wider paths, and what
//! their sessions have heard of what people say. Never grants anything: a rule does.

use serde::{Deserialize, Serialize};

use super::state::{Planning, Scope, State, Status, Task};
use crate::model::ids::{AttemptId, ScopeId, TaskId};
use crate::model::paths::PathSet;
use crate::model::role::AgentRef;

/// Holds what was decided once for the whole run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decided {
    /// By whose planner.
    pub scope: ScopeId,
    /// How.
    pub value: String,
}

/// Holds what a task was let change beside what it owned.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Granted {
    /// The task.
    pub task: TaskId,
    /// What it may change since.
    pub paths: PathSet,
    /// Why it asked.
    pub why: String,
    /// Why it was granted.
    pub reason: String,
}

/// Counts what a session has heard of what people have said.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Heard {
    /// To all tasks.
    pub of_run: u32,
    /// To its own.
    pub of_task: u32,
}

impl Heard {
    /// Counts all that was said to a task's session, or to one that does no task.
    pub fn of(state: &State, task: Option<&Task>) -> Self {
        let count = |said: &[String]| u32::try_from(said.len()).unwrap_or(u32::MAX);
        Self { of_run: count(&state.steering), of_task: task.map_or(0, |task| count(&task.steering)) }
    }

    /// Tells whether it holds all that the other does, and more.
    pub fn is_beyond(self, other: Self) -> bool {
        self != other && self.of_run >= other.of_run && self.of_task >= other.of_task
    }
}

impl State {
    /// Tells whether a task that asks to change what it does not own waits for its planner to answer, or for one above: not
    /// for one that plans by rule, has failed, or was told of it and has said nothing.
    pub fn waits_for_planner(&self, id: TaskId) -> bool {
        let asks = |task: &&Task| task.wants.is_some() && matches!(task.status, Status::Blocked { .. });
        let Some(task) = self.tasks.get(&id).filter(asks) else { return false };
        let own = self.scopes.get(&task.scope).map(|scope| (task.scope, scope));
        let mut all = own.into_iter().chain(self.above(task.scope));
        all.any(|(scope, held)| self.was_asked(scope, id) && self.can_answer(held))
    }

    /// Tells whether a scope's planner was told of what a task asks for at present.
    pub fn was_asked(&self, scope: ScopeId, id: TaskId) -> bool {
        let (Some(scope), Some(task)) = (self.scopes.get(&scope), self.tasks.get(&id)) else { return false };
        let is_last = |attempt: &AttemptId| attempt.task == id && attempt.number as usize == task.attempts.len();
        scope.inbox.iter().chain(&scope.given).any(is_last)
    }

    /// Lists the scopes that a scope lies in, the nearest first.
    pub fn above(&self, scope: ScopeId) -> impl Iterator<Item = (ScopeId, &Scope)> {
        let parent = |id: ScopeId| {
            let parent = self.scopes.get(&id)?.parent?;
            Some((parent, self.scopes.get(&parent)?))
        };
        std::iter::successors(parent(scope), move |(id, _)| parent(*id))
    }

    /// Finds the nearest planner above a scope that answers a task of it which asks for these paths: none where the scope's own
    /// may answer, or no scope of one that can holds them all.
    pub fn answers_above(&self, scope: ScopeId, asked: &PathSet) -> Option<ScopeId> {
        let may_answer = |scope: &Scope| scope.draft.paths.covers(asked) && self.can_answer(scope);
        if self.scopes.get(&scope).is_none_or(may_answer) {
            return None;
        }
        self.above(scope).find(|(_, above)| may_answer(above)).map(|(id, _)| id)
    }

    /// Tells whether a scope's planner hears what is asked: one that has failed, or plans by rule, does not.
    fn can_answer(&self, scope: &Scope) -> bool {
        !matches!(scope.status, Planning::Failed(_)) && !self.plans_by_rule(&scope.draft.role)
    }

    /// Lists what was decided for the whole run, a line each.
    pub fn decisions_made(&self) -> Vec<String> {
        let line =
            |(key, decided): (&String, &Decided)| format!("{key}: {} (decided by {})", decided.value, decided.scope);
        self.decided.iter().map(line).collect()
    }

    /// Tells whether a role plans by rule, and learns nothing from what its tasks hand up.
    pub fn plans_by_rule(&self, role: &str) -> bool {
        let first = self.opening().roles.get(role).and_then(|role| role.agents.first());
        matches!(first, Some(AgentRef::Shard | AgentRef::Whole) | None)
    }

    /// Says to a task, a line each, what it was granted, what others were let change of what it owns, and what of it was
    /// split; agents have written it.
    pub fn notes_for(&self, id: TaskId) -> Vec<String> {
        let Some(task) = self.tasks.get(&id) else { return Vec::new() };
        let named = |paths: &PathSet| paths.iter().collect::<Vec<_>>().join(", ");
        let stands = |other: &TaskId| {
            let other = self.tasks.get(other).filter(|other| matches!(other.status, Status::Landed { .. }));
            other.map(|other| other.draft.key.as_str())
        };
        let granted = self.granted.iter().filter_map(|granted| {
            let (paths, Granted { why, reason, .. }) = (named(&granted.paths), granted);
            if granted.task == id {
                return Some(format!("you asked to change {paths} too, and may: {reason}"));
            }
            let key = stands(&granted.task).filter(|_| granted.paths.overlaps(&task.draft.paths))?;
            Some(format!("the task {key} was let change {paths}, and has: {why}"))
        });
        let split = self.has_split.iter().filter_map(|other| {
            let splits = &self.tasks.get(other)?.draft.splits;
            let key = stands(other).filter(|_| *other != id && splits.overlaps(&task.draft.paths))?;
            Some(format!("the task {key} has split {}: look where what you need of it lies now", named(splits)))
        });
        granted.chain(split).collect()
    }
}

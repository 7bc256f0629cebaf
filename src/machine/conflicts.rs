//! Owns what a conflict means for the task that met it: what landed in its way, and which checks both must pass. Resolves
//! none.

use super::state::{State, Status, Task};
use crate::model::check::Check;
use crate::model::ids::TaskId;

impl State {
    /// Lists the tasks that landed on a task's paths after what its candidate stands on, where that one conflicted.
    pub fn conflicting_with<'a>(&'a self, task: &'a Task) -> impl Iterator<Item = (TaskId, &'a Task)> {
        let own = task.attempts.iter().rev().find(|attempt| attempt.ejected.iter().any(|it| it.rule == "conflict"));
        let before = own.filter(|_| task.again.resolves).map(|attempt| attempt.stands_after);
        before.into_iter().flat_map(move |before| {
            self.tasks.iter().filter_map(move |(id, other)| {
                let landing = other.attempts.iter().rev().find_map(|attempt| attempt.landing)?;
                let has_landed = matches!(other.status, Status::Landed { .. });
                let is_one = has_landed && landing > before && other.draft.paths.overlaps(&task.draft.paths);
                is_one.then_some((*id, other))
            })
        })
    }

    /// Lists the checks that a task's candidate must pass: the run's, its own, and those of what a resolver brings it
    /// together with.
    pub fn checks_of<'a>(&'a self, task: &'a Task) -> impl Iterator<Item = &'a Check> {
        let others = self.conflicting_with(task).flat_map(|(_, other)| &other.draft.checks);
        self.opening().goal.checks.iter().chain(&task.draft.checks).chain(others)
    }
}

//! Owns what a conflict means for the task that met it: what landed in its way, and which checks both must pass. Resolves
//! none.

use super::state::{Attempt, State, Status, Task};
use crate::model::check::Check;
use crate::model::ids::Oid;

impl Task {
    /// Finds the attempt whose candidate conflicted, where a resolver is to bring it together with what landed.
    pub fn conflicted(&self) -> Option<&Attempt> {
        let is_one = |attempt: &&Attempt| attempt.ejected.iter().any(|finding| finding.rule == "conflict");
        self.attempts.iter().rev().find(is_one).filter(|_| self.again.resolves)
    }
}

impl State {
    /// Lists the tasks that landed on a task's paths after what its candidate stands on, where that one conflicted, each with
    /// its merge commit.
    pub fn conflicting_with<'a>(&'a self, task: &'a Task) -> impl Iterator<Item = (&'a Task, Oid)> {
        let before = task.conflicted().map(|attempt| attempt.stands_after);
        before.into_iter().flat_map(move |before| {
            self.tasks.values().filter_map(move |other| {
                let Status::Landed { commit } = other.status else { return None };
                let landing = other.attempts.iter().rev().find_map(|attempt| attempt.landing)?;
                let is_one = landing > before && other.draft.paths.overlaps(&task.draft.paths);
                is_one.then_some((other, commit))
            })
        })
    }

    /// Lists the checks that a task's candidate must pass: the run's, its own, and those of what a resolver brings it
    /// together with.
    pub fn checks_of<'a>(&'a self, task: &'a Task) -> impl Iterator<Item = &'a Check> {
        let others = self.conflicting_with(task).flat_map(|(other, _)| &other.draft.checks);
        self.opening().goal.checks.iter().chain(&task.draft.checks).chain(others)
    }
}

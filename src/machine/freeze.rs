//! Owns what waits for the split of a file that too many tasks change: while a task that splits it is on its way, whatever
//! else touches the file is neither begun nor landed. Never splits one.

use std::collections::BTreeSet;

use super::state::{State, Status, Task};
use crate::model::ids::{AttemptId, TaskId};

impl State {
    /// Finds the task whose split of a file another waits for, the oldest first.
    ///
    /// Of several splits the oldest is held up by none, nor is anything that it waits for itself: it always comes to its
    /// end, and with it all that it holds up.
    pub fn held_by(&self, id: TaskId) -> Option<TaskId> {
        if self.splits.is_empty() {
            return None;
        }
        let task = self.tasks.get(&id)?;
        let mut exempt = BTreeSet::new();
        self.freezing()
            .find(|(split, of)| {
                self.gather_before(*split, &mut exempt);
                !exempt.contains(&id) && of.draft.splits.overlaps(&task.draft.paths)
            })
            .map(|(split, _)| split)
    }

    /// Lists the tasks that split files and are on their way, the oldest first: not those that a person must look at, those
    /// that wait for one, and those that wait for a sample which may itself touch the file.
    pub fn freezing(&self) -> impl Iterator<Item = (TaskId, &Task)> {
        let splits = self.splits.iter().filter_map(|id| Some((*id, self.tasks.get(id)?)));
        splits.filter(|(id, task)| (self.sample_accepted || task.sample) && !self.is_stuck(*id))
    }

    /// Tells whether a task waits, however far away, for one that goes on by a person's word alone, or is one.
    fn is_stuck(&self, id: TaskId) -> bool {
        let (mut seen, mut open) = (BTreeSet::from([id]), vec![id]);
        while let Some(id) = open.pop() {
            let Some(task) = self.tasks.get(&id) else { continue };
            let is_left = task.status.is_settled() && !task.status.lets_followers_start();
            if is_left || task.status == Status::Gated || self.is_asked_about(id) {
                return true;
            }
            open.extend(task.waits_for.iter().copied().filter(|before| seen.insert(*before)));
        }
        false
    }

    /// Adds a task and all that it waits for.
    fn gather_before(&self, id: TaskId, into: &mut BTreeSet<TaskId>) {
        let mut open = vec![id];
        while let Some(id) = open.pop() {
            if into.insert(id)
                && let Some(task) = self.tasks.get(&id)
            {
                open.extend(&task.waits_for);
            }
        }
    }

    /// Lists the accepted attempts that may land at once, in order.
    pub fn landable(&self) -> impl Iterator<Item = AttemptId> {
        self.queue.iter().copied().filter(|id| self.held_by(id.task).is_none())
    }

    /// Tells whether anything is under way that a coordinator waits for.
    pub fn has_work_under_way(&self) -> bool {
        let is_at_work = !self.running.is_empty() || !self.judging.is_empty() || self.batch.is_some();
        is_at_work || self.landable().next().is_some()
    }
}

impl Task {
    /// Tells whether it splits a file, and has not come to its end.
    pub fn is_open_split(&self) -> bool {
        !self.draft.splits.is_empty() && !self.status.is_settled()
    }

    /// Tells whether it has split a file.
    pub fn has_split(&self) -> bool {
        !self.draft.splits.is_empty() && matches!(self.status, Status::Landed { .. })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::command::{Ask, PlanStep};
    use crate::machine::event::Rest;
    use crate::machine::rejection::Rejection;
    use crate::machine::testing::{Scene, after, attempt, candidate, draft, failed};
    use crate::model::attempt::{Flagged, Handoff, Outcome};
    use crate::model::check::Answer;
    use crate::model::paths::PathSet;
    use crate::model::task::TaskDraft;

    fn split(key: &str, file: &str) -> TaskDraft {
        TaskDraft { splits: PathSet::of_files([file.to_owned()]), ..draft(key, file) }
    }

    fn running(scene: &Scene) -> Vec<u32> {
        scene.state.running.iter().map(|id| id.task.0).collect()
    }

    #[test]
    fn what_touches_a_file_that_is_split_waits_until_the_split_lands_and_others_go_on() {
        let scene = Scene::open().begun().planned(vec![draft("a", "big"), draft("b", "b")]).queued(1);
        let scene = scene.plans_anew(vec![split("s", "big"), draft("c", "big"), draft("d", "d")]);
        assert_eq!(running(&scene), [2, 3, 5], "the split has begun, and who else touches the file has not");
        assert_eq!(scene.state.held_by(TaskId(1)), Some(TaskId(3)));
        assert!(scene.state.batch.is_none(), "the candidate that was accepted before waits too");
        let scene = scene.lands(2);
        assert_eq!(scene.status(1), &Status::Queued);
        let scene = scene.queued(3).settled();
        assert_eq!(scene.state.batch.as_ref().unwrap().members, [attempt(3, 1)]);
        let scene = scene.merged().checked(Answer::Green).landed().settled();
        assert_eq!(scene.state.batch.as_ref().unwrap().members, [attempt(1, 1)], "it goes on, on the new base");
        assert_eq!(running(&scene), [4, 5]);
        assert_eq!(Some(scene.task(4).attempts[0].base), scene.state.head);
    }

    #[test]
    fn a_split_that_is_given_up_or_kept_holds_nobody_up() {
        let scene = Scene::open().begun().planned(vec![split("s", "big"), draft("a", "big")]);
        assert_eq!(running(&scene), [1]);
        let scene = scene.ends(attempt(1, 1), failed()).settled().ends(attempt(1, 2), failed()).settled();
        assert_eq!(running(&scene.unplanned()), [2], "it is kept for a person, and the others go on");
    }

    #[test]
    fn what_a_split_waits_for_is_not_held_up_by_it() {
        let tasks = vec![draft("first", "big"), after(split("s", "big"), "first"), draft("other", "big")];
        let scene = Scene::open().begun().planned(tasks);
        assert_eq!(running(&scene), [1]);
        assert_eq!(running(&scene.lands(1)), [2]);
    }

    #[test]
    fn a_split_that_waits_for_what_a_person_must_mend_holds_nobody_up() {
        let tasks = vec![draft("first", "f"), after(split("s", "big"), "first"), draft("other", "big")];
        let scene = Scene::open().begun().planned(tasks);
        assert_eq!(running(&scene), [1]);
        let blocked = Outcome::Blocked { missing: "a key".into() };
        let scene = scene.ends(attempt(1, 1), blocked).settled().unplanned();
        assert_eq!(running(&scene), [3]);
    }

    #[test]
    fn of_two_splits_that_touch_each_other_s_file_the_older_goes_first() {
        let both = |key: &str, file: &str| {
            let splits = PathSet::of_files([file.to_owned()]);
            TaskDraft { paths: PathSet::of_files(["f".to_owned(), "g".to_owned()]), splits, ..draft(key, file) }
        };
        let scene = Scene::open().begun().planned(vec![both("one", "f"), both("two", "g"), draft("a", "g")]);
        assert_eq!(running(&scene), [1]);
        assert_eq!(running(&scene.lands(1)), [2]);
    }

    #[test]
    fn a_split_outside_the_sample_waits_for_it_and_holds_it_not_up() {
        let scene = Scene::opened(|opening| opening.goal.plan.sample = 1).begun();
        let scene = scene.planned(vec![draft("a", "big"), split("s", "big")]);
        assert_eq!(running(&scene), [1]);
        assert_eq!(running(&scene.lands(1)), [2]);
    }

    #[test]
    fn who_conflicted_does_not_wait_for_what_is_held() {
        let scene = Scene::open().begun().planned(vec![draft("a", "big")]).queued(1);
        let mut scene = scene.plans_anew(vec![split("s", "big")]);
        scene.state.tasks.get_mut(&TaskId(2)).unwrap().conflicts = 1;
        let lost = crate::machine::command::Command::ReportLost { attempt: attempt(2, 1), why: "gone".into() };
        let scene = scene.does(lost).settled();
        assert_eq!(running(&scene), [2], "what it holds up is not about to land");
    }

    #[test]
    fn a_run_that_drains_rests_though_a_candidate_waits_for_a_split() {
        let scene = Scene::opened(|opening| opening.workers = 1).begun().planned(vec![draft("a", "big")]).queued(1);
        let scene = scene.plans_anew(vec![split("s", "big")]);
        let scene = scene.ends(attempt(2, 1), failed()).asks(Ask::Drain).settled().unplanned();
        assert_eq!(scene.state.rest, Some(Rest::Stopped));
        assert_eq!(running(&scene.asks(Ask::Resume).settled()), [2]);
    }

    #[test]
    fn one_file_is_split_by_one_task_at_a_time_which_owns_it() {
        let scene = Scene::open().begun().planned(vec![split("s", "big")]).plans_anew(Vec::new());
        let twice = scene.when(&scene.plan(0, PlanStep::Emit(vec![split("t", "big")])));
        assert_eq!(twice, Err(Rejection::SplitTwice { key: "t".into(), by: "s".into() }));
        let elsewhere = TaskDraft { splits: PathSet::of_files(["z".to_owned()]), ..draft("t", "a") };
        let refused = scene.when(&scene.plan(0, PlanStep::Emit(vec![elsewhere])));
        assert_eq!(refused, Err(Rejection::SplitsOutside { key: "t".into() }));
        let one_list = scene.when(&scene.plan(0, PlanStep::Emit(vec![split("t", "f"), split("u", "f")])));
        assert_eq!(one_list, Err(Rejection::SplitTwice { key: "u".into(), by: "t".into() }));
        let scene = scene.lands(1);
        let scene = scene.plans_anew(vec![split("again", "big")]);
        assert_eq!(running(&scene), [2], "once it is through it may be split again");
    }

    #[test]
    fn who_flags_a_file_wakes_its_planner() {
        let flagged = vec![Flagged { path: "big".into(), why: "all edit it".into() }];
        let handoff = Handoff { flagged, ..Handoff::default() };
        assert!(handoff.asks_for_something());
        let scene = Scene::open().begun().planned(vec![draft("a", "a")]);
        let scene = scene.ends_with(attempt(1, 1), candidate(1), handoff).settled();
        assert!(scene.state.planning.contains(&crate::model::ids::ScopeId(0)));
    }
}

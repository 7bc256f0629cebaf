//! Owns what becomes of a person's edit of a plan that waits for their word: held to what planners are held to, and then
//! it is the plan.

use std::collections::{BTreeMap, BTreeSet};

use petgraph::graphmap::DiGraphMap;

use crate::machine::event::{Added, Event, NewTask};
use crate::machine::rejection::Rejection;
use crate::machine::rules::plan::{can_play, limits, may_split, new_task, next_task};
use crate::machine::state::{Planning, State, Task};
use crate::model::goal::Gate;
use crate::model::ids::{ScopeId, TaskId};
use crate::model::plan_edit::{EditedTask, PlanEdit};
use crate::model::role::Part;

/// Lists the tasks of the plan that waits: none of them has begun.
pub fn planned(state: &State) -> impl Iterator<Item = (TaskId, &Task)> {
    state.tasks.iter().filter(|(_, task)| task.is_planned()).map(|(id, task)| (*id, task))
}

pub(in crate::machine) fn edit(state: &State, edit: &PlanEdit) -> Result<Vec<Event>, Rejection> {
    if state.waiting != Some(Gate::Plan) {
        return Err(Rejection::NotWaiting(Gate::Plan));
    }
    let present = state.asked.edits;
    if edit.revision != present {
        return Err(Rejection::PlanMoved { of: edit.revision, present });
    }
    let names = names(state, &edit.tasks)?;
    let tasks = edit.tasks.iter().map(|task| one(state, task, &names)).collect::<Result<Vec<_>, _>>()?;
    runs_in_no_ring(&tasks)?;
    for (number, Added { task, .. }) in tasks.iter().enumerate() {
        // Nothing has begun: what is split is what this plan says.
        may_split(tasks[..number].iter().map(|it| &it.task.draft), &task.draft)?;
    }
    let kept: BTreeSet<TaskId> = names.values().copied().collect();
    let dropped: Vec<TaskId> = planned(state).map(|(id, _)| id).filter(|id| !kept.contains(id)).collect();
    has_room(state, &tasks, &dropped)?;
    let (known, new): (Vec<Added>, Vec<Added>) =
        tasks.into_iter().partition(|it| state.tasks.contains_key(&it.task.id));
    let is_other = |it: &Added| {
        state.tasks.get(&it.task.id).is_none_or(|task| task.draft != it.task.draft || task.after != it.task.after)
    };
    let changed: Vec<NewTask> = known.into_iter().filter(is_other).map(|it| it.task).collect();
    if dropped.is_empty() && changed.is_empty() && new.is_empty() {
        return Ok(Vec::new());
    }
    Ok(vec![Event::PlanEdited { revision: present + 1, dropped, changed, added: new }])
}

/// Names each task of an edit: a known one by its key, the others in order after all that there are.
fn names<'a>(state: &State, tasks: &'a [EditedTask]) -> Result<BTreeMap<&'a str, TaskId>, Rejection> {
    let mut names = BTreeMap::new();
    let mut next = next_task(state).0;
    for EditedTask { draft, .. } in tasks {
        if draft.key.is_empty() {
            return Err(Rejection::NoKey);
        }
        let id = match state.task_keys.get(&draft.key) {
            Some(known) if state.tasks.get(known).is_some_and(Task::is_planned) => *known,
            Some(_) => return Err(Rejection::GivenUp(draft.key.clone())),
            None => {
                next += 1;
                TaskId(next - 1)
            }
        };
        if names.insert(draft.key.as_str(), id).is_some() {
            return Err(Rejection::SameKey(draft.key.clone()));
        }
    }
    Ok(names)
}

/// Holds one task of an edit to what its planner would be held to.
fn one(state: &State, task: &EditedTask, names: &BTreeMap<&str, TaskId>) -> Result<Added, Rejection> {
    let EditedTask { scope, draft } = task;
    let id = names[draft.key.as_str()];
    let known = state.tasks.get(&id);
    if let Some(known) = known.filter(|known| scope.is_some_and(|scope| scope != known.scope)) {
        return Err(Rejection::OtherScope { key: draft.key.clone(), scope: known.scope });
    }
    let scope = known.map(|task| task.scope).or(*scope).unwrap_or(ScopeId(0));
    let of = state.scopes.get(&scope).filter(|it| it.status != Planning::SentBack).ok_or(Rejection::NoScope(scope))?;
    if !of.draft.paths.covers(&draft.paths) {
        return Err(Rejection::TaskOutside { key: draft.key.clone(), scope });
    }
    can_play(state, &draft.key, &draft.role, Part::Worker)?;
    let unknown = |after: &String| Rejection::UnknownTask { key: draft.key.clone(), after: after.clone() };
    let after = draft.after.iter().map(|key| names.get(key.as_str()).copied().ok_or_else(|| unknown(key)));
    let after = after.collect::<Result<Vec<_>, _>>()?;
    let (agent, findings) = known.map_or((0, Vec::new()), |task| (task.again.agent, task.findings.clone()));
    Ok(Added { scope, task: NewTask { agent, findings, ..new_task(id, draft.clone(), after) } })
}

fn runs_in_no_ring(tasks: &[Added]) -> Result<(), Rejection> {
    let mut waits = DiGraphMap::<TaskId, ()>::new();
    for Added { task, .. } in tasks {
        for before in &task.after {
            waits.add_edge(*before, task.id, ());
        }
    }
    petgraph::algo::toposort(&waits, None).map(|_| ()).map_err(|cycle| {
        let key = tasks.iter().find(|it| it.task.id == cycle.node_id()).map(|it| it.task.draft.key.clone());
        Rejection::Cycle { key: key.unwrap_or_default() }
    })
}

/// Holds that no scope comes to have more tasks than its planner may hand out, those left out that are taken out.
fn has_room(state: &State, tasks: &[Added], dropped: &[TaskId]) -> Result<(), Rejection> {
    let mut counts: BTreeMap<ScopeId, u32> = BTreeMap::new();
    for added in tasks.iter().filter(|it| !state.tasks.contains_key(&it.task.id)) {
        *counts.entry(added.scope).or_default() += 1;
    }
    for (scope, added) in counts {
        let Some(of) = state.scopes.get(&scope) else { continue };
        let limit = limits(state, &of.draft.role).tasks;
        let out = dropped.iter().filter(|id| state.tasks.get(id).is_some_and(|task| task.scope == scope)).count();
        if (of.emitted + added).saturating_sub(out as u32) > limit {
            return Err(Rejection::TooMany { scope, what: "tasks", limit });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::command::Ask;
    use crate::machine::command::PlanStep;
    use crate::machine::state::Status;
    use crate::machine::testing::{Scene, after, draft, part};
    use crate::model::paths::PathSet;
    use crate::model::task::TaskDraft;

    fn waiting(drafts: Vec<TaskDraft>) -> Scene {
        let scene = Scene::opened(|opening| {
            opening.goal.approve.insert(Gate::Plan);
            opening.goal.plan.sample = 1;
        });
        let scene = scene.begun().plans(PlanStep::Spawn(vec![part("p", "p/")])).planned(drafts);
        let done = scene.plan(1, PlanStep::Done);
        scene.does(done).settled()
    }

    fn edit(revision: u32, drafts: Vec<TaskDraft>) -> Ask {
        let tasks = drafts.into_iter().map(|draft| EditedTask { scope: None, draft }).collect();
        Ask::EditPlan(PlanEdit { revision, tasks })
    }

    #[test]
    fn what_is_edited_is_what_runs() {
        let scene = waiting(vec![draft("a", "a"), draft("b", "b"), after(draft("c", "c"), "b")]);
        assert_eq!(scene.state.waiting, Some(Gate::Plan));
        let told = TaskDraft { brief: "mind the gap".into(), weight: 5, ..draft("c", "c") };
        let halves = vec![draft("b1", "b"), after(draft("b2", "b"), "b1")];
        let scene = scene.asks(edit(0, [vec![told], halves].concat())).settled();
        assert!(scene.state.running.is_empty(), "it waits for a word still");
        let scene = scene.asks(Ask::Approve(Gate::Plan)).settled();
        assert!(matches!(scene.status(1), Status::Dropped { .. }) && matches!(scene.status(2), Status::Dropped { .. }));
        assert_eq!((scene.status(3), scene.task(3).draft.brief.as_str()), (&Status::Running, "mind the gap"));
        assert!(scene.task(3).sample, "the sample is what comes first of what is left");
        assert_eq!((scene.status(4), scene.status(5)), (&Status::Ready, &Status::Waiting));
        assert!(scene.state.planning_closed, "what was taken out is not planned in again");
        let scene = scene.lands(3);
        assert_eq!(scene.status(4), &Status::Running);
        assert_eq!(scene.lands(4).status(5), &Status::Running);
    }

    #[test]
    fn an_edit_is_held_to_what_planners_are_held_to() {
        let scene = waiting(vec![draft("a", "a")]);
        let refusal = |drafts| scene.refusal(edit(0, drafts));
        let of = |scope, draft| Ask::EditPlan(PlanEdit { revision: 0, tasks: vec![EditedTask { scope, draft }] });
        assert!(scene.refusal(of(Some(ScopeId(1)), draft("x", "q/x"))).contains("reaches outside"));
        assert!(scene.refusal(of(Some(ScopeId(9)), draft("x", "q"))).contains("no scope"));
        assert!(scene.refusal(of(Some(ScopeId(1)), draft("a", "a"))).contains("stays there"));
        assert!(refusal(vec![TaskDraft { role: "planner".into(), ..draft("a", "a") }]).contains("no such role"));
        assert!(refusal(vec![after(draft("a", "a"), "gone")]).contains("which no planner has emitted"));
        assert!(refusal(vec![after(draft("a", "a"), "b"), after(draft("b", "b"), "a")]).contains("waits for itself"));
        assert!(refusal(vec![draft("a", "a"), draft("a", "b")]).contains("two tasks"));
        let splits = |key: &str, path: &str| TaskDraft { splits: PathSet::parse([path.to_owned()]), ..draft(key, "a") };
        assert!(refusal(vec![splits("a", "b")]).contains("splits a file that is not among its paths"));
        assert!(refusal(vec![splits("a", "a"), splits("b", "a")]).contains("splits what `a` is splitting"));
        assert!(refusal(vec![draft("", "a")]).contains("without a key"));
        assert!(refusal((0..7).map(|n| draft(&format!("n{n}"), "a")).collect()).contains("may not have more"));
        assert_eq!(refusal((0..6).map(|n| draft(&format!("n{n}"), "a")).collect()), "", "what is taken out makes room");
    }

    #[test]
    fn an_edit_is_of_the_plan_as_it_stands_and_only_while_it_waits() {
        let scene = waiting(vec![draft("a", "a"), draft("b", "b")]).asks(edit(0, vec![draft("a", "a")]));
        let six = |first: char| (0..6).map(|n| draft(&format!("{first}{n}"), "a")).collect::<Vec<_>>();
        let once = waiting(vec![draft("a", "a")]).asks(edit(0, six('n')));
        assert_eq!(once.refusal(edit(1, six('m'))), "", "what an earlier edit took out makes room too");
        assert!(scene.refusal(edit(0, vec![draft("b", "b")])).contains("revision 1 stands"));
        assert!(scene.refusal(edit(1, vec![draft("b", "b")])).contains("was given up"));
        let scene = scene.asks(Ask::Approve(Gate::Plan)).settled();
        assert!(scene.refusal(edit(1, vec![draft("a", "c")])).contains("nothing waits"));
    }
}

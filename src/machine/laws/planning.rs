//! Owns the laws of planning: scopes inside scopes, tasks inside scopes, wakings in order.

use super::broken::{Law, broken, law};
use crate::machine::event::NewTask;
use crate::machine::state::{Planning, Scope, State, Status};
use crate::model::goal::Gate;
use crate::model::ids::{ScopeId, TaskId};
use crate::model::paths::PathSet;
use crate::model::task::{ScopeDraft, Work};

fn scope(state: &State, id: ScopeId) -> Result<&Scope, super::Broken> {
    state.scopes.get(&id).ok_or_else(|| broken(format!("there is no scope {id}")))
}

pub(super) fn opened(state: &State, id: ScopeId, parent: Option<ScopeId>, draft: &ScopeDraft, iteration: u32) -> Law {
    law(!state.scopes.contains_key(&id), || format!("{id} is opened again"))?;
    law(iteration == state.iteration, || format!("{id} is of planning {iteration}"))?;
    let Some(parent) = parent else { return law(id == ScopeId(0), || format!("{id} has no parent")) };
    let lies_inside = scope(state, parent)?.draft.paths.covers(&draft.paths);
    law(lies_inside, || format!("{id} reaches outside {parent}"))
}

pub(super) fn emitted(state: &State, id: ScopeId, tasks: &[NewTask]) -> Law {
    let scope = scope(state, id)?;
    let last = state.tasks.last().map_or(0, |last| last.0);
    for (new, number) in tasks.iter().zip(last + 1..) {
        law(new.id.0 == number, || format!("{} follows task {last}", new.id))?;
        law(!state.task_keys.contains_key(&new.draft.key), || format!("`{}` is emitted again", new.draft.key))?;
        // What takes a task back out, or goes on with it, reaches as far as a person has let that one reach.
        let lies_inside =
            scope.draft.paths.covers(&new.draft.paths) || reach(state, id, scope).covers(&new.draft.paths);
        law(lies_inside, || format!("{} reaches outside {id}", new.id))?;
        let splits = &new.draft.splits;
        law(new.draft.paths.covers(splits), || format!("{} splits {splits:?}, which it does not own", new.id))?;
        let mut open = state.splits.iter().filter_map(|other| Some(&state.tasks.get(other)?.draft.splits));
        law(!open.any(|other| other.overlaps(splits)), || format!("{} splits what another does", new.id))?;
        let is_known = |before: &TaskId| before.0 >= 1 && before.0 <= last + tasks.len() as u32 && *before != new.id;
        law(new.after.iter().all(is_known), || format!("{} waits for {:?}", new.id, new.after))?;
        if let Work::Revert(out) = new.work {
            let has_landed = state.tasks.get(&out).is_some_and(|it| matches!(it.status, Status::Landed { .. }));
            law(has_landed, || format!("{} takes out {out}, which does not stand", new.id))?;
        }
    }
    Ok(())
}

/// Gives what a scope's tasks may change: what it owns, and what they were let change beside.
fn reach(state: &State, id: ScopeId, scope: &Scope) -> PathSet {
    let mut paths = scope.draft.paths.clone();
    let is_own = |task: &TaskId| state.tasks.get(task).is_some_and(|task| task.scope == id);
    state.granted.iter().filter(|granted| is_own(&granted.task)).for_each(|granted| paths.extend(&granted.paths));
    paths
}

pub(super) fn finished(state: &State, id: ScopeId, wake: u32) -> Law {
    let scope = scope(state, id)?;
    let plans = scope.wake == wake && scope.status == Planning::Active;
    law(plans, || format!("{id} finished waking {wake} and is in {} ({:?})", scope.wake, scope.status))
}

pub(super) fn woken(state: &State, id: ScopeId, wake: u32, handoffs: &[TaskId]) -> Law {
    let scope = scope(state, id)?;
    law(wake == scope.wake + 1, || format!("waking {wake} of {id} follows {}", scope.wake))?;
    law(scope.status != Planning::Active, || format!("{id} is woken while it plans"))?;
    let is_given = |task: &TaskId| scope.inbox.iter().any(|attempt| attempt.task == *task);
    law(handoffs.iter().all(is_given), || format!("{id} is given {handoffs:?}, and not all of it is new"))?;
    law(handoffs.is_empty() || scope.status == Planning::Finished, || format!("{id} is woken and has not finished"))
}

pub(super) fn anew(state: &State, iteration: u32) -> Law {
    let bound = state.opening().goal.plan.iterations;
    let is_next = iteration == state.iteration + 1 && iteration <= bound;
    law(is_next && !state.planning_closed, || format!("planning {iteration} of {bound} follows {}", state.iteration))
}

pub(super) fn sampled(state: &State) -> Law {
    let is_gated = state.opening().goal.approve.contains(&Gate::Sweep);
    let has_word = !is_gated || state.passed.contains(&Gate::Sweep);
    law(!state.sample_accepted && has_word, || "the sweep begins without a word".to_owned())
}

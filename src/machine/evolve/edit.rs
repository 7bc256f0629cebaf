//! Owns how a person's edit of a plan changes the state: tasks taken out, changed and added, and who waits for whom
//! worked out anew. Nothing of the plan has begun.

use super::plan::{add_tasks, draw_into_sample, raise_rank, set_status};
use crate::machine::event::{Added, NewTask};
use crate::machine::state::{State, Status, Task};
use crate::model::ids::TaskId;
use crate::model::task::Work;

pub(super) fn edit(state: &mut State, dropped: &[TaskId], changed: &[NewTask], added: &[Added]) {
    state.asked.edits += 1;
    // What a person took out must not be planned in again.
    state.planning_closed |= !dropped.is_empty();
    for id in dropped {
        let reason = "taken out of the plan before it began".to_owned();
        set_status(state, *id, Status::Dropped { reason });
        // It makes room for another.
        let scope = state.tasks.get(id).map(|task| task.scope);
        if let Some(scope) = scope.and_then(|scope| state.scopes.get_mut(&scope)) {
            scope.emitted = scope.emitted.saturating_sub(1);
        }
    }
    for new in changed {
        // Whether it splits anything is worked out with the rest.
        state.splits.remove(&new.id);
        if let Some(task) = state.tasks.get_mut(&new.id) {
            task.draft = new.draft.clone();
            task.after = new.after.clone();
        }
    }
    for Added { scope, task } in added {
        add_tasks(state, *scope, std::slice::from_ref(task));
    }
    work_out(state);
}

/// Works out anew who waits for whom, how urgent each task is, and which are the sample.
fn work_out(state: &mut State) {
    state.ready.clear();
    let is_open = |task: &Task| matches!(task.status, Status::Waiting | Status::Ready);
    let open: Vec<TaskId> = state.tasks.iter().filter(|(_, task)| is_open(task)).map(|(id, _)| *id).collect();
    let count = if state.sample_accepted { 0 } else { state.opening().goal.plan.sample as usize };
    let mut sample = open.iter().take(count).copied().collect::<Vec<_>>();
    for task in state.tasks.values_mut() {
        task.followers.clear();
        task.rank = task.draft.weight.max(1);
        task.sample = false;
        // What was given up waits for nothing any more: nobody would tell it.
        task.waits_for.clear();
    }
    for id in &open {
        let Some(after) = state.tasks.get(id).map(|task| task.after.clone()) else { continue };
        let lets_start = |id: &TaskId| state.tasks.get(id).is_some_and(|task| task.status.lets_followers_start());
        let waits_for = after.iter().filter(|before| !lets_start(before)).copied().collect();
        for before in &after {
            if let Some(before) = state.tasks.get_mut(before) {
                before.followers.push(*id);
            }
        }
        if let Some(task) = state.tasks.get_mut(id) {
            task.waits_for = waits_for;
        }
    }
    for id in &open {
        raise_rank(state, *id);
    }
    sample.retain(|id| state.tasks.get(id).is_some_and(|task| task.work == Work::Brief));
    for id in sample {
        if let Some(task) = state.tasks.get_mut(&id) {
            task.sample = true;
        }
        draw_into_sample(state, id);
    }
    for id in open {
        let is_ready = state.tasks.get(&id).is_some_and(|task| task.waits_for.is_empty());
        set_status(state, id, if is_ready { Status::Ready } else { Status::Waiting });
    }
}

//! Owns how planning changes the state: scopes, tasks, who waits for whom, how urgent a task is.

use std::collections::BTreeSet;

use crate::machine::event::{Again, NewTask};
use crate::machine::state::{Planning, Scope, State, Status, Task, Urgency};
use crate::model::ids::{ScopeId, TaskId};
use crate::model::task::{ScopeDraft, Work};

pub(super) fn open_scope(state: &mut State, id: ScopeId, parent: Option<ScopeId>, draft: &ScopeDraft, iteration: u32) {
    let depth = parent.and_then(|parent| state.scopes.get(&parent)).map_or(0, |parent| parent.depth + 1);
    if let Some(parent) = parent.and_then(|parent| state.scopes.get_mut(&parent)) {
        parent.children.push(id);
    }
    for key in &draft.decisions {
        state.decisions.insert(key.clone(), id);
    }
    state.scope_keys.insert(draft.key.clone(), id);
    state.planning.insert(id);
    let scope = Scope {
        draft: draft.clone(),
        parent,
        depth,
        iteration,
        children: Vec::new(),
        emitted: 0,
        open: 0,
        wake: 1,
        status: Planning::Active,
        inbox: Vec::new(),
        given: Vec::new(),
    };
    state.scopes.insert(id, scope);
}

pub(super) fn finish(state: &mut State, id: ScopeId, status: Planning) {
    state.planning.remove(&id);
    if let Some(scope) = state.scopes.get_mut(&id) {
        scope.status = status;
        scope.given.clear();
    }
}

pub(super) fn wake(state: &mut State, id: ScopeId, wake: u32, handoffs: &[TaskId]) {
    state.planning.insert(id);
    if let Some(scope) = state.scopes.get_mut(&id) {
        scope.status = Planning::Active;
        scope.wake = wake;
        scope.given = scope.inbox.extract_if(.., |attempt| handoffs.contains(&attempt.task)).collect();
    }
}

pub(super) fn add_tasks(state: &mut State, scope: ScopeId, tasks: &[NewTask]) {
    if let Some(scope) = state.scopes.get_mut(&scope) {
        scope.emitted += tasks.len() as u32;
        scope.open += tasks.len() as u32;
    }
    let sample = state.opening().goal.plan.sample;
    let first = state.asked.sent_back_upto;
    for new in tasks {
        let waits_for = new
            .after
            .iter()
            .filter(|id| !state.tasks.get(id).is_some_and(|task| task.status.lets_followers_start()))
            .copied()
            .collect();
        let task = Task {
            draft: new.draft.clone(),
            work: new.work.clone(),
            scope,
            sample: !state.sample_accepted && new.work == Work::Brief && new.id.0 - first <= sample,
            waits_for,
            after: new.after.clone(),
            followers: Vec::new(),
            rank: new.draft.weight.max(1),
            status: Status::Waiting,
            again: Again { agent: new.agent, tries: 0, from: None, resolves: false },
            conflicts: 0,
            lost: 0,
            attempts: Vec::new(),
            findings: new.findings.clone(),
            steering: Vec::new(),
            wants: None,
            asked: 0,
        };
        if task.is_open_split() {
            state.splits.insert(new.id);
        }
        state.tally.waiting += 1;
        state.task_keys.insert(new.draft.key.clone(), new.id);
        state.tasks.insert(new.id, task);
    }
    // A task may wait for a later one of the same list.
    for new in tasks {
        for before in &new.after {
            if let Some(before) = state.tasks.get_mut(before) {
                before.followers.push(new.id);
            }
        }
    }
    for new in tasks {
        raise_rank(state, new.id);
        draw_into_sample(state, new.id);
        make_ready(state, new.id);
    }
}

/// Takes all that a task of the sample waits for into the sample, which could never be in otherwise.
pub(super) fn draw_into_sample(state: &mut State, from: TaskId) {
    let mut open = vec![from];
    while let Some(id) = open.pop() {
        let Some(after) = state.tasks.get(&id).filter(|task| task.sample).map(|task| task.after.clone()) else {
            continue;
        };
        for before in after {
            let Some(task) = state.tasks.get_mut(&before).filter(|task| !task.sample) else { continue };
            let was = urgency(before, task);
            task.sample = true;
            let is = urgency(before, task);
            if state.ready.remove(&was) {
                state.ready.insert(is);
            }
            open.push(before);
        }
    }
}

/// Carries a task's rank to all that it waits for, so that the longest chain is known at its start.
pub(super) fn raise_rank(state: &mut State, from: TaskId) {
    let mut open = vec![from];
    while let Some(id) = open.pop() {
        let Some((rank, after)) = state.tasks.get(&id).map(|task| (task.rank, task.after.clone())) else { continue };
        for before in after {
            let Some(task) = state.tasks.get_mut(&before) else { continue };
            let raised = task.draft.weight.max(1).saturating_add(rank);
            if raised > task.rank {
                let old = urgency(before, task);
                task.rank = raised;
                let new = urgency(before, task);
                if state.ready.remove(&old) {
                    state.ready.insert(new);
                }
                open.push(before);
            }
        }
    }
}

/// Makes a waiting task ready if nothing is left that it waits for.
pub(super) fn make_ready(state: &mut State, id: TaskId) {
    if state.tasks.get(&id).is_some_and(|task| task.status == Status::Waiting && task.waits_for.is_empty()) {
        set_status(state, id, Status::Ready);
    }
}

/// Moves a task to another status and keeps every index true.
pub(super) fn set_status(state: &mut State, id: TaskId, status: Status) {
    let Some(task) = state.tasks.get_mut(&id) else { return };
    let lets_start = status.lets_followers_start() && !task.status.lets_followers_start();
    *state.tally.of(&task.status) -= 1;
    *state.tally.of(&status) += 1;
    let urgency = urgency(id, task);
    if status == Status::Ready {
        state.ready.insert(urgency);
    } else if task.status == Status::Ready {
        state.ready.remove(&urgency);
    }
    let (was_settled, is_settled) = (task.status.is_settled(), status.is_settled());
    task.status = status;
    if !task.draft.splits.is_empty() {
        note_split(&mut state.splits, id, task.is_open_split());
        note_split(&mut state.has_split, id, task.has_split());
    }
    let scope = task.scope;
    let followers = if lets_start { task.followers.clone() } else { Vec::new() };
    if let Some(scope) = state.scopes.get_mut(&scope).filter(|_| was_settled != is_settled) {
        scope.open = if is_settled { scope.open.saturating_sub(1) } else { scope.open + 1 };
    }
    if lets_start {
        for follower in followers {
            if let Some(follower) = state.tasks.get_mut(&follower) {
                follower.waits_for.remove(&id);
            }
            make_ready(state, follower);
        }
    }
}

fn note_split(splits: &mut BTreeSet<TaskId>, id: TaskId, holds: bool) {
    if holds {
        splits.insert(id);
    } else {
        splits.remove(&id);
    }
}

/// Says how urgent a task is; what a person has taken back out does not wait for the sample.
fn urgency(id: TaskId, task: &Task) -> Urgency {
    Urgency { after_sample: !task.sample && task.work == Work::Brief, slack: u64::MAX - task.rank, task: id }
}

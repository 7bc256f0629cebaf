//! Owns what planners may do: tasks inside their scope, disjoint sub-scopes, one owner a decision, all bounded.

use std::collections::{BTreeMap, BTreeSet};

use petgraph::graphmap::DiGraphMap;

use crate::machine::command::PlanStep;
use crate::machine::event::{Event, NewTask};
use crate::machine::rejection::Rejection;
use crate::machine::state::{Planning, Scope, State};
use crate::model::ids::{ScopeId, TaskId};
use crate::model::role::Limits;
use crate::model::task::{ScopeDraft, TaskDraft, Work};

pub(in crate::machine) fn report(
    state: &State,
    id: ScopeId,
    wake: u32,
    step: &PlanStep,
) -> Result<Vec<Event>, Rejection> {
    let scope = state.scopes.get(&id).ok_or(Rejection::NoScope(id))?;
    if scope.wake != wake || scope.status != Planning::Active {
        return Err(Rejection::StalePlanner { scope: id, wake });
    }
    match step {
        PlanStep::Emit(drafts) => emit(state, id, scope, drafts),
        PlanStep::Spawn(drafts) => spawn(state, id, scope, drafts),
        PlanStep::Done => Ok(vec![Event::PlannerFinished { scope: id, wake }]),
        PlanStep::Fail(why) => Ok(vec![Event::PlannerFailed { scope: id, wake, why: why.clone() }]),
    }
}

fn limits(state: &State, role: &str) -> Limits {
    state.opening().roles.get(role).map(|role| role.limits.clone()).unwrap_or_default()
}

fn emit(state: &State, id: ScopeId, scope: &Scope, drafts: &[TaskDraft]) -> Result<Vec<Event>, Rejection> {
    let mut fresh: Vec<&TaskDraft> = Vec::new();
    let mut seen = BTreeSet::new();
    for draft in drafts {
        if draft.key.is_empty() {
            return Err(Rejection::NoKey);
        }
        if !state.task_keys.contains_key(&draft.key) && seen.insert(&draft.key) {
            fresh.push(draft);
        }
    }
    let limit = limits(state, &scope.draft.role).tasks;
    if scope.emitted as usize + fresh.len() > limit as usize {
        return Err(Rejection::TooMany { scope: id, what: "tasks", limit });
    }
    let first = next_task(state);
    let names: BTreeMap<&str, TaskId> =
        fresh.iter().zip(first.0..).map(|(draft, number)| (draft.key.as_str(), TaskId(number))).collect();
    let mut waits = DiGraphMap::<TaskId, ()>::new();
    let mut tasks = Vec::with_capacity(fresh.len());
    for draft in fresh {
        if !scope.draft.paths.covers(&draft.paths) {
            return Err(Rejection::TaskOutside { key: draft.key.clone(), scope: id });
        }
        if !state.opening().roles.contains_key(&draft.role) {
            return Err(Rejection::NoRole { key: draft.key.clone(), role: draft.role.clone() });
        }
        let task = names[draft.key.as_str()];
        let mut after = Vec::new();
        for key in &draft.after {
            let before = names.get(key.as_str()).or_else(|| state.task_keys.get(key)).copied();
            let before = before.ok_or_else(|| Rejection::UnknownTask { key: draft.key.clone(), after: key.clone() })?;
            waits.add_edge(before, task, ());
            after.push(before);
        }
        tasks.push(new_task(task, draft.clone(), after));
    }
    if let Err(cycle) = petgraph::algo::toposort(&waits, None) {
        let key = tasks.iter().find(|task| task.id == cycle.node_id()).map(|task| task.draft.key.clone());
        return Err(Rejection::Cycle { key: key.unwrap_or_default() });
    }
    if tasks.is_empty() {
        return Ok(Vec::new());
    }
    Ok(vec![Event::TasksEmitted { scope: id, tasks }])
}

pub(in crate::machine) fn next_task(state: &State) -> TaskId {
    TaskId(state.tasks.last_key_value().map_or(1, |(id, _)| id.0 + 1))
}

pub(in crate::machine) fn new_task(id: TaskId, draft: TaskDraft, after: Vec<TaskId>) -> NewTask {
    NewTask { id, draft, work: Work::Brief, after, agent: 0, findings: Vec::new() }
}

fn spawn(state: &State, id: ScopeId, parent: &Scope, drafts: &[ScopeDraft]) -> Result<Vec<Event>, Rejection> {
    let limits = limits(state, &parent.draft.role);
    let siblings = parent.children.iter().filter_map(|child| state.scopes.get(child));
    let mut beside: Vec<&ScopeDraft> =
        siblings.filter(|sibling| sibling.iteration == state.iteration).map(|sibling| &sibling.draft).collect();
    let mut events = Vec::new();
    let mut number = state.scopes.last_key_value().map_or(0, |(last, _)| last.0);
    let mut decisions: BTreeMap<&String, ScopeId> = BTreeMap::new();
    for draft in drafts {
        if draft.key.is_empty() {
            return Err(Rejection::NoKey);
        }
        if state.scope_keys.contains_key(&draft.key) || beside.iter().any(|other| other.key == draft.key) {
            continue;
        }
        if parent.depth + 1 > limits.depth {
            return Err(Rejection::TooMany {
                scope: id,
                what: "levels of planners below the root",
                limit: limits.depth,
            });
        }
        if beside.len() >= limits.fan_out as usize {
            return Err(Rejection::TooMany { scope: id, what: "sub-planners", limit: limits.fan_out });
        }
        if !state.opening().roles.contains_key(&draft.role) {
            return Err(Rejection::NoRole { key: draft.key.clone(), role: draft.role.clone() });
        }
        if !parent.draft.paths.covers(&draft.paths) {
            return Err(Rejection::ScopeOutside { key: draft.key.clone(), parent: id });
        }
        if let Some(other) = beside.iter().find(|other| other.paths.overlaps(&draft.paths)) {
            return Err(Rejection::ScopesOverlap { key: draft.key.clone(), other: other.key.clone() });
        }
        number += 1;
        for decision in &draft.decisions {
            let owner = state.decisions.get(decision).or_else(|| decisions.get(decision));
            if let Some(owner) = owner.copied().filter(|owner| *owner != id) {
                return Err(Rejection::DecisionTaken { decision: decision.clone(), owner });
            }
            decisions.insert(decision, ScopeId(number));
        }
        beside.push(draft);
        events.push(Event::ScopeOpened {
            scope: ScopeId(number),
            parent: Some(id),
            draft: draft.clone(),
            iteration: state.iteration,
        });
    }
    Ok(events)
}

//! Owns what people may ask: each request is answered once, by what it makes happen or by the reason why not.

use std::collections::BTreeSet;

use crate::machine::command::Ask;
use crate::machine::event::{End, Event, NewTask, Rest};
use crate::machine::rejection::Rejection;
use crate::machine::rules::plan::{new_task, next_task};
use crate::machine::state::{Flow, State, Status, Task};
use crate::model::goal::Gate;
use crate::model::ids::{Oid, RequestId, TaskId};
use crate::model::task::{TaskDraft, Work};

pub(in crate::machine) fn request(state: &State, id: &RequestId, ask: &Ask) -> Vec<Event> {
    if state.answered.contains_key(id) {
        return Vec::new();
    }
    match carry_out(state, ask) {
        Ok(mut events) => {
            events.push(Event::RequestAnswered { id: id.clone() });
            events
        }
        Err(refusal) => vec![Event::RequestRefused { id: id.clone(), why: refusal.to_string() }],
    }
}

fn carry_out(state: &State, ask: &Ask) -> Result<Vec<Event>, Rejection> {
    match ask {
        Ask::Approve(gate) => {
            waits_at(state, *gate)?;
            Ok(vec![Event::GatePassed { gate: *gate }])
        }
        Ask::Deny { gate, reason } => {
            waits_at(state, *gate)?;
            let end = End::Denied { reason: reason.clone() };
            Ok(vec![Event::GateRefused { gate: *gate, reason: reason.clone() }, Event::RunEnded { end }])
        }
        Ask::ApproveTask(task) => approve_task(state, *task),
        Ask::DenyTask { task, reason } => {
            kept(state, *task)?;
            let dropped = Event::TaskDropped { task: *task, reason: reason.clone() };
            Ok(reopening(state, vec![dropped]))
        }
        Ask::Retry(task) => {
            kept(state, *task)?;
            Ok(reopening(state, vec![Event::TaskRetried { task: *task }]))
        }
        Ask::Drain => running_run(state, Event::Draining),
        Ask::Stop => running_run(state, Event::Stopping),
        Ask::Resume => resume(state),
        Ask::Steer { task, message } => {
            if let Some(task) = task {
                find(state, *task)?;
            }
            Ok(vec![Event::Steered { task: *task, message: message.clone() }])
        }
        Ask::Revert(task) => revert(state, *task),
        Ask::Deliver { branch } => deliver(state, branch.as_ref()),
        Ask::Raise(budget) => Ok(vec![Event::BudgetRaised { budget: budget.clone() }]),
    }
}

fn waits_at(state: &State, gate: Gate) -> Result<(), Rejection> {
    (state.waiting == Some(gate)).then_some(()).ok_or(Rejection::NotWaiting(gate))
}

fn find(state: &State, task: TaskId) -> Result<&Task, Rejection> {
    state.tasks.get(&task).ok_or(Rejection::NoTask(task))
}

fn kept(state: &State, id: TaskId) -> Result<&Task, Rejection> {
    let task = find(state, id)?;
    let is_kept = matches!(task.status, Status::Kept { .. } | Status::Blocked { .. });
    is_kept.then_some(task).ok_or(Rejection::NotKept { task: id, status: task.status.word() })
}

/// Takes an ended run up again with what a person has decided.
fn reopening(state: &State, mut events: Vec<Event>) -> Vec<Event> {
    if state.end.is_some() {
        events.insert(0, Event::RunReopened);
    }
    events
}

fn approve_task(state: &State, id: TaskId) -> Result<Vec<Event>, Rejection> {
    let task = kept(state, id)?;
    let last = task.attempts.last();
    let candidate = last.filter(|attempt| attempt.candidate().is_some() && attempt.landed.is_none());
    candidate.ok_or(Rejection::NoCandidate(id))?;
    Ok(reopening(state, vec![Event::TaskOverruled { task: id }]))
}

fn running_run(state: &State, event: Event) -> Result<Vec<Event>, Rejection> {
    if state.end.is_some() {
        return Err(Rejection::NotResting("at its end"));
    }
    let is_harder = matches!(event, Event::Stopping) && state.flow == Flow::Draining;
    if (state.flow != Flow::Open && !is_harder) || matches!(state.rest, Some(Rest::Stopped)) {
        return Ok(Vec::new());
    }
    Ok(vec![event])
}

fn resume(state: &State) -> Result<Vec<Event>, Rejection> {
    if state.end.is_some() {
        return Err(Rejection::NotResting("at its end; retry or revert a task to take it up again"));
    }
    if state.rest.is_none() && state.flow == Flow::Open {
        return Ok(Vec::new());
    }
    match state.rest {
        Some(Rest::Gate(_)) if state.flow == Flow::Open => {
            Err(Rejection::NotResting("waiting for a person's word: approve or deny it"))
        }
        Some(Rest::Gate(_) | Rest::Stopped | Rest::Budget { .. } | Rest::Trouble { .. }) | None => {
            Ok(vec![Event::Resumed])
        }
    }
}

fn revert(state: &State, id: TaskId) -> Result<Vec<Event>, Rejection> {
    let task = find(state, id)?;
    let Status::Landed { commit } = task.status else {
        return Err(Rejection::NotLanded { task: id, status: task.status.word() });
    };
    let key = format!("revert {id} {}", commit.short());
    if state.task_keys.contains_key(&key) {
        return Ok(Vec::new());
    }
    let draft = TaskDraft {
        key,
        title: format!("revert {id}: {}", task.draft.title),
        brief: String::new(),
        paths: task.draft.paths.clone(),
        after: BTreeSet::new(),
        checks: Vec::new(),
        role: task.draft.role.clone(),
        rules: Vec::new(),
        weight: 1,
    };
    let new = NewTask { work: Work::Revert(id), ..new_task(next_task(state), draft, Vec::new()) };
    let emitted = Event::TasksEmitted { scope: task.scope, tasks: vec![new] };
    Ok(reopening(state, vec![emitted]))
}

fn deliver(state: &State, branch: Option<&String>) -> Result<Vec<Event>, Rejection> {
    if let Some(owed) = &state.delivery {
        return Err(Rejection::DeliveryUnderWay(owed.clone()));
    }
    let branch = branch.or(state.opening().branch.as_ref()).ok_or(Rejection::NoBranch)?;
    if state.head.is_none_or(|head| head == state.opening().base) {
        return Err(Rejection::NothingLanded);
    }
    Ok(vec![Event::DeliveryAsked { branch: branch.clone() }])
}

pub(in crate::machine) fn delivered(
    state: &State,
    branch: &str,
    result: &Result<Oid, String>,
) -> Result<Vec<Event>, Rejection> {
    if state.delivery.as_deref() != Some(branch) {
        return Err(Rejection::NoDelivery(branch.to_owned()));
    }
    Ok(vec![Event::Delivered { branch: branch.to_owned(), result: result.clone() }])
}

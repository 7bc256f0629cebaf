//! Owns how a person's word, or its want, changes the state: candidates and deliveries asked about, granted, refused.

use super::attempts::{attempt_mut, go_on};
use super::plan::set_status;
use crate::machine::awaited::{AskedCandidate, AskedDelivery, DENIED, Wait};
use crate::machine::event::{Next, Rest, Subject};
use crate::machine::state::{Flow, Planning, State, Status};
use crate::model::gating::{Reason, Then};
use crate::model::goal::Gate;
use crate::model::ids::{AttemptId, Oid, TaskId};
use crate::model::verdict::{Finding, Rung};

fn since(at_ms: i64) -> Wait {
    Wait { since_ms: at_ms, is_overdue: false }
}

pub(super) fn reach(state: &mut State, gate: Gate, at_ms: i64) {
    state.waiting = Some(gate);
    state.asked.gate = since(at_ms);
}

pub(super) fn pass(state: &mut State, gate: Gate) {
    if gate == Gate::Spend {
        let step = state.opening().goal.gating.nano_usd.unwrap_or(u64::MAX).max(1);
        let spent = state.total_spent().spend.nano_usd;
        state.asked.spend_nano_usd = (spent / step).saturating_add(1).saturating_mul(step);
    } else {
        state.passed.insert(gate);
    }
    state.waiting = None;
    wake(state);
}

/// Has nothing stand of the plan that waited: its tasks are given up, its sub-planners are nobody's, and what was decided
/// with it is open again.
pub(super) fn send_back(state: &mut State, reason: &str, dropped: &[TaskId]) {
    state.waiting = None;
    wake(state);
    state.asked.edits += 1;
    state.asked.sent_back.push(reason.to_owned());
    state.asked.sent_back_upto = state.tasks.last().map_or(0, |last| last.0);
    for id in dropped {
        set_status(state, *id, Status::Dropped { reason: format!("its plan was sent back: {reason}") });
        let Some(task) = state.tasks.get_mut(id) else { continue };
        task.sample = false;
        task.waits_for.clear();
        state.task_keys.remove(&task.draft.key);
        // It makes room for another.
        if let Some(scope) = state.scopes.get_mut(&task.scope) {
            scope.emitted = scope.emitted.saturating_sub(1);
        }
    }
    state.decided.clear();
    state.decisions.clear();
    for (id, scope) in &mut state.scopes {
        if scope.parent.is_some() {
            state.scope_keys.remove(&scope.draft.key);
            scope.status = Planning::SentBack;
        } else {
            state.decisions.extend(scope.draft.decisions.iter().map(|key| (key.clone(), *id)));
        }
    }
}

/// Lets a run that rests for want of a word look whether it still does.
pub(super) fn wake(state: &mut State) {
    if matches!(state.rest, Some(Rest::Gate(_) | Rest::Question)) {
        state.rest = None;
    }
}

/// Lets a run that rests on a question alone look whether it still does: a person has given it something else to do.
pub(super) fn look_up(state: &mut State) {
    if state.rest == Some(Rest::Question) {
        state.rest = None;
    }
}

pub(super) fn ask(state: &mut State, id: AttemptId, reasons: &[Reason], at_ms: i64) {
    let Some(commit) = state.attempt(id).and_then(|it| it.candidate()).map(|it| it.commit) else { return };
    state.queue.retain(|queued| *queued != id);
    if let Some(batch) = &mut state.batch {
        batch.members.retain(|member| *member != id);
    }
    let said = state.asked.granted.remove(&id).unwrap_or_default();
    let (reasons, head, wait) = (reasons.to_vec(), state.head, since(at_ms));
    let asked = AskedCandidate { commit, reasons, said, head, wait };
    state.asked.candidates.insert(id, asked);
    set_status(state, id.task, Status::Gated);
}

pub(super) fn approve(state: &mut State, id: AttemptId) {
    let Some(asked) = state.asked.candidates.remove(&id) else { return };
    state.asked.granted.insert(id, [asked.said, asked.reasons].concat());
    go_on(state, id, &Next::Queue);
    wake(state);
}

/// Notes that a person has let a kept candidate land: their word covers all for which it would wait.
pub(super) fn grant_overruled(state: &mut State, task: TaskId) {
    let Some(of) = state.tasks.get(&task) else { return };
    let Some(extent) = of.attempts.last().and_then(|it| it.candidate()).map(|it| it.extent.clone()) else { return };
    let reasons = state.reasons_of(of, &extent);
    let id = AttemptId { task, number: of.attempts.len() as u32 };
    if !reasons.is_empty() {
        state.asked.granted.insert(id, reasons);
    }
}

pub(super) fn deny(state: &mut State, id: AttemptId, reason: &str, next: &Next) {
    forget(state, id);
    let finding = Finding {
        rung: Rung::Landing,
        rule: DENIED.to_owned(),
        path: None,
        what: format!("a person refused {id}: {reason}"),
        advice: "do it so that this reason is gone".to_owned(),
    };
    if let Some(attempt) = attempt_mut(state, id) {
        attempt.ejected = vec![finding.clone()];
    }
    if let Some(task) = state.tasks.get_mut(&id.task) {
        task.findings = vec![finding];
    }
    go_on(state, id, next);
    wake(state);
}

/// Forgets what was asked about an attempt, and what word it has: it lands no more, or has landed.
pub(super) fn forget(state: &mut State, id: AttemptId) {
    state.asked.candidates.remove(&id);
    state.asked.granted.remove(&id);
}

/// Forgets what was asked about a task that is given up.
pub(super) fn forget_task(state: &mut State, task: TaskId) {
    let asked = state.asked.candidates.keys().find(|id| id.task == task).copied();
    if let Some(id) = asked {
        forget(state, id);
        wake(state);
    }
}

/// Does what a word that is overdue does by itself; what it says of the thing itself is an event of its own.
pub(super) fn overdue(state: &mut State, on: Subject, then: Then) {
    if let Some(wait) = state.asked.wait_mut(on) {
        wait.is_overdue = true;
    }
    if then == Then::Stop && on != Subject::Delivery {
        wake(state);
        if state.rest.is_none() && state.flow == Flow::Open {
            state.flow = Flow::Draining;
        }
    }
}

/// Has all that waits wait afresh: a person is there.
pub(super) fn wait_afresh(state: &mut State, at_ms: i64) {
    let all: Vec<Subject> = state.awaited().map(|(on, _)| on).collect();
    for on in all {
        if let Some(wait) = state.asked.wait_mut(on) {
            *wait = since(at_ms);
        }
    }
}

pub(super) fn propose(
    state: &mut State,
    branch: &str,
    (head, onto): (Oid, Option<Oid>),
    failed: Option<&String>,
    at_ms: i64,
) {
    let (branch, failed) = (branch.to_owned(), failed.cloned());
    state.asked.delivery = Some(AskedDelivery { branch, head, asked: head, onto, failed, wait: since(at_ms) });
}

pub(super) fn deliver(state: &mut State, branch: &str) {
    state.delivery = Some(branch.to_owned());
    if let Some(asked) = state.asked.delivery.take_if(|it| it.branch == branch) {
        state.asked.granted_delivery = Some(asked);
    }
}

/// Has a delivery that waits be about what stands on the run's branch now.
pub(super) fn head_moved(state: &mut State) {
    if let (Some(asked), Some(head)) = (&mut state.asked.delivery, state.head) {
        asked.head = head;
    }
}

//! Owns how what planners and workers ask for changes the state: decisions, wider paths, what was heard.

use super::attempts::attempt_mut;
use super::plan::set_status;
use crate::machine::asked::{Decided, Granted, Heard};
use crate::machine::state::{State, Status};
use crate::model::ids::{AttemptId, ScopeId, TaskId};
use crate::model::paths::PathSet;
use crate::model::seat::Seat;
use crate::model::verdict::{Finding, Rung};

pub(super) fn decide(state: &mut State, scope: ScopeId, decision: &str, value: &str) {
    state.decisions.insert(decision.to_owned(), scope);
    state.decided.insert(decision.to_owned(), Decided { scope, value: value.to_owned() });
}

/// Puts what a task asks before a planner above its own.
pub(super) fn raise(state: &mut State, id: TaskId, to: ScopeId) {
    let Some(number) = state.tasks.get(&id).and_then(|task| u32::try_from(task.attempts.len()).ok()) else { return };
    if let Some(scope) = state.scopes.get_mut(&to) {
        scope.inbox.push(AttemptId { task: id, number });
    }
}

/// Takes what a task asks for no longer off the desks of the planners above its own.
pub(super) fn withdraw(state: &mut State, id: TaskId) {
    let Some(own) = state.tasks.get(&id).map(|task| task.scope) else { return };
    let above: Vec<ScopeId> = state.above(own).map(|(id, _)| id).collect();
    for scope in above {
        if let Some(scope) = state.scopes.get_mut(&scope) {
            scope.inbox.retain(|attempt| attempt.task != id);
        }
    }
}

/// Has a task go on that had asked to change more than it owns: with that, or with the reason why not.
pub(super) fn answer(state: &mut State, id: TaskId, granted: Option<&PathSet>, reason: &str) {
    let Some(task) = state.tasks.get_mut(&id) else { return };
    let Some(wants) = task.wants.take() else { return };
    match granted {
        Some(paths) => {
            task.draft.paths.extend(paths);
            let (paths, reason) = (paths.clone(), reason.to_owned());
            state.granted.push(Granted { task: id, paths, why: wants.why, reason });
        }
        None => {
            let refused = format!("it may not change {}: {reason}", wants.paths.join(", "));
            task.findings.retain(|finding| finding.rule != "scope-refused");
            task.findings.push(Finding {
                rung: Rung::Scope,
                rule: "scope-refused".to_owned(),
                path: None,
                what: refused,
                advice: "do the task within its own paths".to_owned(),
            });
        }
    }
    withdraw(state, id);
    set_status(state, id, Status::Ready);
}

pub(super) fn hear(state: &mut State, seat: Seat, heard: Heard) {
    match seat {
        Seat::Attempt(id) => {
            if let Some(attempt) = attempt_mut(state, id) {
                attempt.heard = heard;
            }
        }
        Seat::Planner { .. } | Seat::Judge { .. } | Seat::RunJudge { .. } => {
            if let Some(sitting) = state.sitting.get_mut(&seat) {
                sitting.heard = heard;
            }
        }
    }
}

//! Owns the laws of what planners and workers ask for: a decision is taken once, a task is let change no more than it asked
//! for, and what a session hears was said.

use super::broken::{Broken, Law, broken, law};
use super::tasks::{runs, task};
use crate::machine::asked::Heard;
use crate::machine::event::Next;
use crate::machine::rules::asked::SCOPE_ASKS_AT_MOST;
use crate::machine::state::{Planning, State, Status};
use crate::model::attempt::Handoff;
use crate::model::ids::{AttemptId, ScopeId, TaskId};
use crate::model::paths::PathSet;
use crate::model::seat::Seat;

pub(super) fn decided(state: &State, scope: ScopeId, decision: &str) -> Law {
    let plans = state.scopes.get(&scope).is_some_and(|scope| scope.status == Planning::Active);
    law(plans, || format!("{scope} decides `{decision}` and does not plan"))?;
    law(!state.decided.contains_key(decision), || format!("`{decision}` is decided again"))?;
    let owner = state.decisions.get(decision);
    law(owner.is_none_or(|owner| *owner == scope), || format!("{scope} decides `{decision}`, which is {owner:?}'s"))
}

/// Gives the scope of a task that asks to change more than it owns, and what it asks for.
fn asks(state: &State, id: TaskId) -> Result<(ScopeId, PathSet), Broken> {
    let task = task(state, id)?;
    let is_blocked = matches!(task.status, Status::Blocked { .. });
    let wants = task.wants.as_ref().filter(|_| is_blocked);
    let wants = wants.ok_or_else(|| broken(format!("{id} is {} and asks for nothing", task.status.word())))?;
    Ok((task.scope, PathSet::written(&wants.paths).unwrap_or_default()))
}

/// Tells whether a scope lies in another that holds all that is asked for.
fn is_above(state: &State, scope: ScopeId, asked: &PathSet, other: ScopeId) -> bool {
    state.above(scope).any(|(id, above)| id == other && above.draft.paths.covers(asked))
}

pub(super) fn raised(state: &State, id: TaskId, to: ScopeId) -> Law {
    let (own, asked) = asks(state, id)?;
    law(is_above(state, own, &asked, to), || {
        format!("{id} asks {to} for {asked:?}, which is not above it or owns less")
    })?;
    let is_known = state.scopes.get(&to).is_some_and(|scope| scope.inbox.iter().any(|attempt| attempt.task == id));
    law(!is_known, || format!("{to} is asked by {id} again, and has not heard the first"))
}

pub(super) fn answered(state: &State, id: TaskId, granted: Option<&PathSet>, by: Option<ScopeId>) -> Law {
    let (own, asked) = asks(state, id)?;
    let may_answer = |by: ScopeId| by == own || (is_above(state, own, &asked, by) && state.was_asked(by, id));
    law(by.is_none_or(may_answer), || format!("{id} is answered by {by:?}, which may not"))?;
    let Some(paths) = granted else { return Ok(()) };
    law(!paths.is_empty() && asked.covers(paths), || format!("{id} is granted {paths:?} and asked for {asked:?}"))?;
    let owns = |by: ScopeId| state.scopes.get(&by).is_some_and(|scope| scope.draft.paths.covers(paths));
    law(by.is_none_or(owns), || format!("{by:?} grants {paths:?}, which it does not own"))
}

pub(super) fn heard(state: &State, seat: Seat, heard: Heard) -> Law {
    let (before, of_task) = match seat {
        Seat::Attempt(id) => (runs(state, id)?.heard, task(state, id.task)?.steering.len()),
        Seat::Planner { .. } | Seat::Judge { .. } | Seat::RunJudge { .. } => {
            let sitting = state.sitting.get(&seat).ok_or_else(|| broken(format!("nobody sits at {seat}")))?;
            (sitting.heard, 0)
        }
    };
    law(heard.is_beyond(before), || format!("{seat} hears {heard:?} after {before:?}"))?;
    let is_said = heard.of_run as usize <= state.steering.len() && heard.of_task as usize <= of_task;
    law(is_said, || format!("{seat} hears {heard:?}, which nobody has said"))
}

/// Holds that a task asks to change what it does not own a bounded number of times.
pub(super) fn not_too_often(state: &State, id: AttemptId, handoff: &Handoff, next: &Next) -> Law {
    let asks = handoff.wants.is_some() && matches!(next, Next::Block { .. });
    let asked = task(state, id.task)?.asked;
    law(!asks || asked < SCOPE_ASKS_AT_MOST, || format!("{} asks once more after {asked} times", id.task))
}

/// Holds that nothing touches a file while a task splits it.
pub(super) fn is_not_held(state: &State, id: AttemptId) -> Law {
    let split = state.held_by(id.task);
    law(split.is_none(), || format!("{id} touches what {split:?} splits"))
}

//! Owns the laws of a person's word: asked once, given on exactly what waits, used once; nothing that a rule holds back
//! goes on without one.

use std::collections::BTreeSet;

use petgraph::graphmap::DiGraphMap;

use super::broken::{Law, law};
use super::tasks::{attempt, task};
use crate::machine::event::{Added, NewTask, Next, Subject};
use crate::machine::rules::send_back::SENT_BACK_MOST;
use crate::machine::state::{Planning, State, Status};
use crate::model::gating::{Extent, Reason};
use crate::model::goal::Gate;
use crate::model::ids::{AttemptId, Oid, ScopeId, TaskId};
use crate::model::paths::PathSet;

pub(super) fn reached(state: &State, gate: Gate) -> Law {
    let is_new = state.waiting.is_none() && !state.passed.contains(&gate);
    law(is_new, || format!("the {gate:?} gate is reached again"))?;
    let is_spent = gate != Gate::Spend || state.waits_for_spending();
    law(is_spent, || "the run waits for its spending and has not spent so much".to_owned())?;
    let is_of_the_run = matches!(gate, Gate::Plan | Gate::Sweep | Gate::Spend);
    law(is_of_the_run, || format!("the whole run waits at the {gate:?} gate"))
}

pub(super) fn asked(state: &State, id: AttemptId, reasons: &[Reason]) -> Law {
    let status = &task(state, id.task)?.status;
    let is_last = id.number as usize == task(state, id.task)?.attempts.len();
    law(is_last && *status == Status::Queued, || format!("{id} is {} and asked about", status.word()))?;
    law(!reasons.is_empty(), || format!("{id} is asked about for no reason"))
}

/// Holds that a word is given on the candidate that waits for it.
pub(super) fn answered(state: &State, id: AttemptId, commit: Oid) -> Law {
    let waits = state.asked.candidates.get(&id).is_some_and(|asked| asked.commit == commit);
    law(waits, || format!("a word is given on {commit} of {id}, which does not wait for one"))
}

pub(super) fn denied(state: &State, id: AttemptId, commit: Oid, next: &Next) -> Law {
    answered(state, id, commit)?;
    let was = &task(state, id.task)?.again;
    match next {
        Next::Keep { .. } => Ok(()),
        Next::Again(is) => {
            let same = is.agent == was.agent && is.tries == was.tries;
            let next = is.agent == was.agent + 1 && is.tries == 0;
            law((same || next) && is.from.is_none(), || format!("{id} is refused, and {is:?} follows {was:?}"))
        }
        Next::Judge | Next::Review | Next::Queue | Next::Nothing | Next::Block { .. } => {
            law(false, || format!("{id} is refused and becomes {next:?}"))
        }
    }
}

/// Holds that a candidate which changes so much has a word for all of it, or needs none.
pub(super) fn granted(state: &State, id: AttemptId, extent: &Extent) -> Law {
    let lacks = state.lacks_word(id, extent);
    law(lacks.is_empty(), || format!("{id} lands without a word, and {lacks:?} wants one"))
}

/// Holds that a candidate as its agent left it has its word.
pub(super) fn candidate_granted(state: &State, id: AttemptId) -> Law {
    let candidate = attempt(state, id)?.candidate();
    candidate.map_or(Ok(()), |candidate| granted(state, id, &candidate.extent))
}

pub(super) fn overdue(state: &State, on: Subject) -> Law {
    let waits = state.awaited().any(|(it, wait)| it == on && !wait.is_overdue);
    law(waits, || format!("a word on {on:?} is overdue, and none is awaited"))?;
    law(state.opening().goal.gating.timeout.is_some(), || "a word is overdue and had no time to come in".to_owned())
}

pub(super) fn proposed(state: &State, head: Oid) -> Law {
    law(state.asked.delivery.is_none(), || "a delivery is asked about while another waits".to_owned())?;
    law(state.head == Some(head), || format!("{head} is to be delivered, which is not the head"))
}

pub(super) fn delivery_refused(state: &State, branch: &str) -> Law {
    let waits = state.asked.delivery.as_ref().is_some_and(|it| it.branch == branch);
    law(waits, || format!("a delivery into `{branch}` is refused and none waits"))
}

pub(super) fn delivered(state: &State, branch: &str) -> Law {
    law(state.delivery.is_none(), || format!("`{branch}` is delivered twice"))?;
    let is_gated = state.opening().goal.approve.contains(&Gate::Delivery);
    let has_word = state.asked.delivery.as_ref().is_some_and(|it| it.branch == branch && Some(it.head) == state.head);
    law(!is_gated || has_word, || format!("`{branch}` is delivered without a word"))
}

/// Holds an edited plan to what planners are held to.
pub(super) fn edited(
    state: &State,
    revision: u32,
    dropped: &[TaskId],
    (changed, added): (&[NewTask], &[Added]),
) -> Law {
    law(state.waiting == Some(Gate::Plan), || "a plan is edited that waits for no word".to_owned())?;
    law(revision == state.asked.edits + 1, || format!("revision {revision} follows {}", state.asked.edits))?;
    for id in dropped.iter().chain(changed.iter().map(|it| &it.id)) {
        let task = task(state, *id)?;
        law(task.is_planned(), || format!("{id} is {} and edited", task.status.word()))?;
    }
    let last = state.tasks.last().map_or(0, |last| last.0);
    for (added, number) in added.iter().zip(last + 1..) {
        law(added.task.id.0 == number, || format!("{} follows task {}", added.task.id, number - 1))?;
        let key = &added.task.draft.key;
        law(!state.task_keys.contains_key(key), || format!("`{key}` is added again"))?;
    }
    let scope_of = |new: &NewTask| state.tasks.get(&new.id).map(|task| task.scope);
    let kept = changed.iter().filter_map(|new| Some((scope_of(new)?, new)));
    for (scope, new) in kept.chain(added.iter().map(|it| (it.scope, &it.task))) {
        lies_inside(state, scope, new)?;
        let splits = &new.draft.splits;
        law(new.draft.paths.covers(splits), || format!("{} splits {splits:?}, which it does not own", new.id))?;
    }
    splits_apart(state, dropped, (changed, added))?;
    waits_for_what_stays(state, dropped, (changed, added))
}

/// Holds that a plan is sent back while it waits, as a whole, with a reason, and to somebody who hears it.
pub(super) fn sent_back(state: &State, reason: &str, dropped: &[TaskId]) -> Law {
    law(state.waiting == Some(Gate::Plan), || "a plan is sent back that waits for no word".to_owned())?;
    law(state.is_planned_by_session(), || "a plan is sent back to nobody who hears why".to_owned())?;
    law(!reason.trim().is_empty(), || "a plan is sent back for no reason".to_owned())?;
    let count = state.asked.sent_back.len();
    law(count < SENT_BACK_MOST, || format!("a plan is sent back after {count} before it"))?;
    let is_quiet = !state.has_work_under_way() && state.planning.is_empty() && state.sitting.is_empty();
    law(is_quiet, || "a plan is sent back while somebody is at it".to_owned())?;
    let all = state.tasks.iter().filter(|(_, task)| task.is_planned()).map(|(id, _)| *id);
    law(all.eq(dropped.iter().copied()), || format!("{dropped:?} are not all of the plan that is sent back"))
}

/// Holds that no two tasks of an edited plan split the same file.
fn splits_apart(state: &State, dropped: &[TaskId], (changed, added): (&[NewTask], &[Added])) -> Law {
    let edited: BTreeSet<TaskId> = dropped.iter().copied().chain(changed.iter().map(|it| it.id)).collect();
    let kept = state.splits.iter().filter(|id| !edited.contains(id));
    let kept = kept.filter_map(|id| Some((*id, &state.tasks.get(id)?.draft)));
    let new = changed.iter().chain(added.iter().map(|it| &it.task)).map(|new| (new.id, &new.draft));
    let mut seen: Vec<(TaskId, &PathSet)> = Vec::new();
    for (id, draft) in kept.chain(new).filter(|(_, draft)| !draft.splits.is_empty()) {
        let other = seen.iter().find(|(_, splits)| splits.overlaps(&draft.splits));
        law(other.is_none(), || format!("{id} splits what {other:?} does"))?;
        seen.push((id, &draft.splits));
    }
    Ok(())
}

fn lies_inside(state: &State, scope: ScopeId, new: &NewTask) -> Law {
    let stands = state.scopes.get(&scope).filter(|it| it.status != Planning::SentBack);
    law(stands.is_some_and(|it| it.draft.paths.covers(&new.draft.paths)), || {
        format!("{} reaches outside {scope}", new.id)
    })
}

fn waits_for_what_stays(state: &State, dropped: &[TaskId], (changed, added): (&[NewTask], &[Added])) -> Law {
    let gone: BTreeSet<&TaskId> = dropped.iter().collect();
    let rewritten: BTreeSet<TaskId> = changed.iter().map(|it| it.id).collect();
    let mut waits = DiGraphMap::<TaskId, ()>::new();
    let is_open = |status: &Status| matches!(status, Status::Waiting | Status::Ready);
    let open = state.tasks.iter().filter(|(id, task)| is_open(&task.status) && !gone.contains(id));
    let open: Vec<(TaskId, &Vec<TaskId>)> =
        open.filter(|(id, _)| !rewritten.contains(id)).map(|(id, task)| (*id, &task.after)).collect();
    let new = changed.iter().chain(added.iter().map(|it| &it.task)).map(|new| (new.id, &new.after));
    for (id, after) in open.into_iter().chain(new) {
        for before in after {
            let stays = state.tasks.contains_key(before) || added.iter().any(|it| it.task.id == *before);
            law(stays && !gone.contains(before), || format!("{id} waits for {before}, which is taken out"))?;
            waits.add_edge(*before, id, ());
        }
    }
    law(petgraph::algo::toposort(&waits, None).is_ok(), || "an edited plan waits for itself".to_owned())
}

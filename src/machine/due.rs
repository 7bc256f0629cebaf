//! Owns what the state owes to the world: effects, each named after what owns it, so that owing it twice is once.
//! Starts nothing.

use super::bisect::Want;
use super::command::Link;
use super::rules::advance::{is_closing, next_start};
use super::rules::limit::next_lift;
use super::rules::word::next_lapse;
use super::state::{BatchStep, Flow, State};
use crate::model::ids::{AttemptId, BatchId, Oid, ScopeId};
use crate::model::seat::Seat;

/// States one thing that the world must do, and then report.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Effect {
    /// Make the run's branch at the base.
    OpenBranch,
    /// Run the checks on the base.
    TakeBaseline,
    /// Call a planner, under the fence with which it sits; 0 is one that plans by rule.
    Plan { scope: ScopeId, wake: u32, fence: u64 },
    /// Have a worker play an attempt.
    Work { attempt: AttemptId, fence: u64 },
    /// Have a judge look at a candidate.
    Judge { attempt: AttemptId },
    /// Have a judge's session look at a candidate through one of its lenses.
    Review { attempt: AttemptId, lens: u32, fence: u64 },
    /// Merge a batch in memory.
    Merge { batch: BatchId },
    /// Run the checks on a prefix of a batch; once more, repeating what is red, where it decides.
    Check { batch: BatchId, upto: u32, commit: Oid, tree: Oid, repeat: bool },
    /// Move the run's branch to a checked prefix.
    Land { batch: BatchId, from: Oid, to: Oid, tree: Oid },
    /// Look at the done-conditions.
    CheckConditions { head: Oid },
    /// Have the run's judge say what becomes of the run.
    JudgeRun { iteration: u32, fence: u64 },
    /// Bring the run's branch into the user's.
    Deliver { branch: String, head: Oid },
}

/// Lists what is owed, in an order that does not depend on chance.
pub fn due(state: &State) -> Vec<Effect> {
    let mut owed = Vec::new();
    if state.opening.is_none() {
        return owed;
    }
    if let (Some(branch), Some(head)) = (&state.delivery, state.head) {
        let head = state.asked.granted_delivery.as_ref().map_or(head, |granted| granted.head);
        owed.push(Effect::Deliver { branch: branch.clone(), head });
    }
    if !state.is_live() || state.flow == Flow::Stopping {
        return owed;
    }
    if state.head.is_none() {
        owed.push(Effect::OpenBranch);
    }
    if state.baseline.is_none() {
        owed.push(Effect::TakeBaseline);
    }
    if state.flow == Flow::Open {
        let by_rule = state.planning.iter().filter_map(|id| {
            let scope = state.scopes.get(id).filter(|scope| !state.plans_by_session(&scope.draft.role))?;
            Some(Effect::Plan { scope: *id, wake: scope.wake, fence: 0 })
        });
        owed.extend(by_rule);
    }
    owed.extend(state.sitting.iter().filter_map(|(seat, sitting)| match *seat {
        Seat::Attempt(_) => None,
        Seat::Planner { scope, wake } => Some(Effect::Plan { scope, wake, fence: sitting.fence }),
        Seat::RunJudge { iteration } => Some(Effect::JudgeRun { iteration, fence: sitting.fence }),
        Seat::Judge { attempt, lens } => Some(Effect::Review { attempt, lens, fence: sitting.fence }),
    }));
    for attempt in &state.running {
        if let Some(fence) = state.attempt(*attempt).map(|it| it.fence) {
            owed.push(Effect::Work { attempt: *attempt, fence });
        }
    }
    if state.baseline.is_some() {
        let judges = state.opening().judges.max(1) as usize;
        owed.extend(state.judging.iter().take(judges).map(|attempt| Effect::Judge { attempt: *attempt }));
    }
    owed.extend(landing(state));
    if let Some(head) = state.head.filter(|_| is_closing(state) && !state.awaits_run_judge()) {
        owed.push(Effect::CheckConditions { head });
    }
    owed
}

/// Tells when time alone may bring something, in milliseconds since 1970: a lease lapses, the time is used up, a limit
/// is lifted, more may begin, or a person's word is overdue.
pub fn deadline(state: &State, now_ms: i64) -> Option<i64> {
    deadline_beside(state, now_ms, |_, _| false)
}

/// Does as [`deadline`] for whoever sees which attempts are played, by their fences: the leases of these do not lapse,
/// because they are renewed before time is let pass.
pub fn deadline_beside(state: &State, now_ms: i64, is_played: impl Fn(AttemptId, u64) -> bool) -> Option<i64> {
    state.opening.as_ref()?;
    // A word is overdue only once that is said, which may be later than it is.
    let overdue = next_lapse(state).map(|at| at.max(now_ms.saturating_add(1)));
    if !state.is_live() {
        return overdue;
    }
    let leases = state.running.iter().filter_map(|id| {
        let attempt = state.attempt(*id).filter(|it| !is_played(*id, it.fence))?;
        Some(attempt.until_ms.saturating_add(1))
    });
    let wall_ms = state.budget.wall_s.and_then(|s| i64::try_from(s).ok()?.checked_mul(1000));
    let used_up = wall_ms.map(|limit| state.opened_ms.saturating_add(limit));
    leases
        .chain(used_up)
        .chain(next_lift(state, now_ms))
        .chain(next_start(state, now_ms))
        .filter(|at| *at > now_ms)
        .chain(overdue)
        .min()
}

fn landing(state: &State) -> Option<Effect> {
    let batch = state.batch.as_ref()?;
    match &batch.step {
        BatchStep::Merging => Some(Effect::Merge { batch: batch.id }),
        BatchStep::Checking { chain, search, .. } => {
            let (upto, repeat) = match search.want() {
                Want::Check(upto) => (upto, false),
                Want::Confirm(upto) => (upto, true),
                Want::Eject { .. } | Want::LandAll => return None,
            };
            let Link { commit, tree, .. } = chain.get(upto.checked_sub(1)? as usize)?.clone();
            Some(Effect::Check { batch: batch.id, upto, commit, tree, repeat })
        }
        BatchStep::Landing { chain, upto, checked, .. } => {
            let to = upto.checked_sub(1).and_then(|last| chain.get(last as usize)).map_or(batch.onto, |it| it.commit);
            Some(Effect::Land { batch: batch.id, from: batch.onto, to, tree: *checked })
        }
    }
}

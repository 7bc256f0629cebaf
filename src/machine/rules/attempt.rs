//! Owns what becomes of an attempt that ended or was lost: judged, tried again, handed to the next agent, kept.

use crate::machine::event::{Again, Event, Next};
use crate::machine::rejection::Rejection;
use crate::machine::state::{State, Task};
use crate::model::attempt::{Handoff, Outcome, Usage};
use crate::model::ids::{AttemptId, Oid};
use crate::model::role::AgentRef;

/// How often a task's worker may vanish before the task is taken for the cause and kept.
const LOST_AT_MOST: u32 = 5;

pub(in crate::machine) fn renew(
    state: &State,
    id: AttemptId,
    fence: u64,
    now_ms: i64,
) -> Result<Vec<Event>, Rejection> {
    leased(state, id, Some(fence))?;
    Ok(vec![Event::LeaseRenewed { attempt: id, until_ms: now_ms + lease_ms(state) }])
}

pub(in crate::machine) fn lease_ms(state: &State) -> i64 {
    i64::try_from(state.opening().config.lease_s.max(1) * 1000).unwrap_or(i64::MAX / 2)
}

pub(in crate::machine) fn report(
    state: &State,
    (id, fence): (AttemptId, u64),
    outcome: &Outcome,
    handoff: &Handoff,
    usage: Usage,
) -> Result<Vec<Event>, Rejection> {
    let task = leased(state, id, Some(fence))?;
    let next = match outcome {
        Outcome::Candidate(_) => Next::Judge,
        Outcome::Nothing if handoff.leftovers.is_empty() => Next::Nothing,
        Outcome::Nothing => next_agent(state, task).map_or(
            Next::Keep { why: format!("{} places are left that no agent could change", handoff.leftovers.len()) },
            Next::Again,
        ),
        Outcome::Failed { why } => again_or_keep(state, task, None, why),
        Outcome::Blocked { missing } => Next::Block { missing: missing.clone() },
    };
    let (outcome, handoff) = (outcome.clone(), handoff.clone());
    Ok(vec![Event::AttemptEnded { attempt: id, outcome, handoff, usage, next }])
}

pub(in crate::machine) fn lost(state: &State, id: AttemptId, why: &str) -> Result<Vec<Event>, Rejection> {
    let task = leased(state, id, None)?;
    let next = if task.lost + 1 >= LOST_AT_MOST {
        Next::Keep { why: format!("its worker was lost {LOST_AT_MOST} times, the last time because {why}") }
    } else {
        Next::Again(task.again.clone())
    };
    Ok(vec![Event::AttemptLost { attempt: id, why: why.to_owned(), next }])
}

/// Finds the task of an attempt that is leased, under that fence where one is given.
fn leased(state: &State, id: AttemptId, fence: Option<u64>) -> Result<&Task, Rejection> {
    let task = state.tasks.get(&id.task).ok_or(Rejection::NoTask(id.task))?;
    let attempt = state.attempt(id).ok_or(Rejection::StaleAttempt(id))?;
    if !state.running.contains(&id) || fence.is_some_and(|fence| fence != attempt.fence) {
        return Err(Rejection::StaleAttempt(id));
    }
    Ok(task)
}

/// Counts a try of the task's agent: it tries again, going on `from` a candidate or afresh, or the next agent
/// does, or the task is kept.
pub(in crate::machine) fn again_or_keep(state: &State, task: &Task, from: Option<Oid>, why: &str) -> Next {
    let tries = task.again.tries + 1;
    if tries < allowed_tries(state, task) {
        return Next::Again(Again { agent: task.again.agent, tries, from });
    }
    next_agent(state, task).map_or_else(|| Next::Keep { why: why.to_owned() }, Next::Again)
}

/// Gives the next agent in order of escalation, where the role has one.
fn next_agent(state: &State, task: &Task) -> Option<Again> {
    let agent = task.again.agent + 1;
    let is_there = state.role_of(task)?.agents.len() > agent as usize;
    is_there.then_some(Again { agent, tries: 0, from: None })
}

/// Tells how often the task's present agent may try: an agent that always gives the same answer, once.
fn allowed_tries(state: &State, task: &Task) -> u32 {
    let Some(role) = state.role_of(task) else { return 1 };
    match role.agents.get(task.again.agent as usize) {
        Some(AgentRef::Codemod | AgentRef::Shard | AgentRef::Ladder | AgentRef::Revert) | None => 1,
        Some(AgentRef::Command(_) | AgentRef::Script(_)) => role.limits.attempts.max(1),
    }
}

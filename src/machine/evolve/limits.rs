//! Owns how limits of agents' accounts change the state: met, met again, passed.

use super::attempts::{attempt_mut, go_on, spend};
use crate::machine::event::Next;
use crate::machine::limits::AgentLimit;
use crate::machine::rules::limit::times;
use crate::machine::state::State;
use crate::model::attempt::{Parked, Usage};
use crate::model::ids::AttemptId;

pub(super) fn meet(
    state: &mut State,
    id: AttemptId,
    (until_ms, why): (i64, &str),
    (usage, parked): (Usage, Option<&Parked>),
    next: &Next,
    at_ms: i64,
) {
    state.running.remove(&id);
    let Some(attempt) = state.attempt(id) else { return };
    let (agent, account, started_ms) = (attempt.agent.to_string(), attempt.agent.account(), attempt.started_ms);
    meet_as(state, &account, started_ms, (until_ms, why));
    if let Some(attempt) = attempt_mut(state, id) {
        attempt.limited = Some(why.to_owned());
        attempt.parked = parked.cloned();
        attempt.usage = usage;
        attempt.ended_ms = Some(at_ms);
    }
    spend(state, &agent, usage);
    go_on(state, id, next);
}

/// Notes a limit that somebody of an account met who began at a time.
pub(super) fn meet_as(state: &mut State, account: &str, started_ms: i64, (until_ms, why): (i64, &str)) {
    let limit = AgentLimit { until_ms, times: times(state, account, started_ms), why: why.to_owned() };
    state.limits.insert(account.to_owned(), limit);
}

/// Forgets a limit where an attempt that began after it ended otherwise.
pub(super) fn pass(state: &mut State, account: &str, started_ms: i64) {
    if state.limits.get(account).is_some_and(|limit| started_ms >= limit.until_ms) {
        state.limits.remove(account);
    }
}

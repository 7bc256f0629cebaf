//! Owns how money is held, used, and let go.

use super::attempts::attempt_mut;
use crate::machine::state::State;
use crate::model::ids::AttemptId;
use crate::model::spend::{Call, Spend};

pub(super) fn grant(state: &mut State, id: AttemptId, nano_usd: u64) {
    if let Some(attempt) = attempt_mut(state, id) {
        attempt.granted = attempt.granted.saturating_add(nano_usd);
        state.money.held = state.money.held.saturating_add(nano_usd);
    }
}

pub(super) fn give_back(state: &mut State, id: AttemptId, nano_usd: u64) {
    if let Some(attempt) = attempt_mut(state, id) {
        attempt.granted -= nano_usd;
        state.money.held -= nano_usd;
    }
}

pub(super) fn call(state: &mut State, id: AttemptId, call: &Call) {
    let Some(attempt) = attempt_mut(state, id) else { return };
    let before = attempt.held();
    attempt.spend += call.spend();
    let (used, agent) = (before - attempt.held(), attempt.agent.to_string());
    let is_counted = attempt.lost.is_some();
    state.money.held -= used;
    let mut spend = call.spend();
    if is_counted {
        spend.nano_usd = 0;
    }
    state.spent.entry(agent).or_default().spend += spend;
}

/// Frees what an attempt that reported has not used.
pub(super) fn free(state: &mut State, id: AttemptId) {
    let held = state.attempt(id).map_or(0, |attempt| attempt.held());
    state.money.held -= held;
}

/// Counts what was held for an attempt that was lost as spent: nobody knows what was under way.
pub(super) fn forfeit(state: &mut State, id: AttemptId) {
    let Some(attempt) = state.attempt(id) else { return };
    let (held, agent) = (attempt.held(), attempt.agent.to_string());
    if held > 0 {
        state.money.held -= held;
        state.spent.entry(agent).or_default().spend += Spend { nano_usd: held, ..Spend::default() };
    }
}

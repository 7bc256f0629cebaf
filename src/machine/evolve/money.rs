//! Owns how money is held, used, and let go.

use super::attempts::attempt_mut;
use crate::machine::state::State;
use crate::model::ids::AttemptId;
use crate::model::spend::{Call, Spend};

pub(super) fn grant(state: &mut State, id: AttemptId, nano_usd: u64) {
    if let Some(attempt) = attempt_mut(state, id) {
        attempt.granted = attempt.granted.saturating_add(nano_usd);
    }
}

pub(super) fn give_back(state: &mut State, id: AttemptId, nano_usd: u64) {
    if let Some(attempt) = attempt_mut(state, id) {
        attempt.granted -= nano_usd;
    }
}

/// Counts a call; its money was counted already where its attempt was lost.
pub(super) fn call(state: &mut State, id: AttemptId, call: &Call) {
    let Some(attempt) = attempt_mut(state, id) else { return };
    attempt.spend += call.spend();
    let nano_usd = if attempt.lost.is_some() { 0 } else { call.nano_usd };
    let agent = attempt.agent.to_string();
    state.spent.entry(agent).or_default().spend += Spend { nano_usd, ..call.spend() };
}

/// Counts what is held for an attempt that is lost as spent: nobody knows what was under way.
pub(super) fn forfeit(state: &mut State, id: AttemptId) {
    let Some(attempt) = state.attempt(id) else { return };
    let (held, agent) = (attempt.held(), attempt.agent.to_string());
    if held > 0 {
        state.spent.entry(agent).or_default().spend += Spend { nano_usd: held, ..Spend::default() };
    }
}

//! Owns how money is held, used, and let go.

use super::attempts::attempt_mut;
use crate::machine::state::State;
use crate::model::ids::AttemptId;
use crate::model::seat::Seat;
use crate::model::spend::{Call, Spend};

pub(super) fn grant(state: &mut State, seat: Seat, nano_usd: u64) {
    if let Some(granted) = granted_mut(state, seat) {
        *granted = granted.saturating_add(nano_usd);
    }
}

pub(super) fn give_back(state: &mut State, seat: Seat, nano_usd: u64) {
    if let Some(granted) = granted_mut(state, seat) {
        *granted -= nano_usd;
    }
}

fn granted_mut(state: &mut State, seat: Seat) -> Option<&mut u64> {
    match seat {
        Seat::Attempt(id) => attempt_mut(state, id).map(|attempt| &mut attempt.granted),
        Seat::Planner { .. } | Seat::Judge { .. } | Seat::RunJudge { .. } => {
            state.sitting.get_mut(&seat).map(|sitting| &mut sitting.granted)
        }
    }
}

/// Counts a call; its money was counted already where its attempt was lost.
pub(super) fn call(state: &mut State, seat: Seat, call: &Call) {
    let mut spend = call.spend();
    let agent = match seat {
        Seat::Attempt(id) => {
            let Some(attempt) = attempt_mut(state, id) else { return };
            attempt.spend += spend;
            if attempt.lost.is_some() {
                spend.nano_usd = 0;
            }
            attempt.agent.to_string()
        }
        Seat::Planner { .. } | Seat::Judge { .. } | Seat::RunJudge { .. } => {
            let Some(sitting) = state.sitting.get_mut(&seat) else { return };
            sitting.spend += spend;
            sitting.agent.to_string()
        }
    };
    state.spent.entry(agent).or_default().spend += spend;
}

/// Counts what is held for an attempt that is lost as spent: nobody knows what was under way.
pub(super) fn forfeit(state: &mut State, id: AttemptId) {
    let Some(attempt) = state.attempt(id) else { return };
    let (held, agent) = (attempt.held(), attempt.agent.to_string());
    if held > 0 {
        state.spent.entry(agent).or_default().spend += Spend { nano_usd: held, ..Spend::default() };
    }
}

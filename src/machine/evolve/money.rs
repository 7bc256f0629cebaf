//! Owns how money, tokens and calls are held, used, and let go.

use super::attempts::attempt_mut;
use crate::machine::state::State;
use crate::model::ids::AttemptId;
use crate::model::means::{Holder, Means};
use crate::model::seat::Seat;
use crate::model::spend::Call;

pub(super) fn grant(state: &mut State, seat: Seat, means: Means) {
    if let Some(granted) = granted_mut(state, seat) {
        *granted = granted.plus(means);
    }
}

pub(super) fn give_back(state: &mut State, seat: Seat, means: Means) {
    if let Some(granted) = granted_mut(state, seat) {
        *granted = granted.minus(means);
    }
}

/// Has nobody begin anything more whom a budget bounds that is used up; a task's says so where it is kept.
pub(super) fn ran_out(state: &mut State, of: &Holder) {
    match of {
        Holder::Run => state.is_money_short = true,
        Holder::Role(role) => _ = state.short_roles.insert(role.clone()),
        Holder::Task(_) => {}
    }
}

fn granted_mut(state: &mut State, seat: Seat) -> Option<&mut Means> {
    match seat {
        Seat::Attempt(id) => attempt_mut(state, id).map(|attempt| &mut attempt.granted),
        Seat::Planner { .. } | Seat::Judge { .. } | Seat::RunJudge { .. } => {
            state.sitting.get_mut(&seat).map(|sitting| &mut sitting.granted)
        }
    }
}

/// Counts a call; what it used was counted already where its attempt was lost.
pub(super) fn call(state: &mut State, seat: Seat, call: &Call) {
    let spend = call.spend();
    let agent = match seat {
        Seat::Attempt(id) => {
            let Some(attempt) = attempt_mut(state, id) else { return };
            attempt.spend += spend;
            let agent = attempt.agent.to_string();
            if attempt.lost.is_some() {
                state.spent.entry(agent).or_default().spend.find(spend);
                return;
            }
            agent
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
    if !held.is_nothing() {
        state.spent.entry(agent).or_default().spend.lose(held);
    }
}

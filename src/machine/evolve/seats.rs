//! Owns how seats change the state: somebody sits down, somebody is gone, and a session waits to be taken up again.

use super::{limits, word};
use crate::machine::asked::Heard;
use crate::machine::awaited::Wait;
use crate::machine::event::{Left, Rest, Turn};
use crate::machine::questions::{Question, Reply};
use crate::machine::seats::{ParkedSession, Sitting};
use crate::machine::state::State;
use crate::model::attempt::Usage;
use crate::model::means::Means;
use crate::model::role::AgentRef;
use crate::model::seat::Seat;
use crate::model::spend::Spend;

pub(super) fn take(state: &mut State, seat: Seat, agent: &AgentRef, (fence, resumes): (u64, Option<u64>), at_ms: i64) {
    state.seatings = fence;
    // Whoever else sits down says what there is to say in its place.
    let parked = state.parked.remove(&seat);
    let sitting = Sitting {
        agent: agent.clone(),
        fence,
        since_ms: at_ms,
        granted: Means::default(),
        spend: Spend::default(),
        heard: Heard::default(),
        resumes: parked.filter(|parked| resumes == Some(parked.fence)),
    };
    state.sitting.insert(seat, sitting);
}

pub(super) fn leave(state: &mut State, seat: Seat, left: &Left, usage: Usage, turn: Option<Turn>) {
    let role = state.role_at(seat).map(|role| role.name.clone()).unwrap_or_default();
    if let Some(sitting) = state.sitting.remove(&seat) {
        let account = sitting.agent.account();
        let spent = state.spent.entry(sitting.agent.to_string()).or_default();
        spent.count += 1;
        spent.usage += usage;
        let mut spend = sitting.spend;
        match left {
            // Nobody knows what was under way: what was held counts as spent.
            Left::Cut { .. } => {
                spent.spend.lose(sitting.held());
                spend.lose(sitting.held());
                // It is taken up once more from where the limit had ended it.
                state.parked.extend(sitting.resumes.map(|parked| (seat, parked)));
            }
            Left::Limited { until_ms, why, session } => {
                limits::meet_as(state, &account, sitting.since_ms, (*until_ms, why));
                state.parked.extend(parked(sitting, session.as_ref()).map(|parked| (seat, parked)));
            }
            Left::Asks { missing, session } => {
                limits::pass(state, &account, sitting.since_ms);
                let wait = Wait { since_ms: state.last_ms, is_overdue: false };
                let question = Question { missing: missing.clone(), wait, reply: Reply::Waits };
                state.asked.questions.entry(seat).or_default().push(question);
                let parked = parked(sitting, session.as_ref());
                state.parked.extend(parked.map(|parked| (seat, ParkedSession { has_asked: true, ..parked })));
            }
            Left::Done | Left::Failed { .. } => limits::pass(state, &account, sitting.since_ms),
        }
        let by_role = state.seated.entry(role).or_default();
        by_role.count += 1;
        by_role.usage += usage;
        by_role.spend += spend;
    }
    match turn {
        Some(turn) if turn != Turn::default() => {
            state.turns.insert(seat, turn);
        }
        Some(_) | None => {
            state.turns.remove(&seat);
        }
    }
}

fn parked(sitting: Sitting, session: Option<&String>) -> Option<ParkedSession> {
    let Sitting { agent, fence, .. } = sitting;
    let session = session?.clone();
    Some(ParkedSession { agent, fence, session, has_asked: false })
}

/// Gives whoever asked at a seat its answer.
pub(super) fn answer(state: &mut State, seat: Seat, answer: &str) {
    if let Some(question) = state.asked.questions.get_mut(&seat).and_then(|asked| asked.last_mut()) {
        question.reply = Reply::Given(answer.to_owned());
    }
    word::wake(state);
    // Whoever was answered may play another role than those which have used up what they may.
    if matches!(state.rest, Some(Rest::Budget { .. })) {
        state.rest = None;
    }
}

/// Withdraws questions where what their askers were to say is said or asked no longer.
pub(super) fn withdraw(state: &mut State) {
    let over: Vec<Seat> =
        state.open_questions().map(|(seat, ..)| seat).filter(|seat| !state.is_to_be_said(*seat)).collect();
    for seat in over {
        if let Some(question) = state.asked.questions.get_mut(&seat).and_then(|asked| asked.last_mut()) {
            question.reply = Reply::Withdrawn;
        }
        word::wake(state);
    }
}

/// Forgets sessions that nobody takes up again, because what they were to say is said or asked no longer.
pub(super) fn forget(state: &mut State) {
    let over: Vec<Seat> = state.parked.keys().filter(|seat| !state.may_be_taken_up(**seat)).copied().collect();
    for seat in over {
        state.parked.remove(&seat);
    }
}

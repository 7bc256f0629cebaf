//! Owns who plans and judges in sessions: one sits at a seat at a time, in the order of its role, within what the run may
//! use; who fails gives its turn to the next, and who meets a limit takes it again later.

use crate::machine::command::Leave;
use crate::machine::event::{Event, Left, Next, Rest};
use crate::machine::rejection::Rejection;
use crate::machine::rules::limit;
use crate::machine::seats::Sitting;
use crate::machine::state::State;
use crate::model::attempt::Usage;
use crate::model::ids::AttemptId;
use crate::model::review::{Lens, Review};
use crate::model::seat::Seat;
use crate::model::verdict::{Finding, Ruling, Rung};

/// Seats whoever may sit: as many planners at one time as there are workers, and as many judges as there are judges.
pub(in crate::machine) fn take(state: &State, now_ms: i64) -> Vec<Event> {
    let planners = state.sitting.keys().filter(|seat| matches!(seat, Seat::Planner { .. })).count();
    let mut free = (state.opening().workers.max(1) as usize).saturating_sub(planners);
    let mut events = Vec::new();
    for seat in state.empty_seats() {
        if limit_holds(state, seat, now_ms) {
            continue;
        }
        if matches!(seat, Seat::Planner { .. }) {
            if free == 0 {
                continue;
            }
            free -= 1;
        }
        let Some(agent) = state.next_at(seat).cloned() else { continue };
        let fence = state.seatings + events.len() as u64 + 1;
        events.push(Event::SeatTaken { seat, agent, fence });
    }
    events
}

fn limit_holds(state: &State, seat: Seat, now_ms: i64) -> bool {
    state.limit_at(seat).is_some_and(|limit| limit.until_ms > now_ms)
}

/// Finds who sits at a seat under that fence.
pub(in crate::machine) fn sits(state: &State, seat: Seat, fence: u64) -> Result<&Sitting, Rejection> {
    state.sitting.get(&seat).filter(|sitting| sitting.fence == fence).ok_or(Rejection::StaleSeat(seat))
}

pub(in crate::machine) fn leave(
    state: &State,
    (seat, fence): (Seat, u64),
    leave: &Leave,
    usage: Usage,
    now_ms: i64,
) -> Result<Vec<Event>, Rejection> {
    let sitting = sits(state, seat, fence)?;
    match leave {
        Leave::Done => match seat {
            Seat::Planner { scope, wake } => {
                let left = Event::SeatLeft { seat, left: Left::Done, usage, turn: None };
                Ok(vec![left, Event::PlannerFinished { scope, wake }])
            }
            // A judge is done when it has said something.
            Seat::Judge { .. } | Seat::RunJudge { .. } | Seat::Attempt(_) => Err(Rejection::StaleSeat(seat)),
        },
        Leave::Failed(why) => Ok(failed(state, seat, why, usage)),
        Leave::Limited { until_ms, why } => {
            let account = sitting.agent.account();
            let until_ms = limit::until(state, (&account, sitting.since_ms), *until_ms, now_ms);
            let left = Left::Limited { until_ms, why: why.clone() };
            Ok(vec![Event::SeatLeft { seat, left, usage, turn: Some(state.turn_at(seat)) }])
        }
    }
}

/// Ends a session that says nothing against its agent.
pub(in crate::machine) fn cut(state: &State, seat: Seat, why: &str) -> Event {
    let left = Left::Cut { why: why.to_owned() };
    Event::SeatLeft { seat, left, usage: Usage::default(), turn: Some(state.turn_at(seat)) }
}

/// Ends the session of a run's judge where the run has begun to move again.
pub(in crate::machine) fn unwanted(state: &State) -> Option<Event> {
    let judge = state.sitting.keys().find(|seat| matches!(seat, Seat::RunJudge { .. }))?;
    (!state.awaits_run_judge()).then(|| cut(state, *judge, "the run goes on"))
}

/// Ends all sessions that say nothing against their agents.
pub(in crate::machine) fn cut_all(state: &State, why: &str) -> Vec<Event> {
    state.sitting.keys().map(|seat| cut(state, *seat, why)).collect()
}

/// Ends a session that gave no answer: the next takes its turn, or the seat is given up. Where a judge was to speak, it
/// is told before it leaves that nobody gave a verdict, as any verdict is.
fn failed(state: &State, seat: Seat, why: &str, usage: Usage) -> Vec<Event> {
    let turn = state.turn_after(seat);
    let left = Event::SeatLeft { seat, left: Left::Failed { why: why.to_owned() }, usage, turn };
    if turn.is_some() {
        return vec![left];
    }
    match seat {
        Seat::Planner { scope, wake } => vec![left, Event::PlannerFailed { scope, wake, why: why.to_owned() }],
        Seat::Judge { attempt, lens } => vec![unjudged(state, attempt, lens, why), left],
        Seat::RunJudge { .. } => {
            let what = format!("have the run judged: no judge gave a verdict: {why}");
            vec![left, Event::RunParked { why: Rest::Trouble { what } }]
        }
        Seat::Attempt(_) => vec![left],
    }
}

/// Keeps a candidate for a person on which nobody gave a verdict.
fn unjudged(state: &State, attempt: AttemptId, lens: u32, why: &str) -> Event {
    let why = format!("no judge gave a verdict: {why}");
    let judge = state.next_at(Seat::Judge { attempt, lens }).map(ToString::to_string).unwrap_or_default();
    let finding = Finding {
        rung: Rung::Review,
        rule: "not-judged".to_owned(),
        path: None,
        what: why.clone(),
        advice: "look at the candidate yourself, or try the task again".to_owned(),
    };
    let review = Review {
        lens: lens_of(state, lens),
        judge,
        ruling: Ruling::Reject,
        scores: Vec::new(),
        findings: vec![finding],
        notes: Vec::new(),
    };
    Event::CandidateReviewed { attempt, review, next: Next::Keep { why } }
}

pub(in crate::machine) fn lens_of(state: &State, lens: u32) -> Lens {
    let index = lens.saturating_sub(1) as usize;
    state.lenses().get(index).copied().unwrap_or(Lens::Diff)
}

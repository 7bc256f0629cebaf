//! Owns the laws of seats: one sits at a time, within limits and money, and what a judge says decides no more than it may.

use super::broken::{Broken, Law, broken, law};
use super::tasks::{attempt, runs, tried};
use crate::machine::event::{Left, Next, Turn};
use crate::machine::rules::seat::QUESTIONS_AT_MOST;
use crate::machine::seats::Sitting;
use crate::machine::state::{Flow, State};
use crate::model::check::Answer;
use crate::model::ids::{AttemptId, Oid};
use crate::model::means::{Holder, Means, Unit};
use crate::model::review::{Review, RunRuling, RunVerdict};
use crate::model::role::AgentRef;
use crate::model::seat::Seat;
use crate::model::verdict::Ruling;

fn sits(state: &State, seat: Seat) -> Result<&Sitting, Broken> {
    state.sitting.get(&seat).ok_or_else(|| broken(format!("nobody sits at {seat}")))
}

/// Holds that who judges sits there, in a session of its own: it is no attempt, and never the author.
fn speaks(state: &State, seat: Seat, judge: &str) -> Law {
    let agent = sits(state, seat)?.agent.to_string();
    law(agent == judge, || format!("{agent} sits at {seat}, and {judge} speaks there"))
}

pub(super) fn taken(state: &State, seat: Seat, agent: &AgentRef, (fence, resumes): (u64, Option<u64>)) -> Law {
    law(state.is_live() && state.flow == Flow::Open, || format!("{seat} is taken while no work is handed out"))?;
    law(!state.waits_for_spending(), || format!("{seat} is taken before a word on what was spent"))?;
    law(!state.sitting.contains_key(&seat), || format!("{seat} is taken twice"))?;
    law(state.open_question(seat).is_none(), || format!("{seat} is taken and its question waits for an answer"))?;
    law(state.seats().any(|it| it == seat), || format!("nobody is wanted at {seat}"))?;
    let role = state.role_at(seat).map(|role| role.name.as_str()).unwrap_or_default();
    law(!state.short_roles.contains(role), || format!("{seat} is taken and {role} has used up its budget"))?;
    let in_turn = state.in_turn_at(seat);
    let met_one = |other: &&&AgentRef| state.limits.contains_key(&other.account());
    let is_its_turn = in_turn.iter().find(|other| **other == agent || !met_one(other)) == Some(&agent);
    law(is_its_turn, || format!("{agent} sits at {seat} and it is not its turn"))?;
    law(fence > state.seatings, || format!("seating {fence} follows seating {}", state.seatings))?;
    let parked = state.parked_at(seat, agent).map(|parked| parked.fence);
    law(resumes == parked, || format!("{agent} takes up {resumes:?} at {seat}, not {parked:?}"))?;
    let judges = state.sitting.keys().filter(|seat| matches!(seat, Seat::Judge { .. })).count();
    let most = state.opening().judges.max(1) as usize;
    law(!matches!(seat, Seat::Judge { .. }) || judges < most, || format!("{seat} is taken and {most} judges judge"))
}

fn attempt_of(seat: Seat) -> Option<AttemptId> {
    match seat {
        Seat::Attempt(attempt) => Some(attempt),
        Seat::Planner { .. } | Seat::Judge { .. } | Seat::RunJudge { .. } => None,
    }
}

fn held(state: &State, seat: Seat) -> Result<Means, Broken> {
    match attempt_of(seat) {
        Some(attempt) => Ok(runs(state, attempt)?.held()),
        None => Ok(sits(state, seat)?.held()),
    }
}

pub(super) fn granted(state: &State, seat: Seat, means: Means) -> Law {
    held(state, seat)?;
    state.accounts(seat).try_for_each(|it| {
        let after = it.accounted.plus(means);
        let fits = Unit::ALL.into_iter().all(|unit| it.bounds.of(unit).is_none_or(|most| after.of(unit) <= most));
        law(fits, || format!("{means} more than {} of {:?} of {} are held", it.accounted, it.bounds, it.holder))
    })
}

pub(super) fn returned(state: &State, seat: Seat, means: Means) -> Law {
    let held = held(state, seat)?;
    law(means.fits(held), || format!("{means} of {held} that are held for {seat} are returned"))
}

pub(super) fn called(state: &State, seat: Seat) -> Law {
    match attempt_of(seat) {
        Some(id) => attempt(state, id).map(|_| ()),
        None => sits(state, seat).map(|_| ()),
    }
}

pub(super) fn ran_out(state: &State, seat: Seat, of: &Holder) -> Law {
    held(state, seat)?;
    let account = state.accounts(seat).find(|account| account.holder == *of);
    law(account.is_some_and(|account| !account.is_short), || format!("what {of} may use without bounds ran out"))
}

pub(super) fn left(state: &State, seat: Seat, left: &Left, turn: Option<Turn>) -> Law {
    sits(state, seat)?;
    let present = state.turn_at(seat);
    let wanted = match left {
        Left::Done => None,
        Left::Failed { .. } => state.turn_after(seat),
        Left::Limited { .. } | Left::Cut { .. } | Left::Asks { .. } => Some(present),
    };
    let asked = state.asked.questions.get(&seat).map_or(0, Vec::len);
    let may_ask = !matches!(left, Left::Asks { .. }) || asked < QUESTIONS_AT_MOST;
    law(may_ask, || format!("somebody at {seat} asks once more after {asked} times"))?;
    law(turn == wanted, || format!("{seat} is left by {left:?} and goes on as {turn:?}"))
}

/// Holds that an answer is given on the question that waits for one.
pub(super) fn answered(state: &State, seat: Seat, number: u32) -> Law {
    let waits = state.end.is_none() && state.open_question(seat).is_some_and(|(open, _)| open == number);
    law(waits, || format!("question {number} of {seat} is answered, and does not wait"))
}

pub(super) fn reviewed(state: &State, id: AttemptId, review: &Review, next: &Next) -> Law {
    law(state.reviewing.contains(&id), || format!("{id} waits for no review"))?;
    let lens = u32::try_from(state.looked_at(id)).unwrap_or(u32::MAX).saturating_add(1);
    speaks(state, Seat::Judge { attempt: id, lens }, &review.judge)?;
    let is_last = state.looked_at(id) + 1 >= state.lenses().len();
    let wanted = if is_last { Next::Queue } else { Next::Review };
    let is_accepted = review.ruling == Ruling::Accept;
    law(is_accepted == (*next == wanted), || format!("{:?} makes {id} {next:?}", review.ruling))?;
    law(is_accepted == review.findings.is_empty(), || format!("{:?} of {id} has other findings", review.ruling))?;
    if is_accepted { Ok(()) } else { tried(state, id, next) }
}

pub(super) fn run_judged(state: &State, (iteration, head): (u32, Oid), (judge, verdict): (&str, &RunVerdict)) -> Law {
    speaks(state, Seat::RunJudge { iteration }, judge)?;
    law(iteration == state.iteration, || format!("iteration {iteration} is judged in {}", state.iteration))?;
    let looked = state.conditions.as_ref().filter(|(at, _)| *at == head && state.head == Some(head));
    let (_, results) = looked.ok_or_else(|| broken(format!("the run was judged at {head}, where nobody looked")))?;
    let is_green = |name: &str| results.iter().any(|it| it.name == name && it.answer == Answer::Green);
    let is_red = state.opening().goal.done.iter().any(|it| !is_green(it.name()));
    law(verdict.ruling != RunRuling::Done || !is_red, || "the run is done over what does not hold".to_owned())
}

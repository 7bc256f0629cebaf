//! Owns how each event changes the state. Never refuses: what is recorded has happened.

mod asked;
mod attempts;
mod edit;
mod landing;
mod limits;
mod money;
mod plan;
mod seats;
mod word;

use std::sync::Arc;

use super::event::{Event, Recorded};
use super::seats::Ruled;
use super::state::{Flow, State};
use crate::model::check::Answer;
use crate::model::seat::Seat;
use crate::model::task::Work;

/// Folds one event into the state.
#[expect(clippy::too_many_lines, reason = "one short arm for each event keeps the vocabulary readable in one place")]
pub fn evolve(mut state: State, recorded: &Recorded) -> State {
    state.seq = recorded.seq;
    state.last_ms = recorded.at_ms;
    if matches!(recorded.event, Event::RunParked { .. } | Event::RunEnded { .. }) {
        state.rested_ms = recorded.at_ms;
    }
    let at = recorded.at_ms;
    match &recorded.event {
        Event::RunOpened(opening) => open(&mut state, opening, at),
        Event::CoordinatorWoke { epoch, sandbox } => {
            wake(&mut state, *epoch);
            state.sandbox = *sandbox;
        }
        Event::BranchOpened { at } => {
            state.head = Some(*at);
            state.head_tree = Some(state.opening().base_tree);
        }
        Event::BaselineTaken { results } => {
            state.baseline = Some(results.iter().map(|result| (result.name.clone(), result.clone())).collect());
        }
        Event::ScopeOpened { scope, parent, draft, iteration } => {
            plan::open_scope(&mut state, *scope, *parent, draft, *iteration);
        }
        Event::TasksEmitted { scope, tasks } => {
            // What a person took out must not be planned in again.
            state.planning_closed |= tasks.iter().any(|task| matches!(task.work, Work::Revert(_)));
            plan::add_tasks(&mut state, *scope, tasks);
            word::look_up(&mut state);
        }
        Event::PlannerFinished { scope, .. } => plan::finish(&mut state, *scope, super::state::Planning::Finished),
        Event::PlannerFailed { scope, why, .. } => {
            plan::finish(&mut state, *scope, super::state::Planning::Failed(why.clone()));
        }
        Event::PlannerWoken { scope, wake, handoffs } => plan::wake(&mut state, *scope, *wake, handoffs),
        Event::DecisionClaimed { scope, decision, value } => asked::decide(&mut state, *scope, decision, value),
        Event::ScopeAskRaised { task, to } => asked::raise(&mut state, *task, *to),
        Event::ScopeAnswered { task, granted, paths, reason, .. } => {
            asked::answer(&mut state, *task, granted.then_some(paths), reason);
            word::look_up(&mut state);
        }
        Event::SteeringHeard { seat, heard, .. } => asked::hear(&mut state, *seat, *heard),
        Event::AttemptLeased(lease) => attempts::lease(&mut state, lease, at),
        Event::LeaseRenewed { attempt, until_ms } => attempts::renew(&mut state, *attempt, *until_ms),
        Event::AllowanceGranted { seat, means } => money::grant(&mut state, *seat, *means),
        Event::AllowanceReturned { seat, means } => money::give_back(&mut state, *seat, *means),
        Event::CallMade { seat, call } => money::call(&mut state, *seat, call),
        // What it held lies beside the journal, and nothing is decided by it.
        Event::TranscriptKept { .. } => {}
        Event::MoneyRanOut { of, .. } => money::ran_out(&mut state, of),
        Event::SeatTaken { seat, agent, fence, resumes } => {
            seats::take(&mut state, *seat, agent, (*fence, *resumes), at);
        }
        Event::SeatLeft { seat, left, usage, turn } => seats::leave(&mut state, *seat, left, *usage, *turn),
        Event::CandidateReviewed { attempt, review, next } => attempts::review(&mut state, *attempt, review, next),
        Event::AttemptLost { attempt, why, counts, next } => {
            attempts::lose(&mut state, *attempt, (why, *counts), next, at);
        }
        Event::AttemptLimited { attempt, until_ms, why, usage, next, parked } => {
            limits::meet(&mut state, *attempt, (*until_ms, why), (*usage, parked.as_ref()), next, at);
        }
        Event::LimitLifted { agent } => {
            state.limits.remove(agent);
        }
        Event::AttemptEnded { attempt, outcome, handoff, usage, next } => {
            attempts::end(&mut state, *attempt, (outcome, handoff, *usage), next, at);
        }
        Event::VerdictGiven { attempt, verdict, usage, next } => {
            attempts::judge(&mut state, *attempt, verdict, *usage, next);
        }
        Event::RunJudged { iteration, head, verdict, .. } => {
            state.ruled = Some(Ruled { iteration: *iteration, head: *head, verdict: verdict.clone() });
        }
        Event::BatchFormed { batch, members, onto } => landing::form(&mut state, *batch, members, *onto),
        Event::BatchMerged { batch: _, chain, conflicts: _ } => landing::merged(&mut state, chain),
        Event::PrefixChecked { upto, tree, results, green, flaky, .. } => {
            landing::checked(&mut state, *upto, *tree, results, (*green, *flaky));
        }
        Event::MemberEjected { attempt, findings, next, .. } => landing::eject(&mut state, *attempt, findings, next),
        Event::BatchLanded { landed, head, tree, .. } => landing::land(&mut state, landed, *head, *tree),
        Event::BatchClosed { .. } => landing::close(&mut state),
        Event::GateReached { gate } => word::reach(&mut state, *gate, at),
        Event::GatePassed { gate } => word::pass(&mut state, *gate),
        Event::GateRefused { .. } => state.waiting = None,
        Event::CandidateAsked { attempt, reasons } => word::ask(&mut state, *attempt, reasons, at),
        Event::CandidateApproved { attempt, .. } => word::approve(&mut state, *attempt),
        Event::CandidateDenied { attempt, reason, next, .. } => word::deny(&mut state, *attempt, reason, next),
        Event::WordOverdue { on, then } => word::overdue(&mut state, *on, *then),
        Event::QuestionAnswered { seat, answer, .. } => seats::answer(&mut state, *seat, answer),
        Event::PlanEdited { dropped, changed, added, .. } => edit::edit(&mut state, dropped, changed, added),
        Event::PlanSentBack { reason, dropped } => word::send_back(&mut state, reason, dropped),
        Event::SampleAccepted => state.sample_accepted = true,
        Event::IterationBegan { iteration } => {
            state.iteration = *iteration;
            state.plan_tree = state.head_tree;
            state.landed_in_iteration = 0;
            let before = state.conditions.take().map(|(_, results)| results).unwrap_or_default();
            state.red = before.into_iter().filter(|result| result.answer != Answer::Green).collect();
        }
        Event::ConditionsChecked { head, results } => {
            state.conditions = Some((*head, results.clone()));
            // What was judged of the run were other answers.
            state.parked.retain(|seat, _| !matches!(seat, Seat::RunJudge { .. }));
        }
        Event::TaskOverruled { task } => {
            word::grant_overruled(&mut state, *task);
            attempts::overrule(&mut state, *task);
            word::look_up(&mut state);
        }
        Event::TaskDropped { task, reason } => {
            state.planning_closed = true;
            word::forget_task(&mut state, *task);
            attempts::drop_task(&mut state, *task, reason);
            word::look_up(&mut state);
        }
        Event::TaskRetried { task } => {
            attempts::retry(&mut state, *task);
            word::look_up(&mut state);
        }
        Event::Steered { task, message } => attempts::steer(&mut state, *task, message),
        Event::DeliveryProposed { branch, head, onto, failed } => {
            word::propose(&mut state, branch, (*head, *onto), failed.as_ref(), at);
        }
        Event::DeliveryRefused { .. } => state.asked.delivery = None,
        Event::DeliveryAsked { branch } => word::deliver(&mut state, branch),
        Event::Delivered { branch, result } => {
            state.delivery = None;
            state.delivered = Some((branch.clone(), result.clone()));
            let head = state.asked.granted_delivery.take().map(|granted| granted.head).or(state.head);
            if result.is_ok() {
                state.delivered_head = head;
            }
        }
        Event::Draining => state.flow = Flow::Draining,
        Event::Stopping => state.flow = Flow::Stopping,
        Event::Resumed => {
            state.flow = Flow::Open;
            state.rest = None;
            word::wait_afresh(&mut state, at);
        }
        Event::BudgetRaised { budget } => raise(&mut state, budget),
        Event::SpaceRanShort { what } => state.short = Some(what.clone()),
        Event::SpaceCameBack => state.short = None,
        Event::RunParked { why } => state.rest = Some(why.clone()),
        Event::RunReopened => {
            state.end = None;
            state.rest = None;
            state.conditions = None;
            state.planning_closed = true;
            word::wait_afresh(&mut state, at);
        }
        Event::RequestAnswered { id } => {
            state.answered.insert(id.clone(), Ok(()));
        }
        Event::RequestRefused { id, why } => {
            state.answered.insert(id.clone(), Err(why.clone()));
        }
        Event::RunEnded { end } => state.end = Some(end.clone()),
    }
    if !state.parked.is_empty() {
        seats::forget(&mut state);
    }
    if !state.asked.questions.is_empty() {
        seats::withdraw(&mut state);
    }
    state
}

/// Folds a whole journal.
pub fn replay<'a>(events: impl IntoIterator<Item = &'a Recorded>) -> State {
    events.into_iter().fold(State::default(), evolve)
}

fn open(state: &mut State, opening: &super::command::Opening, at_ms: i64) {
    state.opened_ms = at_ms;
    state.iteration = 1;
    state.plan_tree = Some(opening.base_tree);
    state.budget = opening.goal.budget.clone();
    state.sample_accepted = opening.goal.plan.sample == 0;
    if opening.goal.checks.is_empty() {
        state.baseline = Some(std::collections::BTreeMap::new());
    }
    state.opening = Some(Arc::new(opening.clone()));
}

fn wake(state: &mut State, epoch: u64) {
    state.epoch = epoch;
    if matches!(state.rest, Some(super::event::Rest::Trouble { .. })) {
        state.rest = None;
    }
}

fn raise(state: &mut State, by: &crate::model::goal::Budget) {
    let budget = &mut state.budget;
    budget.wall_s = by.wall_s.or(budget.wall_s);
    budget.attempts = by.attempts.or(budget.attempts);
    budget.cpu_s = by.cpu_s.or(budget.cpu_s);
    budget.nano_usd = by.nano_usd.or(budget.nano_usd);
    budget.tokens = by.tokens.or(budget.tokens);
    budget.calls = by.calls.or(budget.calls);
    budget.task.raise(&by.task);
    for (role, bounds) in &by.roles {
        budget.roles.entry(role.clone()).or_default().raise(bounds);
        state.short_roles.remove(role);
    }
    state.is_money_short &= by.bounds().is_none();
    if matches!(state.rest, Some(super::event::Rest::Budget { .. })) {
        state.rest = None;
    }
}

//! Owns which laws an event is held against, and those of the run as a whole: opened, woken, at rest, at its end.

use super::broken::{Law, broken, law};
use super::{asked, landing, planning, seats, tasks, words};
use crate::machine::due::Effect;
use crate::machine::event::{End, Event};
use crate::machine::state::{Flow, State};
use crate::model::check::{Answer, CheckResult};
use crate::model::ids::Oid;

/// Holds an event against the state that it is to follow.
///
/// # Errors
/// Says which law the event would break; it must not be stored.
#[expect(clippy::too_many_lines, reason = "one short arm for each event keeps the vocabulary readable in one place")]
pub fn follows(state: &State, event: &Event) -> Law {
    let opens = matches!(event, Event::RunOpened(_));
    let is_open = state.opening.is_some();
    law(opens != is_open, || format!("{} in a run that is {}open", event.kind(), if is_open { "" } else { "not " }))?;
    match event {
        Event::RunOpened(_) | Event::Steered { .. } | Event::BudgetRaised { .. } => Ok(()),
        Event::CoordinatorWoke { epoch, .. } => {
            law(*epoch > state.epoch, || format!("coordinator {epoch} follows coordinator {}", state.epoch))
        }
        Event::BranchOpened { at } => {
            let is_at_base = state.head.is_none() && *at == state.opening().base;
            law(is_at_base, || format!("the branch is opened at {at}"))
        }
        Event::BaselineTaken { .. } => law(state.baseline.is_none(), || "the base is checked again".to_owned()),
        Event::ScopeOpened { scope, parent, draft, iteration } => {
            planning::opened(state, *scope, *parent, draft, *iteration)
        }
        Event::TasksEmitted { scope, tasks } => planning::emitted(state, *scope, tasks),
        Event::PlannerFinished { scope, wake } | Event::PlannerFailed { scope, wake, .. } => {
            planning::finished(state, *scope, *wake)
        }
        Event::PlannerWoken { scope, wake, handoffs } => planning::woken(state, *scope, *wake, handoffs),
        Event::IterationBegan { iteration } => planning::anew(state, *iteration),
        Event::DecisionClaimed { scope, decision, .. } => asked::decided(state, *scope, decision),
        Event::ScopeAskRaised { task, to } => asked::raised(state, *task, *to),
        Event::ScopeAnswered { task, granted, paths, by, .. } => {
            asked::answered(state, *task, granted.then_some(paths), *by)
        }
        Event::SteeringHeard { seat, heard, .. } => asked::heard(state, *seat, *heard),
        Event::AttemptLeased(lease) => tasks::leased(state, lease),
        Event::LeaseRenewed { attempt, .. } => tasks::runs(state, *attempt).map(|_| ()),
        Event::AllowanceGranted { seat, means } => seats::granted(state, *seat, *means),
        Event::AllowanceReturned { seat, means } => seats::returned(state, *seat, *means),
        Event::CallMade { seat, .. } | Event::TranscriptKept { seat, .. } => seats::called(state, *seat),
        Event::MoneyRanOut { seat, of } => seats::ran_out(state, *seat, of),
        Event::SeatTaken { seat, agent, fence, resumes } => seats::taken(state, *seat, agent, (*fence, *resumes)),
        Event::SeatLeft { seat, left, turn, .. } => seats::left(state, *seat, left, *turn),
        Event::RunJudged { iteration, head, judge, verdict } => {
            seats::run_judged(state, (*iteration, *head), (judge, verdict))
        }
        Event::CandidateReviewed { attempt, review, next } => seats::reviewed(state, *attempt, review, next),
        Event::AttemptLost { attempt, counts, next, .. } => tasks::lost(state, *attempt, (*counts, next)),
        Event::AttemptLimited { attempt, next, .. } => tasks::limited(state, *attempt, next),
        Event::LimitLifted { agent } => {
            law(state.limits.contains_key(agent), || format!("no limit of {agent} is known that could be lifted"))
        }
        Event::AttemptEnded { attempt, outcome, handoff, next, .. } => {
            asked::not_too_often(state, *attempt, handoff, next)?;
            tasks::ended(state, *attempt, outcome, next)
        }
        Event::VerdictGiven { attempt, verdict, next, .. } => tasks::judged(state, *attempt, verdict, next),
        Event::TaskOverruled { task } => tasks::overruled(state, *task),
        Event::TaskRetried { task } => tasks::is_kept(state, *task),
        Event::TaskDropped { task, .. } => tasks::dropped(state, *task),
        Event::BatchFormed { members, onto, .. } => landing::formed(state, members, *onto),
        Event::BatchMerged { batch, chain, .. } => landing::merged(state, *batch, chain),
        Event::PrefixChecked { batch, upto, tree, results, green, flaky } => {
            landing::checked(state, *batch, (*upto, *tree), results, (*green, *flaky))
        }
        Event::MemberEjected { batch, attempt, findings, next } => {
            landing::ejected(state, *batch, *attempt, findings, next)
        }
        Event::BatchLanded { batch, landed, head, tree, flaky } => {
            landing::landed(state, *batch, landed, (*head, *tree), *flaky)
        }
        Event::BatchClosed { batch } => landing::batch(state, *batch).map(|_| ()),
        Event::GateReached { gate } => words::reached(state, *gate),
        Event::CandidateAsked { attempt, reasons } => words::asked(state, *attempt, reasons),
        Event::CandidateApproved { attempt, commit } => words::answered(state, *attempt, *commit),
        Event::CandidateDenied { attempt, commit, next, .. } => words::denied(state, *attempt, *commit, next),
        Event::QuestionAnswered { seat, number, .. } => seats::answered(state, *seat, *number),
        Event::WordOverdue { on, .. } => words::overdue(state, *on),
        Event::PlanEdited { revision, dropped, changed, added } => {
            words::edited(state, *revision, dropped, (changed, added))
        }
        Event::PlanSentBack { reason, dropped } => words::sent_back(state, reason, dropped),
        Event::DeliveryProposed { head, .. } => words::proposed(state, *head),
        Event::DeliveryRefused { branch, .. } => words::delivery_refused(state, branch),
        Event::GatePassed { gate } | Event::GateRefused { gate, .. } => {
            law(state.waiting == Some(*gate), || format!("nothing waits at the {gate:?} gate"))
        }
        Event::SampleAccepted => planning::sampled(state),
        Event::ConditionsChecked { head, .. } => {
            law(state.head == Some(*head), || format!("the conditions were looked at on {head}"))
        }
        Event::DeliveryAsked { branch } => words::delivered(state, branch),
        Event::Delivered { branch, .. } => {
            law(state.delivery.as_ref() == Some(branch), || format!("nobody asked for a delivery into `{branch}`"))
        }
        Event::Draining | Event::Stopping => law(state.end.is_none(), || "an ended run is stopped".to_owned()),
        Event::Resumed => {
            let is_held = state.rest.is_some() || state.flow != Flow::Open;
            law(state.end.is_none() && is_held, || "a run that goes on is resumed".to_owned())
        }
        Event::RunParked { .. } => law(state.is_live(), || "a run that rests or has ended is parked".to_owned()),
        Event::RunReopened => law(state.end.is_some(), || "a run that has not ended is taken up again".to_owned()),
        Event::RequestAnswered { id } | Event::RequestRefused { id, .. } => {
            law(!state.answered.contains_key(id), || format!("request {id} is answered again"))
        }
        Event::SpaceRanShort { .. } => law(state.short.is_none(), || "the disk runs short again".to_owned()),
        Event::SpaceCameBack => law(state.short.is_some(), || "the disk was not short".to_owned()),
        Event::RunEnded { end } => ended(state, end),
    }
}

/// Holds that a run which neither rests nor has ended waits for something that was named: what it owes, space, or
/// the end of a limit.
///
/// # Errors
/// Fails where nothing is owed and nothing can come.
pub fn moves_or_rests(state: &State, owed: &[Effect]) -> Law {
    let waits = !owed.is_empty() || state.short.is_some() || waits_for_limit(state);
    law(!state.is_live() || waits, || "the run neither rests nor waits for anything".to_owned())
}

/// Tells whether a ready task waits for a limit that was not lifted when all was last begun that could be.
fn waits_for_limit(state: &State) -> bool {
    let is_coming = |until_ms: i64| state.flow == Flow::Open && until_ms > state.last_ms;
    let mut ready = state.ready.iter().filter_map(|it| state.limit_of(state.tasks.get(&it.task)?));
    let mut seats = state.empty_seats().filter_map(|seat| Some(state.limit_at(seat)?.1));
    let has_limits = !state.limits.is_empty();
    has_limits && (ready.any(|(_, limit)| is_coming(limit.until_ms)) || seats.any(|limit| is_coming(limit.until_ms)))
}

fn ended(state: &State, end: &End) -> Law {
    law(state.end.is_none(), || "an ended run ends again".to_owned())?;
    let is_here = |head: Oid| state.head == Some(head);
    let has_word = state.ruled.as_ref().is_some_and(|it| it.iteration == state.iteration && is_here(it.head));
    let is_owed = state.run_judge().is_some() && !matches!(end, End::Denied { .. });
    law(!is_owed || has_word, || "a run ends without the word of its judge".to_owned())?;
    let (kept_named, red_named) = match end {
        End::Done => (0, &Vec::new()),
        End::Incomplete { kept, red, .. } => (kept.len(), red),
        End::Denied { .. } => return Ok(()),
    };
    let is_quiet = !state.has_work_under_way() && state.reviewing.is_empty() && state.sitting.is_empty();
    law(is_quiet && state.planning.is_empty(), || "a run ends under way".to_owned())?;
    let left = state.tally.open() + state.tally.kept + state.tally.blocked;
    law(left as usize == kept_named, || format!("{left} tasks are left and {kept_named} are named"))?;
    let looked = state.conditions.as_ref().filter(|(head, _)| state.head == Some(*head));
    let (_, results): &(Oid, Vec<CheckResult>) =
        looked.ok_or_else(|| broken("the run ends and nobody looked at the conditions"))?;
    let is_green = |name: &str| results.iter().any(|it| it.name == name && it.answer == Answer::Green);
    let red = state.opening().goal.done.iter().map(|it| it.name()).filter(|name| !is_green(name));
    law(red.clone().eq(red_named), || format!("{:?} are red and {red_named:?} are named", red.collect::<Vec<_>>()))?;
    match end {
        End::Incomplete { kept, red, failed_planners, judged } => {
            let has_reason = !kept.is_empty() || !red.is_empty() || !failed_planners.is_empty() || judged.is_some();
            law(has_reason, || "a run is incomplete without a reason".to_owned())
        }
        End::Done | End::Denied { .. } => Ok(()),
    }
}

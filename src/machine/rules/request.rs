//! Owns what people may ask: each request is answered once, by what it makes happen or by the reason why not.

use std::collections::BTreeSet;

use crate::machine::awaited::Shown;
use crate::machine::command::Ask;
use crate::machine::event::{End, Event, NewTask, Rest};
use crate::machine::rejection::Rejection;
use crate::machine::rules::asked;
use crate::machine::rules::plan::{new_task, next_task};
use crate::machine::rules::{edit, seat, send_back, word};
use crate::machine::state::{Flow, State, Status, Task};
use crate::model::goal::Gate;
use crate::model::ids::{Oid, RequestId, TaskId};
use crate::model::paths::PathSet;
use crate::model::task::{TaskDraft, Work};

pub(in crate::machine) fn request(state: &State, id: &RequestId, ask: &Ask) -> Vec<Event> {
    if state.answered.contains_key(id) {
        return Vec::new();
    }
    match carry_out(state, ask) {
        Ok(mut events) => {
            events.push(Event::RequestAnswered { id: id.clone() });
            events
        }
        Err(refusal) => vec![Event::RequestRefused { id: id.clone(), why: refusal.to_string() }],
    }
}

fn carry_out(state: &State, ask: &Ask) -> Result<Vec<Event>, Rejection> {
    match ask {
        Ask::Approve(gate) => {
            waits_at(state, *gate)?;
            Ok(vec![Event::GatePassed { gate: *gate }])
        }
        Ask::ApproveGate { gate, shown } => {
            waits_as_shown(state, *gate, *shown)?;
            Ok(vec![Event::GatePassed { gate: *gate }])
        }
        Ask::Deny { gate, reason, shown } => {
            waits_as_shown(state, *gate, shown.unwrap_or_else(|| state.shown()))?;
            let end = End::Denied { reason: reason.clone() };
            Ok(vec![Event::GateRefused { gate: *gate, reason: reason.clone() }, Event::RunEnded { end }])
        }
        Ask::SendPlanBack(objection) => {
            waits_as_shown(state, Gate::Plan, objection.shown)?;
            send_back::plan(state, &objection.reason)
        }
        Ask::ApproveTask(task) => approve_task(state, *task),
        Ask::ApproveCandidate { attempt, commit } => word::approve(state, *attempt, *commit),
        Ask::DenyCandidate { attempt, commit, reason, then } => word::deny(state, (*attempt, *commit), reason, *then),
        Ask::ApproveDelivery { branch, head } => word::approve_delivery(state, branch, *head),
        Ask::DenyDelivery { branch, head, reason } => word::deny_delivery(state, (branch, *head), reason),
        Ask::EditPlan(edit) => edit::edit(state, edit),
        Ask::DenyTask { task, reason } => {
            may_be_given_up(state, *task)?;
            let dropped = Event::TaskDropped { task: *task, reason: reason.clone() };
            Ok(reopening(state, vec![dropped]))
        }
        Ask::Retry(task) => retry(state, *task),
        Ask::Drain => running_run(state, Event::Draining),
        Ask::Stop => running_run(state, Event::Stopping),
        Ask::Resume => resume(state),
        Ask::Steer { task, message } => {
            if let Some(task) = task {
                find(state, *task)?;
            }
            Ok(vec![Event::Steered { task: *task, message: message.clone() }])
        }
        Ask::AnswerScope { task, granted, reason } => {
            Ok(reopening(state, asked::person(state, *task, (*granted, reason))?))
        }
        Ask::AnswerQuestion { seat, number, answer } => seat::answer(state, (*seat, *number), answer),
        Ask::Revert(task) => revert(state, *task),
        Ask::Deliver { branch, onto } => deliver(state, branch.as_ref(), *onto),
        Ask::Raise(budget) => match budget.roles.keys().find(|role| !state.opening().roles.contains_key(*role)) {
            Some(role) => Err(Rejection::UnknownRole(role.clone())),
            None => Ok(vec![Event::BudgetRaised { budget: budget.clone() }]),
        },
    }
}

fn waits_at(state: &State, gate: Gate) -> Result<(), Rejection> {
    (state.waiting == Some(gate)).then_some(()).ok_or(Rejection::NotWaiting(gate))
}

fn waits_as_shown(state: &State, gate: Gate, shown: Shown) -> Result<(), Rejection> {
    waits_at(state, gate)?;
    let present = state.shown();
    if shown.edits != present.edits {
        return Err(Rejection::PlanNotAsShown);
    }
    (shown == present).then_some(()).ok_or(Rejection::GateNotAsShown(gate))
}

fn find(state: &State, task: TaskId) -> Result<&Task, Rejection> {
    state.tasks.get(&task).ok_or(Rejection::NoTask(task))
}

fn kept(state: &State, id: TaskId) -> Result<&Task, Rejection> {
    let task = find(state, id)?;
    if let Some((_, asked)) = state.asked.candidates.iter().find(|(attempt, _)| attempt.task == id) {
        return Err(Rejection::GiveItOnTheCandidate { task: id, commit: asked.commit });
    }
    let is_kept = matches!(task.status, Status::Kept { .. } | Status::Blocked { .. });
    is_kept.then_some(task).ok_or(Rejection::NotKept { task: id, status: task.status.word() })
}

/// A task that waits may be given up too: what it waits for may never land, and its candidate need not, nor what its judge
/// asks about.
fn may_be_given_up(state: &State, id: TaskId) -> Result<(), Rejection> {
    if state.is_asked_about(id) || matches!(find(state, id)?.status, Status::Waiting | Status::Gated) {
        Ok(())
    } else {
        kept(state, id).map(|_| ())
    }
}

/// Tries a kept task again; where one waits for a limit, a person's word is believed that it is lifted.
fn retry(state: &State, id: TaskId) -> Result<Vec<Event>, Rejection> {
    if let Some((agent, _)) = state.limit_of(find(state, id)?) {
        return Ok(vec![Event::LimitLifted { agent: agent.to_owned() }]);
    }
    kept(state, id)?;
    Ok(reopening(state, vec![Event::TaskRetried { task: id }]))
}

/// Takes an ended run up again with what a person has decided.
pub(in crate::machine) fn reopening(state: &State, mut events: Vec<Event>) -> Vec<Event> {
    if state.end.is_some() {
        events.insert(0, Event::RunReopened);
    }
    events
}

fn approve_task(state: &State, id: TaskId) -> Result<Vec<Event>, Rejection> {
    let task = kept(state, id)?;
    let last = task.attempts.last();
    let candidate = last.filter(|attempt| attempt.candidate().is_some() && attempt.landed.is_none());
    candidate.ok_or(Rejection::NoCandidate(id))?;
    Ok(reopening(state, vec![Event::TaskOverruled { task: id }]))
}

fn running_run(state: &State, event: Event) -> Result<Vec<Event>, Rejection> {
    if state.end.is_some() {
        return Err(Rejection::NotResting("at its end"));
    }
    let is_harder = matches!(event, Event::Stopping) && state.flow == Flow::Draining;
    if (state.flow != Flow::Open && !is_harder) || matches!(state.rest, Some(Rest::Stopped)) {
        return Ok(Vec::new());
    }
    Ok(vec![event])
}

fn resume(state: &State) -> Result<Vec<Event>, Rejection> {
    if state.end.is_some() {
        return Err(Rejection::NotResting("at its end; retry or revert a task to take it up again"));
    }
    if state.rest.is_none() && state.flow == Flow::Open {
        return Ok(Vec::new());
    }
    match state.rest {
        Some(Rest::Gate(_)) if state.flow == Flow::Open => {
            Err(Rejection::NotResting("waiting for a person's word: approve or deny it"))
        }
        Some(Rest::Question) if state.flow == Flow::Open => {
            Err(Rejection::NotResting("waiting for a person's answer: give it"))
        }
        Some(Rest::Gate(_) | Rest::Question | Rest::Stopped | Rest::Budget { .. } | Rest::Trouble { .. }) | None => {
            Ok(vec![Event::Resumed])
        }
    }
}

fn revert(state: &State, id: TaskId) -> Result<Vec<Event>, Rejection> {
    let task = find(state, id)?;
    let Status::Landed { commit } = task.status else {
        return Err(Rejection::NotLanded { task: id, status: task.status.word() });
    };
    let key = format!("revert {id} {}", commit.short());
    if state.task_keys.contains_key(&key) {
        return Ok(Vec::new());
    }
    let draft = TaskDraft {
        key,
        title: format!("revert {id}: {}", task.draft.title),
        brief: String::new(),
        paths: task.draft.paths.clone(),
        after: BTreeSet::new(),
        checks: Vec::new(),
        role: task.draft.role.clone(),
        rules: Vec::new(),
        weight: 1,
        splits: PathSet::default(),
    };
    let new = NewTask { work: Work::Revert(id), ..new_task(next_task(state), draft, Vec::new()) };
    let emitted = Event::TasksEmitted { scope: task.scope, tasks: vec![new] };
    Ok(reopening(state, vec![emitted]))
}

fn deliver(state: &State, branch: Option<&String>, onto: Option<Oid>) -> Result<Vec<Event>, Rejection> {
    if let Some(owed) = &state.delivery {
        return Err(Rejection::DeliveryUnderWay(owed.clone()));
    }
    let branch = branch.or(state.opening().branch.as_ref()).ok_or(Rejection::NoBranch)?;
    if state.head.is_none_or(|head| head == state.opening().base) {
        return Err(Rejection::NothingLanded);
    }
    let proposed = word::propose(state, branch, onto)?;
    Ok(vec![proposed.unwrap_or_else(|| Event::DeliveryAsked { branch: branch.clone() })])
}

pub(in crate::machine) fn delivered(
    state: &State,
    branch: &str,
    result: &Result<Oid, String>,
) -> Result<Vec<Event>, Rejection> {
    if state.delivery.as_deref() != Some(branch) {
        return Err(Rejection::NoDelivery(branch.to_owned()));
    }
    let delivered = Event::Delivered { branch: branch.to_owned(), result: result.clone() };
    let again = result.as_ref().err().and_then(|why| word::propose_again(state, why));
    Ok(std::iter::once(delivered).chain(again).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::command::Command;
    use crate::machine::due::Effect;
    use crate::machine::testing::{Scene, attempt, draft, failed, kinds, oid, request, verdict};
    use crate::model::check::Answer;
    use crate::model::goal::Budget;
    use crate::model::verdict::Ruling;

    const TASK: TaskId = TaskId(1);

    fn running() -> Scene {
        Scene::open().begun().planned(vec![draft("a", "a")])
    }

    fn kept_without_candidate() -> Scene {
        let scene = running().ends(attempt(1, 1), failed()).settled().ends(attempt(1, 2), failed());
        scene.settled().unplanned()
    }

    /// Keeps a task whose candidate its judge refused for good.
    fn kept() -> Scene {
        let reject = |scene: Scene, number| {
            let id = attempt(1, number);
            let scene = scene.ends(id, crate::machine::testing::candidate(1));
            scene.does(verdict(id, Ruling::Reject)).settled()
        };
        let scene = reject(reject(running(), 1), 2).unplanned();
        assert!(matches!(scene.status(1), Status::Kept { .. }));
        scene
    }

    fn gated(gate: Gate) -> Scene {
        Scene::opened(|opening| {
            opening.goal.approve.insert(gate);
            opening.goal.plan.sample = 1;
        })
    }

    #[test]
    fn a_request_that_is_sent_twice_is_carried_out_once() {
        let steer = request("r", Ask::Steer { task: None, message: "mind the gap".into() });
        let scene = running().does(steer.clone());
        assert_eq!(scene.when(&steer), Ok(Vec::new()));
        assert_eq!(scene.state.steering, ["mind the gap"]);
    }

    #[test]
    fn a_refused_request_is_answered_with_the_reason_and_not_again() {
        let ask = request("r", Ask::Retry(TaskId(9)));
        let scene = running().does(ask.clone());
        let answer = scene.state.answered.values().next().unwrap();
        assert_eq!(answer, &Err("there is no task t9 in this run".to_owned()));
        assert_eq!(scene.when(&ask), Ok(Vec::new()));
    }

    #[test]
    fn no_worker_starts_before_the_plan_was_approved() {
        let scene = gated(Gate::Plan).begun().planned(vec![draft("a", "a")]);
        assert_eq!((scene.state.waiting, scene.state.rest.clone()), (Some(Gate::Plan), Some(Rest::Gate(Gate::Plan))));
        assert!(scene.state.running.is_empty());
        assert_eq!(scene.refusal(Ask::Approve(Gate::Sweep)), Rejection::NotWaiting(Gate::Sweep).to_string());
        assert!(!scene.refusal(Ask::Resume).is_empty(), "a gate waits for a word, not for going on");
        assert_eq!(scene.asks(Ask::Approve(Gate::Plan)).settled().state.running.len(), 1);
    }

    #[test]
    fn a_word_on_a_gate_is_one_on_what_was_shown() {
        let scene = gated(Gate::Plan).begun().planned(vec![draft("a", "a")]).later(5);
        let shown = scene.state.shown();
        let approve = |shown| Ask::ApproveGate { gate: Gate::Plan, shown };
        let deny = |shown| Ask::Deny { gate: Gate::Plan, reason: "no".into(), shown: Some(shown) };
        let edited = Event::PlanEdited { revision: 1, dropped: vec![TASK], changed: Vec::new(), added: Vec::new() };
        let edited = scene.clone().given(edited);
        for ask in [approve(shown), deny(shown)] {
            assert_eq!(edited.refusal(ask), Rejection::PlanNotAsShown.to_string());
        }
        let earlier = Shown { since_ms: shown.since_ms - 1, ..shown };
        for ask in [approve(earlier), deny(earlier)] {
            assert_eq!(scene.refusal(ask), Rejection::GateNotAsShown(Gate::Plan).to_string());
        }
        assert_eq!(edited.asks(approve(Shown { edits: 1, ..shown })).state.waiting, None);
        assert_eq!(scene.clone().asks(approve(shown)).state.waiting, None);
        assert!(scene.asks(deny(shown)).state.end.is_some());
    }

    #[test]
    fn a_gate_that_is_passed_clears_no_other_reason_to_rest() {
        let scene = gated(Gate::Plan).begun().planned(vec![draft("a", "a")]);
        let scene = scene.given(Event::RunParked { why: Rest::Trouble { what: "x".into() } });
        assert!(matches!(scene.asks(Ask::Approve(Gate::Plan)).state.rest, Some(Rest::Trouble { .. })));
    }

    #[test]
    fn a_refused_gate_ends_the_run_with_the_reason() {
        let scene = gated(Gate::Plan).begun().planned(vec![draft("a", "a")]);
        let scene = scene.asks(Ask::Deny { gate: Gate::Plan, reason: "too much".into(), shown: None });
        assert_eq!(scene.state.end, Some(End::Denied { reason: "too much".into() }));
        assert!(scene.owes().is_empty());
    }

    #[test]
    fn an_approved_sweep_begins_even_where_the_sample_was_taken_out() {
        let scene = gated(Gate::Sweep).begun().planned(vec![draft("a", "a"), draft("b", "b")]).lands(1);
        assert_eq!(scene.state.waiting, Some(Gate::Sweep));
        let scene = scene.given(Event::GatePassed { gate: Gate::Sweep }).asks(Ask::Revert(TASK)).settled();
        assert!(scene.state.sample_accepted);
    }

    #[test]
    fn what_a_person_takes_out_does_not_wait_for_the_sample() {
        let scene = Scene::opened(|opening| opening.goal.plan.sample = 2).begun();
        let scene = scene.planned(vec![draft("a", "a"), draft("b", "b"), draft("c", "c")]).lands(1);
        let scene = scene.asks(Ask::Revert(TASK)).settled();
        assert_eq!(scene.status(4), &Status::Running);
        assert_eq!(scene.status(3), &Status::Ready, "the sweep waits");
    }

    #[test]
    fn a_reverted_task_is_taken_out_once_and_not_planned_in_again() {
        let scene = running().lands(1).asks(Ask::Revert(TASK));
        assert!(scene.state.planning_closed);
        assert_eq!(scene.clone().asks(Ask::Revert(TASK)).state.tasks.len(), 2);
        let scene = scene.settled().lands(2);
        assert_eq!(scene.status(1), &Status::Reverted { by: TaskId(2) });
        let refusal = Rejection::NotLanded { task: TASK, status: "reverted" };
        assert_eq!(scene.refusal(Ask::Revert(TASK)), refusal.to_string());
    }

    #[test]
    fn what_is_taken_out_and_brought_back_by_turns_stands_as_its_last_turn_says() {
        let turn = |scene: Scene, task| scene.asks(Ask::Revert(TaskId(task))).settled().lands(task + 1);
        let scene = turn(running().lands(1), 1);
        assert_eq!(scene.status(1), &Status::Reverted { by: TaskId(2) });
        let scene = turn(scene, 2);
        assert!(matches!(scene.status(1), Status::Landed { .. }));
        let scene = turn(scene, 3);
        assert_eq!(scene.status(1), &Status::Reverted { by: TaskId(2) });
        assert_eq!(scene.status(3), &Status::Reverted { by: TaskId(4) });
        assert!(matches!(turn(scene, 4).status(1), Status::Landed { .. }));
    }

    #[test]
    fn only_a_kept_task_is_tried_again_given_up_or_let_land() {
        let scene = running();
        let refusal = Rejection::NotKept { task: TASK, status: "running" }.to_string();
        let give_up = || Ask::DenyTask { task: TASK, reason: "no".into() };
        for ask in [Ask::Retry(TASK), give_up(), Ask::ApproveTask(TASK)] {
            assert_eq!(scene.refusal(ask), refusal);
        }
        assert_eq!(kept().asks(Ask::Retry(TASK)).settled().status(1), &Status::Running);
        let dropped = kept().asks(give_up());
        assert_eq!(dropped.status(1), &Status::Dropped { reason: "no".into() });
        assert!(dropped.state.planning_closed);
    }

    #[test]
    fn a_person_s_word_stands_for_the_verdict_but_not_for_the_checks() {
        let none = Rejection::NoCandidate(TASK).to_string();
        assert_eq!(kept_without_candidate().refusal(Ask::ApproveTask(TASK)), none);
        let scene = kept().asks(Ask::ApproveTask(TASK)).settled();
        assert_eq!(scene.state.batch.as_ref().unwrap().members, [attempt(1, 2)]);
        let scene = scene.merged().checked(Answer::Red).checked(Answer::Red).landed();
        assert_eq!(scene.state.head, Some(oid(1)), "red does not land on anybody's word");
    }

    #[test]
    fn an_ended_run_is_taken_up_again_without_planning_anew() {
        let scene = kept().looked(Answer::Red);
        let kept = vec![TASK];
        assert_eq!(
            scene.state.end,
            Some(End::Incomplete { kept, red: vec!["done".into()], failed_planners: Vec::new(), judged: None })
        );
        let events = scene.when(&request("r", Ask::Retry(TASK))).unwrap();
        assert_eq!(kinds(&events), ["RunReopened", "TaskRetried", "RequestAnswered"]);
        let scene = scene.asks(Ask::Retry(TASK));
        assert!(scene.state.is_live() && scene.state.planning_closed);
    }

    #[test]
    fn a_drained_run_finishes_what_runs_and_hands_out_nothing() {
        let scene = Scene::opened(|opening| opening.workers = 1).begun();
        let scene = scene.planned(vec![draft("a", "a"), draft("b", "b")]).asks(Ask::Drain).settled();
        assert_eq!((scene.state.running.len(), scene.state.rest.clone()), (1, None));
        let scene = scene.lands(1);
        assert_eq!((scene.status(2), scene.state.rest.clone()), (&Status::Ready, Some(Rest::Stopped)));
        assert_eq!(scene.asks(Ask::Resume).settled().status(2), &Status::Running);
    }

    #[test]
    fn a_stopped_run_ends_what_runs_at_once() {
        let scene = running().asks(Ask::Drain).asks(Ask::Stop).settled();
        assert!(scene.state.running.is_empty() && scene.owes().is_empty());
        assert_eq!(scene.state.rest, Some(Rest::Stopped));
        assert_eq!(kinds(&scene.when(&request("r", Ask::Stop)).unwrap()), ["RequestAnswered"]);
    }

    #[test]
    fn an_ended_run_is_not_stopped_or_resumed() {
        let scene = kept().looked(Answer::Red);
        assert_eq!(scene.refusal(Ask::Stop), Rejection::NotResting("at its end").to_string());
        assert!(scene.refusal(Ask::Resume).starts_with("the run is at its end"));
    }

    #[test]
    fn a_message_goes_to_one_task_or_to_all_but_to_no_unknown_one() {
        let one = running().asks(Ask::Steer { task: Some(TASK), message: "x".into() });
        assert_eq!((one.task(1).steering.len(), one.state.steering.len()), (1, 0));
        let unknown = Ask::Steer { task: Some(TaskId(9)), message: "x".into() };
        assert_eq!(running().refusal(unknown), Rejection::NoTask(TaskId(9)).to_string());
    }

    #[test]
    fn a_raised_budget_goes_on_and_leaves_the_other_limits() {
        let scene = Scene::opened(|opening| {
            opening.goal.budget = Budget { attempts: Some(1), wall_s: Some(1 << 30), ..Budget::default() };
        });
        let scene = scene.begun().planned(vec![draft("a", "a")]).ends(attempt(1, 1), failed()).settled();
        let scene = scene.unplanned();
        assert!(matches!(scene.state.rest, Some(Rest::Budget { .. })));
        let scene = scene.asks(Ask::Raise(Budget { attempts: Some(2), ..Budget::default() })).settled();
        assert_eq!((scene.status(1), scene.state.budget.wall_s), (&Status::Running, Some(1 << 30)));
    }

    #[test]
    fn a_delivery_needs_a_branch_and_something_that_landed() {
        let deliver = |branch: Option<&str>| Ask::Deliver { branch: branch.map(str::to_owned), onto: None };
        assert_eq!(running().refusal(deliver(None)), Rejection::NothingLanded.to_string());
        let nowhere = Scene::opened(|opening| opening.branch = None);
        assert_eq!(nowhere.refusal(deliver(None)), Rejection::NoBranch.to_string());
        let scene = running().lands(1).asks(deliver(None));
        let head = scene.state.head.unwrap();
        assert!(scene.owes().contains(&Effect::Deliver { branch: "main".into(), head }));
        assert_eq!(scene.refusal(deliver(Some("x"))), Rejection::DeliveryUnderWay("main".into()).to_string());
        let report = |branch: &str| Command::ReportDelivery { branch: branch.into(), result: Ok(head) };
        assert_eq!(scene.when(&report("x")), Err(Rejection::NoDelivery("x".into())));
        let scene = scene.does(report("main"));
        assert_eq!(scene.state.delivered, Some(("main".into(), Ok(head))));
        assert_eq!(scene.when(&report("main")), Err(Rejection::NoDelivery("main".into())));
    }
}

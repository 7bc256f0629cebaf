//! Owns what waits for a person's word before it lands or is delivered: asked once with all its reasons, granted for
//! exactly that, refused with a reason that the next attempt is told; and what becomes of a word that does not come.

use crate::machine::command::{Link, Refusal};
use crate::machine::event::{Again, End, Event, Next, Subject};
use crate::machine::rejection::Rejection;
use crate::machine::rules::attempt::{gives_one_answer, next_agent};
use crate::machine::rules::request::reopening;
use crate::machine::state::{State, Task};
use crate::model::gating::{Then, Timeout};
use crate::model::goal::Gate;
use crate::model::ids::{AttemptId, BatchId, Oid};

/// Asks about each accepted candidate that a rule of the goal's holds back.
pub(in crate::machine) fn ask(state: &State) -> Vec<Event> {
    let candidates = state.queue.iter().filter_map(|id| Some((*id, state.attempt(*id)?.candidate()?)));
    let held = candidates.map(|(id, candidate)| (id, state.lacks_word(id, &candidate.extent)));
    held.filter(|(_, reasons)| !reasons.is_empty())
        .map(|(attempt, reasons)| Event::CandidateAsked { attempt, reasons })
        .collect()
}

/// Asks about what a merge made of candidates, where that is more than anybody has given a word on. The batch is formed
/// anew without them.
pub(in crate::machine) fn ask_of_merged(state: &State, batch: BatchId, chain: &[Link]) -> Vec<Event> {
    let held = chain.iter().map(|link| (link.attempt, state.lacks_word(link.attempt, &link.extent)));
    let mut events: Vec<Event> = held
        .filter(|(_, reasons)| !reasons.is_empty())
        .map(|(attempt, reasons)| Event::CandidateAsked { attempt, reasons })
        .collect();
    if !events.is_empty() {
        events.push(Event::BatchClosed { batch });
    }
    events
}

/// Reaches the gate of spending where so much was spent and more is to be begun.
pub(in crate::machine) fn reach_spending(state: &State, has_more: bool) -> Option<Event> {
    let is_reached = has_more && state.waiting.is_none() && state.waits_for_spending();
    is_reached.then_some(Event::GateReached { gate: Gate::Spend })
}

fn asked(state: &State, id: AttemptId, commit: Oid) -> Result<&Task, Rejection> {
    let task = state.tasks.get(&id.task).ok_or(Rejection::NoTask(id.task))?;
    let waiting = state.asked.candidates.get(&id).filter(|it| it.commit == commit);
    waiting.map(|_| task).ok_or(Rejection::NotAsked { attempt: id, commit })
}

/// Lets exactly that candidate land.
pub(in crate::machine) fn approve(state: &State, id: AttemptId, commit: Oid) -> Result<Vec<Event>, Rejection> {
    asked(state, id, commit)?;
    Ok(reopening(state, vec![Event::CandidateApproved { attempt: id, commit }]))
}

/// Refuses exactly that candidate: the task is done again by somebody who hears why, or given up.
pub(in crate::machine) fn deny(
    state: &State,
    (id, commit): (AttemptId, Oid),
    reason: &str,
    then: Refusal,
) -> Result<Vec<Event>, Rejection> {
    let task = asked(state, id, commit)?;
    let reason = reason.to_owned();
    let event = match then {
        Refusal::Drop => Event::TaskDropped { task: id.task, reason },
        Refusal::Redo => {
            let next = redo(state, task, &reason);
            Event::CandidateDenied { attempt: id, commit, reason, next }
        }
    };
    Ok(reopening(state, vec![event]))
}

/// Has a task done again on the present base. A person's refusal costs no try: each takes a person.
fn redo(state: &State, task: &Task, reason: &str) -> Next {
    if !gives_one_answer(state, task) {
        return Next::Again(Again { from: None, ..task.again.clone() });
    }
    let why = format!("a person refused it, and its agent would give the same answer again: {reason}");
    next_agent(state, task).map_or(Next::Keep { why }, Next::Again)
}

/// Has what is asked to be delivered wait for a person's word, where the goal wants one.
pub(in crate::machine) fn propose(state: &State, branch: &str, onto: Option<Oid>) -> Result<Option<Event>, Rejection> {
    if !state.opening().goal.approve.contains(&Gate::Delivery) {
        return Ok(None);
    }
    if let Some(waiting) = &state.asked.delivery {
        return Err(Rejection::DeliveryWaits(waiting.branch.clone()));
    }
    let head = state.head.ok_or(Rejection::NothingLanded)?;
    Ok(Some(Event::DeliveryProposed { branch: branch.to_owned(), head, onto, failed: None }))
}

/// Has a delivery that had a person's word and did not go out wait for another.
pub(in crate::machine) fn propose_again(state: &State, why: &str) -> Option<Event> {
    let (granted, head) = (state.asked.granted_delivery.as_ref()?, state.head?);
    let (branch, onto, failed) = (granted.branch.clone(), granted.onto, Some(why.to_owned()));
    Some(Event::DeliveryProposed { branch, head, onto, failed })
}

fn proposed(state: &State, branch: &str, head: Oid) -> Result<(), Rejection> {
    let waiting = state.asked.delivery.as_ref().filter(|it| it.branch == branch && it.head == head);
    waiting.map(|_| ()).ok_or_else(|| Rejection::NotProposed { branch: branch.to_owned(), head })
}

/// Lets exactly that be delivered.
pub(in crate::machine) fn approve_delivery(state: &State, branch: &str, head: Oid) -> Result<Vec<Event>, Rejection> {
    proposed(state, branch, head)?;
    Ok(vec![Event::DeliveryAsked { branch: branch.to_owned() }])
}

/// Refuses a delivery; nothing else changes.
pub(in crate::machine) fn deny_delivery(
    state: &State,
    (branch, head): (&str, Oid),
    reason: &str,
) -> Result<Vec<Event>, Rejection> {
    proposed(state, branch, head)?;
    Ok(vec![Event::DeliveryRefused { branch: branch.to_owned(), reason: reason.to_owned() }])
}

/// Tells when the next word will be overdue, in milliseconds since 1970.
pub(in crate::machine) fn next_lapse(state: &State) -> Option<i64> {
    let timeout = state.opening().goal.gating.timeout?;
    let waits = state.awaited().filter(|(_, wait)| !wait.is_overdue);
    waits.map(|(_, wait)| timeout.overdue_ms(wait.since_ms)).min()
}

/// Does what the goal says about each word that is overdue.
pub(in crate::machine) fn lapse(state: &State, now_ms: i64) -> Vec<Event> {
    let Some(timeout) = state.opening().goal.gating.timeout else { return Vec::new() };
    let Timeout { after_s, then } = timeout;
    let overdue = state.awaited().filter(|(_, wait)| !wait.is_overdue && now_ms >= timeout.overdue_ms(wait.since_ms));
    let why = format!("no word came within {after_s} s");
    let mut events = Vec::new();
    for (on, _) in overdue {
        events.push(Event::WordOverdue { on, then });
        events.extend(lapsed(state, on, then, &why));
        if matches!(events.last(), Some(Event::RunEnded { .. })) {
            break;
        }
    }
    events
}

fn lapsed(state: &State, on: Subject, then: Then, why: &str) -> Vec<Event> {
    let reason = why.to_owned();
    let branch = || state.asked.delivery.as_ref().map(|it| it.branch.clone());
    match (then, on) {
        (Then::Escalate, _) | (Then::Stop, Subject::Gate(_) | Subject::Candidate(_) | Subject::Question(_)) => {
            Vec::new()
        }
        // Time knows no answer; whoever asked goes on without one.
        (Then::Approve | Then::Deny, Subject::Question(seat)) => {
            let number = state.open_question(seat).map_or(0, |(number, _)| number);
            let answer = format!("{why}: go on as well as you can without an answer");
            vec![Event::QuestionAnswered { seat, number, answer }]
        }
        (Then::Approve, Subject::Gate(gate)) => vec![Event::GatePassed { gate }],
        (Then::Deny, Subject::Gate(gate)) => {
            let end = End::Denied { reason: reason.clone() };
            vec![Event::GateRefused { gate, reason }, Event::RunEnded { end }]
        }
        (Then::Approve | Then::Deny, Subject::Candidate(id)) => {
            lapse_candidate(state, id, then, reason).into_iter().collect()
        }
        // What did not go out does not by being tried again and again.
        (Then::Approve, Subject::Delivery) if state.asked.delivery.as_ref().is_some_and(|it| it.failed.is_some()) => {
            Vec::new()
        }
        (Then::Approve, Subject::Delivery) => {
            branch().map(|branch| Event::DeliveryAsked { branch }).into_iter().collect()
        }
        (Then::Deny | Then::Stop, Subject::Delivery) => {
            branch().map(|branch| Event::DeliveryRefused { branch, reason }).into_iter().collect()
        }
    }
}

/// Lets a candidate land, or keeps its task for a person: to try again without a word of advice would not help it.
fn lapse_candidate(state: &State, id: AttemptId, then: Then, why: String) -> Option<Event> {
    let commit = state.asked.candidates.get(&id)?.commit;
    Some(if then == Then::Approve {
        Event::CandidateApproved { attempt: id, commit }
    } else {
        let next = Next::Keep { why: why.clone() };
        Event::CandidateDenied { attempt: id, commit, reason: why, next }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::command::{Ask, Command};
    use crate::machine::due::{Effect, deadline, due};
    use crate::machine::event::Rest;
    use crate::machine::state::Status;
    use crate::machine::testing::{Scene, attempt, batch, candidate, draft, failed, kinds, link, oid};
    use crate::model::attempt::{Candidate, Outcome};
    use crate::model::check::Answer;
    use crate::model::gating::{Extent, Reason};
    use crate::model::goal::Goal;

    const ONE: AttemptId = AttemptId { task: crate::model::ids::TaskId(1), number: 1 };

    fn planned(change: impl FnOnce(&mut Goal)) -> Scene {
        let scene = Scene::opened(|opening| change(&mut opening.goal));
        scene.begun().planned(vec![draft("a", "a"), draft("b", "b")])
    }

    fn gated() -> Scene {
        planned(|goal| _ = goal.approve.insert(Gate::Landing))
    }

    fn lapsing(then: Then) -> Scene {
        planned(|goal| {
            goal.approve.insert(Gate::Landing);
            goal.gating.timeout = Some(Timeout { after_s: 10, then });
        })
    }

    fn changing(task: u32, extent: Extent) -> Outcome {
        let Outcome::Candidate(it) = candidate(task) else { panic!("it is a candidate") };
        Outcome::Candidate(Candidate { extent, ..it })
    }

    fn approving(scene: &Scene) -> Ask {
        Ask::ApproveCandidate { attempt: ONE, commit: scene.state.attempt(ONE).unwrap().candidate().unwrap().commit }
    }

    fn denying(then: Refusal) -> Ask {
        Ask::DenyCandidate { attempt: ONE, commit: oid(101), reason: "no test".into(), then }
    }

    #[test]
    fn a_candidate_that_is_held_back_lands_by_a_word_on_exactly_it_while_others_go_on() {
        let scene = gated().queued(1).settled();
        assert_eq!((scene.status(1), scene.status(2)), (&Status::Gated, &Status::Running));
        assert!(scene.state.batch.is_none() && scene.state.is_live());
        let other = Ask::ApproveCandidate { attempt: ONE, commit: oid(9) };
        assert!(scene.refusal(other).contains("does not wait for a word"));
        assert!(scene.refusal(Ask::ApproveTask(ONE.task)).contains("waits for a word on its candidate"));
        let word = approving(&scene);
        let scene = scene.asks(word.clone()).settled().merged().checked(Answer::Green).landed().settled();
        assert!(matches!(scene.status(1), Status::Landed { .. }));
        assert!(scene.state.asked.granted.is_empty(), "a word is used up");
        assert!(scene.refusal(word).contains("does not wait for a word"));
    }

    #[test]
    fn a_run_in_which_nothing_else_goes_on_rests_until_the_word_comes() {
        let scene = gated().queued(1).queued(2).settled().unplanned();
        assert_eq!(scene.state.rest, Some(Rest::Gate(Gate::Landing)));
        assert!(scene.owes().is_empty(), "what waits holds nothing");
        let word = approving(&scene);
        let scene = scene.asks(word).settled();
        assert_eq!(scene.state.batch.as_ref().unwrap().members, [ONE]);
        let scene = scene.merged().checked(Answer::Green).landed().settled();
        assert_eq!(scene.state.rest, Some(Rest::Gate(Gate::Landing)), "the other waits still");
    }

    #[test]
    fn a_candidate_is_asked_about_once_with_all_its_reasons() {
        let scene = planned(|goal| {
            goal.gating.roles.insert("worker".into());
            goal.gating.lines = Some(10);
            goal.gating.files = Some(3);
        });
        let extent = Extent { files: 3, lines: 11, guarded: vec!["a".into()] };
        let scene = scene.ends(ONE, changing(1, extent)).accepted(ONE).settled();
        let reasons = vec![
            Reason::Role("worker".into()),
            Reason::Paths(vec!["a".into()]),
            Reason::Lines { lines: 11, limit: 10 },
        ];
        assert_eq!(scene.state.asked.candidates[&ONE].reasons, reasons);
        assert_eq!(scene.state.asked.candidates.len(), 1);
    }

    #[test]
    fn what_merging_makes_more_of_than_was_approved_is_asked_about_again() {
        let scene = planned(|goal| goal.gating.paths = vec!["auth/**".into()]);
        let scene = scene.queued(1).queued(2).settled();
        let mut chain = vec![link(ONE), link(attempt(2, 1))];
        chain[0].extent.guarded = vec!["auth/key.rs".into()];
        let merge = Command::ReportMerge { batch: batch(1), chain, conflicts: Vec::new() };
        assert_eq!(kinds(&scene.when(&merge).unwrap()), ["CandidateAsked", "BatchClosed"]);
        let scene = scene.does(merge).settled();
        assert_eq!(scene.status(1), &Status::Gated);
        assert_eq!(scene.state.batch.as_ref().unwrap().members, [attempt(2, 1)], "the other goes on alone");
        let word = approving(&scene);
        let scene = scene.merged().checked(Answer::Green).landed().asks(word).settled();
        let mut chain = vec![link(ONE)];
        chain[0].extent.guarded = vec!["auth/key.rs".into()];
        let scene = scene.does(Command::ReportMerge { batch: batch(3), chain, conflicts: Vec::new() });
        assert!(matches!(scene.checked(Answer::Green).landed().status(1), Status::Landed { .. }));
    }

    #[test]
    fn what_was_said_of_a_candidate_before_holds_when_it_is_asked_about_again() {
        let scene = planned(|goal| (goal.gating.lines, goal.gating.files) = (Some(400), Some(20)));
        let own = Extent { files: 25, lines: 410, guarded: Vec::new() };
        let scene = scene.ends(ONE, changing(1, own)).accepted(ONE).settled();
        let word = approving(&scene);
        let merged = |scene: Scene| {
            let mut chain = vec![link(ONE)];
            // One of its files was in already, and the others differ by more.
            chain[0].extent = Extent { files: 24, lines: 412, guarded: Vec::new() };
            let batch = scene.state.batch.as_ref().unwrap().id;
            scene.does(Command::ReportMerge { batch, chain, conflicts: Vec::new() }).settled()
        };
        let scene = merged(scene.asks(word.clone()).settled());
        assert_eq!(scene.status(1), &Status::Gated, "more lines than were approved");
        let scene = merged(scene.asks(word).settled());
        assert!(matches!(scene.checked(Answer::Green).landed().status(1), Status::Landed { .. }));
    }

    #[test]
    fn the_reason_of_a_refusal_reaches_the_next_attempt_and_costs_no_try() {
        let scene = gated().queued(1).settled().asks(denying(Refusal::Redo)).settled();
        assert_eq!(scene.status(1), &Status::Running);
        let task = scene.task(1);
        assert_eq!((task.attempts.len(), task.again.tries), (2, 0));
        assert!(task.findings[0].what.contains("no test"), "{:?}", task.findings);
        let lease = &task.attempts[1];
        assert_eq!((lease.from, lease.base), (None, scene.state.head.unwrap()));
    }

    #[test]
    fn who_always_gives_the_same_answer_is_not_asked_again() {
        let scene = Scene::opened(|opening| {
            opening.goal.approve.insert(Gate::Landing);
            opening.roles.get_mut("worker").unwrap().agents = vec![crate::model::role::AgentRef::Codemod];
        });
        let scene = scene.begun().planned(vec![draft("a", "a")]).queued(1).settled();
        let scene = scene.asks(denying(Refusal::Redo)).settled();
        let Status::Kept { why } = scene.status(1) else { panic!("{:?}", scene.status(1)) };
        assert!(why.contains("no test"), "{why}");
    }

    #[test]
    fn a_refused_task_may_be_given_up() {
        let scene = gated().queued(1).settled().asks(denying(Refusal::Drop)).settled();
        assert_eq!(scene.status(1), &Status::Dropped { reason: "no test".into() });
        assert!(scene.state.asked.candidates.is_empty());
    }

    #[test]
    fn a_word_that_lets_a_kept_task_land_is_a_word_on_its_candidate() {
        let reject = crate::machine::testing::verdict(attempt(1, 2), crate::model::verdict::Ruling::Reject);
        let scene = gated().ends(ONE, failed()).settled().ends(attempt(1, 2), candidate(1)).does(reject);
        let scene = scene.asks(Ask::ApproveTask(ONE.task)).settled();
        assert_eq!(scene.state.batch.as_ref().unwrap().members, [attempt(1, 2)]);
    }

    fn overdue(then: Then) -> Scene {
        let scene = lapsing(then).queued(1).queued(2).settled().unplanned();
        let at = scene.now_ms + 10_000;
        assert_eq!(deadline(&scene.state, scene.now_ms), Some(at), "time counts while the run rests");
        assert_eq!(scene.when(&Command::LetLapse), Ok(Vec::new()), "it is not overdue yet");
        let scene = scene.later(10_000);
        assert_eq!(scene.status(1), &Status::Gated, "time alone gives no word");
        let scene = scene.does(Command::LetLapse);
        assert_eq!(scene.when(&Command::LetLapse), Ok(Vec::new()), "it is overdue once");
        assert_eq!(deadline(&scene.state, scene.now_ms).filter(|_| !scene.state.is_live()), None);
        scene.settled()
    }

    #[test]
    fn a_word_that_does_not_come_in_time_refuses() {
        let scene = overdue(Then::Deny);
        let Status::Kept { why } = scene.status(1) else { panic!("{:?}", scene.status(1)) };
        assert_eq!(why, "no word came within 10 s");
    }

    #[test]
    fn a_word_that_does_not_come_in_time_lets_go_on() {
        assert_eq!(overdue(Then::Approve).state.batch.unwrap().members.len(), 2);
    }

    #[test]
    fn a_word_that_does_not_come_in_time_stops_the_run_and_is_waited_for_afresh() {
        let scene = overdue(Then::Stop);
        assert_eq!((scene.status(1), scene.state.rest.clone()), (&Status::Gated, Some(Rest::Stopped)));
        let scene = scene.asks(Ask::Resume).settled();
        assert_eq!(scene.state.rest, Some(Rest::Gate(Gate::Landing)));
        assert_eq!(deadline(&scene.state, scene.now_ms), Some(scene.now_ms + 10_000));
    }

    #[test]
    fn a_word_that_does_not_come_in_time_is_asked_for_louder() {
        let scene = overdue(Then::Escalate);
        assert_eq!((scene.status(1), scene.state.rest.clone()), (&Status::Gated, Some(Rest::Gate(Gate::Landing))));
        assert!(scene.state.asked.candidates[&ONE].wait.is_overdue);
    }

    #[test]
    fn a_gate_of_the_run_lapses_too() {
        let at_plan = |then| {
            let scene = planned(|goal| {
                goal.approve.insert(Gate::Plan);
                goal.gating.timeout = Some(Timeout { after_s: 10, then });
            });
            scene.later(10_000).does(Command::LetLapse).settled()
        };
        assert_eq!(at_plan(Then::Approve).state.running.len(), 2);
        assert!(matches!(at_plan(Then::Deny).state.end, Some(End::Denied { .. })));
    }

    #[test]
    fn what_is_delivered_is_what_a_word_was_given_on() {
        let scene = planned(|goal| _ = goal.approve.insert(Gate::Delivery)).lands(1);
        let head = scene.state.head.unwrap();
        let scene = scene.asks(Ask::Deliver { branch: None, onto: None });
        let delivers = |scene: &Scene| due(&scene.state).iter().any(|it| matches!(it, Effect::Deliver { .. }));
        assert!(!delivers(&scene), "it waits");
        let word = |head| Ask::ApproveDelivery { branch: "main".into(), head };
        assert!(!scene.refusal(word(oid(9))).is_empty());
        let moved = scene.clone().lands(2);
        assert!(moved.refusal(word(head)).contains("no delivery of"), "it is of what has moved since");
        let scene = scene.asks(word(head)).lands(2);
        let owed = Effect::Deliver { branch: "main".into(), head };
        assert!(scene.owes().contains(&owed), "what landed since has no word");
        let scene = scene.does(Command::ReportDelivery { branch: "main".into(), result: Ok(head) });
        assert_eq!(scene.state.delivered_head, Some(head));
        let refused = moved.asks(Ask::DenyDelivery {
            branch: "main".into(),
            head: link(attempt(2, 1)).commit,
            reason: "no".into(),
        });
        assert!(!delivers(&refused) && refused.state.asked.delivery.is_none());
    }

    #[test]
    fn a_delivery_that_had_its_word_and_did_not_go_out_waits_for_another() {
        let scene = planned(|goal| {
            goal.approve.insert(Gate::Delivery);
            goal.gating.timeout = Some(Timeout { after_s: 10, then: Then::Approve });
        });
        let scene = scene.lands(1).asks(Ask::Deliver { branch: None, onto: Some(oid(7)) });
        let head = scene.state.head.unwrap();
        let word = Ask::ApproveDelivery { branch: "main".into(), head };
        let report = |result| Command::ReportDelivery { branch: "main".into(), result };
        let scene = scene.asks(word.clone()).does(report(Err("it is red there".into())));
        let asked = scene.state.asked.delivery.clone().unwrap();
        assert_eq!((asked.head, asked.onto, asked.failed.as_deref()), (head, Some(oid(7)), Some("it is red there")));
        let delivers = |scene: &Scene| due(&scene.state).iter().any(|it| matches!(it, Effect::Deliver { .. }));
        let late = scene.clone().later(10_000).does(Command::LetLapse);
        assert!(!delivers(&late) && late.state.asked.delivery.is_some(), "it is not tried for ever");
        let scene = scene.asks(word).does(report(Ok(head)));
        assert!(scene.state.asked.delivery.is_none() && scene.state.asked.granted_delivery.is_none());
        assert_eq!(scene.state.delivered_head, Some(head));
    }

    #[test]
    fn a_run_that_spent_so_much_begins_nothing_before_a_word_and_asks_again_after_as_much() {
        use crate::model::seat::Seat;
        use crate::model::spend::{Call, CallEnd, Tokens};
        let scene = Scene::opened(|opening| {
            opening.workers = 1;
            opening.goal.gating.nano_usd = Some(100);
        });
        let scene = scene.begun().planned(vec![draft("a", "a"), draft("b", "b")]);
        let spends = |scene: Scene, id: AttemptId, nano_usd| {
            let call = Call {
                number: 1,
                provider: "p".into(),
                model: "m".into(),
                end: CallEnd::Whole,
                status: 200,
                tokens: Tokens::default(),
                nano_usd,
                ms: 1,
                bytes: 0,
                told: false,
            };
            let fence = scene.state.attempt(id).unwrap().fence;
            scene.does(Command::ReportCall { seat: Seat::Attempt(id), fence, call })
        };
        let scene = spends(scene, ONE, 250).lands(1);
        assert_eq!((scene.status(2), scene.state.rest.clone()), (&Status::Ready, Some(Rest::Gate(Gate::Spend))));
        let scene = scene.asks(Ask::Approve(Gate::Spend)).settled();
        assert_eq!((scene.status(2), scene.state.spend_gate()), (&Status::Running, Some(300)));
    }
}

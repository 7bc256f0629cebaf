//! Owns the proof that each law says no: to events that no rule gives, on states that rules have made.

use super::{follows, moves_or_rests};
use crate::machine::bisect::Search;
use crate::machine::due::due;
use crate::machine::event::{Again, End, Event, Lease, NewTask, Next, Rest};
use crate::machine::state::{Batch, BatchStep, State, Task};
use crate::machine::testing::{Scene, attempt, batch, candidate, draft, finding, green, link, oid, result};
use crate::model::attempt::{Candidate, Handoff, Outcome, Usage};
use crate::model::check::Answer;
use crate::model::goal::Gate;
use crate::model::ids::{ScopeId, TaskId};
use crate::model::paths::PathSet;
use crate::model::task::TaskDraft;
use crate::model::verdict::{Ruling, Verdict};

/// Gives the reason for which an event may not follow.
fn refusal(scene: &Scene, event: Event) -> String {
    follows(&scene.state, &event).expect_err("a law stands against this").what
}

fn running() -> Scene {
    Scene::open().begun().planned(vec![draft("a", "a"), draft("b", "b")])
}

fn ended(outcome: Outcome, next: Next) -> Event {
    Event::AttemptEnded { attempt: attempt(1, 1), outcome, handoff: Handoff::default(), usage: Usage::default(), next }
}

fn verdict(ruling: Ruling, judge: &str, next: Next) -> Event {
    let verdict = Verdict { ruling, judge: judge.into(), findings: Vec::new(), checks: vec![green("tests")] };
    Event::VerdictGiven { attempt: attempt(1, 1), verdict, usage: Usage::default(), next }
}

/// Two accepted candidates, merged and checked green.
fn landing() -> Scene {
    running().queued(1).queued(2).settled().merged().checked(Answer::Green)
}

fn landed(upto: u32, flaky: bool) -> Event {
    let landed: Vec<_> = (1..=upto).map(|task| link(attempt(task, 1))).collect();
    let last = landed.last().cloned().expect("something lands");
    Event::BatchLanded { batch: batch(1), landed, head: last.commit, tree: last.tree, flaky }
}

#[test]
fn nobody_works_beside_who_owns_the_same_paths_nor_twice_against_what_lands() {
    let lease = |scene: &Scene, task| {
        let (agent, base) = (scene.task(1).attempts[0].agent.clone(), scene.state.head.expect("the branch is open"));
        let number = scene.task(task).attempts.len() as u32 + 1;
        let (attempt, fence) = (attempt(task, number), scene.state.fences + 1);
        Event::AttemptLeased(Lease { attempt, agent, base, from: None, resumes: None, fence, until_ms: 0 })
    };
    let scene = Scene::open().begun().planned(vec![draft("a", "f"), draft("b", "f")]);
    assert!(refusal(&scene, lease(&scene, 2)).contains("beside t1.1"));
    let mut scene = scene.queued(1);
    assert_eq!(follows(&scene.state, &lease(&scene, 2)), Ok(()), "what lands for the first time holds nobody up");
    scene.state.tasks.get_mut(&TaskId(2)).expect("it is planned").conflicts = 1;
    assert!(refusal(&scene, lease(&scene, 2)).contains("conflict once more"));
}

#[test]
fn a_fence_and_an_epoch_only_rise() {
    let scene = running();
    assert!(refusal(&scene, Event::CoordinatorWoke { epoch: 1, sandbox: None }).contains("coordinator 1 follows"));
    let lease = |fence| {
        Event::AttemptLeased(Lease {
            attempt: attempt(1, 2),
            agent: scene.task(1).attempts[0].agent.clone(),
            base: oid(1),
            from: None,
            resumes: None,
            fence,
            until_ms: 0,
        })
    };
    let lost = Event::AttemptLost {
        attempt: attempt(1, 1),
        why: "x".into(),
        counts: true,
        next: Next::Again(scene.task(1).again.clone()),
    };
    let scene = scene.clone().given(lost);
    assert!(refusal(&scene, lease(2)).contains("fence 2 follows fence 2"));
    assert_eq!(follows(&scene.state, &lease(3)), Ok(()));
}

#[test]
fn only_what_runs_ends_and_it_stands_on_its_lease_s_base() {
    let scene = running();
    assert_eq!(follows(&scene.state, &ended(candidate(1), Next::Judge)), Ok(()));
    assert!(refusal(&scene, ended(candidate(1), Next::Queue)).contains("is not judged"));
    let Outcome::Candidate(it) = candidate(1) else { panic!("it is a candidate") };
    let elsewhere = Outcome::Candidate(Candidate { base: oid(9), ..it });
    assert!(refusal(&scene, ended(elsewhere, Next::Judge)).contains("not on its lease's"));
    let over = scene.ends(attempt(1, 1), candidate(1));
    assert!(refusal(&over, ended(candidate(1), Next::Judge)).contains("does not run"));
}

#[test]
fn trying_again_counts() {
    let scene = running();
    let again = |agent, tries| {
        ended(Outcome::Failed { why: "x".into() }, Next::Again(Again { agent, tries, from: None, resolves: false }))
    };
    assert_eq!(follows(&scene.state, &again(0, 1)), Ok(()));
    assert_eq!(follows(&scene.state, &again(1, 0)), Ok(()));
    for (agent, tries) in [(0, 0), (0, 2), (1, 1)] {
        assert!(refusal(&scene, again(agent, tries)).contains("follows"), "{agent} {tries}");
    }
}

#[test]
fn nothing_is_accepted_by_its_author_or_unchecked() {
    let scene = running().ends(attempt(1, 1), candidate(1));
    assert_eq!(follows(&scene.state, &verdict(Ruling::Accept, "ladder", Next::Queue)), Ok(()));
    assert!(refusal(&scene, verdict(Ruling::Accept, "t1.1", Next::Queue)).contains("by its author"));
    assert!(refusal(&scene, verdict(Ruling::Reject, "ladder", Next::Queue)).contains("makes t1.1"));
    let Event::VerdictGiven { attempt, mut verdict, usage, next } = verdict(Ruling::Accept, "ladder", Next::Queue)
    else {
        panic!("it is a verdict")
    };
    verdict.checks = vec![result("tests", Answer::Red)];
    let unchecked = Event::VerdictGiven { attempt, verdict, usage, next };
    assert!(refusal(&scene, unchecked).contains("without its checks"));
}

#[test]
fn just_the_green_prefix_lands_on_the_head_and_once() {
    let scene = landing();
    assert_eq!(follows(&scene.state, &landed(2, false)), Ok(()));
    assert!(refusal(&scene, landed(1, false)).contains("its green prefix"));
    assert!(refusal(&scene, landed(2, true)).contains("flaky"));
    let mut moved = scene.clone();
    moved.state.head = Some(oid(9));
    assert!(refusal(&moved, landed(2, false)).contains("another head"));
    let mut twice = scene.clone();
    twice.state.tasks.get_mut(&TaskId(1)).unwrap().attempts[0].landed = Some(oid(9));
    assert!(refusal(&twice, landed(2, false)).contains("lands twice"));
    let mut unaccepted = scene;
    unaccepted.state.tasks.get_mut(&TaskId(1)).unwrap().attempts[0].next = Some(Next::Judge);
    assert!(refusal(&unaccepted, landed(2, false)).contains("nobody accepted it"));
}

#[test]
fn a_green_after_a_doubt_is_marked() {
    let scene = running().queued(1).settled().merged().checked(Answer::Red);
    let link = link(attempt(1, 1));
    let checked = |answer, green, flaky| Event::PrefixChecked {
        batch: batch(1),
        upto: 1,
        tree: link.tree,
        results: vec![result("tests", answer)],
        green,
        flaky,
    };
    assert_eq!(follows(&scene.state, &checked(Answer::Green, true, true)), Ok(()));
    assert!(refusal(&scene, checked(Answer::Green, true, false)).contains("not marked flaky"));
    assert!(refusal(&scene, checked(Answer::Red, true, true)).contains("is taken for green"));
}

#[test]
fn only_the_culprit_is_ejected() {
    let scene = running().queued(1).queued(2).settled().merged();
    let scene = scene.checked(Answer::Red).checked(Answer::Green).checked(Answer::Red);
    let ejected = |task| {
        let next = Next::Again(Again { agent: 0, tries: 1, from: None, resolves: false });
        Event::MemberEjected { batch: batch(1), attempt: attempt(task, 1), findings: vec![finding()], next }
    };
    assert_eq!(follows(&scene.state, &ejected(2)), Ok(()));
    assert!(refusal(&scene, ejected(1)).contains("made b1 red"));
}

#[test]
fn a_gate_opens_only_where_something_waits() {
    assert!(refusal(&running(), Event::GatePassed { gate: Gate::Plan }).contains("nothing waits"));
}

#[test]
fn a_planner_is_heard_in_its_waking_only() {
    let late = Event::PlannerFinished { scope: ScopeId(0), wake: 7 };
    assert!(refusal(&running(), late).contains("finished waking 7"));
}

#[test]
fn done_is_not_said_over_what_is_left() {
    let scene = running();
    assert!(refusal(&scene, Event::RunEnded { end: End::Done }).contains("under way"));
    let idle = Scene::open()
        .begun()
        .planned(vec![])
        .given(Event::ConditionsChecked { head: oid(1), results: vec![result("done", Answer::Red)] });
    assert!(refusal(&idle, Event::RunEnded { end: End::Done }).contains("are red"));
}

#[test]
fn a_run_rests_once_and_is_not_resumed_while_it_goes_on() {
    let scene = running();
    assert!(refusal(&scene, Event::Resumed).contains("goes on"));
    let scene = scene.given(Event::RunParked { why: Rest::Stopped });
    assert!(refusal(&scene, Event::RunParked { why: Rest::Stopped }).contains("is parked"));
}

#[test]
fn nothing_happens_before_the_opening() {
    assert!(follows(&State::default(), &Event::Draining).is_err());
}

#[test]
fn a_live_run_that_waits_for_nothing_is_a_bug() {
    let mut state = running().state;
    assert_eq!(moves_or_rests(&state, &due(&state)), Ok(()));
    let step = BatchStep::Checking { chain: Vec::new(), search: Search::begin(0), flaky: false, reds: Vec::new() };
    state.batch = Some(Batch { id: batch(1), members: Vec::new(), onto: oid(1), step });
    state.running.clear();
    assert!(moves_or_rests(&state, &due(&state)).is_err());
}

#[test]
fn an_edited_plan_splits_no_file_twice() {
    let scene = Scene::opened(|opening| {
        opening.goal.approve.insert(Gate::Plan);
    });
    let scene = scene.begun().planned(vec![draft("a", "a"), draft("b", "a")]).unplanned().settled();
    assert_eq!(scene.state.waiting, Some(Gate::Plan));
    let edited = |ids: &[u32]| {
        let changed = ids.iter().map(|id| {
            let draft = TaskDraft { splits: PathSet::parse(["a".to_owned()]), ..scene.task(*id).draft.clone() };
            let Task { work, after, .. } = scene.task(*id).clone();
            NewTask { id: TaskId(*id), draft, work, after, agent: 0, findings: Vec::new() }
        });
        Event::PlanEdited { revision: 1, dropped: Vec::new(), changed: changed.collect(), added: Vec::new() }
    };
    assert_eq!(follows(&scene.state, &edited(&[2])), Ok(()));
    assert!(refusal(&scene, edited(&[1, 2])).contains("t2 splits what"));
}

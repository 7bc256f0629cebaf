//! Owns what planners and workers may ask for while they are at it: a decision is taken once in a run, a task changes more
//! than it owns by somebody's word alone, and what people say is heard in order.

use crate::machine::asked::Heard;
use crate::machine::event::Event;
use crate::machine::rejection::Rejection;
use crate::machine::rules::attempt::leased;
use crate::machine::rules::seat::sits;
use crate::machine::state::{State, Status, Task};
use crate::model::attempt::ScopeAsk;
use crate::model::ids::{ScopeId, TaskId};
use crate::model::paths::PathSet;
use crate::model::seat::Seat;
use crate::model::task::ScopeAnswer;

/// How often a task may ask to change what it does not own before a person looks at it.
pub(in crate::machine) const SCOPE_ASKS_AT_MOST: u32 = 3;

/// How many decisions a run holds: each brief shows all of them.
const DECISIONS_AT_MOST: usize = 100;

/// Longest name of a decision and longest decision, in bytes.
const DECISION_BYTES: [usize; 2] = [100, 1000];

/// Takes a decision for the whole run; a scope that says again what it has decided is told yes.
pub(in crate::machine) fn claim(
    state: &State,
    scope: ScopeId,
    key: &str,
    value: &str,
) -> Result<Vec<Event>, Rejection> {
    let (key, value) = (key.trim(), value.trim());
    let fits = |text: &str, most: usize| !text.is_empty() && text.len() <= most;
    let [key_bytes, value_bytes] = DECISION_BYTES;
    if !fits(key, key_bytes) || !fits(value, value_bytes) {
        return Err(Rejection::NoDecision { key_bytes, value_bytes });
    }
    let decision = || key.to_owned();
    match (state.decided.get(key), state.decisions.get(key)) {
        (Some(decided), _) if decided.scope == scope && decided.value == value => return Ok(Vec::new()),
        (Some(decided), _) => {
            let (owner, value) = (decided.scope, decided.value.clone());
            return Err(Rejection::Decided { decision: decision(), owner, value });
        }
        (None, Some(owner)) if *owner != scope => {
            return Err(Rejection::DecisionTaken { decision: decision(), owner: *owner });
        }
        (None, Some(_) | None) => {}
    }
    if state.decided.len() >= DECISIONS_AT_MOST {
        return Err(Rejection::TooManyDecisions(DECISIONS_AT_MOST));
    }
    Ok(vec![Event::DecisionClaimed { scope, decision: decision(), value: value.to_owned() }])
}

/// Puts what a task asks before a planner above its own, where it lies outside its own planner's scope and inside that one's.
pub(in crate::machine) fn raise(state: &State, (id, task): (TaskId, &Task), wants: &ScopeAsk) -> Option<Event> {
    let to = state.answers_above(task.scope, &asked_paths(wants))?;
    Some(Event::ScopeAskRaised { task: id, to })
}

/// Has a planner answer what a task of its scope asks to change, or a task of a scope below that asks for what lies in its own.
pub(in crate::machine) fn answer(state: &State, scope: ScopeId, answer: &ScopeAnswer) -> Result<Vec<Event>, Rejection> {
    let found = state.task_keys.get(&answer.task).and_then(|id| Some((*id, state.tasks.get(id)?)));
    let lies_below = |task: &Task| state.above(task.scope).any(|(above, _)| above == scope);
    let (id, task) = found
        .filter(|(_, task)| task.scope == scope || lies_below(task))
        .ok_or_else(|| Rejection::NoSuchTask { key: answer.task.clone(), scope })?;
    // What was answered stays so.
    if task.wants.is_none() && task.asked > 0 {
        return Ok(Vec::new());
    }
    if task.scope != scope && !state.was_asked(scope, id) {
        // What it was asked before is withdrawn; what is asked now is none of its own.
        let is_late = task.asked > 1;
        return if is_late { Ok(Vec::new()) } else { Err(Rejection::TaskOutside { key: answer.task.clone(), scope }) };
    }
    let event = answered(id, task, answer, Some(scope))?;
    let owns = |paths: &PathSet| state.scopes.get(&scope).is_some_and(|it| it.draft.paths.covers(paths));
    let granted = if let Event::ScopeAnswered { granted: true, paths, .. } = &event { Some(paths) } else { None };
    // Nobody says no to another's task over what is none of its own.
    let may_answer = task.scope == scope || task.wants.as_ref().is_some_and(|wants| owns(&asked_paths(wants)));
    if !may_answer || granted.is_some_and(|paths| !owns(paths)) {
        return Err(Rejection::TaskOutside { key: answer.task.clone(), scope });
    }
    Ok(vec![event])
}

fn asked_paths(wants: &ScopeAsk) -> PathSet {
    PathSet::written(&wants.paths).unwrap_or_default()
}

/// Has a person answer it.
pub(in crate::machine) fn person(
    state: &State,
    id: TaskId,
    (granted, reason): (bool, &str),
) -> Result<Vec<Event>, Rejection> {
    let task = state.tasks.get(&id).ok_or(Rejection::NoTask(id))?;
    let key = task.draft.key.clone();
    let answer = ScopeAnswer { task: key, granted, paths: PathSet::default(), reason: reason.to_owned() };
    Ok(vec![answered(id, task, &answer, None)?])
}

fn answered(id: TaskId, task: &Task, answer: &ScopeAnswer, by: Option<ScopeId>) -> Result<Event, Rejection> {
    let waits = matches!(task.status, Status::Blocked { .. });
    let wants = task.wants.as_ref().filter(|_| waits).ok_or(Rejection::AsksNoScope(id))?;
    if answer.reason.trim().is_empty() {
        return Err(Rejection::NoReason(id));
    }
    let asked = asked_paths(wants);
    let paths = if answer.paths.is_empty() { asked.clone() } else { answer.paths.clone() };
    // What cannot be read covers nothing, and is granted to nobody.
    if !asked.covers(&paths) || (answer.granted && paths.is_empty()) {
        return Err(Rejection::AskedForLess(id));
    }
    let (granted, reason) = (answer.granted, answer.reason.clone());
    Ok(Event::ScopeAnswered { task: id, granted, paths, reason, by })
}

/// Notes what a session has heard of what people say, before which of its calls.
pub(in crate::machine) fn heard(
    state: &State,
    (seat, fence): (Seat, u64),
    heard: Heard,
    before_call: u64,
) -> Result<Vec<Event>, Rejection> {
    let (before, of_task) = match seat {
        Seat::Attempt(id) => {
            let task = leased(state, id, Some(fence))?;
            (state.attempt(id).map(|it| it.heard).unwrap_or_default(), task.steering.len())
        }
        Seat::Planner { .. } => (sits(state, seat, fence)?.heard, 0),
        // What people say to those who work is none of who judges.
        Seat::Judge { .. } | Seat::RunJudge { .. } => return Err(Rejection::StaleSeat(seat)),
    };
    let is_said = heard.of_run as usize <= state.steering.len() && heard.of_task as usize <= of_task;
    if !is_said {
        return Err(Rejection::Unsaid(seat));
    }
    if !heard.is_beyond(before) {
        return Ok(Vec::new());
    }
    Ok(vec![Event::SteeringHeard { seat, heard, before_call }])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::command::{Ask, Command, Opening, PlanStep};
    use crate::machine::laws::follows;
    use crate::machine::state::Planning;
    use crate::machine::testing::{Scene, attempt, draft, kinds, part};
    use crate::model::attempt::{Handoff, Outcome};
    use crate::model::role::AgentRef;

    fn claims(key: &str, value: &str) -> PlanStep {
        PlanStep::Claim { key: key.into(), value: value.into() }
    }

    fn below(scope: u32, step: PlanStep) -> Command {
        Command::ReportPlan { scope: ScopeId(scope), wake: 1, fence: 0, step }
    }

    #[test]
    fn a_decision_is_taken_once_in_a_run_and_who_tries_again_is_told_by_whom_and_how() {
        let scene = Scene::open().plans(PlanStep::Spawn(vec![part("a", "a/"), part("b", "b/")]));
        let scene = scene.does(below(1, claims("error-type", " anyhow ")));
        let taken = Rejection::Decided { decision: "error-type".into(), owner: ScopeId(1), value: "anyhow".into() };
        assert_eq!(scene.when(&below(2, claims("error-type", "thiserror"))), Err(taken.clone()));
        assert_eq!(scene.when(&below(1, claims("error-type", "thiserror"))), Err(taken));
        assert_eq!(scene.when(&below(1, claims("error-type", "anyhow"))), Ok(Vec::new()), "said twice is said once");
        let hands_down = PlanStep::Spawn(vec![crate::model::task::ScopeDraft {
            decisions: ["error-type".into()].into(),
            ..part("c", "c/")
        }]);
        assert!(scene.when(&scene.plan(0, hands_down)).is_err(), "what is decided is handed to nobody");
    }

    #[test]
    fn who_was_given_a_decision_takes_it_and_nobody_else() {
        let deciding = crate::model::task::ScopeDraft { decisions: ["style".into()].into(), ..part("a", "a/") };
        let scene = Scene::open().plans(PlanStep::Spawn(vec![deciding, part("b", "b/")]));
        let taken = Rejection::DecisionTaken { decision: "style".into(), owner: ScopeId(1) };
        assert_eq!(scene.when(&below(2, claims("style", "x"))), Err(taken.clone()));
        assert_eq!(scene.when(&scene.plan(0, claims("style", "x"))), Err(taken), "its parent has given it away");
        assert_eq!(kinds(&scene.when(&below(1, claims("style", "x"))).unwrap()), ["DecisionClaimed"]);
    }

    #[test]
    fn decisions_are_short_and_not_empty_and_not_too_many() {
        let mut scene = Scene::open();
        let too_long = "x".repeat(1001);
        for (key, value) in [("", "x"), (" ", "x"), ("k", " "), ("k", too_long.as_str())] {
            assert!(scene.when(&scene.plan(0, claims(key, value))).is_err(), "{key} {}", value.len());
        }
        for number in 0..DECISIONS_AT_MOST {
            scene = scene.plans(claims(&number.to_string(), "x"));
        }
        assert!(scene.when(&scene.plan(0, claims("one-more", "x"))).is_err());
    }

    fn asking(scene: Scene, number: u32, paths: &[&str]) -> Scene {
        let wants = ScopeAsk { paths: paths.iter().map(|it| (*it).to_owned()).collect(), why: "it calls it".into() };
        let missing = wants.words();
        let handoff = Handoff { wants: Some(wants), ..Handoff::default() };
        scene.ends_with(attempt(1, number), Outcome::Blocked { missing }, handoff).settled()
    }

    fn answers(scene: &Scene, granted: bool, paths: &[&str]) -> Command {
        let paths = PathSet::parse(paths.iter().map(|it| (*it).to_owned()));
        let answer = ScopeAnswer { task: "a".into(), granted, paths, reason: "so be it".into() };
        scene.plan(0, PlanStep::AnswerScope(answer))
    }

    #[test]
    fn a_task_owns_what_it_was_granted_from_then_on_and_waits_until_nobody_else_does() {
        let scene = Scene::open().begun().planned(vec![draft("a", "a"), draft("b", "b")]);
        let scene = asking(scene, 1, &["b", "c/"]);
        assert!(scene.state.waits_for_planner(TaskId(1)) && scene.state.planning.contains(&ScopeId(0)));
        let command = answers(&scene, true, &[]);
        let scene = scene.does(command).settled();
        assert!(scene.task(1).draft.paths.covers(&PathSet::parse(["a", "b", "c/"].map(str::to_owned))));
        assert_eq!(scene.status(1), &Status::Ready, "the other task still works on one of them");
        assert!(scene.state.notes_for(TaskId(1))[0].contains("so be it"));
        assert!(scene.state.notes_for(TaskId(2)).is_empty(), "nothing has changed yet");
        let scene = scene.lands(2);
        assert_eq!(scene.status(1), &Status::Running);
    }

    #[test]
    fn why_a_task_changed_what_others_own_stands_in_their_briefs_once_it_has() {
        let scene = Scene::open().begun().planned(vec![draft("a", "a")]);
        let scene = asking(scene, 1, &["b"]);
        let command = answers(&scene, true, &[]);
        let scene = scene.does(command).plans(PlanStep::Emit(vec![draft("b", "b"), draft("c", "c")])).settled();
        let id = attempt(1, 2);
        let scene = scene.ends(id, crate::machine::testing::candidate(1)).accepted(id).settled().merged();
        let scene = scene.checked(crate::model::check::Answer::Green).landed().settled();
        let notes = scene.state.notes_for(TaskId(2));
        assert!(notes.len() == 1 && notes[0].contains("the task a") && notes[0].contains("it calls it"), "{notes:?}");
        assert!(scene.state.notes_for(TaskId(3)).is_empty());
    }

    #[test]
    fn a_refusal_stands_in_the_next_brief_with_its_reason_and_costs_no_try() {
        let scene = asking(Scene::open().begun().planned(vec![draft("a", "a")]), 1, &["b"]);
        let before = scene.task(1).again.clone();
        let command = answers(&scene, false, &[]);
        let scene = scene.does(command.clone()).settled();
        assert_eq!((scene.status(1), &scene.task(1).again), (&Status::Running, &before));
        let finding = &scene.task(1).findings[0];
        assert!(finding.rule == "scope-refused" && finding.what.contains("so be it"), "{finding:?}");
        assert!(!scene.task(1).draft.paths.holds("b"));
        assert_eq!(scene.when(&command), Ok(Vec::new()), "what was answered stays so");
    }

    #[test]
    fn no_more_is_granted_than_was_asked_for_and_no_more_than_a_planner_owns() {
        let scene = asking(Scene::open().begun().planned(vec![draft("a", "a")]), 1, &["b"]);
        assert_eq!(scene.when(&answers(&scene, true, &["z"])), Err(Rejection::AskedForLess(TaskId(1))));
        let nobody = ScopeAnswer { task: "z".into(), granted: true, paths: PathSet::default(), reason: "x".into() };
        let nobody = scene.when(&scene.plan(0, PlanStep::AnswerScope(nobody)));
        assert_eq!(nobody, Err(Rejection::NoSuchTask { key: "z".into(), scope: ScopeId(0) }));
        let mut narrow = scene;
        narrow.state.scopes.get_mut(&ScopeId(0)).unwrap().draft.paths = PathSet::of_files(["a".to_owned()]);
        let outside = Rejection::TaskOutside { key: "a".into(), scope: ScopeId(0) };
        assert_eq!(narrow.when(&answers(&narrow, true, &[])), Err(outside));
        let scene = narrow.asks(Ask::AnswerScope { task: TaskId(1), granted: true, reason: "yes".into() });
        assert!(scene.task(1).draft.paths.holds("b"), "a person may grant anything");
    }

    #[test]
    fn a_task_that_asks_again_and_again_is_kept_for_a_person() {
        let mut scene = Scene::open().begun().planned(vec![draft("a", "a")]);
        for number in 1..=SCOPE_ASKS_AT_MOST {
            scene = asking(scene, number, &["b"]);
            let command = answers(&scene, false, &[]);
            scene = scene.does(command).settled().unplanned();
        }
        let scene = asking(scene, SCOPE_ASKS_AT_MOST + 1, &["b"]);
        assert!(matches!(scene.status(1), Status::Kept { .. }), "{:?}", scene.status(1));
    }

    #[test]
    fn where_a_planner_plans_by_rule_or_says_nothing_a_person_answers() {
        let by_rule = |opening: &mut Opening| {
            opening.roles.get_mut("planner").unwrap().agents = vec![AgentRef::Shard];
        };
        let scene = asking(Scene::opened(by_rule).begun().planned(vec![draft("a", "a")]), 1, &["b"]);
        assert!(!scene.state.waits_for_planner(TaskId(1)));
        let silent = asking(Scene::open().begun().planned(vec![draft("a", "a")]), 1, &["b"]).unplanned();
        assert!(!silent.state.waits_for_planner(TaskId(1)));
        let silent = silent.looked(crate::model::check::Answer::Red);
        assert!(silent.state.end.is_some());
        let granted = silent.asks(Ask::AnswerScope { task: TaskId(1), granted: true, reason: "yes".into() }).settled();
        assert_eq!(granted.status(1), &Status::Running, "an ended run is taken up again");
        assert!(!granted.refusal(Ask::AnswerScope { task: TaskId(1), granted: true, reason: "x".into() }).is_empty());
    }

    /// Has one of two sub-planners hand out the task `a`, whose first attempt asks to change these paths.
    fn asking_below(scene: Scene, paths: &[&str]) -> Scene {
        let scene = scene.plans(PlanStep::Spawn(vec![part("one", "a/"), part("two", "b/")]));
        let scene = scene.does(below(1, PlanStep::Emit(vec![draft("a", "a/x")])));
        asking(scene.does(below(1, PlanStep::Done)).does(below(2, PlanStep::Done)).settled(), 1, paths)
    }

    fn answer_of(scene: &Scene, scope: u32, granted: bool) -> Command {
        let answer = ScopeAnswer { task: "a".into(), granted, paths: PathSet::default(), reason: "so be it".into() };
        scene.plan(scope, PlanStep::AnswerScope(answer))
    }

    #[test]
    fn what_lies_outside_a_planner_s_scope_is_granted_by_the_one_above_whose_scope_holds_it() {
        let scene = asking_below(Scene::open().begun(), &["b/y"]);
        let [root, own] = [0, 1].map(|scope| &scene.state.scopes[&ScopeId(scope)]);
        assert_eq!((&root.inbox, &own.given), (&vec![attempt(1, 1)], &vec![attempt(1, 1)]), "both are told");
        let again = follows(&scene.state, &Event::ScopeAskRaised { task: TaskId(1), to: ScopeId(0) });
        assert!(again.unwrap_err().what.contains("has not heard the first"));
        let aside = follows(&scene.state, &Event::ScopeAskRaised { task: TaskId(1), to: ScopeId(2) });
        assert!(aside.unwrap_err().what.contains("is not above it"));
        let scene = scene.plans(PlanStep::Done).settled();
        assert_eq!(scene.state.scopes[&ScopeId(0)].given, [attempt(1, 1)], "it is woken");
        let outside = Rejection::TaskOutside { key: "a".into(), scope: ScopeId(1) };
        assert_eq!(scene.when(&answer_of(&scene, 1, true)), Err(outside), "its own planner has not that to give");
        let command = answer_of(&scene, 0, true);
        let scene = scene.does(command).settled();
        assert!(scene.task(1).draft.paths.holds("b/y") && scene.status(1) == &Status::Running);
        assert_eq!(scene.when(&answer_of(&scene, 0, false)), Ok(Vec::new()), "what was answered stays so");
    }

    #[test]
    fn a_planner_above_answers_what_it_was_asked_and_not_what_is_asked_after_that_was_answered() {
        let scene = asking_below(Scene::open().begun(), &["b/y"]).plans(PlanStep::Done).settled();
        assert_eq!(scene.state.scopes[&ScopeId(0)].given, [attempt(1, 1)], "it is at it");
        let refused = answer_of(&scene, 1, false);
        let scene = asking(scene.does(refused).settled(), 2, &["a/z"]);
        assert!(scene.task(1).wants.is_some() && !scene.state.was_asked(ScopeId(0), TaskId(1)));
        assert_eq!([true, false].map(|granted| scene.when(&answer_of(&scene, 0, granted))), [Ok(vec![]), Ok(vec![])]);
        let by = |by| Event::ScopeAnswered {
            task: TaskId(1),
            granted: true,
            paths: PathSet::parse(["a/z".to_owned()]),
            reason: "yes".into(),
            by: Some(ScopeId(by)),
        };
        assert_eq!([0, 1].map(|scope| follows(&scene.state, &by(scope)).is_ok()), [false, true]);
    }

    #[test]
    fn a_planner_beside_or_with_less_than_is_asked_for_answers_nothing() {
        let scene = asking_below(Scene::open().begun(), &["b/y", "c"]);
        let nobody = Rejection::NoSuchTask { key: "a".into(), scope: ScopeId(2) };
        let beside = PlanStep::AnswerScope(ScopeAnswer {
            task: "a".into(),
            granted: false,
            paths: PathSet::default(),
            reason: "no".into(),
        });
        let beside = Command::ReportPlan { scope: ScopeId(2), wake: 1, fence: 0, step: beside };
        let mut planning = scene.clone();
        planning.state.scopes.get_mut(&ScopeId(2)).unwrap().status = Planning::Active;
        assert_eq!(planning.when(&beside), Err(nobody));
        let mut narrow = scene;
        let holds = PathSet::parse(["a/", "b/"].map(str::to_owned));
        narrow.state.scopes.get_mut(&ScopeId(0)).unwrap().draft.paths = holds;
        let outside = Err(Rejection::TaskOutside { key: "a".into(), scope: ScopeId(0) });
        assert_eq!(
            [true, false].map(|granted| narrow.when(&answer_of(&narrow, 0, granted))),
            [outside.clone(), outside]
        );
        let by = |by| Event::ScopeAnswered {
            task: TaskId(1),
            granted: false,
            paths: PathSet::parse(["c".to_owned()]),
            reason: "no".into(),
            by: Some(ScopeId(by)),
        };
        let may = [0, 1, 2].map(|scope| follows(&narrow.state, &by(scope)).is_ok());
        assert_eq!(may, [false, true, false], "its own may say no to it, whatever it is");
    }

    #[test]
    fn the_nearest_above_that_holds_it_is_asked_and_none_where_the_own_planner_may_answer() {
        let deep = |opening: &mut Opening| opening.roles.get_mut("planner").unwrap().limits.depth = 2;
        let scene = Scene::opened(deep).begun().plans(PlanStep::Spawn(vec![part("one", "a/")]));
        let scene = scene.does(below(1, PlanStep::Spawn(vec![part("two", "a/b/")])));
        let scene = scene.does(below(2, PlanStep::Emit(vec![draft("a", "a/b/x")]))).settled();
        let told = |paths: &[&str]| {
            let scene = asking(scene.clone(), 1, paths);
            [0, 1, 2].map(|scope| scene.state.scopes[&ScopeId(scope)].inbox.len())
        };
        assert_eq!(told(&["a/b/y"]), [0, 0, 1]);
        assert_eq!(told(&["a/b/y", "a/z"]), [0, 1, 1]);
        assert_eq!(told(&["a/z", "c"]), [1, 0, 1]);
    }

    #[test]
    fn what_a_planner_above_does_not_answer_a_person_does() {
        let scene = asking_below(Scene::open().begun(), &["b/y"]).plans(PlanStep::Done).settled();
        let own = scene.plan(1, PlanStep::Done);
        let scene = scene.does(own).settled();
        assert!(scene.state.waits_for_planner(TaskId(1)), "one of them has not spoken");
        let scene = scene.unplanned();
        assert!(!scene.state.waits_for_planner(TaskId(1)));
        let by_rule = |opening: &mut Opening| {
            opening.roles.get_mut("planner").unwrap().agents = vec![AgentRef::Shard];
        };
        let ruled = asking_below(Scene::opened(by_rule).begun(), &["b/y"]);
        assert!(!ruled.state.waits_for_planner(TaskId(1)) && ruled.state.scopes[&ScopeId(0)].inbox.is_empty());
        let failed = PlanStep::Fail("it broke".into());
        let failed = asking_below(Scene::open().begun(), &["b/y"]).plans(failed).settled();
        let own = failed.plan(1, PlanStep::Done);
        assert!(!failed.does(own).settled().state.waits_for_planner(TaskId(1)), "who has failed hears nothing");
    }

    #[test]
    fn who_was_asked_beside_another_is_not_woken_for_what_was_answered() {
        let scene = asking_below(Scene::open().begun(), &["b/y"]);
        let refuses = answer_of(&scene, 1, false);
        for scene in [
            scene.clone().does(refuses),
            scene.clone().asks(Ask::AnswerScope { task: TaskId(1), granted: true, reason: "yes".into() }),
            scene.clone().asks(Ask::Retry(TaskId(1))),
            scene.asks(Ask::DenyTask { task: TaskId(1), reason: "no".into() }),
        ] {
            let root = &scene.plans(PlanStep::Done).settled().state.scopes[&ScopeId(0)];
            assert_eq!((root.wake, &root.status), (1, &Planning::Finished));
        }
    }

    #[test]
    fn what_a_session_has_heard_only_grows_and_is_what_was_said() {
        let scene = Scene::open().begun().planned(vec![draft("a", "a")]);
        let scene = scene.asks(Ask::Steer { task: None, message: "x".into() });
        let scene = scene.asks(Ask::Steer { task: Some(TaskId(1)), message: "y".into() });
        let hears = |of_run, of_task, fence| Command::ReportHeard {
            seat: Seat::Attempt(attempt(1, 1)),
            fence,
            heard: Heard { of_run, of_task },
            before_call: 3,
        };
        assert_eq!(scene.when(&hears(2, 0, 1)), Err(Rejection::Unsaid(Seat::Attempt(attempt(1, 1)))));
        assert_eq!(scene.when(&hears(1, 1, 9)), Err(Rejection::StaleAttempt(attempt(1, 1))));
        let scene = scene.does(hears(1, 1, 1));
        assert_eq!(scene.task(1).attempts[0].heard, Heard { of_run: 1, of_task: 1 });
        assert_eq!(scene.when(&hears(1, 1, 1)), Ok(Vec::new()));
        assert_eq!(scene.when(&hears(0, 1, 1)), Ok(Vec::new()));
    }
}

//! Owns what planners and workers may ask for while they are at it: a decision is taken once in a run, a task changes more
//! than it owns by somebody's word alone, and what people say is heard in order.

use crate::machine::asked::Heard;
use crate::machine::event::Event;
use crate::machine::rejection::Rejection;
use crate::machine::rules::attempt::leased;
use crate::machine::rules::seat::sits;
use crate::machine::state::{State, Status, Task};
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

/// Has a planner answer what a task of its scope asks to change.
pub(in crate::machine) fn answer(state: &State, scope: ScopeId, answer: &ScopeAnswer) -> Result<Vec<Event>, Rejection> {
    let found = state.task_keys.get(&answer.task).and_then(|id| Some((*id, state.tasks.get(id)?)));
    let (id, task) = found
        .filter(|(_, task)| task.scope == scope)
        .ok_or_else(|| Rejection::NoSuchTask { key: answer.task.clone(), scope })?;
    // What was answered stays so.
    if task.wants.is_none() && task.asked > 0 {
        return Ok(Vec::new());
    }
    let event = answered(id, task, answer, Some(scope))?;
    let owns = |paths: &PathSet| state.scopes.get(&scope).is_some_and(|it| it.draft.paths.covers(paths));
    if let Event::ScopeAnswered { granted: true, paths, .. } = &event
        && !owns(paths)
    {
        return Err(Rejection::TaskOutside { key: answer.task.clone(), scope });
    }
    Ok(vec![event])
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
    let asked = PathSet::written(&wants.paths).unwrap_or_default();
    let paths = if answer.paths.is_empty() { asked.clone() } else { answer.paths.clone() };
    if !asked.covers(&paths) {
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
    use crate::machine::command::{Ask, Command, PlanStep};
    use crate::machine::testing::{Scene, attempt, draft, kinds, part};
    use crate::model::attempt::{Handoff, Outcome, ScopeAsk};
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
        let by_rule = |opening: &mut crate::machine::command::Opening| {
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
